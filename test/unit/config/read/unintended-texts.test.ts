import {describe, expect, it} from 'vitest'
import {ConfigError, parseConfig, parseToken} from '../../../../src/config/config.ts'
import {TOKEN} from '../../../support/token.ts'

type Files = Record<string, string>

function read(text: string, files: Files = {}, env: Record<string, string> = {}) {
  const readFile = (path: string) => {
    if (Object.hasOwn(files, path)) return files[path] ?? ''
    throw Object.assign(new Error('no such file'), {code: 'ENOENT'})
  }
  return parseConfig(text, {file: '/m/config.yaml', env, readFile})
}

function problems(...reading: Parameters<typeof read>): string[] {
  try {
    read(...reading)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll('/m/', '').split('\n')
    throw error
  }
  return []
}

const plug = (host: string, token: string) => `devices:\n  desk:\n    host: ${host}\n    token: ${token}\n`

describe('typographic quotes', () => {
  const pairs = ['“”', '„“', '””', '‘’', '‚‘', '«»', '»«', '‹›', '〝〞']

  it.each(pairs)('%s are no quotes, around any value, key, entry or tag', (pair) => {
    const [open = '', close = ''] = pair
    const quoted = (text: string) => `${open}${text}${close}`
    for (const text of [
      `mqtt: {url: ${quoted('mqtt://h')}}`,
      `mqtt: {username: u, password: ${quoted('secret')}}`,
      `mqtt: {username: ${quoted('me')}}`,
      `mqtt: {username: u, password: !env ${quoted('X')}}`,
      `mqtt: {username: u, password: !secret ${quoted('x')}}`,
      `${quoted('mqtt')}: {url: mqtt://h}`,
      plug(quoted('192.0.2.1'), TOKEN),
      plug('192.0.2.1', quoted(TOKEN)),
      `devices:\n  ${quoted('desk')}: {host: 192.0.2.1, token: ${TOKEN}}\n`,
      `${plug('192.0.2.1', TOKEN)}    area: ${quoted('Living room')}\n`,
      `${plug('192.0.2.1', TOKEN)}    filtered: [${quoted('led')}]\n`,
      `mqtt:\n  username: u\n  password: ${quoted('a: b')}\n`,
      `${quoted('mqtt: x')}: y\n`,
    ]) {
      const found = problems(text)
      expect(found).toEqual([expect.stringContaining('“ and ” are not quotes in YAML: use " or \'')])
      expect(found[0]).toMatch(/^config\.yaml:\d+:\d+/)
    }
  })

  it.each(['Das „Büro“ oben', "Kids' room", 'Kids’ room', '5″', '‘s Gravenhage'])(
    'may be within a text, and an apostrophe at its ends: %s',
    (area) => {
      expect(problems(`${plug('192.0.2.1', TOKEN)}    area: ${JSON.stringify(area)}\n`)).toEqual([])
      expect(problems(`${plug('192.0.2.1', TOKEN)}    area: ${area}\n`)).toEqual([])
    },
  )
})

