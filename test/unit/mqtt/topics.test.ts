import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {nameProblem} from '../../../src/config/validate/names.ts'
import {assertTopic, Topics} from '../../../src/mqtt/topics.ts'
import {checkProperty} from '../../support/seeds.ts'

const topics = new Topics('miio2mqtt', 'homeassistant/status')

/** What users write, and what would do harm: wildcards, levels, control characters, halves of characters, words of topics. */
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
  it('are accepted by every broker, whatever name the configuration accepts', () => {
    checkProperty(
      fc.property(names, (name) => {
        for (const topic of topicsOf(name)) expect(() => assertTopic(topic)).not.toThrow()
      }),
      {numRuns: 600},
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
      {numRuns: 600},
    )
  })

  it('are parsed again to its name', () => {
    checkProperty(
      fc.property(names, properties, (name, property) => {
        expect(topics.parse(`miio2mqtt/${name}/set`)).toEqual({kind: 'set', name})
        expect(topics.parse(`miio2mqtt/${name}/get`)).toEqual({kind: 'get', name})
        expect(topics.parse(topics.set(name, property))).toEqual({kind: 'set', name, property})
        expect(topics.parse(`miio2mqtt/${name}/get/${property}`)).toEqual({kind: 'get', name, property})
      }),
    )
  })

  it('are not parsed as commands when the bridge publishes on them', () => {
    checkProperty(
      fc.property(names, (name) => {
        for (const topic of [topics.state(name), topics.availability(name), topics.response(name)])
          expect(topics.parse(topic)).toBeUndefined()
      }),
    )
  })
})

describe('the subscriptions', () => {
  it('match every command exactly once, and nothing the bridge publishes', () => {
    checkProperty(
      fc.property(fc.uniqueArray(names, {minLength: 1, maxLength: 5}), properties, (all, property) => {
        const filters = topics.commands()
        const matching = (topic: string) => filters.filter((filter) => matches(filter, topic)).length
        for (const name of all) {
          expect(matching(`miio2mqtt/${name}/set`)).toBe(1)
          expect(matching(`miio2mqtt/${name}/get/${property}`)).toBe(1)
          expect(
            [topics.state(name), topics.availability(name), topics.response(name)].map(matching),
          ).toEqual([0, 0, 0])
        }
      }),
    )
  })

  it('for mistaken commands match no command, which would be carried out twice', () => {
    checkProperty(
      fc.property(fc.uniqueArray(names, {minLength: 1, maxLength: 5}), properties, (all, property) => {
        const filters = topics.mistakenCommands(all)
        for (const name of all)
          for (const below of ['set', 'get', `set/${property}`, `get/${property}`])
            expect(matchedBy(filters, `miio2mqtt/${name}/${below}`)).toBe(0)
      }),
    )
  })

  it('for mistaken commands have two filters for each name of several levels, for fifty at most', () => {
    const few = topics.mistakenCommands(['desk', 'kitchen/kettle'])
    expect(topics.mistakenCommands(Array.from({length: 500}, (_, at) => `room/plug ${at}`))).toHaveLength(
      few.length + 98,
    )
    for (const topic of [
      'desk',
      'lamp',
      'lamp/cmnd/POWER',
      'cmnd/lamp/POWER',
      'kitchen/kettle',
      'kitchen/kettle/command',
      'lamp/set/usb/x',
      'lamp/sets',
      'lamp/switch',
      'lamp/on',
      'lamp/state',
      'lamp/led',
      'bridge/requests/info',
      'bridge/config/log_level',
      'bridge/device/remove',
      'bridge/restart',
    ])
      expect(matchedBy(few, `miio2mqtt/${topic}`)).toBe(1)
  })

  it('for mistaken commands match no request and nothing that the bridge publishes about itself', () => {
    const filters = topics.mistakenCommands(['desk'])
    const requests = ['', 'info', 'set', 'set/x/y', 'config/set', 'device/rename', 'device/set/x'].map(
      (verb) => topics.request(verb),
    )
    const own = ['info', 'devices', 'groups', 'health', 'event', 'logging'] as const
    for (const topic of [
      ...requests,
      ...own.map((leaf) => topics.bridge(leaf)),
      topics.bridgeResponse('x/y'),
    ])
      expect(matchedBy(filters, topic)).toBe(0)
  })

  it('for mistaken commands leave out the values of a plug where these are published', () => {
    const publishing = new Topics('miio2mqtt', undefined, undefined, true)
    for (const value of ['state', 'led', 'usb', 'power', 'temperature']) {
      expect(matchedBy(publishing.mistakenCommands(['desk']), `miio2mqtt/desk/${value}`)).toBe(0)
      expect(publishing.intendedName(`miio2mqtt/desk/${value}`, (name) => name === 'desk')).toBeUndefined()
    }
    expect(matchedBy(publishing.mistakenCommands(['desk']), 'miio2mqtt/desk/switch')).toBe(1)
  })

  it('match commands to names of as many levels as the configuration accepts', () => {
    const nameOf = (levels: number) => Array(levels).fill('x').join('/')
    expect(nameProblem(nameOf(8))).toBeUndefined()
    expect(nameProblem(nameOf(9))).toMatch(/levels/)
    expect(matchedBy(topics.commands(), topics.set(nameOf(8), 'led'))).toBe(1)
  })

  it('match commands to names that do not exist, and requests of any depth', () => {
    const filters = topics.commands()
    for (let depth = 1; depth <= 8; depth++)
      for (const end of ['set', 'get', 'set/led', 'get/led'])
        expect(matchedBy(filters, `miio2mqtt/${Array(depth).fill('x').join('/')}/${end}`)).toBe(1)
    for (const verb of ['info', 'device/rename', 'a/b/c', 'a/b/c/d/e/f'])
      expect(matchedBy(filters, `miio2mqtt/bridge/request/${verb}`)).toBe(1)
  })

  it('have the status of Home Assistant only when it is configured', () => {
    expect(topics.statusTopics).toEqual(['homeassistant/status'])
    expect(new Topics('b').statusTopics).toEqual([])
  })
})

