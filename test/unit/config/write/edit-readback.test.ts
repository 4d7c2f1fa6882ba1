import {isDeepStrictEqual} from 'node:util'
import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import type {ConfigEdit, ConfigValue} from '../../../../src/bridge/requests/bridge-actions.ts'
import {ConfigError} from '../../../../src/config/config-error.ts'
import {parseYaml, type RawYaml, YamlPlaces} from '../../../../src/config/read/yaml.ts'
import {readYaml} from '../../../../src/config/read/yaml-reader.ts'
import {editYaml} from '../../../../src/config/write/edit.ts'
import {checkProperty, INPUT_FACTOR} from '../../../support/seeds.ts'
import {TOKEN} from '../../../support/token.ts'

const RUNS = 200

const flow = `devices: {lamp: {host: 192.168.1.40, token: ${TOKEN}, filtered: [led]}}
groups: {evening: {members: [lamp]}}
`
const block = `devices:
  lamp:
    host: 192.168.1.40
    token: ${TOKEN}
    filtered:
      - led
groups:
  evening:
    members:
      - lamp
`
const commented = `# mine
devices: # all of them
  lamp: # the one
    # where
    host: 192.168.1.40 # here
    token: !secret lamp # hidden
    description: |
      of several
      lines

    filtered: [led] # too bright
  fan: {host: 192.168.1.41, token: !env FAN, area: 'a: b'}

groups:
  # at night
  evening:
    members:
      - lamp # it
      # no more
`
const aliased = `devices:
  lamp: &lamp
    host: 192.168.1.40
    token: !file token
    filtered: &hidden [led]
  fan:
    <<: *lamp
    host: 192.168.1.41
    filtered: *hidden
groups:
  evening: {members: &all [lamp, fan]}
  morning: {members: *all}
`
const shared = `usual: &usual {poll: {interval: 5s}}
devices:
  lamp: &lamp
    <<: [{area: &hall Hall}, {icon: 'mdi:lamp'}]
    host: &host 192.168.1.40
    token: &token ab
    poll: &poll {interval: 5s}
  fan: {<<: [*lamp, {description: x}], host: 192.168.1.41, poll: *poll, area: *hall}
  pump:
    token: *token
    poll:
      <<: *poll
      offline_after: 3
    filtered: [&led led, *led]
groups:
  evening: &evening {members: [lamp, fan]}
  morning: *evening
  night: {<<: *evening, area: *hall}
`
const texts = [flow, block, commented, aliased, shared, commented.replaceAll('\n', '\r\n'), `\ufeff${block}`]

/** The values of a text. Tags stay texts, and nothing is resolved. */
function valuesOf(text: string): RawYaml {
  const yaml = parseYaml(text, 'config.yaml')
  expect(yaml.problems).toEqual([])
  const places = new YamlPlaces()
  const report = (path: unknown, message: string) => expect.fail(`${path} ${message}`)
  const resolve = (tag: string, written: string) => `\0${tag}\0${written}`
  return readYaml(yaml, {places, report, resolve, empty: () => '\0'}) ?? {}
}

