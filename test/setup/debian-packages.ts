import {spawnSync} from 'node:child_process'
import {existsSync} from 'node:fs'
import type {TestProject} from 'vitest/node'

/** The installed programs besides Node. Tests get them with `inject('tools')`. */
export interface Tools {
  /** The broker and its `mosquitto_pub` and `mosquitto_sub`. */
  mosquitto: boolean
  /** An independent miIO client: `/usr/bin/python3 -m miio.cli`. */
  pythonMiio: boolean
}

declare module 'vitest' {
  interface ProvidedContext {
    tools: Tools
  }
}

interface DebianPackage {
  name: string
  /** Exists when the package is installed. */
  file: string
  /** A description of the tests that need it. */
  tests: string
}

export const packages: readonly DebianPackage[] = [
  {name: 'mosquitto', file: '/usr/sbin/mosquitto', tests: 'everything against a real broker'},
  {name: 'mosquitto-clients', file: '/usr/bin/mosquitto_sub', tests: 'everything against a real broker'},
  {name: 'openssl', file: '/usr/bin/openssl', tests: 'a broker that speaks TLS'},
  {
    name: 'python3-miio',
    file: '/usr/lib/python3/dist-packages/miio',
    tests: 'miIO as an independent client speaks it, and systemd notifications',
  },
]

const INSTALL_LIMIT_MS = 180_000

/** Installs the packages that the tests need when it runs as root; otherwise it prints which tests are skipped without them. */
export default function setup(project: TestProject): void {
  if (missing().length > 0 && process.getuid?.() === 0) install(missing())
  const absent = missing()
  if (absent.length > 0) reportMissing(absent)
  project.provide('tools', {
    mosquitto: has('mosquitto', 'mosquitto-clients'),
    pythonMiio: has('python3-miio'),
  })
}

function missing(): readonly DebianPackage[] {
  return packages.filter(({file}) => !existsSync(file))
}

function has(...names: string[]): boolean {
  return !missing().some(({name}) => names.includes(name))
}

function install(absent: readonly DebianPackage[]): void {
  console.log(`Installing for the tests: ${list(absent)}`)
  apt('update')
  apt('install', '--yes', '--no-install-recommends', ...absent.map(({name}) => name))
}

function apt(...args: string[]): void {
  const env = {...process.env, DEBIAN_FRONTEND: 'noninteractive'}
  const {error} = spawnSync('apt-get', args, {env, stdio: 'inherit', timeout: INSTALL_LIMIT_MS})
  if (error) console.log(`apt-get ${args[0]}: ${error.message}`)
}

/** @throws Error under `CI=true`, where skipped tests would go unnoticed. */
function reportMissing(absent: readonly DebianPackage[]): void {
  const command = `sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${list(absent)}`
  const skipped = absent.map(({name, tests}) => `  without ${name}: ${tests}`).join('\n')
  const message = `Packages are missing. Install them with\n\n  ${command}\n\nTests skipped until then:\n${skipped}`
  if (process.env['CI'] === 'true') throw new Error(message)
  const rule = '!'.repeat(78)
  console.log(`\n${rule}\n${message}\n${rule}\n`)
}

function list(of: readonly DebianPackage[]): string {
  return of.map(({name}) => name).join(' ')
}
