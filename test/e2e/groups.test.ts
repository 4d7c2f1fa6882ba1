import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {parseConfig} from '../../src/config/config.ts'
import {loopback} from '../support/addresses.ts'
import {configText, startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient, commandsIn} from '../support/command-client.ts'
import {discoveryProblems} from '../support/discovery-validator.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {mosquittoPub, Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

/** So long that no poll happens in a test after the first one. */
const RARELY = {interval: '1h', slow_interval: '1h'}
const ONLINE = '{"state":"online"}'
const NIGHT = 'house/night'

describe('groups', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const plugs = {
    desk: await startPlug({address: loopback(1, 1)}),
    'kitchen/kettle': await startPlug({address: loopback(1, 2), model: 'chuangmi.plug.v3'}),
    dead: await startPlug({address: loopback(1, 3), faults: {silence: true}}),
    unplugged: await startPlug({address: loopback(1, 4)}),
  }
  const {desk, 'kitchen/kettle': kettle, unplugged} = plugs
  const bridge = await startBridge({
    broker,
    plugs,
    config: {
      poll: RARELY,
      groups: {
        evening: {members: ['desk', 'kitchen/kettle'], area: 'Kitchen', icon: 'mdi:moon'},
        [NIGHT]: {members: ['dead', 'desk', 'unplugged']},
      },
    },
    devices: {
      dead: {model: 'chuangmi.plug.m1', poll: {command_timeout: '3s'}},
      unplugged: {disabled: true},
    },
  })
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)

  it('are listed, and have a state and an availability before the bridge is online', async () => {
    const retained = await user.retained()
    expect(JSON.parse(retained.get('miio2mqtt/bridge/groups') ?? '')).toEqual([
      {name: 'evening', members: ['desk', 'kitchen/kettle']},
      {name: NIGHT, members: ['dead', 'desk', 'unplugged']},
    ])
    expect(JSON.parse(retained.get('miio2mqtt/bridge/info') ?? '')).toMatchObject({devices: 4, groups: 2})
    expect(retained.get('miio2mqtt/evening')).toBe('{"state":"OFF"}')
    expect(retained.get('miio2mqtt/house/night')).toBe('{"state":null}') // the dead plug may be on
    const order = user.messages.map(({topic}) => topic)
    for (const name of ['evening', NIGHT])
      expect(order.indexOf(`miio2mqtt/${name}/availability`)).toBeLessThan(
        order.indexOf('miio2mqtt/bridge/state'),
      )
  })

  it('A command to a group reaches its members in parallel, and its result has the result of each.', async () => {
    for (const [to, payload, then] of [
      ['set', 'ON', 'ON'],
      ['set', '{"state":"off"}', 'OFF'],
      ['set/state', 'TOGGLE', 'ON'],
      ['set', 'toggle', 'OFF'],
    ] as const) {
      const result = await home.mosquittoPub('evening', to, payload)
      expect(result).toMatchObject({
        status: 'ok',
        data: {
          members: {
            desk: {status: 'ok', data: {state: then}},
            'kitchen/kettle': {status: 'ok', data: {state: then}},
          },
        },
      })
      expect([desk.state['state'], kettle.state['state']]).toEqual([then, then])
      await until(() => home.states('evening').at(-1)?.['state'] === then, {what: `the group is ${then}`})
    }

    // The first of these is dead: the second is switched while that is still tried.
    const before = commandsIn(desk.received).length
    const answer = home.publish(NIGHT, 'set', '{"state":"ON","transaction":5}')
    await until(() => commandsIn(desk.received).length > before, {what: 'the living member is switched'})
    expect(home.results(NIGHT)).toEqual([])
    const result = await answer
    expect(result).toMatchObject({
      status: 'error',
      error: {code: 'timeout', message: '2 of 3 members failed: dead (timeout), unplugged (disabled)'},
      data: {
        members: {
          dead: {status: 'error', error: {code: 'timeout'}},
          desk: {status: 'ok', data: {state: 'ON'}},
          unplugged: {status: 'error', error: {code: 'disabled'}},
        },
      },
      transaction: 5,
    })
    expect(result.elapsed_ms).toBeLessThan(6000)
    expect(unplugged.received).toEqual([])
    expect(home.states(NIGHT).at(-1)).toEqual({state: 'ON'})
  })

  it('are ON when any member is on, whatever switched it', async () => {
    await home.mosquittoPub('kitchen/kettle', 'set', 'ON')
    await until(() => home.states('evening').at(-1)?.['state'] === 'ON', {what: 'the group is on'})
    await home.mosquittoPub('evening', 'set', 'OFF')
    expect(kettle.state['state']).toBe('OFF')
  })

  it('work for a property that only some members have', async () => {
    const result = await home.mosquittoPub('evening', 'set/usb', 'ON')
    expect(result).toMatchObject({
      status: 'error',
      error: {code: 'unknown_property', message: '1 of 2 members failed: desk (unknown_property)'},
      data: {members: {desk: {status: 'error'}, 'kitchen/kettle': {status: 'ok', data: {usb: 'ON'}}}},
    })
  })

  it('answer where an MQTT 5 command wants it, and only there', async () => {
    const before = home.results('evening').length
    await user.publish('miio2mqtt/evening/set', 'OFF', {
      properties: {responseTopic: 'my/answers', correlationData: Buffer.from('abc')},
    })
    const {payload} = await user.waitFor('my/answers')
    expect(JSON.parse(payload)).toMatchObject({status: 'ok', data: {members: {desk: {status: 'ok'}}}})
    expect(await home.publish('evening', 'get', '')).toMatchObject({request: {get: null}})
    expect(home.results('evening').slice(before)).toHaveLength(1)
  })

  it('get reads every member now, and publishes what has not changed', async () => {
    const before = home.states('evening').length
    const result = await home.publish('evening', 'get/power', '')
    expect(result).toMatchObject({
      status: 'error',
      data: {members: {desk: {error: {code: 'unknown_property'}}, 'kitchen/kettle': {data: {power: 0}}}},
    })
    await until(() => home.states('evening').length > before, {what: 'the state of the group again'})
  })

  it('never carry out a retained command', async () => {
    const commands = commandsIn(desk.received).length
    const results = home.results('evening').length
    await mosquittoPub(broker, '-V', '5', '-r', '-t', 'miio2mqtt/evening/set', '-m', 'ON')
    await until(() => home.warnings().some((text) => text.includes('miio2mqtt/evening/set')), {
      what: 'a warning that names the topic',
    })
    await home.publish('evening', 'get', '')
    expect(commandsIn(desk.received)).toHaveLength(commands)
    expect(home.results('evening')).toHaveLength(results + 1)
    await mosquittoPub(broker, '-r', '-n', '-t', 'miio2mqtt/evening/set')
  })

  it('are a switch each in Home Assistant, announced again at its birth before their state', async () => {
    const announced = [...(await user.retained()).keys()].filter((topic) =>
      topic.startsWith('homeassistant/device/miio2mqtt_group_'),
    )
    expect(announced).toHaveLength(2)
    user.forget()
    await user.publish('homeassistant/status', 'online')
    await user.waitFor('miio2mqtt/house/night')
    for (const topic of announced) expect(user.on(topic)).toHaveLength(1)
    const run = Array.from(await user.retained(), ([topic, payload]) => ({
      topic,
      payload,
      retain: true,
      at: 0,
    }))
    expect(discoveryProblems(run)).toEqual([])
  })

  it('had exactly one result for each command, and nothing unforeseen happened', async () => {
    for (const {name, commands, results} of home.balance())
      expect({name, results}).toEqual({name, results: commands})
    expect(bridge.log.filter(({level}) => level === 'error')).toEqual([])
  })
})

