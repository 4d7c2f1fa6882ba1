import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {bridgeId} from '../../src/bridge/discovery.ts'
import {systemClock} from '../../src/clock.ts'
import {builtIn} from '../../src/models/index.ts'
import {LOOPBACK_BROADCAST} from '../../src/simulator/neighbourhood.ts'
import {SimulatedPlug} from '../../src/simulator/plug.ts'
import {version} from '../../src/version.ts'
import {type Bridge, inReachOfBroadcasts, startBridge, startPlug, TOKEN} from '../support/bridge.ts'
import {discoveryProblems} from '../support/discovery-validator.ts'
import {type Broker, startMosquitto} from '../support/mosquitto.ts'
import {mosquittoPub, Watcher} from '../support/mqtt-user.ts'
import {Recorder} from '../support/recorder.ts'
import {until} from '../support/wait.ts'

interface Discovery {
  device: Record<string, unknown>
  components: Record<string, Record<string, unknown>>
}

const ONLINE = '{"state":"online"}'
/** The longest that an answer to a birth may take, and some more. */
const BIRTH_ROUND_MS = 4500

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, {recursive: true, force: true}))))

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-homeassistant-'))
  folders.push(folder)
  return folder
}

/** A broker, and two who watch it from the start. */
async function stage(): Promise<{broker: Broker; user: Watcher; recorder: Recorder}> {
  const broker = await startMosquitto()
  return {broker, user: await Watcher.open(broker), recorder: await Recorder.open(broker)}
}

const isOnline = (user: Watcher, base = 'miio2mqtt') =>
  user.waitFor(`${base}/bridge/state`, ({payload}) => payload === ONLINE, 20_000)
const configTopic = ({did}: {did: number}, prefix = 'homeassistant') =>
  `${prefix}/device/miio2mqtt_${did}/config`

async function discoveryOf(user: Watcher, plug: {did: number}, prefix?: string): Promise<Discovery> {
  const {payload} = await user.waitFor(configTopic(plug, prefix))
  return JSON.parse(payload)
}

describe('plugs of every model in Home Assistant', () => {
  const {ids} = builtIn
  const plugs = new Map<string, SimulatedPlug>()
  let broker: Broker
  let user: Watcher
  let recorder: Recorder

  beforeAll(async () => {
    ;({broker, user, recorder} = await stage())
    for (const [index, model] of ids.entries())
      plugs.set(model, await startPlug({model, address: `127.77.1.${index + 1}`}))
    const named = Object.fromEntries(ids.map((id) => [`plugs/${id}`, plugs.get(id) ?? neverMind(id)]))
    await startBridge({broker, plugs: named})
    await isOnline(user)
    // Firmware and MAC address are learnt a little later.
    await until(
      () =>
        [...plugs.values()].every((plug) =>
          recorder.on(configTopic(plug)).at(-1)?.payload.includes('"hw_version"'),
        ),
      {
        what: 'every plug has told its firmware',
      },
    )
  })

  it('are announced by messages, and published on topics, that Home Assistant has nothing to object to', () => {
    expect(discoveryProblems(recorder.run)).toEqual([])
    expect(recorder.run.filter(({topic}) => topic.startsWith('homeassistant/device/miio2mqtt_'))).not.toEqual(
      [],
    )
  })

  it.each(ids)('%s has a relay with the name of the plug, that the topic it names switches', async (id) => {
    const plug = plugs.get(id) ?? neverMind(id)
    const {components} = await discoveryOf(user, plug)
    const relay = components['state'] ?? {}
    expect(relay).toMatchObject({platform: 'switch', name: null, device_class: 'outlet'})
    expect(relay).not.toHaveProperty('retain')
    await mosquittoPub(broker, '-t', String(relay['command_topic']), '-m', 'ON')
    await user.waitFor(`miio2mqtt/plugs/${id}`, ({payload}) => JSON.parse(payload).state === 'ON')
    expect(plug.state['state']).toBe('ON')
  })

  it.each(ids)('%s has a component for each property it really has, and no others', async (id) => {
    const plug = plugs.get(id) ?? neverMind(id)
    const {components, device} = await discoveryOf(user, plug)
    expect(Object.keys(components)).toEqual(Object.keys(plug.model.properties))
    expect(device).toMatchObject({identifiers: [`miio2mqtt_${plug.did}`], via_device: bridgeId('miio2mqtt')})
  })

  it('still raise no objection after all that switching', () => {
    expect(discoveryProblems(recorder.run)).toEqual([])
  })
})

