/** Takes secrets out of text by their value, in whatever spelling they got there. */
import {MASK} from './secret.ts'

/** A shorter one is a word that occurs everywhere: hiding it would blank out half of every line and protect nothing. */
const SHORTEST_SECRET = 4

/** Bytes as hex, also as a dump prints them: `21 31`, `21:31`, `21,31`. */
const SEPARATOR = /[\s:,._-]/

/**
 * Knows secrets and removes them: as they are, in hex, base64 and base64url, percent-encoded and JSON-escaped.
 *
 * Tokens are looked up and not searched for, so that ten thousand of them cost a line no more than one. Other secrets
 * (passwords: few) are searched for, one pattern each. Secrets of fewer than four characters are ignored.
 */
export class Redactor {
  readonly #hex = new Spellings(HEX)
  readonly #base64 = new Spellings(BASE64)
  readonly #texts = new Set<string>()
  /** Texts that are left in messages. */
  #spared: ReadonlySet<string> = new Set()
  #patterns: {all: RegExp | undefined; ofMessages: RegExp | undefined} | undefined

  /** Removes `secret` from every text from now on. */
  add(secret: string): void {
    if (secret.length < SHORTEST_SECRET || /^\**$/.test(secret)) return
    if (isHex(secret)) this.#addHex(secret)
    else this.#addText(secret)
  }

