/**
 * Parses a plug's response and repairs its JSON (docs/protocol.md §1.7). Valid JSON is taken unchanged. Other text is cut into tokens,
 * and the known mistakes of real firmware are repaired in these, so that nothing inside a string is ever changed.
 */
import {isUtf8} from 'node:buffer'
import {isObject, shortened, unicodeEscape} from '../common/text.ts'

/** A plug's response: `error` when it refused, else `result`. `result` is not checked at all. */
export interface MiioResponse {
  /** `undefined` when it is missing or no whole number: such a response belongs to no request. */
  id: number | undefined
  result?: unknown
  error?: {code: number; message: string}
}

/** An authentic payload that is no response. `message` says what was expected and what came. */
export class UnreadableResponse extends Error {
  override readonly name = 'UnreadableResponse'
}

/** Deeper than any plug nests, and shallow enough for functions that walk the result recursively. */
const DEEPEST = 32

/**
 * The response in a decrypted payload, and the names of the repairs it needed: none for proper JSON.
 * @throws UnreadableResponse
 */
export function parseResponse(payload: Buffer): {response: MiioResponse; repairs: string[]} {
  const repairs = isUtf8(payload) ? [] : ['invalid_utf8'] // an SSID may hold any bytes; they become U+FFFD
  let text = withoutTrailingNuls(payload)
  let value = parse(text)
  if (value === undefined) {
    text = repaired(text, repairs)
    value = parse(text)
  }
  if (value === undefined) throw new UnreadableResponse(`expected JSON, got ${excerpt(payload)}`)
  // With one colon for each member no name can have come twice. A colon in a string makes it more colons: then the tokens decide.
  if (countMembers(value) !== countColons(text)) rejectAmbiguousMembers(tokenize(text))
  return {response: toResponse(value), repairs}
}

/** @param repairs gets the names of the repairs that were made */
function repaired(text: string, repairs: string[]): string {
  let tokens = tokenize(cutAtNul(text, repairs))
  for (const repair of REPAIRS) {
    const fixed = apply(repair, tokens)
    if (!fixed) continue
    tokens = fixed
    repairs.push(repair.name)
  }
  return tokens.join(' ') // a space: what was apart must not become one number
}

/** There is usually one NUL, sometimes none or several. That is not counted as a repair. */
function withoutTrailingNuls(payload: Buffer): string {
  let end = payload.length
  while (end > 0 && payload[end - 1] === 0) end--
  return payload.toString('utf8', 0, end)
}

/**
 * A text in C ends at its first NUL, so that what follows is left over from an earlier one: `{…}\0k` (python-miio cuts at
 * the last NUL instead). NULs in front are seen with a gateway that is offline.
 */
function cutAtNul(text: string, repairs: string[]): string {
  let start = 0
  while (text[start] === '\0') start++
  if (start > 0) repairs.push('leading_nul')
  const end = text.indexOf('\0', start)
  if (end >= 0) repairs.push('text_after_nul')
  return text.slice(start, end < 0 ? undefined : end)
}

