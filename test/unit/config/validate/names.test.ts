import {describe, expect, it} from 'vitest'
import {ConfigError, nameProblem, parseConfig} from '../../../../src/config/config.ts'
import {editYaml} from '../../../../src/config/write/edit.ts'
import {TOKEN} from '../../../support/token.ts'

const plug = (name: string, host = '192.0.2.1') => ({[name]: {host, token: TOKEN}})

function problems(config: unknown): string {
  return problemsOf(JSON.stringify(config))
}

function problemsOf(text: string): string {
  try {
    parseConfig(text, {file: 'config.yaml', env: {}})
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'valid'
}

describe('a name that looks like another, or like nothing', () => {
  const wrong: [string, string][] = [
    ['../../etc', '"." or ".."'],
    ['a/./b', '"." or ".."'],
    ['..', '"." or ".."'],
    [' ', 'a space'],
    ['\u3000', 'a space'],
    ['desk ', 'starts or ends with a space'],
    [' desk', 'starts or ends with a space'],
    ['hall /desk', 'starts or ends with a space'],
    ['hall/ desk', 'starts or ends with a space'],
    ['desk\u00a0', 'starts or ends with a space'],
    ['de\u00a0sk', 'an invisible character or a non-breaking space'],
    ['de\u2003sk', 'an invisible character'],
    ['\u202eksed', 'an invisible character'],
    ['a\u2066b\u2069', 'an invisible character'],
    ['de\u200bsk', 'an invisible character'],
    ['de\u200dsk', 'an invisible character'],
    ['de\u00adsk', 'an invisible character'],
    ['de\u2060sk', 'an invisible character'],
    ['a\ufeffb', 'an invisible character'],
    ['\u3164', 'an invisible character'],
    ['a\ufe0f', 'an invisible character'],
    ['a\u034fb', 'an invisible character'],
    ['\u2800', 'an invisible character'],
    ['a\u{e0041}', 'an invisible character'],
    ['$SYS', 'starts with "$"'],
    ['$SYS/broker/uptime', 'starts with "$"'],
    ['$share/a/b', 'starts with "$"'],
    ['a/'.repeat(60).slice(0, -1), 'more than 8 levels'],
    ['1/2/3/4/5/6/7/8/9', 'more than 8 levels'],
    ['ü'.repeat(101), 'longer than 200 bytes'],
    ['灯'.repeat(67), 'longer than 200 bytes'],
    ['x'.repeat(70_000), 'longer than 200 bytes'],
    [TOKEN, 'like a token'],
    [`lamp-${TOKEN.toUpperCase()}`, 'like a token'],
    ['a\u2028b', 'control character'],
    ['a\u009bb', 'control character'],
  ]

  it.each(wrong)('%j is refused in words, for plugs and groups, in the file and by request', (name, rule) => {
    expect(nameProblem(name)).toContain(rule)
    expect(problems({devices: plug(name)})).toContain(`a plug cannot have this name: ${nameProblem(name)}`)
    const groups = {[name]: {members: ['desk']}}
    expect(problems({devices: plug('desk'), groups})).toContain('a group cannot have this name: ')
    const before = JSON.stringify({devices: plug('desk'), groups: {all: {members: ['desk']}}})
    for (const edit of [
      {path: ['devices', name], put: {host: '192.0.2.2', token: TOKEN}},
      {path: ['devices', 'desk'], rename: name},
      {path: ['groups', name], put: {members: ['desk']}},
    ]) {
      const outcome = () => expect(problemsOf(editYaml(before, 'config.yaml', [edit]).text)).toContain(rule)
      try {
        outcome()
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        expect(error.message).toContain('expected text without control characters')
      }
    }
  })

  it.each([
    'desk',
    'a b',
    'Büro ☕',
    '☕️',
    '👩‍🔬',
    '👩🏽‍🔬 lab',
    '❤️‍🔥',
    '🏳️‍🌈',
    '1️⃣',
    '🇩🇪',
    'лампа',
    '台灯/🔌',
    'a/b/c/d',
    '1/2/3/4/5/6/7/8',
    '...',
    '.hidden',
    'a.b',
    'a $b',
    'x'.repeat(200),
    'constructor',
    'हिन्दी',
  ])('%j is none', (name) => {
    expect(nameProblem(name)).toBeUndefined()
    expect(problems({devices: plug(name), groups: {'all of it': {members: [name]}}})).toBe('valid')
  })
})

describe('two names that people cannot distinguish', () => {
  it.each([
    ['Küche', 'Küche'.normalize('NFD')],
    ['Küche', 'KÜCHE'],
    ['desk 1', 'desk ①'],
    ['desk', 'ｄｅｓｋ'],
    ['office', 'oﬃce'],
    ['Straße', 'STRASSE'],
    ['a b', 'a  b'],
    ['Å', '\u212b'],
  ])('%j and %j are refused, as plugs, groups and one of each', (one, other) => {
    const both = {...plug(one), ...plug(other, '192.0.2.2')}
    expect(Object.keys(both)).toHaveLength(2)
    expect(problems({devices: both})).toMatch(/the name (differs in case alone from|looks like) that of "/)
    const members = ['desk']
    expect(problems({devices: plug('desk'), groups: {[one]: {members}, [other]: {members}}})).toContain(
      'expected a name of its own',
    )
    expect(problems({devices: plug(one), groups: {[other]: {members: [one]}}})).toContain(
      'expected a name of its own',
    )
  })
})
