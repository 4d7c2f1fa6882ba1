/**
 * Time and chance, handed in through constructors: all of the bridge can then run on virtual time, from a seed.
 * Whatever decides something uses `now()`; `date()` is for people to read, since wall clocks jump.
 */
export interface Clock {
  /** Milliseconds on a clock that never goes back. Its zero means nothing. */
  now(): number
  /** The time of day. */
  date(): Date
  /** Calls `run` once, `ms` milliseconds from now, unless the timer is cancelled before. */
  after(ms: number, run: () => void): Timer
}

export interface Timer {
  cancel(): void
}

/** A number from 0 up to, not including, 1, like `Math.random`. */
export type Random = () => number

/** A longer `setTimeout` would fire at once (a 32-bit signed number of milliseconds): about 24.8 days. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  after: (ms, run) => {
    const timeout = setTimeout(run, Math.min(Math.max(0, Math.ceil(ms)), LONGEST_TIMER_MS))
    return {cancel: () => clearTimeout(timeout)}
  },
}

/** Resolves after `ms` milliseconds of `clock`, or as soon as `signal` is aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      timer.cancel()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = clock.after(ms, finish)
    signal?.addEventListener('abort', finish)
  })
}

/** Ends as `work` does, or after `ms` milliseconds. Leaves no timer behind. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController()
  await Promise.race([work, sleep(clock, ms, done.signal)]).finally(() => done.abort())
}

/** `ms` changed by up to `share` of itself in either direction, so that many timers do not beat as one. */
export function jitter(ms: number, share: number, random: Random): number {
  return ms * (1 + share * (2 * random() - 1))
}
