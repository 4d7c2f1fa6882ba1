/**
 * Limits what requests cost: `PacedQueue` starts one piece of work in each turn of the event loop and bounds the bytes of responses, and
 * `SharedWork` does the same work once for all who ask for it at the same time.
 */
import type {Clock} from '../../common/clock.ts'
import {CommandError} from '../../device/command-error.ts'

/**
 * Responses are published at no more bytes than these a millisecond: what the broker has not taken yet is in memory. A response may have
 * megabytes where there are thousands of plugs.
 */
const BYTES_PER_MS = 2000
/** A shorter delay is no more than the turn of the event loop that is awaited anyway. */
const MIN_DELAY_MS = 10

/** Commands, polls and packets from the broker overtake what waits here: each piece of work has a turn of the event loop of its own. */
export class PacedQueue {
  readonly #clock: Clock
  readonly #waiting: (() => void)[] = []
  /** Wait before the next piece of work, in proportion to the bytes just published, and to the time that the last one took. */
  #delay = 0
  #isScheduled = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many pieces of work have not started. */
  get length(): number {
    return this.#waiting.length
  }

  /** Starts the work in its turn. Settles as the work does. @param work returns how many bytes it has published */
  add(work: () => Promise<number>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        work().then((bytes) => {
          this.#delay += bytes / BYTES_PER_MS
          resolve()
        }, reject)
      })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return
    this.#isScheduled = true
    const delay = this.#delay
    this.#delay = 0
    const nextTurn = () => setImmediate(() => this.#startNext())
    if (delay < MIN_DELAY_MS) nextTurn()
    else this.#clock.after(delay, nextTurn)
  }

  #startNext(): void {
    this.#isScheduled = false
    const startedAt = this.#clock.now()
    this.#waiting.shift()?.()
    this.#delay += this.#clock.now() - startedAt // half of the time is for the rest of the bridge
    this.#schedule()
  }
}

/** Work that is done once for all callers that ask for it meanwhile. */
export class SharedWork<T> {
  readonly #clock: Clock
  readonly #maxCallers: number
  readonly #validFor: (result: T) => number
  #current: {key: string; result: Promise<T>; callers: number; until: number} | undefined

  /**
   * @param maxCallers how many callers may share one piece of work
   * @param validFor for how many milliseconds a result is also returned to later callers
   */
  constructor(clock: Clock, maxCallers: number, validFor: (result: T) => number = () => 0) {
    this.#clock = clock
    this.#maxCallers = maxCallers
    this.#validFor = validFor
  }

  /**
   * The result of the work, or of the same work that is under way.
   * @param key identifies the work
   * @throws CommandError `queue_full` while other work is under way, or when too many callers share this one
   */
  async run(key: string, work: () => Promise<T>): Promise<T> {
    const shared = this.#current
    if (shared && this.#clock.now() < shared.until) {
      if (shared.key !== key || shared.callers >= this.#maxCallers)
        throw new CommandError(
          'queue_full',
          'the same request is in progress: send it again after the answer',
        )
      shared.callers++
      return shared.result
    }
    const current = {key, result: work(), callers: 1, until: Number.POSITIVE_INFINITY}
    this.#current = current
    try {
      const result = await current.result
      current.until = this.#clock.now() + this.#validFor(result)
      return result
    } catch (error) {
      current.until = Number.NEGATIVE_INFINITY
      throw error
    }
  }
}
