import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {version} from '../../src/app/version.ts'
import {bridgeId} from '../../src/bridge/homeassistant/discovery-message.ts'
import {sleep} from '../../src/common/clock.ts'
import {parsePacket} from '../../src/miio/packet.ts'
import {Catalogue} from '../../src/models/catalogue.ts'
import {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {inReachOfBroadcasts, startBridge, startPlug, type TestBridge, TOKEN} from '../support/bridge.ts'
import {discoveryProblems} from '../support/discovery-validator.ts'
import {MessageRecorder} from '../support/message-recorder.ts'
import {meteringModel} from '../support/metering-model.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {mosquittoPub, Watcher} from '../support/mqtt-user.ts'
import {random} from '../support/seeds.ts'
import {steadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

interface Discovery {
  device: Record<string, unknown>
  origin: Record<string, unknown>
  state_topic: string
  availability: {topic: string}[]
  availability_mode: string
  components: Record<string, Record<string, unknown>>
}

const ONLINE = '{"state":"online"}'
/** The longest that an answer to a birth may take, and some more. */
const BIRTH_ROUND_MS = 4500

/** What is plugged in, more or less: each plug says it in steps of its own. */
const LOAD = new Map(Object.entries({power: 23.45, voltage: 229.1, current: 0.107, energy: 54.32}))

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, {recursive: true, force: true}))))

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-homeassistant-'))
  folders.push(folder)
  return folder
}

/** A broker, and two who watch it from the start. */
async function stage(): Promise<{broker: Mosquitto; user: Watcher; recorder: MessageRecorder}> {
  const broker = await startMosquitto()
  return {broker, user: await Watcher.open(broker), recorder: await MessageRecorder.open(broker)}
}

const isOnline = (user: Watcher, base = 'miio2mqtt') =>
  user.waitFor(`${base}/bridge/state`, ({payload}) => payload === ONLINE)
const configTopic = ({did}: {did: number}, prefix = 'homeassistant') =>
  `${prefix}/device/miio2mqtt_${did}/config`

const bridgeTopic = `homeassistant/device/${bridgeId('miio2mqtt')}/config`

async function discoveryOf(user: Watcher, plug: {did: number}, prefix?: string): Promise<Discovery> {
  const {payload} = await user.waitFor(configTopic(plug, prefix))
  return JSON.parse(payload)
}

