/** Notices that the broker does not acknowledge what it is sent, which answers to pings do not show: a full disk, an alarm. */
import type {Clock, Timer} from '../common/clock.ts'

/** Without an acknowledgement for so long, the connection is worthless. */
export const LONGEST_SILENCE_MS = 10_000
/**
 * Of these, so long at least is waited in a second step: after a stall of this process all timers are due before anything that
 * has come meanwhile is read.
 */
const LAST_STEP_MS = 1000

export class Acknowledgements {
  readonly #clock: Clock
  readonly #onSilence: () => void
  /** When each was sent, oldest first. */
  readonly #awaited = new Set<{sentAt: number}>()
  /** When the oldest was acknowledged last: the others come in their turn [MQTT-4.6.0-2], and one that is left out never does. */
  #latest = 0
  #isLastStep = false
  #timer: Timer | undefined

  /** @param onSilence is called when an acknowledgement is overdue */
  constructor(clock: Clock, onSilence: () => void) {
    this.#clock = clock
    this.#onSilence = onSilence
  }

  /** Something was sent. @returns what to call when it is acknowledged */
  expect(): () => void {
    const sent = {sentAt: this.#clock.now()}
    this.#awaited.add(sent)
    if (!this.#timer) this.#checkIn(LONGEST_SILENCE_MS - LAST_STEP_MS)
    return () => {
      const [oldest] = this.#awaited
      if (sent === oldest) this.#latest = this.#clock.now()
      this.#awaited.delete(sent)
    }
  }

  /** The connection is over. */
  reset(): void {
    this.#awaited.clear()
    this.#isLastStep = false
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #checkIn(ms: number): void {
    this.#timer = this.#clock.after(ms, () => {
      this.#timer = undefined
      this.#check()
    })
  }

  #check(): void {
    const [oldest] = this.#awaited
    if (!oldest) {
      this.#isLastStep = false
      return
    }
    const left = Math.max(oldest.sentAt, this.#latest) + LONGEST_SILENCE_MS - this.#clock.now()
    if (left > LAST_STEP_MS) {
      this.#isLastStep = false
      this.#checkIn(left - LAST_STEP_MS)
    } else if (!this.#isLastStep) {
      this.#isLastStep = true
      this.#checkIn(LAST_STEP_MS)
    } else this.#onSilence()
  }
}
