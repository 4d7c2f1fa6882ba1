/** The latencies of this many answers are kept. */
const KEPT = 64

/** What one plug's exchanges came to, since the start. */
export class RequestStats {
  /** Request packets sent, hellos not counted. */
  requests = 0
  /** Those of them that asked something again. */
  retries = 0
  /** Tries that ended without an answer, be it to the hello or to the request. */
  timeouts = 0
  /** Mistakes in the plug's JSON put right. */
  repairs = 0
  /** Datagrams from the plug's address that answered nothing: forged, damaged, late or doubled. */
  dropped = 0
  /** When the plug last answered under our token, in ms of the clock. */
  lastSeen: number | undefined
  readonly #latencies: number[] = []
  #answers = 0

  /** @param latency milliseconds from the request to its answer. */
  answered(latency: number, now: number): void {
    this.#latencies[this.#answers++ % KEPT] = latency
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
