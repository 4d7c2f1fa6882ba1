import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {
  action,
  button,
  minutesSetting,
  miot,
  onOff,
  powerOnBehavior,
  prop,
  relay,
} from '../../src/models/builders.ts'
import {Catalogue} from '../../src/models/catalogue.ts'
import type {Model} from '../../src/models/model.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, type TestBridge, type TestBridgeOptions} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {eight, readings} from '../support/virtual-home.ts'
import {until} from '../support/wait.ts'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, {recursive: true, force: true}))))

/** As if these definitions were built in: capabilities are not stored for a user's own definitions. */
class Described extends Catalogue {
  override readonly own: ReadonlySet<string> = new Set()
}

/** A bridge with a state folder that outlives it. */
async function lastingBridge(choice: Omit<TestBridgeOptions, 'folder'>) {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  folders.push(folder)
  const start = () => startBridge({...choice, folder})
  return {folder, start}
}

async function stateOf(user: Watcher, name: string): Promise<Record<string, unknown>> {
  return JSON.parse((await user.retained()).get(`miio2mqtt/${name}`) ?? '{}')
}

async function entryOf(user: Watcher, name: string): Promise<Record<string, unknown>> {
  const entries: Record<string, unknown>[] = JSON.parse(
    (await user.retained()).get('miio2mqtt/bridge/devices') ?? '[]',
  )
  return entries.find((entry) => entry['name'] === name) ?? {}
}

/** The properties of each MIoT request. */
function questions(plug: SimulatedPlug, from = 0): string[][] {
  return plug.received
    .slice(from)
    .filter(({method}) => method === 'get_properties')
    .map(({params}) => params.map((item) => String(Object(item).did)))
}

async function stage(): Promise<{broker: Mosquitto; user: Watcher}> {
  const broker = await startMosquitto()
  return {broker, user: await Watcher.open(broker)}
}

describe('a MIoT plug with a property that makes its batch fail', async () => {
  const {broker, user} = await stage()
  const catalogue = new Described([eight])
  const plug = await startPlug({
    address: loopback(1, 1),
    model: 'test.plug.eight',
    catalogue,
    state: readings,
    profile: {failingProperties: {power: -30001}},
  })
  const {folder, start} = await lastingBridge({broker, catalogue, plugs: {desk: plug}})
  let bridge: TestBridge = await start()

  it('is online with its relay and all other properties', async () => {
    await user.waitFor('miio2mqtt/desk', ({payload}) => JSON.parse(payload).temperature === 41)
    expect(await stateOf(user, 'desk')).toMatchObject({...readings, power: null})
  })

  it('has it marked as unsupported after three polls, in bridge/devices and in one warning', async () => {
    await until(async () => (await entryOf(user, 'desk'))['left_out'], {what: 'an entry'})
    await until(async () => JSON.stringify((await entryOf(user, 'desk'))['left_out']) === '["power"]', {
      what: 'power is left out',
    })
    expect(
      questions(plug).filter((names) => names.length === 1 && names[0] === 'power').length,
    ).toBeLessThanOrEqual(9)
    const warnings = bridge.log.filter(({message}) =>
      String(message).includes('the firmware fails at requests for power: '),
    )
    expect(warnings).toHaveLength(1)
  })

  it('gets no request for it after a restart of the bridge', async () => {
    await bridge.stop()
    expect(await readFile(join(folder, 'state.json'), 'utf8')).toContain('"left_out"')
    const before = plug.received.length
    bridge = await start()
    await until(() => questions(plug, before).length >= 4, {what: 'four polls'})
    expect(questions(plug, before).flat()).not.toContain('power')
    expect(await entryOf(user, 'desk')).toMatchObject({left_out: ['power']})
  })

  it('gets a request for it again when a client reads it', async () => {
    plug.setFaults({failingProperties: {}})
    const client = new CommandClient(broker, user)
    const result = await client.mosquittoPub('desk', 'get/power', '')
    expect(result).toMatchObject({status: 'ok', data: {power: 123}})
    await until(async () => JSON.stringify((await entryOf(user, 'desk'))['left_out']) === '[]', {
      what: 'nothing is left out any more',
    })
  })
})