const refusalOf = (text: string, ...edits: ConfigEdit[]) => {
  try {
    editYaml(text, 'config.yaml', edits).text
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return undefined
}

const hostile = [
  'x:\n!file /dev/zero',
  'led:\n!env X',
  '!file /etc/passwd',
  '!secret a',
  'x: !env HOME',
  '- !file a',
  '*lamp',
  '&a b',
  '<<',
  '? a',
  'a #b',
  '#b',
  'a\n...\nb',
  '---\nb',
  '%TAG ! !file',
  '|\n  a',
  '"a',
  "'a",
  'a: b',
  'a:',
  ':a',
  ', !env X',
  '], x: [!env X',
  '}, x: {!env X',
  ' lead',
  'trail ',
  '\tb',
  'a\tb',
  '\n',
  'a\n\n\nb\n\n',
  'a\r\nb',
  'a\u2028b',
  'a\u0085b',
  '\ufeffa',
  '~',
  'null',
  '',
  '-',
  '- a',
  '@a',
  '`a`',
  '😀',
  'x'.repeat(1100),
  `${'long words '.repeat(20)}\n!file /dev/zero`,
]

const string = fc.oneof(
  fc.constantFrom(...hostile),
  fc.string({unit: 'binary', maxLength: 12}),
  fc.string({unit: fc.constantFrom(...Array.from('ab!&*:#-?|>%@`"\'{}[], \n\r\t\\~<.=')), maxLength: 14}),
  fc.array(fc.constantFrom(...hostile), {minLength: 2, maxLength: 3}).map((parts) => parts.join('')),
)
const value: fc.Arbitrary<ConfigValue> = fc.letrec<{value: ConfigValue}>((tie) => ({
  value: fc.oneof(
    {maxDepth: 2, depthSize: 'small'},
    string,
    fc.double({noNaN: true, noDefaultInfinity: true}),
    fc.boolean(),
    fc.array(tie('value'), {maxLength: 3}),
    fc.dictionary(string, tie('value'), {maxKeys: 3}),
  ),
})).value
const name = fc.oneof(fc.constantFrom('lamp', 'fan', 'pump', 'new'), string)
const key = fc.oneof(
  fc.constantFrom('area', 'description', 'filtered', 'host', 'token', 'icon', 'homeassistant', 'poll'),
  string,
)
const oneEdit: fc.Arbitrary<ConfigEdit> = fc.oneof(
  fc.record({path: fc.tuple(fc.constant('devices'), name), put: fc.dictionary(key, value, {maxKeys: 4})}),
  fc.record({path: fc.tuple(fc.constant('devices'), name, key), put: value}),
  fc.record({path: fc.tuple(fc.constant('devices'), name, key), drop: fc.constant(true as const)}),
  fc.record({path: fc.tuple(fc.constantFrom('devices', 'groups'), name), drop: fc.constant(true as const)}),
  fc.record({path: fc.tuple(fc.constant('devices'), name), rename: name}),
  fc.record({path: fc.tuple(fc.constant('groups'), name), put: fc.record({members: fc.array(string)})}),
  fc.record({
    path: fc.tuple(fc.constant('groups'), fc.constantFrom('evening', 'morning'), fc.constant('members')),
    put: fc.array(string, {maxLength: 3}),
  }),
)

/** The same change, made to the values of the text instead of to the text. */
function changed(before: RawYaml, edit: ConfigEdit): RawYaml {
  const copy: unknown = structuredClone(before)
  let around = copy as Record<string, unknown>
  for (const each of edit.path.slice(0, -1)) {
    const inside = Object.hasOwn(around, each) ? around[each] : undefined
    if (typeof inside !== 'object' || Array.isArray(inside)) {
      if (!('put' in edit)) return before
      define(around, each, {})
    }
    around = around[each] as Record<string, unknown>
  }
  const last = edit.path.at(-1) ?? ''
  if ('put' in edit) define(around, last, asText(edit.put))
  else if ('drop' in edit) delete around[last]
  else {
    define(around, edit.rename, around[last])
    if (edit.rename !== last) delete around[last]
  }
  return copy as RawYaml
}

function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, {value, enumerable: true, writable: true, configurable: true})
}

function asText(written: ConfigValue): unknown {
  if (Array.isArray(written)) return written.map(asText)
  if (typeof written !== 'object') return String(written)
  const copy = {}
  for (const [each, inside] of Object.entries(written)) define(copy, each, asText(inside))
  return copy
}

/** Comparable: without empty sections at the top, which are the same as none. */
function plain(raw: RawYaml): unknown {
  const copy: Record<string, unknown> = JSON.parse(JSON.stringify(raw))
  for (const section of ['devices', 'groups']) if (isDeepStrictEqual(copy[section], {})) delete copy[section]
  return copy
}

