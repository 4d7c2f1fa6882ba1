import {createCipheriv} from 'node:crypto'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {Secret} from '../../../src/common/secret.ts'
import {
  type Config,
  ConfigError,
  configPath,
  loadConfig,
  maskedConfig,
  nameProblem,
  parseConfig,
  parseDuration,
  parseToken,
  secretsOf,
  stateFolder,
} from '../../../src/config/config.ts'
import {CERT, KEY} from '../../support/pem.ts'
import {checkProperty} from '../../support/seeds.ts'

const TOKEN = '00112233445566778899aabbccddeeff'
const OTHER_TOKEN = 'ffeeddccbbaa99887766554433221100'
const DESK = `devices: {desk: {host: 192.0.2.1, token: ${TOKEN}}}`

type Files = Record<string, string>
type Env = Record<string, string>

function parse(text: string, env: Env = {}, files: Files = {}): Config {
  const readFile = (path: string) => {
    if (Object.hasOwn(files, path)) return files[path] ?? ''
    throw Object.assign(new Error('no such file'), {code: 'ENOENT'})
  }
  return parseConfig(text, {file: '/etc/m/config.yaml', env, readFile})
}

/** The lines of the error, without the folder of the file. */
function problems(text: string, env: Env = {}, files: Files = {}): string[] {
  try {
    parse(text, env, files)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll('/etc/m/', '').split('\n')
    throw error
  }
  return []
}

/** A valid configuration whose plug has these settings. */
const withPlug = (settings: string) => `devices: {desk: {token: ${TOKEN}, ${settings}}}`
const desk = (config: Config) => config.devices['desk']

describe('a configuration', () => {
  it('may be empty: everything has a default', () => {
    for (const text of ['', '# nothing yet\n', 'devices:\n', 'mqtt:\ndevices: {}\n']) {
      const config = parse(text)
      expect(config).toMatchObject({
        mqtt: {
          url: ['mqtt://localhost:1883'],
          base_topic: 'miio2mqtt',
          version: 5,
          keepalive: 15_000,
          verify: true,
        },
        homeassistant: {
          enabled: true,
          discovery_prefix: 'homeassistant',
          status_topic: 'homeassistant/status',
        },
        poll: {interval: 15_000, slow_interval: 60_000, offline_after: 3, command_timeout: 10_000},
        log: {level: 'info', format: 'text'},
        devices: {},
      })
      expect(config.mqtt).toMatchObject({qos: 1, retain: true})
      expect(config.network.broadcast).toBeUndefined()
    }
  })

  it('keeps everything that is written', () => {
    const config = parse(
      `
mqtt: {url: [wss://a/mqtt, mqtts://b:8883], username: u, base_topic: home/plugs, version: 3.1.1, keepalive: 1m, qos: 0, retain: false, verify: false, servername: broker, client_id: me}
homeassistant: {enabled: false, discovery_prefix: ha, status_topic: ha/up}
network: {broadcast: [192.0.2.255], bind: 192.0.2.9}
poll: {interval: 1.5, slow_interval: 2m, offline_after: 5, command_timeout: 2s}
log: {level: trace, format: json}
state_dir: state
devices:
  kitchen/Ofen ☕:
    id: 9007199254740991
    port: 1
    token: ${TOKEN.toUpperCase()}
    model: chuangmi.plug.v3
    disabled: true
    description: "by the door"
    area: Kitchen
    icon: mdi:kettle
    poll: {interval: 500ms, offline_after: 1}
`.replace('500ms', '1000ms'),
    )
    expect(config.mqtt).toMatchObject({
      url: ['wss://a/mqtt', 'mqtts://b:8883'],
      version: 4,
      keepalive: 60_000,
      qos: 0,
    })
    expect(config.network).toEqual({broadcast: ['192.0.2.255'], bind: '192.0.2.9'})
    expect(config.poll).toMatchObject({interval: 1500, slow_interval: 120_000, offline_after: 5})
    expect(config.state_dir).toBe('/etc/m/state')
    const plug = config.devices['kitchen/Ofen ☕']
    expect(plug).toMatchObject({
      id: 9007199254740991,
      port: 1,
      disabled: true,
      area: 'Kitchen',
      description: 'by the door',
    })
    expect(plug?.token.reveal()).toBe(TOKEN)
    expect({...config.poll, ...plug?.poll}).toMatchObject({
      interval: 1000,
      slow_interval: 120_000,
      offline_after: 1,
    })
  })

  it('distinguishes an empty list of broadcast addresses from the default', () => {
    expect(parse('network: {broadcast: []}').network.broadcast).toEqual([])
  })

  it('may share settings by anchors, aliases and merge keys, of which the nearest wins', () => {
    const config = parse(`
devices:
  a: &usual {host: h1, token: ${TOKEN}, area: Kitchen, poll: &quick {interval: 2s}}
  b: {<<: *usual, host: h2, poll: *quick}
  c: {host: h3, <<: [{area: Hall}, *usual]}
`)
    expect(config.devices['b']).toMatchObject({host: 'h2', area: 'Kitchen', poll: {interval: 2000}})
    expect(config.devices['c']).toMatchObject({host: 'h3', area: 'Hall', poll: {interval: 2000}})
  })
})

