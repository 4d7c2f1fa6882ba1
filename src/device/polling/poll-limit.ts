/** How many polls of all plugs are under way at a time, and how many times the configured interval lies between two of one plug. */
import type {Clock, Timer} from '../../common/clock.ts'

/**
 * The responses to so many requests fit into the receive buffer of the socket, also where the kernel grants its default (212,992 bytes)
 * only, so that none is lost while this process stands still. Ten thousand healthy plugs need a quarter of it at the default interval.
 */
export const MOST_POLLS = 256
/** A poll that takes longer frees its place: its plug may be silent. Of silent plugs, 512 are polled per second at most. */
export const HOLD_MS = 500

/**
 * Polls of all plugs begin in the order in which they became due. Only polls are limited: commands and reads that a caller waits for are
 * never delayed here.
 */
export class PollLimit {
  /** By how much all intervals are longer than configured: 1 unless this machine cannot keep up (src/app/overload.ts). */
  factor = 1
  readonly #clock: Clock
  /** When each poll that has a place began, in ms of the clock; the oldest first. */
  readonly #places = new Map<object, number>()
  /** What begins each poll that waits, in the order in which they became due. */
  readonly #waiting = new Map<object, () => void>()
  /** Set as long as a poll waits. */
  #timer: Timer | undefined
  #due = 0
  #ended = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A poll is due. @param poller identifies it @param run called as soon as there is a place: at once, if possible */
  begin(poller: object, run: () => void): void {
    this.#due++
    if (!this.#timer && this.#places.size < MOST_POLLS) this.#start(poller, run)
    else {
      this.#waiting.set(poller, run)
      if (!this.#timer) this.#fill()
    }
  }

  /** The poll has ended, or is not wanted any more. */
  end(poller: object): void {
    if (!this.#waiting.delete(poller)) this.#ended++
    this.#places.delete(poller)
    if (this.#timer) this.#fill()
  }

  /** How many polls became due, and how many ended, since `reset`. */
  get counts(): {due: number; ended: number} {
    return {due: this.#due, ended: this.#ended}
  }

  reset(): void {
    this.#due = 0
    this.#ended = 0
  }

  #start(poller: object, run: () => void): void {
    this.#places.set(poller, this.#clock.now())
    run()
  }

  /** Begins polls that wait, as long as there are places, and sets the timer for the others. */
  #fill(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const [poller, run] of this.#waiting) {
      const ms = this.#freeIn()
      if (ms > 0) {
        this.#timer = this.#clock.after(ms, () => this.#fill())
        return
      }
      this.#waiting.delete(poller)
      this.#start(poller, run)
    }
  }

  /** In how many milliseconds there is a place at the latest. The poll that has lasted longest loses its own if its time is over. */
  #freeIn(): number {
    const [oldest] = this.#places
    if (!oldest || this.#places.size < MOST_POLLS) return 0
    const [poller, began] = oldest
    const ms = began + HOLD_MS - this.#clock.now()
    if (ms <= 0) this.#places.delete(poller)
    return ms
  }
}
