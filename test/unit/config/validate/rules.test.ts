import {describe, expect, it} from 'vitest'
import {ConfigError, maskedConfig, parseConfig} from '../../../../src/config/config.ts'
import {TOKEN} from '../../../support/token.ts'

const PLUGS = `devices:
  desk: {host: 192.0.2.1, token: ${TOKEN}}
  kitchen/kettle: {host: 192.0.2.2, token: ${TOKEN}}
`

function parse(groups: string, env: Record<string, string> = {}) {
  return parseConfig(PLUGS + groups, {file: 'config.yaml', env})
}

function problems(groups: string): string[] {
  try {
    parse(groups)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

describe('groups in the configuration', () => {
  it('have members, and may have an area, an icon and a description', () => {
    const config = parse(
      'groups: {evening: {members: [desk, kitchen/kettle], area: Kitchen, icon: mdi:moon, description: lights}}',
    )
    const evening = {
      members: ['desk', 'kitchen/kettle'],
      area: 'Kitchen',
      icon: 'mdi:moon',
      description: 'lights',
    }
    expect(config.groups).toEqual({evening})
    expect(maskedConfig(config)).toMatchObject({groups: {evening}})
  })

  it.each(['', 'groups:\n', 'groups: {}\n'])('are optional: %j', (text) => {
    expect(parse(text).groups).toEqual({})
  })

  it('may be as deep as plugs', () => {
    expect(Object.keys(parse('groups: {house/all of it: {members: [desk]}}').groups)).toEqual([
      'house/all of it',
    ])
  })

  it.each([
    [
      '{evening: {members: [dask]}}',
      'evening.members.0: expected the name of a plug under devices, got "dask", did you mean "desk"?',
    ],
    [
      '{evening: {members: [Desk]}}',
      'evening.members.0: expected the name of a plug under devices, got "Desk", did you mean "desk"?',
    ],
    ['{evening: {members: [desk, desk]}}', 'evening.members.1: expected each plug once, got "desk" again'],
    [
      '{a: {members: [desk]}, b: {members: [a]}}',
      'b.members.0: expected a plug, got the group "a": list its plugs instead',
    ],
    ['{evening: {members: []}}', 'evening.members: expected at least one plug, got none'],
    [
      '{evening: {members: desk}}',
      "evening.members: expected a list of plugs' names, got a single value: write it as `members: [desk]`",
    ],
    [
      '{evening: }',
      "evening.members: expected a list of plugs' names, got nothing: write it as `members: […]`",
    ],
    ['{evening: {member: [desk], members: [desk]}}', 'evening.member: unknown key, did you mean "members"?'],
    [
      '{DESK: {members: [desk]}}',
      'DESK: expected a name of its own, got that of the plug "desk" (case does not count)',
    ],
    [
      '{a: {members: [desk]}, A: {members: [desk]}}',
      'A: expected a name of its own, got that of the group "a" (case does not count)',
    ],
    [
      '{bridge/x: {members: [desk]}}',
      'bridge/x: a group cannot have this name: its first level is "bridge", where the bridge has its own topics',
    ],
    [
      '{a/set: {members: [desk]}}',
      'a/set: a group cannot have this name: its level "set" is a word of the topics themselves',
    ],
    [
      '{a+b: {members: [desk]}}',
      'a+b: a group cannot have this name: it has a "+" or "#", which stand for other topics in MQTT',
    ],
    [
      '[desk]',
      'groups: expected a mapping from names to groups, got a list: name each group in place of "- ": `evening: {members: […]}`',
    ],
  ])('groups: %s is a problem with its place', (groups, message) => {
    const found = problems(`groups: ${groups}\n`)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^config\.yaml:4:\d+ groups/)
    expect(found[0]?.endsWith(message)).toBe(true)
  })

  it('are checked also when other things are wrong', () => {
    expect(problems('groups: {evening: {members: [dask], x: 1}}\nlog: {level: loud}\n')).toHaveLength(3)
  })

  it('are set from the environment as plugs are, each by its own name', () => {
    const {groups} = parse('groups: {evening: {members: [desk]}}', {MIIO2MQTT_GROUPS_EVENING_AREA: 'Hall'})
    expect(groups['evening']).toMatchObject({area: 'Hall'})
    expect(() => parse('', {MIIO2MQTT_GROUPS_DESK_AREA: 'Hall'})).toThrow(
      /MIIO2MQTT_GROUPS_DESK_AREA: expected/,
    )
  })
})
