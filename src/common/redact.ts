/** Removes secrets from text by their value, in every encoding in which they may appear. */
import {MASK} from './secret.ts'
import {escapePattern, unicodeEscape} from './text.ts'

/** A shorter secret occurs everywhere: masking it would blank out half of every line and protect nothing. */
const MIN_SECRET_LENGTH = 4

/** A token: an even number of hex digits. */
const TOKEN = /^(?:[0-9a-f]{2}){8,}$/i

/** A word of topics, properties and messages, or a value or an id: these are everywhere. */
const PLAIN_WORD = /^(?:[a-z_]{1,20}|[A-Z_]{1,20}|\d{1,15})$/

/**
 * Replaces secrets by `***`: as plain text, in hex, base64 and base64url, percent-encoded, and JSON-escaped once or twice. Tokens are
 * looked up in a table, so that ten thousand of them cost no more time per line than one. Other secrets (passwords, of which there are
 * few) are searched for, by one pattern each. Secrets of fewer than four characters are ignored.
 */
export class Redactor {
  /** The bytes of each secret, as lower-case hex: of a token that is its own text, of which no copy is kept. */
  readonly #secrets = new Set<string>()
  readonly #hex = new EncodedSecrets(HEX, (bytes) => this.#isSecret(bytes))
  readonly #base64 = new EncodedSecrets(BASE64, (bytes) => this.#isSecret(bytes))
  readonly #texts = new Set<string>()
  /** Passwords that `scrubMessage` does not mask. */
  #spared: ReadonlySet<string> = new Set()
  #patterns: {all: RegExp | undefined; forMessages: RegExp | undefined} | undefined

  /** Removes `secret` from every text from now on. */
  add(secret: string): void {
    if (secret.length < MIN_SECRET_LENGTH || /^\**$/.test(secret)) return
    if (!TOKEN.test(secret)) {
      if (this.#texts.has(secret)) return
      this.#texts.add(secret)
      this.#patterns = undefined
      const bytes = Buffer.from(secret)
      this.#secrets.add(bytes.toString('hex'))
      this.#addBytes(bytes)
      return
    }
    // A token may be written as its digits, in either case, or as its bytes.
    const digits = secret.toLowerCase()
    if (this.#secrets.has(digits)) return
    this.#secrets.add(digits)
    for (const bytes of [Buffer.from(digits, 'hex'), Buffer.from(digits), Buffer.from(digits.toUpperCase())])
      this.#addBytes(bytes)
  }

  #addBytes(bytes: Buffer): void {
    this.#hex.add(bytes)
    this.#base64.add(bytes)
  }

  /** Whether these are the bytes of a secret, or the digits of a token. */
  #isSecret(bytes: Buffer): boolean {
    return (
      this.#secrets.has(bytes.toString('hex')) || this.#secrets.has(bytes.toString('latin1').toLowerCase())
    )
  }

