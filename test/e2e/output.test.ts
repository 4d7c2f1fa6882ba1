import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {connectAsync, type IPublishPacket} from 'mqtt'
import {afterAll, describe, expect, it} from 'vitest'
import {parseConfig} from '../../src/config/config.ts'
import {loopback} from '../support/addresses.ts'
import {configText, startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {discoveryProblems} from '../support/discovery-validator.ts'
import {MessageRecorder} from '../support/message-recorder.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {SteadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

const ends: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

const isOnline = (user: Watcher) =>
  user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === '{"state":"online"}')

/** All messages as they were sent: with their flags and their properties of MQTT 5. */
async function packetsOf(broker: Mosquitto): Promise<IPublishPacket[]> {
  const client = await connectAsync(broker.url, {protocolVersion: 5})
  ends.push(() => client.endAsync(true))
  const packets: IPublishPacket[] = []
  client.on('message', (_topic, _payload, packet) => packets.push(packet))
  await client.subscribeAsync('#', {qos: 2, rap: true})
  return packets
}

/** The retained messages, by topic below `miio2mqtt/`. */
async function lying(user: Watcher): Promise<Map<string, string>> {
  const retained = [...(await user.retained())].filter(([topic]) => topic.startsWith('miio2mqtt/'))
  return new Map(retained.map(([topic, payload]) => [topic.slice('miio2mqtt/'.length), payload]))
}

/** The values on topics of their own, as the JSON would have them. */
function attributesOf(name: string, retained: ReadonlyMap<string, string>): Record<string, string> {
  const own = [...retained].flatMap(([topic, payload]) => {
    const [, property] = new RegExp(`^${name}/([^/]+)$`).exec(topic) ?? []
    return property === undefined || property === 'availability' ? [] : [[property, payload] as const]
  })
  return Object.fromEntries(own)
}

function bare(state: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [name, String(value ?? 'None')]))
}

const stateOf = (name: string, retained: ReadonlyMap<string, string>): Record<string, unknown> =>
  JSON.parse(retained.get(name) ?? '{}')

