/** What is wrong with a configuration: all of it at once, each with its place. */
import {LONGEST_QUOTED} from '../common/schema-errors.ts'
import {levenshtein} from '../common/suggestion.ts'

export {quoted} from '../common/schema-errors.ts'

/** A place in a file, or an environment variable, which has no lines. `line` and `column` count from 1. */
export interface ProblemPlace {
  file: string
  line?: number
  column?: number
}

export interface Problem extends ProblemPlace {
  /** The setting, as in `devices.desk.token`; empty when it is about the file as a whole. */
  path: string
  /** What was expected and what came. Never a secret. */
  message: string
}

/** What is valid, and still cannot work, is dangerous or is not what was written. */
export interface ConfigWarning extends Problem {
  /** The kind, in one word, for programs. docs/configuration.md lists them. */
  code: string
}

/** What to say of a problem. What takes long to find out, such as what was meant, is found out for those that are told. */
export type LazyText = string | (() => string)

/** A problem as it was found. */
export interface ConfigIssue extends Omit<Problem, 'message'> {
  message: LazyText
}

/** More problems than this at once are one mistake, made everywhere: nobody reads them, and a log or broker has to carry them. */
export const MAX_PROBLEMS = 100

/**
 * Thrown with the first hundred problems, and how many more there are. Its message has one line for each:
 * `config.yaml:12:5 devices.desk.token: expected …`.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]
  /** Of all problems. */
  readonly count: number

  constructor(findings: readonly ConfigIssue[]) {
    const problems = told(findings)
    super(problems.map(describeProblem).join('\n'))
    this.problems = problems
    this.count = findings.length
  }
}

function told(findings: readonly ConfigIssue[]): Problem[] {
  const problems = findings
    .slice(0, MAX_PROBLEMS)
    .map((finding) => ({...finding, message: messageText(finding.message)}))
  const more = findings.length - problems.length
  const {file = ''} = findings.at(MAX_PROBLEMS) ?? {}
  return more > 0 ? [...problems, {file, path: '', message: `and ${more} more problems`}] : problems
}

/** The words of a message, which may take long to find. */
export function messageText(message: LazyText): string {
  return typeof message === 'string' ? message : message()
}

/** One line: `config.yaml:12:5 devices.desk.token: expected …`. */
export function describeProblem({file, line, column, path, message}: Problem): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  return path ? `${place} ${path}: ${message}` : `${place}: ${message}`
}

/** More of a key than anybody reads; names of plugs are shorter. */
const LONGEST_KEY = 200

/** A key as an error may show it: a token or login that slipped into its place stays unseen, too. */
export function redactedKey(key: string | number): string {
  const text = String(key)
  const shown = text.length > LONGEST_KEY ? `${text.slice(0, LONGEST_KEY)}…` : text
  return shown.replace(/[0-9a-f]{16,}/gi, '***').replace(/\/\/\S*@/g, '//***@')
}

/** What kind of value was written, for one of the wrong kind. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a mapping' : 'a single value'
}

/** What other programs call it. Which of several is meant depends on what is known there. */
const ELSEWHERE = new Map([
  ['ip', ['host']],
  ['address', ['host']],
  ['hostname', ['host', 'url']],
  ['host_name', ['host', 'url']],
  ['user', ['username']],
  ['pass', ['password']],
  ['did', ['id']],
  ['enabled', ['disabled']],
  ['room', ['area']],
  ['location', ['area']],
  ['suggested_area', ['area']],
  ['filtered_attributes', ['filtered']],
  ['plugs', ['devices', 'members']],
  ['devices', ['members']],
  ['entities', ['members']],
  ['reject_unauthorized', ['verify']],
  ['rejectunauthorized', ['verify']],
  ['insecure', ['verify']],
  ['tls_insecure', ['verify']],
  ['certificate', ['cert']],
  ['client_cert', ['cert']],
  ['certfile', ['cert']],
  ['private_key', ['key']],
  ['client_key', ['key']],
  ['keyfile', ['key']],
  ['cafile', ['ca']],
  ['ca_certs', ['ca']],
  ['certificate_authority', ['ca']],
  ['localip', ['host']],
  ['local_ip', ['host']],
  ['switch', ['devices']],
  ['switches', ['devices']],
  ['outlets', ['devices']],
  ['logger', ['log']],
  ['logging', ['log']],
  ['hass', ['homeassistant']],
  ['home_assistant', ['homeassistant']],
  ['host', ['url']],
  ['server', ['url']],
  ['broker', ['url']],
  ['warning', ['warn']],
  ['port', ['url']],
])

/** A word further away is another word. */
const MOST_EDITS = 3

/** `, did you mean "token"?` when one of `known` is close to `word`, or is another word for it, else nothing. */
export function suggestion(word: string, known: readonly string[]): string {
  const candidate = intendedKey(word, known)
  return candidate === undefined ? '' : `, did you mean "${candidate}"?`
}

/** Which of `known` was meant by `word`, if any. */
export function intendedKey(word: string, known: readonly string[]): string | undefined {
  return keyFromOtherTools(word, known) ?? closestKey(word, known)
}

/** Which of `known` other programs call `word`, or ends with it: `topic` is `base_topic` where there is no other. */
export function keyFromOtherTools(word: string, known: readonly string[]): string | undefined {
  const named = ELSEWHERE.get(word.toLowerCase())?.find((each) => known.includes(each))
  const longer = known.filter((each) => each.toLowerCase().endsWith(`_${word.toLowerCase()}`))
  return named ?? (longer.length === 1 ? longer[0] : undefined)
}

/** The one of `known` that differs from `word` in the fewest letters, if these are few. */
export function closestKey(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST_QUOTED) return undefined
  return known
    .filter(({length}) => Math.abs(length - word.length) <= MOST_EDITS)
    .map((candidate) => ({candidate, edits: levenshtein(word.toLowerCase(), candidate.toLowerCase())}))
    .filter(
      ({candidate, edits}) => edits <= Math.min(MOST_EDITS, Math.max(1, Math.floor(candidate.length / 3))),
    )
    .sort((a, b) => a.edits - b.edits)[0]?.candidate
}
