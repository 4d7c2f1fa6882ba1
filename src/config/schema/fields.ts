/**
 * The kinds of single values. Each is read from the text as written, whether that came from YAML, a file or an environment
 * variable: only the schema knows that `0123` is a password here and a number there.
 */
import {createDecipheriv} from 'node:crypto'
import {isIPv4} from 'node:net'
import {z} from 'zod'
import {LONGEST_TIMER_MS} from '../../common/clock.ts'
import {isUnicast} from '../../common/ipv4.ts'
import {Secret} from '../../common/secret.ts'
import {kindOf, quoted, suggestion} from '../config-error.ts'
import {configTopicProblem, isPlainText, mqttSecretProblem, mqttTextProblem} from '../validate/names.ts'
import {isPem} from '../validate/tls.ts'
import {brokerUrlProblem, readBrokerUrl} from './broker-url.ts'

/** How editors see a kind of value: JSON Schema keywords. */
type Keywords = Record<string, unknown>

interface Kind<T> {
  /** What is expected, to follow that very word in an error. Also what the reference says. */
  expected: string
  /** The meaning of the text, or `undefined` when it has none. */
  read: (text: string) => T | undefined
  /** What came instead, for an error. */
  got?: (text: string) => string
  keywords: Keywords
  /** Characters. What is longer is refused unread: no pattern is tried on it. */
  most?: number
}

const ANY_LENGTH = Number.POSITIVE_INFINITY
/** No name, number, address or the like is longer. */
const LONGEST_WORD = 1000

function scalar<T>({expected, read, got = quoted, keywords, most = LONGEST_WORD}: Kind<T>) {
  const wrong = (came: string) => `expected ${expected}, got ${came}`
  return z
    .string({error: ({input}) => wrong(kindOf(input))})
    .transform((text, context) => {
      const value = text.length > most ? undefined : read(text)
      if (value !== undefined) return value
      const came = text.length > most ? `${text.length} characters` : (surplus(text, read) ?? got(text))
      context.issues.push({code: 'custom', message: wrong(came), input: text})
      return z.NEVER
    })
    .meta({...keywords, title: expected})
}

