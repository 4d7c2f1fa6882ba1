/** Log throttle: passes on a warning once, and again only after it was absent for ten minutes. */
import type {Clock} from './clock.ts'

/** After so long without the problem it counts as solved, and its next occurrence is worth a new warning. */
const SOLVED_AFTER_MS = 600_000

/** A network may be down for days and is used every minute: each distinct text is passed on once until it was absent for ten minutes. */
export class RepeatedWarnings {
  readonly #clock: Clock
  readonly #warn: (text: string) => void
  /** When each text last occurred, on the clock. */
  readonly #lastSeen = new Map<string, number>()

  constructor(clock: Clock, warn: (text: string) => void) {
    this.#clock = clock
    this.#warn = warn
  }

  /** @param text the same for the same problem: without counts, and without anything that a sender can choose */
  warn(text: string): void {
    const now = this.#clock.now()
    for (const [seen, at] of this.#lastSeen) if (now - at > SOLVED_AFTER_MS) this.#lastSeen.delete(seen)
    if (!this.#lastSeen.has(text)) this.#warn(text)
    this.#lastSeen.set(text, now)
  }
}