describe('commands to a MIoT plug', async () => {
  const model: Model = {
    ...eight,
    ids: ['test.plug.settings'],
    properties: {
      state: relay(miot(2, 1)),
      power_on_behavior: powerOnBehavior(miot(2, 2), [
        [0, 'previous'],
        [1, 'on'],
        [2, 'off'],
      ]),
      delay: minutesSetting('Delay', miot(8, 2), {max: 60}),
      reset: button('Reset', action(15, 1)),
    },
  }
  const catalogue = new Catalogue([model])
  const {broker, user} = await stage()
  const plug = await startPlug({address: loopback(2, 1), model: 'test.plug.settings', catalogue})
  const bridge = await startBridge({
    broker,
    catalogue,
    plugs: {desk: plug},
    config: {poll: {interval: '1h', slow_interval: '1h'}}, // no poll takes a mishap that is meant for a command
  })
  const client = new CommandClient(broker, user)
  await user.waitFor('miio2mqtt/desk/availability', ({payload}) => payload.includes('online'))
  const writes = (method: string) => plug.received.filter((request) => request.method === method)

  it('write a number in place of a word', async () => {
    const result = await client.mosquittoPub('desk', 'set/power_on_behavior', 'Off')
    expect(result).toMatchObject({status: 'ok', data: {power_on_behavior: 'off'}})
    expect(writes('set_properties').at(-1)?.params).toEqual([
      {did: 'power_on_behavior', siid: 2, piid: 2, value: 2},
    ])
    expect(await client.mosquittoPub('desk', 'set/power_on_behavior', 'maybe')).toMatchObject({
      error: {code: 'invalid_payload', message: expect.stringContaining('previous, on, off')},
    })
  })

  it('never write a number out of its range', async () => {
    const before = writes('set_properties').length
    expect(await client.mosquittoPub('desk', 'set/delay', '61')).toMatchObject({
      error: {code: 'out_of_range', message: expect.stringContaining('0 to 60 min')},
    })
    expect(writes('set_properties')).toHaveLength(before)
  })

  it('fail with the code of an item that is refused', async () => {
    plug.setFaults({codes: {delay: -4004}})
    expect(await client.mosquittoPub('desk', 'set/delay', '30')).toMatchObject({
      status: 'error',
      error: {code: 'refused', device_code: -4004},
    })
    plug.setFaults({})
  })

  it('succeed with an item that is only accepted', async () => {
    plug.setFaults({reportsAccepted: true})
    expect(await client.mosquittoPub('desk', 'set', 'ON')).toMatchObject({status: 'ok', data: {state: 'ON'}})
    expect(plug.state['state']).toBe('ON')
    plug.setFaults({})
  })

  it('press a button once, also when the response is lost', async () => {
    await client.mosquittoPub('desk', 'set/reset', 'PRESS')
    expect(writes('action')).toHaveLength(1)
    plug.setFaults({loseResponses: 1})
    expect(await client.mosquittoPub('desk', 'set/reset', 'PRESS')).toMatchObject({error: {code: 'timeout'}})
    plug.setFaults({})
    expect(writes('action')).toHaveLength(2)
    expect(bridge.log.filter(({level}) => level === 'error')).toEqual([])
  })
})

describe('plugs of unknown models', async () => {
  const legacy: Model = {
    ...eight,
    ids: ['test.plug.legacy'],
    properties: {state: relay(prop('power', 'set_power'))},
  }
  const foreign: Model = {
    ...eight,
    ids: ['test.lamp.none'],
    properties: {state: onOff('Lamp', prop('lamp', 'set_lamp'))},
  }
  const catalogue = new Catalogue([eight, legacy, foreign])
  const {broker, user} = await stage()
  const plugs = {
    miot: await startPlug({address: loopback(3, 1), model: 'test.plug.eight', catalogue}),
    legacy: await startPlug({address: loopback(3, 2), model: 'test.plug.legacy', catalogue}),
    foreign: await startPlug({address: loopback(3, 3), model: 'test.lamp.none', catalogue}),
  }
  const {start} = await lastingBridge({broker, plugs})
  let bridge = await start()
  const client = new CommandClient(broker, user)
  const methods = (plug: SimulatedPlug, from = 0) => plug.received.slice(from).map(({method}) => method)

  it.each(['miot', 'legacy'] as const)('are switched over MQTT: %s', async (name) => {
    await user.waitFor(`miio2mqtt/${name}/availability`, ({payload}) => payload.includes('online'))
    expect(await client.mosquittoPub(name, 'set', 'ON')).toMatchObject({status: 'ok', data: {state: 'ON'}})
    expect(plugs[name].state['state']).toBe('ON')
    expect(await stateOf(user, name)).toMatchObject({state: 'ON'})
  })

  it('are probed once for their dialect', () => {
    expect(methods(plugs.miot).slice(0, 2)).toEqual(['miIO.info', 'get_properties'])
    expect(methods(plugs.miot)).not.toContain('get_prop')
    expect(methods(plugs.legacy).slice(0, 3)).toEqual(['miIO.info', 'get_properties', 'get_prop'])
    expect(methods(plugs.legacy).filter((method) => method === 'get_properties')).toHaveLength(1)
  })

  it('are unsupported, and get no more requests, when they have no known dialect', async () => {
    await user.waitFor('miio2mqtt/foreign/availability', ({payload}) => payload.includes('unsupported'))
    const polled = plugs.miot.received.length
    await until(() => plugs.miot.received.length > polled + 4, {what: 'others are polled on'})
    expect(methods(plugs.foreign)).toEqual(['miIO.info', 'get_properties', 'get_prop', 'get_prop'])
    expect(await client.mosquittoPub('foreign', 'set', 'ON')).toMatchObject({error: {code: 'refused'}})
    expect(methods(plugs.foreign)).toHaveLength(4)
  })

  it('are not probed again after a restart', async () => {
    await bridge.stop()
    const [miotBefore, legacyBefore] = [plugs.miot.received.length, plugs.legacy.received.length]
    user.forget()
    bridge = await start()
    await user.waitFor('miio2mqtt/legacy/availability', ({payload}) => payload.includes('online'))
    await user.waitFor('miio2mqtt/miot/availability', ({payload}) => payload.includes('online'))
    expect(methods(plugs.miot, miotBefore)[0]).toBe('get_properties')
    expect(methods(plugs.legacy, legacyBefore)[0]).toBe('get_prop')
    expect(methods(plugs.legacy, legacyBefore)).not.toContain('get_properties')
    expect(await client.mosquittoPub('legacy', 'set', 'OFF')).toMatchObject({status: 'ok'})
  })
})
