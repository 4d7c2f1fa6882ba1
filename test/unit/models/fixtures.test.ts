import {readdirSync, readFileSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import {decodeResponse, expectOk, type ReadRequest} from '../../../src/device/codec/property-codec.ts'
import {parseResponse, UnreadableResponse} from '../../../src/miio/json-repair.ts'
import {textSensor} from '../../../src/models/builders.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import type {Model, Value} from '../../../src/models/model.ts'

/** What a plug really said, as test/fixtures keeps it, and what every part of that means. */
interface Fixture {
  model: string
  firmware?: string
  /** Where it was published. */
  source: string
  /** What of it is not as it was sent. */
  note?: string
  exchanges: Exchange[]
}

interface Exchange {
  method: string
  params: unknown[]
  /** The decrypted text. */
  reply: string
  note?: string
  /** What the text needed to be JSON. */
  repairs?: string[]
  /** All that was asked for and is described. */
  state?: Record<string, Value>
  /** All that was asked for and is not described, as it came. */
  unused?: Record<string, unknown>
  /** It says that an order was carried out. */
  ok?: true
  error?: {code: number; message: string}
  /** No text that anything could be read from. */
  unreadable?: true
}

const FOLDER = 'test/fixtures'
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'))
const texts = files.map((file) => [file, readFileSync(`${FOLDER}/${file}`, 'utf8')] as const)
const fixtures = texts.map(([file, json]): readonly [string, Fixture] => [file, JSON.parse(json)])

describe.each(fixtures)('%s', (file, {model: id, firmware, source, exchanges}) => {
  const model = builtIn.find(id) ?? expect.fail(`no definition of ${id}`)

  it('says whose reply it is and where it was published', () => {
    expect(file).toBe(`${id}${firmware ? `@${firmware}` : ''}.json`)
    expect(source.length).toBeGreaterThan(10)
  })

  it.each(exchanges.map((exchange) => [exchange.reply, exchange] as const))('%s', (reply, exchange) => {
    if (exchange.unreadable) return expect(() => parse(reply)).toThrow(UnreadableResponse)
    const {
      reply: {result, error},
      repairs,
    } = parse(reply)
    expect(repairs).toEqual(exchange.repairs ?? [])
    expect(error).toEqual(exchange.error)
    if (exchange.ok) expectOk(result, {method: exchange.method, params: exchange.params})
    if (exchange.state)
      expect(meaning(result, exchange, model)).toEqual({state: exchange.state, unused: exchange.unused ?? {}})
  })
})

describe('the fixtures', () => {
  it('hold every reply to something: values, an ok, an error, or nothing at all', () => {
    const idle = fixtures.flatMap(([file, {exchanges}]) =>
      exchanges
        .filter(({state, ok, error, unreadable}) => !(state ?? ok ?? error ?? unreadable))
        .map(({reply}) => `${file}: ${reply}`),
    )
    expect(idle).toEqual([])
  })

  it('hold no token', () => {
    expect(texts.filter(([, json]) => /[0-9a-f]{32}/i.test(json)).map(([file]) => file)).toEqual([])
  })
})

function parse(reply: string) {
  return parseResponse(Buffer.from(`${reply}\0`))
}

/** Every part of an answer to `exchange`: of a name nobody described, what came stands as it is. */
function meaning(answer: unknown, {method, params}: Exchange, described: Model) {
  const strangers =
    method === 'get_prop'
      ? params.map(String).filter((name) => propertyNamed(described, name) === undefined)
      : []
  const unknown = strangers.map((name) => [name, textSensor(name, {via: 'get_prop', name})] as const)
  const model = {...described, properties: {...described.properties, ...Object.fromEntries(unknown)}}
  const {values, raw} = decodeResponse(
    answer,
    {method, params, properties: asked(method, params, model)},
    model,
  )
  const known = Object.entries(values).filter(([name]) => !strangers.includes(name))
  return {
    state: Object.fromEntries(known),
    unused: Object.fromEntries(strangers.map((name) => [name, raw[name]])),
  }
}

/** The properties that a question asks for, in its order. */
function asked(method: string, params: readonly unknown[], model: Model): ReadRequest['properties'] {
  const names = Object.keys(model.properties)
  const at = (matches: (address: Model['properties'][string]['address']) => boolean) =>
    names.filter((name) => matches(model.properties[name]?.address ?? {via: 'bridge'}))
  switch (method) {
    case 'get_prop':
      return params.map((name) => propertyNamed(model, String(name)) ?? expect.fail(String(name)))
    case 'get_properties':
      return at(
        (address) =>
          address.via === 'miot' &&
          JSON.stringify(params).includes(`"siid":${address.siid},"piid":${address.piid}}`),
      )
    default:
      return at((address) => address.via === 'method' && address.method === method)
  }
}

function propertyNamed({properties}: Model, name: string): string | undefined {
  return Object.entries(properties).find(
    ([, {address}]) => address.via === 'get_prop' && address.name === name,
  )?.[0]
}
