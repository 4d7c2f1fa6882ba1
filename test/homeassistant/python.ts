/** A Python that can run Home Assistant, with Home Assistant in it: from PyPI, in a folder of its own. */
import {execFile} from 'node:child_process'
import {existsSync} from 'node:fs'
import {readdir, writeFile} from 'node:fs/promises'
import {homedir} from 'node:os'
import {join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'

const run = promisify(execFile)

/** Which Home Assistant runs on which Python, newest first. Its test harness has other version numbers. */
const RELEASES = [
  {python: [3, 14, 2], homeAssistant: '2026.10.4', harness: '0.13.375'},
  {python: [3, 13, 2], homeAssistant: '2026.2.3', harness: '0.13.316'},
  {python: [3, 13, 0], homeAssistant: '2025.4.4', harness: '0.13.236'},
] as const

export interface Python {
  /** The interpreter with Home Assistant in it. */
  path: string
  /** Of Python itself. */
  version: string
  homeAssistant: string
}

/** @throws Error that names what is missing, and how to install it */
export async function pythonWithHomeAssistant(): Promise<Python> {
  const {path, version, release} = await newestPython()
  const folder = resolve('node_modules/.cache', `homeassistant-${release.homeAssistant}`)
  const installed = join(folder, 'bin/python')
  if (!existsSync(join(folder, 'complete'))) await install(path, folder, release.harness)
  return {path: installed, version, homeAssistant: release.homeAssistant}
}

async function install(python: string, folder: string, harness: string): Promise<void> {
  console.log(`installing Home Assistant into ${folder}: this takes some minutes …`)
  await run(python, ['-m', 'venv', '--clear', folder])
  const installed = join(folder, 'bin/python')
  const pip = (...what: string[]) =>
    run(installed, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...what], {
      maxBuffer: 1 << 26,
    }).catch((error: Error) => {
      throw new Error(`Home Assistant could not be installed from PyPI: ${error.message}`)
    })
  await pip(`pytest-homeassistant-custom-component==${harness}`)
  const {stdout} = await run(installed, [fileURLToPath(new URL('requirements.py', import.meta.url))])
  await pip(...stdout.trim().split('\n'))
  await writeFile(join(folder, 'complete'), '')
}

async function newestPython() {
  const candidates = await Promise.all((await interpreters()).map(versionOf))
  const known = candidates.flatMap((found) => (found ? [found] : []))
  const usable = known.flatMap(({path, version}) => {
    const release = RELEASES.find(({python}) => !isOlder(version, python))
    return release ? [{path, version: version.join('.'), release}] : []
  })
  const [best] = usable.sort((a, b) => RELEASES.indexOf(a.release) - RELEASES.indexOf(b.release))
  if (best) return best
  const found = known.map(({version}) => version.join('.')).join(', ') || 'none'
  throw new Error(
    `expected Python 3.13 or newer, which Home Assistant needs; found ${found}. Put one in the PATH, or its path into PYTHON`,
  )
}

/** What is in the PATH, what the variable PYTHON names, and what pyenv has installed. */
async function interpreters(): Promise<string[]> {
  const pyenv = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions')
  const versions = await readdir(pyenv).catch(() => [])
  const own = process.env['PYTHON']
  return [
    ...(own ? [own] : []),
    'python3.14',
    'python3.13',
    'python3',
    ...versions.map((version) => join(pyenv, version, 'bin/python')),
  ]
}

async function versionOf(path: string): Promise<{path: string; version: number[]} | undefined> {
  const version = await run(path, ['-c', 'import sys; print(*sys.version_info[:3])']).catch(() => undefined)
  return version && {path, version: version.stdout.trim().split(' ').map(Number)}
}

function isOlder(version: readonly number[], than: readonly number[]): boolean {
  const at = than.findIndex((part, index) => part !== version[index])
  return at >= 0 && (version[at] ?? 0) < (than[at] ?? 0)
}
