import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {nameProblem} from '../../../src/config/names.ts'
import {assertTopic, Topics} from '../../../src/mqtt/topics.ts'
import {checkProperty} from '../../support/seeds.ts'

const topics = new Topics('miio2mqtt', 'homeassistant/status')

/** What people write, and what would hurt: wildcards, levels, control characters, halves of characters, words of topics. */
const pieces = fc.oneof(
  fc.constantFrom(
    '+',
    '#',
    '/',
    '//',
    '$',
    '\u0000',
    '\u007f',
    '\ud800',
    '\uffff',
    '\u2028',
    '\u0378',
    '\u{1fffe}',
  ),
  fc.constantFrom(
    'set',
    'get',
    'response',
    'availability',
    'bridge',
    'request',
    'state',
    'desk',
    'Küche',
    'лампа',
    '🔌',
  ),
  fc.string({unit: 'binary', minLength: 1, maxLength: 3}),
)
const anyNames = fc
  .array(fc.tuple(pieces, fc.constantFrom('', '/', ' ')), {minLength: 1, maxLength: 4})
  .map((parts) => parts.flat().join(''))
const names = anyNames.filter((name) => nameProblem(name) === undefined)
const properties = fc.constantFrom('state', 'usb', 'led', 'power')

/** All topics of a plug. */
const topicsOf = (name: string) => [
  topics.state(name),
  topics.availability(name),
  topics.response(name),
  topics.set(name, 'state'),
]

describe('the topics of a plug', () => {
  it('are such that every broker takes them, whatever name the configuration accepts', () => {
    checkProperty(
      fc.property(names, (name) => {
        for (const topic of topicsOf(name)) expect(() => assertTopic(topic)).not.toThrow()
      }),
      {numRuns: 3000},
    )
  })

  it('never hold a wildcard, an empty level or a control character', () => {
    checkProperty(
      fc.property(names, (name) => {
        for (const topic of topicsOf(name)) {
          expect(topic).not.toMatch(/[+#\p{Cc}]/u)
          expect(topic.split('/')).not.toContain('')
        }
      }),
      {numRuns: 3000},
    )
  })

  it('are found again in a message to it', () => {
    checkProperty(
      fc.property(names, properties, (name, property) => {
        expect(topics.parse(`miio2mqtt/${name}/set`)).toEqual({kind: 'set', name})
        expect(topics.parse(`miio2mqtt/${name}/get`)).toEqual({kind: 'get', name})
        expect(topics.parse(topics.set(name, property))).toEqual({kind: 'set', name, property})
        expect(topics.parse(`miio2mqtt/${name}/get/${property}`)).toEqual({kind: 'get', name, property})
      }),
    )
  })

  it('are commands only where they are meant to be: what the bridge says never commands another plug', () => {
    checkProperty(
      fc.property(names, (name) => {
        for (const topic of [topics.state(name), topics.availability(name), topics.response(name)])
          expect(topics.parse(topic)).toBeUndefined()
      }),
    )
  })
})

describe('the subscriptions', () => {
  it('catch every command exactly once, and nothing the bridge says itself', () => {
    checkProperty(
      fc.property(fc.uniqueArray(names, {minLength: 1, maxLength: 5}), properties, (all, property) => {
        const filters = topics.commands(all)
        const caught = (topic: string) => filters.filter((filter) => matches(filter, topic)).length
        for (const name of all) {
          expect(caught(`miio2mqtt/${name}/set`)).toBe(1)
          expect(caught(`miio2mqtt/${name}/get/${property}`)).toBe(1)
          expect([topics.state(name), topics.availability(name), topics.response(name)].map(caught)).toEqual([
            0, 0, 0,
          ])
        }
      }),
    )
  })

  it('grow with the depth of the names, not with their number', () => {
    const many = Array.from({length: 1000}, (_, index) => `plug ${index}`)
    expect(topics.commands(many)).toEqual(topics.commands(['desk']))
  })

  it('hold the status of Home Assistant only when that is listened to', () => {
    expect(topics.news).toEqual(['homeassistant/status'])
    expect(new Topics('b').news).toEqual([])
    expect(topics.commands([])).toEqual(['miio2mqtt/bridge/request/+', 'miio2mqtt/bridge/request/+/+'])
  })
})

describe('a topic that comes in', () => {
  it.each([
    ['miio2mqtt/bridge/request/info', {kind: 'request', verb: 'info'}],
    ['miio2mqtt/bridge/request/device/rename', {kind: 'request', verb: 'device/rename'}],
    ['homeassistant/status', {kind: 'home_assistant_status'}],
    ['miio2mqtt/bridge/state', undefined],
    ['miio2mqtt/bridge/set', undefined],
    ['miio2mqtt/set', undefined],
    ['other/desk/set', undefined],
    ['miio2mqttx/desk/set', undefined],
  ])('%s is understood', (topic, meaning) => {
    expect(topics.parse(topic)).toEqual(meaning)
  })

  it('is never a reason to fail, whatever it is', () => {
    checkProperty(fc.property(fc.string({unit: 'binary'}), (text) => void topics.parse(`miio2mqtt/${text}`)))
  })
})

/** Whether a filter with single-level wildcards catches a topic. */
function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  return wanted.length === levels.length && wanted.every((level, at) => level === '+' || level === levels[at])
}
