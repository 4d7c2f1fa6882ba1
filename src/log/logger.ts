/** The logger, on top of pino. Every text is scrubbed of secrets by their value before it becomes a line. */
import {type DestinationStream, type Logger, pino, stdTimeFunctions} from 'pino'
import {Redactor} from '../common/redact.ts'
import {type TerminalFeatures, terminalFeatures} from '../common/terminal-text.ts'
import {LineFormatter, type PlainValue, plainValue} from './format.ts'
import {LOG_LEVELS} from './log-levels.ts'
import {Output} from './output.ts'

export type LogLevel = (typeof LOG_LEVELS)[number]
export type Fields = Record<string, unknown>

/** A message, or a function that makes it: called only when the line is written. `undefined` writes no line. */
export type LazyMessage = string | (() => string | undefined)

/** The logger as the rest of the program sees it. An error goes into the field `error`. */
export interface Log {
  trace(message: string, fields?: Fields): void
  debug(message: LazyMessage, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
}

/** A warning or error as listeners get it: already scrubbed, ready to be published. */
export interface LoggedWarning {
  level: 'warn' | 'error'
  message: string
  device?: string
}

export interface LogOptions {
  level?: LogLevel
  format?: 'text' | 'json'
  redactor?: Redactor
  /** Where lines go, by default to standard output. Commands whose result is on standard output log to `stderr`. */
  destination?: 'stdout' | 'stderr' | DestinationStream
  /** The terminal behind a destination that is a stream. For `stdout` and `stderr` it is detected. */
  screen?: TerminalFeatures | undefined
}

/** Fields of every line. Another field of such a name is written as `level_`, `time_` or `message_`. */
const RESERVED_FIELDS = new Set(['level', 'time', 'message'])

/** Makes the logger of the process. */
export function createLog(options: LogOptions = {}): PinoLog {
  const {level = 'info', format = 'text', redactor = new Redactor(), destination = 'stdout'} = options
  const isStandard = typeof destination === 'string'
  const output = isStandard ? new Output(destination === 'stdout' ? 1 : 2) : destination
  const screen = isStandard ? terminalFeatures(process[destination], process.env) : options.screen
  const formatter = new LineFormatter(output, format, screen)
  const formatters = {level: (label: string) => ({level: label})}
  const timestamp = stdTimeFunctions.isoTime
  const logger = pino({level, base: null, messageKey: 'message', timestamp, formatters}, formatter)
  return new PinoLog(logger, redactor, output, formatter)
}

/** The logger of the process. */
export class PinoLog implements Log {
  readonly #pino: Logger
  readonly #redactor: Redactor
  readonly #output: DestinationStream
  readonly #formatter: LineFormatter
  readonly #listeners = new Set<(warning: LoggedWarning) => void>()
  #isNotifying = false

  constructor(logger: Logger, redactor: Redactor, output: DestinationStream, formatter: LineFormatter) {
    this.#pino = logger
    this.#redactor = redactor
    this.#output = output
    this.#formatter = formatter
  }

  trace(message: string, fields?: Fields): void {
    this.#write('trace', message, fields)
  }

  /** There may be thousands of calls in a second: for a line that is not written, no message is made. */
  debug(message: LazyMessage, fields?: Fields): void {
    if (!this.#pino.isLevelEnabled('debug')) return
    const text = typeof message === 'string' ? message : message()
    if (text !== undefined) this.#write('debug', text, fields)
  }

  info(message: string, fields?: Fields): void {
    this.#write('info', message, fields)
  }

  warn(message: string, fields?: Fields): void {
    this.#write('warn', message, fields)
  }

  error(message: string, fields?: Fields): void {
    this.#write('error', message, fields)
  }

  get level(): LogLevel {
    return LOG_LEVELS.find((level) => level === this.#pino.level) ?? 'info'
  }

  setLevel(level: LogLevel): void {
    this.#pino.level = level
  }

  setFormat(format: 'text' | 'json'): void {
    this.#formatter.format = format
  }

  /** Calls `listener` for every warning and error, also those below the level. @returns a function that ends this */
  onWarning(listener: (warning: LoggedWarning) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Writes out, synchronously, what is still in memory. Only for a process that is about to end. */
  flush(): void {
    if (this.#output instanceof Output) this.#output.flush()
  }

  #write(level: LogLevel, message: string, fields: Fields = {}): void {
    const isEnabled = this.#pino.isLevelEnabled(level)
    const isWarning = level === 'warn' || level === 'error'
    if (!isEnabled && !isWarning) return
    const scrubbed = this.#redactor.scrub(message)
    if (isEnabled) this.#pino[level](this.#scrubFields(level, fields), scrubbed)
    if (isWarning) this.#notify(level, scrubbed, fields['device'])
  }

  /** Errors have their stack at the level `error`, which is for unexpected errors, and while the log level is `debug`. */
  #scrubFields(level: LogLevel, fields: Fields): Record<string, PlainValue | undefined> {
    const scrub = (text: string) => this.#redactor.scrub(text)
    const options = {scrub, stack: level === 'error' || this.#pino.isLevelEnabled('debug')}
    return Object.fromEntries(
      Object.entries(fields).map(([name, value]) => {
        const key = scrub(name)
        return [RESERVED_FIELDS.has(key) ? `${key}_` : key, plainValue(value, options)]
      }),
    )
  }

  /** A warning that a listener logs does not go to the listeners: publishing a warning may fail, which is a warning. */
  #notify(level: 'warn' | 'error', message: string, device: unknown): void {
    if (this.#isNotifying) return
    this.#isNotifying = true
    const scrubbedDevice = typeof device === 'string' ? {device: this.#redactor.scrub(device)} : {}
    try {
      for (const listener of this.#listeners) listener({level, message, ...scrubbedDevice})
    } finally {
      this.#isNotifying = false
    }
  }
}