describe('plugs of every model', () => {
  const catalogue = new Catalogue([meteringModel])
  const {ids} = catalogue
  const plugs = new Map<string, SimulatedPlug>()
  let broker: Mosquitto
  let user: Watcher
  let recorder: MessageRecorder

  beforeAll(async () => {
    ;({broker, user, recorder} = await stage())
    for (const [index, model] of ids.entries())
      plugs.set(model, await startPlug({model, catalogue, address: loopback(1, index + 1)}))
    for (const plug of plugs.values())
      for (const {name, raw, scale} of measuredBy(plug)) plug.state[name] = raw * scale
    const named = Object.fromEntries(ids.map((id) => [`plugs/${id}`, plugs.get(id) ?? neverMind(id)]))
    await startBridge({broker, catalogue, plugs: named})
    await isOnline(user)
    // Firmware and MAC address are learnt a little later.
    await until(
      () =>
        [...plugs.values()].every((plug) =>
          recorder.on(configTopic(plug)).at(-1)?.payload.includes('"hw_version"'),
        ),
      {
        what: 'the firmware of every plug is known',
      },
    )
  })

  it('Discovery is one retained device message per plug, by device id, with origin, platforms, unique ids and no object_id.', async () => {
    const messages = [...(await user.retained())].filter(([topic]) => topic.startsWith('homeassistant/'))
    expect(messages.map(([topic]) => topic).sort()).toEqual(
      [...[...plugs.values()].map((plug) => configTopic(plug)), bridgeTopic].sort(),
    )
    const ids = messages.flatMap(([topic, payload]) => {
      const {origin, components}: Discovery = JSON.parse(payload)
      expect(origin).toEqual({name: 'miio2mqtt', sw_version: version})
      expect(payload).not.toContain('object_id')
      return Object.entries(components).map(([key, {platform, unique_id: id}]) => {
        expect(platform).toMatch(/^(switch|sensor|binary_sensor|number|select|button)$/)
        expect(`homeassistant/device/${id}/config`).toBe(topic.replace('/config', `_${key}/config`))
        return id
      })
    })
    expect(new Set(ids).size).toBe(ids.length)
    expect(discoveryProblems(recorder.messages)).toEqual([])
  })

  it('The relay has no name of its own, complete topics, and the availability of both bridge and plug.', async () => {
    for (const [id, plug] of plugs) {
      const {components, ...shared} = await discoveryOf(user, plug)
      const relay = components['state'] ?? {}
      expect(relay).toMatchObject({platform: 'switch', name: null, device_class: 'outlet'})
      expect(relay).not.toHaveProperty('retain')
      await mosquittoPub(broker, '-t', String(relay['command_topic']), '-m', 'ON')
      await user.waitFor(shared.state_topic, ({payload}) => JSON.parse(payload).state === 'ON')
      expect({id, state: plug.state['state']}).toEqual({id, state: 'ON'})
      expect(shared.availability_mode).toBe('all')
      expect(shared.availability.map(({topic}) => topic)).toEqual([
        'miio2mqtt/bridge/state',
        `miio2mqtt/plugs/${id}/availability`,
      ])
      for (const {topic} of shared.availability) expect(user.on(topic).at(-1)?.payload).toBe(ONLINE)
    }
  })

  it('Energy is an increasing total in kWh, measurements are measurements, diagnostics are marked, and nothing is announced that a model does not have.', async () => {
    const energy = {device_class: 'energy', state_class: 'total_increasing', unit_of_measurement: 'kWh'}
    const units = {power: 'W', voltage: 'V', current: 'A', temperature: '°C', rssi: 'dBm'}
    const found = new Set<string>()
    for (const plug of plugs.values()) {
      const {components, device} = await discoveryOf(user, plug)
      expect(Object.keys(components)).toEqual(Object.keys(plug.model.properties))
      expect(device).toMatchObject({
        identifiers: [`miio2mqtt_${plug.did}`],
        via_device: bridgeId('miio2mqtt'),
      })
      for (const [key, component] of Object.entries(components)) {
        found.add(key)
        if (/^energy/.test(key)) expect(component).toMatchObject(energy)
        if (/^(power|voltage|current|temperature|rssi)$/.test(key))
          expect(component).toMatchObject({
            state_class: 'measurement',
            unit_of_measurement: new Map(Object.entries(units)).get(key),
          })
        if (/^(voltage|current|temperature|rssi|last_seen)$/.test(key))
          expect(component).toMatchObject({entity_category: 'diagnostic'})
        if (/^(state|power|energy)$/.test(key)) expect(component).not.toHaveProperty('entity_category')
      }
    }
    expect([...found]).toEqual(expect.arrayContaining([...Object.keys(units), 'energy', 'energy_today']))
  })

  it('Power, voltage and current of each model, and the energy of one that counts it, are the raw values times the scale of its definition.', async () => {
    const measured = [...plugs].flatMap(([id, plug]) => measuredBy(plug).map((each) => ({id, ...each})))
    const measuring = [...plugs].filter(([, plug]) => measuredBy(plug).length > 0)
    const responses = new Map(measuring.map(([id, plug]) => [id, responsesOf(plug)]))
    const readingOf = async (id: string): Promise<Record<string, unknown>> => {
      const transaction = `${id} ${performance.now()}`
      await user.publish(`miio2mqtt/plugs/${id}/get`, JSON.stringify({transaction}))
      await user.waitFor(`miio2mqtt/plugs/${id}/response`, ({payload}) => payload.includes(transaction))
      return JSON.parse(user.on(`miio2mqtt/plugs/${id}`).at(-1)?.payload ?? '{}')
    }
    // The value of a counter is shown once it is stored, seconds after the start.
    await until(async () => (await readingOf('test.plug.meter'))['energy'], {what: 'the energy'})
    const published = new Map(
      await Promise.all(measuring.map(async ([id]) => [id, await readingOf(id)] as const)),
    )
    for (const {id, name, raw, scale} of measured) {
      expect([id, name, responses.get(id)?.join('\n')]).toEqual([
        id,
        name,
        expect.stringMatching(new RegExp(`[:,[]${raw}[,}\\]]`)),
      ])
      expect([id, name, published.get(id)?.[name]]).toEqual([id, name, expect.closeTo(raw * scale, 6)])
    }
    expect(new Set(measured.map(({name}) => name))).toEqual(new Set(LOAD.keys()))
  })

  it('B/N is retained JSON that always has every property, with state exactly ON or OFF.', async () => {
    const retained = await user.retained()
    for (const [id, {model}] of plugs) {
      const messages = recorder.on(`miio2mqtt/plugs/${id}`)
      const properties = Object.keys(model.properties).filter(
        (name) => model.properties[name]?.kind !== 'button',
      )
      expect(messages.map(({payload}) => payload)).toContain(retained.get(`miio2mqtt/plugs/${id}`))
      for (const {payload, retain} of messages) {
        const state: Record<string, unknown> = JSON.parse(payload)
        expect({id, retain, names: Object.keys(state)}).toEqual({
          id,
          retain: true,
          names: properties,
        })
        expect(state['state']).toMatch(/^(ON|OFF)$/)
      }
      expect(new Set(messages.map(({payload}) => JSON.parse(payload).state))).toEqual(new Set(['OFF', 'ON']))
    }
  })

  it('still raise no objection after all that switching', () => {
    expect(discoveryProblems(recorder.messages)).toEqual([])
  })
})

