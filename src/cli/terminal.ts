/** Output of the commands: tables, colours and progress for people, JSON for programs. Secrets and control characters are removed. */
import {styleText} from 'node:util'
import {Redactor} from '../common/redact.ts'
import {
  CLEAR_LINE,
  displayWidth,
  padded,
  type TerminalFeatures,
  terminalFeatures,
  truncated,
  wrapped,
  wrappedYaml,
} from '../common/terminal-text.ts'
import {unicodeEscape} from '../common/text.ts'

type Style = Parameters<typeof styleText>[0]
type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY'> & {columns?: number}

interface TerminalOptions {
  out?: Stream
  err?: Stream
  env?: NodeJS.ProcessEnv
}

interface TableOptions {
  /** Titles of the columns that may be cut where the screen is too narrow, the widest first. All others stay whole. */
  shrinking?: readonly string[]
  /** Title of a column that is cut before those, and left out when too little of it would be left. What still does not fit is cut, too. */
  optional?: string
}

/** Signals that end a process unless it catches them. */
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM'] as const
const BETWEEN_COLUMNS = '  '
/** A column is not cut to fewer characters than this: the rest would be meaningless. */
const MIN_COLUMN_WIDTH = 10

/**
 * Standard output and standard error. Both may be the same screen. So the progress line, on standard error, is cleared before any
 * other output to either, and before a signal ends the process.
 */