describe('a space, quote or unseen character at an end', () => {
  const ends: [name: string, written: (text: string) => string, words: string][] = [
    ['a space before', (text) => ` ${text}`, 'one with a space at the beginning'],
    ['a space after', (text) => `${text} `, 'one with a space at the end'],
    ['both', (text) => ` ${text} `, 'one with a space at the beginning and the end'],
    ['a line break', (text) => `${text}\n`, 'one with a line break at the end'],
    ['quotes', (text) => `"${text}"`, 'one with quotes at the beginning and the end'],
    ['a space that does not break', (text) => `${text}\u00a0`, 'one with an invisible character at the end'],
    ['a space without width', (text) => `\u200b${text}`, 'one with an invisible character at the beginning'],
  ]

  it.each(ends)('of a single value is reported: %s', (_, written, words) => {
    for (const text of [
      plug(JSON.stringify(written('192.0.2.1')), TOKEN),
      plug('192.0.2.1', JSON.stringify(written(TOKEN))),
      `mqtt: {url: ${JSON.stringify(written('mqtt://h'))}}`,
      `mqtt: {url: [mqtt://i, ${JSON.stringify(written('mqtt://h'))}]}`,
      `poll: {interval: ${JSON.stringify(written('5s'))}}`,
      `log: {level: ${JSON.stringify(written('debug'))}}`,
      `network: {bind: ${JSON.stringify(written('192.0.2.1'))}}`,
    ])
      expect(problems(text)).toEqual([expect.stringContaining(`, got ${words}: remove it`)])
    const found = problems('', {}, {MIIO2MQTT_POLL_INTERVAL: written('5s')})
    expect(found).toEqual([expect.stringContaining(words)])
  })

  it('of a login, topic or path is reported', () => {
    for (const text of [
      'mqtt: {username: " me"}',
      'mqtt: {client_id: "me "}',
      'mqtt: {base_topic: "plugs "}',
      'homeassistant: {discovery_prefix: " ha"}',
      'state_dir: "/var/lib/x "',
      'models: " models"',
    ])
      expect(problems(text)).toEqual([expect.stringMatching(/got one with a space at the (beginning|end)/)])
    for (const topic of ['a/ b', 'a\u200bb', 'a\u00a0b', 'a\u2028'])
      expect(problems(JSON.stringify({mqtt: {base_topic: topic}}))).toHaveLength(1)
  })

  it('of a password is reported, unless a file has it', () => {
    const spaced = /mqtt\.password: expected no space at the beginning or end: .* with `!file`$/
    const login = (password: string) => `mqtt: {username: u, password: ${password}}`
    for (const password of ['" x"', '"x "', '!secret p', '!env P'])
      expect(problems(login(password), {'/m/secrets.yaml': 'p: " x"\n'}, {P: 'x '})).toEqual([
        expect.stringMatching(spaced),
      ])
    expect(problems('mqtt: {username: u}', {}, {MIIO2MQTT_MQTT_PASSWORD: ' x'})).toEqual([
      expect.stringMatching(spaced),
    ])
    expect(read(login('!file p'), {'/m/p': ' x \n'}).mqtt.password?.reveal()).toBe(' x ')
    const ofFile = read('mqtt: {username: u}', {'/p': ' x'}, {MIIO2MQTT_MQTT_PASSWORD_FILE: '/p'})
    expect(ofFile.mqtt.password?.reveal()).toBe(' x')
  })

  it('of a password that YAML makes longer is reported', () => {
    for (const style of ['|', '>', '|+'])
      expect(problems(`mqtt:\n  username: u\n  password: ${style}\n    secret\n`)).toEqual([
        expect.stringContaining('got one with a line break at the end: remove it, or write "|-"'),
      ])
    expect(read('mqtt:\n  username: u\n  password: |-\n    secret\n').mqtt.password?.reveal()).toBe('secret')
  })

  it.each(['\u00a0', '\u2003', '\u3000', '\u200b', '\ufeff'])(
    'that YAML takes for text is reported where a key or value begins: %j',
    (space) => {
      for (const text of [
        `mqtt:\n${space}${space}url: mqtt://h\n`,
        `mqtt:\n  url:${space}mqtt://h\n`,
        `mqtt:\n  username: me${space}\n`,
      ])
        expect(problems(text)).toEqual([
          expect.stringContaining('a non-breaking space or an invisible character'),
        ])
    },
  )
})