describe('a plug in Home Assistant', () => {
  it('Unique ids and identifiers stay the same after a restart, a new name and a new address.', async () => {
    const {broker, user} = await stage()
    const folder = await newFolder()
    const plug = await startPlug({address: loopback(2, 1)})
    const announcedAs = async (name: string) => {
      user.forget()
      const bridge = await startBridge({broker, plugs: {[name]: plug}, folder})
      await isOnline(user) // so it was received, too
      await user.waitFor(configTopic(plug), ({payload}) => payload.includes(name))
      await bridge.stop()
      return identity(JSON.parse(user.on(configTopic(plug)).at(-1)?.payload ?? '{}'))
    }
    const old = await announcedAs('old name')
    expect(old.identifiers).toEqual([`miio2mqtt_${plug.did}`])
    expect(old.ids).toContainEqual({key: 'state', platform: 'switch', id: `miio2mqtt_${plug.did}_state`})
    expect(await announcedAs('old name')).toEqual(old)
    expect(await announcedAs('new name')).toEqual(old)
    await plug.moveTo(loopback(2, 2))
    expect(await announcedAs('new name')).toEqual(old)
  })

  it('has its area, its icon, and whatever name people give it', async () => {
    const {broker, user, recorder} = await stage()
    const lamp = await startPlug({address: loopback(3, 1)})
    const kettle = await startPlug({address: loopback(3, 2)})
    await startBridge({
      broker,
      plugs: {'Küche/Lampe 1': lamp, лампа: kettle},
      devices: {'Küche/Lampe 1': {area: 'Küche', icon: 'mdi:lamp', description: 'über dem Herd'}},
    })
    const {device, components} = await discoveryOf(user, lamp)
    expect(device).toMatchObject({name: 'Küche Lampe 1', suggested_area: 'Küche'})
    expect(components['state']).toMatchObject({icon: 'mdi:lamp', default_entity_id: 'switch.kuche_lampe_1'})
    const other = await discoveryOf(user, kettle)
    expect(other.device).toMatchObject({name: 'лампа'})
    expect(other.components['state']).toMatchObject({default_entity_id: `switch.miio2mqtt_${kettle.did}`})
    await isOnline(user)
    const devices = await user.waitFor('miio2mqtt/bridge/devices', ({payload}) =>
      payload.includes('"online"'),
    )
    expect(JSON.parse(devices.payload)[0]).toMatchObject({description: 'über dem Herd'})
    expect(discoveryProblems(recorder.messages)).toEqual([])
    await mosquittoPub(broker, '-t', String(components['state']?.['command_topic']), '-m', 'ON')
    await user.waitFor('miio2mqtt/Küche/Lampe 1', ({payload}) => JSON.parse(payload).state === 'ON')
  })

  it('that tells its firmware only after the start is announced a second time, and no more often', async () => {
    const {broker, user, recorder} = await stage()
    const plug = await startPlug({address: loopback(4, 1)})
    const known = {desk: {id: plug.did, model: plug.modelId}}
    await startBridge({broker, plugs: {desk: plug}, devices: known})
    const topic = configTopic(plug)
    await user.waitFor(topic, ({payload}) => payload.includes('hw_version'))
    await until(() => recorder.on(topic).length > 1, {what: 'the recorder, a client of its own, has both'})
    const [first, second, ...more] = recorder.on(topic)
    expect(first?.payload).not.toContain('hw_version')
    expect(second?.payload).toContain('hw_version')
    expect(more).toEqual([])
  })

  it('that was never reached is announced all the same, and offline', async () => {
    const {broker, user, recorder} = await stage()
    const ghost = new SimulatedPlug({
      model: 'chuangmi.plug.v3',
      did: 77_777,
      token: Buffer.from(TOKEN, 'hex'),
      address: loopback(5, 1),
      clock: steadyClock,
      random,
    })
    await startBridge({
      broker,
      plugs: {ghost},
      devices: {ghost: {id: ghost.did, model: ghost.modelId}},
    })
    expect(Object.keys((await discoveryOf(user, ghost)).components)).toContain('power')
    const {payload} = await user.waitFor('miio2mqtt/ghost/availability', () => true)
    expect(JSON.parse(payload)).toMatchObject({state: 'offline', reason: 'timeout'})
    await isOnline(user)
    expect(discoveryProblems(recorder.messages)).toEqual([])
    expect(recorder.on('miio2mqtt/ghost')).toEqual([])
  })
})

