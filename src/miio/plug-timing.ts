/** Time as a plug shows it: its clock (docs/protocol.md §1.4), its response times, and how long to wait for the next response. */

/** One reading of a plug's clock. */
export interface ClockSample {
  did: number
  /** What the plug's clock showed, in seconds since its boot. 0 is valid: the plug has just booted. */
  stamp: number
  /** When that was, in ms of our monotonic clock. */
  at: number
}

/** An m1 ignores stamps that are more than 60 s off, and other plugs want a hello after a silence. */
const FRESH_MS = 60_000
/** An m1 accepts a request whose stamp is so far off (docs/protocol.md §1.4). */
const WINDOW_SECONDS = 60
/** Without a restart, a plug's clock may be behind our estimate by this, plus 1 % of the time that passed. */
const RESTART_SECONDS = 5
const DRIFT = 0.01

/** What the plug's clock shows at `now`: the sample carried forward by our monotonic clock, never by the time of day. */
export function stampAt(sample: ClockSample, now: number): number {
  return sample.stamp + Math.floor((now - sample.at) / 1000)
}

/** Whether a request can be sent without a hello before it: the sample is at most 60 s old (docs/protocol.md §1.4). */
export function isFresh(sample: ClockSample, now: number): boolean {
  return now - sample.at <= FRESH_MS
}

/** Whether a request stamped by one sample is also within the window of the other. */
export function isSameClock(a: ClockSample, b: ClockSample): boolean {
  return a.did === b.did && Math.abs(stampAt(a, b.at) - b.stamp) <= WINDOW_SECONDS
}

/**
 * Whether the plug's clock fell back between two samples, which means that the plug was without power in between. A suspend of this
 * machine makes the time between them look shorter than it was: a restart can then be missed, but is never inferred wrongly.
 */
export function hasRestarted(before: ClockSample, after: ClockSample): boolean {
  const elapsed = (after.at - before.at) / 1000
  return stampAt(before, after.at) - after.stamp > RESTART_SECONDS + DRIFT * elapsed
}

/** The percentiles are those of so many responses. */
const LATENCIES_KEPT = 64
/** How long to wait for a plug of which no response was measured yet. */
export const DEFAULT_TIMEOUT_MS = 2000
/**
 * Most responses come within 100 ms. But the Wi-Fi half of a plug gives its other half a second before it reports "user ack
 * timeout" (docs/protocol.md §1.8), and a command that is sent again meanwhile would be carried out twice.
 */
const MARGIN_MS = 1250
/** Less than a command lives by default (10 s), so that there is time for one more try. */
const LONGEST_TIMEOUT_MS = 8000

/**
 * Counters and response times of one plug since the start. How long to wait for a response is estimated as TCP does it (RFC 6298 §2).
 * Each request has an id of its own, so that every response is a measurement, also one that comes after a later request was sent.
 */
export class RequestStats {
  /** Request packets sent, without hellos. */
  requests = 0
  /** Those of them that repeated a request. */
  retries = 0
  /** Tries that ended without a response, either to the hello or to the request. */
  timeouts = 0
  /** When the plug last responded under our token, in ms of the clock. */
  lastSeen: number | undefined
  /**
   * How long the last try of a call waits while no other request wants the plug, in milliseconds. It doubles after each call without
   * a response, since the plug may have become slower than any timeout so far.
   */
  lastTryTimeout = DEFAULT_TIMEOUT_MS
  readonly #latencies: number[] = []
  #responses = 0
  /** Milliseconds; means nothing before the first response. */
  #mean = 0
  #deviation = 0

  /** @param latency milliseconds from the request to its response */
  responded(latency: number, now: number): void {
    const isFirst = this.#responses === 0
    this.#latencies[this.#responses++ % LATENCIES_KEPT] = latency
    this.lastSeen = now
    this.lastTryTimeout = DEFAULT_TIMEOUT_MS
    this.#deviation += isFirst ? latency / 2 : (Math.abs(this.#mean - latency) - this.#deviation) / 4
    this.#mean += isFirst ? latency : (latency - this.#mean) / 8
  }

  /** A call ended without a response. */
  timedOut(): void {
    this.lastTryTimeout = Math.min(2 * this.lastTryTimeout, LONGEST_TIMEOUT_MS)
  }

  /**
   * Milliseconds to wait for the response to one request.
   * @param timeoutsInARow how many tries in a row had no response: each two double the timeout, up to 2 s or what the plug is known to take
   * @param isLast whether no try follows, so that less than 2 s would gain nothing
   */
  timeout(timeoutsInARow: number, isLast: boolean): number {
    if (this.#responses === 0) return DEFAULT_TIMEOUT_MS
    const expected = Math.min(this.#mean + Math.max(MARGIN_MS, 4 * this.#deviation), LONGEST_TIMEOUT_MS)
    const grown = expected * 2 ** Math.floor(timeoutsInARow / 2)
    return Math.max(expected, isLast ? DEFAULT_TIMEOUT_MS : Math.min(grown, DEFAULT_TIMEOUT_MS))
  }

  /** Milliseconds within which half of the last 64 responses came; `undefined` before the first. */
  get p50(): number | undefined {
    return this.#percentile(0.5)
  }

  /** Milliseconds within which 95 % of the last 64 responses came; `undefined` before the first. */
  get p95(): number | undefined {
    return this.#percentile(0.95)
  }

  #percentile(share: number): number | undefined {
    const sorted = [...this.#latencies].sort((a, b) => a - b)
    return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  }
}
