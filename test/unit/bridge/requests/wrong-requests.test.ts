/** The refusals of wrong requests: they name the field, what was expected, and what was received. */
import fc from 'fast-check'
import {beforeEach, describe, expect, it} from 'vitest'
import {Group} from '../../../../src/bridge/group.ts'
import type {Plug} from '../../../../src/bridge/plug.ts'
import type {BridgeActions} from '../../../../src/bridge/requests/bridge-actions.ts'
import {Requests} from '../../../../src/bridge/requests/requests.ts'
import {RememberingLog} from '../../../support/remembering-log.ts'
import {checkProperty} from '../../../support/seeds.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {RememberingPublisher, StagedPlug, testContext, topics} from '../stage.ts'

let publisher: RememberingPublisher
let log: RememberingLog
let edits: number
let warnings: string[]
/** Warnings about the configuration after an edit. */
let newWarnings: string[]
let requests: Requests

const VERBS = [
  'health_check',
  'info',
  'options',
  'discover',
  'reload',
  'restart',
  'device/add',
  'device/remove',
  'device/rename',
  'device/options',
  'device/poll',
  'device/info',
  'device/call',
  'group/add',
  'group/remove',
  'group/members',
]

const actions: BridgeActions = {
  info: () => ({}),
  health: () => ({}),
  setLogLevel: () => {},
  reload: async () => undefined,
  edit: async (asked) => {
    edits += asked().length
    warnings = [...warnings, ...newWarnings]
    return undefined
  },
  warnings: () => warnings,
  allowsRawCalls: () => false,
  discover: async () => [],
}

beforeEach(() => {
  const clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  log = new RememberingLog()
  edits = 0
  warnings = ['mqtt.verify: without effect']
  newWarnings = []
  const plugs = new Map<string, Plug>(
    ['desk', 'kitchen/kettle', 'hall-lamp'].map((name) => [name, new StagedPlug(clock, {name})]),
  )
  const evening = new Group('evening', {members: ['desk', 'hall-lamp']}, plugs)
  const context = testContext(clock, {plugs, groups: new Map([['evening', evening]]), publisher, log})
  context.names.recordRename('table', 'desk')
  requests = new Requests(context, actions)
})

/** The message of the refusal; `ok` when there is none. */
async function refusal(verb: string, payload: unknown): Promise<string> {
  publisher.messages.length = 0
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const topic = topics.request(verb)
  await requests.request(verb, {topic, payload: Buffer.from(text), retained: false})
  const answer = JSON.parse(publisher.messages[0]?.payload ?? '{}')
  return answer.error?.message ?? answer.status
}

const TOKEN = '00112233445566778899aabbccddeeff'

