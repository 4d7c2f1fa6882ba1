/**
 * Notifies systemd (sd_notify(3)) of readiness, reloads, status and the watchdog, in one of two ways. Node cannot open a Unix datagram
 * socket, so either systemd opens it (`OpenFile=/run/systemd/notify:notify`, from version 253 on), or the program `systemd-notify` sends
 * the message (the unit then needs `NotifyAccess=all`). Without either, every method does nothing.
 */
import * as childProcess from 'node:child_process'
import * as fs from 'node:fs'
import type {Clock, Timer} from '../common/clock.ts'

export type SystemdEnvironment = Record<string, string | undefined>

/** Writes one datagram. Never synchronously: the socket blocks while systemd is busy. */
type NotifyWrite = (fd: number, message: string) => Promise<void>
/** Runs a program to its end; rejects when it cannot be started or fails. */
type NotifySpawn = (program: string, args: readonly string[], env: SystemdEnvironment) => Promise<void>

export interface SystemdEdges {
  clock: Clock
  write?: NotifyWrite
  spawn?: NotifySpawn
  /** Called once, the first time that a notification fails. */
  onError?: (error: Error) => void
}

type Send = (message: string) => Promise<void>

const FIRST_PASSED_FD = 3
const SYSTEMD_VARIABLES = /^(LISTEN_|WATCHDOG_|NOTIFY_SOCKET$)/
/** Longer than the 5 s which `systemd-notify` itself waits for systemd. */
const SPAWN_LIMIT_MS = 10_000

/** The returned promises settle when the message was sent, and never reject: a problem with systemd must not end the bridge. */
export class SystemdNotifier {
  /** Milliseconds between two watchdog notifications: half of the timeout that systemd has set; `undefined` without a watchdog. */
  readonly watchdogPeriod: number | undefined
  readonly #clock: Clock
  readonly #send: Send | undefined
  #onError: ((error: Error) => void) | undefined
  /** Messages are sent one after the other: `READY` must not overtake `RELOADING`. */
  #last: Promise<void> = Promise.resolve()
  #watchdogTimer: Timer | undefined

  constructor(
    send: Send | undefined,
    watchdogPeriod: number | undefined,
    clock: Clock,
    onError?: (error: Error) => void,
  ) {
    this.#send = send
    this.watchdogPeriod = watchdogPeriod
    this.#clock = clock
    this.#onError = onError
  }

  /** Reads the variables that systemd has set in `env`, and removes them, so that no child process notifies systemd instead. */
  static fromEnvironment(env: SystemdEnvironment, edges: SystemdEdges): SystemdNotifier {
    const send = sender(env, edges.write ?? writeDatagram, edges.spawn ?? runProgram)
    const period = watchdogPeriod(env)
    for (const name of Object.keys(env)) if (SYSTEMD_VARIABLES.test(name)) delete env[name]
    return new SystemdNotifier(send, period, edges.clock, edges.onError)
  }

  /** The service is up, or has finished reloading. */
  ready(): Promise<void> {
    return this.#notify('READY=1')
  }

  /** The configuration is being read again; `ready()` ends it. With the time, systemd can match the message with its own signal. */
  reloading(): Promise<void> {
    return this.#notify(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  }

  stopping(): Promise<void> {
    return this.#notify('STOPPING=1')
  }

  /** One line for `systemctl status`. A line break would start another variable, and is made a space. */
  status(text: string): Promise<void> {
    return this.#notify(`STATUS=${text.replace(/\p{Cc}+/gu, ' ').trim()}`)
  }

  /** Notifies the watchdog once. */
  watchdog(): Promise<void> {
    return this.#notify('WATCHDOG=1')
  }

  /** Notifies the watchdog as long as `isHealthy` returns true. When it does not, or throws, systemd restarts the service. */
  startWatchdog(isHealthy: () => boolean): void {
    if (this.#send === undefined || this.watchdogPeriod === undefined) return
    this.stop()
    this.#notifyWatchdogEvery(this.watchdogPeriod, isHealthy)
  }

  /** Stops notifying the watchdog. */
  stop(): void {
    this.#watchdogTimer?.cancel()
    this.#watchdogTimer = undefined
  }

  #notifyWatchdogEvery(ms: number, isHealthy: () => boolean): void {
    this.#watchdogTimer = this.#clock.after(ms, () => {
      this.#notifyWatchdogEvery(ms, isHealthy)
      if (isCertainly(isHealthy)) this.watchdog()
    })
  }

  #notify(message: string): Promise<void> {
    const send = this.#send
    if (send) this.#last = this.#last.then(() => send(message)).catch((error: unknown) => this.#report(error))
    return this.#last
  }

  #report(error: unknown): void {
    const report = this.#onError
    this.#onError = undefined
    report?.(error instanceof Error ? error : new Error(String(error)))
  }
}

function sender(env: SystemdEnvironment, write: NotifyWrite, spawn: NotifySpawn): Send | undefined {
  const fd = passedSocket(env)
  if (fd !== undefined) return (message) => write(fd, message)
  const {NOTIFY_SOCKET, PATH} = env
  if (NOTIFY_SOCKET) return (message) => spawn('systemd-notify', message.split('\n'), {NOTIFY_SOCKET, PATH})
  return undefined
}

/** The file descriptor that systemd has named `notify`. Descriptors for another process, such as our parent, are ignored. */
function passedSocket({LISTEN_PID, LISTEN_FDNAMES}: SystemdEnvironment): number | undefined {
  if (Number(LISTEN_PID) !== process.pid || LISTEN_FDNAMES === undefined) return undefined
  const index = LISTEN_FDNAMES.split(':').indexOf('notify')
  // Without this check an unknown name would be index -1: standard error.
  return index < 0 ? undefined : FIRST_PASSED_FD + index
}

function watchdogPeriod({WATCHDOG_USEC, WATCHDOG_PID}: SystemdEnvironment): number | undefined {
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== process.pid) return undefined
  const microseconds = Number(WATCHDOG_USEC)
  return microseconds > 0 && Number.isFinite(microseconds) ? microseconds / 2 / 1000 : undefined
}

function isCertainly(condition: () => boolean): boolean {
  try {
    return condition()
  } catch {
    return false
  }
}

function writeDatagram(fd: number, message: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.write(fd, message, (error) => (error ? reject(error) : resolve()))
  })
}

function runProgram(program: string, args: readonly string[], env: SystemdEnvironment): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = childProcess.spawn(program, args, {env, stdio: 'ignore', timeout: SPAWN_LIMIT_MS})
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(`expected ${program} to end with 0, got ${code ?? signal}`))
    })
  })
}