/** Spaces, line breaks, quotes, the commas of JSON, and what is not seen. */
const AROUND = /^[\s,;"'“”„‟‘’‚‛«»\p{Zs}\p{Cf}]+|[\s,;"'“”„‟‘’‚‛«»\p{Zs}\p{Cf}]+$/gu

/** What has to be taken away at the ends of `text` to make a value of it, or `undefined` when that is not all. */
function surplus(text: string, read: (text: string) => unknown): string | undefined {
  const bare = text.replace(AROUND, '')
  if (bare === '' || bare === text || read(bare) === undefined) return undefined
  const [before = '', after = ''] = text.split(bare)
  const around = before + after
  const [what] = SURPLUS.find(([, looks]) => looks.test(around)) ?? ['a character that is not seen']
  const where = [before && 'the beginning', after && 'the end'].filter(Boolean).join(' and ')
  return `one with ${what} at ${where}: take that away${what === 'a line break' ? ', or write "|-" in place of "|"' : ''}`
}

const SURPLUS: readonly [what: string, looks: RegExp][] = [
  ['a line break', /[\r\n]/],
  ['quotes', /["'“”„‟‘’‚‛«»]/u],
  ['a comma', /,/],
  ['a semicolon', /;/],
  ['a space', /^[ \t]+$/],
]

/** The value a setting has when nothing is written, in the spelling of the file. */
export function withDefault<T>(kind: z.ZodType<T, string>, value: string | number | boolean) {
  return kind.prefault(String(value)).meta({default: value})
}

/** Text of one line or more. `what` names it in errors and in the reference. */
export function textField(what = 'text') {
  const read = (written: string) => (isPlainText(written) ? written : undefined)
  const got = () => CONTROLS
  return scalar({most: ANY_LENGTH, expected: what, read, got, keywords: {type: 'string'}})
}

/** Where a file or folder is. */
export function path() {
  const read = (written: string) =>
    isPlainText(written) && /^\S(?:.*\S)?$/su.test(written) ? written : undefined
  const got = (written: string) => {
    if (!isPlainText(written)) return CONTROLS
    return written.trim() === '' ? 'nothing: name a folder, or take the line out' : quoted(written)
  }
  return scalar({most: ANY_LENGTH, expected: 'a path', read, got, keywords: {type: 'string', minLength: 1}})
}

const CONTROLS = 'some with control characters or halves of characters in it'

/** What goes into a field of an MQTT packet, where brokers refuse control characters (MQTT 5 §1.5.4). @param least characters */
export function mqttText(least = 0) {
  const read = (written: string) =>
    mqttTextProblem(written) || written.length < least || written !== written.trim() ? undefined : written
  const got = (written: string) =>
    mqttTextProblem(written) ?? (written === '' ? 'nothing' : 'nothing but spaces')
  return scalar({most: ANY_LENGTH, expected: 'text', read, got, keywords: {type: 'string'}})
}

/** Any bytes of text but NUL, which many brokers take for the end. */
export function mqttSecret() {
  const problem = (written: string) => mqttSecretProblem(written) ?? slipInSecret(written)
  const read = (written: string) => (problem(written) ? undefined : new Secret(written))
  const got = (written: string) => problem(written) ?? ''
  return scalar({most: ANY_LENGTH, expected: 'text', read, got, keywords: {type: 'string'}})
}

/** What nobody means as a password, though it could be one. */
function slipInSecret(written: string): string | undefined {
  if (LIKE_A_TAG.test(written)) return AS_TEXT
  return /[\r\n]$/.test(written) ? 'one with a line break at the end' : undefined
}

/** Zigbee2MQTT writes `!secret.yaml name`. */
const LIKE_A_TAG = /^!(?:env|file|secret)(?:\.ya?ml)?\s/
const AS_TEXT = 'a tag as text: it counts in config.yaml alone, and without quotes around it'

export function pattern(what: string, allowed: RegExp) {
  const read = (written: string) => (allowed.test(written) ? written : undefined)
  return scalar({expected: what, read, keywords: {type: 'string', pattern: allowed.source}})
}

export function flag() {
  const values = new Map([
    ['true', true],
    ['false', false],
  ])
  const read = (written: string) => values.get(written.toLowerCase())
  return scalar({expected: 'true or false', read, keywords: {type: 'boolean'}})
}

export function oneOf<const T extends readonly (string | number)[]>(...values: T) {
  const words = values.filter((value) => typeof value === 'string')
  const read = (written: string): T[number] | undefined => values.find((value) => String(value) === written)
  return scalar({
    expected: values.join(', ').replace(/, ([^,]*)$/, ' or $1'),
    read,
    got: (written) => quoted(written) + suggestion(written, words),
    keywords: {type: typeof values[0] === 'number' ? 'integer' : 'string', enum: values},
  })
}

/** The protocol's own number for its version: 3.1.1 calls itself 4. */
export function mqttVersion() {
  const versions = new Map<string, 4 | 5>([
    ['5', 5],
    ['3.1.1', 4],
    ['4', 4],
  ])
  const keywords = {type: ['integer', 'string'], enum: [5, '3.1.1', 4]}
  return scalar({expected: '5 or 3.1.1', read: (written) => versions.get(written), keywords})
}

export function integer(least: number, most: number) {
  const read = (written: string) => {
    const value = /^\d{1,16}$/.test(written) ? Number(written) : Number.NaN
    return value >= least && value <= most ? value : undefined
  }
  const expected = `a whole number from ${least} to ${most}`
  return scalar({expected, read, keywords: {type: 'integer', minimum: least, maximum: most}})
}

/** For what is said by being there: `false` would be the same as saying nothing. */
export function literalTrue() {
  return oneOf('true').transform((): true => true)
}

/** Any number, with or without a point. */
export function number() {
  const read = (written: string) => (NUMBER.test(written) ? Number(written) : undefined)
  return scalar({expected: 'a number', read, keywords: {type: 'number'}})
}

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,2})?$/i

/** A model as `miIO.info` names it. */
export function modelId() {
  return pattern('a model such as chuangmi.plug.v3', /^[a-z0-9_-]+(\.[a-z0-9_-]+){2,}$/)
}

/** As `miio2mqtt models` lists them. Which of them a plug has depends on its model, which may not be known yet. */
export function propertyName() {
  const allowed = /^[a-z][a-z0-9_]*$/
  const read = (written: string) => (allowed.test(written) ? written : undefined)
  const got = (written: string) => {
    const small = written.toLowerCase().replaceAll(/[- ]/g, '_')
    return `${quoted(written)}${read(small) === undefined ? '' : suggestion(written, [small])}`
  }
  const keywords = {type: 'string', pattern: allowed.source}
  return scalar({expected: 'the name of a property such as power', read, got, keywords})
}

/** As Home Assistant names them. */
export function icon() {
  return pattern('an icon such as mdi:kettle', /^[a-z0-9-]+:[a-z0-9-]+$/)
}

/** The id by which a plug is known on the wire. */
export function did() {
  const read = (written: string) => {
    const value = /^[1-9]\d{0,15}$/.test(written) ? Number(written) : Number.NaN
    return Number.isSafeInteger(value) ? value : undefined
  }
  const keywords = {type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER}
  return scalar({expected: 'the id of a plug, a whole number', read, keywords})
}

const UNITS = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
])
const DURATION = /^(\d+(?:\.\d+)?) ?(ms|s|m|h)?$/
/** Timers cannot wait longer: 24 days. */
export const LONGEST_MS = Math.floor(LONGEST_TIMER_MS / 86_400_000) * 86_400_000

