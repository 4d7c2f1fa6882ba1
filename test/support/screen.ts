/** The screen of a real terminal: a pseudo-terminal and a terminal emulator. */
import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Terminal} from '@xterm/headless'
import {afterAll} from 'vitest'
import {onProcessExit} from './on-process-exit.ts'
import {PATIENCE_MS, until} from './wait.ts'

const open = new Set<TerminalScreen>()

afterAll(async () => {
  for (const screen of open) await screen.close()
})

onProcessExit(() => {
  for (const screen of open) screen.kill()
})

export interface ScreenOptions {
  /** Characters in a line; 80 by default. */
  columns?: number
  /** Lines before the screen scrolls; 100 by default. Scrolled lines are still in `lines`. */
  rows?: number
  env?: Readonly<Record<string, string>>
  cwd?: string
  /** Another program than `miio2mqtt`, as a shell command. */
  command?: string
}

/** `miio2mqtt …` on a pseudo-terminal (`npm run build` comes first). `script` is part of every Debian (package bsdutils). */
export class TerminalScreen {
  readonly home = mkdtempSync(join(tmpdir(), 'miio2mqtt-screen-'))
  readonly #terminal: Terminal
  readonly #process: ChildProcess
  readonly #closed: Promise<unknown>

  constructor(
    args: readonly string[],
    {columns = 80, rows = 100, env = {}, cwd, command}: ScreenOptions = {},
  ) {
    this.#terminal = new Terminal({cols: columns, rows, scrollback: 10_000, allowProposedApi: true})
    const program =
      command ?? [process.execPath, join(process.cwd(), 'dist/main.js'), ...args].map(quoted).join(' ')
    const shell = `stty cols ${columns} rows ${rows} && exec ${program}`
    const {PATH = ''} = process.env
    const child = spawn('script', ['--quiet', '--return', '--command', shell, '/dev/null'], {
      cwd: cwd ?? this.home,
      env: {
        PATH,
        HOME: this.home,
        STATE_DIRECTORY: join(this.home, 'state'),
        SHELL: '/bin/sh',
        TERM: 'xterm-256color',
        ...env,
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    child.stdout?.on('data', (chunk: Buffer) => this.#terminal.write(chunk))
    this.#process = child
    this.#closed = once(child, 'close')
    open.add(this)
  }

  /** The screen with its scrolled lines, without spaces at the ends of lines and without empty lines at the end. */
  get lines(): string[] {
    const buffer = this.#terminal.buffer.active
    const lines = Array.from(
      {length: buffer.length},
      (_, y) => buffer.getLine(y)?.translateToString(true) ?? '',
    )
    const last = lines.findLastIndex((line) => line.trimEnd() !== '')
    return lines.slice(0, last + 1).map((line) => line.trimEnd())
  }

  get text(): string {
    return this.lines.join('\n')
  }

  /** Lines that were too long for the screen, as the terminal wrapped them: within a word. */
  get wrappedLines(): string[] {
    const buffer = this.#terminal.buffer.active
    const isContinued = (y: number) => buffer.getLine(y + 1)?.isWrapped === true
    return this.lines.filter((_, y) => isContinued(y))
  }

  /** As `text`, with wrapped lines joined, as when they are selected and copied. */
  get copied(): string {
    const buffer = this.#terminal.buffer.active
    const rows = Array.from({length: buffer.length}, (_, y) => buffer.getLine(y))
    return rows
      .map((row, y) => {
        const isContinued = rows[y + 1]?.isWrapped === true
        return `${row?.translateToString(!isContinued) ?? ''}${isContinued ? '' : '\n'}`
      })
      .join('')
      .trimEnd()
  }

  /** The colour of the first character of `text` on the screen, 0 to 255; -1 for the default colour. @throws Error when the screen does not show it */
  colourOf(text: string): number {
    const y = this.lines.findIndex((line) => line.includes(text))
    const x = this.lines[y]?.indexOf(text) ?? -1
    const cell = this.#terminal.buffer.active.getLine(y)?.getCell(x)
    if (!cell) throw new Error(`expected ${JSON.stringify(text)} on the screen:\n${this.text}`)
    return cell.isFgDefault() ? -1 : cell.getFgColor()
  }

  /** Types, as on a keyboard: `\x03` is Ctrl-C, `\r` is Enter. */
  type(keys: string): void {
    this.#process.stdin?.write(keys)
  }

  /** Waits until the screen matches `pattern`. @throws Error with the text of the screen */
  async shows(pattern: RegExp, within = PATIENCE_MS): Promise<RegExpMatchArray> {
    return until(() => pattern.exec(this.text), {
      within,
      what: () => `${pattern} on the screen:\n${this.text}`,
    })
  }

  /** Waits for the end of the program. @returns its exit code */
  async ended(within = PATIENCE_MS): Promise<number | null> {
    await until(() => this.#process.exitCode !== null || this.#process.signalCode !== null, {
      within,
      what: () => `the end of the program, whose screen shows:\n${this.text}`,
    })
    await this.#closed
    await new Promise<void>((resolve) => this.#terminal.write('', resolve))
    open.delete(this)
    rmSync(this.home, {recursive: true, force: true})
    return this.#process.exitCode
  }

  /** `script` passes SIGTERM on to the program on its terminal. */
  async close(): Promise<void> {
    this.#process.kill('SIGTERM')
    await this.ended()
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