  /**
   * From now on `scrubMessage` does not mask passwords that occur in `text`: a password that is also the base topic would otherwise
   * be masked in all topics. Replaces the passwords of an earlier call.
   * @param text called only when there is a password
   */
  spare(text: () => string): void {
    if (this.#texts.size === 0) return
    const spared = text()
    this.#spared = new Set([...this.#texts].filter((secret) => spared.includes(secret)))
    this.#patterns = undefined
  }

  /** The text with `***` in place of every secret. Tokens first: a short password within a token must not leave the rest of it. */
  scrub(text: string): string {
    return this.#mask(text, 'all')
  }

  /**
   * Like `scrub`, for MQTT messages: a password that is a plain word or a short number is not masked. `temperature` is a key of
   * every message, and a mask in its place would reveal the password.
   */
  scrubMessage(text: string): string {
    return this.#mask(text, 'forMessages')
  }

  #mask(text: string, which: 'all' | 'forMessages'): string {
    const withoutTokens = this.#base64.mask(this.#hex.mask(text))
    if (this.#texts.size === 0) return withoutTokens
    this.#patterns ??= this.#compiled() // here, since many secrets are added one after the other
    const pattern = this.#patterns[which]
    return pattern ? withoutTokens.replace(pattern, MASK) : withoutTokens
  }

  #compiled() {
    const texts = [...this.#texts]
    const distinctive = texts.filter((secret) => !this.#spared.has(secret) && !PLAIN_WORD.test(secret))
    return {all: anyOf(texts), forMessages: anyOf(distinctive)}
  }
}

/** An encoding of bytes as digits: hex or base64. */
interface Encoding {
  /** As Node.js calls it. */
  name: 'hex' | 'base64url'
  /** The value of each ASCII character: of a digit, `NO_DIGIT`, or `SEPARATES`. */
  values: Int8Array
  /** Bits per digit. */
  bits: number
}

const NO_DIGIT = -1
/** A character that is no digit and may be between two digits. */
const SEPARATES = -2
/** Separators between bytes in a hex dump: `21 31`, `21:31`, `21,31`. */
const SEPARATOR = /[\s:,._-]/
const SEPARATORS = new RegExp(SEPARATOR, 'g')

const HEX: Encoding = {
  name: 'hex',
  values: valuesOf([...'0123456789abcdef'], [...'0123456789ABCDEF']),
  bits: 4,
}
for (let code = 0; code < 128; code++)
  if (SEPARATOR.test(String.fromCharCode(code))) HEX.values[code] = SEPARATES

const DIGITS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789']
const BASE64: Encoding = {
  name: 'base64url',
  values: valuesOf([...DIGITS, '-', '_'], [...DIGITS, '+', '/']),
  bits: 6,
}

function valuesOf(...spellings: readonly (readonly string[])[]): Int8Array {
  const values = new Int8Array(128).fill(NO_DIGIT)
  for (const digits of spellings)
    for (const [value, digit] of digits.entries()) values[digit.charCodeAt(0)] = value
  return values
}

/** The end of each spelling that is looked up at every character of a text: six digits of hex, or four of base64. */
const END_BITS = 24
const END_MASK = 2 ** END_BITS - 1
/** The size of the table of ends: 128 kB. Of ten thousand tokens, one end in 35 is in it by chance. */
const TABLE_BITS = 20

/** The place of an end in the table: the upper bits of a product (Knuth's multiplicative hash). */
function placeOf(end: number): number {
  return Math.imul(end, 0x9e3779b1) >>> (32 - TABLE_BITS)
}

/**
 * The encoded secrets of one encoding. A text is read once, whatever their number: every message is scrubbed, and there may be ten
 * thousand tokens. The last digits are looked up in a bit table, and only where they are found the digits are decoded.
 */
class EncodedSecrets {
  readonly #encoding: Encoding
  readonly #isSecret: (bytes: Buffer) => boolean
  /** How many digits the secrets have. */
  readonly #lengths = new Set<number>()
  #shortest = Number.POSITIVE_INFINITY
  /** One bit for each place of an end. */
  #ends = new Uint8Array(0)

  /** @param isSecret whether decoded bytes are those of a secret that was added */
  constructor(encoding: Encoding, isSecret: (bytes: Buffer) => boolean) {
    this.#encoding = encoding
    this.#isSecret = isSecret
  }

  add(bytes: Buffer): void {
    const {name, values, bits} = this.#encoding
    const spelling = bytes.toString(name)
    this.#lengths.add(spelling.length)
    this.#shortest = Math.min(this.#shortest, spelling.length)
    if (this.#ends.length === 0) this.#ends = new Uint8Array(2 ** TABLE_BITS / 8)
    let end = 0
    for (const digit of spelling.slice(-END_BITS / bits))
      end = (end << bits) | (values[digit.charCodeAt(0)] ?? 0)
    const place = placeOf(end)
    this.#ends[place >> 3] = (this.#ends[place >> 3] ?? 0) | (1 << (place & 7))
  }

  mask(text: string): string {
    const shortest = this.#shortest
    if (text.length < shortest) return text
    const {values, bits} = this.#encoding
    const ends = this.#ends
    const spans: Span[] = []
    let digits = 0
    let last = 0
    let wasSeparator = false
    for (let at = 0; at < text.length; at++) {
      const value = this.#valueAt(text, at, values)
      if (value < 0) {
        if (value === NO_DIGIT || wasSeparator) digits = 0
        wasSeparator = value === SEPARATES
        continue
      }
      wasSeparator = false
      digits++
      last = ((last << bits) | value) & END_MASK
      if (digits < shortest) continue
      const place = placeOf(last)
      if (!((ends[place >> 3] ?? 0) & (1 << (place & 7)))) continue
      const span = this.#longestEndingAt(text, at, digits)
      if (span) spans.push(span)
    }
    return spans.length === 0 ? text : masked(text, spans)
  }

  #valueAt(text: string, at: number, values: Int8Array): number {
    const code = text.charCodeAt(at)
    if (code < 128) return values[code] ?? NO_DIGIT
    return this.#encoding === HEX && SEPARATOR.test(text[at] ?? '') ? SEPARATES : NO_DIGIT
  }

  /** The longest secret whose last digit is at `at`. @param digits how many digits there are up to this one */
  #longestEndingAt(text: string, at: number, digits: number): Span | undefined {
    const {name, values} = this.#encoding
    let longest: Span | undefined
    for (const length of this.#lengths) {
      if (length > digits) continue
      let from = at
      for (let left = length - 1; left > 0; ) if (this.#valueAt(text, --from, values) >= 0) left--
      if (from >= (longest?.from ?? at)) continue
      const found = text.slice(from, at + 1)
      const bytes = Buffer.from(name === 'hex' ? found.replaceAll(SEPARATORS, '') : found, name)
      if (this.#isSecret(bytes)) longest = {from, end: at + 1}
    }
    return longest
  }
}

/** A part of a text, from the first character up to, but not including, `end`. */
interface Span {
  from: number
  end: number
}

/** The text with a mask in place of each span; those that overlap have one together. @param spans the one that ends first comes first */
function masked(text: string, spans: readonly Span[]): string {
  let shown = ''
  /** The beginning of what is in `shown`. */
  let start = text.length
  for (const {from, end} of spans.toReversed()) {
    if (end <= start) shown = MASK + text.slice(end, start) + shown
    start = end <= start ? from : Math.min(start, from)
  }
  return text.slice(0, start) + shown
}

function anyOf(secrets: readonly string[]): RegExp | undefined {
  if (secrets.length === 0) return undefined
  return new RegExp(secrets.map(anySpelling).sort(longestFirst).join('|'), 'gu')
}

/** The engine may not compile a longer pattern: a `!file` that was named by mistake has thousands of characters. */
const MAX_PATTERN_CHARACTERS = 256

/**
 * A pattern for a secret as plain text, with any of its characters percent-encoded, or JSON-escaped once or twice. Twice, since a
 * JSON message may contain JSON as a text. Of a very long secret the pattern is its beginning and everything behind that.
 */
function anySpelling(secret: string): string {
  const beginning = Array.from(secret).slice(0, MAX_PATTERN_CHARACTERS).join('')
  if (beginning !== secret) return `(?:${anySpelling(beginning)})[^]*`
  const once = jsonEscaped(secret)
  const escaped = new Set([...once, ...once.flatMap(jsonEscaped)])
  return [...escaped].map(escapePattern).concat(percentEncoded(secret)).sort(longestFirst).join('|')
}

/** The JSON escapes of a text. Encoders differ in which characters they escape besides those they must, and in the case of hex. */
function jsonEscaped(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1)
  const ascii = json.replace(/[^ -~]/g, unicodeEscape)
  const upperCase = ascii.replace(/\\u[0-9a-f]{4}/g, (code) => `\\u${code.slice(2).toUpperCase()}`)
  return [json, ascii, upperCase, json.replaceAll('/', '\\/')]
}

/** A pattern for the percent-encoded text. Encoders differ in which characters they encode, and in the case of hex. */
function percentEncoded(secret: string): string {
  const spellings = Array.from(secret, (character) => {
    const hex = Buffer.from(character).toString('hex').replace(/../g, '%$&')
    const codes = hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)
    return `(?:${escapePattern(character)}|${codes}${character === ' ' ? '|\\+' : ''})`
  })
  return spellings.join('')
}

function longestFirst(a: string, b: string): number {
  return b.length - a.length
}
