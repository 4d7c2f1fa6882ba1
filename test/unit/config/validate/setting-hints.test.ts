import {describe, expect, it} from 'vitest'
import {ConfigError, parseConfig} from '../../../../src/config/config.ts'
import {keysAt, listPaths} from '../../../../src/config/schema/settings.ts'
import {TOKEN} from '../../../support/token.ts'

function problems(config: unknown): string[] {
  const text = typeof config === 'string' ? config : JSON.stringify(config)
  try {
    parseConfig(text, {file: 'config.yaml', env: {}})
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

const plug = (more: object) => ({devices: {desk: {host: '192.0.2.1', token: TOKEN, ...more}}})

/** Every mapping that a configuration can have, and a configuration in which it holds something more. */
const mappings: [path: string, withMore: (more: object) => object][] = [
  ['', (more) => more],
  ['mqtt', (mqtt) => ({mqtt})],
  ['homeassistant', (homeassistant) => ({homeassistant})],
  ['network', (network) => ({network})],
  ['poll', (poll) => ({poll})],
  ['log', (log) => ({log})],
  ['devices.desk', plug],
  ['devices.desk.poll', (poll) => plug({poll})],
  ['devices.desk.homeassistant', (homeassistant) => plug({homeassistant})],
  ['devices.desk.properties.power', (power) => plug({properties: {power}})],
  ['devices.desk.homeassistant.entities.led', (led) => plug({homeassistant: {entities: {led}}})],
  ['groups.all', (more) => ({...plug({}), groups: {all: {members: ['desk'], ...more}}})],
]
const keys = new Set(listPaths().map((path) => path.at(-1) ?? ''))

describe.each(mappings)('a key that %j has not', (path, withMore) => {
  const known = new Set(keysAt(path.split('.').filter(Boolean)))

  it.each([...keys].filter((key) => !known.has(key)))(
    'is one problem with the place where it belongs: %s',
    (key) => {
      const found = problems(withMore({[key]: 'x'}))
      expect(found).toHaveLength(1)
      expect(found[0]).toMatch(
        /: unknown key(, did you mean | here: it belongs |: it belongs |: the name of )/,
      )
    },
  )
})

describe('a key of another program', () => {
  it.each([
    [{log_level: 'debug'}, '`log: {level: debug}` at the very beginning of a line?'],
    [{loglevel: 'debug'}, '`log: {level: debug}`'],
    [{pollInterval: '5s'}, '`poll: {interval: 5s}`'],
    [{'poll-interval': '5s'}, '`poll: {interval: 5s}`'],
    [{'poll.interval': '5s'}, '`poll: {interval: 5s}`'],
    [{scan_interval: 10}, '`poll: {interval: 10}`'],
    [{mqtt_server: 'mqtt://me:hunter2@h'}, '`mqtt: {url: …}`'],
    [{mqtt_password: 'hunter2'}, '`mqtt: {password: …}`'],
    [{homeassistant_discovery: true}, '`homeassistant: {enabled: true}`'],
    [{mqtt: {topic: 'plugs'}}, '"base_topic"'],
    [{mqtt: {hostname: 'h'}}, '"url"'],
    [{homeassistant: {prefix: 'ha'}}, '"discovery_prefix"'],
    [{homeassistant: {discovery_topic: 'ha'}}, '`discovery_prefix: …`'],
    [{plugs: {}}, '"devices"'],
    [plug({poll_interval: '5s'}), '`poll: {interval: 5s}`?'],
    [plug({scan_interval: '5s'}), '`poll: {interval: 5s}`?'],
    [plug({timeout: '5s'}), '`poll: {command_timeout: 5s}`?'],
    [plug({friendly_name: 'Lamp'}), 'the name of a plug is the key above its settings'],
    [plug({room: 'Kitchen'}), '"area"'],
    [plug({enabled: false}), '"disabled"'],
    [plug({mac_address: '28:6c:07:00:00:01'}), '`id:` is the number that `miio2mqtt discover` shows'],
  ])('has the setting that it is here, and shows no text that may be secret: %j', (config, advice) => {
    const found = problems(config)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(advice)
    expect(found[0]).not.toContain('hunter2')
  })
})

describe('what is missing because its key is written in another way', () => {
  it.each([
    `{ip: 192.0.2.1, token: ${TOKEN}}`,
    `{hots: 192.0.2.1, token: ${TOKEN}}`,
    `{did: 5, token: ${TOKEN}}`,
    `{mac: '28:6c:07:00:00:01', token: ${TOKEN}}`,
    `{host: 192.0.2.1, tokn: ${TOKEN}}`,
    TOKEN,
    `[192.0.2.1, ${TOKEN}]`,
  ])('is one problem, not two: %s', (written) => {
    expect(problems(`devices:\n  desk: ${written}\n`)).toHaveLength(1)
  })
})

describe('something in the place of a mapping or a list', () => {
  it.each([
    ['homeassistant: false', '`homeassistant: {enabled: false}`'],
    ['homeassistant: on', '`homeassistant: {enabled: true}`'],
    ['log: json', '`log: {format: json}`'],
    ['network: 192.0.2.255', '`network: {broadcast: …}`'],
    ['mqtt: [{url: mqtt://h}]', 'write its settings without "- ": `mqtt: {url: …}`'],
    ['mqtt: mqtt://me:hunter2@h', '`mqtt: {url: …}`'],
    ['network: {broadcast: 192.0.2.255}', '`broadcast: [192.0.2.255]`'],
    ['groups: [desk]', '`evening: {members: […]}`'],
    [`devices: {desk: {host: [192.0.2.1], token: ${TOKEN}}}`, 'write it without "- " and brackets'],
    [`devices: {desk: {host: h, token: ${TOKEN}, poll: 5s}}`, '`poll: {interval: 5s}`'],
    [`devices: {desk: {host: h, token: ${TOKEN}, homeassistant: no}}`, '`homeassistant: {enabled: false}`'],
    [`devices: {desk: {host: h, token: ${TOKEN}, homeassistant: Lamp}}`, '`homeassistant: {name: …}`'],
    [`devices: {desk: {host: h, token: ${TOKEN}, properties: 0.1}}`, '`properties: {power: {scale: …}}`'],
    [`devices: {desk: {host: h, token: ${TOKEN}, properties: {power: 0.1}}}`, '`power: {scale: …}`'],
    [`devices: {desk: {host: h, token: ${TOKEN}, filtered: {led: true}}}`, '`filtered: [led]`'],
    [`devices: {desk: {host: h, token: ${TOKEN}}}\ngroups: {all: desk}`, '`all: {members: [desk]}`'],
    ['devices: {desk: "host:192.0.2.1"}', 'a space is missing after `host:`'],
    ['mqtt: !file mqtt.yaml', 'expected its settings, got !file, which stands for a single text'],
  ])('has the hint how it is written: %s', (text, advice) => {
    const found = problems(text)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(advice)
    expect(found[0]).not.toContain('hunter2')
  })
})