describe('the bridge in Home Assistant', () => {
  let broker: Mosquitto
  let user: Watcher
  let bridge: TestBridge
  let plug: SimulatedPlug
  let components: Discovery['components']

  beforeAll(async () => {
    ;({broker, user} = await stage())
    plug = await startPlug({address: loopback(6, 1)})
    await inReachOfBroadcasts([plug])
    bridge = await startBridge({
      broker,
      plugs: {desk: plug},
      config: {network: {broadcast: [BROADCAST]}},
    })
    const {payload} = await user.waitFor(bridgeTopic)
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

describe('births of Home Assistant', () => {
  let broker: Mosquitto
  let user: Watcher
  let recorder: MessageRecorder
  const plugs: Record<string, SimulatedPlug> = {}

  beforeAll(async () => {
    ;({broker, user, recorder} = await stage())
    plugs['desk'] = await startPlug({address: loopback(7, 1)})
    plugs['lamp'] = await startPlug({address: loopback(7, 2), model: 'chuangmi.plug.v3'})
    const folder = await newFolder()
    // They share a token, so it cannot tell which is which after a restart.
    const devices = {desk: {id: plugs['desk'].did}, lamp: {id: plugs['lamp'].did}}
    const config = {poll: {interval: '1h', slow_interval: '1h'}}
    const first = await startBridge({broker, plugs, devices, config, folder})
    await isOnline(user)
    await first.stop()
    await mosquittoPub(broker, '-r', '-t', 'homeassistant/status', '-m', 'online')
    user.forget()
    // Everything is stored now: nothing new is published in between.
    await startBridge({broker, plugs, devices, config, folder})
    await isOnline(user)
  })

  it('When Home Assistant starts, discovery, availability and state of everything are published after a short random delay; its stop message and retained messages are ignored.', async () => {
    const before = recorder.messages.length
    for (const word of ['offline', 'ONLINE', '', '{"state":"online"}'])
      await mosquittoPub(broker, '-t', 'homeassistant/status', '-m', word)
    // That a birth lies on the broker since before the bridge came makes no difference either.
    await sleep(steadyClock, BIRTH_ROUND_MS)
    const aboutPlugs = /^homeassistant\/device\/|\/(desk|lamp)(\/|$)/
    expect(recorder.messages.slice(before).filter(({topic}) => aboutPlugs.test(topic))).toEqual([])

    const from = recorder.messages.length
    await mosquittoPub(broker, '-t', 'homeassistant/status', '-m', 'online')
    const round = await until(() => roundSince(from), {what: 'everything was published again'})
    // After 0.5 to 3 s: test/unit/bridge/homeassistant/homeassistant.test.ts measures them.
    const [birth, ...published] = round
    const rank = ({topic}: {topic: string}) =>
      topic.endsWith('/config') ? 0 : topic.endsWith('/availability') ? 1 : 2
    expect(birth?.topic).toBe('homeassistant/status')
    expect(published.map(({topic}) => topic).sort()).toEqual(
      [
        bridgeTopic,
        ...Object.entries(plugs).flatMap(([name, plug]) => [
          configTopic(plug),
          `miio2mqtt/${name}/availability`,
          `miio2mqtt/${name}`,
        ]),
      ].sort(),
    )
    expect(published.map(rank)).toEqual(published.map(rank).sort())
    expect(published.every(({retain}) => retain)).toBe(true)
  })

  it('Ten birth messages in a second are answered once.', async () => {
    const from = recorder.messages.length
    await Promise.all(
      Array.from({length: 10}, () => mosquittoPub(broker, '-t', 'homeassistant/status', '-m', 'online')),
    )
    await until(() => roundSince(from), {what: 'everything was published again'})
    const before = recorder.messages.length
    await mosquittoPub(broker, '-t', 'homeassistant/status', '-m', 'online')
    await until(() => roundSince(before), {what: 'everything was published once more'})
    const times = recorder.messages
      .slice(from)
      .filter(({topic}) => topic === configTopic(plugs['desk'] ?? neverMind('desk')))
    expect(times).toHaveLength(2)
  })

  /** The messages about plugs and the bridge since `from`, once the last state is among them. */
  function roundSince(from: number) {
    const round = recorder.messages.slice(from).filter(({topic}) => !/\/bridge\/(?!.*config)/.test(topic))
    return round.some(({topic}) => topic === 'miio2mqtt/desk') &&
      round.some(({topic}) => topic === 'miio2mqtt/lamp')
      ? round
      : undefined
  }
})

describe('discovery', () => {
  it('happens where the configuration says, and listens there', async () => {
    const {broker, user, recorder} = await stage()
    const plug = await startPlug({address: loopback(8, 1)})
    const homeassistant = {discovery_prefix: 'house/discovery', status_topic: 'house/awake'}
    await startBridge({broker, plugs: {desk: plug}, config: {homeassistant}})
    await discoveryOf(user, plug, 'house/discovery')
    await isOnline(user)
    user.forget()
    await mosquittoPub(broker, '-t', 'house/awake', '-m', 'online')
    await user.waitFor('miio2mqtt/desk')
    expect(discoveryProblems(recorder.messages, 'house/discovery')).toEqual([])
    expect(recorder.messages.filter(({topic}) => topic.startsWith('homeassistant/'))).toEqual([])
  })

  it('can be switched off', async () => {
    const {broker, user, recorder} = await stage()
    const plug = await startPlug({address: loopback(9, 1)})
    await startBridge({broker, plugs: {desk: plug}, config: {homeassistant: {enabled: false}}})
    await isOnline(user)
    await user.waitFor('miio2mqtt/bridge/devices', ({payload}) => payload.includes('"firmware":"'))
    expect(recorder.messages.filter(({topic}) => !topic.startsWith('miio2mqtt/'))).toEqual([])
  })

  it('Messages of other software under the discovery prefix are never touched.', async () => {
    const {broker, user, recorder} = await stage()
    const folder = await newFolder()
    const desk = await startPlug({address: loopback(10, 1)})
    const lamp = await startPlug({address: loopback(10, 2)})
    const others = {
      'homeassistant/device/zigbee2mqtt_1/config': '{"device":{}}',
      'homeassistant/switch/tasmota/config': '{"name":"other"}',
      'homeassistant/device/miio2mqtt/config': 'not ours either',
      // Another bridge like this one may have plugs of its own.
      'homeassistant/device/miio2mqtt_77/config': '{"device":{"identifiers":["miio2mqtt_77"]}}',
      [`homeassistant/device/other_${lamp.did}/config`]: '{}',
      [`homeassistant/switch/miio2mqtt_${lamp.did}/config`]: '{}',
    }
    for (const [topic, payload] of Object.entries(others))
      await mosquittoPub(broker, '-r', '-t', topic, '-m', payload)
    const first = await startBridge({broker, plugs: {desk, lamp}, folder})
    for (const plug of [desk, lamp]) await discoveryOf(user, plug)
    await isOnline(user)
    await first.stop()
    // Of a plug that is gone, the next start clears what was ours.
    const second = await startBridge({broker, plugs: {desk}, folder})
    await user.waitFor(configTopic(lamp), ({payload}) => payload === '')
    await second.stop()
    expect(Object.fromEntries(await user.retained())).toMatchObject(others)
    for (const topic of Object.keys(others)) expect(recorder.on(topic)).toHaveLength(1)
  })
})

/** What `plug` measures itself, and the whole number it then says of the `LOAD`. */
function measuredBy({model}: SimulatedPlug): {name: string; scale: number; raw: number}[] {
  return Object.entries(model.properties).flatMap(([name, property]) => {
    const value = LOAD.get(name)
    if (value === undefined || !('scale' in property) || property.address.via === 'bridge') return []
    return [{name, scale: property.scale, raw: Math.round(value / property.scale)}]
  })
}

/** From now on: what `plug` says, as the text that is encrypted. */
function responsesOf(plug: SimulatedPlug): string[] {
  const texts: string[] = []
  const send = plug.send.bind(plug)
  plug.send = (datagram, to) => {
    const packet = parsePacket(datagram)
    if (packet.kind === 'message') texts.push(plug.cipher.open(packet).toString())
    send(datagram, to)
  }
  return texts
}

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
