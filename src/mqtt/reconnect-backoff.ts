/**
 * How long to wait before the next attempt to connect, with backoff and jitter; and whether connections come and go (flapping),
 * so that they are not worth a log line each.
 */
import {jitter, type Random} from '../common/clock.ts'

/** Short, since plugs should be back within seconds of the broker, and a home has one bridge, not a thousand. */
const FIRST_DELAY_MS = 1000
const MAX_DELAY_MS = 5000
/** For what does not go away by itself: a wrong password, an access list, another client with the same client id. */
const MAX_DELAY_IN_TROUBLE_MS = 60_000
/** A connection that lasted longer was a stable one. */
const STABLE_MS = 5000
/**
 * After flapping a stable connection must outlast the longest delays: another client with the same client id waits as long as
 * we do, and takes the place again.
 */
const STABLE_AFTER_FLAPPING_MS = 3 * MAX_DELAY_IN_TROUBLE_MS
/** So many connections in a row that ended at once are no accident. */
const FLAPPING_CONNECTIONS = 3

/** The delay before the next attempt to connect, and whether the connection is flapping. */
export class ReconnectBackoff {
  readonly #random: Random
  #delay = FIRST_DELAY_MS
  #shortConnections = 0
  #isRefused = false

  constructor(random: Random) {
    this.#random = random
  }

  /** Whether connections come and go, for a reason that does not go away by itself. */
  get isFlapping(): boolean {
    return this.#shortConnections >= FLAPPING_CONNECTIONS
  }

  /** The broker refuses the client, and will refuse it the next time. */
  connectRefused(): void {
    this.#isRefused = true
  }

  /** The broker has accepted the client. */
  connectAccepted(): void {
    if (this.#isRefused) this.#delay = FIRST_DELAY_MS
    this.#isRefused = false
  }

  /** What ended the last connections is not sent any more, so that the next one will last. */
  causeRemoved(): void {
    this.#delay = FIRST_DELAY_MS
    this.#shortConnections = 0
  }

  /** Whether a connection that lasted `ms` milliseconds was a stable one. */
  isStable(ms: number): boolean {
    return ms > (this.isFlapping ? STABLE_AFTER_FLAPPING_MS : STABLE_MS)
  }

  /**
   * A connection has ended that lasted `ms` milliseconds.
   * @param isFlapping whether it is certain that the next one will end, too: another client has taken the place, or the broker
   *   acknowledges nothing
   * @returns whether it was a stable one: delays are short again then
   */
  connectionEnded(ms: number, isFlapping: boolean): boolean {
    const isStable = this.isStable(ms)
    if (isStable) this.#delay = FIRST_DELAY_MS
    this.#shortConnections = isStable ? 0 : this.#shortConnections + 1
    if (isFlapping) this.#shortConnections = FLAPPING_CONNECTIONS
    return isStable
  }

  /** Milliseconds until the next attempt, ± 20 %; twice as long each time. */
  nextDelay(): number {
    const delay = jitter(this.#delay, 0.2, this.#random)
    const max = this.#isRefused || this.isFlapping ? MAX_DELAY_IN_TROUBLE_MS : MAX_DELAY_MS
    this.#delay = Math.min(this.#delay * 2, max)
    return delay
  }
}
