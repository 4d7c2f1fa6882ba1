import type {Clock, Timer} from '../../src/common/clock.ts'

const TICK_MS = 2
/** The longest time that one tick counts. */
const LONGEST_TICK_MS = 10

/**
 * Real time without the pauses of this process. When a busy machine stops the process for three seconds, a response that arrived in the
 * meantime is read before a timeout of 2 s ends, because all received datagrams are handled between two ticks. The behaviour of a bridge in
 * this process then depends on its plugs and its broker, not on the speed of the machine.
 */
export class SteadyClock implements Clock {
  readonly #times: number
  readonly #startedOn = Date.now()
  readonly #timers = new Set<{at: number; run: () => void}>()
  #now = 0
  /** The time of the next timer. */
  #nextAt = Number.POSITIVE_INFINITY
  #tickedAt = performance.now()

  /** @param times how many times as fast as real time. One tick, of up to 10 ms of real time, must stay shorter than the shortest timeout */
  constructor(times = 1) {
    this.#times = times
    setInterval(() => this.#tick(), TICK_MS).unref()
  }

  now(): number {
    return this.#now
  }

  /** The system's date, unless this clock is faster. */
  date(): Date {
    return this.#times === 1 ? new Date() : new Date(this.#startedOn + this.#now)
  }

  after(ms: number, run: () => void): Timer {
    const timer = {at: this.#now + Math.max(0, ms), run}
    this.#timers.add(timer)
    this.#nextAt = Math.min(this.#nextAt, timer.at)
    return {cancel: () => this.#timers.delete(timer)}
  }

  #tick(): void {
    const now = performance.now()
    this.#now += this.#times * Math.min(now - this.#tickedAt, LONGEST_TICK_MS)
    this.#tickedAt = now
    if (this.#nextAt > this.#now) return
    const due = [...this.#timers].filter(({at}) => at <= this.#now).sort((a, b) => a.at - b.at)
    // Timers that a timer sets or cancels are not in this list.
    for (const timer of due) if (this.#timers.delete(timer)) timer.run()
    this.#nextAt = Number.POSITIVE_INFINITY
    for (const {at} of this.#timers) this.#nextAt = Math.min(this.#nextAt, at)
  }
}

/** The default clock of all bridges and plugs in this process. */
export const steadyClock = new SteadyClock()
