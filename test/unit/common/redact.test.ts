import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {Redactor} from '../../../src/common/redact.ts'
import {checkProperty} from '../../support/seeds.ts'

const TOKEN = '00112233445566778899aabbccddeeff'

function redactorOf(...secrets: string[]): Redactor {
  const redactor = new Redactor()
  for (const secret of secrets) redactor.add(secret)
  return redactor
}

/** The ways in which bytes get into a text. */
function formsOfBytes(bytes: Buffer): string[] {
  const hex = bytes.toString('hex')
  const base64 = bytes.toString('base64')
  const url = bytes.toString('base64url')
  const dump = (separator: string) => hex.replace(/(..)(?!$)/g, `$1${separator}`)
  return [
    hex,
    hex.toUpperCase(),
    base64,
    base64.replace(/=+$/, ''),
    url,
    dump(' '),
    dump(':'),
    dump(','),
    dump('_'),
  ]
}

/** The ways in which a text gets into another. */
function formsOfText(text: string): string[] {
  const url = new URL('mqtt://h')
  url.password = text
  const json = JSON.stringify(text).slice(1, -1)
  const ascii = json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  const percent = encodeURIComponent(text)
  return [
    text,
    json,
    ascii,
    JSON.stringify(json).slice(1, -1),
    JSON.stringify(ascii).slice(1, -1),
    json.replaceAll('/', '\\/'),
    percent,
    percent.replace(/%../g, (code) => code.toLowerCase()),
    percent.replace(/%(.)(.)/g, (_, one: string, two: string) => `%${one.toLowerCase()}${two}`),
    new URLSearchParams({x: text}).toString().slice(2),
    url.password,
    ...formsOfBytes(Buffer.from(text)),
  ]
}

const formsOfToken = (token: string) => [
  ...formsOfText(token),
  ...formsOfText(token.toUpperCase()),
  ...formsOfBytes(Buffer.from(token, 'hex')),
]

const token = fc.uint8Array({minLength: 16, maxLength: 16}).map((bytes) => Buffer.from(bytes).toString('hex'))
/** Without "*": beside a mask, such a password could seem to be there again. */
const password = fc
  .oneof(fc.string({minLength: 4, unit: 'grapheme'}), fc.string({minLength: 4, unit: 'grapheme-ascii'}))
  .map((text) => text.replaceAll('*', '-'))
const surroundings = fc.oneof(fc.string(), fc.constantFrom('', 'ff', 'A', '/', '=', ' ', '"', '\\', '%'))

describe('a redactor', () => {
  it('masks every spelling of a password, in any surroundings', () => {
    checkProperty(
      fc.property(
        fc.array(password, {minLength: 1, maxLength: 4}),
        surroundings,
        surroundings,
        (secrets, a, b) => {
          const redactor = redactorOf(...secrets)
          for (const form of secrets.flatMap(formsOfText)) {
            const shown = redactor.scrub(a + form + b)
            expect(shown).not.toContain(form)
            expect(shown).toContain('***')
          }
        },
      ),
      {numRuns: 100},
    )
  })

  it('masks every spelling of a token, as digits or as bytes', () => {
    checkProperty(
      fc.property(
        fc.array(token, {minLength: 1, maxLength: 4}),
        surroundings,
        surroundings,
        (tokens, a, b) => {
          const redactor = redactorOf(...tokens)
          for (const form of tokens.flatMap(formsOfToken))
            expect(redactor.scrub(a + form + b)).not.toContain(form)
        },
      ),
      {numRuns: 100},
    )
  })

  it('leaves everything else as it is', () => {
    const redactor = redactorOf(TOKEN, 'hunter2')
    const text =
      'desk 192.0.2.1 did 253635900 21310020ffffffff 2026-11-22T19:34:16.123Z aGVsbG8= "hunter" 100 %'
    expect(redactor.scrub(text)).toBe(text)
    expect(redactor.scrub(`before ${TOKEN} between hunter2 after`)).toBe('before *** between *** after')
  })

  it('masks a token in mixed case, also in base64', () => {
    const mixed = TOKEN.replaceAll('a', 'A').replaceAll('d', 'D')
    for (const form of formsOfText(mixed)) expect(redactorOf(TOKEN).scrub(form)).not.toContain(form)
  })

  it('finds a token inside a dump of a packet, and two in a row', () => {
    const redactor = redactorOf(TOKEN)
    expect(redactor.scrub(`2131002000000000${TOKEN}00ff`)).toBe('2131002000000000***00ff')
    expect(redactor.scrub(TOKEN + TOKEN)).toBe('******')
  })

  it('masks a token wholly, though a password is a part of it', () => {
    expect(redactorOf('aabbcc', TOKEN).scrub(TOKEN)).toBe('***')
  })

  it('ignores secrets that are too short, or are a mask themselves', () => {
    const redactor = redactorOf('', 'abc', '*****')
    expect(redactor.scrub('abc ***** abc')).toBe('abc ***** abc')
    expect(redactorOf('abcd').scrub('abcd')).toBe('***')
  })

  it('masks a password wholly, though another one is its beginning, its middle or its end', () => {
    const redactor = redactorOf('hunter2', 'hunter2-and-more', 'my-hunter2', 'and-', TOKEN)
    for (const form of [
      ...formsOfBytes(Buffer.from('hunter2-and-more')),
      ...formsOfBytes(Buffer.from('my-hunter2')),
    ])
      expect(redactor.scrub(`x(${form})`).replace(/=+\)$/, ')')).toBe('x(***)')
  })

  it('is fast with a password of many backslashes and a text full of them', () => {
    const text = `${'\\'.repeat(5000)}x`
    expect(redactorOf(`${'\\'.repeat(30)}"\\\\"y`).scrub(text)).toBe(text)
  })

  it('masks ten thousand tokens', () => {
    const redactor = new Redactor()
    const tokens = Array.from({length: 10_000}, (_, n) =>
      (n * 0x1234567 + 0xabcdef).toString(16).padStart(32, '1'),
    )
    for (const one of tokens) redactor.add(one)
    for (const one of tokens)
      expect(redactor.scrub(`plug ${one}: ${Buffer.from(one, 'hex').toString('base64')}`)).toBe(
        'plug ***: ***==',
      )
  })
})
