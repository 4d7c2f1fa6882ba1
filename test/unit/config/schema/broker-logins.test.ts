import {describe, expect, it} from 'vitest'
import {ConfigError, parseConfig} from '../../../../src/config/config.ts'

/** Characters that end the host of an address, or mean something else in it. */
const SPECIAL = Array.from('/?#@:\\%[]&=+$,;!*\'"()<>{}|^`~ ')

function outcome(url: string | string[]) {
  try {
    return parseConfig(JSON.stringify({mqtt: {url}}), {file: 'config.yaml', env: {}})
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

describe.each(['mqtt', 'mqtts', 'ws', 'wss'])('a login in an address %s://', (protocol) => {
  const passwords = SPECIAL.flatMap((special) =>
    ['s3cret', '42', '1883', ''].map((before) => `${before}${special}hunter2`),
  )

  it.each(passwords)('is read as it was written, or refused, and never shown: %s', (password) => {
    for (const host of ['broker.lan', 'broker.lan:1883', '127.0.0.1:9001', '[::1]:1883'])
      for (const login of [`plugs:${password}`, `${password}:x`, password]) {
        const url = `${protocol}://${login}@${host}`
        for (const found of [outcome(url), outcome([url, url])]) {
          if (typeof found === 'string') {
            expect(found).not.toContain('hunter2')
            continue
          }
          expect(JSON.stringify(found.mqtt.url)).not.toContain('hunter2')
          const {username = '', password: secret} = found.mqtt
          expect([`${username}:${secret?.reveal() ?? ''}`, username]).toContain(decodeURIComponent(login))
        }
      }
  })

  it.each(['/', '?', '#'])('that has %s in it is to be percent-encoded', (special) => {
    for (const before of ['s3cret', '42', ''])
      for (const after of ['hunter2', '']) {
        const password = `${before}${special}${after}`
        expect(outcome(`${protocol}://plugs:${password}@broker.lan`)).toContain(
          'where a login would be shown',
        )
        expect(outcome([`${protocol}://other.lan`, `${protocol}://plugs:${password}@broker.lan`])).toMatch(
          /mqtt\.url\.1: .*where a login would be shown: use username and password, or write "\/" as %2F/,
        )
        const encoded = outcome(`${protocol}://plugs:${encodeURIComponent(password)}@broker.lan`)
        expect(typeof encoded === 'object' && encoded.mqtt.password?.reveal()).toBe(password)
      }
  })

  it.each(['\t', '\n', '\r', 'ab\tc', 'ab\n'])(
    'is refused with a character that the parser of URLs would remove: %j',
    (password) => {
      expect(outcome(`${protocol}://plugs:${password}d@broker.lan`)).toContain(
        'one with a space, tab or line break',
      )
    },
  )
})

describe('the port of a broker', () => {
  it.each([
    ['mqtt://h:65536', 'above 65535'],
    ['mqtt://h:18833333', 'above 65535'],
    ['mqtt://[::1]:99999', 'above 65535'],
    ['wss://u:p@h:99999/mqtt', 'above 65535'],
    ['mqtt://h:mqtt', 'no number'],
    ['mqtt://plugs:hunter2', 'no number'],
    ['mqtt://plugs:hunter2@', 'without a host'],
  ])('is refused: %s', (url, words) => {
    expect(outcome(url)).toContain(words)
    expect(outcome(url)).not.toContain('hunter2')
  })
})

describe('a password without a user', () => {
  it.each([
    '{password: x}',
    '{username: "", password: x}',
    '{url: "mqtt://:x@h"}',
    '{url: "mqtt://h", password: !env P}',
  ])('is an error, since no broker takes it: %s', (mqtt) => {
    const parse = () => parseConfig(`mqtt: ${mqtt}`, {file: 'config.yaml', env: {P: 'x'}})
    expect(parse).toThrow('expected `username` beside the password, got none')
  })

  it.each([
    '{username: u}',
    '{url: "mqtt://u@h"}',
    '{url: "mqtt://u@h", password: x}',
    '{username: u, password: ""}',
  ])('is no error the other way round: %s', (mqtt) => {
    expect(parseConfig(`mqtt: ${mqtt}`, {file: 'config.yaml', env: {}}).mqtt.username).toBe('u')
  })
})

it('A login of an empty name and an empty password is none.', () => {
  const {mqtt} = parseConfig('mqtt: {username: "", password: ""}', {file: 'config.yaml', env: {}})
  expect(mqtt).not.toHaveProperty('username')
  expect(mqtt).not.toHaveProperty('password')
})