/** Milliseconds, written as `500ms`, `15s`, `2m`, `1h`, or as a number of seconds. */
export function duration(least: number, most: number) {
  const read = (written: string) => {
    const ms = readDuration(written)
    return ms >= least && ms <= most ? ms : undefined
  }
  const expected = `a duration such as 15s, from ${durationText(least)} to ${durationText(most)}`
  return scalar({expected, read, keywords: {type: ['string', 'number'], pattern: DURATION.source}})
}

/** Milliseconds; `NaN` for what is no duration. */
export function readDuration(written: string): number {
  const [, amount, unit = 's'] = DURATION.exec(written) ?? []
  return Math.round(Number(amount) * (UNITS.get(unit) ?? Number.NaN))
}

/** The milliseconds of a duration, spelled as in the configuration. @throws RangeError that says what was expected */
export function parseDuration(written: string): number {
  const ms = readDuration(written)
  if (ms >= 0 && ms <= LONGEST_MS) return ms
  throw new RangeError(`expected a duration such as 15s, got ${quoted(written)}`)
}

/** Milliseconds in the largest unit that leaves no fraction: `90s`, `2m`. */
export function durationText(ms: number): string {
  const unit = [...UNITS].filter(([, size]) => ms % size === 0).at(-1) ?? ['ms', 1]
  return `${ms / unit[1]}${unit[0]}`
}

export function ipv4() {
  const read = (written: string) => (isIPv4(written) ? written : undefined)
  return scalar({expected: 'an IPv4 address', read, keywords: {type: 'string', format: 'ipv4'}})
}

/** Where this machine can be reached: `0.0.0.0` is all of its addresses. */
export function ownAddress() {
  const read = (written: string) =>
    isIPv4(written) && (written === '0.0.0.0' || isUnicast(written)) ? written : undefined
  return scalar({
    expected: 'an IPv4 address of this machine',
    read,
    keywords: {type: 'string', format: 'ipv4'},
  })
}

/** Plugs call themselves `chuangmi-plug-v3_miio12345678`: unlike elsewhere, "_" is allowed. */
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/

/** Meant as an address, and taken for one by some resolvers: `1.2.3`, `0x7f.1` (URL Standard, "ends in a number"). */
const ENDS_IN_A_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/

/** A host is shown in topics and logs: a token in its place must not get that far. */
const LIKE_A_TOKEN = /^[0-9a-f]{32,}$/

