/** Errors and exit codes of the commands, and the parser of option values. */
import type {Command} from 'commander'
import type {z} from 'zod'
import {parseWithMessages, quoted} from '../common/schema-errors.ts'
import {suggestion} from '../common/suggestion.ts'

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
