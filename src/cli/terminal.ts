/** What a person reads, or a machine: tables and colour for the one, JSON for the other. */
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

type Style = Parameters<typeof styleText>[0]
type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY'> & {columns?: number}

export interface TerminalOptions {
  out?: Stream
  err?: Stream
  env?: NodeJS.ProcessEnv
}

export interface TableOptions {
  /** Titles of columns whose cells may be cut short where the screen is too narrow, the widest first. All others stay whole. */
  shrinking?: readonly string[]
}

/** Signals that end a process which does not catch them. */
const ENDING = ['SIGINT', 'SIGTERM'] as const
const BETWEEN_COLUMNS = '  '
/** A column is not cut to fewer characters than this: what is left would say nothing. */
const NARROWEST_COLUMN = 10

/**
 * Standard output and standard error. Both may be one screen, so a line of progress, on standard error, is cleared before anything else
 * is written to either, and before a signal ends the process.
 */
export class Terminal {
  readonly #out: Stream
  readonly #err: Stream
  /** The screens behind the two, if they are terminals. */
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

  /** From now on a machine reads along. */
  speakJson(): void {
    this.#json = true
  }

  /** Whatever is written from now on, `secret` is not in it, in no spelling. */
  hide(secret: string): void {
    this.#secrets.add(secret)
  }