describe('an edit of config.yaml by a request', () => {
  it(`changes what it names and nothing else, or is refused`, () => {
    let made = 0
    checkProperty(
      fc.property(fc.constantFrom(...texts), oneEdit, (text, edit) => {
        let after: string
        try {
          after = editYaml(text, 'config.yaml', [edit]).text
        } catch (error) {
          if (error instanceof ConfigError) return
          throw error
        }
        made++
        expect(plain(valuesOf(after))).toEqual(plain(changed(valuesOf(text), edit)))
      }),
      {numRuns: RUNS},
    )
    expect(made).toBeGreaterThan((INPUT_FACTOR * RUNS) / 3)
  })

  it('never makes a tag of a text, in any place a text can come to', () => {
    for (const text of texts)
      for (const words of hostile) {
        const edits: ConfigEdit[] = [
          {path: ['devices', 'lamp', 'filtered'], put: ['led', words]},
          {path: ['devices', 'lamp', 'description'], put: words},
          {
            path: ['devices', 'lamp', 'homeassistant'],
            put: {name: words, entities: {[words]: {name: words}}},
          },
          {path: ['groups', 'evening', 'members'], put: ['lamp', words]},
          {path: ['devices', 'lamp'], rename: words},
          {path: ['devices', words], put: {host: words, token: words}},
          {path: ['devices', 'lamp', words], put: [[words], {[words]: [words]}]},
        ]
        for (const edit of edits) {
          const tags = (of: string) =>
            JSON.stringify(valuesOf(of))
              .match(/\\u0000!\w+/g)
              ?.sort()
          if (refusalOf(text, edit) === undefined)
            expect(tags(editYaml(text, 'config.yaml', [edit]).text)).toEqual(tags(text))
        }
      }
  })

  it('keeps plain what needs no quotes, and quotes every other text and key', () => {
    const put = {area: 'Living room', icon: 'mdi:lamp', host: '192.168.1.4', scale: -0.5, name: 'Küche/灯'}
    expect(editYaml(block, 'config.yaml', [{path: ['devices', 'fan'], put}]).text).toContain(
      'area: Living room\n    icon: mdi:lamp\n    host: 192.168.1.4\n    scale: -0.5\n    name: Küche/灯\n',
    )
    expect(
      editYaml(flow, 'config.yaml', [{path: ['groups', 'evening', 'members'], put: ['x:\n!file /dev/zero']}])
        .text,
    ).toContain(String.raw`{members: ["x:\n!file /dev/zero"]}`)
  })

  it('is refused when it would change a value that is written once and used in several places', () => {
    const lampOff = {path: ['devices', 'lamp', 'disabled'], put: true} as const
    expect(refusalOf(aliased, lampOff)).toMatch(/devices\.lamp\.disabled: .*"&".*by hand/)
    expect(refusalOf(aliased, {path: ['groups', 'evening', 'members'], put: ['lamp']})).toMatch(/by hand/)
    expect(refusalOf(aliased, {path: ['devices', 'fan', 'token'], drop: true})).toMatch(/by hand/)
    // What is the plug's own can be changed all the same.
    expect(
      editYaml(aliased, 'config.yaml', [{path: ['devices', 'fan', 'host'], put: '192.168.1.9'}]).text,
    ).toMatch(/fan:\n.*\n {4}host: 192.168.1.9\n/)
  })

  it('is refused when a text has half a character or a control character in it', () => {
    for (const words of ['\ud800', 'a\udc00b', '\0', 'a\u0007', '\u001b[2J', '\u009b2J', '\u007f'])
      for (const edit of [
        {path: ['devices', 'lamp', 'description'], put: words},
        {path: ['devices', 'lamp', 'filtered'], put: [words]},
        {path: ['devices', 'lamp', 'entities'], put: {[words]: 'x'}},
        {path: ['devices', words], put: {}},
        {path: ['devices', 'lamp'], rename: words},
      ] satisfies ConfigEdit[])
        expect(refusalOf(block, edit)).toMatch(/expected text without control characters/)
  })

  it('does not take a plug away with the last of its settings', () => {
    const both = editYaml('devices:\n  lamp:\n    host: 1.2.3.4\n', 'config.yaml', [
      {path: ['devices', 'lamp', 'host'], drop: true},
    ]).text
    expect(valuesOf(both)).toEqual({devices: {lamp: {}}})
  })
})