describe('a plug in Home Assistant', () => {
  it('keeps its identifiers and unique ids when it comes back with another name and another address', async () => {
    const {broker, user} = await stage()
    const folder = await newFolder()
    const plug = await startPlug({address: '127.77.2.1'})
    const before = await startBridge({broker, plugs: {'old name': plug}, folder})
    const old = identity(await discoveryOf(user, plug))
    await before.stop()
    await plug.moveTo('127.77.2.2')
    user.forget()
    await startBridge({broker, plugs: {'new name': plug}, folder})
    const topic = configTopic(plug)
    const {payload} = await user.waitFor(topic, (message) => message.payload.includes('new name'))
    expect(identity(JSON.parse(payload))).toEqual(old)
  })

  it('has its area, its icon, and whatever name people give it', async () => {
    const {broker, user, recorder} = await stage()
    const lamp = await startPlug({address: '127.77.3.1'})
    const kettle = await startPlug({address: '127.77.3.2'})
    await startBridge({
      broker,
      plugs: {'Küche/Lampe 1': lamp, лампа: kettle},
      devices: {'Küche/Lampe 1': {area: 'Küche', icon: 'mdi:lamp', description: 'über dem Herd'}},
    })
    const {device, components} = await discoveryOf(user, lamp)
    expect(device).toMatchObject({name: 'Küche/Lampe 1', suggested_area: 'Küche'})
    expect(components['state']).toMatchObject({icon: 'mdi:lamp', default_entity_id: 'switch.kuche_lampe_1'})
    const other = await discoveryOf(user, kettle)
    expect(other.device).toMatchObject({name: 'лампа'})
    expect(other.components['state']).toMatchObject({default_entity_id: `switch.miio2mqtt_${kettle.did}`})
    await isOnline(user)
    const devices = await user.waitFor('miio2mqtt/bridge/devices', ({payload}) =>
      payload.includes('"online"'),
    )
    expect(JSON.parse(devices.payload)[0]).toMatchObject({description: 'über dem Herd'})
    expect(discoveryProblems(recorder.run)).toEqual([])
    await mosquittoPub(broker, '-t', String(components['state']?.['command_topic']), '-m', 'ON')
    await user.waitFor('miio2mqtt/Küche/Lampe 1', ({payload}) => JSON.parse(payload).state === 'ON')
  })

  it('that tells its firmware only after the start is announced again, 2 s after the first time', async () => {
    const {broker, user, recorder} = await stage()
    const plug = await startPlug({address: '127.77.4.1'})
    const known = {desk: {id: plug.did, model: plug.modelId}}
    await startBridge({broker, plugs: {desk: plug}, devices: known})
    const topic = configTopic(plug)
    await user.waitFor(topic, ({payload}) => payload.includes('hw_version'))
    await until(() => recorder.on(topic).length > 1, {what: 'the recorder, a client of its own, has both'})
    const [first, second, ...more] = recorder.on(topic)
    expect(first?.payload).not.toContain('hw_version')
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(2000)
    expect(more).toEqual([])
  })

  it('that was never reached is announced all the same, and offline', async () => {
    const {broker, user, recorder} = await stage()
    const ghost = new SimulatedPlug({
      model: 'chuangmi.plug.v3',
      did: 77_777,
      token: Buffer.from(TOKEN, 'hex'),
      address: '127.77.5.1',
      clock: systemClock,
      random: Math.random,
    })
    await startBridge({
      broker,
      plugs: {ghost},
      devices: {ghost: {id: ghost.did, model: ghost.modelId}},
    })
    expect(Object.keys((await discoveryOf(user, ghost)).components)).toContain('power')
    const {payload} = await user.waitFor('miio2mqtt/ghost/availability', () => true, 15_000)
    expect(JSON.parse(payload)).toMatchObject({state: 'offline', reason: 'timeout'})
    await isOnline(user)
    expect(discoveryProblems(recorder.run)).toEqual([])
    expect(recorder.on('miio2mqtt/ghost')).toEqual([])
  })
})

