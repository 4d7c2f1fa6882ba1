/** What the requests to one plug came to: counters, latency percentiles, and how long to wait for the next answer. */

/** The percentiles are those of so many answers. */
const LATENCIES_KEPT = 64

/** Counters of one plug since the start. */
export class RequestStats {
  /** Request packets sent, without hellos. */
  requests = 0
  /** Those of them that repeated a request. */
  retries = 0
  /** Tries that ended without an answer, either to the hello or to the request. */
  timeouts = 0
  /** Mistakes in the plug's JSON that were repaired. */
  repairs = 0
  /** Datagrams from the plug's address that answered nothing: forged, damaged, late or doubled. */
  dropped = 0
  /** When the plug last answered under our token, in ms of the clock. */
  lastSeen: number | undefined
  readonly #latencies: number[] = []
  #answers = 0

  /** @param latency milliseconds from the request to its answer */
  answered(latency: number, now: number): void {
    this.#latencies[this.#answers++ % LATENCIES_KEPT] = latency
    this.lastSeen = now
  }

  /** Milliseconds within which half of the last 64 answers came; `undefined` before the first. */
  get p50(): number | undefined {
    return this.#percentile(0.5)
  }

  /** Milliseconds within which 95 % of the last 64 answers came; `undefined` before the first. */
  get p95(): number | undefined {
    return this.#percentile(0.95)
  }

  #percentile(share: number): number | undefined {
    const sorted = [...this.#latencies].sort((a, b) => a - b)
    return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  }
}

/** How long to wait for a plug of which no answer was measured yet. */
export const DEFAULT_TIMEOUT_MS = 2000
/**
 * Most answers come within 100 ms. But the Wi-Fi half of a plug gives its other half a second before it answers "user ack
 * timeout" (docs/protocol.md §1.8), and a command that is sent again meanwhile would be carried out twice.
 */
const MARGIN_MS = 1250
/** Less than a command lives by default (10 s), so that there is time for one more try. */
const LONGEST_TIMEOUT_MS = 8000

/**
 * How long to wait for a plug's answer: estimated from its response times, as TCP does it (RFC 6298 §2). Each request has an id of
 * its own, so that every answer is a measurement, also one that comes after a later request was sent.
 */
export class ResponseTime {
  /** Milliseconds; `undefined` before the first answer. */
  #mean: number | undefined
  #deviation = 0
  /**
   * How long the last try of a call waits while no other request wants the plug, in milliseconds. It doubles after each call without
   * an answer, since the plug may have become slower than any timeout so far.
   */
  lastTryTimeout = DEFAULT_TIMEOUT_MS

  /**
   * Milliseconds to wait for the answer to one request.
   * @param silentTries how many tries in a row had no answer: each two double the timeout, up to 2 s or what the plug is known to take
   * @param isLast whether no try follows, so that less than 2 s would gain nothing
   */
  timeout(silentTries: number, isLast: boolean): number {
    if (this.#mean === undefined) return DEFAULT_TIMEOUT_MS
    const expected = Math.min(this.#mean + Math.max(MARGIN_MS, 4 * this.#deviation), LONGEST_TIMEOUT_MS)
    const grown = expected * 2 ** Math.floor(silentTries / 2)
    return Math.max(expected, isLast ? DEFAULT_TIMEOUT_MS : Math.min(grown, DEFAULT_TIMEOUT_MS))
  }

  /** @param ms from the request to its answer */
  answered(ms: number): void {
    this.lastTryTimeout = DEFAULT_TIMEOUT_MS
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
    this.lastTryTimeout = Math.min(2 * this.lastTryTimeout, LONGEST_TIMEOUT_MS)
  }
}