export function host() {
  const read = (written: string) => {
    const name = written.toLowerCase()
    if (isIPv4(name)) return isUnicast(name) ? name : undefined
    return ENDS_IN_A_NUMBER.test(name) || LIKE_A_TOKEN.test(name) || !HOST_NAME.test(name) ? undefined : name
  }
  const got = (written: string) => {
    if (LIKE_A_TOKEN.test(written.toLowerCase())) return 'what looks like a token'
    const [, port] = /^[^:]+:(\d{1,9})$/.exec(written) ?? []
    if (port !== undefined)
      return `${quoted(written)}: write the port as \`port: ${Number(port) > 65_535 ? '…`, at most 65535' : `${port}\``}`
    return isIPv4(written) ? `${quoted(written)}, which no single device has` : quoted(written)
  }
  return scalar({expected: 'an IPv4 address or a host name', read, got, keywords: {type: 'string'}})
}

export function topic() {
  const read = (written: string) => (configTopicProblem(written) ? undefined : written)
  const got = (written: string) => `one that cannot be: ${configTopicProblem(written)}`
  return scalar({expected: 'an MQTT topic', read, got, keywords: {type: 'string'}})
}

/** A certificate or key itself, not the path to it: `!file` is the one way to name a file, here as everywhere. */
export function pem() {
  const read = (written: string) => (isPem(written) ? written : undefined)
  const got = (written: string) =>
    `${written.length} characters that are none; to read it from a file, write "!file" before the path`
  return scalar({most: ANY_LENGTH, expected: 'PEM text', read, got, keywords: {type: 'string'}})
}

export function secretPem() {
  return pem().transform((written) => new Secret(written))
}

/** The key of a plug: 32 hex digits, or the 96 in which an iPhone's backup keeps it (docs/protocol.md §1.3). */
export function token() {
  const keywords = {type: 'string', pattern: '^([0-9a-fA-F]{32}|[0-9a-fA-F]{96})$'}
  return scalar({expected: '32 hex digits', read: readToken, got: describeToken, keywords})
}

/** The token, or what is wrong with what was written. Nothing of it is repeated. */
export function parseToken(written: string): Secret | string {
  return readToken(written) ?? `expected 32 hex digits, got ${describeToken(written)}`
}

function readToken(written: string): Secret | undefined {
  const digits = digitsOf(written)
  return digits && /^[0-9a-f]{32}$/i.test(digits) && !HIDDEN.test(digits)
    ? new Secret(digits.toLowerCase())
    : undefined
}

function digitsOf(written: string): string | undefined {
  return written.length === 96 ? fromBackup(written) : written
}

/** In place of its token, a plug that was set up shows one of these in its hello (docs/protocol.md §1.2). */
const HIDDEN = /^(?:0{32}|f{32})$/i

function describeToken(written: string): string {
  if (HIDDEN.test(digitsOf(written) ?? ''))
    return 'zeros or ff, which a plug that hides its token shows in its place: this is not the token itself'
  if (LIKE_A_TAG.test(written)) return AS_TEXT
  if (readToken(written.replace(/^0x|[\s:-]/gi, '')))
    return 'them with something between or before: take that away'
  if (!/^[0-9a-f]*$/i.test(written)) return `${written.length} characters, not all of them hex digits`
  return written.length === 96 ? '96 that are not a token from an iOS backup' : String(written.length)
}

/** The backup has the 32 digits as text, encrypted with AES-128-ECB under a key of zeros and padded. */
function fromBackup(written: string): string | undefined {
  const decipher = createDecipheriv('aes-128-ecb', Buffer.alloc(16), null)
  try {
    return Buffer.concat([decipher.update(written, 'hex'), decipher.final()]).toString('latin1')
  } catch {
    return undefined
  }
}

/** Where a broker listens. A login in it is split off. */
export function brokerUrl() {
  const expected = 'an address mqtt://, mqtts://, ws:// or wss://'
  const got = (written: string) => brokerUrlProblem(written) ?? 'another'
  const keywords = {type: 'string', pattern: '^(mqtts?|wss?)://'}
  return scalar({most: ANY_LENGTH, expected, read: readBrokerUrl, got, keywords})
}

/** One value, or a list of at least one. */
export function oneOrMore<T>(kind: z.ZodType<T, string>, keywords: Keywords) {
  const list = z.array(kind).min(1, {error: 'expected at least one value, got an empty list'})
  return z.preprocess((input) => (Array.isArray(input) ? input : [input]), list).meta(keywords)
}