describe('text', () => {
  it.each([
    '00000000000000000000000000000123',
    '11111111111111111111111111111111',
    '1e123456789012345678901234567890',
    '00112233445566778899001122334455',
  ])('of a token is taken as written: %s', (token) => {
    expect(desk(parse(`devices: {desk: {host: h, token: ${token}}}`))?.token.reveal()).toBe(token)
  })

  it.each(['0123', '1e5', 'true', '0x1F', '1_000', '2001-01-01', 'no', '.inf'])(
    'of a password stays %s',
    (password) => {
      expect(parse(`mqtt: {username: u, password: ${password}}`).mqtt.password?.reveal()).toBe(password)
    },
  )

  it('of a name is text, too', () => {
    const devices = `devices: {007: {host: a, token: ${TOKEN}}, 1e3: {host: b, token: ${TOKEN}}, true: {host: c, token: ${TOKEN}}}`
    expect(Object.keys(parse(devices).devices)).toEqual(['007', '1e3', 'true'])
  })

  it('survives in every style of YAML, whatever it is', () => {
    const password = fc.string({minLength: 1, unit: 'grapheme'}).filter((text) => text === text.trim())
    checkProperty(
      fc.property(password, (text) => {
        expect(parse(`mqtt: {username: u, password: ${JSON.stringify(text)}}`).mqtt.password?.reveal()).toBe(
          text,
        )
      }),
    )
  })

  it('that is empty or null means that nothing is set', () => {
    expect(parse('mqtt:\n  username:\n  client_id: null\n  servername: ~\n').mqtt).not.toHaveProperty(
      'username',
    )
    expect(parse('mqtt: {username: "null"}').mqtt.username).toBe('null')
  })

  it('may be a token from an iOS backup, 96 hex digits', () => {
    const cipher = createCipheriv('aes-128-ecb', Buffer.alloc(16), null)
    const backup = cipher.update(TOKEN, 'latin1', 'hex') + cipher.final('hex')
    expect(backup).toHaveLength(96)
    expect(desk(parse(`devices: {desk: {host: h, token: ${backup}}}`))?.token.reveal()).toBe(TOKEN)
    expect(problems(`devices: {desk: {host: h, token: ${'ab'.repeat(48)}}}`)).toEqual([
      'config.yaml:1:27 devices.desk.token: expected 32 hex digits, got 96 that are not a token from an iOS backup',
    ])
  })
})

describe('a host', () => {
  it('is no token in the wrong place, which logs and topics would show', () => {
    expect(problems(`devices: {desk: {host: ${TOKEN}, token: ${TOKEN}}}`)).toEqual([
      'config.yaml:1:18 devices.desk.host: expected an IPv4 address or a host name, got what looks like a token',
    ])
    expect(desk(parse(`devices: {desk: {host: cafe, token: ${TOKEN}}}`))?.host).toBe('cafe')
  })
})

