import {describe, expect, it} from 'vitest'
import {parse} from 'yaml'
import {maskedConfig, parseConfig} from '../../src/config/config.ts'
import {builtIn} from '../../src/models/catalogue.ts'
import {assertTopic, Topics} from '../../src/mqtt/topics.ts'
import {CERT, KEY} from '../support/pem.ts'
import {type Block, commandLines, documentAt, documents, words} from './markdown.ts'

const blocks = documents.flatMap((each) => each.blocks)
const named = (all: readonly Block[]) => all.map((block) => [block.at, block] as const)
/** First keys of YAML that is not our configuration: other programs, and definitions (test/docs/adding-a-plug.test.ts). */
const NOT_OURS = new Set(['services', 'ids'])

describe('a configuration in the documents', () => {
  const ours = blocks.filter(
    ({language, text}) => language === 'yaml' && !NOT_OURS.has(Object.keys(parseTagged(text) ?? {})[0] ?? ''),
  )

  it('is found in the README', () => {
    expect(ours.some(({at}) => at.startsWith('README.md:'))).toBe(true)
  })

  it.each(named(ours))('(%s) is accepted by the bridge', (_, {text}) => {
    expect(() => configOf(text)).not.toThrow()
  })

  it('would be refused with an error in it', () => {
    expect(() => configOf('devices:\n  desk: {hots: 192.168.1.40}\n')).toThrow(/hots/)
  })
})

describe('JSON in the documents', () => {
  it.each(named(blocks.filter(({language}) => language === 'json')))('(%s) is valid', (_, {text}) => {
    expect(() => JSON.parse(text)).not.toThrow()
  })

  const spans = documents.flatMap(({path, spans}) =>
    spans
      .filter((span) => /^(?:\{"|\[\{)/.test(span) && !span.includes('…'))
      .map((span) => [path, span] as const),
  )
  it.each(spans)('in the prose of %s is valid: %s', (_, span) => {
    expect(() => JSON.parse(span)).not.toThrow()
  })
})

describe('a message published in the documents', () => {
  const topics = new Topics('miio2mqtt')
  const published = documents.flatMap((each) =>
    commandLines(each)
      .map(({line}) => words(line))
      .filter(([program]) => program === 'mosquitto_pub' || program === 'mosquitto_rr'),
  )
  const sent = published.filter((typed) => !typed.includes('-n'))

  it('is found', () => {
    expect(sent.length).toBeGreaterThan(5)
  })

  it.each(sent.map((typed) => [typed.join(' '), typed] as const))(
    '%s is a command, and its payload is valid',
    (_, typed) => {
      const topic = option(typed, '-t')
      assertTopic(topic)
      expect(topics.parse(topic)).toBeDefined()
      const payload = option(typed, '-m')
      if (payload.startsWith('{')) expect(() => JSON.parse(payload)).not.toThrow()
    },
  )
})

describe('docs/topics.md', () => {
  const [state, , , , , , info, devices] = documentAt('docs/topics.md').blocks.filter(
    ({language}) => language === 'json',
  )
  const example = (block: Block | undefined) => JSON.parse(block?.text ?? '')

  it('shows the state of a plug with the properties of a model, in its order', () => {
    const shapes = [...builtIn.models.values()].map(({properties}) => Object.keys(properties))
    expect(shapes).toContainEqual(Object.keys(example(state)))
  })

  it('shows the configuration in `info` as the bridge publishes it', () => {
    const {config} = example(info)
    const {token: _, ...desk} = config.devices.desk
    const token = '00112233445566778899aabbccddeeff'
    const written = {...config, devices: {desk: {...desk, token}}}
    expect(maskedConfig(configOf(JSON.stringify(written)))).toEqual(config)
  })

  it('shows a plug in `devices` with the properties of its model', () => {
    const [plug] = example(devices)
    const names = plug.properties.map(({name}: {name: string}) => name)
    expect(names).toEqual(Object.keys(builtIn.find(plug.model)?.properties ?? {}))
    expect(plug.description).toBe(builtIn.find(plug.model)?.name)
  })
})

/** Parses a configuration. Every secret, file and variable in it exists. */
function configOf(text: string) {
  const env = Object.fromEntries(
    Array.from(text.matchAll(/!env (\w+)/g), ([, name]) => [name, 'from the environment']),
  )
  const secrets = Array.from(
    text.matchAll(/!secret (\w+)/g),
    ([, name]) => `${name}: ${'0123456789abcdef'.repeat(2)}`,
  )
  const readFile = (path: string) =>
    path.endsWith('secrets.yaml') ? secrets.join('\n') : path.includes('key') ? KEY : CERT
  return parseConfig(text, {file: 'config.yaml', env, readFile})
}

function parseTagged(text: string): unknown {
  return parse(text, {logLevel: 'silent'})
}

function option(typed: readonly string[], name: string): string {
  const at = typed.indexOf(name)
  return at < 0 ? '' : (typed[at + 1] ?? '')
}