describe('groups that change', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  afterAll(() => rm(folder, {recursive: true, force: true}))
  const plugs = {
    desk: await startPlug({address: loopback(2, 1)}),
    kettle: await startPlug({address: loopback(2, 2)}),
  }
  const choice = (groups: Record<string, unknown>) => ({broker, plugs, folder, config: {groups}})
  const left = async () => [...(await user.retained()).keys()].filter((topic) => /evening|night/.test(topic))
  const isCleared = (leaf: string) => user.waitFor(`miio2mqtt/${leaf}`, ({payload}) => payload === '')
  const before = await startBridge(choice({evening: {members: ['desk']}}))
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)

  it('leave nothing behind when a reload renames them, and the new ones work at once', async () => {
    expect(await left()).toHaveLength(3)
    const text = configText(choice({'all/night': {members: ['desk', 'kettle']}}))
    const config = parseConfig(text, {file: 'config.yaml', env: {}})
    expect(await before.daemon.reload(config)).toBe(true)
    expect(await home.publish('all/night', 'set', 'ON')).toMatchObject({
      status: 'ok',
      data: {members: {desk: {status: 'ok'}, kettle: {status: 'ok'}}},
    })
    await home.waitForState('all/night', ({state}) => state === 'ON')
    for (const topic of ['evening', 'evening/availability']) await isCleared(topic)
    expect((await left()).sort()).toEqual([
      expect.stringMatching(/^homeassistant\/device\/miio2mqtt_group_all_night_[0-9a-f]{8}\/config$/),
      'miio2mqtt/all/night',
      'miio2mqtt/all/night/availability',
    ])
    const retained = await user.retained()
    expect(retained.get('miio2mqtt/bridge/groups')).toBe('[{"name":"all/night","members":["desk","kettle"]}]')
  })

  it('leave nothing behind when they were taken out while the bridge was down', async () => {
    await before.stop()
    user.forget()
    await startBridge(choice({}))
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
    for (const topic of ['all/night', 'all/night/availability']) await isCleared(topic)
    expect(await left()).toEqual([])
    expect((await user.retained()).get('miio2mqtt/bridge/groups')).toBe('[]')
  })
})
