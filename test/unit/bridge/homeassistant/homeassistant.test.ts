import {beforeEach, describe, expect, it} from 'vitest'
import {Group} from '../../../../src/bridge/group.ts'
import {bridgeDiscovery} from '../../../../src/bridge/homeassistant/bridge-discovery.ts'
import {
  bridgeId,
  type DeviceDiscovery,
  platformsOf,
  withRemovedComponents,
} from '../../../../src/bridge/homeassistant/discovery-message.ts'
import {HomeAssistant} from '../../../../src/bridge/homeassistant/homeassistant.ts'
import {defaultPlatforms, plugDiscovery} from '../../../../src/bridge/homeassistant/plug-discovery.ts'
import type {DiscoveredComponents} from '../../../../src/bridge/homeassistant/sent-discovery.ts'
import type {DisplayOptions} from '../../../../src/bridge/plug.ts'
import {builtIn} from '../../../../src/models/catalogue.ts'
import {Topics} from '../../../../src/mqtt/topics.ts'
import {messageProblems} from '../../../support/discovery-validator.ts'
import {settle, VirtualClock} from '../../../support/virtual-clock.ts'
import {HOUR, MINUTE, RememberingPublisher, SECOND, StagedPlug, testContext, topics} from '../stage.ts'

const TOPIC = 'homeassistant/device/miio2mqtt_4711/config'

let clock: VirtualClock
let publisher: RememberingPublisher
let plug: StagedPlug
let homeAssistant: HomeAssistant
let announced: number[]
let announcedBefore: DiscoveredComponents | undefined
let connected: boolean
let hasGroup: boolean

function stage(choice: ConstructorParameters<typeof StagedPlug>[1] = {}): void {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  plug = new StagedPlug(clock, choice)
  announced = []
  const connection = {
    get connected() {
      return connected
    },
    resubscribe: () => Promise.resolve(),
  }
  const plugs = new Map([[plug.name, plug]])
  const groups = new Map([['evening', new Group('evening', {members: [plug.name]}, plugs)]])
  const context = testContext(clock, {publisher, connection, plugs, groups: hasGroup ? groups : new Map()})
  const store = {
    discovery: announcedBefore,
    rememberDiscovery: (discovered: DiscoveredComponents) => {
      announcedBefore = discovered
    },
  }
  homeAssistant = new HomeAssistant(context, {prefix: 'homeassistant', version: '1.2.3', store})
  homeAssistant.on('started', () => announced.push(clock.now()))
  plug.addTo(homeAssistant)
}

beforeEach(() => {
  announcedBefore = undefined
  connected = true
  hasGroup = false
  stage()
})

/** The plug reports its identity. */
async function identify(firmware = '1.2.4_16'): Promise<void> {
  plug.scripted.info = {model: 'chuangmi.plug.m1', fw_ver: firmware}
  const identified = plug.device.identify()
  await clock.advance(20)
  await identified
}
/** A message on the status topic of Home Assistant. */
const statusMessage = (payload: string, retained: boolean) =>
  homeAssistant.handle(
    {topic: 'homeassistant/status', payload: Buffer.from(payload), retained},
    {kind: 'home_assistant_status'},
  )
const componentsIn = (message: {payload: string} | undefined) =>
  JSON.parse(message?.payload ?? '{}').components
const firmwares = () =>
  publisher
    .on(TOPIC)
    .map(({payload, at}) => [JSON.parse(payload).device.sw_version, Math.round(at / 100) / 10])

