import {describe, expect, it} from 'vitest'
import {type Config, parseConfig} from '../../../../src/config/config.ts'
import {TOKEN} from '../../../support/token.ts'

const PLUGS = `devices:\n  desk: {host: 192.168.1.40, token: ${TOKEN}}\n`

interface Around {
  env?: Record<string, string>
  /** By name. */
  files?: Record<string, string>
}

function parse(text: string, {env = {}, files = {}}: Around = {}): Config {
  const readFile = (path: string) => {
    const name = path.split('/').at(-1) ?? ''
    if (Object.hasOwn(files, name)) return files[name] ?? ''
    throw Object.assign(new Error('no such file'), {code: 'ENOENT'})
  }
  return parseConfig(text, {file: '/etc/m/config.yaml', env, readFile})
}

/** Of a login whose password is written so, on the third line. */
const login = (password: string) => `mqtt:\n  username: plugs\n  password: ${password}\n${PLUGS}`

function warnings(text: string, around?: Around): string[] {
  return parse(text, around).warnings.map(
    ({code, file, line, column, path}) => `${code} ${file.split('/').at(-1)}:${line}:${column} ${path}`,
  )
}

describe('A password that is not what was written is a warning at its place', () => {
  it.each([
    ['abc #def', 'comment_in_text', 'abc'],
    ['abc\t#def', 'comment_in_text', 'abc'],
    ['abc #', 'comment_in_text', 'abc'],
    ['abc ##', 'comment_in_text', 'abc'],
    ['a b #c d', 'comment_in_text', 'a b'],
    ['"ab\\ cd"', 'escape_in_text', 'ab cd'],
    ['"ab\\_cd"', 'escape_in_text', 'ab\u00a0cd'],
    ['"ab\\\n    cd"', 'escape_in_text', 'abcd'],
    ['"abc\n    def"', 'line_break_in_text', 'abc def'],
    ["'abc\n    def'", 'line_break_in_text', 'abc def'],
    ['|-\n    "abc"', 'quotes_in_text', '"abc"'],
    ['"“abc”"', 'quotes_in_text', '“abc”'],
    ["'‘abc’'", 'quotes_in_text', '‘abc’'],
    ['', 'empty_text', undefined],
    ['# the one of mosquitto', 'empty_text', undefined],
  ])('%j', (written, code, password) => {
    const config = parse(login(written))
    expect(config.mqtt.password?.reveal()).toBe(password)
    expect(warnings(login(written))).toEqual([`${code} config.yaml:3:3 mqtt.password`])
  })

  it.each([
    ['of quotes, a space or a comment', 'abc', 'abc'],
    ['a "#" within', 'ab#cd', 'ab#cd'],
    ['a comment', 'abc # the one of mosquitto', 'abc'],
    ['a comment behind quotes', '"abc #def" #note', 'abc #def'],
    ['single quotes', "'abc #def'", 'abc #def'],
    ['a backslash without quotes', 'ab\\cd', 'ab\\cd'],
    ['a backslash in single quotes', "'ab\\cd'", 'ab\\cd'],
    ['two backslashes', '"ab\\\\ncd"', 'ab\\ncd'],
    ['an escaped quote', '"ab\\"cd"', 'ab"cd'],
    ['characters by their number', '"\\x41\\u00e4\\U0001F600"', 'Aä😀'],
    ['a slash as JSON may write it', '"ab\\/cd"', 'ab/cd'],
    ['quotes on purpose', `'"abc"'`, '"abc"'],
    ['a block without its line break', '|-\n    abc', 'abc'],
    ['nothing, on purpose', "''", ''],
    ['no value, on purpose', 'null', undefined],
    ['007', '007', '007'],
    ['012', '012', '012'],
    ['1e3', '1e3', '1e3'],
    ['0x10', '0x10', '0x10'],
    ['yes', 'yes', 'yes'],
    ['a date', '2026-11-27', '2026-11-27'],
    ['1_000', '1_000', '1_000'],
    ['12:30:45', '12:30:45', '12:30:45'],
    ['.inf', '.inf', '.inf'],
  ])('and is none with %s, taken as written', (_, written, password) => {
    expect(parse(login(written)).mqtt.password?.reveal()).toBe(password)
    expect(warnings(login(written))).toEqual([])
  })

  it('with an anchor that is used', () => {
    const text = `mqtt:\n  username: &login plugs\n  password: *login\n${PLUGS}`
    expect(parse(text).mqtt.password?.reveal()).toBe('plugs')
    expect(warnings(text)).toEqual([])
  })

  it('of none in a template that is not filled in', () => {
    expect(warnings(`mqtt:\n  username:\n  password:\n${PLUGS}`)).toEqual([])
  })

  it('without a part of it', () => {
    for (const written of ['hunter2 #hunter3', '"hunter5\\ hunter6"', '"“hunter7”"'])
      expect(JSON.stringify(parse(login(written)).warnings)).not.toMatch(/hunter/)
  })
})

