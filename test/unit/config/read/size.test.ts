import {describe, expect, it, vi} from 'vitest'
import {Alias} from 'yaml'
import {parseConfig} from '../../../../src/config/config.ts'
import {ConfigError, type Problem} from '../../../../src/config/config-error.ts'
import {host, ipv4, topic} from '../../../../src/config/schema/address-fields.ts'
import * as field from '../../../../src/config/schema/fields.ts'
import {TOKEN} from '../../../support/token.ts'

function problems(text: string): readonly Problem[] {
  try {
    parseConfig(text, {file: 'config.yaml', env: {}})
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('a configuration of any size', () => {
  it('has its first hundred problems shown, in the order of the file, and the others counted', () => {
    const found = problems(Array.from({length: 5000}, (_, n) => `key${n}: 1`).join('\n'))
    expect(found).toHaveLength(101)
    expect(found.slice(0, 100).map(({line}) => line)).toEqual(Array.from({length: 100}, (_, n) => n + 1))
    expect(found[100]?.message).toBe('and 4900 more problems')
  })

  it('is searched for suggestions only for the problems that are shown', () => {
    const words = Array.from({length: 1000}, () => vi.fn(() => 'words'))
    const error = new ConfigError(words.map((message) => ({file: 'f', path: '', message})))
    expect(words.filter(({mock}) => mock.calls.length > 0)).toHaveLength(100)
    expect(error.count).toBe(1000)
    expect(error.message.split('\n')).toHaveLength(101)
  })

  it('has suggestions also among thousands of plugs', () => {
    const plugs = Array.from({length: 500}, (_, n) => `  plug${n}: {host: h${n}, token: ${TOKEN}}`)
    const members = Array.from({length: 500}, (_, n) => `plgu${n}`)
    const found = problems(`devices:\n${plugs.join('\n')}\ngroups: {all: {members: [${members}]}}\n`)
    expect(found[0]?.message).toMatch(/did you mean "plug\d+"\?$/)
    expect(found).toHaveLength(101)
  })

  it('may have many aliases, each of which is found without looking through the file', () => {
    const resolve = vi.spyOn(Alias.prototype, 'resolve')
    const plugs = Array.from({length: 3000}, (_, n) => `  plug${n}: {<<: *all, host: h${n}}`)
    const text = `devices:\n  first: &all {host: h, token: ${TOKEN}, poll: {interval: 5s}}\n${plugs.join('\n')}\n`
    const {devices} = parseConfig(text, {file: 'config.yaml', env: {}})
    expect(Object.keys(devices)).toHaveLength(3001)
    expect(devices['plug2999']?.poll?.interval).toBe(5000)
    expect(resolve).not.toHaveBeenCalled()
    resolve.mockRestore()
  })

  it('takes an anchor that is written twice as it was last before the alias', () => {
    const text = `devices:\n  a: {host: &h one, token: ${TOKEN}}\n  b: {host: x, area: *h, token: ${TOKEN}}\n  c: {host: &h two, token: ${TOKEN}}\n  d: {host: y, area: *h, token: ${TOKEN}}\n`
    const {devices} = parseConfig(text, {file: 'config.yaml', env: {}})
    expect([devices['b']?.area, devices['d']?.area]).toEqual(['one', 'two'])
  })

  it('may not multiply itself', () => {
    const levels = Array.from({length: 8}, (_, n) => `a${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`)}]`)
    const short = Array.from({length: 6}, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`)}]`)
    const wide = `a: &a [${'x,'.repeat(2000)}]\nb: [${Array(2000).fill('*a')}]`
    for (const text of [
      `a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n${levels.join('\n')}`,
      `a0: &a0 x\n${short.join('\n')}`,
      wide,
      'devices: &a {b: *a}',
    ])
      expect(problems(text).map(({message}) => message)).toContainEqual(
        expect.stringContaining('expected a file of finite size'),
      )
  })

  it.each([
    ['brackets', `mqtt: ${'['.repeat(20_000)}`],
    ['closed brackets', `mqtt: ${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['braces', `mqtt: ${'{a: '.repeat(5000)}${'}'.repeat(5000)}`],
    ['lists', '- '.repeat(20_000)],
    ['lines', Array.from({length: 2000}, (_, n) => `${' '.repeat(n)}a:`).join('\n')],
  ])('that is nested without end is refused in words: %s', (_, text) => {
    const [first] = problems(text)
    expect(first?.message).toBe('expected fewer brackets within brackets, or lines indented less deep')
  })
})

describe('a value that is too long to be what is expected', () => {
  const kinds = {
    number: field.number(),
    whole: field.integer(1, 9),
    duration: field.duration(0, 1000),
    host: host(),
    ipv4: ipv4(),
    did: field.did(),
    modelId: field.modelId(),
    property: field.propertyName(),
    icon: field.icon(),
    flag: field.flag(),
    topic: topic(),
    token: field.token(),
    oneOf: field.oneOf('a', 'b'),
    mqttVersion: field.mqttVersion(),
  }
  /** Texts that make a pattern backtrack, where it can. */
  const texts = ['1', '1.', 'a.', 'a-', 'aa:', 'a/', ' ', '0', 'f', '-', '1e', '.1', '_'].map((piece) =>
    `${piece.repeat(500_000)}!`.slice(-400_001),
  )

  it.each(Object.entries(kinds))('is refused by its length, unread: %s', (_, kind) => {
    for (const text of texts) {
      const [issue] = kind.safeParse(text).error?.issues ?? []
      expect(issue?.message).toMatch(/got 400001 characters$/)
    }
  })
})
