import {describe, expect, it} from 'vitest'
import {ConfigError, maskedConfig, parseConfig} from '../../../../src/config/config.ts'
import {parseDefinitions} from '../../../../src/config/definitions/definition-files.ts'
import {editYaml} from '../../../../src/config/write/edit.ts'
import {builtIn} from '../../../../src/models/catalogue.ts'
import {TOKEN} from '../../../support/token.ts'

/** Properties that every object in JavaScript inherits. */
const INHERITED = [...Object.getOwnPropertyNames(Object.prototype), 'prototype', 'length', 'name', 'then']

/** The configuration, or its problems. Anything else that is thrown is a bug. */
function outcome(config: unknown, env: Record<string, string> = {}) {
  const text = typeof config === 'string' ? config : JSON.stringify(config)
  const readFile = (path: string) => {
    if (path === '/m/secrets.yaml') return 'desk: x\n'
    throw Object.assign(new Error('no such file'), {code: 'ENOENT'})
  }
  try {
    return parseConfig(text, {file: '/m/config.yaml', env, readFile})
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

const desk = {host: '192.0.2.1', token: TOKEN}

describe.each(INHERITED)('the name %s', (name) => {
  it.each(['!env', '!secret', '!file'])('after %s stands for nothing, and the error has its place', (tag) => {
    expect(outcome(`mqtt:\n  password: ${tag} ${name}\n`)).toMatch(
      /^\/m\/config\.yaml:2:3 mqtt\.password: (the environment variable .*is not set|secrets\.yaml has no text|cannot read)/,
    )
  })

  it('is an unknown key wherever it is no name', () => {
    const entries = (value: unknown) => JSON.parse(`{${JSON.stringify(name)}: ${JSON.stringify(value)}}`)
    const isSetting = name === 'name'
    for (const config of [
      entries({}),
      {mqtt: entries('x')},
      {devices: {desk: {...desk, poll: entries('1s')}}},
      ...(isSetting ? [] : [{devices: {desk: {...desk, homeassistant: entries('x')}}}]),
    ])
      expect(outcome(config)).toMatch(/unknown key/)
  })

  it('is a plug and a group like any other, or refused in words', () => {
    const text = `devices:\n  ${name}: {host: 192.0.2.1, token: ${TOKEN}}\n  desk: {host: 192.0.2.2, token: ${TOKEN}}\n`
    const config = outcome(text)
    if (name === '__proto__') expect(config).toMatch(/:2:3 devices\.__proto__: unknown key/)
    else if (typeof config === 'object') {
      expect(Object.keys(config.devices)).toEqual([name, 'desk'])
      expect(config.devices[name]?.host).toBe('192.0.2.1')
      expect(JSON.stringify(maskedConfig(config))).toContain(`"${name}":{`)
    } else expect.fail(config)
    const member = outcome(`${text}groups: {all: {members: [${name}]}, '${name}x': {members: [desk]}}\n`)
    expect(typeof member).toBe(name === '__proto__' ? 'string' : 'object')
    expect(outcome({devices: {desk}, groups: {all: {members: [name]}}})).toMatch(
      /expected the name of a plug/,
    )
  })

  it('is no property with settings', () => {
    const entity = JSON.parse(`{${JSON.stringify(name)}: {"name": "x"}}`)
    for (const config of [
      {devices: {desk: {...desk, homeassistant: {entities: entity}}}},
      {devices: {desk: {...desk, filtered: [name]}}},
      {devices: {desk: {...desk, properties: JSON.parse(`{${JSON.stringify(name)}: {"scale": 2}}`)}}},
    ])
      expect(['object', 'string']).toContain(typeof outcome(config))
    const content = `{ids: a.b.c, name: n, vendor: v, properties: {state: {miot: 2.1}, ${name}: {is: watts, miot: 3.1}}}`
    const {problems, models} = parseDefinitions([{file: 'own.yaml', content}])
    if (problems.length === 0) expect(Object.keys(models[0]?.properties ?? {})).toContain(name)
    else expect(problems[0]?.message).toMatch(/expected|unknown/)
    if (name in Object.prototype) expect(problems).not.toEqual([])
  })

  it('is no model', () => {
    expect(builtIn.find(name)).toBeUndefined()
  })

  it('can be edited like any other', () => {
    const before = JSON.stringify({devices: {desk}})
    const after = () =>
      editYaml(before, 'config.yaml', [{path: ['devices', name], put: {host: '192.0.2.2'}}]).text
    if (name === '__proto__') expect(after).toThrow(ConfigError)
    else expect(after()).toContain(name)
    const dropped = editYaml(before, 'config.yaml', [{path: ['devices', name], drop: true}]).text
    expect(outcome(dropped)).toMatchObject({devices: {desk: {host: '192.0.2.1'}}})
    expect(() => editYaml(before, 'config.yaml', [{path: ['devices', name], rename: 'x'}]).text).toThrow(
      ConfigError,
    )
  })
})

describe('what stands after a tag', () => {
  it.each(['hunter2', 'Tr0ub4dor&3', 'correct horse', 'p@ss', 'x'.repeat(64), '12345678'])(
    'is not repeated where it may be the secret itself: %s',
    (word) => {
      for (const tag of ['!env', '!secret', '!file'])
        expect(outcome(`mqtt: {password: ${tag} ${JSON.stringify(word)}}`)).not.toContain(word)
    },
  )

  it('is repeated where it is a name, and has a suggestion', () => {
    expect(outcome('mqtt: {password: !env MQTT_PASSWORD}')).toContain('"MQTT_PASSWORD" is not set')
    expect(outcome('mqtt: {password: !secret mqtt_password}')).toContain('no text called "mqtt_password"')
    expect(outcome('mqtt: {password: !file sub/pw1}')).toContain('cannot read /m/sub/pw1')
    expect(outcome('mqtt: {password: !env mqtt_pasword}', {MQTT_PASSWORD: 'x'})).toContain(
      'did you mean "MQTT_PASSWORD"?',
    )
  })
})

describe('a variable that is no setting', () => {
  const file = {devices: {desk}, groups: {all: {members: ['desk']}}}

  it.each([
    ['MQTT_USER', 'MQTT_USERNAME'],
    ['MQTT_USER_FILE', 'MQTT_USERNAME'],
    ['MQTT_HOST', 'MQTT_URL'],
    ['MQTT', 'MQTT_URL'],
    ['USER', 'MQTT_USERNAME'],
    ['PASSWORD', 'MQTT_PASSWORD'],
    ['BROKER', 'MQTT_URL'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['SCAN_INTERVAL', 'POLL_INTERVAL'],
    ['DEVICES_DESK_IP', 'DEVICES_DESK_HOST'],
    ['DEVICES_DESK_TOKN_FILE', 'DEVICES_DESK_TOKEN'],
    ['DEVICES_DESK_POLL', 'DEVICES_DESK_POLL_INTERVAL'],
    ['DEVICES_DESK_POLL_INTERVALL', 'DEVICES_DESK_POLL_INTERVAL'],
    ['GROUPS_ALL_ROOM', 'GROUPS_ALL_AREA'],
  ])('has the variable that was meant: %s', (variable, meant) => {
    expect(outcome(file, {[`MIIO2MQTT_${variable}`]: 'x'})).toBe(
      `environment MIIO2MQTT_${variable}: expected the name of a setting that has one value, did you mean "MIIO2MQTT_${meant}"?`,
    )
  })

  it.each(['DEVICES_LAMP_HOST', 'GROUPS_EVENING_AREA'])(
    'is of a name that is not in the file: %s',
    (variable) => {
      expect(outcome(file, {[`MIIO2MQTT_${variable}`]: 'x'})).toMatch(
        /: it has none of the names under `(devices|groups)` in the file/,
      )
    },
  )

  it.each(['FOO', 'DEVICES', 'NETWORK_BROADCAST'])('gets no suggestion: %s', (variable) => {
    expect(outcome(file, {[`MIIO2MQTT_${variable}`]: 'x'})).toMatch(/ that has one value$/)
  })

  it('gets a suggestion when it is nearly a setting', () => {
    expect(outcome(file, {MIIO2MQTT_LOG_LEVEL: 'Debug'})).toContain('did you mean "debug"?')
  })
})
