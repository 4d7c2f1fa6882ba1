import type {Clock} from '../common/clock.ts'

/** What did not happen for so long has been well again: the next time is worth a warning. */
const WELL_AGAIN_MS = 600_000

/** Passes on each trouble once, until it was absent for ten minutes: a network may be down for days, and is asked every minute. */
export class RepeatedWarnings {
  readonly #clock: Clock
  readonly #warn: (text: string) => void
  /** When each was last met. */
  readonly #met = new Map<string, number>()

  constructor(clock: Clock, warn: (text: string) => void) {
    this.#clock = clock
    this.#warn = warn
  }

  /** @param text the same for the same trouble: without counts, and without what a sender can choose */
  warn(text: string): void {
    const now = this.#clock.now()
    for (const [trouble, at] of this.#met) if (now - at > WELL_AGAIN_MS) this.#met.delete(trouble)
    if (!this.#met.has(text)) this.#warn(text)
    this.#met.set(text, now)
  }
}
