import {generateKeyPairSync} from 'node:crypto'
import {connect} from 'mqtt'
import {describe, expect, it} from 'vitest'
import {type Config, ConfigError, parseConfig} from '../../../../src/config/config.ts'
import {clientOptions} from '../../../../src/mqtt/session.ts'
import {CERT, KEY, WEAK_CERT, WEAK_KEY} from '../../../support/pem.ts'

const {privateKey} = generateKeyPairSync('ec', {namedCurve: 'prime256v1'})
const encrypted = (type: 'sec1' | 'pkcs8') =>
  privateKey.export({type, format: 'pem', cipher: 'aes-128-cbc', passphrase: 'secret words'}).toString()
const OTHER_KEY = privateKey.export({type: 'pkcs8', format: 'pem'}).toString()
const SEC1_KEY = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${privateKey
  .export({type: 'sec1', format: 'pem'})
  .toString()}`

const body = (pem: string) => pem.split('\n').slice(1, -2)
const damaged = (pem: string) => pem.replace(/\n.{20}/, `\n${'A'.repeat(20)}`)
const cutOff = (pem: string) => pem.slice(0, pem.length / 2)

type Files = Record<string, string>

function parse(text: string, files: Files = {}): Config {
  const readFile = (path: string) => {
    if (Object.hasOwn(files, path)) return files[path] ?? ''
    throw Object.assign(new Error('no such file'), {code: 'ENOENT'})
  }
  return parseConfig(text, {file: '/m/config.yaml', env: {}, readFile})
}

function problems(text: string, files: Files = {}): string[] {
  try {
    parse(text, files)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

/** What of the content of a file stands in the text. */
const repeated = (files: Files, text: string) =>
  Object.values(files)
    .flatMap(body)
    .filter((line) => line.length > 8 && text.includes(line.slice(0, 12)))

describe('TLS material in a configuration', () => {
  const text = 'mqtt:\n  url: mqtts://h\n  ca: !file /ca\n  cert: !file /cert\n  key: !file /key\n'
  const good = {'/ca': CERT, '/cert': CERT, '/key': KEY}

  it('that fits is valid: chains, bundles with remarks, CRLF', () => {
    for (const files of [
      good,
      {...good, '/ca': `${CERT}# another\n${CERT}`},
      {...good, '/cert': CERT + CERT},
      {...good, '/ca': CERT.replaceAll('\n', '\r\n'), '/key': KEY.replaceAll('\n', '\r\n')},
    ])
      expect(problems(text, files)).toEqual([])
  })

  it.each<[string, Files, string, string]>([
    ['a damaged authority', {'/ca': damaged(CERT)}, '3:3 mqtt.ca', 'one that is damaged'],
    ['an authority cut off', {'/ca': cutOff(CERT)}, '3:3 mqtt.ca', 'one that is cut off'],
    ['a bundle whose second is damaged', {'/ca': CERT + damaged(CERT)}, '3:3 mqtt.ca', 'number 2 of 2'],
    ['a bundle cut off', {'/ca': CERT + cutOff(CERT)}, '3:3 mqtt.ca', 'number 2 of 2 that is cut off'],
    [
      'garbage that begins like a certificate',
      {'/ca': '-----BEGIN CERTIFICATE-----\n1\n-----END CERTIFICATE-----\n'},
      '3:3 mqtt.ca',
      'damaged',
    ],
    ['something else in PEM', {'/ca': CERT.replaceAll('CERTIFICATE', 'X509 CRL')}, '3:3 mqtt.ca', 'got none'],
    ['a key as authority', {'/ca': KEY}, '3:3 mqtt.ca', 'a private key among them'],
    ['a key beside the certificate', {'/cert': CERT + KEY}, '4:3 mqtt.cert', 'a private key among them'],
    ['a damaged certificate', {'/cert': damaged(CERT)}, '4:3 mqtt.cert', 'damaged'],
    ['a certificate cut off', {'/cert': cutOff(CERT)}, '4:3 mqtt.cert', 'cut off'],
    ['a key in place of the certificate', {'/cert': KEY}, '4:3 mqtt.cert', 'a private key'],
    ['a certificate in place of the key', {'/key': CERT}, '5:3 mqtt.key', 'one private key, got none'],
    ['the key of another certificate', {'/key': OTHER_KEY}, '5:3 mqtt.key', 'got that of another'],
    ['another key in the older form', {'/key': SEC1_KEY}, '5:3 mqtt.key', 'got that of another'],
    ['an encrypted key', {'/key': encrypted('pkcs8')}, '5:3 mqtt.key', 'got an encrypted one'],
    ['an encrypted key in the older form', {'/key': encrypted('sec1')}, '5:3 mqtt.key', 'got an encrypted'],
    ['a damaged key', {'/key': damaged(KEY)}, '5:3 mqtt.key', 'damaged'],
    ['a key cut off', {'/key': cutOff(KEY)}, '5:3 mqtt.key', 'cut off'],
    ['two keys', {'/key': KEY + OTHER_KEY}, '5:3 mqtt.key', 'one private key, got 2'],
  ])('that cannot be used is an error with its place: %s', (_, files, place, words) => {
    const found = problems(text, {...good, ...files})
    expect(found).toEqual([expect.stringContaining(words)])
    expect(found[0]).toContain(`/m/config.yaml:${place}: expected `)
    expect(repeated({...good, ...files}, found.join())).toEqual([])
  })

  it.each([
    ['with remarks before it', `# my own\nBag Attributes: none\n${CERT}`, 1],
    ['after another, without a line break between', CERT.trimEnd() + CERT, 2],
    ['indented, with spaces at the ends of lines', CERT.replaceAll(/^/gm, '  ').replaceAll('\n', ' \n'), 1],
    [
      'with a list of the purposes it is trusted for',
      CERT.replaceAll(' CERTIFICATE', ' TRUSTED CERTIFICATE'),
      1,
    ],
    ['after what is no certificate', `${CERT.replaceAll('CERTIFICATE', 'X509 CRL')}${CERT}`, 1],
  ])('is given to OpenSSL as it was checked: a certificate %s', (_, ca, count) => {
    const {mqtt} = parse(text, {...good, '/ca': ca, '/cert': ca})
    expect(mqtt.ca).toBe(CERT.repeat(count))
    expect(mqtt.cert).toBe(CERT.repeat(count))
  })

  it.each([
    ['remarks and parameters', `Bag Attributes: none\n${SEC1_KEY}`],
    ['indentation', SEC1_KEY.replaceAll(/^/gm, '  ')],
  ])('is given to OpenSSL as it was looked at: a key with %s', (_, key) => {
    const found = problems(text, {...good, '/key': key})
    expect(found).toEqual([expect.stringContaining('got that of another')])
  })

  it('that OpenSSL has a rule against is refused with the name of the rule', () => {
    const found = problems(text, {...good, '/cert': WEAK_CERT, '/key': WEAK_KEY})
    expect(found).toEqual([
      expect.stringContaining('4:3 mqtt.cert: expected what OpenSSL can use, got what it'),
    ])
    expect(found[0]).toMatch(/key too small/)
  })
})

