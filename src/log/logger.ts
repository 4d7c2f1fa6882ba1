/** The log: pino underneath, every text scrubbed of secrets by their value before it becomes a line. */
import {type DestinationStream, type Logger, pino, stdTimeFunctions} from 'pino'
import {Redactor} from '../common/redact.ts'
import {type TerminalFeatures, terminalFeatures} from '../common/terminal-text.ts'
import {jsonLine, type LogEntry, localDay, screenLine, textLine} from './format.ts'
import {Output} from './output.ts'
import {type PlainValue, plainFields} from './plain-fields.ts'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type Fields = Record<string, unknown>

/** A text, or what makes it: asked only when the line is written. `undefined` is no line. */
export type Lazy = string | (() => string | undefined)

/** What everybody who has something to say is given. An error goes into the field `error`. */
export interface Log {
  trace(message: string, fields?: Fields): void
  debug(message: Lazy, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** A log whose lines all carry `fields` as well. */
  child(fields: Fields): Log
}

/** What a listener for warnings is told: already scrubbed, ready to be published. */
export interface LoggedWarning {
  level: 'warn' | 'error'
  message: string
  device?: string
}

export interface LogOptions {
  level?: LogLevel
  format?: 'text' | 'json'
  redactor?: Redactor
  /** Where lines go: standard output unless said otherwise. Commands whose result is on standard output log to `stderr`. */
  destination?: 'stdout' | 'stderr' | DestinationStream
  /** The terminal behind a destination that is a stream; that of standard output and standard error is found out. */
  screen?: TerminalFeatures | undefined
}

/** Every line has these already. A field of the same name keeps its value under `level_`, `time_`, `message_`. */
const OWN_FIELDS = new Set(['level', 'time', 'message'])

export function createLog(options: LogOptions = {}): RootLog {
  const {level = 'info', format = 'text', redactor = new Redactor(), destination = 'stdout'} = options
  const isStandard = typeof destination === 'string'
  const output = isStandard ? new Output(destination === 'stdout' ? 1 : 2) : destination
  const screen = isStandard ? terminalFeatures(process[destination], process.env) : options.screen
  const lines = new Lines(output, format, screen)
  return new RootLog(new Sink(lineMaker(level, lines), redactor), output, lines)
}

function lineMaker(level: LogLevel, destination: DestinationStream): Logger {
  const formatters = {level: (label: string) => ({level: label})}
  const timestamp = stdTimeFunctions.isoTime
  return pino({level, base: null, messageKey: 'message', timestamp, formatters}, destination)
}

/** Writes each line of pino in the format that is wanted now, text for a person where a terminal is. */
class Lines implements DestinationStream {
  format: 'text' | 'json'
  readonly #output: DestinationStream
  readonly #screen: TerminalFeatures | undefined
  /** Of the last line on the screen. */
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
    return this.#newDay(entry) + screenLine(entry, this.#screen)
  }

  /** The times of day on a screen are those of the day above them. */
  #newDay({time}: LogEntry): string {
    const day = localDay(new Date(time))
    const isNew = this.#day !== undefined && this.#day !== day
    this.#day = day
    return isNew ? `${day}\n` : ''
  }
}

/** Where the lines of a log and of all its children come together. */
class Sink {
  readonly lines: Logger
  readonly listeners = new Set<(warning: LoggedWarning) => void>()
  readonly #redactor: Redactor
  #telling = false

  constructor(lines: Logger, redactor: Redactor) {
    this.lines = lines
    this.#redactor = redactor
  }

  isWritten(level: LogLevel): boolean {
    return this.lines.isLevelEnabled(level)
  }

  say(level: LogLevel, message: string, fields: Fields): void {
    const written = this.isWritten(level)
    const warning = level === 'warn' || level === 'error'
    if (!written && !warning) return
    const scrubbed = this.#redactor.scrub(message)
    if (written) this.lines[level](this.#plainly(level, fields), scrubbed)
    if (warning) this.#tell(level, scrubbed, fields['device'])
  }

  /** Stacks belong to what was not expected, and to whoever asked for details. */
  #plainly(level: LogLevel, fields: Fields): Record<string, PlainValue | undefined> {
    const scrub = (text: string) => this.#redactor.scrub(text)
    const how = {scrub, stack: level === 'error' || this.lines.isLevelEnabled('debug')}
    const said = Object.entries(fields).map(
      ([key, value]) => [fieldName(scrub(key)), plainFields(value, how)] as const,
    )
    return Object.fromEntries(said)
  }

  /** What a listener itself warns about is not told again: publishing a warning may fail, and that is a warning. */
  #tell(level: 'warn' | 'error', message: string, device: unknown): void {
    if (this.#telling) return
    this.#telling = true
    const about = typeof device === 'string' ? {device: this.#redactor.scrub(device)} : {}
    try {
      for (const listener of this.listeners) listener({level, message, ...about})
    } finally {
      this.#telling = false
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
    this.sink.say('trace', message, {...this.#fields, ...fields})
  }

  /** There may be thousands in a second: nothing is made for a line that is not written. */
  debug(message: Lazy, fields?: Fields): void {
    if (!this.sink.isWritten('debug')) return
    const text = typeof message === 'string' ? message : message()
    if (text !== undefined) this.sink.say('debug', text, {...this.#fields, ...fields})
  }

  info(message: string, fields?: Fields): void {
    this.sink.say('info', message, {...this.#fields, ...fields})
  }

  warn(message: string, fields?: Fields): void {
    this.sink.say('warn', message, {...this.#fields, ...fields})
  }

  error(message: string, fields?: Fields): void {
    this.sink.say('error', message, {...this.#fields, ...fields})
  }

  child(fields: Fields): Log {
    return new BoundLog(this.sink, {...this.#fields, ...fields})
  }
}

/** The log of the process. Its level, listeners and end are those of all its children. */
export class RootLog extends BoundLog {
  readonly #output: DestinationStream | Output
  readonly #lines: Lines

  constructor(sink: Sink, output: DestinationStream | Output, lines: Lines) {
    super(sink)
    this.#output = output
    this.#lines = lines
  }

  get level(): LogLevel {
    return LOG_LEVELS.find((level) => level === this.sink.lines.level) ?? 'info'
  }

  setLevel(level: LogLevel): void {
    this.sink.lines.level = level
  }

  setFormat(format: 'text' | 'json'): void {
    this.#lines.format = format
  }

  /** Calls `listener` for every warning and error, also those below the level. Returns what ends that. */
  onWarning(listener: (warning: LoggedWarning) => void): () => void {
    this.sink.listeners.add(listener)
    return () => this.sink.listeners.delete(listener)
  }

  /** Writes out, synchronously, what is still in memory. For the last moments of a process only. */
  flush(): void {
    if (this.#output instanceof Output) this.#output.flush()
  }
}

function fieldName(key: string): string {
  return OWN_FIELDS.has(key) ? `${key}_` : key
}