describe('a birth message', () => {
  it('causes discovery after 0.5 to 3 s, and everything else a second later', async () => {
    statusMessage('online', false)
    await clock.advance(MINUTE)
    const [first = 0] = publisher.messages.map(({at}) => at)
    expect(first).toBeGreaterThanOrEqual(500)
    expect(first).toBeLessThanOrEqual(3000)
    expect(announced).toEqual([first + SECOND])
  })

  it('has another delay each time', async () => {
    const delays = new Set<number>()
    for (let birth = 0; birth < 10; birth++) {
      const born = clock.now()
      publisher.messages.length = 0
      statusMessage('online', false)
      await clock.advance(MINUTE)
      delays.add((publisher.messages[0]?.at ?? 0) - born)
    }
    expect(delays.size).toBe(10)
  })

  it('ten times in a second is handled once', async () => {
    for (let birth = 0; birth < 10; birth++) {
      statusMessage('online', false)
      await clock.advance(100)
    }
    await clock.advance(MINUTE)
    expect(publisher.on(TOPIC)).toHaveLength(1)
    expect(announced).toHaveLength(1)
  })

  it.each([
    ['online', true],
    ['offline', false],
    ['ONLINE', false],
    ['', false],
  ])('%j (retained: %s) is none', async (payload, retained) => {
    statusMessage(payload, retained)
    await clock.advance(HOUR)
    expect(publisher.messages).toEqual([])
    expect(announced).toEqual([])
  })

  it('causes nothing any more when the bridge stops', async () => {
    statusMessage('online', false)
    await clock.advance(100)
    homeAssistant.stop()
    await clock.advance(MINUTE)
    expect(publisher.messages).toEqual([])
    expect(announced).toEqual([])
    expect(clock.pending).toBe(0)
  })
})

describe('the discovery of a plug', () => {
  it('comes after that of the bridge that it is connected via', () => {
    homeAssistant.connected()
    expect(publisher.topics).toEqual(['homeassistant/device/miio2mqtt_bridge_miio2mqtt/config', TOPIC])
  })

  it('is not sent again when the plug reports the same identity', async () => {
    await identify()
    await clock.advance(MINUTE)
    await identify()
    await clock.advance(MINUTE)
    expect(publisher.on(TOPIC)).toHaveLength(1)
  })

  it('is sent again when the broker may have forgotten it, changed or not', async () => {
    await identify()
    homeAssistant.connected()
    homeAssistant.connected()
    expect(publisher.on(TOPIC)).toHaveLength(3)
  })

  it('is not sent again with changes within 2 s, and then with the latest ones', async () => {
    homeAssistant.connected()
    await identify('2.0.1')
    await clock.advance(300)
    await identify('2.0.2')
    await clock.advance(MINUTE)
    expect(firmwares()).toEqual([
      [undefined, 0],
      ['2.0.2', 2.1],
    ])
  })

  it('keeps that interval over a reconnect, too', async () => {
    homeAssistant.connected()
    await identify()
    homeAssistant.connected()
    await clock.advance(MINUTE)
    expect(firmwares()).toEqual([
      [undefined, 0],
      ['1.2.4_16', 2.1],
    ])
  })

  it('is not sent while there is no broker, also when it was only delayed', async () => {
    await identify()
    await identify('2.0.0')
    const sent = publisher.on(TOPIC).length
    connected = false
    homeAssistant.disconnected()
    await clock.advance(MINUTE)
    expect(publisher.on(TOPIC)).toHaveLength(sent)
    connected = true
    homeAssistant.connected()
    expect(publisher.on(TOPIC)).toHaveLength(sent + 1)
  })

  it('is not sent any more once the bridge has stopped', async () => {
    homeAssistant.connected()
    await identify()
    homeAssistant.stop()
    await clock.advance(MINUTE)
    expect(publisher.on(TOPIC)).toHaveLength(1)
    await settle()
    expect(clock.pending).toBe(0)
  })

  it('removes a missing component before it leaves it out', async () => {
    homeAssistant.connected()
    await clock.advance(MINUTE)
    publisher.messages.length = 0
    plug = new StagedPlug(clock, {appearance: {filtered: ['led']}})
    homeAssistant.reloaded([plug])
    await clock.advance(MINUTE)
    const [removal, final] = publisher.on(TOPIC)
    expect(publisher.on(TOPIC)).toHaveLength(2)
    expect(componentsIn(removal).led).toEqual({platform: 'switch'})
    expect(componentsIn(removal).temperature).toHaveProperty('unique_id')
    expect(componentsIn(final)).not.toHaveProperty('led')
    expect((final?.at ?? 0) - (removal?.at ?? 0)).toBeGreaterThan(2 * SECOND)
  })

  it('removes a component that is filtered, also when an earlier run may have announced it', async () => {
    stage({appearance: {filtered: ['led']}})
    homeAssistant.connected()
    await clock.advance(MINUTE)
    homeAssistant.connected()
    await clock.advance(MINUTE)
    const leds = publisher.on(TOPIC).map((message) => componentsIn(message).led)
    expect(leds).toEqual([{platform: 'switch'}, undefined, undefined])
  })

  it.each([{disabled: true}, {did: null}, {appearance: {homeassistant: {enabled: false}}}])(
    'does not happen for %j',
    (choice) => {
      stage(choice)
      homeAssistant.connected()
      expect(publisher.topics).toEqual(['homeassistant/device/miio2mqtt_bridge_miio2mqtt/config'])
    },
  )
})