describe('The same goes for', () => {
  it('a user, an area, a name, a description, a client id', () => {
    const text = `mqtt:
  username: a #1
  client_id: b #2
devices:
  desk:
    id: 1
    token: ${TOKEN}
    area: c #3
    description: d #4
    homeassistant:
      name: e #5
      entities: {power: {name: '“f”'}}
groups:
  all:
    members: [desk]
    area: |
      g
    description: |
      two lines
      are fine here
`
    expect(warnings(text)).toEqual([
      'comment_in_text config.yaml:2:3 mqtt.username',
      'comment_in_text config.yaml:3:3 mqtt.client_id',
      'comment_in_text config.yaml:8:5 devices.desk.area',
      'comment_in_text config.yaml:9:5 devices.desk.description',
      'comment_in_text config.yaml:11:7 devices.desk.homeassistant.name',
      'quotes_in_text config.yaml:12:26 devices.desk.homeassistant.entities.power.name',
      'line_break_in_text config.yaml:16:5 groups.all.area',
    ])
  })

  it('no value that is no text: a remark behind it is one', () => {
    const text = `mqtt:
  url: mqtt://localhost #mine
  qos: 1 #once
poll:
  interval: 15s #fast
devices:
  desk:
    host: 192.168.1.40 #static
    token: ${TOKEN} #from the app
`
    expect(warnings(text)).toEqual([])
  })

  it.each([
    ['abc #def', 'comment_in_text'],
    ['"ab\\ cd"', 'escape_in_text'],
    ['"“abc”"', 'quotes_in_text'],
  ])('a secret, at its place in secrets.yaml: %j', (written, code) => {
    const files = {'secrets.yaml': `other: x\npw: ${written}\n`}
    expect(warnings(login('!secret pw'), {files})).toEqual([`${code} secrets.yaml:2:1 mqtt.password`])
  })

  it('a secret that is used for a token, or not at all, is not looked at', () => {
    const files = {'secrets.yaml': `desk: ${TOKEN} #desk\npw: abc #def\n`}
    const text = 'devices:\n  desk: {id: 1, token: !secret desk}\n'
    expect(warnings(text, {files})).toEqual([])
  })

  it.each([
    ['abc\ndef\n', 'line_break_in_text'],
    ['"abc"\n', 'quotes_in_text'],
    ["'abc'", 'quotes_in_text'],
    ['“abc”', 'quotes_in_text'],
    ['', 'empty_text'],
    ['\n', 'empty_text'],
  ])('a file: %j', (content, code) => {
    const expected = [`${code} config.yaml:3:3 mqtt.password`]
    expect(warnings(login('!file pw'), {files: {pw: content}})).toEqual(expected)
  })

  it('a file with one line break at its end is fine, and so is a "#" or a space in it', () => {
    expect(warnings(login('!file pw'), {files: {pw: 'abc #def \n'}})).toEqual([])
  })

  it.each([
    ['"abc"', 'quotes_in_text'],
    ["'abc'", 'quotes_in_text'],
    ['', 'empty_text'],
  ])('a variable that is named: %j', (value, code) => {
    const expected = [`${code} config.yaml:3:3 mqtt.password`]
    expect(warnings(login('!env PW'), {env: {PW: value}})).toEqual(expected)
  })

  it('a variable that takes the place of a setting, whatever the file has there', () => {
    const around = (value: string) => ({env: {MIIO2MQTT_MQTT_PASSWORD: value}})
    expect(warnings(login('abc #def'), around('xyz'))).toEqual([])
    const found = parse(login('abc'), around('"xyz"')).warnings
    expect(found).toMatchObject([
      {file: 'environment MIIO2MQTT_MQTT_PASSWORD', path: 'mqtt.password', code: 'quotes_in_text'},
    ])
  })
})