/** Strings (an unfinished one runs to the end), punctuation, words; only JSON's own white space is left out. */
function tokenize(text: string): string[] {
  return text.match(/"[^"\\]*(?:\\.?[^"\\]*)*(?:"|$)|[{}[\],:]|[^ \t\r\n{}[\],:"]+/gs) ?? []
}

/** A token, its neighbours, and the bracket around it (`''` where there is none). */
interface Spot {
  token: string
  before: string
  after: string
  inside: string
}

interface Repair {
  name: string
  /** The tokens to stand in place of this one, or `undefined` when nothing is wrong. It must never change proper JSON. */
  fix(spot: Spot): string[] | undefined
}

/** Applied one after the other, each to what the one before left. */
const REPAIRS: readonly Repair[] = [
  {
    // SSIDs and names with raw control characters. Kept, as escapes: without them `"o?n"` might become `"on"`.
    name: 'control_character',
    fix: ({token}) => (token.startsWith('"') && /\p{Cc}/u.test(token) ? [escapeControls(token)] : undefined),
  },
  {
    // `printf("%f")` of a sensor without a value. Not reported of any plug so far; unknown is the only thing it can mean.
    name: 'not_a_number',
    fix: ({token}) => (/^-?(nan|inf|infinity)$/i.test(token) ? ['null'] : undefined),
  },
  {
    // `"value":00` from 090615.curtain.jldj03 (python-miio#1411). Zeros only: `05` might be anything.
    name: 'double_zero',
    fix: ({token}) => (/^00+$/.test(token) ? ['0'] : undefined),
  },
  {
    // `}{` in the response of cuco.plug.cp1 2.0.1_0013 to get_properties (python-miio#1933).
    name: 'missing_comma',
    fix: ({token, before, inside}) =>
      inside === '[' && before === '}' && token === '{' ? [',', '{'] : undefined,
  },
  {
    // qmi.powerstrip.v1 prints nothing for a property it does not know: `[…,0,,,23057,…]` (python-miio#302), and seven
    // commas for eight names (python-miio#334). So n commas are n + 1 slots, also at the end: `["on",]` is `["on",null]`, where
    // a request for two names finds two slots, and a request for one may ignore the second. No slot ever moves.
    name: 'empty_slot',
    fix: ({token, before, inside}) =>
      inside === '[' &&
      (before === ',' || (before === '[' && token === ',')) &&
      (token === ',' || token === ']')
        ? ['null', token]
        : undefined,
  },
  {
    // `…],,"otu_stat":…` in miIO.info of a zimi.powerstrip.v2 without cloud. Members have names: none can be misplaced.
    name: 'empty_member',
    fix: ({token, before, after, inside}) =>
      inside === '{' && token === ',' && (before === '{' || after === ',' || after === '}') ? [] : undefined,
  },
  {
    // `"result":,` from xiaomi.vacuum.b112 2.2.4_0050: a result that is unknown, which is not the same as no result.
    name: 'empty_value',
    fix: ({token, before}) =>
      before === ':' && (token === ',' || token === '}') ? ['null', token] : undefined,
  },
]

/** The repaired tokens, or `undefined` when there was nothing for this repair to do. */
function apply(repair: Repair, tokens: readonly string[]): string[] | undefined {
  const fixed: string[] = []
  const open: string[] = []
  let changed = false
  tokens.forEach((token, i) => {
    const spot = {token, before: fixed.at(-1) ?? '', after: tokens[i + 1] ?? '', inside: open.at(-1) ?? ''}
    const instead = repair.fix(spot)
    changed ||= instead !== undefined
    fixed.push(...(instead ?? [token]))
    if (token === '{' || token === '[') open.push(token)
    if (token === '}' || token === ']') open.pop()
  })
  return changed ? fixed : undefined
}

/**
 * The members of all objects in a parsed value.
 * @throws UnreadableResponse when it is too deep, or has a `__proto__`: no plug's member but an attack on code that copies objects
 */
function countMembers(value: unknown, depth = 1): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth > DEEPEST) throw new UnreadableResponse(`expected at most ${DEEPEST} levels of brackets`)
  if (Object.hasOwn(value, '__proto__')) throw new UnreadableResponse('expected no member named __proto__')
  const children: unknown[] = Array.isArray(value) ? value : Object.values(value)
  let count = Array.isArray(value) ? 0 : children.length
  for (const child of children) count += countMembers(child, depth + 1)
  return count
}

function countColons(text: string): number {
  let count = 0
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) count++
  return count
}

/**
 * Two members of one name might be two states of one relay, and choosing between them would be a guess.
 * @param tokens of text that is proper JSON
 * @throws UnreadableResponse
 */
function rejectAmbiguousMembers(tokens: readonly string[]): void {
  const names: Set<unknown>[] = []
  for (const [i, token] of tokens.entries()) {
    if (token === '{' || token === '[') names.push(new Set())
    if (token === '}' || token === ']') names.pop()
    if (tokens[i + 1] !== ':') continue
    const name: unknown = JSON.parse(token)
    if (names.at(-1)?.has(name))
      throw new UnreadableResponse(`expected one member ${token.slice(0, 40)}, got two`)
    names.at(-1)?.add(name)
  }
}

function toResponse(value: unknown): MiioResponse {
  if (!isObject(value)) throw new UnreadableResponse(`expected a JSON object, got ${kindOf(value)}`)
  const {id: given, result, error} = value
  const id = Number.isSafeInteger(given) ? Number(given) : undefined
  if (error !== undefined && error !== null) return {id, error: toError(error)}
  if (result === undefined) throw new UnreadableResponse('expected a "result" or an "error", got neither')
  return {id, result}
}

function toError(error: unknown): {code: number; message: string} {
  if (!isObject(error) || typeof error['code'] !== 'number')
    throw new UnreadableResponse('expected an "error" with a number as its "code"')
  return {code: error['code'], message: typeof error['message'] === 'string' ? error['message'] : ''}
}

/** The value, or `undefined`, which is no JSON value, when `text` is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  return value === null ? 'null' : `a ${typeof value}`
}

/** `text` with JSON escapes in place of control characters. */
export function escapeControls(text: string): string {
  return text.replace(/\p{Cc}/gu, unicodeEscape)
}

/** The first 24 characters: enough to recognise a new mistake, too few to hold a token. */
function excerpt(payload: Buffer): string {
  const text = withoutTrailingNuls(payload)
  return text.length === 0 ? 'nothing' : JSON.stringify(shortened(text, 24))
}
