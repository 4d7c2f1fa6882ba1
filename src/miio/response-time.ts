/**
 * How long to wait for a plug's answer: by what its answers took so far, as TCP does it (RFC 6298, §2). Each request has an
 * id of its own, so that every answer is a measurement, also one that comes after a later request was sent.
 */
export class ResponseTime {
  /** Milliseconds; `undefined` before the first answer. */
  #mean: number | undefined
  #deviation = 0
  /**
   * How long the last try of a call waits, in milliseconds, while nobody else wants to ask: longer after each call without an
   * answer, since the plug may have become slower than anybody waited.
   */
  longest = REGULAR_WAIT_MS

  /**
   * Milliseconds to wait for the answer to one request.
   * @param silences how many tries in a row brought none: each two double the wait, up to 2 s or what the plug is known to take
   * @param isLast whether no other request follows, so that a shorter wait than 2 s gains nothing
   */
  patience(silences: number, isLast: boolean): number {
    if (this.#mean === undefined) return REGULAR_WAIT_MS
    const expected = Math.min(this.#mean + Math.max(MARGIN_MS, 4 * this.#deviation), LONGEST_WAIT_MS)
    const grown = expected * 2 ** Math.floor(silences / 2)
    return Math.max(expected, isLast ? REGULAR_WAIT_MS : Math.min(grown, REGULAR_WAIT_MS))
  }

  /** @param ms from the request to its answer */
  answered(ms: number): void {
    this.longest = REGULAR_WAIT_MS
    if (this.#mean === undefined) {
      this.#mean = ms
      this.#deviation = ms / 2
    } else {
      this.#deviation += (Math.abs(this.#mean - ms) - this.#deviation) / 4
      this.#mean += (ms - this.#mean) / 8
    }
  }

  /** A call ended without an answer. */
  unanswered(): void {
    this.longest = Math.min(2 * this.longest, LONGEST_WAIT_MS)
  }
}

/** What is waited for a plug of which nothing is known yet. */
export const REGULAR_WAIT_MS = 2000
/**
 * Answers are mostly there within 100 ms. But the Wi-Fi half of a plug gives the other half a second before it says "user ack
 * timeout" (docs/protocol.md §1.8), and a command sent again meanwhile would be carried out twice.
 */
const MARGIN_MS = 1250
/** Less than a command lives by default, so that there is time for one more try. */
const LONGEST_WAIT_MS = 8000
