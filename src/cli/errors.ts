/** Errors and exit codes of the commands, the error of a failed call to a plug, and the parser of option values. */
import type {Command} from 'commander'
import type * as z from 'zod'
import {systemClock} from '../common/clock.ts'
import {localAddresses} from '../common/ipv4.ts'
import {parseWithMessages, quoted} from '../common/schema-errors.ts'
import {suggestion} from '../common/suggestion.ts'
import {CommandError, type CommandErrorCode} from '../device/command-error.ts'
import {diagnoseFailure, type FailureContext} from '../device/diagnosis.ts'
import {MiioError} from '../miio/miio-error.ts'

/** Exit codes of the process; `miio2mqtt help` lists them. The numbers from 64 on are those of sysexits.h. */
export const EXIT = {done: 0, failed: 1, usage: 64, internal: 70, configuration: 78} as const

/** A command that failed. `message` is for the user: what happened, and what to do next. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly exitCode: number
  /** The reason in one word, for programs. */
  readonly code: string

  constructor(
    message: string,
    {exitCode = EXIT.failed, code = 'failed'}: {exitCode?: number; code?: string} = {},
  ) {
    super(message)
    this.exitCode = exitCode
    this.code = code
  }
}

/** A command line with wrong words, options or values. */
export class UsageError extends CommandFailed {
  constructor(message: string) {
    super(message, {exitCode: EXIT.usage, code: 'usage'})
  }
}

/** The error text for a word that is no command of `program`. */
export function unknownCommand(word: string, program: Command): string {
  const names = program.commands.map((command) => command.name())
  return `no command is called ${quoted(word)}${suggestion(word, names) || ': `miio2mqtt help` lists them'}`
}

/** The error text for a model that is none of `ids`. */
export function unknownModel(model: string, ids: readonly string[]): string {
  return `the model ${quoted(model)} is not supported${suggestion(model, ids) || '; `miio2mqtt models` lists the supported models'}`
}

/**
 * The value of an option, parsed like a setting of the configuration.
 * @param kind one of src/config/schema/fields.ts
 * @throws UsageError with what was expected and what came
 */
export function readOption<T>(option: string, kind: z.ZodType<T, string>, written: string): T {
  const parsed = parseWithMessages(kind, written)
  if (parsed.success) return parsed.data
  throw new UsageError(`${option}: ${parsed.error.issues[0]?.message}`)
}

/** Mistakes of the user. No request was sent to the plug. */
const USAGE_ERRORS: ReadonlySet<CommandErrorCode> = new Set([
  'unknown_property',
  'not_writable',
  'invalid_payload',
  'out_of_range',
])

const ANY_MODEL = '`miio2mqtt models` lists the supported models; `miio2mqtt call` works with any plug.'

/**
 * Turns the error of a call to a plug into that of a command: what failed as a heading, the error, and what to do about it.
 * @param context the addresses of this machine are by default those that the system reports
 * @returns a CommandFailed; any other error as it is
 */
export function toCommandFailed(error: unknown, context: FailureContext): unknown {
  const failure = error instanceof CommandError ? (error.cause ?? error) : error
  if (failure instanceof MiioError || (failure instanceof CommandError && failure.code === 'timeout')) {
    const known = {local: () => localAddresses(systemClock), ...context}
    const {code, title, advice} = diagnoseFailure(failure, known)
    return failed(code, title, failure.message, advice)
  }
  if (!(failure instanceof CommandError)) return error
  if (USAGE_ERRORS.has(failure.code)) return new UsageError(failure.message)
  return failed(failure.code, 'request unsupported', failure.message, ANY_MODEL)
}

/** A CommandFailed with three lines: `title`, `message` and `advice`. */
export function failed(code: string, title: string, message: string, advice: string): CommandFailed {
  return new CommandFailed(`${title}\n${message}\n${advice}`, {code})
}
