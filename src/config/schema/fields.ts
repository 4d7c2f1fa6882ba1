/**
 * Schemas for single values: numbers, durations, tokens, PEM texts. Each reads the text as it was written, whether it came from YAML, a
 * file or an environment variable: only the schema knows that `0123` is a password here and a number there.
 */
import {createDecipheriv} from 'node:crypto'
import * as z from 'zod'
import {LONGEST_TIMER_MS} from '../../common/clock.ts'
import {joinWithOr, quoted} from '../../common/schema-errors.ts'
import {Secret} from '../../common/secret.ts'
import {suggestion} from '../../common/suggestion.ts'
import {DOUBLE_QUOTES, SINGLE_QUOTES} from '../../common/text.ts'
import {kindOf} from '../config-error.ts'
import {isPlainText, mqttSecretProblem, mqttTextProblem} from '../validate/names.ts'
import {isPem} from '../validate/tls.ts'

/** JSON Schema keywords, for editors. */
type Keywords = Record<string, unknown>

interface ScalarOptions<T> {
  /** Stands behind "expected" in an error, and in the reference. */
  expected: string
  /** The value of the text, or `undefined` for an invalid text. */
  read: (text: string) => T | undefined
  /** Stands behind "got" in an error. By default the text itself, where it cannot be a secret. */
  got?: (text: string) => string
  keywords: Keywords
  /** Characters. A longer text is refused before any pattern is tried on it. */
  most?: number
}

/** For texts that are only bounded by the size of their file. */
export const ANY_LENGTH = Number.POSITIVE_INFINITY
/** Characters. Names, numbers and addresses are shorter. */
export const LONGEST_WORD = 1000

/** The schema of a single value that is read from its text. */
export function scalar<T>({expected, read, got = quoted, keywords, most = LONGEST_WORD}: ScalarOptions<T>) {
  const problem = (received: string) => `expected ${expected}, got ${received}`
  return z
    .string({error: ({input}) => problem(kindOf(input))})
    .transform((text, context) => {
      const value = text.length > most ? undefined : read(text)
      if (value !== undefined) return value
      const received = text.length > most ? `${text.length} characters` : (surplus(text, read) ?? got(text))
      context.issues.push({code: 'custom', message: problem(received), input: text})
      return z.NEVER
    })
    .meta({...keywords, title: expected})
}

const ANY_QUOTE = `"'${DOUBLE_QUOTES}${SINGLE_QUOTES}`
const SURPLUS = `\\s,;${ANY_QUOTE}\\p{Zs}\\p{Cf}`
/** At the ends of a text: spaces, line breaks, quotes, the commas of JSON, and invisible characters. */
const SURPLUS_CHARACTERS = new RegExp(`^[${SURPLUS}]+|[${SURPLUS}]+$`, 'gu')

/** The characters at the ends of `text` that alone make it invalid; `undefined` when it is invalid without them, too. */
function surplus(text: string, read: (text: string) => unknown): string | undefined {
  const bare = text.replace(SURPLUS_CHARACTERS, '')
  if (bare === '' || bare === text || read(bare) === undefined) return undefined
  const [before = '', after = ''] = text.split(bare)
  const ends = before + after
  const [what] = SURPLUS_NAMES.find(([, pattern]) => pattern.test(ends)) ?? ['an invisible character']
  const where = [before && 'the beginning', after && 'the end'].filter(Boolean).join(' and ')
  return `one with ${what} at ${where}: remove it${what === 'a line break' ? ', or write "|-" in place of "|"' : ''}`
}

const SURPLUS_NAMES: readonly [what: string, pattern: RegExp][] = [
  ['a line break', /[\r\n]/],
  ['quotes', new RegExp(`[${ANY_QUOTE}]`, 'u')],
  ['a comma', /,/],
  ['a semicolon', /;/],
  ['a space', /^[ \t]+$/],
]

/** A setting with a default, which is spelled as in the file. */
export function withDefault<T>(schema: z.ZodType<T, string>, value: string | number | boolean) {
  return schema.prefault(String(value)).meta({default: value})
}

/** The schema of a text that stays as it is. @param problem stands behind "got" in an error; `undefined` for a valid text */
export function checkedText(
  expected: string,
  problem: (text: string) => string | undefined,
  {most = ANY_LENGTH, ...keywords}: Keywords & {most?: number} = {},
) {
  return scalar({
    most,
    expected,
    read: (text) => (problem(text) === undefined ? text : undefined),
    got: (text) => problem(text) ?? '',
    keywords: {type: 'string', ...keywords},
  })
}

/** Text of one line or more. @param what its name in errors and in the reference */
export function textField(what = 'text') {
  return checkedText(what, controlsProblem)
}

