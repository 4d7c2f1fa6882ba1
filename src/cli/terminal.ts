/** What a person reads, or a machine: tables and colour for the one, JSON for the other. */
import {styleText} from 'node:util'

type Style = Parameters<typeof styleText>[0]
type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY'>

export interface TerminalOptions {
  out?: Stream
  err?: Stream
  env?: NodeJS.ProcessEnv
  json?: boolean
}

export class Terminal {
  readonly json: boolean
  readonly #out: Stream
  readonly #err: Stream
  readonly #coloured: boolean

  constructor({
    out = process.stdout,
    err = process.stderr,
    env = process.env,
    json = false,
  }: TerminalOptions = {}) {
    this.json = json
    this.#out = out
    this.#err = err
    // https://no-color.org: present and not empty
    this.#coloured = out.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  }

  /** A result: a JSON value for machines, `text` for people. */
  result(value: unknown, text: string): void {
    this.#out.write(this.json ? `${JSON.stringify(value)}\n` : `${text}\n`)
  }

  line(text = ''): void {
    this.#out.write(`${text}\n`)
  }

  /** Something beside the result: never in the way of a pipe. */
  note(text: string): void {
    this.#err.write(`${text}\n`)
  }

  /** A line that is overwritten by the next one, for people who wait; nothing when nobody watches. */
  progress(text: string): void {
    if (this.#err.isTTY) this.#err.write(`\r\u001b[K${text}`)
  }

  paint(style: Style, text: string): string {
    return this.#coloured ? styleText(style, text) : text
  }

  /** Columns as wide as their widest cell. Cells that a plug or a file filled cannot move the cursor. */
  table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
    const cells = rows.map((row) =>
      row.map((cell) => printable(cell === undefined || cell === null ? '' : String(cell))),
    )
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
    const told = Object.entries(values).filter(([, value]) => value !== undefined)
    const width = Math.max(...told.map(([name]) => name.length))
    return told
      .map(([name, value]) => `${this.paint('bold', name.padEnd(width))}  ${printable(spell(value))}`)
      .join('\n')
  }
}

function spell(value: unknown): string {
  if (value === null) return 'unknown'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Without control characters: what a plug says about itself must not drive a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '\ufffd')
}
