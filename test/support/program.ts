import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll} from 'vitest'
import {onProcessExit} from './on-process-exit.ts'
import {PATIENCE_MS, until} from './wait.ts'

const running = new Set<Program>()

afterAll(async () => {
  for (const program of running) await program.abandon()
})

onProcessExit(() => {
  for (const program of running) program.signal('SIGKILL')
})

export interface ProgramOptions {
  /** Variables in addition to those of a shell. The environment of the tests is not passed on. */
  env?: Readonly<Record<string, string>>
  cwd?: string
  /** The entry file, where it is not that of the program. */
  entry?: string
}

export interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** `miio2mqtt …` as a user runs it (`npm run build` comes first), with an empty folder as its home; stopped when the test file ends. */
export class Program {
  readonly home = mkdtempSync(join(tmpdir(), 'miio2mqtt-program-'))
  readonly #process: ChildProcess
  readonly #closed: Promise<unknown>
  readonly #out: Buffer[] = []
  readonly #err: Buffer[] = []

  constructor(args: readonly string[], {env = {}, cwd, entry = 'dist/main.js'}: ProgramOptions = {}) {
    const {PATH = ''} = process.env
    const child = spawn(process.execPath, [join(process.cwd(), entry), ...args], {
      cwd: cwd ?? this.home,
      env: {PATH, HOME: this.home, STATE_DIRECTORY: join(this.home, 'state'), ...env},
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.on('data', (chunk: Buffer) => this.#out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => this.#err.push(chunk))
    this.#process = child
    this.#closed = once(child, 'close')
    running.add(this)
  }

  get stdout(): string {
    return this.output('stdout').toString()
  }

  get stderr(): string {
    return this.output('stderr').toString()
  }

  get isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  get pid(): number {
    return this.#process.pid ?? Number.NaN
  }

  /** Its whole output, as bytes. */
  output(stream: 'stdout' | 'stderr'): Buffer {
    return Buffer.concat(stream === 'stdout' ? this.#out : this.#err)
  }

  /** Waits until its output on either stream matches `pattern`. @throws Error with its output */
  async waitForOutput(pattern: RegExp, within = PATIENCE_MS): Promise<RegExpMatchArray> {
    const look = () => `${this.stdout}\n${this.stderr}`
    return until(() => pattern.exec(look()) ?? this.#mustRun(pattern), {
      within,
      what: () => `${pattern} from the program, whose output is:\n${look()}`,
    })
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name)
  }

  /** @param within milliseconds. @throws Error with its output when it runs for longer */
  async waitForEnd(within = PATIENCE_MS): Promise<Ending> {
    await until(() => this.isOver, {
      within,
      what: () => `the end of the program, whose output is:\n${this.stdout}\n${this.stderr}`,
    })
    await this.#closed
    running.delete(this)
    const {exitCode: code, signalCode: signal} = this.#process
    const {stdout, stderr} = this
    rmSync(this.home, {recursive: true, force: true})
    return {code, signal, stdout, stderr}
  }

  /** Kills it. */
  async abandon(): Promise<void> {
    this.signal('SIGKILL')
    await this.waitForEnd()
  }

  #mustRun(pattern: RegExp): undefined {
    if (!this.isOver) return undefined
    throw new Error(`the program has ended without ${pattern}`)
  }
}

/** Runs `miio2mqtt …` to its end. */
export function miio2mqtt(args: readonly string[], options?: ProgramOptions): Promise<Ending> {
  return new Program(args, options).waitForEnd()
}