describe('a response topic', () => {
  const isTaken = (name: string) => name === 'desk' || name === 'kitchen/kettle'
  const problem = (topic: string) => topics.responseProblem(topic, isTaken)

  it.each([
    'my/answers',
    'flows/answers',
    'client-7/response',
    'me',
    'miio2mqtt_client/1',
    'miio2mqtt/answers/flow',
    'a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p',
    'x'.repeat(256),
    'Küche/Antwort',
  ])('of a client is used: %s', (topic) => {
    expect(problem(topic)).toBeUndefined()
  })

  it.each([
    ['', /empty/],
    ['a/#', /wildcard/],
    ['a/+/b', /wildcard/],
    ['$SYS/x', /"\$"/],
    ['$share/g/x', /"\$"/],
    ['a//b', /empty level/],
    ['a\u0000', /control/],
    [`${'l/'.repeat(16)}l`, /16 levels/],
    [`${'l/'.repeat(220)}l`, /200 slashes/],
    ['x'.repeat(257), /256 bytes/],
    ['ü'.repeat(129), /256 bytes/],
    ['miio2mqtt', /belongs to the bridge/],
    ['miio2mqtt/desk', /belongs to the bridge/],
    ['miio2mqtt/other', /belongs to the bridge/],
    ['miio2mqtt/desk/power', /belongs to the bridge/],
    ['miio2mqtt/kitchen/kettle/answers', /belongs to the bridge/],
    ['miio2mqtt/other/set', /belongs to the bridge/],
    ['miio2mqtt/other/set/led', /belongs to the bridge/],
    ['miio2mqtt/a/b/availability', /belongs to the bridge/],
    ['miio2mqtt/desk/response', /belongs to the bridge/],
    ['miio2mqtt/bridge/state', /belongs to the bridge/],
    ['miio2mqtt/bridge/request/restart', /belongs to the bridge/],
    ['miio2mqtt/bridge/response/info', /belongs to the bridge/],
    ['homeassistant/status', /Home Assistant/],
    ['homeassistant/device/x/config', /Home Assistant/],
    ['homeassistant', /Home Assistant/],
    ['elsewhere/device/x/config', /topic for commands/],
    ['zigbee2mqtt/x/set', /topic for commands/],
    ['zigbee2mqtt/x/set/state', /topic for commands/],
    ['zigbee2mqtt/bridge/request/device/remove', /topic for commands/],
    ['cmnd/tasmota/POWER', /topic for commands/],
    ['tasmota/cmnd/POWER', /topic for commands/],
    ['shellies/x/relay/0/command', /topic for commands/],
    ['shelly/rpc', /topic for commands/],
    ['homie/a/b/c/SET', /topic for commands/],
    ['wled/x/api', /topic for commands/],
  ])('%s is refused', (topic, expected) => {
    expect(problem(topic)).toMatch(expected)
  })

  it('is checked against the configured prefix and base topic', () => {
    const other = new Topics('home/plugs', 'ha/birth', 'ha')
    expect(other.responseProblem('ha/device/x', isTaken)).toMatch(/Home Assistant/)
    expect(other.responseProblem('ha/birth', isTaken)).toMatch(/Home Assistant/)
    expect(other.responseProblem('home/plugs/desk', isTaken)).toMatch(/belongs to the bridge/)
    expect(other.responseProblem('home/answers', isTaken)).toBeUndefined()
  })
})