describe('a bridge with attribute output', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const recorder = await MessageRecorder.open(broker)
  const packets = await packetsOf(broker)
  const desk = await startPlug({address: loopback(1, 1), model: 'chuangmi.plug.v3'})
  const kettle = await startPlug({address: loopback(1, 2), model: 'chuangmi.plug.v3'})
  const fan = await startPlug({address: loopback(1, 3)})
  const choice = {
    broker,
    plugs: {desk, 'kitchen/kettle': kettle, fan},
    config: {mqtt: {url: broker.url, output: 'attribute_and_json'}},
    devices: {
      desk: {
        filtered: ['led', 'rssi', 'leakage_current'],
        homeassistant: {name: 'Writing desk', entities: {usb: {icon: 'mdi:usb', device_class: 'outlet'}}},
      },
      'kitchen/kettle': {qos: 0},
      fan: {homeassistant: {enabled: false}},
    },
  }
  const bridge = await startBridge(choice)
  await isOnline(user)
  const talk = new CommandClient(broker, user)
  const warnings = () =>
    bridge.log.filter(({level}) => level === 'warn').map(({msg, message}) => msg ?? message)

  it('With attribute output B/N/state is bare ON or OFF, and agrees with the JSON.', async () => {
    for (const state of ['ON', 'OFF', 'ON']) {
      await talk.mosquittoPub('desk', 'set', state)
      const retained = await until(
        async () => {
          const now = await lying(user)
          return now.get('desk/state') === state ? now : undefined
        },
        {what: `the relay as an attribute: ${state}`},
      )
      // And so is every other value, of every other plug.
      for (const name of ['desk', 'kitchen/kettle'])
        expect(attributesOf(name, retained)).toEqual(bare(stateOf(name, retained)))
      expect(Object.keys(attributesOf('kitchen/kettle', retained))).toContain('power')
    }
  })

  it('publishes only those that changed', async () => {
    await user.waitFor('miio2mqtt/fan/state')
    user.forget()
    await talk.mosquittoPub('fan', 'set/led', 'TOGGLE')
    await user.waitFor('miio2mqtt/fan/led')
    expect(user.on('miio2mqtt/fan/state')).toEqual([])
    expect(user.on('miio2mqtt/fan/temperature')).toEqual([])
  })

  it('A filtered property is neither in the state nor in the discovery message.', async () => {
    // It can still be switched and read.
    expect(await talk.mosquittoPub('desk', 'set/led', 'OFF')).toMatchObject({
      status: 'ok',
      data: {led: 'OFF'},
    })
    expect(desk.state['led']).toBe('OFF')
    expect(await talk.mosquittoPub('desk', 'get/led', '')).toMatchObject({status: 'ok', data: {led: 'OFF'}})
    const {data} = await talk.mosquittoPub('desk', 'get', '')
    const retained = await lying(user)
    // The first message only takes back what an earlier run may have announced.
    const {payload: discovery} = await until(
      () =>
        recorder
          .on(`homeassistant/device/miio2mqtt_${desk.did}/config`)
          .find(({payload}) => !payload.includes('{"platform":"switch"}')),
      {what: 'the discovery message'},
    )
    const {components} = JSON.parse(discovery)
    for (const shown of [data, ...talk.states('desk'), attributesOf('desk', retained), components]) {
      expect(shown).toHaveProperty('power')
      expect(shown).not.toHaveProperty('led')
      expect(shown).not.toHaveProperty('rssi')
    }
    const devices: {name: string; filtered: string[]}[] = JSON.parse(retained.get('bridge/devices') ?? '[]')
    expect(devices.map(({name, filtered}) => [name, filtered])).toEqual([
      ['desk', ['led', 'rssi', 'leakage_current']],
      ['kitchen/kettle', []],
      ['fan', []],
    ])
  })

  it('warns once about properties that the model of a plug does not have', () => {
    expect(warnings()).toEqual([
      expect.stringMatching(/^devices\.desk: ignored filtered: leakage_current: .* has only /),
    ])
  })

  it('sends Home Assistant valid messages with the options of the user', async () => {
    const retained = await until(
      async () => {
        const now = await user.retained()
        const [own, other] = [desk, kettle].map(({did}) =>
          now.get(`homeassistant/device/miio2mqtt_${did}/config`),
        )
        return other && own && !own.includes('"led"') ? now : undefined
      },
      {what: 'Home Assistant knows two of the plugs'},
    )
    expect(retained.has(`homeassistant/device/miio2mqtt_${fan.did}/config`)).toBe(false)
    const {device, components} = JSON.parse(
      retained.get(`homeassistant/device/miio2mqtt_${desk.did}/config`) ?? '{}',
    )
    expect(device.name).toBe('Writing desk')
    expect(Object.keys(components)).toEqual(Object.keys(stateOf('desk', await lying(user))))
    expect(components.usb).toMatchObject({icon: 'mdi:usb', device_class: 'outlet'})
    expect(discoveryProblems(recorder.messages)).toEqual([])
  })

  it('sends the content type, and the expiry of responses, over MQTT 5', async () => {
    await talk.mosquittoPub('desk', 'get', '')
    const of = (topic: string) => packets.findLast((packet) => packet.topic === `miio2mqtt/${topic}`)
    expect(of('desk')?.properties?.contentType).toBe('application/json')
    expect(of('desk/availability')?.properties?.contentType).toBe('application/json')
    expect(of('bridge/devices')?.properties?.contentType).toBe('application/json')
    expect(of('desk/state')?.properties?.contentType).toBe('text/plain')
    expect(of('desk/state')?.properties?.messageExpiryInterval).toBeUndefined()
    const answer = of('desk/response')?.properties
    expect(answer?.contentType).toBe('application/json')
    expect(answer?.messageExpiryInterval).toBeGreaterThanOrEqual(59)
    const config = packets.findLast(
      ({topic}) => topic === `homeassistant/device/miio2mqtt_${desk.did}/config`,
    )
    expect(config?.properties?.contentType).toBe('application/json')
  })

  it('A property that a plug no longer has is first sent with its platform alone, then left out.', async () => {
    const topic = `homeassistant/device/miio2mqtt_${kettle.did}/config`
    const devices = {...choice.devices, 'kitchen/kettle': {qos: 0, filtered: ['power']}}
    const text = configText({...choice, devices})
    user.forget()
    expect(await bridge.daemon.reload(parseConfig(text, {file: 'config.yaml', env: {}}))).toBe(true)
    await user.waitFor(topic, ({payload}) => !('power' in JSON.parse(payload).components))
    const told = user.on(topic).map(({payload}) => JSON.parse(payload).components)
    expect(told.map(({power}) => power)).toEqual([{platform: 'sensor'}, undefined])
    for (const {usb} of told) expect(usb).toMatchObject({platform: 'switch', unique_id: expect.any(String)})
    await until(async () => !(await lying(user)).has('kitchen/kettle/power'), {what: 'its watts are gone'})
    expect(discoveryProblems(recorder.messages)).toEqual([])
  })
})