describe('the message for the bridge', () => {
  it.each(['miio2mqtt', 'house/plugs', 'дом', 'a b'])('is valid for the base topic %s', (base) => {
    const payload = JSON.stringify(bridgeDiscovery({topics: new Topics(base), version: '1.2.3'}))
    const topic = `homeassistant/device/${bridgeId(base)}/config`
    expect(messageProblems({topic, payload, retain: true}, 'homeassistant')).toEqual([])
  })

  it('differs for each base topic, however similar they are', () => {
    const ids = ['miio2mqtt', 'a/b', 'a_b', 'a b', 'дом', 'сад', 'Ä', 'a'].map(bridgeId)
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('the components that have to be removed', () => {
  it('is removed at the next connect, also when the plug reported its identity before that', async () => {
    const before = {
      state: 'switch',
      temperature: 'sensor',
      led: 'switch',
      rssi: 'sensor',
      last_seen: 'sensor',
    }
    announcedBefore = {devices: {miio2mqtt_4711: 'a set'}, sets: {'a set': {...before, power: 'sensor'}}}
    connected = false
    stage()
    await identify()
    expect(publisher.on(TOPIC)).toEqual([])
    connected = true
    homeAssistant.connected()
    await clock.advance(MINUTE)
    const powers = publisher.on(TOPIC).map((message) => componentsIn(message).power)
    expect(powers).toEqual([{platform: 'sensor'}, undefined])
  })

  it('waits for the broker, as that of a group does', () => {
    connected = false
    hasGroup = true
    stage()
    homeAssistant.reloaded([])
    expect(publisher.messages).toEqual([])
    connected = true
    homeAssistant.connected()
    expect(publisher.messages.map(({topic}) => topic)).toContainEqual(
      expect.stringMatching(/^homeassistant\/device\/miio2mqtt_group_evening_\w+\/config$/),
    )
  })

  const message = {components: {state: {platform: 'switch', name: null}, led: {platform: 'switch'}}}

  it('is nothing when everything is there as before', () => {
    expect(withRemovedComponents(platformsOf(message), message)).toBeUndefined()
    expect(withRemovedComponents({state: 'switch'}, message)).toBeUndefined()
  })

  it('is what is not there any more', () => {
    expect(withRemovedComponents({...platformsOf(message), power: 'sensor'}, message)?.components).toEqual({
      ...message.components,
      power: {platform: 'sensor'},
    })
  })

  it('is what has become something else, which to Home Assistant is another entity', () => {
    expect(withRemovedComponents({state: 'switch', led: 'sensor'}, message)?.components).toEqual({
      state: {platform: 'switch', name: null},
      led: {platform: 'sensor'},
    })
  })
})

describe('the message for a plug', () => {
  const model = builtIn.find('chuangmi.plug.m1') ?? expect.fail('no such model')
  /** As it is sent: without undefined members. */
  const messageFor = (appearance: DisplayOptions): DeviceDiscovery => {
    const plug = new StagedPlug(clock, {appearance})
    return JSON.parse(JSON.stringify(plugDiscovery(plug, 4711, model, {topics, version: '1.2.3'})))
  }

  it.each<[string, DisplayOptions]>([
    ['nothing', {}],
    ['filters', {filtered: ['led', 'rssi', 'no_such_thing']}],
    ['a name', {homeassistant: {enabled: true, name: 'Espressomaschine'}}],
    [
      'looks',
      {
        homeassistant: {
          enabled: true,
          entities: {
            state: {name: 'Relay', icon: 'mdi:coffee', device_class: 'switch', enabled: false},
            led: {device_class: 'outlet', icon: 'mdi:led-on'},
            rssi: {enabled: true},
            power: {name: 'not there'},
          },
        },
      },
    ],
  ])('is valid with %s configured', (_, appearance) => {
    const payload = JSON.stringify(messageFor(appearance))
    expect(messageProblems({topic: TOPIC, payload, retain: true}, 'homeassistant')).toEqual([])
  })

  it.each(builtIn.ids)('is valid for %s, with every display option', (id) => {
    const own = builtIn.find(id) ?? expect.fail('no such model')
    const names = Object.keys(own.properties)
    const entities = Object.fromEntries(
      names.map((name, index) => [
        name,
        {name: `Own ${name}`, icon: 'mdi:star', enabled: index % 2 === 0, device_class: 'switch' as const},
      ]),
    )
    const looks: DisplayOptions[] = [
      {filtered: names.slice(1)},
      {filtered: names.filter((_, index) => index % 2)},
    ]
    const problems = looks.flatMap((look) => {
      const appearance = {...look, homeassistant: {enabled: true, name: 'Lamp', entities}}
      const message = plugDiscovery(new StagedPlug(clock, {appearance}), 4711, own, {
        topics,
        version: '1.2.3',
      })
      const removal = withRemovedComponents(defaultPlatforms(own), message) ?? message
      return [message, removal].flatMap((each) =>
        messageProblems({topic: TOPIC, payload: JSON.stringify(each), retain: true}, 'homeassistant'),
      )
    })
    expect(problems).toEqual([])
  })

  it('has the configured display options', () => {
    const {device, components} = messageFor({
      filtered: ['temperature'],
      homeassistant: {
        enabled: true,
        name: 'Espresso machine',
        entities: {
          state: {icon: 'mdi:coffee', device_class: 'switch'},
          rssi: {enabled: true, name: 'Wi-Fi'},
          led: {enabled: false},
        },
      },
    })
    expect(device).toMatchObject({name: 'Espresso machine', identifiers: ['miio2mqtt_4711']})
    expect(Object.keys(components)).toEqual(['state', 'led', 'rssi', 'last_seen'])
    expect(components['state']).toMatchObject({
      name: null,
      icon: 'mdi:coffee',
      device_class: 'switch',
      default_entity_id: 'switch.espresso_machine',
      command_topic: 'miio2mqtt/desk/set/state',
    })
    expect(components['rssi']).toMatchObject({name: 'Wi-Fi'})
    expect(components['rssi']).not.toHaveProperty('enabled_by_default')
    expect(components['led']).toMatchObject({enabled_by_default: false})
  })

  it.each(['desk', 'Küche/Lampe 1', 'лампа', '🔌', 'a'.repeat(200)])('is valid for the name %s', (name) => {
    const named = new StagedPlug(clock, {name})
    const payload = JSON.stringify(plugDiscovery(named, 4711, model, {topics, version: '1.2.3'}))
    expect(messageProblems({topic: TOPIC, payload, retain: true}, 'homeassistant')).toEqual([])
  })
})