describe('a text of which YAML leaves nothing, or another text', () => {
  it.each([
    ['#secret', 'nothing is left of it, as "#" begins a comment'],
    ['  #secret: x', 'nothing is left of it, as "#" begins a comment'],
    ['&secret', 'text that starts with "&" needs quotes'],
    ['&secret word', 'text that starts with "&" needs quotes'],
    ['! word', 'text that starts with "!" needs quotes'],
    ['*secret', 'text that starts with "*" needs quotes'],
    ['!secret2 word', 'text that starts with "!" needs quotes'],
    ['|secret', 'text that starts with "|" or ">" needs quotes'],
    ['@secret', 'text that starts like this needs quotes'],
    ['[secret', 'text that starts with it needs quotes'],
    ['{secret}word', 'text that starts with "[" or "{" needs quotes'],
    ['}secret', 'text that starts with it needs quotes'],
    ['- secret', 'text that starts with "- " needs quotes'],
    ['? secret', 'text that starts with "?" needs quotes'],
    ['se: cret', 'text with ": " in it needs quotes: put the password in single quotes'],
    ['secret:', 'text with ": " in it needs quotes: put the password in single quotes'],
    ['"se"cret', 'text after the closing quote'],
    ["'it's'", 'text after the closing quote'],
    ['secret\n    more', 'the line below is indented further and belongs to this text'],
    ['"se\\tcret"', 'expected no tab or line break in it: in single quotes a backslash is itself'],
    ['"se\\ncret"', 'expected no tab or line break in it: in single quotes a backslash is itself'],
    ['"se\\cret"', 'no such escape in double quotes; in single quotes a backslash is itself'],
  ])('is reported once, and its text is not repeated: password: %s', (password, words) => {
    const found = problems(`mqtt:\n  username: plugs\n  password: ${password}\n  base_topic: plugs\n`)
    expect(found).toEqual([expect.stringContaining(words)])
    expect(found[0]).toMatch(/^config\.yaml:3:\d+/)
    expect(found[0]?.replaceAll('!secret', '')).not.toContain('secret')
  })

  it('is none where a comment stands alone, or an anchor is used', () => {
    expect(problems('mqtt:\n  username: # none yet\n  client_id:\n  # me\n')).toEqual([])
    expect(problems('devices: #mine\ngroups: #none\n')).toEqual([])
    expect(problems('mqtt: {username: &u plugs, client_id: *u}')).toEqual([])
  })
})

describe('a tag as text', () => {
  it.each(['!env X', '!secret x', '!file x'])('is not the password or token: %s', (tag) => {
    const words = 'got a tag as text: it counts in config.yaml alone, and without quotes around it'
    expect(problems(`mqtt: {username: u, password: "${tag}"}`)).toEqual([expect.stringContaining(words)])
    expect(problems(plug('h', `'${tag}'`))).toEqual([expect.stringContaining(words)])
    expect(problems('mqtt: {username: u}', {}, {MIIO2MQTT_MQTT_PASSWORD: tag})).toEqual([
      expect.stringContaining(words),
    ])
    expect(problems('mqtt: {username: u, password: !file p}', {'/m/p': tag})).toEqual([
      expect.stringContaining(words),
    ])
  })

  it.each(['!env X', '!secret x', '!file x', '!env', '!file /dev/zero'])(
    'in secrets.yaml is refused with its place, also where no tag names it: %s',
    (tag) => {
      const config = 'mqtt:\n  username: u\n  password: !secret pw\n'
      const [name = ''] = tag.split(' ')
      const words = `expected plain text, got ${name}, which is for config.yaml: write it there, in place of !secret`
      expect(problems(config, {'/m/secrets.yaml': `# mine\npw: ${tag}\n`}, {X: 'y'})).toEqual([
        `secrets.yaml:2:1 pw: ${words}`,
      ])
      expect(problems(config, {'/m/secrets.yaml': `pw: word\nother: ${tag}\n`})).toEqual([
        `secrets.yaml:2:1 other: ${words}`,
      ])
    },
  )

  it('before a section or a plug is no value of it', () => {
    for (const text of [
      'mqtt: !file x',
      'devices: !secret x',
      'devices:\n  desk: !env X\n',
      'groups: {a: !env X}',
    ])
      expect(problems(text)).toEqual([
        expect.stringMatching(/expected its settings, got !\w+, which stands for a single text$/),
      ])
  })
})

describe('secrets.yaml', () => {
  const config = 'mqtt: {username: u, password: !secret pw}'

  it.each(['pw:hunter2abc', 'pw: "abc', 'pw: @x', '- pw'])(
    'that is broken is the cause alone: %s',
    (first) => {
      const found = problems(config, {'/m/secrets.yaml': `${first}\ntk: x\n`})
      expect(found).toEqual([expect.stringMatching(/^secrets\.yaml:[12]:\d+/)])
      expect(found[0]).not.toContain('hunter2')
    },
  )

  it('suggests the name that was misspelled', () => {
    expect(
      problems('mqtt: {username: u, password: !secret Mqtt_pasword}', {
        '/m/secrets.yaml': 'mqtt_password: x\n',
      }),
    ).toEqual([
      'config.yaml:1:21 mqtt.password: secrets.yaml has no text called "Mqtt_pasword", did you mean "mqtt_password"?',
    ])
  })

  it('has one text for each name', () => {
    expect(problems(config, {'/m/secrets.yaml': 'pw: one\npw: two\n'})).toEqual([
      'secrets.yaml:2:1 pw: this key was written before in the same mapping',
    ])
  })

  it('has names', () => {
    expect(problems(config, {'/m/secrets.yaml': '- pw\n'})).toContain(
      'secrets.yaml:1:1: expected a mapping from names to texts, got a list',
    )
    expect(problems(config, {'/m/secrets.yaml': 'secret\n'}).join()).not.toContain('secret"')
  })

  it('has no typographic quotes', () => {
    expect(problems(config, {'/m/secrets.yaml': 'pw: “one”\n'})).toEqual([
      'secrets.yaml:1:1 pw: “ and ” are not quotes in YAML: use " or \'',
    ])
  })
})