describe('a text that a broker or the client library refuses is invalid', () => {
  const long = 'ü'.repeat(32_768)
  it.each([
    ['a password', {password: long}, 'mqtt.password: expected text, got 65536 bytes'],
    ['a password with NUL', {password: 'a\0b'}, 'mqtt.password: expected text, got some with a NUL'],
    ['a password with half a character', {password: '\ud800'}, 'mqtt.password: expected text, got some with'],
    ['a username', {username: long}, 'mqtt.username: expected text, got 65536 bytes'],
    ['a username with NUL', {username: 'a\0'}, 'mqtt.username: expected text, got some with a control'],
    [
      'a username with a line break',
      {username: 'a\nb'},
      'mqtt.username: expected text, got some with a control',
    ],
    ['a client id', {client_id: long}, 'mqtt.client_id: expected text, got 65536 bytes'],
    ['an empty client id', {client_id: ''}, 'mqtt.client_id: expected text, got nothing'],
    ['half a character', {client_id: 'a\udfff'}, 'mqtt.client_id: expected text, got some with half'],
    ['a server name', {servername: 'a\0b'}, 'mqtt.servername: expected text'],
    ['a login in the address', {url: `mqtt://${'u'.repeat(65_536)}@h`}, 'whose login is 65536 bytes'],
    ['NUL in the address', {url: 'mqtt://u:p%00@h'}, 'whose login is some with a NUL'],
    ['port 0', {url: 'mqtt://h:0'}, 'one with the port 0'],
    ['a path of mqtt', {url: 'mqtt://h/mqtt'}, 'one with a path after the host'],
    ['a host with other letters', {url: 'mqtt://plugs%20.de'}, 'one whose host is no ASCII name'],
    ['a keepalive', {keepalive: '65536s'}, 'mqtt.keepalive: expected a duration'],
    ['a base topic', {base_topic: 'x'.repeat(70_000)}, 'mqtt.base_topic: expected an MQTT topic'],
    ['a base topic with half a character', {base_topic: '\ud800'}, 'mqtt.base_topic: expected an MQTT topic'],
  ])('%s', (_, mqtt, words) => {
    const found = problems(JSON.stringify({mqtt}))
    expect(found).toEqual([expect.stringContaining(words)])
    expect(found.join().length).toBeLessThan(300)
  })

  it.each([
    'ws://[::1]:9',
    'ws://[::1]:9/mqtt',
    'wss://[::1]:9',
    'mqtt://[::1]:9',
    'mqtts://[::1]:9',
    'ws://h.invalid/ü',
  ])('%s is valid, and can be tried', async (url) => {
    const {mqtt} = parse(JSON.stringify({mqtt: {url, username: 'u', password: 'p'}}))
    const broker = {urls: mqtt.url, clientId: 'me', version: 5, keepalive: 1000} as const
    const will = {topic: 'a', payload: '', qos: 0, retain: false} as const
    const client = connect(clientOptions(broker, mqtt.url[0] ?? '', 5, will))
    client.on('error', () => {})
    client.connect()
    await new Promise((resolve) => client.end(true, resolve))
  })
})

