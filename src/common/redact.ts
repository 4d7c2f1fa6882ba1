/** Removes secrets from text by their value, in every encoding in which they may appear: hex, base64, URL, JSON. */
import {MASK} from './secret.ts'

/** A shorter secret occurs everywhere: masking it would blank out half of every line and protect nothing. */
const MIN_SECRET_LENGTH = 4

/** Separators between bytes in a hex dump: `21 31`, `21:31`, `21,31`. */
const SEPARATOR = /[\s:,._-]/

/**
 * Replaces secrets by `***`: as plain text, in hex, base64 and base64url, percent-encoded, and JSON-escaped once or twice.
 *
 * Tokens are looked up in a table, so that ten thousand of them cost no more time per line than one. Other secrets (passwords,
 * of which there are few) are searched for, by one pattern each. Secrets of fewer than four characters are ignored.
 */
export class Redactor {
  readonly #hex = new EncodedSecrets(HEX)
  readonly #base64 = new EncodedSecrets(BASE64)
  readonly #texts = new Set<string>()
  /** Passwords that `scrubMessage` does not mask. */
  #spared: ReadonlySet<string> = new Set()
  #patterns: {all: RegExp | undefined; forMessages: RegExp | undefined} | undefined

  /** Removes `secret` from every text from now on. */
  add(secret: string): void {
    if (secret.length < MIN_SECRET_LENGTH || /^\**$/.test(secret)) return
    if (isHex(secret)) this.#addHex(secret)
    else this.#addText(secret)
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

  /** Removes every secret. */
  clear(): void {
    this.#hex.clear()
    this.#base64.clear()
    this.#texts.clear()
    this.#spared = new Set()
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
    const distinctive = texts.filter((secret) => !this.#spared.has(secret) && !isPlainWord(secret))
    return {all: anyOf(texts), forMessages: anyOf(distinctive)}
  }

  /** A token: its bytes, and its hex digits as text in either case. */
  #addHex(secret: string): void {
    if (this.#hex.has(secret.toLowerCase())) return
    this.#hex.add(secret.toLowerCase())
    this.#addBytes(Buffer.from(secret.toLowerCase()))
    this.#addBytes(Buffer.from(secret.toUpperCase()))
    this.#base64.add(Buffer.from(secret, 'hex').toString('base64url'))
  }

  #addText(secret: string): void {
    if (this.#texts.has(secret)) return
    this.#addBytes(Buffer.from(secret))
    this.#texts.add(secret)
    this.#patterns = undefined
  }

  #addBytes(bytes: Buffer): void {
    this.#hex.add(bytes.toString('hex'))
    this.#base64.add(bytes.toString('base64url'))
  }
}

/** An encoding of bytes as digits: hex or base64. */
interface Encoding {
  /** The value of each ASCII character: of a digit, `NO_DIGIT`, or `SEPARATES`. */
  values: Int8Array
  /** Bits per digit. */
  bits: number
  /** Digits as they are stored in `EncodedSecrets`, from digits as they were found in a text. */
  normalize(found: string): string
}

const NO_DIGIT = -1
/** A character that is no digit and may be between two digits. */
const SEPARATES = -2

const HEX: Encoding = {
  values: valuesOf([...'0123456789abcdef'], [...'0123456789ABCDEF']),
  bits: 4,
  normalize: (found) => found.replaceAll(new RegExp(SEPARATOR, 'g'), '').toLowerCase(),
}
for (let code = 0; code < 128; code++)
  if (SEPARATOR.test(String.fromCharCode(code))) HEX.values[code] = SEPARATES

const DIGITS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789']
const BASE64: Encoding = {
  values: valuesOf([...DIGITS, '-', '_'], [...DIGITS, '+', '/']),
  bits: 6,
  normalize: (found) => found.replaceAll('+', '-').replaceAll('/', '_'),
}

function valuesOf(...spellings: readonly (readonly string[])[]): Int8Array {
  const values = new Int8Array(128).fill(NO_DIGIT)
  for (const digits of spellings)
    for (const [value, digit] of digits.entries()) values[digit.charCodeAt(0)] = value
  return values
}

/** The start of each spelling that is looked up at every character of a text: six digits of hex, or four of base64. */
const START_BITS = 24

/**
 * The encoded secrets of one encoding. A text is read once, whatever their number: every message is scrubbed, and there may be ten
 * thousand tokens. The first digits are looked up in a bit table, and only where they are found the rest is compared.
 */
class EncodedSecrets {
  readonly #encoding: Encoding
  readonly #byLength = new Map<number, Set<string>>()
  /** One bit for each possible start. */
  #starts = new Uint8Array(0)

  constructor(encoding: Encoding) {
    this.#encoding = encoding
  }

  has(spelling: string): boolean {
    return this.#byLength.get(spelling.length)?.has(spelling) ?? false
  }

