/** A plug's clock: seconds since its boot, carried forward by our monotonic clock (docs/protocol.md §1.4). */

/** One reading of a plug's clock. */
export interface ClockSample {
  did: number
  /** What the plug's clock showed, in seconds. */
  stamp: number
  /** When that was, in ms of our clock. */
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
