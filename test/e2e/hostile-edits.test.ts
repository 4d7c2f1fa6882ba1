import {execFileSync} from 'node:child_process'
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startPlug, TOKEN} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {CERT, KEY, WEAK_KEY} from '../support/pem.ts'
import {miio2mqtt, Program} from '../support/program.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-hostile-'))
const file = join(folder, 'config.yaml')
const pipe = join(folder, 'pipe')
const broker = await startMosquitto()
const user = await Watcher.open(broker)
let program: Program
let text: string
let requests = 0

async function request(verb: string, payload: object = {}) {
  const transaction = `t${++requests}.`
  await user.publish(`miio2mqtt/bridge/request/${verb}`, JSON.stringify({...payload, transaction}))
  const {payload: answer} = await user.waitFor(`miio2mqtt/bridge/response/${verb}`, ({payload}) =>
    payload.includes(transaction),
  )
  return JSON.parse(answer)
}

beforeAll(async () => {
  execFileSync('mkfifo', [pipe])
  const lamp = await startPlug({address: loopback(1, 1)})
  text = `mqtt: {url: ${broker.url}}
network: {broadcast: []}
state_dir: ${folder}/state
devices: {lamp: {host: ${lamp.address}, token: ${TOKEN}, filtered: [led]}}
groups: {evening: {members: [lamp]}}
`
  await writeFile(file, text)
  program = new Program(['run', '--config', file])
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload.includes('online'))
})

afterAll(async () => {
  program.signal('SIGTERM')
  await program.waitForEnd()
  await rm(folder, {recursive: true, force: true})
})

describe('a text of a request', () => {
  const hostile = [
    `x:\n!file ${pipe}`,
    'x:\n!file /dev/zero',
    'led:\n!env HOME',
    '\n!secret pw',
    `, !file ${pipe}`,
  ]

  it('A text of a request never opens a file, whatever it looks like, and the next request is answered.', async () => {
    for (const words of hostile) {
      const asked = [
        ['group/members', {name: 'evening', add: [words]}],
        ['group/add', {name: 'all', members: [words]}],
        ['device/options', {name: 'lamp', options: {filtered: ['led', words]}}],
        ['device/rename', {from: 'lamp', to: words}],
        ['device/add', {name: 'fan', host: words, token: words}],
      ] as const
      for (const [verb, payload] of asked) {
        const {status, error} = await request(verb, payload)
        expect([verb, words, status, error?.code]).toEqual([verb, words, 'error', 'refused'])
        expect(error.message).toMatch(/^the configuration stays as it is:/)
        expect(await readFile(file, 'utf8')).toBe(text)
      }
    }
    expect(await request('reload')).toMatchObject({status: 'ok'})
  })

  it('is kept as a text where any text may stand', async () => {
    const options = {description: hostile[0], homeassistant: {name: hostile[1]}}
    expect(await request('device/options', {name: 'lamp', options})).toMatchObject({status: 'ok'})
    const {data} = await request('info')
    expect(data.config.devices.lamp).toMatchObject(options)
  })
})

describe('a configuration that cannot be started with', () => {
  const wrong: [string, string, RegExp][] = [
    [
      'a key of another certificate',
      'cert: !file cert.pem, key: !file weak.pem',
      /mqtt\.key: expected the key of the first/,
    ],
    ['a damaged authority', 'ca: !file key.pem', /mqtt\.ca: expected certificates only/],
    [
      'a password without end',
      `password: ${'x'.repeat(65_536)}`,
      /mqtt\.password: expected text, got 65536 bytes/,
    ],
  ]

  it.each(wrong)('is no valid one, and does not end a bridge that runs: %s', async (_, setting, words) => {
    await writeFile(join(folder, 'cert.pem'), CERT)
    await writeFile(join(folder, 'key.pem'), KEY)
    await writeFile(join(folder, 'weak.pem'), WEAK_KEY)
    const before = await readFile(file, 'utf8')
    await writeFile(file, before.replace('mqtt: {', `mqtt: {${setting}, `))
    for (const command of ['check', 'run']) {
      const {code, stderr} = await miio2mqtt([command, '--config', file])
      expect([code, stderr]).toEqual([78, expect.stringMatching(words)])
      expect(stderr).not.toMatch(/\n {4}at /)
    }
    const {status, error} = await request('reload')
    expect([status, error.message]).toEqual(['error', expect.stringMatching(words)])
    await writeFile(file, before)
    expect(await request('reload')).toMatchObject({status: 'ok'})
  })
})
