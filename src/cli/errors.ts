import type {Command} from 'commander'
import {quoted, suggestion} from '../config/config-error.ts'

/** How a command ends (contract §8). The numbers are those of sysexits.h. */
export const EXIT = {done: 0, failed: 1, usage: 64, internal: 70, configuration: 78} as const

/** A command that did not do what it was asked: `message` says what happened and what to do next. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly exitCode: number
  /** The same for a program: one word. */
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

/** The command line itself makes no sense. */
export class UsageError extends CommandFailed {
  constructor(message: string) {
    super(message, {exitCode: EXIT.usage, code: 'usage'})
  }
}

/** What is said of a word in the place of a command. */
export function unknownCommand(word: string, program: Command): string {
  const names = program.commands.map((command) => command.name())
  return `no command is called ${quoted(word)}${suggestion(word, names) || ': `miio2mqtt help` lists them'}`
}
