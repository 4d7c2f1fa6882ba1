/** Problems and warnings of a configuration, each with its file and line, and "did you mean" for its keys and words. */
import {LONGEST_QUOTED} from '../common/schema-errors.ts'
import {closestBy, levenshtein, synonymTable} from '../common/suggestion.ts'

export {quoted} from '../common/schema-errors.ts'

/** A place in a file, or an environment variable, which has no lines. `line` and `column` count from 1. */
export interface ProblemPlace {
  file: string
  line?: number
  column?: number
}

/** A problem at its place. */
export interface Problem extends ProblemPlace {
  /** The setting, as in `devices.desk.token`; empty when it is about the file as a whole. */
  path: string
  /** What was expected and what came. Never a secret. */
  message: string
}

/** Something valid that still cannot work, is dangerous, or differs from what was written. */
export interface ConfigWarning extends Problem {
  /** The kind, in one word, for programs. docs/configuration.md lists them. */
  code: string
}

/** A message, or the function that makes it. A suggestion takes long to find: it is looked for only when the problem is shown. */
export type LazyText = string | (() => string)

/** A problem whose message may still have to be made. */
export interface ConfigIssue extends Omit<Problem, 'message'> {
  message: LazyText
}

/** A problem of a setting, without its place in the file. */
export interface ValidationIssue {
  path: readonly (string | number)[]
  message: LazyText
}

/** A warning, without its place in the file. Its message never has a secret in it. */
export interface WarningIssue extends ValidationIssue {
  code: string
  /** The place, where that is not the one of `path` in the configuration. */
  place?: ProblemPlace
}

/** More problems at once are one mistake that was made everywhere: they would only fill the log and the broker. */
export const MAX_PROBLEMS = 100

/**
 * Thrown for an invalid configuration, with the first hundred problems and the number of the others. The message has one line for
 * each: `config.yaml:12:5 devices.desk.token: expected …`.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]
  /** The number of all problems. */
  readonly count: number

  constructor(issues: readonly ConfigIssue[]) {
    const problems = problemsOf(issues)
    super(problems.map(describeProblem).join('\n'))
    this.problems = problems
    this.count = issues.length
  }
}

function problemsOf(issues: readonly ConfigIssue[]): Problem[] {
  const problems = issues
    .slice(0, MAX_PROBLEMS)
    .map((issue) => ({...issue, message: messageText(issue.message)}))
  const more = issues.length - problems.length
  const {file = ''} = issues.at(MAX_PROBLEMS) ?? {}
  return more > 0 ? [...problems, {file, path: '', message: `and ${more} more problems`}] : problems
}

/** The text of a message. Making it may take long. */
export function messageText(message: LazyText): string {
  return typeof message === 'string' ? message : message()
}

/** One line: `config.yaml:12:5 devices.desk.token: expected …`. */
export function describeProblem({file, line, column, path, message}: Problem): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  return path ? `${place} ${path}: ${message}` : `${place}: ${message}`
}

/** Characters. Names of plugs are shorter. */
const LONGEST_KEY = 200

/** A key as an error may show it: a token or login that stands in its place by mistake is replaced by `***`. */
export function redactedKey(key: string | number): string {
  const text = String(key)
  const shown = text.length > LONGEST_KEY ? `${text.slice(0, LONGEST_KEY)}…` : text
  return shown.replace(/[0-9a-f]{16,}/gi, '***').replace(/\/\/\S*@/g, '//***@')
}

/** The kind of a value, for an error about a value of the wrong kind. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a mapping' : 'a single value'
}

/** Keys of other programs, by our key that they mean. Which of ours is meant depends on the keys that are known in the mapping. */
const OTHER_PROGRAMS = synonymTable({
  host: ['ip', 'address', 'hostname', 'host_name', 'localip', 'local_ip'],
  url: ['hostname', 'host_name', 'host', 'server', 'broker', 'port'],
  username: ['user'],
  password: ['pass'],
  id: ['did'],
  disabled: ['enabled'],
  area: ['room', 'location', 'suggested_area'],
  filtered: ['filtered_attributes'],
  devices: ['plugs', 'switch', 'switches', 'outlets'],
  members: ['plugs', 'devices', 'entities'],
  verify: ['reject_unauthorized', 'rejectunauthorized', 'insecure', 'tls_insecure'],
  cert: ['certificate', 'client_cert', 'certfile'],
  key: ['private_key', 'client_key', 'keyfile'],
  ca: ['cafile', 'ca_certs', 'certificate_authority'],
  log: ['logger', 'logging'],
  homeassistant: ['hass', 'home_assistant'],
  warn: ['warning'],
})

/** With more edits it is another word. */
const MOST_EDITS = 3

/** `, did you mean "token"?` when one of `known` is close to `word`, or is another word for it, else nothing. */
export function suggestion(word: string, known: readonly string[]): string {
  const candidate = intendedKey(word, known)
  return candidate === undefined ? '' : `, did you mean "${candidate}"?`
}

/** The one of `known` that was probably meant by `word`. */
export function intendedKey(word: string, known: readonly string[]): string | undefined {
  return keyFromOtherTools(word, known) ?? closestKey(word, known)
}

/** The one of `known` that other programs call `word`, or that alone ends with it: `topic` means `base_topic`. */
export function keyFromOtherTools(word: string, known: readonly string[]): string | undefined {
  const named = OTHER_PROGRAMS.get(word.toLowerCase())?.find((key) => known.includes(key))
  const longer = known.filter((key) => key.toLowerCase().endsWith(`_${word.toLowerCase()}`))
  return named ?? (longer.length === 1 ? longer[0] : undefined)
}

/** The one of `known` with the fewest edits from `word`: one for every three letters of the key, but at least one and at most three. Case does not count. */
export function closestKey(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST_QUOTED) return undefined
  const edits = (key: string) => {
    const most = Math.min(MOST_EDITS, Math.max(1, Math.floor(key.length / 3)))
    return Math.abs(key.length - word.length) > most
      ? Number.POSITIVE_INFINITY
      : levenshtein(word.toLowerCase(), key.toLowerCase(), most)
  }
  return closestBy(edits, known)?.candidate
}
