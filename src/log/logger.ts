/** The logger: pino underneath. Every text is scrubbed of secrets by their value before it becomes a line. */
import {type DestinationStream, type Logger, pino, stdTimeFunctions} from 'pino'
import {Redactor} from '../common/redact.ts'
import {type TerminalFeatures, terminalFeatures} from '../common/terminal-text.ts'
import {jsonLine, type LogEntry, localDay, screenLine, textLine} from './format.ts'
import {Output} from './output.ts'
import {type PlainValue, plainFields} from './plain-fields.ts'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const
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
  /** A logger whose lines all have `fields` as well. */
  child(fields: Fields): Log
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
export function createLog(options: LogOptions = {}): RootLog {
  const {level = 'info', format = 'text', redactor = new Redactor(), destination = 'stdout'} = options
  const isStandard = typeof destination === 'string'
  const output = isStandard ? new Output(destination === 'stdout' ? 1 : 2) : destination
  const screen = isStandard ? terminalFeatures(process[destination], process.env) : options.screen
  const formatter = new LineFormatter(output, format, screen)
  return new RootLog(new Sink(createPino(level, formatter), redactor), output, formatter)
}

function createPino(level: LogLevel, destination: DestinationStream): Logger {
  const formatters = {level: (label: string) => ({level: label})}
  const timestamp = stdTimeFunctions.isoTime
  return pino({level, base: null, messageKey: 'message', timestamp, formatters}, destination)
}

/** Turns each JSON line of pino into the current format: JSON, text, or text for a terminal. */
class LineFormatter implements DestinationStream {
  format: 'text' | 'json'
  readonly #output: DestinationStream
  readonly #screen: TerminalFeatures | undefined
  /** The local date of the last line on the terminal. */
  #day: string | undefined

  constructor(output: DestinationStream, format: 'text' | 'json', screen: TerminalFeatures | undefined) {
    this.#output = output
    this.format = format
    this.#screen = screen
  }

  write(line: string): void {
    this.#output.write(this.format === 'text' ? this.#text(JSON.parse(line)) : jsonLine(line))
  }

  #text(entry: LogEntry): string {
    if (!this.#screen) return textLine(entry)
    return this.#dateLine(entry) + screenLine(entry, this.#screen)
  }

  /** On a terminal lines have a time and no date: a line with the date comes between two days. */
  #dateLine({time}: LogEntry): string {
    const day = localDay(new Date(time))
    const isNew = this.#day !== undefined && this.#day !== day
    this.#day = day
    return isNew ? `${day}\n` : ''
  }
}

/** What a logger and all its children share. */
class Sink {
  readonly pino: Logger
  readonly listeners = new Set<(warning: LoggedWarning) => void>()
  readonly #redactor: Redactor
  #isNotifying = false

  constructor(pino: Logger, redactor: Redactor) {
    this.pino = pino
    this.#redactor = redactor
  }

  isEnabled(level: LogLevel): boolean {
    return this.pino.isLevelEnabled(level)
  }

  write(level: LogLevel, message: string, fields: Fields): void {
    const isEnabled = this.isEnabled(level)
    const isWarning = level === 'warn' || level === 'error'
    if (!isEnabled && !isWarning) return
    const scrubbed = this.#redactor.scrub(message)
    if (isEnabled) this.pino[level](this.#scrubFields(level, fields), scrubbed)
    if (isWarning) this.#notify(level, scrubbed, fields['device'])
  }

  /** Errors have their stack at the level `error`, which is for unexpected errors, and while the log level is `debug`. */
  #scrubFields(level: LogLevel, fields: Fields): Record<string, PlainValue | undefined> {
    const scrub = (text: string) => this.#redactor.scrub(text)
    const options = {scrub, stack: level === 'error' || this.isEnabled('debug')}
    const scrubbed = Object.entries(fields).map(
      ([key, value]) => [fieldName(scrub(key)), plainFields(value, options)] as const,
    )
    return Object.fromEntries(scrubbed)
  }

  /** A warning that a listener logs does not go to the listeners: publishing a warning may fail, which is a warning. */
  #notify(level: 'warn' | 'error', message: string, device: unknown): void {
    if (this.#isNotifying) return
    this.#isNotifying = true
    const scrubbedDevice = typeof device === 'string' ? {device: this.#redactor.scrub(device)} : {}
    try {
      for (const listener of this.listeners) listener({level, message, ...scrubbedDevice})
    } finally {
      this.#isNotifying = false
    }
  }
}

class BoundLog implements Log {
  protected readonly sink: Sink
  readonly #fields: Fields

  constructor(sink: Sink, fields: Fields = {}) {
    this.sink = sink
    this.#fields = fields
  }

  trace(message: string, fields?: Fields): void {
    this.sink.write('trace', message, {...this.#fields, ...fields})
  }

  /** There may be thousands of calls in a second: for a line that is not written, no message is made. */
  debug(message: LazyMessage, fields?: Fields): void {
    if (!this.sink.isEnabled('debug')) return
    const text = typeof message === 'string' ? message : message()
    if (text !== undefined) this.sink.write('debug', text, {...this.#fields, ...fields})
  }

  info(message: string, fields?: Fields): void {
    this.sink.write('info', message, {...this.#fields, ...fields})
  }

  warn(message: string, fields?: Fields): void {
    this.sink.write('warn', message, {...this.#fields, ...fields})
  }

  error(message: string, fields?: Fields): void {
    this.sink.write('error', message, {...this.#fields, ...fields})
  }

  child(fields: Fields): Log {
    return new BoundLog(this.sink, {...this.#fields, ...fields})
  }
}

/** The logger of the process. Level, format and listeners are also those of all its children. */
export class RootLog extends BoundLog {
  readonly #output: DestinationStream | Output
  readonly #formatter: LineFormatter

  constructor(sink: Sink, output: DestinationStream | Output, formatter: LineFormatter) {
    super(sink)
    this.#output = output
    this.#formatter = formatter
  }

  get level(): LogLevel {
    return LOG_LEVELS.find((level) => level === this.sink.pino.level) ?? 'info'
  }

  setLevel(level: LogLevel): void {
    this.sink.pino.level = level
  }

  setFormat(format: 'text' | 'json'): void {
    this.#formatter.format = format
  }

  /** Calls `listener` for every warning and error, also those below the level. @returns a function that ends this */
  onWarning(listener: (warning: LoggedWarning) => void): () => void {
    this.sink.listeners.add(listener)
    return () => this.sink.listeners.delete(listener)
  }

  /** Writes out, synchronously, what is still in memory. Only for a process that is about to end. */
  flush(): void {
    if (this.#output instanceof Output) this.#output.flush()
  }
}

function fieldName(key: string): string {
  return RESERVED_FIELDS.has(key) ? `${key}_` : key
}
