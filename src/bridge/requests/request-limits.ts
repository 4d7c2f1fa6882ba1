/** Work that others ask for, one piece for each turn of the event loop: commands, polls and the broker overtake what waits here. */
import type {Clock} from '../../common/clock.ts'

/**
 * Answers leave at no more bytes than these a millisecond: a broker takes them at some pace, and what it has not taken yet lies in
 * memory. An answer may have megabytes where there are thousands of plugs.
 */
const BYTES_PER_MS = 2000
/** A shorter pause is no more than the turn that is waited for anyway. */
const SHORTEST_PAUSE_MS = 10

/** A piece of work; it calls `sent` with the bytes of each message that it sent. */
export type Work = (sent: (bytes: number) => void) => Promise<void>

export class PacedQueue {
  readonly #clock: Clock
  readonly #waiting: (() => void)[] = []
  /** Milliseconds that are left to others before the next piece. */
  #owed = 0
  #isAwaitingTurn = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many pieces have not begun. */
  get length(): number {
    return this.#waiting.length
  }

  /** Resolves when the work is done, which is begun in its turn. */
  add(work: Work): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        work((bytes) => {
          this.#owed += bytes / BYTES_PER_MS
        }).then(resolve, reject)
      })
      this.#awaitTurn()
    })
  }

  #awaitTurn(): void {
    if (this.#isAwaitingTurn || this.#waiting.length === 0) return
    this.#isAwaitingTurn = true
    const pause = this.#owed
    this.#owed = 0
    const turn = () => setImmediate(() => this.#next())
    if (pause < SHORTEST_PAUSE_MS) turn()
    else this.#clock.after(pause, turn)
  }

  #next(): void {
    this.#isAwaitingTurn = false
    const begin = this.#clock.now()
    this.#waiting.shift()?.()
    this.#owed += this.#clock.now() - begin // half of the time is for the rest of the bridge
    this.#awaitTurn()
  }
}
