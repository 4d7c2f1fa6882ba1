import {expect, it} from 'vitest'
import {Redactor} from '../../../src/common/redact.ts'
import {ConfigError, parseConfig} from '../../../src/config/config.ts'

const PLUG = 'devices: {desk: {host: 192.168.1.40, token: 2aed976192bdd2c7c7170d545670ed73}}'
const SECRET = /hunter|ret99|ter22/

function problems(text: string): string[] {
  try {
    parseConfig(`${text}\n${PLUG}`, {file: 'config.yaml', env: {}})
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return [...error.problems.map((problem) => JSON.stringify(problem)), error.message]
  }
}

it.each([
  'mqtt: {url: mqtt://localhost, username: plugs, password: sec,ret99}',
  'mqtt: {url: mqtt://localhost, username: plugs, password=hunter22}',
  'mqtt: {url: mqtt://localhost, username=hunter22, password: x}',
  "mqtt: {url: mqtt://localhost, username: plugs, password: it's,my ret99}",
  'mqtt: {url: mqtt://plugs:hun,ter22abc@localhost}',
  'mqtt: {url: mqtt://localhost, username: plugs, password: a,ret99,ret99}',
  'mqtt:\n  url: mqtt://localhost\n  username: plugs\n  password:hunter22: xyz99',
  'mqtt:\n  url: mqtt://localhost\n  username: plugs\n  password:hunter22: x\n  password:hunter22: x',
  'mqtt:\n  url: mqtt://localhost\n  passphrase=hunter33abc:',
  'mqtt:\n  url: mqtt://localhost\n  hunter22@localhost: x',
])('a key that may be the rest of a secret is in no problem of %s', (text) => {
  const lines = problems(text)
  expect(lines).not.toEqual([])
  for (const line of lines) expect(line).not.toMatch(SECRET)
})

it.each([
  ['mqtt: {url: mqtt://localhost, server: x}', 'mqtt.server'],
  ['mqtt:\n  url: mqtt://localhost\n  usernam: plugs', 'mqtt.usernam'],
  ['poll: {interval: 5s, tls: }', 'poll.tls'],
])('other keys are named in the problems of %s', (text, path) => {
  expect(problems(text).join()).toContain(path)
})

it('the content of a wrong file, forty thousand characters, is masked from its beginning on', () => {
  const redactor = new Redactor()
  const secret = Array.from({length: 40_000}, (_, at) => [...'ab/%$ #é漢😀'][at % 10]).join('')
  redactor.add(secret)
  expect(redactor.scrub(`before ${secret} behind`)).toBe('before ***')
  expect(redactor.scrub(`before ${encodeURIComponent(secret)}`)).toBe('before ***')
  expect(redactor.scrub(JSON.stringify({secret}))).toBe('{"secret":"***')
  expect(redactor.scrub('nothing of it')).toBe('nothing of it')
})
