import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {MAX_PAYLOAD_BYTES, parseCommand, parseRequest} from '../../../../src/bridge/commands/payload.ts'
import {CommandError} from '../../../../src/device/command-error.ts'
import {checkProperty} from '../../../support/seeds.ts'

function parseSet(payload: Buffer, property: string | undefined) {
  const topic = {kind: 'set', name: 'desk', ...(property === undefined ? {} : {property})} as const
  const {command, transaction} = parseCommand(topic, payload)
  return {values: 'set' in command ? command.set : expect.fail('no command to set'), transaction}
}
const parseGet = (payload: Buffer) => parseCommand({kind: 'get', name: 'desk'}, payload)

const parsers = {
  'for all properties': (payload: Buffer) => parseSet(payload, undefined),
  'for one property': (payload: Buffer) => parseSet(payload, 'usb'),
  'for a read': (payload: Buffer) => parseGet(payload),
  'for a request': (payload: Buffer) => parseRequest(payload),
}

/** The error's code, or `parsed`. Every other error is thrown. */
function outcome(parse: (payload: Buffer) => unknown, payload: Buffer): string {
  try {
    parse(payload)
    return 'parsed'
  } catch (error) {
    if (error instanceof CommandError) return error.code
    throw error
  }
}

/** Bytes, text, JSON, JSON with a piece missing, and brackets: nearly valid payloads find more bugs than invalid ones. */
const payloads = fc.oneof(
  fc.uint8Array({maxLength: 200}).map((bytes) => Buffer.from(bytes)),
  fc.string({unit: 'binary', maxLength: 60}).map((text) => Buffer.from(text)),
  fc.json({maxDepth: 4}).map((text) => Buffer.from(text)),
  fc.json({maxDepth: 4}).map((text) => Buffer.from(text.slice(0, -1))),
  fc
    .dictionary(fc.constantFrom('state', 'transaction', '__proto__', 'constructor', ''), fc.jsonValue())
    .map((values) => Buffer.from(JSON.stringify(values))),
  fc.nat(20_000).map((depth) => Buffer.from(`{"a":${'['.repeat(depth)}`)),
  fc.nat(7_000).map((depth) => Buffer.from(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`)),
  fc.nat(8_000).map((depth) => Buffer.from(`${'['.repeat(depth)}${']'.repeat(depth)}`)),
)

describe.each(Object.entries(parsers))('a payload %s', (_, parse) => {
  it('is parsed, or refused as invalid, and never anything else', () => {
    checkProperty(
      fc.property(payloads, (payload) => {
        expect(['parsed', 'invalid_payload']).toContain(outcome(parse, payload))
      }),
      {numRuns: 400},
    )
  })

  it('can be repeated in a result once it was parsed', () => {
    checkProperty(
      fc.property(payloads, (payload) => {
        fc.pre(outcome(parse, payload) === 'parsed')
        expect(() => JSON.stringify(parse(payload))).not.toThrow()
      }),
    )
  })

  it('may have 16 KiB and not one byte more', () => {
    const text = (bytes: number) => Buffer.from(`"${'x'.repeat(bytes - 2)}"`)
    expect(() => parse(text(MAX_PAYLOAD_BYTES + 1))).toThrow(/at most 16384 bytes, got 16385/)
    expect(outcome(parse, Buffer.from(' '.repeat(MAX_PAYLOAD_BYTES + 1)))).toBe('invalid_payload')
  })

  it('that is not UTF-8 is refused', () => {
    expect(() => parse(Buffer.from([0x4f, 0x4e, 0xff]))).toThrow(/UTF-8/)
  })
})

describe('a command', () => {
  it.each([
    ['ON', {state: 'ON'}],
    [' off\n', {state: 'off'}],
    ['"ON"', {state: 'ON'}],
    ['1', {state: '1'}],
    ['{"state":"ON","led":"OFF"}', {state: 'ON', led: 'OFF'}],
  ])('%j sets what it says', (text, values) => {
    expect(parseSet(Buffer.from(text), undefined)).toEqual({values})
  })

  it('for one property is a bare value', () => {
    expect(parseSet(Buffer.from('off'), 'usb')).toEqual({values: {usb: 'off'}})
    expect(() => parseSet(Buffer.from('{"usb":"off"}'), 'usb')).toThrow(/bare value for usb/)
  })

  it('has a transaction of any JSON, apart from the values to set', () => {
    const parsed = parseSet(Buffer.from('{"state":"ON","transaction":{"id":[1,null]}}'), undefined)
    expect(parsed).toEqual({values: {state: 'ON'}, transaction: {id: [1, null]}})
    expect(parseGet(Buffer.from('{"transaction":0}'))).toEqual({command: {get: null}, transaction: 0})
  })

  it('that sets nothing is refused', () => {
    expect(() => parseSet(Buffer.from(''), undefined)).toThrow(/got nothing/)
    expect(() => parseSet(Buffer.from('{}'), undefined)).toThrow(/at least one property/)
    expect(() => parseSet(Buffer.from('{"transaction":1}'), undefined)).toThrow(/at least one property/)
  })

  it('that cannot be carried out has its transaction in the error', () => {
    const misunderstood = expect.objectContaining({code: 'invalid_payload', transaction: 1})
    expect(() => parseSet(Buffer.from('{"transaction":1}'), undefined)).toThrow(misunderstood)
    expect(() => parseSet(Buffer.from('{"usb":"off","transaction":1}'), 'usb')).toThrow(misunderstood)
  })

  it('may have keys of Object.prototype', () => {
    const {values} = parseSet(Buffer.from('{"__proto__":"ON"}'), undefined)
    expect(Object.keys(values)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(values)).toBe(Object.prototype)
  })
})
