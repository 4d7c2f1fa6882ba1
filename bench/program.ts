/** Programs under measurement, as processes of their own: what such a process uses is the program's alone. */
import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFileSync} from 'node:fs'

/** What `/proc` counts CPU time in on Linux, whatever the kernel's own tick is. */
const MS_PER_TICK = 10
const MAIN = 'dist/main.js'

/** As of too many listeners: a fault of the program, which must not go unseen. */
const NODE_WARNING = /^\(node:\d+\) /m

const running = new Set<Program>()
// Nothing outlives the benchmark, however it ends.
process.once('exit', () => {
  for (const program of running) program.abandon()
})

export class Program {
  /** What it printed on standard output so far. */
  output = ''
  /** What it printed on standard error so far. */
  errors = ''
  readonly #name: string
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown>

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#name = [command, ...args].join(' ')
    const child = spawn(command, args, {stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, ...env}})
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
      if (NODE_WARNING.test(text)) process.stderr.write(`${this.#name}: ${text}`)
    })
    this.#process = child
    this.#ended = once(child, 'close')
    running.add(this)
  }

  /** Our own program, as built into `dist`. */
  static miio2mqtt(args: readonly string[], nodeOptions: readonly string[] = []): Program {
    return new Program(process.execPath, [...nodeOptions, MAIN, ...args])
  }

  /** The same with as many open files as this user may have: each simulated plug has one, and shells often allow 1,024 only. */
  static withManyFiles(args: readonly string[]): Program {
    const raised = 'ulimit -n "$(ulimit -H -n)"; exec "$@"'
    return new Program('sh', ['-c', raised, 'sh', process.execPath, MAIN, ...args])
  }

  get pid(): number {
    return this.#process.pid ?? Number.NaN
  }

  /** CPU time used since its start, milliseconds, user and system together. Exact to 20 ms. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8')
    // The name in brackets may hold spaces; user and system time are the 12th and 13th field after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK
  }

  /** Resident memory in MB: now, and the most there ever was. */
  memory(): {rss: number; peak: number} {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8')
    const megabytes = (key: string) =>
      Math.round(Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]) / 1024)
    return {rss: megabytes('VmRSS'), peak: megabytes('VmHWM')}
  }

  /** Resolves once `condition` holds. @throws Error with what it printed, when it ends before */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#isOver) throw new Error(`${this.#name} has ended:\n${this.output}${this.errors}`)
      await Promise.race([this.#ended, pause(20)])
    }
  }

  /** Resolves once it has ended by itself. @throws Error with what it printed, when it failed */
  async end(): Promise<void> {
    await this.#ended
    running.delete(this)
    if (this.#process.exitCode !== 0)
      throw new Error(`${this.#name} has failed:\n${this.output}${this.errors}`)
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  async stop(): Promise<void> {
    running.delete(this)
    this.#process.kill('SIGTERM')
    await this.#ended
  }

  /** For the last moment, when nothing can be awaited any more. */
  abandon(): void {
    this.#process.kill('SIGKILL')
  }

  get #isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