describe('a request with a wrong payload', () => {
  it.each([
    // Missing, with another name.
    [
      'device/rename',
      {old: 'desk', new: 'tv'},
      /^from: expected the name of a plug, got nothing; to: expected a new name, got nothing; unknown key "old", did you mean "from"\?; unknown key "new", did you mean "to"\?/,
    ],
    ['device/rename', {from: 'desk'}, /^to: expected a new name, got nothing/],
    [
      'device/rename',
      {friendly_name: 'desk', to: 'tv'},
      /unknown key "friendly_name", did you mean "from"\?/,
    ],
    ['device/rename', {name: 'desk', to: 'tv'}, /unknown key "name", did you mean "from"\?/],
    [
      'device/remove',
      {id: 'desk'},
      /^name: expected the name of a plug, got nothing; unknown key "id", did you mean "name"\?/,
    ],
    ['device/remove', {friendly_name: 'desk'}, /unknown key "friendly_name", did you mean "name"\?/],
    ['device/remove', {Name: 'desk'}, /unknown key "Name", did you mean "name"\?/],
    ['device/poll', {device: 'desk'}, /unknown key "device", did you mean "name"\?/],
    ['device/info', {nmae: 'desk'}, /unknown key "nmae", did you mean "name"\?/],
    [
      'device/options',
      {name: 'desk', settings: {}},
      /^options: expected a mapping .*, got nothing; unknown key "settings", did you mean "options"\?/,
    ],
    [
      'device/call',
      {name: 'desk', command: 'get_prop'},
      /^method: expected .*, got nothing; unknown key "command", did you mean "method"\?/,
    ],
    [
      'device/add',
      {friendly_name: 'fan', host: '192.168.1.9', token: TOKEN},
      /^name: expected a new name, got nothing; unknown key "friendly_name", did you mean "name"\?/,
    ],
    [
      'group/add',
      {name: 'night', devices: ['desk']},
      /^members: expected a list of plugs' names, got nothing; unknown key "devices", did you mean "members"\?/,
    ],
    ['group/remove', {group: 'evening'}, /unknown key "group", did you mean "name"\?/],
    ['group/members', {name: 'evening', added: ['desk']}, /unknown key "added", did you mean "add"\?/],
    [
      'group/members',
      {group: 'evening', device: 'desk'},
      /unknown key "group", did you mean "name"\?; unknown key "device", did you mean "add" or "remove"\?/,
    ],
    ['group/members', {name: 'evening'}, /^expected "add" or "remove" with .*, got neither; for example \{/],
    ['group/members', {name: 'evening', plug: 'desk', add: ['desk']}, /"plug", did you mean "remove"\?/],
    ['group/add', {name: 'night', device: 'desk'}, /unknown key "device", did you mean "members"\?/],
    ['options', {loglevel: 'debug'}, /unknown key "loglevel", did you mean "log_level"\?/],
    ['options', {level: 'debug'}, /unknown key "level", did you mean "log_level"\?/],
    ['discover', {seconds: 5}, /unknown key "seconds", did you mean "timeout"\?/],
    // Unknown, with nothing similar.
    ['device/poll', {name: 'desk', now: true}, /^unknown key "now": expected name alone/],
    ['restart', {now: true}, /^unknown key "now": this request takes none$/],
    ['device/rename', {from: 'desk', to: 'tv', [TOKEN]: 1}, /^unknown key "\*\*\*"/],
    // Of another type.
    ['device/remove', {name: 5}, /^name: expected the name of a plug, got 5/],
    ['device/remove', {name: null}, /^name: expected the name of a plug, got null/],
    ['device/remove', {name: ''}, /^name: expected the name of a plug, got nothing/],
    ['device/remove', {name: ['desk']}, /^name: expected the name of a plug, got a list/],
    ['device/remove', {name: {desk: TOKEN}}, /^name: expected the name of a plug, got a mapping/],
    [
      'group/add',
      {name: 'night', members: 'desk'},
      /^members: expected a list of plugs' names, got "desk": write \["desk"\]/,
    ],
    [
      'group/add',
      {name: 'night', members: []},
      /^members: expected a list of plugs' names, got an empty list/,
    ],
    ['group/add', {name: 'night', members: ['desk', 7]}, /^members\.1: expected the name of a plug, got 7/],
    [
      'group/members',
      {name: 'evening', remove: {}},
      /^remove: expected a list of plugs' names, got a mapping/,
    ],
    ['discover', {timeout: '5'}, /^timeout: expected a number of seconds from 0\.1 to 60, got "5"/],
    ['discover', {timeout: 1000}, /^timeout: expected a number of seconds from 0\.1 to 60, got 1000/],
    ['discover', '{"timeout":1e999}', /^timeout: expected a number of seconds from 0\.1 to 60, got Infinity/],
    ['options', {log_level: 'loud'}, /^log_level: expected trace, debug, info, warn or error, got "loud"/],
    ['options', {log_level: 'DEBUG'}, /^log_level: expected .*, got "DEBUG", did you mean "debug"\?/],
    ['options', {log_level: 'warning'}, /got "warning", did you mean "warn"\?/],
    ['options', {log_level: 3}, /^log_level: expected .*, got 3/],
    ['options', {}, /^log_level: expected .*, got nothing/],
    // Nested.
    ['device/options', {name: 'desk', options: ['a']}, /^options: expected a mapping .*, got a list/],
    ['device/options', {name: 'desk', options: 'area'}, /^options: expected a mapping .*, got "area"/],
    [
      'device/options',
      {name: 'desk', options: {poll: {interval: null}}},
      /^options\.poll\.interval: expected .*, got null/,
    ],
    [
      'device/options',
      {name: 'desk', options: {filtered: ['led', null]}},
      /^options\.filtered\.1: expected .*, got null/,
    ],
    ['device/options', '{"name":"desk","options":{"qos":1e999}}', /^options\.qos: expected .*, got Infinity/],
    ['device/add', {name: 'fan', host: null, token: TOKEN}, /^host: expected .*, got null/],
    ['device/add', {name: 'fan', poll: {interval: null}}, /^poll\.interval: expected .*, got null/],
    ['device/call', '{"name":"desk","method":"x","params":[1e999]}', /^params\.0: expected .*, got Infinity/],
    // No JSON, or other JSON.
    ['options', 'debug', /^expected a JSON object such as \{"log_level":"debug"\}, got "debug"$/],
    ['device/remove', 'desk', /^expected a JSON object such as \{"name":"lamp"\}, got "desk"$/],
    ['device/remove', '"desk"', /^expected a JSON object such as .*, got "desk"$/],
    ['device/remove', '["desk"]', /^expected a JSON object such as .*, got a list$/],
    ['device/remove', '5', /^expected a JSON object such as .*, got 5$/],
    ['info', 'please', /^expected a JSON object or nothing, got "please"$/],
    [
      'options',
      "{'log_level':'debug'}",
      /^expected JSON, got .*: JSON has double quotes, as in \{"log_level":"debug"\}$/,
    ],
    [
      'options',
      '{log_level:"debug"}',
      /^expected JSON, got .*: the names of JSON are in double quotes, as in/,
    ],
    ['options', '{"log_level":"debug",}', /^expected JSON, got .*: a comma before a closing bracket/],
    ['options', '{"log_level":"debug"', /^expected JSON, got .*: it ends too early/],
    [
      'options',
      '{"log_level":debug}',
      /^expected JSON, got .*: a value is none of JSON; text is in double quotes/,
    ],
    ['options', '{"log_level":', /^expected JSON, got .*: it ends too early/],
    ['options', '{"log_level" "debug"}', /^expected JSON, got .*: wrong from character 14 on/],
  ])('%s %j says what is wrong with it', async (verb, payload, expected) => {
    expect(await refusal(verb, payload)).toMatch(expected)
    expect(edits).toBe(0)
  })

  it('has an example of a valid one in its response', async () => {
    expect(await refusal('device/rename', {old: 'desk', new: 'tv'})).toMatch(
      /; for example \{"from":"lamp","to":"office\/lamp"\}$/,
    )
  })

  it('with thousands of wrong keys is refused with the first ten', async () => {
    const keys = Object.fromEntries(Array.from({length: 1000}, (_, at) => [`key${at}`, 1]))
    const words = await refusal('restart', keys)
    expect(words).toMatch(/; and 990 more problems$/)
    expect(words.length).toBeLessThan(1000)
  })

  it.each([
    `{"name":"fan","token":"${TOKEN}",}`,
    `{"token":"${TOKEN}" "name":"fan"}`,
    `{"name":{"token":"${TOKEN}"}}`,
    `{"name":"fan","host":null,"token":"${TOKEN}"}`,
    `["${TOKEN}"]`,
    `"${TOKEN}"`,
    TOKEN,
    `{"${TOKEN}":1}`,
  ])('%s is not repeated with the token in it, neither in the answer nor in the log', async (payload) => {
    const words = await refusal('device/add', payload)
    const logged = log.lines.map(({message}) => String(message)).join('\n')
    for (const text of [words, logged]) expect(text).not.toMatch(/[0-9a-f]{12}/)
  })
})

describe('a request about a name that does not exist', () => {
  it.each([
    ['device/poll', {name: 'Desk'}, /^no plug is called "Desk": known are .*, did you mean desk\?$/],
    ['device/poll', {name: 'desk '}, /did you mean desk\?$/],
    ['device/poll', {name: 'kettle'}, /did you mean kitchen\/kettle\?$/],
    ['device/poll', {name: 'hall_lamp'}, /did you mean hall-lamp\?$/],
    ['device/poll', {name: 'table'}, /; it was renamed to desk$/],
    [
      'device/poll',
      {name: 'aquarium'},
      /^no plug is called "aquarium": known are desk, kitchen\/kettle, hall-lamp$/,
    ],
    ['device/poll', {name: 'evening'}, /; it is a group$/],
    ['device/remove', {name: 'dekk'}, /did you mean desk\?$/],
    ['device/rename', {from: 'Desk', to: 'tv'}, /did you mean desk\?$/],
    ['device/options', {name: 'Desk', options: {}}, /did you mean desk\?$/],
    [
      'group/remove',
      {name: 'Evening'},
      /^no group is called "Evening": known are evening, did you mean evening\?$/,
    ],
    ['group/members', {name: 'desk', add: ['desk']}, /; it is a plug$/],
  ])('%s %j is refused with the names that exist, and a suggestion', async (verb, payload, expected) => {
    expect(await refusal(verb, payload)).toMatch(expected)
  })

  it.each([
    ['device/renam', /got device\/renam, did you mean device\/rename\?$/],
    ['Device/Poll', /did you mean device\/poll\?$/],
    ['device_poll', /did you mean device\/poll\?$/],
    ['rename', /did you mean device\/rename\?$/],
    ['device/delete', /did you mean device\/remove\?$/],
    ['group/members/add', /did you mean group\/members\?$/],
    ['healthcheck', /did you mean health_check\?$/],
    ['scan', /did you mean discover\?$/],
    ['permit_join', /got permit_join, did you mean discover\?$/],
    ['group/rename', /got group\/rename: a group cannot be renamed: add one .*, then remove the other$/],
    ['Groups/Rename', /: a group cannot be renamed/],
    ['group/poll', /: a group is read with a message on its topic …\/get$/],
    ['group/get', /: a group is read with/],
    ['group/set', /: a group is switched with/],
    ['group/call', /got group\/call$/],
    ['device/members', /got device\/members$/],
    ['device/restore', /got device\/restore$/],
    ['group/remote', /did you mean group\/remove\?$/],
    ['devices/rename', /did you mean device\/rename\?$/],
    ['plug/poll', /did you mean device\/poll\?$/],
    ['device', /did you mean device\/add, device\/remove, .* or device\/call\?$/],
    ['devices', /did you mean device\/add, device\/remove, .* or device\/call\?$/],
    ['groups', /did you mean group\/add, group\/remove or group\/members\?$/],
    ['', /^expected one of .* after …\/bridge\/request\/ in the topic, got none$/],
    ['/', /in the topic, got none$/],
    ['nonsense', /got nonsense$/],
    ['x'.repeat(60_000), /got x{200}$/],
  ])('called %.30s is refused with the requests that exist', async (verb, expected) => {
    for (const payload of ['', 'info', 'true', '{"transaction":1}', '{'])
      expect(await refusal(verb, payload)).toMatch(expected)
  })

  it('has its transaction in the response, and is logged without a gap in the place of the verb', async () => {
    await refusal('', {transaction: 'mine'})
    expect(publisher.messages[0]?.topic).toBe('miio2mqtt/bridge/response')
    expect(JSON.parse(publisher.messages[0]?.payload ?? '')).toMatchObject({transaction: 'mine'})
    expect(log.messages('warn')).toEqual([expect.stringMatching(/^request: refused on miio2mqtt\//)])
  })
})

describe('a request that changes the configuration', () => {
  it.each([
    ['device/add', {name: 'fan', host: '192.168.1.9', token: TOKEN}],
    ['device/rename', {from: 'desk', to: 'tv'}],
    ['device/options', {name: 'desk', options: {filtered: ['rsi']}}],
    ['device/remove', {name: 'desk'}],
    ['group/add', {name: 'night', members: ['desk']}],
    ['group/members', {name: 'evening', remove: ['desk']}],
    ['group/remove', {name: 'evening'}],
  ])('%s %j is answered with what the configuration warns of since then', async (verb, payload) => {
    newWarnings = ['devices.desk: ignored filtered: rsi']
    expect(await refusal(verb, payload)).toBe('ok')
    expect(answer().data.warnings).toEqual(newWarnings)
    newWarnings = []
    await refusal('device/options', {name: 'desk', options: {area: 'Study'}})
    expect(answer().data).not.toHaveProperty('warnings')
  })

  const answer = () => JSON.parse(publisher.messages[0]?.payload ?? '')
})

describe('a new name that is taken', () => {
  it.each([
    ['device/rename', {from: 'desk', to: 'evening'}, /^"evening" is a group already$/],
    ['device/add', {name: 'evening', host: '192.168.1.9', token: TOKEN}, /^"evening" is a group already$/],
    ['group/add', {name: 'desk', members: ['desk']}, /^"desk" is a plug already$/],
    ['device/rename', {from: 'desk', to: 'hall-lamp'}, /^hall-lamp is configured already$/],
    ['group/add', {name: 'evening', members: ['desk']}, /^evening is configured already$/],
  ])('%s %j says what has it, and changes nothing', async (verb, payload, expected) => {
    expect(await refusal(verb, payload)).toMatch(expected)
    expect(edits).toBe(0)
  })
})

/** Terms of the schema library, which mean nothing to the sender of a request. */
const FOREIGN = /Invalid|Unrecognized|received|undefined|\|"|Too (small|big)|>=|<=|Unexpected|at position/

/** What was sent may have any words: quoted in full, or cut short with `…` in place of the closing quote. */
const withoutQuotes = (words: string) => words.replace(/"(?:[^"\\…]|\\[^…])*\\?(?:"|…)/g, '""')

const anything = fc.oneof(
  fc.jsonValue({maxDepth: 3}),
  fc.constantFrom(null, '', 0, 1e21, true, [], {}, [[]], {a: null}, 'debug', 'desk', ['desk', null]),
)
const wrongPayloads = fc.oneof(
  fc.dictionary(
    fc.oneof(
      fc.constantFrom('name', 'from', 'to', 'options', 'members', 'add', 'remove', 'method', 'params'),
      fc.constantFrom('log_level', 'timeout', 'id', 'old', 'new', 'friendly_name', 'transaction', 'host'),
      fc.string({maxLength: 12}),
    ),
    anything,
  ),
  anything,
)

describe('no response to a request', () => {
  it('has terms of a library in it, whatever was sent', async () => {
    await checkProperty(
      fc.asyncProperty(fc.constantFrom(...VERBS), wrongPayloads, async (verb, payload) => {
        const text = JSON.stringify(payload) ?? ''
        const words = await refusal(verb, text)
        expect(withoutQuotes(words)).not.toMatch(FOREIGN)
        expect(words).not.toMatch(/Invalid input|Unrecognized key|received undefined/)
        expect(words).not.toContain('\n')
      }),
      {numRuns: 100},
    )
  })

  it('to text that is no JSON has terms of a library in it', async () => {
    const cut = fc.json({maxDepth: 3}).map((text) => text.slice(0, -1))
    await checkProperty(
      fc.asyncProperty(fc.constantFrom(...VERBS), fc.oneof(cut, fc.string()), async (verb, text) => {
        expect(withoutQuotes(await refusal(verb, text))).not.toMatch(FOREIGN)
      }),
      {numRuns: 100},
    )
  })
})
