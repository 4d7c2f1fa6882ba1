/** A retained message is cleared once: Home Assistant warns of a removal that it has received already. */
import {beforeEach, describe, expect, it} from 'vitest'
import {RetainedTopics} from '../../../src/bridge/publisher.ts'
import {RetainedCleanup, type RetainedTopicsRecord} from '../../../src/bridge/retained-cleanup.ts'
import type {OutgoingMessage} from '../../../src/mqtt/outgoing-message.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {MINUTE, RememberingPublisher, SECOND, testContext, topics} from './stage.ts'

const CONFIG = 'homeassistant/device/miio2mqtt_4711/config'
const STATE = 'miio2mqtt/desk'
const published = {bases: ['miio2mqtt'], topics: [CONFIG, STATE], isAll: true}

let clock: VirtualClock
let publisher: RememberingPublisher
let retainedTopics: RetainedTopics
let stored: RetainedTopicsRecord

/** A bridge with the stored record `before`, of whose topics it publishes on none any more. */
function start(before: RetainedTopicsRecord): RetainedCleanup {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  retainedTopics = new RetainedTopics(publisher, before.topics)
  stored = before
  const store = {
    publishedTopics: before,
    rememberPublishedTopics: (record: () => RetainedTopicsRecord) => {
      stored = JSON.parse(JSON.stringify(record()))
    },
  }
  const context = testContext(clock, {publisher})
  const bridge = {retainedTopics: () => topics.retainedBridgeTopics}
  return new RetainedCleanup(context, {
    retainedTopics,
    sources: [bridge],
    prefix: 'homeassistant',
    store,
  })
}

const clearsOf = (topic: string) => publisher.on(topic).filter(({payload}) => payload === '')
/** The broker acknowledges what was sent so far. */
const acknowledge = (messages: readonly OutgoingMessage[]) => {
  for (const {onAcknowledged} of messages) onAcknowledged?.()
}

describe('a topic that was cleared', () => {
  beforeEach(async () => {
    start(published).connected()
    await clock.advance(3 * SECOND)
    expect(clearsOf(CONFIG)).toHaveLength(1)
  })

  it('stays recorded until the broker has acknowledged that, and then not even over a restart a moment later', async () => {
    expect(retainedTopics.topics).toContain(CONFIG)
    acknowledge(publisher.messages)
    expect(retainedTopics.topics).not.toContain(CONFIG)
    expect(stored.topics).toEqual([STATE])
    start(stored).connected()
    await clock.advance(MINUTE)
    expect(publisher.topics).toEqual([STATE])
  })

  it('is cleared again when the broker did not acknowledge it', async () => {
    start(stored).connected()
    await clock.advance(MINUTE)
    expect(clearsOf(CONFIG)).toHaveLength(1)
  })

  it('stays recorded when something was published there before the acknowledgement', () => {
    const [clear] = clearsOf(CONFIG)
    retainedTopics.publish({topic: CONFIG, payload: '{}', retain: true, qos: 1})
    clear?.onAcknowledged?.()
    expect(retainedTopics.topics).toContain(CONFIG)
  })

  it('stays recorded when something was published there before the end of the sweep', async () => {
    while (clearsOf(STATE).length === 0) await clock.advance(100)
    retainedTopics.publish({topic: STATE, payload: '{}', retain: true, qos: 1})
    await clock.advance(MINUTE)
    expect(retainedTopics.topics).toContain(STATE)
    expect(stored.topics).toContain(STATE)
  })

  it('stays recorded when it was published and cleared again, until the later removal is acknowledged', () => {
    retainedTopics.publish({topic: CONFIG, payload: '{}', retain: true, qos: 1})
    retainedTopics.clear(CONFIG)
    const [first, second] = clearsOf(CONFIG)
    first?.onAcknowledged?.()
    expect(retainedTopics.topics).toContain(CONFIG)
    second?.onAcknowledged?.()
    expect(retainedTopics.topics).not.toContain(CONFIG)
  })
})

it('every topic of a removed plug is forgotten when the broker acknowledges the clearing, its state too', async () => {
  start(published).connected()
  await clock.advance(8 * SECOND)
  expect(publisher.topics).toEqual([CONFIG, STATE])
  acknowledge(publisher.messages)
  expect(stored.topics).toEqual([])
})