describe('the bridge in Home Assistant', () => {
  let broker: Broker
  let user: Watcher
  let bridge: Bridge
  let plug: SimulatedPlug
  let components: Discovery['components']

  beforeAll(async () => {
    ;({broker, user} = await stage())
    plug = await startPlug({address: '127.77.6.1'})
    await inReachOfBroadcasts([plug])
    bridge = await startBridge({
      broker,
      plugs: {desk: plug},
      config: {network: {broadcast: [LOOPBACK_BROADCAST]}},
    })
    const {payload} = await user.waitFor(`homeassistant/device/${bridgeId('miio2mqtt')}/config`)
    components = JSON.parse(payload).components
    await isOnline(user)
  })

  const press = (key: string) =>
    mosquittoPub(
      broker,
      '-t',
      String(components[key]?.['command_topic']),
      '-m',
      String(components[key]?.['payload_press']),
    )

  it('shows its version where it says', async () => {
    const retained = await user.retained()
    expect(JSON.parse(retained.get(String(components['version']?.['state_topic'])) ?? '').version).toBe(
      version,
    )
  })

  it('changes its log level as the select does it', async () => {
    const select = components['log_level'] ?? {}
    const command = String(select['command_template']).replace('{{ value }}', 'trace')
    user.forget()
    await mosquittoPub(broker, '-t', String(select['command_topic']), '-m', command)
    await user.waitFor(
      String(select['state_topic']),
      ({payload}) => JSON.parse(payload).log_level === 'trace',
    )
    expect(select['options']).toContain('trace')
  })

  it('restarts when the button is pressed', async () => {
    await press('restart')
    await until(() => bridge.restarts === 1, {what: 'a restart is asked for'})
  })

  it('looks for plugs when the button is pressed', async () => {
    user.forget()
    await press('discover')
    // Other tests may have plugs of theirs in reach of the same broadcast.
    const {payload} = await user.waitFor('miio2mqtt/bridge/event', (message) => {
      const {type, data} = JSON.parse(message.payload)
      return type === 'device_discovered' && data.did === plug.did
    })
    expect(JSON.parse(payload).data).toMatchObject({address: plug.address, name: 'desk'})
  })

  it('shows that it is gone', async () => {
    user.forget()
    await bridge.stop()
    const connection = components['connection'] ?? {}
    const {payload} = await user.waitFor(String(connection['state_topic']))
    expect(JSON.parse(payload).state).toBe(connection['payload_off'])
    expect(connection).not.toHaveProperty('availability')
  })
})

describe('the birth of Home Assistant', () => {
  let broker: Broker
  let user: Watcher
  let recorder: Recorder
  const plugs: Record<string, SimulatedPlug> = {}

  beforeAll(async () => {
    ;({broker, user, recorder} = await stage())
    plugs['desk'] = await startPlug({address: '127.77.7.1'})
    plugs['lamp'] = await startPlug({address: '127.77.7.2', model: 'chuangmi.plug.v3'})
    const folder = await newFolder()
    // They share a token, so it cannot tell which is which after a restart.
    const devices = {desk: {id: plugs['desk'].did}, lamp: {id: plugs['lamp'].did}}
    const config = {poll: {interval: '1h', slow_interval: '1h'}}
    const first = await startBridge({broker, plugs, devices, config, folder})
    await isOnline(user)
    await first.stop()
    await mosquittoPub(broker, '-r', '-t', 'homeassistant/status', '-m', 'online')
    user.forget()
    // Everything is remembered now: nothing is learnt that would be told in between.
    await startBridge({broker, plugs, devices, config, folder})
    await isOnline(user)
  })

  it('that lies on the broker causes nothing, nor does its death, or a word it does not say', async () => {
    const from = recorder.run.length
    for (const word of ['offline', 'ONLINE', '', '{"state":"online"}'])
      await mosquittoPub(broker, '-t', 'homeassistant/status', '-m', word)
    await new Promise((resolve) => setTimeout(resolve, BIRTH_ROUND_MS))
    expect(recorder.run.slice(from).map(({topic}) => topic)).not.toContain(
      configTopic(plugs['desk'] ?? neverMind('desk')),
    )
  })

  it('leads to discovery, then availability, then state of everything, although nothing has changed', async () => {
    const from = recorder.run.length
    await mosquittoPub(broker, '-t', 'homeassistant/status', '-m', 'online')
    const round = await until(() => roundSince(from), {what: 'everything was published again'})
    const [birth, ...told] = round
    const rank = ({topic}: {topic: string}) =>
      topic.endsWith('/config') ? 0 : topic.endsWith('/availability') ? 1 : 2
    expect(birth?.topic).toBe('homeassistant/status')
    expect(told.map(rank)).toEqual(told.map(rank).sort())
    expect(told.filter((message) => rank(message) === 0)).toHaveLength(3) // two plugs and the bridge
    expect((told[0]?.at ?? 0) - (birth?.at ?? 0)).toBeGreaterThanOrEqual(499)
    expect(told.every(({retain}) => retain)).toBe(true)
  })

  it('ten times in a second is one birth', async () => {
    const from = recorder.run.length
    await Promise.all(
      Array.from({length: 10}, () => mosquittoPub(broker, '-t', 'homeassistant/status', '-m', 'online')),
    )
    await until(() => roundSince(from), {what: 'everything was published again'})
    const before = recorder.run.length
    await mosquittoPub(broker, '-t', 'homeassistant/status', '-m', 'online')
    await until(() => roundSince(before), {what: 'everything was published once more'})
    const times = recorder.run
      .slice(from)
      .filter(({topic}) => topic === configTopic(plugs['desk'] ?? neverMind('desk')))
    expect(times).toHaveLength(2)
  })

  /** The messages about plugs and the bridge since `from`, once the last state is among them. */
  function roundSince(from: number) {
    const round = recorder.run.slice(from).filter(({topic}) => !/\/bridge\/(?!.*config)/.test(topic))
    return round.some(({topic}) => topic === 'miio2mqtt/desk') &&
      round.some(({topic}) => topic === 'miio2mqtt/lamp')
      ? round
      : undefined
  }
})