/** The path of a file or folder. */
export function path() {
  const problem = (text: string) => {
    if (text.trim() === '' && isPlainText(text)) return 'nothing: name a folder, or take the line out'
    return controlsProblem(text) ?? (text === text.trim() ? undefined : quoted(text))
  }
  return checkedText('a path', problem, {minLength: 1})
}

function controlsProblem(text: string): string | undefined {
  return isPlainText(text) ? undefined : 'some with control characters or halves of characters in it'
}

/** Text in a field of an MQTT packet, where brokers refuse control characters (MQTT 5 §1.5.4). @param least characters */
export function mqttText(least = 0) {
  return checkedText('text', (text) => {
    const blank = text === text.trim() ? undefined : 'nothing but spaces'
    return mqttTextProblem(text) ?? (text.length < least ? 'nothing' : blank)
  })
}

/** A password for MQTT: any text without NUL, which many brokers take for its end, and that is not surely a mistake. */
export function mqttSecret() {
  const problem = (text: string) => {
    if (LIKE_A_TAG.test(text)) return mqttSecretProblem(text) ?? TAG_AS_TEXT
    return mqttSecretProblem(text) ?? (/[\r\n]$/.test(text) ? 'one with a line break at the end' : undefined)
  }
  return checkedText('text', problem).transform((text) => new Secret(text))
}

/** A tag, also in the form of Zigbee2MQTT: `!secret.yaml name`. */
const LIKE_A_TAG = /^!(?:env|file|secret)(?:\.ya?ml)?\s/
const TAG_AS_TEXT = 'a tag as text: it counts in config.yaml alone, and without quotes around it'

/** A short text, which an error quotes. @param what its name in errors and in the reference */
export function word(what: string, isValid: (text: string) => boolean, keywords: Keywords) {
  const problem = (text: string) => (isValid(text) ? undefined : quoted(text))
  return checkedText(what, problem, {most: LONGEST_WORD, ...keywords})
}

/** A short text of a certain form. @param what its name in errors and in the reference */
export function pattern(what: string, allowed: RegExp) {
  return word(what, (text) => allowed.test(text), {pattern: allowed.source})
}

/** `true` or `false`, in any case. */
export function flag() {
  const read = (text: string) => [true, false].find((value) => String(value) === text.toLowerCase())
  return scalar({expected: 'true or false', read, keywords: {type: 'boolean'}})
}

/** One of a few words or numbers. */
export function oneOf<const T extends readonly (string | number)[]>(...values: T) {
  const words = values.filter((value) => typeof value === 'string')
  const read = (text: string): T[number] | undefined => values.find((value) => String(value) === text)
  return scalar({
    expected: joinWithOr(values),
    read,
    got: (text) => quoted(text) + suggestion(text, words),
    keywords: {type: typeof values[0] === 'number' ? 'integer' : 'string', enum: values},
  })
}

/** The MQTT version as the number in the protocol: 3.1.1 has the number 4. */
export function mqttVersion() {
  const versions = new Map<string, 4 | 5>([
    ['5', 5],
    ['3.1.1', 4],
    ['4', 4],
  ])
  const keywords = {type: ['integer', 'string'], enum: [5, '3.1.1', 4]}
  return scalar({expected: '5 or 3.1.1', read: (text) => versions.get(text), keywords})
}

/** A whole number, written with digits only. */
export function integer(least: number, most: number) {
  const read = (text: string) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    return value >= least && value <= most ? value : undefined
  }
  const expected = `a whole number from ${least} to ${most}`
  return scalar({expected, read, keywords: {type: 'integer', minimum: least, maximum: most}})
}

/** For a setting whose absence means false: `true` is its only value. */
export function literalTrue() {
  return oneOf('true').transform((): true => true)
}

/** Any number, with or without a decimal point. */
export function number() {
  const read = (text: string) => (NUMBER.test(text) ? Number(text) : undefined)
  return scalar({expected: 'a number', read, keywords: {type: 'number'}})
}

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,2})?$/i

/** A model as `miIO.info` names it. */
export function modelId() {
  return pattern('a model such as chuangmi.plug.v3', /^[a-z0-9_-]+(\.[a-z0-9_-]+){2,}$/)
}

/** The name of a property, in the form that `miio2mqtt models` lists. Whether the plug has it depends on its model, which may be unknown yet. */
export function propertyName() {
  const allowed = /^[a-z][a-z0-9_]*$/
  const problem = (text: string) => {
    if (allowed.test(text)) return undefined
    const small = text.toLowerCase().replaceAll(/[- ]/g, '_')
    return `${quoted(text)}${allowed.test(small) ? suggestion(text, [small]) : ''}`
  }
  const options = {most: LONGEST_WORD, pattern: allowed.source}
  return checkedText('the name of a property such as power', problem, options)
}

/** The name of an icon in Home Assistant. */
export function icon() {
  return pattern('an icon such as mdi:kettle', /^[a-z0-9-]+:[a-z0-9-]+$/)
}

