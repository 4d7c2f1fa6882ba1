/** How long to wait before the broker is tried again, and whether the line has become one that is not worth a word each time. */
import {jitter, type Random} from '../common/clock.ts'

/** Short, since a broker that comes back should see its plugs within seconds; a home has one bridge, not a thousand. */
const FIRST_MS = 1000
const LONGEST_MS = 5000
/** What does not go away by itself (a password, an access list, another client with our id) is not tried more often. */
const LONGEST_IN_TROUBLE_MS = 60_000
/** A connection that lasted so long was a good one. */
const GOOD_MS = 5000
/** When connections come and go it has to outlast the longest waits: another client with our id waits as long as we do. */
const GOOD_AFTER_FLAPPING_MS = 3 * LONGEST_IN_TROUBLE_MS
/** So many connections in a row that were over at once are no accident. */
const TOO_MANY_SHORT_ONES = 3

export class ReconnectBackoff {
  readonly #random: Random
  #wait = FIRST_MS
  #shortOnes = 0
  #isRefused = false

  constructor(random: Random) {
    this.#random = random
  }

  /** Connections come and go, for a reason that does not go away by itself. */
  get isFlapping(): boolean {
    return this.#shortOnes >= TOO_MANY_SHORT_ONES
  }

  /** The broker does not let us in, and will not the next time. */
  refused(): void {
    this.#isRefused = true
  }

  /** The broker let us in. */
  accepted(): void {
    if (this.#isRefused) this.#wait = FIRST_MS
    this.#isRefused = false
  }

  /** What ended the last connections will not end the next one. */
  mended(): void {
    this.#wait = FIRST_MS
    this.#shortOnes = 0
  }

  /** Whether a connection that lasted `ms` milliseconds is no part of a trouble. */
  isGood(ms: number): boolean {
    return ms > (this.isFlapping ? GOOD_AFTER_FLAPPING_MS : GOOD_MS)
  }

  /**
   * A connection is over that lasted `ms` milliseconds; `isContested` when somebody took our place in it.
   * @returns whether it was a good one, after which everything begins anew
   */
  lasted(ms: number, isContested: boolean): boolean {
    const isGood = this.isGood(ms)
    if (isGood) this.#wait = FIRST_MS
    this.#shortOnes = isGood ? 0 : this.#shortOnes + 1
    if (isContested) this.#shortOnes = TOO_MANY_SHORT_ONES
    return isGood
  }

  /** Milliseconds until the next attempt; twice as long each time. */
  next(): number {
    const wait = jitter(this.#wait, 0.2, this.#random)
    const longest = this.#isRefused || this.isFlapping ? LONGEST_IN_TROUBLE_MS : LONGEST_MS
    this.#wait = Math.min(this.#wait * 2, longest)
    return wait
  }
}
