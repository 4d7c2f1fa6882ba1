/** The order of the parts of the bridge, and what follows from it: the order of publications and who handles a message. */
import {beforeEach, describe, expect, it} from 'vitest'
import {bridgeComponents} from '../../../src/app/bridge.ts'
import type {BridgeContext, Component} from '../../../src/bridge/component.ts'
import {Group} from '../../../src/bridge/group.ts'
import {HomeAssistant} from '../../../src/bridge/homeassistant/homeassistant.ts'
import {RetainedTopics} from '../../../src/bridge/publisher.ts'
import type {BridgeActions} from '../../../src/bridge/requests/bridge-actions.ts'
import {BridgeStatus} from '../../../src/bridge/status/bridge-status.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {settle, VirtualClock} from '../../support/virtual-clock.ts'
import {RememberingPublisher, SECOND, StagedPlug, testContext, topics} from '../bridge/stage.ts'

const actions: BridgeActions = {
  info: () => ({}),
  health: () => ({}),
  setLogLevel: () => {},
  reload: async () => undefined,
  edit: async () => undefined,
  allowsRawCalls: () => false,
  warnings: () => [],
  discover: async () => [],
}

let clock: VirtualClock
let publisher: RememberingPublisher
let log: RememberingLog
let desk: StagedPlug
let context: BridgeContext
let homeAssistant: HomeAssistant
let components: readonly Component[]

const each = (call: (component: Component) => void) => {
  for (const component of components) call(component)
}
const deliver = (topic: string, payload: string, retained = false) => {
  const message = {topic, payload: Buffer.from(payload), retained}
  const handler = components.find((component) => component.handle?.(message, topics.parse(topic)))
  return handler?.constructor.name
}

beforeEach(() => {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  log = new RememberingLog()
  desk = new StagedPlug(clock)
  const plugs = new Map([['desk', desk]])
  const groups = new Map([['evening', new Group('evening', {members: ['desk']}, plugs)]])
  const retainedTopics = new RetainedTopics(publisher, [])
  context = testContext(clock, {publisher: retainedTopics, log, plugs, groups})
  const source = {info: () => ({}), metrics: () => ({}), onWarning: () => () => {}}
  const store = {
    discovery: undefined,
    rememberDiscovery: () => {},
    publishedTopics: undefined,
    rememberPublishedTopics: () => {},
  }
  homeAssistant = new HomeAssistant(context, {prefix: 'homeassistant', version: '1.2.3', store})
  components = bridgeComponents(context, {
    bridgeStatus: new BridgeStatus(context, source),
    homeAssistant,
    states: {qos: 1, retain: true, attributes: false},
    retainedTopics,
    store,
    actions,
  })
  desk.addTo(...components)
})

/** The plug has answered, and everything about that was published. */
async function answered(): Promise<void> {
  desk.poller.start()
  await clock.advance(SECOND)
  publisher.messages.length = 0
}

describe('the parts of the bridge', () => {
  it('have a fixed order', () => {
    expect(components.map((component) => component.constructor.name)).toEqual([
      'PlugLog',
      'BridgeStatus',
      'RetainedCleanup',
      'HomeAssistant',
      'RetainedCommands',
      'Requests',
      'Commands',
      'MisplacedCommands',
      'PlugStates',
      'AvailabilityLog',
      'GroupStates',
      'StartSummary',
    ])
  })

  it('publish what the bridge is first at a connect, discovery before states, and that it is online last', async () => {
    await answered()
    each((component) => component.connected?.())
    expect(publisher.topics).toEqual([
      'miio2mqtt/bridge/info',
      'miio2mqtt/bridge/devices',
      'miio2mqtt/bridge/health',
      'homeassistant/device/miio2mqtt_bridge_miio2mqtt/config',
      'homeassistant/device/miio2mqtt_4711/config',
      expect.stringMatching(/^homeassistant\/device\/miio2mqtt_group_evening_\w+\/config$/),
      'miio2mqtt/desk/availability',
      'miio2mqtt/desk',
      'miio2mqtt/bridge/groups',
      'miio2mqtt/evening/availability',
      'miio2mqtt/evening',
      'miio2mqtt/bridge/state',
    ])
  })

  it('publish that the bridge is online after the first availability of the last plug, and log the plug first', async () => {
    each((component) => component.connected?.())
    publisher.messages.length = 0
    desk.poller.start()
    await clock.advance(SECOND / 2)
    expect(publisher.topics.filter((topic) => !topic.startsWith('homeassistant/'))).toEqual([
      'miio2mqtt/desk',
      'miio2mqtt/desk/availability',
      'miio2mqtt/bridge/event',
      'miio2mqtt/evening',
      'miio2mqtt/evening/availability',
      'miio2mqtt/bridge/state',
    ])
    const [first] = log.messages('debug').filter((line) => !line.startsWith('announced'))
    expect(first).toMatch(/^desk: state OFF/)
  })

  it('publish all states again when Home Assistant has started', async () => {
    await answered()
    homeAssistant.on('started', () => each((component) => component.homeAssistantStarted?.()))
    expect(deliver('homeassistant/status', 'online')).toBe('HomeAssistant')
    await clock.advance(5 * SECOND)
    const published = publisher.messages.filter(({topic}) => topic.startsWith('miio2mqtt/'))
    const states = published.filter(({topic}) => !/bridge\/(devices|health)$/.test(topic))
    expect(states.map(({topic}) => topic)).toEqual([
      'miio2mqtt/desk/availability',
      'miio2mqtt/desk',
      'miio2mqtt/bridge/groups',
      'miio2mqtt/evening/availability',
      'miio2mqtt/evening',
    ])
    const discoveredAt = publisher.messages.find(({topic}) => topic.startsWith('homeassistant/'))?.at ?? 0
    expect(new Set(states.map(({at}) => at))).toEqual(new Set([discoveredAt + SECOND]))
  })

  it.each([
    ['homeassistant/device/miio2mqtt_1/config', '{}', true, 'RetainedCleanup'],
    ['homeassistant/status', 'offline', true, 'HomeAssistant'],
    ['miio2mqtt/desk/set', 'ON', true, 'RetainedCommands'],
    ['miio2mqtt/bridge/request/restart', '', true, 'RetainedCommands'],
    ['miio2mqtt/bridge/request/info', '', false, 'Requests'],
    ['miio2mqtt/desk/set', 'ON', false, 'Commands'],
    ['miio2mqtt/evening/get', '', false, 'Commands'],
    ['miio2mqtt/lamp/set', 'ON', false, 'MisplacedCommands'],
    ['miio2mqtt/desk', 'ON', false, 'MisplacedCommands'],
  ])('handle a message on %s (%j, retained: %s) once: %4$s', async (topic, payload, retained, handler) => {
    expect(deliver(topic, payload, retained)).toBe(handler)
    await settle()
  })

  it('publish offline as the last message, and nothing after they have stopped', async () => {
    await answered()
    each((component) => component.start?.(0))
    each((component) => component.connected?.())
    publisher.messages.length = 0
    const stopped = Promise.all(components.toReversed().map((component) => component.stop?.()))
    await clock.advance(2 * SECOND)
    await stopped
    for (const component of components.toReversed()) component.stopped?.()
    expect(publisher.messages.at(-1)).toMatchObject({
      topic: 'miio2mqtt/bridge/state',
      payload: '{"state":"offline"}',
      retain: true,
    })
    const count = publisher.messages.length
    await desk.device.stop(0)
    desk.poller.stop()
    await clock.advance(60 * SECOND)
    expect(publisher.messages).toHaveLength(count)
    expect(clock.pending).toBe(0)
  })
})