describe('texts of a configuration', () => {
  it.each([
    ['devices', 'desk', 'description'],
    ['devices', 'desk', 'area'],
    ['devices', 'desk', 'homeassistant', 'name'],
    ['devices', 'desk', 'homeassistant', 'entities', 'led', 'name'],
    ['groups', 'all', 'description'],
    ['groups', 'all', 'area'],
    ['state_dir'],
    ['models'],
  ])('have no halves of characters and no control characters: %s', (...path) => {
    const plug = {host: '192.0.2.1', token: '00112233445566778899aabbccddeeff'}
    const config = (value: string) => {
      const all: Record<string, unknown> = {devices: {desk: plug}, groups: {all: {members: ['desk']}}}
      let around = structuredClone(all)
      const whole = around
      for (const key of path.slice(0, -1)) {
        around[key] ??= {}
        around = around[key] as Record<string, unknown>
      }
      around[path.at(-1) ?? ''] = value
      return JSON.stringify(whole)
    }
    expect(problems(config('Küche 灯'))).toEqual([])
    for (const wrong of ['a\ud800', '\udc00', '\0', 'a\u001b[2J', '\u009b'])
      expect(problems(config(wrong))).toEqual([
        expect.stringMatching(/expected (text|a path), got some with control characters or halves/),
      ])
  })
})

it.each(['224.0.0.1', '240.0.0.1', '255.255.255.255', '127.255.255.255', '0.0.0.7'])(
  'The local address for requests to plugs is one that a machine can have, and not %s.',
  (bind) => {
    expect(problems(JSON.stringify({network: {bind}}))).toEqual([
      `/m/config.yaml:1:13 network.bind: expected an IPv4 address of this machine, got "${bind}"`,
    ])
  },
)

it('Every address of this machine can be the local address for requests to plugs.', () => {
  expect(parse('network: {bind: 0.0.0.0}').network.bind).toBe('0.0.0.0')
})
