/** Error messages for values that a schema refuses: what was expected, and what came. For configuration, requests and definitions. */
import type * as z from 'zod'
import {closestWord, didYouMean, synonymTable} from './suggestion.ts'

/** The longest wrong text that is quoted, in characters. */
const LONGEST_QUOTED = 40

/** A wrong text as an error message may show it: a token or password that was written in a wrong place is not shown. */
export function quoted(text: string): string {
  if (text === '') return 'nothing'
  if (text.length > LONGEST_QUOTED || /[0-9a-f]{16}/i.test(text)) return `${text.length} characters`
  return JSON.stringify(text)
}

/** A wrong JSON value as an error message may show it. `undefined` is a missing value. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  return typeof value === 'object' && value !== null ? 'a mapping' : String(value)
}

/** `a, b or c`. */
export function joinWithOr(words: readonly unknown[]): string {
  return words.join(', ').replace(/, ([^,]*)$/, ' or $1')
}

/** The types of zod in plain words. */
const TYPE_NAMES: ReadonlyMap<string, string> = new Map([
  ['string', 'text'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['null', 'null'],
  ['array', 'a list'],
  ['object', 'a mapping'],
  ['record', 'a mapping'],
  ['nonoptional', 'a value'],
])

/**
 * Like `schema.safeParse`, with messages for users: each message says what was expected and what came, also where the schema has no
 * message of its own. Those of the library are for programmers.
 */
export function parseWithMessages<S extends z.ZodType>(
  schema: S,
  value: unknown,
): z.ZodSafeParseResult<z.output<S>> {
  const parsed = schema.safeParse(value, {error: messageFor})
  for (const issue of parsed.error?.issues ?? [])
    if (issue.code === 'invalid_key') Object.assign(issue, {message: issue.issues[0]?.message}) // about the key, not the mapping
  return parsed
}

/** The keys around the value with the problem. No symbols are used as keys. */
export function issuePath({path}: z.core.$ZodIssue): (string | number)[] {
  return path.map((key) => (typeof key === 'symbol' ? '' : key))
}

function messageFor(issue: z.core.$ZodRawIssue): string {
  const got = (expected: string) => `expected ${expected}, got ${describeValue(issue.input)}`
  switch (issue.code) {
    case 'invalid_type':
      return got(TYPE_NAMES.get(issue.expected) ?? 'another value')
    case 'invalid_value':
      return got(joinWithOr(issue.values)) + suggestedWord(issue.input, issue.values)
    case 'too_small':
    case 'too_big':
      return got(sizeOf(issue))
    case 'not_multiple_of':
      return got(`a multiple of ${issue.divisor}`)
    case 'invalid_format':
      return got('text of another form')
    case 'unrecognized_keys':
      return `unknown key ${joinWithOr(issue.keys.slice(0, LONGEST_QUOTED).map(quoted))}`
    case 'invalid_key':
      return 'expected another key'
    default:
      return got('another value')
  }
}

function sizeOf(issue: Extract<z.core.$ZodRawIssue, {code: 'too_small' | 'too_big'}>): string {
  const limit =
    issue.code === 'too_small'
      ? `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`
      : `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`
  const units = new Map([
    ['string', ' characters'],
    ['array', ' values'],
    ['set', ' values'],
  ])
  return `${limit}${units.get(issue.origin) ?? ''}`
}

/** Log levels of other programs. */
const LEVEL_SYNONYMS = synonymTable({
  trace: ['silly', 'all'],
  debug: ['verbose'],
  info: ['information', 'notice'],
  warn: ['warning', 'warnings'],
  error: ['err', 'errors', 'critical', 'fatal'],
})

function suggestedWord(input: unknown, values: readonly unknown[]): string {
  const words = values.filter((value) => typeof value === 'string')
  const closest = typeof input === 'string' ? closestWord(input, words, LEVEL_SYNONYMS) : undefined
  return didYouMean(closest && JSON.stringify(closest))
}
