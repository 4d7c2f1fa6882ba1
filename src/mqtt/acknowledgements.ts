/** Notices that the broker does not acknowledge what it is sent, which answers to pings do not show: a full disk, an alarm. */
import type {Clock, Timer} from '../clock.ts'

/** Without any acknowledgement for so long, the connection is worthless. */
export const LONGEST_SILENCE_MS = 10_000
/** What is acknowledged out of turn [MQTT-4.6.0-2] may never be. */
const LONGEST_WAIT_MS = 60_000

export class Acknowledgements {
  readonly #clock: Clock
  readonly #onSilence: () => void
  /** When each was sent, oldest first. */
  readonly #awaited = new Set<{sentAt: number}>()
  #latest = 0
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
    this.#timer ??= this.#clock.after(LONGEST_SILENCE_MS, () => this.#check())
    return () => {
      if (!this.#awaited.delete(sent)) return // of an earlier connection
      this.#latest = this.#clock.now()
    }
  }

  /** The connection is over. */
  reset(): void {
    this.#awaited.clear()
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #check(): void {
    this.#timer = undefined
    const [oldest] = this.#awaited
    if (!oldest) return
    const {sentAt} = oldest
    const due = Math.min(Math.max(sentAt, this.#latest) + LONGEST_SILENCE_MS, sentAt + LONGEST_WAIT_MS)
    const left = due - this.#clock.now()
    if (left > 0) this.#timer = this.#clock.after(left, () => this.#check())
    else this.#onSilence()
  }
}
