import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import type {ConfigEdit} from '../../../../src/bridge/requests/bridge-actions.ts'
import {ConfigError, editConfig, loadConfig, parseConfig} from '../../../../src/config/config.ts'
import {editOptions} from '../../../support/edit-options.ts'
import {TOKEN} from '../../../support/token.ts'

let file = ''
beforeAll(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'miio2mqtt-hosts-')), 'config.yaml')
})
afterAll(() => rm(join(file, '..'), {recursive: true}))

const TEXT = `devices: {desk: {host: 203.0.113.7, token: ${TOKEN}}}\n`

/** The result of the edit: its problems, or `done`. */
async function outcome(...edits: ConfigEdit[]): Promise<string> {
  await writeFile(file, TEXT)
  const done = await editConfig(file, edits, editOptions).then(
    () => 'done',
    (error: unknown) => (error instanceof ConfigError ? error.message : expect.fail(String(error))),
  )
  if (done !== 'done') expect(await readFile(file, 'utf8')).toBe(TEXT)
  return done
}

const add = (host: string) => outcome({path: ['devices', 'lamp'], put: {host, token: TOKEN}})
const move = (host: string) => outcome({path: ['devices', 'desk', 'host'], put: host})

function problems(host: string): string {
  try {
    parseConfig(JSON.stringify({devices: {desk: {host, token: TOKEN}}}), {file: 'config.yaml', env: {}})
    return ''
  } catch (error) {
    return String(error)
  }
}

describe('the host of a plug', () => {
  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '224.0.0.1',
    '239.255.255.250',
    '240.0.0.1',
    '255.255.255.255',
    '127.255.255.255',
  ])('is no address that no single device has: %s', (host) => {
    expect(problems(host)).toContain(`got "${host}", which no single device has`)
  })

  it.each(['1.2.3', '0x7f.1', '0x08080808', '134744072', '1.2.3.4.', 'a.0x1', '08.8.8.8', 'x.1'])(
    'is no number that a resolver takes for an address: %s',
    (host) => {
      expect(problems(host)).toContain('expected an IPv4 address or a host name')
    },
  )

  it.each([
    'plug.lan',
    'chuangmi-plug-v3_miio12345678',
    'plug1',
    '1plug.lan',
    'x.y1',
    '8.8.8.8',
    '192.168.1.255',
  ])('may be %s in the file', (host) => {
    expect(problems(host)).toBe('')
  })
})

describe('a request that gives a plug its host', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '203.0.113.8',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.1.1',
    '192.169.0.1',
    '100.63.255.255',
    '100.128.0.0',
    '169.253.1.1',
    '11.0.0.1',
    '126.255.255.255',
    '128.0.0.0',
  ])('is refused for an address that is not of a private network: %s', async (host) => {
    for (const refused of [await add(host), await move(host)]) {
      expect(refused).toContain(`expected an address of a private network, got "${host}"`)
      expect(refused).toContain('by hand')
    }
  })

  it.each([
    '10.0.0.0',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '100.64.0.1',
    '100.127.255.255',
    '169.254.1.1',
    '127.0.0.1',
    'plug.lan',
  ])('may name %s', async (host) => {
    expect(await add(host)).toBe('done')
    expect(await move(host)).toBe('done')
    expect((await loadConfig(file, {})).devices['desk']?.host).toBe(host)
  })

  it('accepts the addresses that the file has already, of this and of other plugs', async () => {
    expect(await outcome({path: ['devices', 'desk', 'area'], put: 'Office'})).toBe('done')
    expect(await outcome({path: ['devices', 'desk'], rename: 'table'})).toBe('done')
    expect((await loadConfig(file, {})).devices['table']?.host).toBe('203.0.113.7')
  })
})
