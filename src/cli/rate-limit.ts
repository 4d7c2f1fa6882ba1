/** What may be asked for at any time, and happens only so often. */
import {type Clock, sleep} from '../common/clock.ts'

export class RateLimit {
  readonly #clock: Clock
  readonly #ms: number
  #next = Number.NEGATIVE_INFINITY

  /** @param ms milliseconds from the begin of one to the begin of the next */
  constructor(clock: Clock, ms: number) {
    this.#clock = clock
    this.#ms = ms
  }

  /** Does the work now, or when its time has come. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const now = this.#clock.now()
    const at = Math.max(now, this.#next)
    this.#next = at + this.#ms
    if (at > now) await sleep(this.#clock, at - now)
    return work()
  }
}
