/**
 * Time and randomness, passed to constructors, so that the whole bridge can run on virtual time and from a seed in tests.
 * Durations and deadlines use `now()`. `date()` is for what is shown or stored, and for calendar days: a wall clock jumps.
 */
export interface Clock {
  /** Milliseconds on a monotonic clock. Its zero means nothing. */
  now(): number
  /** The time of day. */
  date(): Date
  /** Calls `run` once, `ms` milliseconds from now, unless the timer is cancelled before. */
  after(ms: number, run: () => void): Timer
}

export interface Timer {
  cancel(): void
}

/** A number from 0 up to, but not including, 1, like `Math.random`. */
export type Random = () => number

/** A longer `setTimeout` would fire at once (a 32-bit signed number of milliseconds): about 24.8 days. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Node.js keeps a list of timers for each length. Those of 10,000 plugs are of any length: without a step, each would have a list of its own. */
const LONG_MS = 1000
/** Less than the 50 ms that a request has to end by itself after its deadline (src/device/request-queue.ts): its error has the better reason. */
const STEP_MS = 25

/** The length of the timer of Node.js: never shorter than `ms`, and up to 25 ms longer from a second on. */
function timerLength(ms: number): number {
  const length = ms < LONG_MS ? Math.max(0, Math.ceil(ms)) : Math.ceil(ms / STEP_MS) * STEP_MS
  return Math.min(length, LONGEST_TIMER_MS)
}

/** A timer of Node.js. */
class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout

  constructor(timeout: NodeJS.Timeout) {
    this.#timeout = timeout
  }

  cancel(): void {
    clearTimeout(this.#timeout)
  }
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  after: (ms, run) => new SystemTimer(setTimeout(run, timerLength(ms))),
}

/** Older than this program: a machine without a battery for its clock starts in 1970, until the network sets it minutes later. */
const FIRST_PLAUSIBLE_YEAR = 2024

/** Whether the time of day can be right. What depends on the day waits until it can. */
export function isPlausibleDate(date: Date): boolean {
  return date.getFullYear() >= FIRST_PLAUSIBLE_YEAR
}

/** Resolves after `ms` milliseconds of `clock`, or as soon as `signal` is aborted. Never rejects. */
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

/** Calls `run` every `ms` milliseconds until the timer is cancelled. */
export function repeat(clock: Clock, ms: number, run: () => void): Timer {
  const again = () => {
    timer = clock.after(ms, again)
    run()
  }
  let timer = clock.after(ms, again)
  return {cancel: () => timer.cancel()}
}

/**
 * Waits for `promise` until a deadline.
 * @param until the deadline, on `clock`; may be infinite
 * @param signals each ends the wait when it is aborted
 * @returns what `promise` resolves to; `undefined` when the deadline or an abort comes first. No timer is pending then, and a
 *   later rejection of `promise` is ignored
 */
export function within<T>(
  clock: Clock,
  until: number,
  promise: Promise<T>,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      timer?.cancel()
      for (const signal of signals) signal?.removeEventListener('abort', giveUp)
      outcome()
    }
    const giveUp = () => settle(() => resolve(undefined))
    const timer = Number.isFinite(until) ? clock.after(until - clock.now(), giveUp) : undefined
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
    for (const signal of signals) signal?.addEventListener('abort', giveUp)
    if (signals.some((signal) => signal?.aborted)) giveUp()
  })
}

/** `ms` changed at random by up to `share` of itself in either direction, so that many timers do not fire together. */
export function jitter(ms: number, share: number, random: Random): number {
  return ms * (1 + share * (2 * random() - 1))
}

/** Eight random hex digits, for names of temporary files and client ids. */
export function randomHex(random: Random): string {
  return Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')
}