  add(spelling: string): void {
    const known = this.#byLength.get(spelling.length)
    if (known) known.add(spelling)
    else this.#byLength.set(spelling.length, new Set([spelling]))
    if (this.#starts.length === 0) this.#starts = new Uint8Array(2 ** START_BITS / 8)
    const start = this.#startOf(spelling)
    this.#starts[start >> 3] = (this.#starts[start >> 3] ?? 0) | (1 << (start & 7))
  }

  clear(): void {
    this.#byLength.clear()
    this.#starts = new Uint8Array(0)
  }

  mask(text: string): string {
    if (this.#byLength.size === 0) return text
    const {values, bits} = this.#encoding
    const starts = this.#starts
    const least = START_BITS / bits
    let shown = ''
    let copied = 0
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
      last = ((last << bits) | value) & (2 ** START_BITS - 1)
      if (digits < least || !((starts[last >> 3] ?? 0) & (1 << (last & 7)))) continue
      const from = this.#goBack(text, at, least)
      const end = this.#endOf(text, from)
      if (end === 0) continue
      shown += text.slice(copied, from) + MASK
      copied = end
      at = end - 1
      digits = 0
    }
    return copied === 0 ? text : shown + text.slice(copied)
  }

  #valueAt(text: string, at: number, values: Int8Array): number {
    const code = text.charCodeAt(at)
    if (code < 128) return values[code] ?? NO_DIGIT
    return this.#encoding === HEX && SEPARATOR.test(text[at] ?? '') ? SEPARATES : NO_DIGIT
  }

  /** The position of the digit that is `count - 1` digits before the one at `at`. */
  #goBack(text: string, at: number, count: number): number {
    let from = at
    for (let left = count - 1; left > 0; ) if (this.#valueAt(text, --from, this.#encoding.values) >= 0) left--
    return from
  }

  /** The end of a spelling that starts at `from`; 0 when there is none. */
  #endOf(text: string, from: number): number {
    for (const [length, known] of this.#byLength) {
      const end = this.#goForward(text, from, length)
      if (end > 0 && known.has(this.#encoding.normalize(text.slice(from, end)))) return end
    }
    return 0
  }

  /** The position after `count` digits from `from` on; 0 when there are fewer. */
  #goForward(text: string, from: number, count: number): number {
    let left = count
    let wasSeparator = false
    for (let at = from; at < text.length; at++) {
      const value = this.#valueAt(text, at, this.#encoding.values)
      if (value === NO_DIGIT || (value === SEPARATES && wasSeparator)) return 0
      wasSeparator = value === SEPARATES
      if (!wasSeparator && --left === 0) return at + 1
    }
    return 0
  }

  #startOf(spelling: string): number {
    const {values, bits} = this.#encoding
    return [...spelling.slice(0, START_BITS / bits)].reduce(
      (start, digit) => (start << bits) | (values[digit.charCodeAt(0)] ?? 0),
      0,
    )
  }
}

function isHex(secret: string): boolean {
  return secret.length % 2 === 0 && /^[0-9a-f]{16,}$/i.test(secret)
}

/** Whether the text looks like a word of topics, properties and messages, or like a value or an id: these are everywhere. */
function isPlainWord(secret: string): boolean {
  return /^(?:[a-z_]{1,20}|[A-Z_]{1,20}|\d{1,15})$/.test(secret)
}

function anyOf(secrets: readonly string[]): RegExp | undefined {
  if (secrets.length === 0) return undefined
  return new RegExp(secrets.map(anySpelling).sort(longestFirst).join('|'), 'gu')
}

/** The engine may not compile a longer pattern: a `!file` that was named by mistake has thousands of characters. */
const BEGINNING = /^.{0,256}/su

/**
 * A pattern for a secret as plain text, with any of its characters percent-encoded, or JSON-escaped once or twice. Twice, since a
 * JSON message may contain JSON as a text. Of a very long secret the pattern is its beginning and everything behind that.
 */
function anySpelling(secret: string): string {
  const [beginning = ''] = BEGINNING.exec(secret) ?? []
  if (beginning !== secret) return `(?:${anySpelling(beginning)})[^]*`
  const once = jsonEscaped(secret)
  const escaped = new Set([...once, ...once.flatMap(jsonEscaped)])
  return [...escaped].map(escapePattern).concat(percentEncoded(secret)).sort(longestFirst).join('|')
}

/** The JSON escapes of a text. Encoders differ in which characters they escape besides those they must, and in the case of hex. */
function jsonEscaped(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1)
  const ascii = json.replace(/[^ -~]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
  const upperCase = ascii.replace(/\\u[0-9a-f]{4}/g, (code) => `\\u${code.slice(2).toUpperCase()}`)
  return [json, ascii, upperCase, json.replaceAll('/', '\\/')]
}

/** A pattern for the percent-encoded text. Encoders differ in which characters they encode, and in the case of hex. */
function percentEncoded(secret: string): string {
  const spellings = Array.from(secret, (character) => {
    const codes = Array.from(Buffer.from(character), (byte) => `%${anyCase(hex(byte, 2))}`).join('')
    return `(?:${escapePattern(character)}|${codes}${character === ' ' ? '|\\+' : ''})`
  })
  return spellings.join('')
}

function anyCase(digits: string): string {
  return digits.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0')
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

function longestFirst(a: string, b: string): number {
  return b.length - a.length
}
