import type {Clock, Timer} from '../../src/common/clock.ts'

/** A clock that a test advances. Timers fire in order of their time, with all promises settled in between. */
export class VirtualClock implements Clock {
  #now = 0
  #sequence = 0
  readonly #timers = new Set<{at: number; sequence: number; run: () => void}>()

  now(): number {
    return this.#now
  }

  date(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#now)
  }

  after(ms: number, run: () => void): Timer {
    const timer = {at: this.#now + Math.max(0, ms), sequence: this.#sequence++, run}
    this.#timers.add(timer)
    return {cancel: () => this.#timers.delete(timer)}
  }

  /** How many timers are set: none may be left at the end. */
  get pending(): number {
    return this.#timers.size
  }

  /** Lets `ms` milliseconds pass. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, timer.at)
      timer.run()
      await settle()
    }
    this.#now = end
  }

  /** Suspends the process for `ms` milliseconds: timers that were due in that time fire afterwards, one after the other. */
  async jump(ms: number): Promise<void> {
    this.#now += ms
    await this.advance(0)
  }

  #next(end: number) {
    let first: {at: number; sequence: number; run: () => void} | undefined
    for (const timer of this.#timers)
      if (
        timer.at <= end &&
        (!first || timer.at < first.at || (timer.at === first.at && timer.sequence < first.sequence))
      )
        first = timer
    return first
  }
}

/** Waits until all promises that can settle have settled. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The same "random" numbers for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
