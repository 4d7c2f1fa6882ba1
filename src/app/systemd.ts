/**
 * Notifies systemd (sd_notify(3)) of readiness, reloads, status and the watchdog, in one of two ways. Node cannot open a Unix datagram
 * socket, so either systemd opens it (`OpenFile=/run/systemd/notify:notify`, from version 253 on), or the program `systemd-notify` sends
 * the message (the unit then needs `NotifyAccess=all`). Without either, every method does nothing.
 */
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {write} from 'node:fs'
import {promisify} from 'node:util'
import {type Clock, repeat, type Timer} from '../common/clock.ts'

/** Variables of the environment. */
export type SystemdEnvironment = Record<string, string | undefined>

export interface SystemdOptions {
  clock: Clock
  /** Called once, the first time that a notification fails. */
  onError?: (error: Error) => void
  /** Writes one datagram. Never synchronously: the socket blocks while systemd is busy. */
  write?: (fd: number, message: string) => Promise<unknown>
  /** Runs a program to its end; rejects when it cannot be started or fails. */
  run?: (program: string, args: readonly string[], env: SystemdEnvironment) => Promise<void>
}

const FIRST_PASSED_FD = 3
const SYSTEMD_VARIABLES = /^(LISTEN_|WATCHDOG_|NOTIFY_SOCKET$)/
/** Longer than the 5 s which `systemd-notify` itself waits for systemd. */
const SPAWN_LIMIT_MS = 10_000

/** The returned promises settle when the message was sent, and never reject: a problem with systemd must not end the bridge. */
export class SystemdNotifier {
  readonly #clock: Clock
  readonly #send: ((message: string) => Promise<unknown>) | undefined
  /** Milliseconds between two watchdog notifications; `undefined` without a watchdog. */
  readonly #watchdogPeriod: number | undefined
  #onError: ((error: Error) => void) | undefined
  /** Messages are sent one after the other: `READY` must not overtake `RELOADING`. */
  #last: Promise<unknown> = Promise.resolve()
  #watchdogTimer: Timer | undefined

  /** Reads the variables that systemd has set in `env`, and removes them, so that no child process notifies systemd instead. */
  constructor(env: SystemdEnvironment, options: SystemdOptions) {
    this.#clock = options.clock
    this.#onError = options.onError
    this.#send = sender(env, options)
    this.#watchdogPeriod = this.#send && watchdogPeriod(env)
    for (const name of Object.keys(env)) if (SYSTEMD_VARIABLES.test(name)) delete env[name]
  }

  /** The service is up, or has finished reloading. */
  ready(): Promise<unknown> {
    return this.#notify('READY=1')
  }

  /** The configuration is being read again; `ready()` ends it. With the time, systemd can match the message with its own signal. */
  reloading(): Promise<unknown> {
    return this.#notify(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  }

  stopping(): Promise<unknown> {
    return this.#notify('STOPPING=1')
  }

  /** One line for `systemctl status`. A line break would start another variable, and is made a space. */
  status(text: string): Promise<unknown> {
    return this.#notify(`STATUS=${text.replace(/\p{Cc}+/gu, ' ').trim()}`)
  }

  /** Notifies the watchdog as long as `isHealthy` returns true. When it does not, or throws, systemd restarts the service. */
  startWatchdog(isHealthy: () => boolean): void {
    if (this.#watchdogPeriod === undefined) return
    this.stop()
    this.#watchdogTimer = repeat(this.#clock, this.#watchdogPeriod, () => {
      try {
        if (isHealthy()) void this.#notify('WATCHDOG=1')
      } catch {
        // It is not known whether the bridge is healthy.
      }
    })
  }

  /** Stops notifying the watchdog. */
  stop(): void {
    this.#watchdogTimer?.cancel()
  }

  #notify(message: string): Promise<unknown> {
    const send = this.#send
    if (send)
      this.#last = this.#last
        .then(() => send(message))
        .catch((error: unknown) => {
          this.#onError?.(error instanceof Error ? error : new Error(String(error)))
          this.#onError = undefined
        })
    return this.#last
  }
}

function sender(
  env: SystemdEnvironment,
  {write: writeTo = promisify(write), run = runProgram}: SystemdOptions,
): ((message: string) => Promise<unknown>) | undefined {
  const {LISTEN_PID, LISTEN_FDNAMES, NOTIFY_SOCKET, PATH} = env
  // Descriptors for another process, such as our parent, are ignored. Without a name "notify" the index would be -1: standard error.
  const index = Number(LISTEN_PID) === process.pid ? (LISTEN_FDNAMES ?? '').split(':').indexOf('notify') : -1
  if (index >= 0) return (message) => writeTo(FIRST_PASSED_FD + index, message)
  if (NOTIFY_SOCKET) return (message) => run('systemd-notify', message.split('\n'), {NOTIFY_SOCKET, PATH})
  return undefined
}

/** Half of the timeout that systemd has set for this process, milliseconds. */
function watchdogPeriod({WATCHDOG_USEC, WATCHDOG_PID}: SystemdEnvironment): number | undefined {
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== process.pid) return undefined
  const microseconds = Number(WATCHDOG_USEC)
  return microseconds > 0 && Number.isFinite(microseconds) ? microseconds / 2 / 1000 : undefined
}

async function runProgram(program: string, args: readonly string[], env: SystemdEnvironment): Promise<void> {
  const child = spawn(program, args, {env, stdio: 'ignore', timeout: SPAWN_LIMIT_MS})
  const [code, signal] = await once(child, 'exit')
  if (code !== 0) throw new Error(`expected ${program} to end with 0, got ${code ?? signal}`)
}