describe('what a plug shows in place of its token', () => {
  it.each(['0', 'f', 'F'])('is no token, of one plug either: 32 times %s', (digit) => {
    const found = problems(plug('h', digit.repeat(32)))
    expect(found).toEqual([
      'config.yaml:4:5 devices.desk.token: expected 32 hex digits, got zeros or ff, which a plug that hides its token shows in its place: this is not the token itself',
    ])
    expect(parseToken(digit.repeat(32))).toContain('this is not the token itself')
  })

  it.each([`0x${TOKEN}`, TOKEN.replace(/..(?!$)/g, '$& '), TOKEN.replace(/..(?!$)/g, '$&:')])(
    'is distinguished from a token that was copied with more: %s',
    (token) => {
      expect(problems(plug('h', `'${token}'`))).toEqual([
        'config.yaml:4:5 devices.desk.token: expected 32 hex digits, got them with something between or before: remove it',
      ])
    },
  )
})

describe('the topics of Home Assistant', () => {
  const withTopics = (homeassistant: object, base = 'miio2mqtt') =>
    problems(
      JSON.stringify({
        mqtt: {base_topic: base},
        homeassistant,
        devices: {desk: {host: '192.0.2.1', token: TOKEN}, 'hall/lamp': {host: '192.0.2.2', token: TOKEN}},
        groups: {all: {members: ['desk']}},
      }),
    )

  it.each([
    'miio2mqtt',
    'miio2mqtt/bridge',
    'miio2mqtt/bridge/state',
    'miio2mqtt/bridge/request/restart',
    'miio2mqtt/desk',
    'miio2mqtt/desk/set',
    'miio2mqtt/desk/availability',
    'miio2mqtt/hall/lamp',
    'miio2mqtt/hall/lamp/set/led',
    'miio2mqtt/all/set',
    'miio2mqtt/other/set',
    'homeassistant/device/miio2mqtt_1/config',
  ])('are none of the bridge: status_topic: %s', (status_topic) => {
    expect(withTopics({status_topic})).toEqual([
      expect.stringMatching(
        /homeassistant\.status_topic: expected a topic of Home Assistant, got "[^"]+", which is /,
      ),
    ])
  })

  it.each(['miio2mqtt/bridge', 'miio2mqtt/desk', 'miio2mqtt/desk/set', 'miio2mqtt/all/x'])(
    'are none of the bridge: discovery_prefix: %s',
    (discovery_prefix) => {
      expect(withTopics({discovery_prefix})).toEqual([
        expect.stringContaining('homeassistant.discovery_prefix: expected a topic of Home Assistant'),
      ])
    },
  )

  it.each([
    [{}, 'miio2mqtt'],
    [{status_topic: 'miio2mqtt2/bridge/state'}, 'miio2mqtt'],
    [{status_topic: 'home/ha/status'}, 'home'],
    [{}, 'homeassistant'],
    [{discovery_prefix: 'ha', status_topic: 'ha/status'}, 'ha'],
  ])('may lie beside its own: %j with %s', (homeassistant, base) => {
    expect(withTopics(homeassistant, base)).toEqual([])
  })
})

describe('a folder', () => {
  it.each(['state_dir', 'models'])('has a name: %s', (setting) => {
    for (const empty of ['""', '" "', "'\t'"])
      expect(problems(`${setting}: ${empty}`)).toEqual([
        `config.yaml:1:1 ${setting}: expected a path, got nothing: name a folder, or take the line out`,
      ])
    expect(problems(`${setting}:`)).toEqual([])
  })
})