describe('discovery', () => {
  it('happens where the configuration says, and listens there', async () => {
    const {broker, user, recorder} = await stage()
    const plug = await startPlug({address: '127.77.8.1'})
    const homeassistant = {discovery_prefix: 'house/discovery', status_topic: 'house/awake'}
    await startBridge({broker, plugs: {desk: plug}, config: {homeassistant}})
    await discoveryOf(user, plug, 'house/discovery')
    await isOnline(user)
    user.forget()
    await mosquittoPub(broker, '-t', 'house/awake', '-m', 'online')
    await user.waitFor('miio2mqtt/desk')
    expect(discoveryProblems(recorder.run, 'house/discovery')).toEqual([])
    expect(recorder.run.filter(({topic}) => topic.startsWith('homeassistant/'))).toEqual([])
  })

  it('can be switched off', async () => {
    const {broker, user, recorder} = await stage()
    const plug = await startPlug({address: '127.77.9.1'})
    await startBridge({broker, plugs: {desk: plug}, config: {homeassistant: {enabled: false}}})
    await isOnline(user)
    await user.waitFor('miio2mqtt/bridge/devices', ({payload}) => payload.includes('"firmware":"'))
    expect(recorder.run.filter(({topic}) => !topic.startsWith('miio2mqtt/'))).toEqual([])
  })

  it('leaves the messages of other software alone', async () => {
    const {broker, user, recorder} = await stage()
    const others = {
      'homeassistant/device/zigbee2mqtt_1/config': '{"device":{}}',
      'homeassistant/switch/tasmota/config': '{"name":"other"}',
      'homeassistant/device/miio2mqtt/config': 'not ours either',
    }
    for (const [topic, payload] of Object.entries(others))
      await mosquittoPub(broker, '-r', '-t', topic, '-m', payload)
    const plug = await startPlug({address: '127.77.10.1'})
    const bridge = await startBridge({broker, plugs: {desk: plug}})
    await discoveryOf(user, plug)
    await isOnline(user)
    await bridge.stop()
    expect(Object.fromEntries(await user.retained())).toMatchObject(others)
    for (const topic of Object.keys(others)) expect(recorder.on(topic)).toHaveLength(1)
  })
})

/** What Home Assistant knows a device and its entities by. */
function identity({device, components}: Discovery) {
  return {
    identifiers: device['identifiers'],
    ids: Object.entries(components).map(([key, {platform, unique_id: id}]) => ({key, platform, id})),
  }
}

function neverMind(what: string): never {
  throw new Error(`the test has not started ${what}`)
}