  /**
   * Leaves a secret that occurs in `text` in messages from now on: a password that is the base topic, too, would otherwise be masked
   * in all topics. Replaces what was spared before.
   * @param text asked for only when there is a password
   */
  spare(text: () => string): void {
    if (this.#texts.size === 0) return
    const spared = text()
    this.#spared = new Set([...this.#texts].filter((secret) => spared.includes(secret)))
    this.#patterns = undefined
  }

  /** Forgets every secret. */
  clear(): void {
    this.#hex.clear()
    this.#base64.clear()
    this.#texts.clear()
    this.#spared = new Set()
    this.#patterns = undefined
  }

  /** The text with `***` in place of every secret. Tokens go first: a short password within one must not save the rest. */
  scrub(text: string): string {
    return this.#mask(text, 'all')
  }

  /**
   * As `scrub`, for what programs read: a password that is a plain word or a short number stays where it occurs. `temperature` is a
   * key of every message, and a hole in its place would tell everybody what the password is.
   */
  scrubMessage(text: string): string {
    return this.#mask(text, 'ofMessages')
  }

  #mask(text: string, which: 'all' | 'ofMessages'): string {
    const withoutTokens = this.#base64.mask(this.#hex.mask(text))
    if (this.#texts.size === 0) return withoutTokens
    this.#patterns ??= this.#compiled() // when it is needed: many secrets are added one after the other
    const pattern = this.#patterns[which]
    return pattern ? withoutTokens.replace(pattern, MASK) : withoutTokens
  }

  #compiled() {
    const texts = [...this.#texts]
    const unmistakable = texts.filter((secret) => !this.#spared.has(secret) && !isPlainWord(secret))
    return {all: anyOf(texts), ofMessages: anyOf(unmistakable)}
  }

  /** A token: the bytes it stands for, and its digits as text in either case. */
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

/** The digits of a way to write bytes. */
interface Alphabet {
  /** What each character of ASCII counts, `NONE`, or `BETWEEN`. */
  values: Int8Array
  /** What one digit counts, in bits. */
  bits: number
  /** Digits as the spellings have them, out of text as it was found. */
  normal(found: string): string
}

const NONE = -1
/** A character that may stand between two digits, and is none. */
const BETWEEN = -2

const HEX: Alphabet = {
  values: valuesOf([...'0123456789abcdef'], [...'0123456789ABCDEF']),
  bits: 4,
  normal: (found) => found.replaceAll(new RegExp(SEPARATOR, 'g'), '').toLowerCase(),
}
for (let code = 0; code < 128; code++)
  if (SEPARATOR.test(String.fromCharCode(code))) HEX.values[code] = BETWEEN

const DIGITS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789']
const BASE64: Alphabet = {
  values: valuesOf([...DIGITS, '-', '_'], [...DIGITS, '+', '/']),
  bits: 6,
  normal: (found) => found.replaceAll('+', '-').replaceAll('/', '_'),
}

function valuesOf(...spellings: readonly (readonly string[])[]): Int8Array {
  const values = new Int8Array(128).fill(NONE)
  for (const digits of spellings)
    for (const [value, digit] of digits.entries()) values[digit.charCodeAt(0)] = value
  return values
}

/** So much of each spelling's start is looked up for every character of a text: six digits of hex, or four of base64. */
const START_BITS = 24

/**
 * Spellings of one alphabet. A text is read once, whatever their number: every message passes here, and a house may have ten thousand
 * tokens. Only where the first digits of one are found, the rest is compared.
 */
class Spellings {
  readonly #alphabet: Alphabet
  readonly #byLength = new Map<number, Set<string>>()
  /** One bit for each start that there can be. */
  #starts = new Uint8Array(0)

  constructor(alphabet: Alphabet) {
    this.#alphabet = alphabet
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
    const {values, bits} = this.#alphabet
    const starts = this.#starts
    const least = START_BITS / bits
    let shown = ''
    let copied = 0
    let digits = 0
    let last = 0
    let wasBetween = false
    for (let at = 0; at < text.length; at++) {
      const value = this.#valueAt(text, at, values)
      if (value < 0) {
        if (value === NONE || wasBetween) digits = 0
        wasBetween = value === BETWEEN
        continue
      }
      wasBetween = false
      digits++
      last = ((last << bits) | value) & (2 ** START_BITS - 1)
      if (digits < least || !((starts[last >> 3] ?? 0) & (1 << (last & 7)))) continue
      const from = this.#back(text, at, least)
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
    if (code < 128) return values[code] ?? NONE
    return this.#alphabet === HEX && SEPARATOR.test(text[at] ?? '') ? BETWEEN : NONE
  }

  /** Where the digit stands that comes `count - 1` before the one at `at`. */
  #back(text: string, at: number, count: number): number {
    let from = at
    for (let left = count - 1; left > 0; ) if (this.#valueAt(text, --from, this.#alphabet.values) >= 0) left--
    return from
  }

  /** Where a spelling ends that starts at `from`; 0 when none does. */
  #endOf(text: string, from: number): number {
    for (const [length, known] of this.#byLength) {
      const end = this.#forth(text, from, length)
      if (end > 0 && known.has(this.#alphabet.normal(text.slice(from, end)))) return end
    }
    return 0
  }

  /** The place behind the `count` digits from `from` on; 0 when there are fewer. */
  #forth(text: string, from: number, count: number): number {
    let left = count
    let wasBetween = false
    for (let at = from; at < text.length; at++) {
      const value = this.#valueAt(text, at, this.#alphabet.values)
      if (value === NONE || (value === BETWEEN && wasBetween)) return 0
      wasBetween = value === BETWEEN
      if (!wasBetween && --left === 0) return at + 1
    }
    return 0
  }

  #startOf(spelling: string): number {
    const {values, bits} = this.#alphabet
    return [...spelling.slice(0, START_BITS / bits)].reduce(
      (start, digit) => (start << bits) | (values[digit.charCodeAt(0)] ?? 0),
      0,
    )
  }
}

function isHex(secret: string): boolean {
  return secret.length % 2 === 0 && /^[0-9a-f]{16,}$/i.test(secret)
}

/** Words of topics, properties and messages look so, and values and ids: they are everywhere, whatever the password is. */
function isPlainWord(secret: string): boolean {
  return /^(?:[a-z_]{1,20}|[A-Z_]{1,20}|\d{1,15})$/.test(secret)
}

function anyOf(secrets: readonly string[]): RegExp | undefined {
  if (secrets.length === 0) return undefined
  return new RegExp(secrets.map(anySpelling).sort(longestFirst).join('|'), 'gu')
}

/** A longer pattern may be more than the engine compiles: a file that was named by mistake has thousands of characters. */
const BEGINNING = /^.{0,256}/su

/**
 * A pattern for a secret as it is, with any of its characters percent-encoded, or JSON-escaped once or twice over. A very long one is
 * known by its beginning, and everything behind that goes with it.
 */
function anySpelling(secret: string): string {
  const [beginning = ''] = BEGINNING.exec(secret) ?? []
  if (beginning !== secret) return `(?:${anySpelling(beginning)})[^]*`
  const once = jsonEscaped(secret)
  const escaped = new Set([...once, ...once.flatMap(jsonEscaped)])
  return [...escaped].map(escapePattern).concat(percentEncoded(secret)).sort(longestFirst).join('|')
}

/** The ways in which encoders of JSON differ: which characters they escape besides those they must. */
function jsonEscaped(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1)
  const ascii = json.replace(/[^ -~]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
  const upperCase = ascii.replace(/\\u[0-9a-f]{4}/g, (code) => `\\u${code.slice(2).toUpperCase()}`)
  return [json, ascii, upperCase, json.replaceAll('/', '\\/')]
}

/** Encoders of URLs differ in which characters they leave alone, and in the case of their digits. */
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
