import {type Clock, systemClock, type Timer} from '../../src/clock.ts'

/**
 * The system's clock, so many times as fast: minutes of a real bridge, with real sockets, in seconds. A try of 2 s must still be
 * longer than the test process ever stands still.
 */
export class FastClock implements Clock {
  readonly #times: number
  readonly #startedAt = systemClock.now()
  readonly #startedOn = systemClock.date().getTime()

  constructor(times: number) {
    this.#times = times
  }

  now(): number {
    return (systemClock.now() - this.#startedAt) * this.#times
  }

  date(): Date {
    return new Date(this.#startedOn + this.now())
  }

  after(ms: number, run: () => void): Timer {
    return systemClock.after(ms / this.#times, run)
  }
}
