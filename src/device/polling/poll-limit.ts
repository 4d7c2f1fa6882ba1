/** How many polls of all plugs run at a time, and how many times the configured interval lies between two polls of one plug. */
import type {Clock, Timer} from '../../common/clock.ts'

/**
 * The responses to so many requests fit into the receive buffer of the socket, also where the kernel grants its default (212,992 bytes)
 * only, so that none is lost while this process stands still. Ten thousand healthy plugs need less than half of it at the default interval.
 */
export const MOST_POLLS = 256
/** A poll that takes longer frees its place: its plug may be silent. Of silent plugs, 512 are polled per second at most. */
export const HOLD_MS = 500

/** A poll of one plug. */
export interface LimitedPoll {
  /** Begins the poll. @param waited milliseconds that it waited for its place */
  run(waited: number): void
}

/**
 * Polls of all plugs begin in the order in which they became due. Only polls are limited: commands and reads that a caller waits for are
 * never delayed here.
 */
export class PollLimit {
  /** By how much all intervals are longer than configured: 1 unless this machine cannot keep up (src/app/overload.ts). */
  factor = 1
  readonly #clock: Clock
  readonly #afterArrived: (callback: () => void) => void
  /** When each poll that has a place began, in ms of the clock; the oldest first. */
  readonly #places = new Map<LimitedPoll, number>()
  /** When each poll that waits became due, in ms of the clock; the oldest first. */
  readonly #waiting = new Map<LimitedPoll, number>()
  #timer: Timer | undefined
  #due = 0
  #ended = 0

  /**
   * @param afterArrived calls back once the responses that have arrived were passed on. A busy process is late with those: the plugs of
   *   polls that last long are not silent, and more polls would only make it later
   */
  constructor(clock: Clock, afterArrived: (callback: () => void) => void = (callback) => callback()) {
    this.#clock = clock
    this.#afterArrived = afterArrived
  }

  /** A poll is due: it is run as soon as there is a place, at once if possible. */
  begin(poll: LimitedPoll): void {
    this.#due++
    const now = this.#clock.now()
    if (this.#waiting.size === 0 && this.#hasPlace) this.#run(poll, now, 0)
    else {
      this.#waiting.set(poll, now)
      this.#watch()
    }
  }

  /** The poll has ended, or is not wanted any more. */
  end(poll: LimitedPoll): void {
    if (!this.#waiting.delete(poll)) this.#ended++
    this.#places.delete(poll)
    if (this.#waiting.size > 0) this.#fill()
    if (this.#waiting.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** How many polls became due, and how many ended, since `reset`. */
  get counts(): {due: number; ended: number} {
    return {due: this.#due, ended: this.#ended}
  }

  /** Counts from 0 again. */
  reset(): void {
    this.#due = 0
    this.#ended = 0
  }

  /** While the machine cannot keep up there are as many places less: the work of all polls under way stands before that of a command. */
  get #hasPlace(): boolean {
    return this.#places.size < MOST_POLLS / this.factor
  }

  #run(poll: LimitedPoll, now: number, waited: number): void {
    this.#places.set(poll, now)
    poll.run(waited)
  }

  /** Begins polls that wait, as long as there are places. */
  #fill(): void {
    const now = this.#clock.now()
    for (const [poll, since] of this.#waiting) {
      if (!this.#hasPlace) return
      this.#waiting.delete(poll)
      this.#run(poll, now, now - since)
    }
  }

  /** Frees the place of the oldest poll when its time is over. */
  #watch(): void {
    const [began] = this.#places.values()
    const ms = (began ?? 0) + HOLD_MS - this.#clock.now()
    this.#timer ??= this.#clock.after(ms, () => {
      const now = this.#clock.now()
      this.#afterArrived(() => this.#freePlaces(now - HOLD_MS))
    })
  }

  /** Begins polls that wait in place of those that began until `until`, in ms of the clock. */
  #freePlaces(until: number): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const [poll, began] of this.#places) {
      if (began > until || this.#waiting.size === 0) break
      this.#places.delete(poll)
      this.#fill()
    }
    if (this.#waiting.size > 0) this.#watch()
  }
}
