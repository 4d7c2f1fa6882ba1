/**
 * Limits what requests cost: `PacedQueue` starts one piece of work in each turn of the event loop and bounds the bytes of responses, and
 * `SharedWork` does the same work once for all who ask for it at the same time.
 */
import type {Clock} from '../../common/clock.ts'
import {CommandError} from '../../device/command-error.ts'

/**
 * Responses are published at no more bytes than these a millisecond. A broker takes them at some pace, and what it has not taken yet is
 * in our memory. A response may have megabytes where there are thousands of plugs.
 */
const BYTES_PER_MS = 2000
/** A shorter pause is no more than the turn of the event loop that is awaited anyway. */
const SHORTEST_PAUSE_MS = 10

/** A piece of work. It calls `sent` with the bytes of each message that it has published. */
export type PacedWork = (sent: (bytes: number) => void) => Promise<void>

/** Commands, polls and packets from the broker overtake what waits here: each piece of work has a turn of the event loop of its own. */
export class PacedQueue {
  readonly #clock: Clock
  readonly #waiting: (() => void)[] = []
  /** Milliseconds that are left to the rest of the bridge before the next piece of work. */
  #pause = 0
  #isScheduled = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many pieces of work have not started. */
  get length(): number {
    return this.#waiting.length
  }

  /** Starts the work in its turn. Settles as the work does. */
  add(work: PacedWork): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        work((bytes) => {
          this.#pause += bytes / BYTES_PER_MS
        }).then(resolve, reject)
      })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return
    this.#isScheduled = true
    const pause = this.#pause
    this.#pause = 0
    const nextTurn = () => setImmediate(() => this.#startNext())
    if (pause < SHORTEST_PAUSE_MS) nextTurn()
    else this.#clock.after(pause, nextTurn)
  }

  #startNext(): void {
    this.#isScheduled = false
    const startedAt = this.#clock.now()
    this.#waiting.shift()?.()
    this.#pause += this.#clock.now() - startedAt // half of the time is for the rest of the bridge
    this.#schedule()
  }
}

export interface SharedWorkOptions<T> {
  clock: Clock
  /** How many callers may share one piece of work. */
  most: number
  /** For how many milliseconds a result is also returned to later callers; for none when missing. */
  validFor?: (result: T) => number
}

/** Work that is done once for all callers that ask for it meanwhile. */
export class SharedWork<T> {
  readonly #options: SharedWorkOptions<T>
  #current: {key: string; result: Promise<T>; callers: number; until: number} | undefined

  constructor(options: SharedWorkOptions<T>) {
    this.#options = options
  }

  /**
   * The result of the work, or of the same work that is under way.
   * @param key identifies the work
   * @throws CommandError `queue_full` while other work is under way, or when too many callers share this one
   */
  async run(key: string, work: () => Promise<T>): Promise<T> {
    const {clock, most, validFor} = this.#options
    const current = this.#current
    if (!current || clock.now() >= current.until) return this.#start(key, work, validFor)
    if (current.key !== key || current.callers >= most)
      throw new CommandError('queue_full', 'the same request is in progress: send it again after the answer')
    current.callers++
    return current.result
  }

  async #start(key: string, work: () => Promise<T>, validFor = (_: T) => 0): Promise<T> {
    const current = {key, result: work(), callers: 1, until: Number.POSITIVE_INFINITY}
    this.#current = current
    try {
      const result = await current.result
      current.until = this.#options.clock.now() + validFor(result)
      return result
    } catch (error) {
      current.until = Number.NEGATIVE_INFINITY
      throw error
    }
  }
}
