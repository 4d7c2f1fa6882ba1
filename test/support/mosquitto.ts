import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll} from 'vitest'
import {freePort} from './addresses.ts'
import {onProcessExit} from './on-process-exit.ts'
import {until} from './wait.ts'

export {freePort}

const PROGRAM = '/usr/sbin/mosquitto'
const HOST = '127.0.0.1'
/** Tries to start: another process may take a port that was free a moment ago. */
const PORTS_TO_TRY = 5

const running = new Set<Mosquitto>()

afterAll(() => Promise.all([...running].map((broker) => broker.stop())))
onProcessExit(() => {
  for (const broker of running) broker.abandon()
})

export interface MosquittoOptions {
  /** A free one by default. */
  port?: number
  /** More lines for mosquitto.conf. */
  config?: readonly string[]
}

/**
 * A real broker on 127.0.0.1 that stores nothing on disk; stopped when the test file ends.
 * @throws Error with the broker's log, when it does not start
 */
export async function startMosquitto({port, config = []}: MosquittoOptions = {}): Promise<Mosquitto> {
  if (port !== undefined) return new Mosquitto(port, config).start()
  for (let tries = 1; ; tries++) {
    const broker = new Mosquitto(await freePort(), config)
    try {
      return await broker.start()
    } catch (error) {
      if (tries === PORTS_TO_TRY || !/Address already in use/.test(broker.log)) throw error
    }
  }
}

export class Mosquitto {
  readonly host = HOST
  readonly port: number
  /** The log of the broker, over all of its restarts. */
  log = ''
  readonly #config: readonly string[]
  #folder: string | undefined
  #process: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()

  constructor(port: number, config: readonly string[]) {
    this.port = port
    this.#config = config
  }

  get url(): string {
    return `mqtt://${HOST}:${this.port}`
  }

  async start(): Promise<this> {
    const from = this.log.length
    const child = spawn(PROGRAM, ['-c', this.#writeConfig()], {stdio: ['ignore', 'ignore', 'pipe']})
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.log += text
    })
    this.#process = child
    this.#exited = once(child, 'close')
    running.add(this)
    try {
      await until(() => isOver(child) || /mosquitto version \S+ running/.test(this.log.slice(from)), {
        what: () => `mosquitto is up; its log:\n${this.log}`,
      })
      if (isOver(child)) throw new Error(`mosquitto ended at once; its log:\n${this.log}`)
    } catch (error) {
      await this.kill()
      throw error
    }
    return this
  }

  /** Stops it as an administrator does: clients get a DISCONNECT first, and no wills are sent. */
  async stop(): Promise<void> {
    this.thaw()
    await this.#end('SIGTERM')
  }

  /** Stops it as a power cut does. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Starts it again at the same port, without any retained message or session. */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Suspends it: its connections stay open, and no packet is sent or read. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  /** For the exit of the process, when nothing can be awaited. */
  abandon(): void {
    this.#process?.kill('SIGKILL')
    this.#removeFolder()
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#process?.kill(signal)
    await this.#exited
    this.#process = undefined
    running.delete(this)
    this.#removeFolder()
  }

  #writeConfig(): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'miio2mqtt-mosquitto-'))
    const path = join(this.#folder, 'mosquitto.conf')
    const everybody = this.#config.some((line) => /^(allow_anonymous|password_file)\b/.test(line))
      ? []
      : ['allow_anonymous true']
    const ours = [
      `listener ${this.port} ${HOST}`,
      'persistence false',
      'log_dest stderr',
      'log_type all',
      'set_tcp_nodelay true',
      // Otherwise a broker started by root runs as the user `mosquitto`, who cannot read the files of a test.
      'user root',
    ]
    writeFileSync(path, `${[...ours, ...everybody, ...this.#config].join('\n')}\n`)
    return path
  }

  #removeFolder(): void {
    if (this.#folder) rmSync(this.#folder, {recursive: true, force: true})
    this.#folder = undefined
  }
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