export class Terminal {
  readonly #out: Stream
  readonly #err: Stream
  /** The screens of standard output and of standard error, where these are terminals. */
  readonly #screen: TerminalFeatures | undefined
  readonly #errorScreen: TerminalFeatures | undefined
  readonly #secrets = new Redactor()
  readonly #clearAndEnd = (signal: NodeJS.Signals) => {
    this.#clearProgress()
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
  }
  #hasProgress = false
  #json = false

  constructor({out = process.stdout, err = process.stderr, env = process.env}: TerminalOptions = {}) {
    this.#out = out
    this.#err = err
    this.#screen = terminalFeatures(out, env)
    this.#errorScreen = terminalFeatures(err, env)
  }

  get json(): boolean {
    return this.#json
  }

  /** From now on results are JSON, as with `--json`. */
  useJson(): void {
    this.#json = true
  }

  /** Masks `secret` in all further output, in every spelling. */
  hide(secret: string): void {
    this.#secrets.add(secret)
  }

  /** Prints a result: `value` as JSON for programs, `text` for people, broken between words where the screen is too narrow. */
  result(value: unknown, text: string): void {
    if (this.#json) this.data(value)
    else this.line(this.fitted(text))
  }

  /** Prints a result that is YAML for people. Where the screen is too narrow, its lines are broken so that the YAML means the same. */
  yaml(value: unknown, text: string): void {
    if (this.#json) this.data(value)
    else this.line(wrappedYaml(text, columnsOf(this.#screen)))
  }

  /** Prints a result that is JSON for people, too: one line, or several where the screen is too narrow. */
  data(value: unknown): void {
    const line = JSON.stringify(value)
    const fits = displayWidth(line) <= columnsOf(this.#screen)
    this.line(fits ? line : JSON.stringify(value, null, 2))
  }

  /** Prints text to standard output, with its own line breaks. */
  line(text: string): void {
    this.#write(this.#out, `${text}\n`)
  }

  /** Prints a note to standard error, so that it is not piped with the result. Broken between words where the screen is too narrow. */
  note(text: string): void {
    this.trace(wrapped(text, columnsOf(this.#errorScreen)))
  }

  /** Prints text to standard error, with its own line breaks. */
  trace(text: string): void {
    this.#write(this.#err, `${text}\n`)
  }

  /** Prints an error. @param code the reason in one word, for programs */
  failure(message: string, code: string): void {
    if (this.#json) this.trace(JSON.stringify({error: {code, message}}))
    else this.note(message)
  }

  /** Shows a line on the screen until any other output; without a screen nothing. Empty text clears the line. */
  progress(text: string): void {
    this.#clearProgress()
    if (!this.#errorScreen?.rewritable || text === '') return
    this.#hasProgress = true
    for (const signal of ENDING_SIGNALS) process.once(signal, this.#clearAndEnd)
    // Only one line of the screen can be cleared; the terminal may append ^C to the text.
    this.#put(this.#err, truncated(text, this.#errorScreen.columns - 3))
  }

  paint(style: Style, text: string): string {
    return this.#screen?.coloured ? styleText(style, text) : text
  }

  /** A command to copy, indented. Where the screen is too narrow it is continued with a backslash, as in a shell. */
  command(text: string): string {
    const room = columnsOf(this.#errorScreen ?? this.#screen)
    const continuation = ' \\'
    const line = `  ${text}`
    if (displayWidth(line) <= room) return line
    return wrapped(line, room - continuation.length, 4).replaceAll('\n', `${continuation}\n`)
  }

  /** `text`, broken between words where the screen of standard output is too narrow. */
  fitted(text: string): string {
    return wrapped(text, columnsOf(this.#screen))
  }

  /**
   * A table with columns as wide as their widest cell. Control characters in cells are replaced. The last cell of a row with fewer cells
   * than columns reaches to the end of the line.
   */
  table(head: readonly string[], rows: readonly (readonly unknown[])[], options: TableOptions = {}): string {
    const room = columnsOf(this.#screen) - 1 // a character in the last column may break the line
    const lines = [head.map((title) => title.toUpperCase()), ...rows].map((row) =>
      row.map((cell) => printable(String(cell ?? ''))),
    )
    const isOpen = (row: readonly string[], column: number) =>
      row.length < head.length && column === row.length - 1
    const widthOf = (row: readonly string[], column: number) =>
      isOpen(row, column) ? 0 : displayWidth(row[column] ?? '')
    const widths = new Map(
      head.map((title, column) => [title, Math.max(...lines.map((row) => widthOf(row, column)))]),
    )
    shrink(widths, room, options)
    const [title, ...others] = lines.map((row) => {
      const cells = row.flatMap((cell, column) => {
        if (isOpen(row, column)) return [cell]
        const width = widths.get(head[column] ?? '') ?? 0
        return width === 0 ? [] : [padded(truncated(cell, width), width)]
      })
      const line = cells.join(BETWEEN_COLUMNS).trimEnd()
      return options.optional === undefined ? line : truncated(line, room)
    })
    return [this.paint('bold', title ?? ''), ...others].join('\n')
  }

  /** Lines of `name  value`. A value that is too long for the screen is continued below its beginning. */
  facts(values: Readonly<Record<string, unknown>>): string {
    const width = Math.max(0, ...Object.keys(values).map(displayWidth))
    const lines = Object.entries(values).map(([name, value]) => {
      const title = this.paint('bold', padded(printable(name), width))
      const line = `${title}${BETWEEN_COLUMNS}${printable(String(value ?? 'unknown'))}`
      return wrapped(line, columnsOf(this.#screen), width + BETWEEN_COLUMNS.length)
    })
    return lines.join('\n')
  }

  #write(stream: Stream, text: string): void {
    this.#clearProgress()
    this.#put(stream, text)
  }

  #clearProgress(): void {
    if (!this.#hasProgress) return
    this.#hasProgress = false
    for (const signal of ENDING_SIGNALS) process.off(signal, this.#clearAndEnd)
    this.#err.write(CLEAR_LINE)
  }

  #put(stream: Stream, text: string): void {
    stream.write(escaped(this.#secrets.scrub(text), this.#screen?.coloured ? OWN_STYLES : NO_STYLES))
  }
}

/** Lines of a pipe or a file are never broken. */
function columnsOf(screen: TerminalFeatures | undefined): number {
  return screen?.columns ?? Number.POSITIVE_INFINITY
}

/** Makes columns narrower, so that a line has at most `room` columns of the screen. The width of one that is left out is 0. */
function shrink(widths: Map<string, number>, room: number, {shrinking = [], optional}: TableOptions): void {
  const gap = BETWEEN_COLUMNS.length
  const excess = () => [...widths.values()].reduce((sum, width) => sum + (width && width + gap), -gap) - room
  if (optional !== undefined && excess() > 0) {
    const rest = (widths.get(optional) ?? 0) - excess()
    widths.set(optional, rest < MIN_COLUMN_WIDTH ? 0 : rest)
  }
  for (let left = excess(); left > 0; left--) {
    const widest = Math.max(MIN_COLUMN_WIDTH, ...shrinking.map((title) => widths.get(title) ?? 0))
    const title = shrinking.find((each) => widths.get(each) === widest)
    if (title === undefined || widest === MIN_COLUMN_WIDTH) break
    widths.set(title, widest - 1)
  }
}

/** Characters that move the cursor, switch colours or change the direction of writing; without line breaks and tabs. */
const CONTROL_CHARACTERS = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
/** The sequences that `paint` writes: bold and cyan. */
const OWN_STYLES: ReadonlySet<string> = new Set(['\u001b[1m', '\u001b[22m', '\u001b[36m', '\u001b[39m'])
const NO_STYLES: ReadonlySet<string> = new Set()

/** `text` without control characters: text from a plug must not control the terminal. */
export function printable(text: string): string {
  return text.replace(/[\n\t]/g, '\ufffd').replace(CONTROL_CHARACTERS, '\ufffd')
}

/** `text` with every control character escaped as in JSON, so that programs read the same value. @param kept sequences that stay */
function escaped(text: string, kept: ReadonlySet<string>): string {
  return text.replace(CONTROL_CHARACTERS, (character, at: number) => {
    const isKept = kept.has(text.slice(at, at + 4)) || kept.has(text.slice(at, at + 5))
    return isKept ? character : unicodeEscape(character)
  })
}

/** A number of seconds as text: `45 s`, `3 min`, `5 h`, `12 d`. */
export function span(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}
