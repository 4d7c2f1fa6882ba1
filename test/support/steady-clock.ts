import type {Clock, Timer} from '../../src/common/clock.ts'

const TICK_MS = 2
/** The most that one tick counts for. */
const LONGEST_TICK_MS = 10

/**
 * Real time without the pauses of this process. When a busy machine stops the process for three seconds, an answer that arrived in the
 * meantime is read before a timeout of 2 s ends, because everything that has arrived is handled between two ticks. What a bridge in
 * this process does then depends on its plugs and its broker, not on the speed of the machine.
 */
export class SteadyClock implements Clock {
  readonly #times: number
  readonly #startedOn = Date.now()
  readonly #timers = new Set<{at: number; run: () => void}>()
  #now = 0
  /** No timer is due before. */
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

  /** The system's, unless time is faster here. */
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
    // One that is set or cancelled by another is not among these any more, or not yet.
    for (const timer of due) if (this.#timers.delete(timer)) timer.run()
    this.#nextAt = Number.POSITIVE_INFINITY
    for (const {at} of this.#timers) this.#nextAt = Math.min(this.#nextAt, at)
  }
}

/** Of all bridges and plugs in this process that need no other. */
export const steadyClock = new SteadyClock()