describe('a message that is no command', () => {
  it.each([
    ['miio2mqtt/lamp', 'lamp'],
    ['miio2mqtt/lamp/command', 'lamp'],
    ['miio2mqtt/lamp/SET', 'lamp'],
    ['miio2mqtt/bridge/set', 'bridge'],
    ['miio2mqtt/pump/command', 'pump/command'],
    ['miio2mqtt/pump/command/command', 'pump/command'],
    ['miio2mqtt/lamp/cmnd/POWER', 'lamp'],
    ['miio2mqtt/lamp/Set/state', 'lamp'],
    ['miio2mqtt/cmnd/lamp/POWER', 'lamp'],
    ['miio2mqtt/lamp/set/usb/x', 'lamp'],
    ['miio2mqtt/lamp/sets', 'lamp'],
    ['miio2mqtt/lamp/switch', 'lamp'],
    ['miio2mqtt/lamp/on', 'lamp'],
    ['miio2mqtt/lamp/state', 'lamp'],
    ['miio2mqtt/lamp/led', 'lamp'],
    ['miio2mqtt/bridge/requests/info', 'bridge'],
    ['miio2mqtt/bridge/config/log_level', 'bridge'],
    ['miio2mqtt/bridge/device/remove', 'bridge'],
    ['miio2mqtt/bridge/restart', 'bridge'],
    ['miio2mqtt/bridge/state', undefined],
    ['miio2mqtt/lamp/power', undefined],
    ['miio2mqtt/bridge/response/a/get', undefined],
    ['miio2mqtt/bridge/response/set/x', undefined],
    ['miio2mqtt/bridge/devices', undefined],
    ['miio2mqtt/lamp/availability', undefined],
    ['homeassistant/device/x/config', undefined],
    ['other/lamp/command', undefined],
  ])('on %s is attributed to the plug that it is probably meant for', (topic, name) => {
    expect(topics.intendedName(topic, (each) => each === 'pump/command')).toBe(name)
  })
})

describe('a request', () => {
  it.each([
    'info',
    'set',
    'x/set',
    'set/x',
    'set/set',
    'get/set',
    'x/set/get/set',
    'a/b/c/d/e/f/get/set',
    'a/b/c/d/e/f/g/h/set',
  ])('called %s has as many copies as there are filters that match it', (verb) => {
    const request = topics.request(verb)
    expect(topics.deliveriesOf(request)).toBe(matchedBy(topics.commands(), request))
  })
})

describe('the topic of a message from the broker', () => {
  it.each([
    ['miio2mqtt/bridge/request/info', {kind: 'request', verb: 'info'}],
    ['miio2mqtt/bridge/request/a/b/c', {kind: 'request', verb: 'a/b/c'}],
    ['miio2mqtt/bridge/request/device/rename', {kind: 'request', verb: 'device/rename'}],
    ['homeassistant/status', {kind: 'home_assistant_status'}],
    ['miio2mqtt/bridge/state', undefined],
    ['miio2mqtt/bridge/set', undefined],
    ['miio2mqtt/set', undefined],
    ['other/desk/set', undefined],
    ['miio2mqttx/desk/set', undefined],
  ])('%s is parsed', (topic, meaning) => {
    expect(topics.parse(topic)).toEqual(meaning)
  })

  it('never makes the parser throw', () => {
    checkProperty(fc.property(fc.string({unit: 'binary'}), (text) => void topics.parse(`miio2mqtt/${text}`)))
  })
})

function matchedBy(filters: readonly string[], topic: string): number {
  return filters.filter((filter) => matches(filter, topic)).length
}

/** Whether a filter matches a topic. */
function matches(filter: string, topic: string): boolean {
  if (filter.endsWith('/#')) return `${topic}/`.startsWith(filter.slice(0, -1))
  const wanted = filter.split('/')
  const levels = topic.split('/')
  return wanted.length === levels.length && wanted.every((level, at) => level === '+' || level === levels[at])
}
