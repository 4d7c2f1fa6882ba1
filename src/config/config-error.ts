/** Problems and warnings of a configuration, each with its file and line. */
import {shortened} from '../common/text.ts'

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
    const problems: Problem[] = issues
      .slice(0, MAX_PROBLEMS)
      .map((issue) => ({...issue, message: messageText(issue.message)}))
    const next = issues.at(MAX_PROBLEMS)
    if (next)
      problems.push({file: next.file, path: '', message: `and ${issues.length - MAX_PROBLEMS} more problems`})
    super(problems.map(describeProblem).join('\n'))
    this.problems = problems
    this.count = issues.length
  }
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
  return shortened(String(key), LONGEST_KEY)
    .replace(/[0-9a-f]{16,}/gi, '***')
    .replace(/\/\/\S*@/g, '//***@')
}

/** The kind of a value, for an error about a value of the wrong kind. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a mapping' : 'a single value'
}