  /** A result: a JSON value for machines, `text` for people, broken between words where the screen is too narrow. */
  result(value: unknown, text: string): void {
    if (this.#json) this.data(value)
    else this.line(this.fitted(text))
  }

  /** A result that is YAML for people. It may be copied from the screen: where it is broken it means the same. */
  yaml(value: unknown, text: string): void {
    if (this.#json) this.data(value)
    else this.line(this.#screen ? wrappedYaml(text, this.#screen.columns) : text)
  }

  /** A result that is a JSON value for all: one line, or more of them where the screen is too narrow. */
  data(value: unknown): void {
    const line = JSON.stringify(value)
    const fits = this.#screen === undefined || displayWidth(line) <= this.#screen.columns
    this.line(fits ? line : JSON.stringify(value, null, 2))
  }

  /** Text for a person or a program, as it is. */
  line(text: string): void {
    this.#write(this.#out, `${text}\n`)
  }

  /** Something beside the result: never in the way of a pipe. Broken between words where the screen is too narrow. */
  note(text: string): void {
    this.#write(this.#err, `${this.#fitted(text, this.#errorScreen)}\n`)
  }

  /** Data beside the result, as it is. */
  trace(text: string): void {
    this.#write(this.#err, `${text}\n`)
  }

  /** Why there is no result. `code` is the reason in one word, for machines. */
  failure(message: string, code: string): void {
    if (this.#json) this.trace(JSON.stringify({error: {code, message}}))
    else this.note(message)
  }

  /** A line that stands until anything else is written, for people who wait; nothing when nobody watches. Empty text clears it. */
  progress(text: string): void {
    this.#clearProgress()
    if (!this.#errorScreen?.rewritable || text === '') return
    this.#hasProgress = true
    for (const signal of ENDING) process.once(signal, this.#clearAndEnd)
    // Only one line of the screen can be cleared, and the ^C of whoever gives up appears behind the text.
    this.#put(this.#err, truncated(text, this.#errorScreen.columns - 3))
  }

  paint(style: Style, text: string): string {
    return this.#screen?.coloured ? styleText(style, text) : text
  }

  /** A command to copy, indented. Where the screen is too narrow it goes on in the next line, as a shell understands it. */
  command(text: string): string {
    const room = (this.#errorScreen ?? this.#screen)?.columns ?? Number.POSITIVE_INFINITY
    const continued = ' \\'
    const whole = `  ${text}`
    if (displayWidth(whole) <= room) return whole
    return wrapped(whole, room - continued.length, 4).replaceAll('\n', `${continued}\n`)
  }

  /** `text` for the screen of results, broken between words where that is too narrow. */
  fitted(text: string): string {
    return this.#fitted(text, this.#screen)
  }

  /** Columns as wide as their widest cell. Cells that a plug or a file filled cannot move the cursor. */
  table(
    head: readonly string[],
    rows: readonly (readonly unknown[])[],
    {shrinking = []}: TableOptions = {},
  ): string {
    const cells = rows.map((row) => row.map((cell) => printable(String(cell ?? ''))))
    const natural = head.map((title, column) =>
      Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[column] ?? ''))),
    )
    const widths = this.#shrunk(
      natural,
      shrinking.map((title) => head.indexOf(title)),
    )
    const draw = (row: readonly string[]) =>
      row
        .map((cell, column) => padded(truncated(cell, widths[column] ?? 0), widths[column] ?? 0))
        .join(BETWEEN_COLUMNS)
        .trimEnd()
    return [this.paint('bold', draw(head.map((title) => title.toUpperCase()))), ...cells.map(draw)].join('\n')
  }

  /** `name  value` lines. A value that is too long for the screen goes on below itself. */
  facts(values: Readonly<Record<string, unknown>>): string {
    const width = Math.max(0, ...Object.keys(values).map(displayWidth))
    const lines = Object.entries(values).map(([name, value]) => {
      const title = this.paint('bold', padded(printable(name), width))
      const line = `${title}${BETWEEN_COLUMNS}${printable(String(value ?? 'unknown'))}`
      return this.#fitted(line, this.#screen, width + BETWEEN_COLUMNS.length)
    })
    return lines.join('\n')
  }

  /** The widths of a table's columns on this screen. @param shrinking indexes of columns that may be narrower than their cells */
  #shrunk(natural: readonly number[], shrinking: readonly number[]): number[] {
    const widths = [...natural]
    let excess =
      widths.reduce((sum, width) => sum + width, 0) +
      BETWEEN_COLUMNS.length * (widths.length - 1) -
      (this.#screen?.columns ?? Number.POSITIVE_INFINITY)
    while (excess > 0) {
      const widest = Math.max(NARROWEST_COLUMN, ...shrinking.map((column) => widths[column] ?? 0))
      const column = shrinking.find((each) => widths[each] === widest)
      if (column === undefined || widest === NARROWEST_COLUMN) break
      widths[column] = widest - 1
      excess--
    }
    return widths
  }

  #fitted(text: string, screen: TerminalFeatures | undefined, indent?: number): string {
    return screen ? wrapped(text, screen.columns, indent) : text
  }

  #write(stream: Stream, text: string): void {
    this.#clearProgress()
    this.#put(stream, text)
  }

  #clearProgress(): void {
    if (!this.#hasProgress) return
    this.#hasProgress = false
    for (const signal of ENDING) process.off(signal, this.#clearAndEnd)
    this.#err.write(CLEAR_LINE)
  }

  #put(stream: Stream, text: string): void {
    stream.write(escaped(this.#secrets.scrub(text), this.#screen?.coloured ? OWN_STYLES : NOTHING))
  }
}

/** What moves a cursor, switches colours or turns the direction of writing, but for line breaks and tabs. */
const HIDDEN = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
/** What `paint` writes here: bold and cyan. */
const OWN_STYLES: ReadonlySet<string> = new Set(['\u001b[1m', '\u001b[22m', '\u001b[36m', '\u001b[39m'])
const NOTHING: ReadonlySet<string> = new Set()

/** Without control characters: what a plug says about itself must not drive a terminal. */
export function printable(text: string): string {
  return text.replace(/[\n\t]/g, '\ufffd').replace(HIDDEN, '\ufffd')
}

/** With every hidden character spelled as JSON does it, so that programs read the same. @param kept sequences that stay */
function escaped(text: string, kept: ReadonlySet<string>): string {
  return text.replace(HIDDEN, (character, at: number) => {
    const isKept = kept.has(text.slice(at, at + 4)) || kept.has(text.slice(at, at + 5))
    return isKept ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** Seconds as people count them: `45 s`, `3 min`, `5 h`, `12 d`. */
export function span(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}

/** `1 plug`, `2 plugs`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
