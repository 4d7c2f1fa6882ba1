import {beforeEach, describe, expect, it} from 'vitest'
import {RetainedTopics} from '../../../src/bridge/publisher.ts'
import {
  listedNames,
  ownStateTopic,
  RetainedCleanup,
  type RetainedTopicsRecord,
} from '../../../src/bridge/retained-cleanup.ts'
import {topicProblem} from '../../../src/mqtt/topics.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {MINUTE, RememberingPublisher, testContext, topics} from './stage.ts'

/** The retained messages of a bridge without plugs. */
const BRIDGE = {
  retainedTopics: () => [
    ...topics.retainedBridgeTopics,
    'homeassistant/device/miio2mqtt_bridge_miio2mqtt/config',
  ],
}

let clock: VirtualClock
let publisher: RememberingPublisher
let stored: () => RetainedTopicsRecord | undefined

beforeEach(() => {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  stored = () => undefined
})

function start(published?: RetainedTopicsRecord): RetainedCleanup {
  const retainedTopics = new RetainedTopics(publisher, published?.topics ?? [])
  const store = {
    publishedTopics: published,
    rememberPublishedTopics: (record: () => RetainedTopicsRecord) => {
      stored = record
    },
  }
  const context = testContext(clock, {publisher})
  return new RetainedCleanup(context, {
    retainedTopics,
    sources: [BRIDGE],
    prefix: 'homeassistant',
    store,
  })
}

/** The topics that are cleared after the broker has delivered retained messages. */
async function cleared(cleanup: RetainedCleanup, delivered: Readonly<Record<string, string>> = {}) {
  cleanup.connected()
  for (const [topic, payload] of Object.entries(delivered))
    cleanup.handle({topic, payload: Buffer.from(payload), retained: true})
  await clock.advance(MINUTE)
  expect(publisher.messages.every(({payload}) => payload === '')).toBe(true)
  return publisher.topics
}

const listed = (...names: unknown[]) => ({
  'miio2mqtt/bridge/devices': JSON.stringify(names.map((name) => ({name}))),
})
const device = (topic: string, content: unknown) => ({[topic]: JSON.stringify(content)})
const ours = {
  device: {identifiers: ['x']},
  state_topic: 'miio2mqtt/desk',
  availability: [{topic: 'miio2mqtt/bridge/state'}],
}

describe('a discovery message of another bridge', () => {
  const moved = [
    'homeassistant/device/miio2mqtt_1/config',
    'homeassistant/device/miio2mqtt_2/config',
  ] as const
  const foreign = JSON.stringify({...ours, availability: [{topic: 'other/bridge/state'}]})

  it('is not cleared, also when the configuration is reloaded while the broker still delivers', async () => {
    const cleanup = start({bases: ['miio2mqtt'], topics: moved, isAll: true})
    const deliver = (topic: string) =>
      expect(cleanup.handle({topic, payload: Buffer.from(foreign), retained: true})).toBe(true)
    cleanup.connected()
    deliver(moved[0])
    await clock.advance(1000)
    cleanup.reloaded() // the filter of the first is subscribed already: the broker does not deliver it again
    deliver(moved[1])
    await clock.advance(MINUTE)
    expect(publisher.topics).toEqual([])
    expect(stored()?.topics).toEqual([])
  })
})

