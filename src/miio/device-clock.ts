/** A plug's clock as it was last read (docs/protocol.md §1.4): seconds since its boot. */
export interface ClockSample {
  did: number
  /** What the plug's clock showed, in seconds. */
  stamp: number
  /** When that was, in milliseconds of ours. */
  at: number
}

/** An m1 ignores stamps more than 60 s off, and others want a hello after some silence. */
const FRESH_MS = 60_000
/** An m1 takes a request whose stamp is so far off (docs/protocol.md §1.4). */
const WINDOW_SECONDS = 60
/** A plug's clock may be this far behind where we think it is, and 1 % of the time passed, without a restart. */
const RESTART_SECONDS = 5
const DRIFT = 0.01

/** What the plug's clock shows at `now`: the reading carried forward by our own monotonic clock, never by the time of day. */
export function stampAt(reading: ClockSample, now: number): number {
  return reading.stamp + Math.floor((now - reading.at) / 1000)
}

export function isFresh(reading: ClockSample, now: number): boolean {
  return now - reading.at <= FRESH_MS
}

/** Whether a request that one reading lets pass is in time by the other one, too. */
export function isSameClock(a: ClockSample, b: ClockSample): boolean {
  return a.did === b.did && Math.abs(stampAt(a, b.at) - b.stamp) <= WINDOW_SECONDS
}

/**
 * Whether the plug's clock fell back between two readings: it was without power in between. A suspend of ours makes the time
 * between them look shorter than it was: a restart can then be missed, but never be inferred wrongly.
 */
export function hasRestarted(before: ClockSample, after: ClockSample): boolean {
  const elapsed = (after.at - before.at) / 1000
  return stampAt(before, after.at) - after.stamp > RESTART_SECONDS + DRIFT * elapsed
}