/** The miIO device id (did) of a plug. */
export function did() {
  const read = (text: string) => {
    const value = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN
    return Number.isSafeInteger(value) ? value : undefined
  }
  const keywords = {type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER}
  return scalar({expected: 'the device id of a plug, a whole number', read, keywords})
}

const UNITS = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
])
const DURATION = /^(\d+(?:\.\d+)?) ?(ms|s|m|h)?$/
/** The longest time that timers can wait, in whole days (24), as milliseconds. */
export const LONGEST_MS = Math.floor(LONGEST_TIMER_MS / 86_400_000) * 86_400_000

/** Milliseconds, written as `500ms`, `15s`, `2m`, `1h`, or as a number of seconds. */
export function duration(least: number, most: number) {
  const read = (text: string) => {
    const ms = readDuration(text)
    return ms >= least && ms <= most ? ms : undefined
  }
  const expected = `a duration such as 15s, from ${durationText(least)} to ${durationText(most)}`
  return scalar({expected, read, keywords: {type: ['string', 'number'], pattern: DURATION.source}})
}

/** Milliseconds; `NaN` for what is no duration. */
export function readDuration(text: string): number {
  const [, amount, unit = 's'] = DURATION.exec(text) ?? []
  return Math.round(Number(amount) * (UNITS.get(unit) ?? Number.NaN))
}

/** The milliseconds of a duration, spelled as in the configuration. @throws RangeError with what was expected */
export function parseDuration(text: string): number {
  const ms = readDuration(text)
  if (ms >= 0 && ms <= LONGEST_MS) return ms
  throw new RangeError(`expected a duration such as 15s, got ${quoted(text)}`)
}

/** Milliseconds in the largest unit that leaves no fraction: `90s`, `2m`. */
export function durationText(ms: number): string {
  const unit = [...UNITS].filter(([, size]) => ms % size === 0).at(-1) ?? ['ms', 1]
  return `${ms / unit[1]}${unit[0]}`
}

/** The text of a certificate or key, not its path: a file is named with `!file`, here as everywhere. */
export function pem() {
  const advice = 'to read it from a file, write "!file" before the path'
  return checkedText('PEM text', (text) =>
    isPem(text) ? undefined : `${text.length} characters that are none; ${advice}`,
  )
}

/** A PEM text that is never shown. */
export function secretPem() {
  return pem().transform((text) => new Secret(text))
}

/** The token of a plug: 32 hex digits, or the 96 in which an iPhone's backup keeps it (docs/protocol.md §1.3). */
export function token() {
  const keywords = {type: 'string', pattern: '^([0-9a-fA-F]{32}|[0-9a-fA-F]{96})$'}
  return scalar({expected: '32 hex digits', read: readToken, got: describeToken, keywords})
}

/** The token, or what is wrong with the text. The message repeats nothing of it. */
export function parseToken(text: string): Secret | string {
  return readToken(text) ?? `expected 32 hex digits, got ${describeToken(text)}`
}

function readToken(text: string): Secret | undefined {
  const digits = tokenDigits(text)
  return digits && /^[0-9a-f]{32}$/i.test(digits) && !HIDDEN_TOKEN.test(digits)
    ? new Secret(digits.toLowerCase())
    : undefined
}

function tokenDigits(text: string): string | undefined {
  return text.length === 96 ? fromBackup(text) : text
}

/** A plug that was set up sends one of these in its hello, in place of its token (docs/protocol.md §1.2). */
const HIDDEN_TOKEN = /^(?:0{32}|f{32})$/i

function describeToken(text: string): string {
  if (HIDDEN_TOKEN.test(tokenDigits(text) ?? ''))
    return 'zeros or ff, which a plug that hides its token shows in its place: this is not the token itself'
  if (LIKE_A_TAG.test(text)) return TAG_AS_TEXT
  if (readToken(text.replace(/^0x|[\s:-]/gi, ''))) return 'them with something between or before: remove it'
  if (!/^[0-9a-f]*$/i.test(text)) return `${text.length} characters, not all of them hex digits`
  return text.length === 96 ? '96 that are not a token from an iOS backup' : String(text.length)
}

/** The backup has the 32 digits as text, encrypted with AES-128-ECB under a key of zeros and padded. */
function fromBackup(text: string): string | undefined {
  const decipher = createDecipheriv('aes-128-ecb', Buffer.alloc(16), null)
  try {
    return Buffer.concat([decipher.update(text, 'hex'), decipher.final()]).toString('latin1')
  } catch {
    return undefined
  }
}

/** One value, or a list of at least one. */
export function oneOrMore<T>(schema: z.ZodType<T, string>, keywords: Keywords) {
  const list = z.array(schema).min(1, {error: 'expected at least one value, got an empty list'})
  return z.preprocess((input) => (Array.isArray(input) ? input : [input]), list).meta(keywords)
}