describe('attributes that were switched off', () => {
  it('are cleared, and so are those of a plug that was removed while the bridge was stopped', async () => {
    const broker = await startMosquitto()
    const user = await Watcher.open(broker)
    const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-output-'))
    ends.push(() => rm(folder, {recursive: true, force: true}))
    const clock = new SteadyClock(5) // a leftover is cleared after 5 s
    const desk = await startPlug({address: loopback(4, 1), clock})
    const lamp = await startPlug({address: loopback(4, 2), clock})
    const mqtt = {url: broker.url, output: 'attribute_and_json'}
    const groups = {all: {members: ['desk', 'lamp']}}
    const before = await startBridge({broker, plugs: {desk, lamp}, config: {mqtt, groups}, folder, clock})
    for (const name of ['desk/led', 'lamp/led', 'all/state']) await user.waitFor(`miio2mqtt/${name}`)
    await isOnline(user)
    await before.stop()
    user.forget()
    const filtered = {desk: {filtered: ['led']}}
    await startBridge({broker, plugs: {desk}, devices: filtered, config: {mqtt}, folder, clock})
    await isOnline(user)
    const attributes = async () => {
      const topics = [...(await lying(user)).keys()].filter((topic) => /^(desk|lamp|all)\//.test(topic))
      return topics.filter((topic) => !topic.endsWith('/availability')).sort()
    }
    await until(async () => (await attributes()).length <= 4, {what: 'the others are gone'})
    expect(await attributes()).toEqual(['desk/last_seen', 'desk/rssi', 'desk/state', 'desk/temperature'])
  })
})

describe('quality of service and retention of single plugs', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const packets = await packetsOf(broker)
  const desk = await startPlug({address: loopback(2, 1)})
  const lamp = await startPlug({address: loopback(2, 2)})
  await startBridge({
    broker,
    plugs: {desk, lamp},
    config: {mqtt: {url: broker.url, qos: 0, output: 'attribute_and_json'}},
    devices: {desk: {qos: 1, retain: false}},
  })
  await isOnline(user)
  const flags = (topic: string) => {
    const {qos, retain} = packets.find((packet) => packet.topic === `miio2mqtt/${topic}`) ?? {}
    return {qos, retain}
  }

  it('are those of the plug for a subscriber', async () => {
    await user.waitFor('miio2mqtt/desk/led')
    await user.waitFor('miio2mqtt/lamp/led')
    for (const topic of ['desk', 'desk/led'])
      expect([topic, flags(topic)]).toEqual([topic, {qos: 1, retain: false}])
    for (const topic of ['lamp', 'lamp/led'])
      expect([topic, flags(topic)]).toEqual([topic, {qos: 0, retain: true}])
    const retained = await lying(user)
    expect([retained.has('desk'), retained.has('desk/led'), retained.has('lamp')]).toEqual([
      false,
      false,
      true,
    ])
  })

  it('do not change those of the availability', () => {
    expect(flags('desk/availability')).toEqual({qos: 1, retain: true})
    expect(flags('lamp/availability')).toEqual({qos: 1, retain: true})
  })
})

describe('a broker that speaks MQTT 3.1.1', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const packets = await packetsOf(broker)
  const desk = await startPlug({address: loopback(3, 1)})
  await startBridge({
    broker,
    plugs: {desk},
    config: {mqtt: {url: broker.url, version: '3.1.1', output: 'attribute_and_json'}},
  })
  await isOnline(user)

  it('gets the same messages, without properties of MQTT 5', async () => {
    await new CommandClient(broker, user).mosquittoPub('desk', 'get', '')
    await until(() => packets.some(({topic}) => topic === 'miio2mqtt/desk/response'), {what: 'the answer'})
    expect(packets.map(({topic}) => topic)).toEqual(
      expect.arrayContaining(['miio2mqtt/desk', 'miio2mqtt/desk/led']),
    )
    expect(
      packets.filter(({properties}) => properties?.contentType ?? properties?.messageExpiryInterval),
    ).toEqual([])
  })
})