describe('a duration', () => {
  it.each([
    ['1500ms', 1500],
    ['15s', 15_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['15', 15_000],
    ['1.5', 1500],
    ['2 m', 120_000],
  ])('%s is %i ms', (written, ms) => {
    expect(parse(`poll: {interval: ${written}}`).poll.interval).toBe(ms)
    expect(parseDuration(written)).toBe(ms)
  })

  it.each(['0', '999ms', '577h', '-5s', '15 sec', '1d', 'NaN', '1e3', '[15]'])('is not %s', (written) => {
    expect(problems(`poll: {interval: ${written}}`)).toHaveLength(1)
  })

  it('of a command line is refused with what was expected', () => {
    expect(() => parseDuration('soon')).toThrow('expected a duration such as 15s, got "soon"')
  })
})

describe('what is different about the properties of a plug', () => {
  const withProperties = (written: string) =>
    `devices: {desk: {host: 192.0.2.4, token: ${TOKEN}, properties: ${written}}}`

  it('is taken as numbers', () => {
    const text = withProperties('{power: {scale: 0.1, offset: -2}, energy: {source: integrated}}')
    expect(parse(text).devices['desk']?.properties).toEqual({
      power: {scale: 0.1, offset: -2},
      energy: {source: 'integrated'},
    })
  })

  it.each([
    ['{power: {scale: 0}}', 'power.scale: expected a number above 0'],
    ['{power: {scale: much}}', 'power.scale: expected a number, got "much"'],
    ['{power: {skale: 1}}', 'power.skale: unknown key, did you mean "scale"?'],
    ['{power: {source: plug}}', 'power.source: expected for `energy` only'],
    ['{energy: {source: cloud}}', 'energy.source: expected plug or integrated, got "cloud"'],
  ])('is no %s', (written, problem) => {
    expect(problems(withProperties(written)).map((line) => line.replace(/^\S+ /, ''))).toEqual([
      `devices.desk.properties.${problem}`,
    ])
  })
})

describe('how a plug is shown', () => {
  const withLook = (written: string) => `devices: {desk: {host: 192.0.2.4, token: ${TOKEN}, ${written}}}`

  it('is taken as it is written', () => {
    const text = withLook(
      'qos: 0, retain: false, filtered: [led], homeassistant: {name: Lamp, entities: {led: {enabled: false}}}',
    )
    expect(parse(text).devices['desk']).toMatchObject({
      qos: 0,
      retain: false,
      filtered: ['led'],
      homeassistant: {enabled: true, name: 'Lamp', entities: {led: {enabled: false}}},
    })
  })

  it.each([
    [
      'filtered: led',
      'filtered: expected a list of names of properties, got a single value: write it as `filtered: [led]`',
    ],
    [
      'filtered: [LED]',
      'filtered.0: expected the name of a property such as power, got "LED", did you mean "led"?',
    ],
    ['qos: 2', 'qos: expected 0 or 1, got "2"'],
    [
      'homeassistant: false',
      'homeassistant: expected a mapping, got a single value: write it as `homeassistant: {enabled: false}`',
    ],
    [
      'homeassistant: {icon: x}',
      'homeassistant.icon: unknown key: it belongs to the plug itself, beside its token: `icon: …`',
    ],
    [
      'homeassistant: {entities: {state: {device_class: light}}}',
      'homeassistant.entities.state.device_class: expected switch or outlet, got "light"',
    ],
    [
      'homeassistant: {entities: {led: {name: Desk light}}}',
      'homeassistant.entities.led.name: expected a name that does not begin with "desk": Home Assistant puts that in front by itself',
    ],
  ])('is not %s', (written, problem) => {
    expect(problems(withLook(written)).map((line) => line.replace(/^\S+ /, ''))).toEqual([
      `devices.desk.${problem}`,
    ])
  })
})

describe('attributes', () => {
  const plug = (host: number) => `{host: 192.0.2.${host}, token: ${TOKEN}}`
  const output = (written: string) => `mqtt: {output: ${written}}
devices:
  desk: ${plug(1)}
  desk/led: ${plug(2)}
  desk/lamp: ${plug(3)}
  hall/led: ${plug(4)}
  desk/state_2: ${plug(5)}
groups: {desk/usb: {members: [desk]}}
`

  it('have topics that no plug or group can have as its name', () => {
    expect(problems(output('attribute_and_json'))).toEqual([
      'config.yaml:4:3 devices.desk/led: expected another name: with mqtt.output: attribute_and_json this is the topic of led of the plug "desk"',
      'config.yaml:7:3 devices.desk/state_2: expected another name: with mqtt.output: attribute_and_json this is the topic of state_2 of the plug "desk"',
      'config.yaml:8:10 groups.desk/usb: expected another name: with mqtt.output: attribute_and_json this is the topic of usb of the plug "desk"',
    ])
  })

  it('are not published by default', () => {
    expect(parse(output('json')).mqtt.output).toBe('json')
    expect(parse('').mqtt.output).toBe('json')
  })

  it('are never published without the state as a whole', () => {
    expect(problems('mqtt: {output: attribute}')).toEqual([
      'config.yaml:1:8 mqtt.output: expected json or attribute_and_json, got "attribute"',
    ])
  })
})

describe('problems', () => {
  it('are listed all at once, in the order of the file, each with its place', () => {
    const text = `mqtt:
  qos: 3
  verify: 'no'
  tls: on
  base_topic: plugs/#
netwrk: {}
poll: fast
devices:
  desk:
    host: 192.0.2.400
    tokn: ${TOKEN}
    token: 0011223344556677889900112233445
  hall: {host: http://x, token: ${TOKEN}x, port: 0, id: -1, icon: kettle}
  bridge/x: {}
  lamp:
`
    expect(problems(text)).toEqual([
      'config.yaml:2:3 mqtt.qos: expected 0 or 1, got "3"',
      'config.yaml:3:3 mqtt.verify: expected true or false, got "no"',
      'config.yaml:4:3 mqtt.tls: unknown key: whether it is encrypted is in the address: `url: mqtts://…`, and `ca: !file …` where the broker has an own authority',
      'config.yaml:5:3 mqtt.base_topic: expected an MQTT topic, got one that cannot be: it has a "+" or "#", which stand for other topics in MQTT',
      'config.yaml:6:1 netwrk: unknown key, did you mean "network"?',
      'config.yaml:7:1 poll: expected a mapping, got a single value: write it as `poll: {interval: …}`',
      'config.yaml:10:5 devices.desk.host: expected an IPv4 address or a host name, got "192.0.2.400"',
      'config.yaml:11:5 devices.desk.tokn: unknown key, did you mean "token"?',
      'config.yaml:12:5 devices.desk.token: expected 32 hex digits, got 31',
      'config.yaml:13:10 devices.hall.host: expected an IPv4 address or a host name, got "http://x"',
      'config.yaml:13:26 devices.hall.token: expected 32 hex digits, got 33 characters, not all of them hex digits',
      'config.yaml:13:68 devices.hall.port: expected a whole number from 1 to 65535, got "0"',
      'config.yaml:13:77 devices.hall.id: expected the device id of a plug, a whole number, got "-1"',
      'config.yaml:13:85 devices.hall.icon: expected an icon such as mdi:kettle, got "kettle"',
      'config.yaml:14:3 devices.bridge/x.token: expected 32 hex digits, got nothing',
      'config.yaml:14:3 devices.bridge/x: a plug cannot have this name: its first level is "bridge", where the bridge has its own topics',
      'config.yaml:14:3 devices.bridge/x: expected host or id, got neither: there is no way to find this plug',
      'config.yaml:15:3 devices.lamp.token: expected 32 hex digits, got nothing',
      'config.yaml:15:3 devices.lamp: expected host or id, got neither: there is no way to find this plug',
    ])
  })

  it('can be read by a program as well', () => {
    try {
      parse('poll: {interval: 1y}')
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({
        problems: [{file: '/etc/m/config.yaml', line: 1, column: 8, path: 'poll.interval'}],
      })
    }
  })

  it.each([
    ['mqtt: [', /^config\.yaml:1:\d+: /],
    ['mqtt: {}\n---\npoll: {}', /^config\.yaml:\d:\d+: /],
    ['mqtt: {}\nmqtt: {}', /^config\.yaml:2:1 mqtt: this key was written before in the same mapping$/],
    ['- a\n- b', /^config\.yaml:1:1: expected a mapping, got a list$/],
    ['mqtt: {tlx: }', /^config\.yaml:1:8 mqtt\.tlx: unknown key$/],
    ['hello', /^config\.yaml:1:1: expected a mapping, got a single value$/],
    ['mqtt: !foo {}', /unknown tag, expected !env, !file, !secret/],
    ['? [a]\n: b', /expected text as a key/],
    ['devices: []', /expected a mapping from names to plugs, got a list/],
    ['network: {broadcast: 192.0.2.255}', /expected a list of IPv4 addresses, got a single value/],
    ['mqtt: {url: []}', /expected at least one value, got an empty list/],
    ['devices: &d {a: *d}', /expected a file of finite size/],
    ['devices: {<<: 5}', /expected a mapping after "<<"/],
  ])('of the YAML itself have a place, too: %j', (text, message) => {
    expect(problems(text)[0]).toMatch(message)
  })

  it.each([
    ['devices:\n\tdesk: {}', 'config.yaml:2:1: a tab cannot indent: use spaces'],
    [
      'poll:\n    interval: 5s\n  slow_interval: 9s',
      'config.yaml:3:3: indented by 2 spaces, expected 0 or 4, as the lines above that it belongs to',
    ],
    [
      'poll: {interval: 5s\nlog: {}',
      'config.yaml:1:7: the bracket "{" that opens here is never closed; text that starts with it needs quotes',
    ],
    [
      'devices:\n  desk:\n    host:192.0.2.1\n    id: 1',
      'config.yaml:3:5: expected "name: value", with a space after the colon',
    ],
    [
      'mqtt:\n  username: me: you',
      'config.yaml:2:13: text with ": " in it needs quotes: put the username in single quotes',
    ],
    [
      "mqtt:\n  username: 'me\n  base_topic: a\npoll: {}",
      'config.yaml:2:13: a quote that begins here is never closed',
    ],
    ['mqtt: {}\n---\npoll: {}', 'config.yaml:2:1: expected one document: remove the line "---"'],
  ])('of the YAML itself are in plain words: %j', (text, message) => {
    expect(problems(text)).toContain(message)
  })

  it.each([
    ['devices: {desk: {hots: 192.0.2.1}}', 'devices.desk.hots: unknown key, did you mean "host"?'],
    ['devices: {desk: {ip: 192.0.2.1}}', 'devices.desk.ip: unknown key, did you mean "host"?'],
    ['mqtt: {user: me}', 'mqtt.user: unknown key, did you mean "username"?'],
    ['mqtt: {host: broker.lan}', 'mqtt.host: unknown key, did you mean "url"?'],
    ['mqtt: {devices: {}}', 'mqtt.devices: unknown key here: it belongs at the very beginning of a line'],
    [
      'devices:\n  desk:\n  host: 192.0.2.1',
      'config.yaml:3:3 devices.host: expected the settings of a plug, indented below its name, got a single value',
    ],
    ['groups: {evening: [desk]}', 'groups.evening: expected a mapping with `members` in it, got a list'],
    ['mqtt: {devices: {}}\nmqqt: {}', 'mqqt: unknown key, did you mean "mqtt"?'],
  ])('suggest what was probably meant: %j', (text, message) => {
    expect(problems(text).join('\n')).toContain(message)
  })

  it('are reported for a file that multiplies itself', () => {
    const levels = Array.from(
      {length: 9},
      (_, n) => `l${n + 1}: &l${n + 1} [${Array(9).fill(`*l${n}`).join(', ')}]`,
    )
    expect(problems(['l0: &l0 x', ...levels].join('\n')).join()).toContain('expected a file of finite size')
  })

  it('never come as anything but a ConfigError, whatever the text', () => {
    const words = [
      'mqtt',
      'devices',
      'desk',
      ': ',
      '- ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      '&a ',
      '*a',
      '<<',
      '!env ',
      '!secret ',
      '|',
      '"',
      "'",
      '#',
      '? ',
      '%',
      '\t',
      TOKEN,
      '__proto__',
      '\0',
    ]
    const soup = fc.array(fc.oneof(fc.constantFrom(...words), fc.string()), {maxLength: 30})
    checkProperty(
      fc.property(soup, (parts) => {
        for (const line of problems(parts.join(''))) expect(line).not.toContain(TOKEN)
      }),
      {numRuns: 100},
    )
  })

  it('cannot reach the prototype of anything', () => {
    const text = `__proto__: {polluted: 1}\nmqtt: {__proto__: {qos: 0}}\ndevices: {__proto__: {host: h, token: ${TOKEN}}}`
    expect(problems(text)).toEqual([
      'config.yaml:1:1 __proto__: unknown key',
      'config.yaml:2:8 mqtt.***: unknown key',
      'config.yaml:3:11 devices.__proto__: unknown key',
    ])
    const odd = `devices: {constructor: {host: a, token: ${TOKEN}}, toString: {host: b, token: ${TOKEN}}}`
    expect(Object.keys(parse(odd).devices)).toEqual(['constructor', 'toString'])
  })
})

describe('a secret', () => {
  const SECRET = 'hunter2-hunter2'

  it.each([
    ['a password of the wrong kind', `mqtt: {password: [${SECRET}]}`],
    ['a password that YAML takes for an alias', `mqtt: {password: *${SECRET}}`],
    ['a password that YAML takes for a tag', `mqtt: {password: !${SECRET} x}`],
    ['a password with a bad escape', `mqtt: {password: "${SECRET}\\q"}`],
    ['a password with something after its quotes', `mqtt:\n  password: "x" ${SECRET}\n`],
    ['a password that runs on', `mqtt:\n  password: "${SECRET}\n`],
    ['a token that is none', `devices: {a: {host: h, token: ${SECRET}}}`],
    ['a login in an address that is none', `mqtt: {url: 'mqttt://u:${SECRET}@h'}`],
    ['a login in an address without a host', `mqtt: {url: 'mqtt://u:${SECRET}@'}`],
    ['a login after "?"', `mqtt: {url: 'ws://h/?token=${SECRET}'}`],
    ['a file that a setting cannot use', 'mqtt: {qos: !file /run/s, username: x}'],
    ['a variable that a setting cannot use', 'poll: {interval: !env S}'],
    ['a named secret that a setting cannot use', 'devices: {a: {host: !secret s, port: !secret s}}'],
    ['a key that is none', `mqtt: {key: ${SECRET}}`],
  ])('is never repeated: %s', (_, text) => {
    const found = problems(text, {S: SECRET}, {'/run/s': SECRET, '/etc/m/secrets.yaml': `s: ${SECRET}`})
    expect(found.length).toBeGreaterThan(0)
    expect(found.join('\n')).not.toContain(SECRET)
  })

  it('is not repeated when a token stands in the place of another setting, or of a key', () => {
    const found = problems(`devices: {a: {id: ${TOKEN}, port: ${TOKEN}, ? token ${TOKEN}}}`)
    expect(found.length).toBeGreaterThanOrEqual(3)
    expect(found.join('\n')).not.toContain(TOKEN)
  })

  it('is not shown by the configuration, however it is printed, and secretsOf finds each', () => {
    const config = parse(
      `mqtt: {url: 'mqtt://u:${SECRET}@h', cert: !file c, key: !file k}\n${DESK}`,
      {},
      {
        '/etc/m/c': CERT,
        '/etc/m/k': KEY,
      },
    )
    const shown = JSON.stringify(maskedConfig(config))
    expect(shown).not.toContain(SECRET)
    expect(shown).not.toContain(TOKEN)
    expect(shown).toContain('"token":"***"')
    expect(secretsOf(config).map((secret) => secret.reveal())).toEqual(
      expect.arrayContaining([SECRET, TOKEN, KEY.trimEnd()]),
    )
  })
})

describe('the effective configuration', () => {
  it('is spelled like the file', () => {
    expect(maskedConfig(parse(DESK))).toMatchObject({
      poll: {interval: '15s', command_timeout: '10s', offline_after: 3},
      devices: {desk: {host: '192.0.2.1', port: 54321, token: '***', disabled: false}},
    })
  })
})

describe('names of plugs', () => {
  it.each([
    'desk',
    'kitchen/kettle',
    'Büro ☕',
    'a/b/c',
    'bridges',
    'a/bridge',
    'set',
    "it's",
    'desk $2',
    '👩‍🔬',
  ])('may be %j', (name) => {
    const config = parse(`devices: {${JSON.stringify(name)}: {host: h, token: ${TOKEN}}}`)
    expect(Object.keys(config.devices)).toEqual([name])
  })

  it.each([
    ['', 'empty'],
    ['a+b', '"+" or "#"'],
    ['#', '"+" or "#"'],
    ['/a', 'starts or ends with "/"'],
    ['a/', 'starts or ends with "/"'],
    ['a//b', 'empty level'],
    ['a\0b', 'control character'],
    ['a\nb', 'control character'],
    ['a\u0085b', 'control character'],
    ['\ud800', 'control character'],
    ['bridge', '"bridge"'],
    ['bridge/desk', '"bridge"'],
    ['desk/set', '"set"'],
    ['desk/get/x', '"get"'],
    ['x'.repeat(201), 'longer than 200'],
  ])('may not be %j, and the rule is named', (name, rule) => {
    expect(nameProblem(name)).toContain(rule)
    const found = problems(`devices: {? ${JSON.stringify(name)} : {host: h, token: ${TOKEN}}}`)
    expect(found.join()).toContain(rule)
  })
})

describe('two plugs', () => {
  const two = (a: string, b: string) =>
    `devices:\n  one: {${a}, token: ${TOKEN}}\n  two: {${b}, token: ${OTHER_TOKEN}}`

  it('may not have names that differ in case alone', () => {
    const found = problems(
      `devices:\n  Büro: {host: a, token: ${TOKEN}}\n  BÜRO: {host: b, token: ${OTHER_TOKEN}}`,
    )
    expect(found).toEqual([
      'config.yaml:3:3 devices.BÜRO: the name differs in case alone from that of "Büro"',
    ])
  })

  it('may not have the same id, or the same address', () => {
    expect(problems(two('id: 5', 'id: 5'))).toEqual(['config.yaml:3:9 devices.two.id: the same id as "one"'])
    expect(problems(two('host: H', 'host: h, port: 54321'))).toEqual([
      'config.yaml:3:9 devices.two.host: the same host and port as "one"',
    ])
    expect(problems(two('host: h', 'host: h, port: 5'))).toEqual([])
  })

  it('are compared also when other things are wrong', () => {
    expect(problems(two('id: 5, x: 1', 'id: 5, port: x'))).toHaveLength(3)
  })
})

describe('the address of a broker', () => {
  it('loses its login, which becomes username and password', () => {
    const {mqtt} = parse("mqtt: {url: 'mqtts://me%40home:p%2Fw@h:1'}")
    expect(mqtt).toMatchObject({url: ['mqtts://h:1'], username: 'me@home'})
    expect(mqtt.password?.reveal()).toBe('p/w')
  })

  it('is overridden by the settings username and password', () => {
    const {mqtt} = parse("mqtt: {url: 'mqtt://a:b@h', username: c, password: d}")
    expect([mqtt.username, mqtt.password?.reveal()]).toEqual(['c', 'd'])
  })

  it.each([
    ["['mqtt://a:b@h', 'mqtt://a:c@i']", 'expected the same login in all addresses'],
    ['localhost:1883', 'got one without "mqtt://" before it'],
    ['http://h', 'got one that starts with "http://"'],
    ['mqtt://', 'got one'],
    ['mqtt://h:99999', 'got one whose port is above 65535'],
    ['mqtt://u:%zz@h', 'got one with a "%"'],
  ])('may not be %s', (url, message) => {
    expect(problems(`mqtt: {url: ${url}}`)).toEqual([expect.stringContaining(message)])
  })

  it('needs a certificate and its key together', () => {
    const pem = {'/etc/m/c': '-----BEGIN CERTIFICATE-----\n'}
    expect(problems('mqtt: {cert: !file c}', {}, pem)).toEqual([
      expect.stringContaining('cert and key together'),
    ])
    expect(problems('mqtt: {ca: /etc/ca.pem}')).toEqual([
      expect.stringContaining('write "!file" before the path'),
    ])
  })
})

describe('tags', () => {
  it('take a value from elsewhere: !env, !file, !secret', () => {
    const text = `mqtt: {username: !env NAME, password: !file sub/pw}\ndevices: {desk: {host: !file /run/h, token: !secret desk}}`
    const files = {
      '/etc/m/sub/pw': ' pw \n',
      '/run/h': 'plug.lan\r\n',
      '/etc/m/secrets.yaml': `desk: ${TOKEN}\nother: 1`,
    }
    const config = parse(text, {NAME: 'me'}, files)
    expect(config.mqtt.username).toBe('me')
    expect(config.mqtt.password?.reveal()).toBe(' pw ')
    expect(desk(config)).toMatchObject({host: 'plug.lan'})
    expect(desk(config)?.token.reveal()).toBe(TOKEN)
  })

  it('that stand for nothing are one problem each, at their place', () => {
    const text = `mqtt:\n  username: !env NAME\n  password: !file pw\n  client_id: !secret\ndevices:\n  desk: {host: !env H, token: !secret desk}\n`
    expect(problems(text, {}, {'/etc/m/secrets.yaml': 'desks: 1'})).toEqual([
      'config.yaml:2:3 mqtt.username: the environment variable "NAME" is not set',
      'config.yaml:3:3 mqtt.password: cannot read pw: there is no such file',
      'config.yaml:4:3 mqtt.client_id: expected a name after !secret, got nothing',
      'config.yaml:6:10 devices.desk.host: the environment variable "H" is not set',
      'config.yaml:6:24 devices.desk.token: secrets.yaml has no text called "desk", did you mean "desks"?',
    ])
  })

  it('find the problems of secrets.yaml where they are', () => {
    const found = problems('mqtt: {password: !secret a}', {}, {'/etc/m/secrets.yaml': 'a: "b\n'})
    expect(found).toEqual([expect.stringMatching(/^secrets\.yaml:\d:\d/)])
  })
})

describe('the environment', () => {
  it('overrides any single value, directly or by a file', () => {
    const env = {
      MIIO2MQTT_MQTT_URL: 'mqtt://other',
      MIIO2MQTT_MQTT_PASSWORD_FILE: '/run/pw',
      MIIO2MQTT_POLL_SLOW_INTERVAL: '90',
      MIIO2MQTT_HOMEASSISTANT_ENABLED: 'false',
      MIIO2MQTT_STATE_DIR: '/data',
      MIIO2MQTT_DEVICES_DESK_HOST: '192.0.2.9',
      MIIO2MQTT_DEVICES_DESK_POLL_INTERVAL: '3s',
      MIIO2MQTT_DEVICES_KITCHEN_KETTLE_2_TOKEN: OTHER_TOKEN,
      MIIO2MQTT_CONFIG: '/elsewhere.yaml',
      MIIO2MQTT_MQTT_USERNAME: 'me',
      MIIO2MQTT_MQTT_SERVERNAME: '',
    }
    const text = `mqtt: {url: [mqtt://a, mqtt://b]}\ndevices: {desk: {host: h, token: ${TOKEN}}, kitchen/kettle-2: {host: i}}`
    const config = parse(text, env, {'/run/pw': 'pw\n'})
    expect(config.mqtt).toMatchObject({url: ['mqtt://other']})
    expect(config.mqtt.username).toBe('me')
    expect(config.mqtt).not.toHaveProperty('servername')
    expect(config.mqtt.password?.reveal()).toBe('pw')
    expect(config.poll.slow_interval).toBe(90_000)
    expect(config.homeassistant.enabled).toBe(false)
    expect(config.state_dir).toBe('/data')
    expect(desk(config)).toMatchObject({host: '192.0.2.9', poll: {interval: 3000}})
    expect(config.devices['kitchen/kettle-2']?.token.reveal()).toBe(OTHER_TOKEN)
  })

  it('is named in its problems, and its values are not repeated', () => {
    const env = {
      MIIO2MQTT_MQTT_URL: 'secret-in-a-wrong-place',
      MIIO2MQTT_POLL_INTERVAL: 'secret',
      MIIO2MQTT_MQTT_PASWORD: 'secret',
      MIIO2MQTT_NETWORK_BROADCAST: '192.0.2.255',
      MIIO2MQTT_MQTT_CA_FILE: '/none',
      MIIO2MQTT_DEVICES_HALL_HOST: 'h',
      MIIO2MQTT_LOG_LEVEL: 'info',
      MIIO2MQTT_LOG_LEVEL_FILE: '/none',
    }
    const found = problems(`mqtt: {url: [mqtt://a]}\n${DESK}`, env)
    expect(found.join('\n')).not.toContain('secret')
    expect(found.map((line) => line.replace(/, got .*/, '')).sort()).toEqual([
      'environment MIIO2MQTT_DEVICES_HALL_HOST: expected the name of a setting that has one value: it has none of the names under `devices` in the file, written in capitals and with "_"',
      'environment MIIO2MQTT_LOG_LEVEL_FILE log.level: cannot read /none: there is no such file',
      'environment MIIO2MQTT_LOG_LEVEL_FILE: expected this or MIIO2MQTT_LOG_LEVEL',
      'environment MIIO2MQTT_MQTT_CA_FILE mqtt.ca: cannot read /none: there is no such file',
      'environment MIIO2MQTT_MQTT_PASWORD: expected the name of a setting that has one value, did you mean "MIIO2MQTT_MQTT_PASSWORD"?',
      'environment MIIO2MQTT_MQTT_URL mqtt.url: expected an address mqtt://, mqtts://, ws:// or wss://',
      'environment MIIO2MQTT_NETWORK_BROADCAST: expected the name of a setting that has one value',
      'environment MIIO2MQTT_POLL_INTERVAL poll.interval: expected a duration such as 15s, from 1s to 576h',
    ])
  })

  it('cannot mean one of two plugs whose names look alike in capitals', () => {
    const text = `devices: {a-b: {host: h, token: ${TOKEN}}, a/b: {host: i, token: ${TOKEN}}}`
    expect(problems(text, {MIIO2MQTT_DEVICES_A_B_HOST: 'x'})).toEqual([
      'environment MIIO2MQTT_DEVICES_A_B_HOST: expected one setting, got devices.a-b.host and devices.a/b.host',
    ])
  })

  it('may have variables of any name that the file itself uses', () => {
    expect(desk(parse(withPlug('host: !env MIIO2MQTT_DESK'), {MIIO2MQTT_DESK: 'h'}))).toMatchObject({
      host: 'h',
    })
  })
})

describe('a token of the command line', () => {
  it('is a Secret, or what is wrong with it', () => {
    expect(parseToken(TOKEN.toUpperCase())).toEqual(new Secret(TOKEN))
    expect(parseToken('xyz')).toBe('expected 32 hex digits, got 3 characters, not all of them hex digits')
  })
})

describe('files', () => {
  it('are read without blocking, with all they refer to', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-config-'))
    const file = join(folder, 'config.yaml')
    try {
      await writeFile(file, 'mqtt: {username: !file name}\ndevices: {desk: {host: h, token: !secret desk}}')
      await writeFile(join(folder, 'name'), 'me\n')
      await writeFile(join(folder, 'secrets.yaml'), `desk: ${TOKEN}`)
      await writeFile(join(folder, 'pw'), 'pw\n')
      const config = await loadConfig(file, {MIIO2MQTT_MQTT_PASSWORD_FILE: join(folder, 'pw')})
      expect(config.mqtt.username).toBe('me')
      expect(config.mqtt.password?.reveal()).toBe('pw')
      expect(desk(config)?.token.reveal()).toBe(TOKEN)
      await writeFile(file, Buffer.from([0x61, 0xff]))
      await expect(loadConfig(file, {})).rejects.toThrow(
        'cannot read the configuration: it is not UTF-8 text',
      )
    } finally {
      await rm(folder, {recursive: true})
    }
    await expect(loadConfig(file, {})).rejects.toThrow(
      `${file}: cannot read the configuration: there is no such file`,
    )
    await expect(loadConfig(tmpdir(), {})).rejects.toThrow('it is a folder')
  })

  it('are looked for at the path of the option, then of the environment, then here', async () => {
    expect(await configPath('/a.yaml', {MIIO2MQTT_CONFIG: '/b.yaml'})).toBe('/a.yaml')
    expect(await configPath(undefined, {MIIO2MQTT_CONFIG: '/b.yaml'})).toBe('/b.yaml')
    expect(await configPath(undefined, {})).toMatch(/config\.yaml$/)
  })

  it('of the state are in the folder of systemd, or in the usual one of the user', () => {
    expect(stateFolder({STATE_DIRECTORY: '/var/lib/x:/var/lib/y'}, 0, '/root')).toBe('/var/lib/x')
    expect(stateFolder({}, 0, '/root')).toBe('/var/lib/miio2mqtt')
    expect(stateFolder({XDG_STATE_HOME: '/s'}, 1000, '/home/me')).toBe('/s/miio2mqtt')
    expect(stateFolder({}, 1000, '/home/me')).toBe('/home/me/.local/state/miio2mqtt')
  })
})

describe('ten thousand plugs', () => {
  it('are read, and of their ten thousand mistakes the first are listed', {timeout: 60_000}, () => {
    const plug = (did: number, token: string) => `  plug ${did}: {id: ${did}, token: ${token}}`
    const file = (length: number) =>
      [
        'devices:',
        ...Array.from({length: 10_000}, (_, n) => plug(n + 1, (n + 1).toString(16).padStart(length, '0'))),
      ].join('\n')
    expect(Object.keys(parse(file(32)).devices)).toHaveLength(10_000)
    const found = problems(file(31))
    expect(found).toHaveLength(101)
    expect(found[99]).toContain('config.yaml:101:')
    expect(found[100]).toBe('config.yaml: and 9900 more problems')
  })
})
