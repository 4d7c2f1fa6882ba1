import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {configText, startPlug} from '../support/bridge.ts'
import {CommandClient, commandsIn} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Program} from '../support/program.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-misdirected-'))
const file = join(folder, 'config.yaml')
const broker = await startMosquitto()
const user = await Watcher.open(broker)
const home = new CommandClient(broker, user)
let program: Program
let desk: SimulatedPlug
let lamp: SimulatedPlug

beforeAll(async () => {
  desk = await startPlug({address: loopback(2, 1)})
  lamp = await startPlug({address: loopback(2, 2)})
  const config = {state_dir: join(folder, 'state'), allow_raw_calls: true}
  await writeFile(file, configText({broker, plugs: {desk, lamp}, config}))
  program = new Program(['run', '--config', file])
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload.includes('online'), 30_000)
})

afterAll(async () => {
  program.signal('SIGTERM')
  await program.waitForEnd()
  await rm(folder, {recursive: true, force: true})
})

let transactions = 0

/** @returns the answer, once a later request was answered, too: a second answer would have come by then */
async function request(verb: string, payload: Record<string, unknown> = {}): Promise<unknown[]> {
  const transaction = `misdirected ${++transactions}`
  await user.publish(`miio2mqtt/bridge/request/${verb}`, JSON.stringify({...payload, transaction}), {qos: 1})
  await user.waitFor(
    `miio2mqtt/bridge/response/${verb}`,
    ({payload}) => payload.includes(transaction),
    30_000,
  )
  await user.publish('miio2mqtt/bridge/request/info', JSON.stringify({transaction: `after ${transaction}`}), {
    qos: 1,
  })
  await user.waitFor(
    'miio2mqtt/bridge/response/info',
    ({payload}) => payload.includes(`after ${transaction}`),
    30_000,
  )
  return user
    .on(`miio2mqtt/bridge/response/${verb}`)
    .filter(({payload}) => payload.includes(`"${transaction}"`))
    .map(({payload}) => JSON.parse(payload))
}

/** What the bridge has warned of that has `part` in it, once it has answered what came later. */
async function warnings(part: string): Promise<string[]> {
  await home.publish('lamp', 'get', '', {qos: 1})
  return home.warnings().filter((text) => text.includes(part))
}

