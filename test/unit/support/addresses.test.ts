import {type ChildProcess, fork} from 'node:child_process'
import {once} from 'node:events'
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, describe, expect, it} from 'vitest'
import {BROADCAST, freeAddress, loopback} from '../../support/addresses.ts'
import {startPlug} from '../../support/bridge.ts'
import {until} from '../../support/wait.ts'

const OURS = 'unit/support/addresses.test.ts'
const ours = Number(loopback(1, 1).split('.')[1])
/** Far from those that test files get first, and another one in a second run of this file. */
const PREFERRED = ours / 2 + 60

const running = new Set<ChildProcess>()
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
})

describe('the addresses of a test file', () => {
  it('belong to one network, and no two are the same', () => {
    const many = Array.from({length: 600}, freeAddress)
    expect(new Set(many).size).toBe(600)
    expect(new Set([...many, loopback(1, 1), BROADCAST].map((address) => address.split('.')[1])).size).toBe(1)
  })

  it('are those of a plug that is given none', async () => {
    const [one, other] = [await startPlug(), await startPlug()]
    expect(one.address).not.toBe(other.address)
    expect(one.address.split('.')[1]).toBe(loopback(1, 1).split('.')[1])
  })

  it('are never those of another process, until that has ended', async () => {
    const one = await claimant(PREFERRED)
    const other = await claimant(PREFERRED)
    expect(new Set([ours, one.network, other.network]).size).toBe(3)
    one.child.kill('SIGKILL')
    await until(
      async () => {
        const {child, network} = await claimant(PREFERRED)
        child.kill('SIGKILL')
        return network === one.network
      },
      {what: 'the network that was released'},
    )
  })
})

/** A loopback address that is written out, in a string or a regular expression; not a network such as 127.0.0.0/8, nor the machine's own 127.0.0.1. */
const WRITTEN_OUT =
  /\b127\\?\.(?:(?!0\\?\.0\\?\.1\b)\d+\\?\.\d+\\?\.(?!\d+\/\d)(?:\d+|\$\{)|\d+\\?\.\$\{|\$\{)|\bLOOPBACK_BROADCAST\b/g

/** They bind none of these addresses for themselves, or share them on purpose. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'support/addresses.ts': ['127.255.255.255', '127.${'],
  'support/loopback.ts': ['127.${'],
  // A real broadcast must be sent somewhere: both accept that others answer it, too.
  'unit/miio/discovery.test.ts': ['127.255.255.255'],
  'unit/simulator/simulated-network.test.ts': ['LOOPBACK_BROADCAST'],
  // Only looked at.
  'e2e/screens.test.ts': ['LOOPBACK_BROADCAST'],
  'unit/cli/narrow-terminal.test.ts': ['127.0.54.1'],
  'unit/config/write/hosts.test.ts': ['127.255.255.255'],
  'unit/config/validate/valid-config-starts.test.ts': ['127.255.255.255'],
  'unit/cli/errors.test.ts': ['127.0.0.9'],
  'unit/device/diagnosis.test.ts': ['127.0.0.9'],
  // The default of the program, in a message.
  'e2e/cli.test.ts': ['127.0.54.1'],
}

it('no test writes out an address of its own', () => {
  const files = readdirSync('test', {recursive: true, encoding: 'utf8'}).filter((file) =>
    /\.[mc]?ts$/.test(file),
  )
  expect(files).toContain('unit/support/addresses.test.ts')
  const found = files.flatMap((file) => {
    const addresses = readFileSync(join('test', file), 'utf8').match(WRITTEN_OUT) ?? []
    return addresses
      .map((address) => address.replaceAll('\\', ''))
      .filter((address) => file !== OURS && !ALLOWED[file]?.includes(address))
      .map((address) => `${file}: ${address}`)
  })
  expect(found, 'take it from loopback(), freeAddress() or BROADCAST of test/support/addresses.ts').toEqual(
    [],
  )
})

/** Another process with a network of its own, which it holds until it ends. */
async function claimant(preferred: number) {
  const child = fork('test/unit/support/addresses-claimant.ts', [String(preferred)], {
    execArgv: ['--import', 'tsx'],
  })
  running.add(child)
  const [network]: unknown[] = await once(child, 'message')
  return {child, network}
}
