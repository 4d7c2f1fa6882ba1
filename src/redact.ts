/** Takes secrets out of text by their value, in whatever spelling they got there. */
import {MASK} from './secret.ts'

/** A shorter one is a word that occurs everywhere: hiding it would blank out half of every line and protect nothing. */
const SHORTEST_SECRET = 4

/** Bytes as hex, also as a dump prints them: `21 31`, `21:31`. */
const SEPARATOR = /[\s:-]/

/**
 * Knows secrets and removes them: as they are, in hex, base64 and base64url, percent-encoded and JSON-escaped.
 *
 * Tokens are looked up and not searched for, so that ten thousand of them cost a line no more than one. Other secrets
 * (passwords: few) are searched for, one pattern each. Secrets of fewer than four characters are ignored.
 */
export class Redactor {
  readonly #hex = new Spellings()
  readonly #base64 = new Spellings()
  readonly #literals = new Set<string>()
  #literal: RegExp | undefined

  /** Removes `secret` from every text from now on. */
  add(secret: string): void {
    if (secret.length < SHORTEST_SECRET || /^\**$/.test(secret)) return
    if (isHex(secret)) this.#addHex(secret)
    else this.#addText(secret)
  }

  /** Forgets every secret. */
  clear(): void {
    this.#hex.clear()
    this.#base64.clear()
    this.#literals.clear()
    this.#literal = undefined
  }

  /** The text with `***` in place of every secret. Tokens go first: a short password within one must not save the rest. */
  scrub(text: string): string {
    const withoutTokens = this.#hex.mask(text, hexRuns, toHex)
    return this.#maskLiterals(this.#base64.mask(withoutTokens, base64Runs, toBase64))
  }

  /** A token: the bytes it stands for, and its digits as text in either case. */
  #addHex(secret: string): void {
    this.#hex.add(secret.toLowerCase())
    this.#addBytes(Buffer.from(secret.toLowerCase()))
    this.#addBytes(Buffer.from(secret.toUpperCase()))
    this.#base64.add(Buffer.from(secret, 'hex').toString('base64url'))
  }

  #addText(secret: string): void {
    this.#addBytes(Buffer.from(secret))
    this.#literals.add(anySpelling(secret))
    this.#literal = undefined
  }

  /** Compiled when it is needed: many secrets are added one after the other. */
  #maskLiterals(text: string): string {
    if (this.#literals.size === 0) return text
    this.#literal ??= new RegExp([...this.#literals].sort(longestFirst).join('|'), 'gu')
    return text.replace(this.#literal, MASK)
  }

  #addBytes(bytes: Buffer): void {
    this.#hex.add(bytes.toString('hex'))
    this.#base64.add(bytes.toString('base64url'))
  }
}

/** Spellings of one alphabet by their length: whether one starts at a place takes one look-up for each length. */
class Spellings {
  readonly #byLength = new Map<number, Set<string>>()
  #shortest = Number.POSITIVE_INFINITY

  add(spelling: string): void {
    const known = this.#byLength.get(spelling.length)
    if (known) known.add(spelling)
    else this.#byLength.set(spelling.length, new Set([spelling]))
    this.#shortest = Math.min(this.#shortest, spelling.length)
  }

  clear(): void {
    this.#byLength.clear()
    this.#shortest = Number.POSITIVE_INFINITY
  }

  /** `runs` gives the pattern of what may hold a spelling; `digit` its characters in one alphabet, `''` for none. */
  mask(text: string, runs: (least: number) => RegExp, digit: (character: string) => string): string {
    if (text.length < this.#shortest) return text
    return text.replace(runs(this.#shortest), (run) => this.#maskRun(run, digit))
  }

  #maskRun(run: string, digit: (character: string) => string): string {
    const digits = Array.from(run, (character, at) => ({at, text: digit(character)})).filter(({text}) => text)
    const spelled = digits.map(({text}) => text).join('')
    let shown = ''
    let copied = 0
    for (let at = 0; at <= digits.length - this.#shortest; at++) {
      const length = this.#lengthAt(spelled, at)
      if (!length) continue
      shown += run.slice(copied, digits[at]?.at) + MASK
      at += length - 1
      copied = (digits[at]?.at ?? run.length) + 1
    }
    return shown + run.slice(copied)
  }

  #lengthAt(spelled: string, at: number): number {
    for (const [length, known] of this.#byLength) if (known.has(spelled.slice(at, at + length))) return length
    return 0
  }
}

const hexRuns = remembered((least) => `[0-9a-fA-F](?:${SEPARATOR.source}?[0-9a-fA-F]){${least - 1},}`)
const base64Runs = remembered((least) => `[A-Za-z0-9+/_-]{${least},}`)

function toHex(character: string): string {
  return SEPARATOR.test(character) ? '' : character.toLowerCase()
}

function toBase64(character: string): string {
  if (character === '+') return '-'
  return character === '/' ? '_' : character
}

/** The pattern for a least length, compiled once for each length. */
function remembered(source: (least: number) => string): (least: number) => RegExp {
  const compiled = new Map<number, RegExp>()
  return (least) => {
    const known = compiled.get(least) ?? new RegExp(source(least), 'g')
    compiled.set(least, known)
    return known
  }
}

function isHex(secret: string): boolean {
  return secret.length % 2 === 0 && /^[0-9a-f]{16,}$/i.test(secret)
}

/** A pattern for a secret as it is, with any of its characters percent-encoded, or JSON-escaped once or twice over. */
function anySpelling(secret: string): string {
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