describe('a retained list of plugs', () => {
  it.each([
    ['a wildcard', 'evil/#'],
    ['a wildcard of one level', 'a/+/b'],
    ['nothing', ''],
    ['an empty level', 'a//b'],
    ['a level that is a word of commands', 'desk/set'],
    ['the word of results', 'desk/response'],
    ["the bridge's own topics", 'bridge/state'],
    ["the bridge's own name", 'bridge'],
    ['a control character', 'a\u0000b'],
    ['half a character', 'a\ud800'],
    ['more levels than brokers take', `${'l/'.repeat(220)}l`],
    ['more characters than a name may have', 'x'.repeat(70_000)],
    ['a number', 7],
    ['null', null],
    ['a list', ['desk']],
  ])('with %s for a name has nothing cleared, and stops nothing', async (_, name) => {
    expect(await cleared(start(), listed(name))).toEqual([])
  })

  it('with an invalid name still has the others cleared', async () => {
    expect(await cleared(start(), listed('evil/#', 'attic/fan', null))).toEqual([
      'miio2mqtt/attic/fan',
      'miio2mqtt/attic/fan/availability',
    ])
  })

  it('of any number of made-up names has a bounded number of topics cleared', async () => {
    const names = Array.from({length: 60_000}, (_, index) => `x${index}`)
    expect((await cleared(start(), listed(...names))).length).toBeLessThanOrEqual(40_000)
  })

  it.each([
    ['1 MB that is no JSON', 'x'.repeat(1_000_000)],
    ['brackets a hundred thousand levels deep', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['objects a hundred thousand levels deep', `${'{"name":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['an object', '{"name":"desk"}'],
    ['a prototype', '[{"__proto__":{"name":"desk"}}]'],
  ])('that is %s is ignored', (_, payload) => {
    expect(listedNames(Buffer.from(payload))).toEqual([])
    expect(ownStateTopic(Buffer.from(payload), ['miio2mqtt'])).toBeUndefined()
  })
})

describe('a retained discovery message', () => {
  it('is cleared when it is ours, and no plug has its name any more', async () => {
    const topic = 'homeassistant/device/miio2mqtt_4711/config'
    expect(await cleared(start(), device(topic, ours))).toContain(topic)
  })

  it.each([
    'homeassistant/device/zigbee_1/config',
    'homeassistant/device/my_heater/config',
    'homeassistant/device/miio2mqtt/config',
    'homeassistant/device/a/b/config',
  ])('on %s is not ours, whatever its content', async (topic) => {
    expect(await cleared(start(), device(topic, ours))).toEqual([])
  })

  it('is not ours when only its prototype has our identifier', async () => {
    const payload = '{"__proto__":{"device":{"identifiers":["miio2mqtt_bridge_miio2mqtt"]}}}'
    expect(await cleared(start(), {'homeassistant/device/miio2mqtt_1/config': payload})).toEqual([])
  })
})

describe('the stored record', () => {
  it.each([
    [['miio2mqtt/a/#']],
    [['homeassistant/#']],
    [['']],
    [['$SYS/x']],
    [['zigbee2mqtt/bridge/state']],
    [['homeassistant/device/zigbee_1/config']],
    [['miio2mqtt']],
    [['miio2mqttx/desk']],
    [[`miio2mqtt/${'l/'.repeat(220)}l`]],
    [['miio2mqtt/desk\u0000']],
  ])('with the topics %j has nothing cleared, and is forgotten', async (invalid) => {
    const cleanup = start({bases: ['miio2mqtt'], topics: [...invalid, 'miio2mqtt/desk'], isAll: true})
    for (const filter of cleanup.subscriptions())
      expect(topicProblem(filter.replaceAll('+', 'x'))).toBeUndefined()
    expect(await cleared(cleanup)).toEqual(['miio2mqtt/desk'])
    expect(stored()?.topics).toEqual([])
  })

  it.each(['#', '', '$SYS', 'a/+', 'a//b', '\u0000', `${'l/'.repeat(220)}l`])(
    'with the base topic %j subscribes to no topic that a broker refuses',
    async (base) => {
      const cleanup = start({bases: [base], topics: [], isAll: false})
      for (const filter of cleanup.subscriptions())
        expect(topicProblem(filter.replaceAll('+', 'x'))).toBeUndefined()
      expect(await cleared(cleanup)).toEqual([])
    },
  )

  it('with very many base topics subscribes to few', () => {
    const bases = Array.from({length: 10_000}, (_, index) => `base${index}`)
    expect(start({bases, topics: [], isAll: false}).subscriptions().length).toBeLessThan(100)
  })

  it('clears retained messages below a base topic of an earlier run', async () => {
    const cleanup = start({bases: ['cellar'], topics: ['cellar/desk'], isAll: true})
    expect(await cleared(cleanup)).toEqual(['cellar/desk'])
  })
})

describe('clearing a topic', () => {
  it.each(['a/#', '', '$SYS/x', 'a//b', `${'l/'.repeat(220)}l`])(
    'on which nothing can be retained (%j) does nothing',
    (topic) => {
      const retainedTopics = new RetainedTopics(publisher, [topic])
      expect(() => retainedTopics.clear(topic)).not.toThrow()
      retainedTopics.record(topic)
      expect(publisher.messages).toEqual([])
      expect([...retainedTopics.topics]).toEqual([])
    },
  )
})