describe('a command to a name that does not exist', () => {
  it.each([
    ['lampe/set', 'ON', /no plug or group is called lampe: known are desk, lamp, did you mean lamp\?/],
    ['a/b/set', 'ON', /no plug or group is called a\/b: /],
    ['a/b/c/get/power', '', /no plug or group is called a\/b\/c: /],
    ['one/two/three/four/five/set/led', 'ON', /no plug or group is called one\/two\/three\/four\/five: /],
    [
      'lamp/command',
      'ON',
      /no command can be given on miio2mqtt\/lamp\/command: send commands for lamp to miio2mqtt\/lamp\/set/,
    ],
    ['lamp/Set', 'ON', /no command can be given on miio2mqtt\/lamp\/Set: send commands for lamp to/],
    [
      'lamp/Set/state',
      'ON',
      /no command can be given on miio2mqtt\/lamp\/Set\/state: send commands for lamp to/,
    ],
    [
      'lamp/cmnd/POWER',
      'ON',
      /no command can be given on miio2mqtt\/lamp\/cmnd\/POWER: send commands for lamp to/,
    ],
    [
      'cmnd/lamp/POWER',
      'ON',
      /no command can be given on miio2mqtt\/cmnd\/lamp\/POWER: send commands for lamp to/,
    ],
    [
      'lamp/led/set',
      'ON',
      /no command can be given on .*: send commands for lamp to miio2mqtt\/lamp\/set\/led/,
    ],
    ['Lamp/command', 'ON', /no plug or group is called Lamp: known are desk, lamp, did you mean lamp\?/],
    [
      'lamp',
      'ON',
      /no command can be given on miio2mqtt\/lamp: send commands for lamp to miio2mqtt\/lamp\/set/,
    ],
    [
      'lamp/set/usb/x',
      'ON',
      /given on miio2mqtt\/lamp\/set\/usb\/x: send commands for lamp to miio2mqtt\/lamp\/set/,
    ],
    ['lamp/sets', 'ON', /given on miio2mqtt\/lamp\/sets: send commands for lamp to miio2mqtt\/lamp\/set/],
    ['lamp/switch', 'ON', /given on miio2mqtt\/lamp\/switch: send commands for lamp to miio2mqtt\/lamp\/set/],
    ['lamp/on', '1', /given on miio2mqtt\/lamp\/on: send commands for lamp to miio2mqtt\/lamp\/set/],
    ['lamp/led', 'ON', /given on miio2mqtt\/lamp\/led: send commands for lamp to miio2mqtt\/lamp\/set\/led/],
    [
      'bridge/set',
      'ON',
      /given on .*\/bridge\/set: send commands for the bridge to miio2mqtt\/bridge\/request\/<verb>/,
    ],
    ['bridge/requests/info', '{}', /given on .*\/bridge\/requests\/info: send commands for the bridge to/],
    [
      'bridge/config/log_level',
      'debug',
      /given on .*\/bridge\/config\/log_level: send commands for the bridge to/,
    ],
    [
      'bridge/device/remove',
      '{"name":"lamp"}',
      /given on .*\/device\/remove: send commands for the bridge to/,
    ],
    ['attic', 'OFF', /no plug or group is called attic/],
  ])('on miio2mqtt/%s causes one warning, and switches nothing', async (topic, payload, expected) => {
    const before = commandsIn(lamp.received).length
    for (let times = 0; times < 3; times++) await user.publish(`miio2mqtt/${topic}`, payload, {qos: 1})
    const warned = (await warnings('')).filter((text) => expected.test(text))
    expect(warned).toHaveLength(1)
    expect(commandsIn(lamp.received)).toHaveLength(before)
  })

  it('gets the new name of a plug that was renamed since the start', async () => {
    expect(await request('device/rename', {from: 'desk', to: 'office/desk'})).toMatchObject([{status: 'ok'}])
    await home.waitForAvailability('office/desk', 'online')
    await user.publish('miio2mqtt/desk/set', 'ON', {qos: 1})
    await user.publish('miio2mqtt/desk/set', 'ON', {qos: 1})
    expect(await warnings('is called desk')).toEqual([
      'no plug or group is called desk: known are office/desk, lamp; it was renamed to office/desk',
    ])
    expect(await home.publish('office/desk', 'set', 'ON')).toMatchObject({status: 'ok'})
    await user.publish('miio2mqtt/office/desk', 'OFF', {qos: 1})
    expect(await warnings('no command can be given on miio2mqtt/office/desk:')).toHaveLength(1)
  })
})

describe('a request that does not exist', () => {
  it.each([
    'nonsense',
    'set',
    'get',
    'set/set',
    'device/set',
    'device/set/x',
    'device/options/area',
    'a/b/c/d/e',
  ])('%s gets one response', async (verb) => {
    expect(await request(verb)).toMatchObject([
      {status: 'error', error: {code: 'invalid_payload', message: expect.stringContaining(`got ${verb}`)}},
    ])
  })
})

describe('a response topic', () => {
  it('that would end the connection, or is a command topic of other software, is not used', async () => {
    const topics = [
      `${'l/'.repeat(180)}l`,
      'zigbee2mqtt/x/set',
      'homeassistant/device/x/config',
      'miio2mqtt/lamp',
    ]
    for (const responseTopic of topics) {
      const properties = {responseTopic, correlationData: Buffer.from('x')}
      expect(await home.publish('lamp', 'get', '', {properties})).toMatchObject({status: 'ok'})
    }
    expect(
      user.messages.filter(({topic, payload}) => topics.includes(topic) && payload.includes('"status"')),
    ).toEqual([])
    expect((await warnings('has the response topic')).length).toBe(topics.length)
    expect(user.on('miio2mqtt/bridge/state').map(({payload}) => payload)).not.toContain('{"state":"offline"}')
  })
})

describe('many requests', () => {
  it('do not hold up a command that comes after them', async () => {
    const results = home.results('lamp').length
    for (let at = 0; at < 400; at++)
      void user.publish('miio2mqtt/bridge/request/health_check', `{"transaction":"many ${at}"}`, {qos: 0})
    await user.publish('miio2mqtt/lamp/set', 'ON', {qos: 0})
    await user.waitFor(
      'miio2mqtt/bridge/response/health_check',
      ({payload}) => payload.includes('"many 399"'),
      60_000,
    )
    const order = user.messages.map(({topic, payload}) =>
      topic === 'miio2mqtt/lamp/response' ? 'command' : (/"many \d+"/.exec(payload)?.[0] ?? ''),
    )
    expect(home.results('lamp').slice(results)).toMatchObject([{status: 'ok'}])
    expect(order.lastIndexOf('command')).toBeLessThan(order.lastIndexOf('"many 399"'))
  })
})
