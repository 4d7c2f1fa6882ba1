/** Detects that this process stood still: a suspended machine, SIGSTOP, a frozen container, a blocked event loop (docs/promises.md, 68). */
import {uptime} from 'node:os'
import {type Clock, repeat, type Timer} from '../common/clock.ts'

const TICK_MS = 1000
/** Commands live 10 s by default: after a pause this long, every message that waits in a socket is too old to be carried out. */
const PAUSE_MS = 15_000

/** Calls back after every pause of 15 s or longer. */
export class PauseDetector {
  readonly #clock: Clock
  readonly #onPause: (ms: number) => void
  readonly #uptime: () => number
  #last: {now: number; date: number; uptime: number} | undefined
  #timer: Timer | undefined

  /**
   * @param onPause called with the length of the pause, milliseconds
   * @param systemUptime milliseconds since the machine started, time in suspend included. `Clock.now()` stands still in suspend
   * (CLOCK_MONOTONIC of Linux), and the time of day may be changed
   */
  constructor(
    clock: Clock,
    onPause: (ms: number) => void,
    systemUptime: () => number = () => uptime() * 1000,
  ) {
    this.#clock = clock
    this.#onPause = onPause
    this.#uptime = systemUptime
  }

  start(): void {
    this.#last = this.#read()
    this.#timer = repeat(this.#clock, TICK_MS, () => {
      this.check()
      if (this.#last) this.#last.uptime = this.#uptime()
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#last = undefined
  }

  /**
   * To be called before an incoming message is handled: after a pause, a socket may be read before a timer fires.
   * @returns whether the process stood still since the last check
   */
  check(): boolean {
    const last = this.#last
    if (!last) return false
    const now = this.#clock.now()
    const date = this.#clock.date().getTime()
    // Reading the uptime is a system call, and this is called for every message: only a gap on another clock is worth it.
    const isGap = now - last.now >= PAUSE_MS || date - last.date >= PAUSE_MS
    if (!isGap) {
      last.now = now
      last.date = date
      return false
    }
    this.#last = this.#read()
    const ms = Math.max(now - last.now, this.#last.uptime - last.uptime)
    if (ms < PAUSE_MS) return false
    this.#onPause(ms)
    return true
  }

  #read(): {now: number; date: number; uptime: number} {
    return {now: this.#clock.now(), date: this.#clock.date().getTime(), uptime: this.#uptime()}
  }
}
