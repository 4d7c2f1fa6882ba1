/** What a person reads, or a machine: tables and colour for the one, JSON for the other. */
import {styleText} from 'node:util'
import {Redactor} from '../redact.ts'

type Style = Parameters<typeof styleText>[0]
type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY'>

export interface TerminalOptions {
  out?: Stream
  err?: Stream
  env?: NodeJS.ProcessEnv
}

export class Terminal {
  readonly #out: Stream
  readonly #err: Stream
  readonly #coloured: boolean
  readonly #secrets = new Redactor()
  #json = false

  constructor({out = process.stdout, err = process.stderr, env = process.env}: TerminalOptions = {}) {
    this.#out = out
    this.#err = err
    // https://no-color.org: present and not empty
    this.#coloured = out.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
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

  /** A result: a JSON value for machines, `text` for people. */
  result(value: unknown, text: string): void {
    this.line(this.#json ? JSON.stringify(value) : text)
  }

  line(text: string): void {
    this.#write(this.#out, `${text}\n`)
  }

  /** Something beside the result: never in the way of a pipe. */
  note(text: string): void {
    this.progress('')
    this.#write(this.#err, `${text}\n`)
  }

  /** Why there is no result. `code` is the reason in one word, for machines. */
  failure(message: string, code: string): void {
    this.note(this.#json ? JSON.stringify({error: {code, message}}) : message)
  }

  /** A line that is overwritten by the next one, for people who wait; nothing when nobody watches. */
  progress(text: string): void {
    if (!this.#err.isTTY) return
    this.#err.write('\r\u001b[K')
    this.#write(this.#err, text)
  }

  paint(style: Style, text: string): string {
    return this.#coloured ? styleText(style, text) : text
  }

  /** Columns as wide as their widest cell. Cells that a plug or a file filled cannot move the cursor. */
  table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
    const cells = rows.map((row) => row.map((cell) => printable(String(cell ?? ''))))
    const widths = head.map((title, column) =>
      Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)),
    )
    const draw = (row: readonly string[]) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()
    return [this.paint('bold', draw(head.map((title) => title.toUpperCase()))), ...cells.map(draw)].join('\n')
  }

  /** `name  value` lines. */
  facts(values: Readonly<Record<string, unknown>>): string {
    const width = Math.max(0, ...Object.keys(values).map((name) => name.length))
    return Object.entries(values)
      .map(
        ([name, value]) =>
          `${this.paint('bold', printable(name).padEnd(width))}  ${printable(String(value ?? 'unknown'))}`,
      )
      .join('\n')
  }

  #write(stream: Stream, text: string): void {
    stream.write(escaped(this.#secrets.scrub(text), this.#coloured ? OWN_STYLES : NOTHING))
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
