import {chmod, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import type {NetworkInterfaceInfo} from 'node:os'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {describe, expect, it, onTestFinished} from 'vitest'
import {type Config, loadConfig, maskedConfig, parseConfig} from '../../../../src/config/config.ts'
import {isPublicAddress} from '../../../../src/config/schema/address-fields.ts'
import {documents} from '../../../docs/markdown.ts'
import {CERT, KEY} from '../../../support/pem.ts'
import {TOKEN} from '../../../support/token.ts'

const OTHER = '2aed976192bdd2c7c7170d545670ed73'
const DESK = `devices:\n  desk: {host: 192.168.1.40, token: ${TOKEN}}\n`

function parse(text: string): Config {
  return parseConfig(text, {
    file: 'config.yaml',
    env: {},
    readFile: (path) => (path.includes('key') ? KEY : path.includes('pem') ? CERT : `desk_token: ${TOKEN}`),
  })
}

/** In the form of `check`. */
const warnings = (text: string) =>
  parse(text).warnings.map(
    ({code, file, line, column, path, message}) => `${code} ${file}:${line}:${column} ${path}: ${message}`,
  )
const codes = (text: string) => parse(text).warnings.map(({code, path}) => `${code} ${path}`)

const withToken = (token: string) => `devices: {desk: {host: 192.168.1.40, token: "${token}"}}`
const withBroker = (mqtt: string) => `mqtt: {${mqtt}}\n${DESK}`

describe('A valid configuration is warned of', () => {
  it.each(['', '# nothing yet\n', 'devices:\n', 'devices: {}\n', 'mqtt: {username: me}\n'])(
    'when it has no plugs: %j',
    (text) => {
      expect(warnings(text)).toEqual([
        expect.stringMatching(
          /^no_plugs config\.yaml:1:1 devices: no plugs are configured yet: `miio2mqtt discover` lists those/,
        ),
      ])
    },
  )

  it('when it has the tokens of config.example.yaml', async () => {
    const text = await readFile('config.example.yaml', 'utf8')
    expect(codes(text)).toEqual([
      'example_token devices.desk.token',
      'example_token devices.kitchen/kettle.token',
    ])
    expect(warnings(text)[0]).toContain('see docs/troubleshooting.md, "Where do I get the token"')
  })

  it.each([
    '00112233445566778899aabbccddeeff',
    '00112233445566778899AABBCCDDEEFF',
    'ffeeddccbbaa99887766554433221100',
    '0123456789abcdef0123456789abcdef',
    'fedcba9876543210fedcba9876543210',
    '12345678901234567890123456789012',
    '000102030405060708090a0b0c0d0e0f',
    'a'.repeat(32),
    'deadbeef'.repeat(4),
  ])('when a token is made up: %s', (token) => {
    expect(codes(withToken(token))).toEqual(['example_token devices.desk.token'])
  })

  it.each([TOKEN, OTHER, '00000000000000000000000000000123', '11223344556677889900aabbccddeeff'])(
    'of nothing when a token may be one: %s',
    (token) => {
      expect(codes(withToken(token))).toEqual([])
    },
  )

  it('when plugs have one token: each but the first, in either case, and not one that is left alone', () => {
    const plugs = [
      `a: {id: 1, token: ${TOKEN}}`,
      `b: {id: 2, token: ${TOKEN.toUpperCase()}}`,
      `c: {id: 3, token: ${OTHER}}`,
      `d: {id: 4, token: ${TOKEN}}`,
      `e: {id: 5, token: ${TOKEN}, disabled: true}`,
    ]
    expect(warnings(`devices:\n${plugs.map((plug) => `  ${plug}\n`).join('')}`)).toEqual([
      'same_token config.yaml:3:14 devices.b.token: the same token as "a", but each plug has one of its own: was it copied?',
      'same_token config.yaml:5:14 devices.d.token: the same token as "a", but each plug has one of its own: was it copied?',
    ])
  })

  it('of a hundred things at most, and of how many there are more', () => {
    const plugs = Array.from(
      {length: 103},
      (_, index) => `  p${index}: {id: ${index + 1}, token: ${TOKEN}}\n`,
    )
    const found = parse(`devices:\n${plugs.join('')}`).warnings
    expect(found).toHaveLength(101)
    expect(found.at(-1)).toEqual({
      file: 'config.yaml',
      path: '',
      message: 'and 2 more warnings',
      code: 'more',
    })
  })

  it.each(['8.8.8.8', '192.186.1.40', '172.32.0.1', '11.0.0.5'])(
    'when the address of a plug is on the internet: %s',
    (host) => {
      expect(warnings(`devices: {desk: {host: ${host}, token: ${TOKEN}}}`)).toEqual([
        `public_plug config.yaml:1:18 devices.desk.host: expected an address of a private network such as 192.168.1.40, got ${host}, which is on the internet`,
      ])
    },
  )

  it('when the discovery prefix of Home Assistant is the base topic of the bridge', () => {
    const text = (enabled: boolean) =>
      `homeassistant: {enabled: ${enabled}, discovery_prefix: miio2mqtt}\n${DESK}`
    expect(codes(text(true))).toEqual(['shared_topic homeassistant.discovery_prefix'])
    expect(codes(text(false))).toEqual([])
  })

  it.each(['192.168.1.0', '192.168.1.255', '169.254.1.1', '192.168.1.40.local'])(
    'when the address of a plug is seldom one: %s',
    (host) => {
      expect(codes(`devices: {desk: {host: ${host}, token: ${TOKEN}}}`)).toEqual([
        'odd_host devices.desk.host',
      ])
    },
  )

  it.each(['192.168.0.1', '192.168.255.4', '10.0.1.255', 'plug-1.local', '1.plug.lan'])(
    'of nothing when the address of a plug may be one: %s',
    (host) => {
      expect(codes(`devices: {desk: {host: ${host}, token: ${TOKEN}}}`)).toEqual([])
    },
  )

  it('when no address is searched for a plug that has an id alone', () => {
    const plugs = `devices: {desk: {id: 1, token: ${TOKEN}}, lamp: {id: 2, host: 192.168.1.41, token: ${OTHER}}}`
    expect(codes(`network: {broadcast: []}\n${plugs}`)).toEqual(['not_searched devices.desk'])
    expect(codes(`network: {broadcast: [192.168.1.255]}\n${plugs}`)).toEqual([])
    expect(codes(plugs)).toEqual([])
  })

  it.each([
    ['chuangmi.plug.v33', ', did you mean "chuangmi.plug.v3"?'],
    ['roborock.vacuum.s5', 'got "roborock.vacuum.s5"'],
  ])('when the model of a plug is unknown: %s', (model, words) => {
    const text = `devices: {desk: {host: h, token: ${TOKEN}, model: ${model}}}`
    expect(codes(text)).toEqual(['unknown_model devices.desk.model'])
    expect(warnings(text)[0]).toContain(words)
  })

  it.each([
    ['filtered: [rsi, rssi]', 'unknown_property devices.desk.filtered.0', 'got "rsi", did you mean "rssi"?'],
    ['filtered: [foo]', 'unknown_property devices.desk.filtered.0', 'got "foo"; it has state, '],
    ['properties: {powr: {scale: 2}}', 'unknown_property devices.desk.properties.powr', 'without effect'],
    ['properties: {state: {scale: 2}}', 'unused_property devices.desk.properties.state', 'it is no number'],
    ['properties: {rssi: {scale: 2}}', 'unused_property devices.desk.properties.rssi', 'without effect'],
    [
      'homeassistant: {entities: {switch: {name: x}}}',
      'unknown_property devices.desk.homeassistant.entities.switch',
      'got "switch"',
    ],
  ])('when the model of a plug has no such property: %s', (more, expected, words) => {
    const text = `devices: {desk: {host: h, token: ${TOKEN}, model: chuangmi.plug.m1, ${more}}}`
    expect(codes(text)).toEqual([expected])
    expect(warnings(text)[0]).toContain(words)
    expect(codes(text.replace('model: chuangmi.plug.m1, ', ''))).toEqual([])
  })

  it.each([
    ['url: mqtt://8.8.8.8', 'not_encrypted mqtt.url', /8\.8\.8\.8 is on the internet.*use mqtts:/],
    ['url: ws://8.8.8.8', 'not_encrypted mqtt.url', /use wss:/],
    ['url: "mqtt://[2001:db8::1]"', 'not_encrypted mqtt.url', /2001:db8::1 is on the internet/],
    ['url: [mqtt://192.168.1.2, mqtt://8.8.8.8]', 'not_encrypted mqtt.url.1', /8\.8\.8\.8/],
    [
      'url: mqtt://test.mosquitto.org',
      'open_broker mqtt.url',
      /every program on the internet can read and switch/,
    ],
    [
      'url: mqtts://test.mosquitto.org:8883',
      'open_broker mqtt.url',
      /every program on the internet can read and switch/,
    ],
    ['url: mqtt://Broker.HiveMQ.com:1883', 'open_broker mqtt.url', /use your own broker/],
    ['url: mqtt://broker.lan:8883', 'other_port mqtt.url', /expected mqtts:\/\/ for the port 8883/],
    ['url: mqtts://broker.lan:1883', 'other_port mqtt.url', /expected mqtt:\/\/ for the port 1883/],
    ['url: mqtt://broker.lan:9001', 'other_port mqtt.url', /expected ws:\/\/ for the port 9001/],
    ['url: mqtt://broker.lan:8123', 'other_port mqtt.url', /brokers listen at 1883/],
    ['base_topic: zigbee2mqtt', 'shared_topic mqtt.base_topic', /that of another program/],
    ['base_topic: homeassistant', 'shared_topic mqtt.base_topic', /the topic of the announcements/],
    ['url: ws://broker.lan:1883', 'other_port mqtt.url', /got ws:/],
    ['ca: !file ca.pem', 'unused_tls mqtt.ca', /without effect: mqtt:\/\/ is not encrypted/],
    ['verify: false', 'unused_tls mqtt.verify', /begins with mqtts:/],
    ['servername: broker.lan', 'unused_tls mqtt.servername', /without effect/],
  ])('about its broker: %s', (mqtt, expected, words) => {
    expect(codes(withBroker(mqtt))).toEqual([expected])
    expect(warnings(withBroker(mqtt))[0]).toMatch(words)
  })

  it('of nothing that is usual and works', () => {
    const brokers = [
      'url: mqtt://localhost:1883',
      'url: mqtt://192.168.1.2',
      'url: mqtt://homeassistant.local:1883, username: plugs, password: "a#b"',
      'url: mqtt://core-mosquitto',
      'url: mqtt://broker.example.com',
      'url: "mqtt://[fd00::1]"',
      'url: "mqtt://[fe80::1]"',
      'url: "mqtt://[::1]"',
      'url: mqtt://100.64.1.2',
      'url: mqtt://plugs:secret@broker.lan',
      'url: mqtts://8.8.8.8, username: plugs, password: secret, ca: !file ca.pem, verify: false',
      'url: wss://broker.example.com/mqtt, servername: broker.lan',
      'url: ws://192.168.1.2:9001',
      'username: token-without-password',
    ]
    for (const mqtt of brokers) expect([mqtt, ...codes(withBroker(mqtt))]).toEqual([mqtt])
  })
})

it('A network with addresses of the internet is private to a machine that is in it.', () => {
  const inside = (cidr: string, family: 'IPv4' | 'IPv6') => () => [
    {address: cidr.split('/')[0] ?? '', cidr, family} as NetworkInterfaceInfo,
  ]
  const none = () => []
  const failing = () => {
    throw new Error('EMFILE')
  }
  expect(isPublicAddress('8.8.8.8', none)).toBe(true)
  expect(isPublicAddress('8.8.8.8', failing)).toBe(true)
  expect(isPublicAddress('8.8.8.8', inside('8.9.0.1/16', 'IPv4'))).toBe(true)
  expect(isPublicAddress('8.8.8.8', inside('8.8.8.1/24', 'IPv4'))).toBe(false)
  expect(isPublicAddress('2001:db8::5', none)).toBe(true)
  expect(isPublicAddress('2001:db8::5', inside('2001:db8::1/64', 'IPv6'))).toBe(false)
  expect(isPublicAddress('2001:db8:1::5', inside('2001:db8::1/64', 'IPv6'))).toBe(true)
  expect(isPublicAddress('broker.lan', none)).toBe(false)
})

describe('A warning', () => {
  it('is not part of the published configuration', () => {
    expect(JSON.stringify(maskedConfig(parse('')))).not.toMatch(/warning|no_plugs/)
  })

  it('does not repeat a text of a tag or variable', () => {
    const {warnings: found} = parseConfig(`devices: {desk: {host: !env HOST, token: ${TOKEN}}}`, {
      file: 'config.yaml',
      env: {HOST: '8.8.8.8'},
    })
    expect(found.map(({code}) => code)).toEqual(['public_plug'])
    expect(JSON.stringify(found)).not.toContain('8.8.8.8')
  })

  it('about the environment names the variable', () => {
    const {warnings: found} = parseConfig(DESK, {
      file: 'config.yaml',
      env: {MIIO2MQTT_MQTT_URL: 'mqtt://test.mosquitto.org'},
    })
    expect(found).toMatchObject([
      {file: 'environment MIIO2MQTT_MQTT_URL', path: 'mqtt.url', code: 'open_broker'},
    ])
  })

  it('about a file that every user can read names the command', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-warnings-'))
    onTestFinished(() => rm(folder, {recursive: true}))
    await chmod(folder, 0o755)
    const file = join(folder, 'config.yaml')
    await writeFile(file, DESK)
    await chmod(file, 0o644)
    const {warnings: found} = await loadConfig(file, {})
    const message = `every user of this machine can read the tokens or passwords in it: \`chmod 640 ${file}\``
    expect(found).toEqual([{file, path: '', message, code: 'readable_by_all'}])
    await chmod(file, 0o640)
    expect((await loadConfig(file, {})).warnings).toEqual([])
  })
})

describe('A configuration of the documents', () => {
  const configurations = documents.flatMap(({blocks}) => blocks.filter(({language}) => language === 'yaml'))
  const read = configurations.flatMap(({at, text}): [string, string[]][] => {
    try {
      return [[at, codes(text).filter((code) => code !== 'no_plugs devices')]]
    } catch {
      return [] // it is of something else, or a part of one
    }
  })

  it('is warned of nothing but its tokens', () => {
    expect(read.length).toBeGreaterThan(10)
    for (const [at, found] of read)
      expect([at, ...found.filter((code) => !code.startsWith('example_token '))]).toEqual([at])
  })
})
