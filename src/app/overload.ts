/**
 * Detects that this machine is too slow for its plugs, or too busy, and makes all polls less frequent until it keeps up
 * (docs/promises.md, 74). Commands are not affected.
 */
import {type Clock, repeat, type Timer} from '../common/clock.ts'
import type {PollLimit} from '../device/polling/poll-limit.ts'
import type {Log} from '../log/logger.ts'

export interface OverloadOptions {
  clock: Clock
  log: Log
  limit: PollLimit
  /** The configured interval of polls, milliseconds: for the log. */
  interval: () => number
  /** The share of the time since the previous call in which the event loop had work, 0 to 1. */
  utilization: () => number
  /** Called when the factor is not 1 any more, and when it is 1 again. */
  onChange: () => void
}

/** How often the load is measured; with few plugs over a longer time, until so many polls have ended, or ten seconds. */
const SAMPLE_MS = 2500
const SAMPLE_POLLS = 10
const LONGEST_SAMPLE_MS = 10_000
/** One measurement may be chance, or the catching up after a stop of this process. */
const SAMPLES = 3
/**
 * Load above which the machine cannot keep up: there is more to do than this process can do. (A busy process that keeps up had at most
 * 0.6 in measurements, whether its own work or other processes made it busy; one that did not keep up had 1.)
 */
const OVERLOADED = 0.95
/** Load to which polls are reduced. The rest is room for the other work of the bridge. */
const WANTED = 0.75
/** Polls are made less frequent by so much at least. A smaller excess is that of a process that catches up. */
const LEAST_RAISE = 1.2
/** Below this load there are more polls again, little by little: the load is not the same all the time, since some polls take longer. */
const LIGHT = 0.6
const STEP = 0.8
/** Below this load, as many more as there is time for. */
const IDLE = 0.2
/** All polls take place again when together they would make no greater load than this. */
const SMALL_ENOUGH = 0.75
const LARGEST_FACTOR = 16
/** After so long with all polls the overload is over, and the next one is logged again. */
const OVER_MS = 60_000

interface Sample {
  /** Polls that became due, and that ended. */
  due: number
  ended: number
  /** The share of the time in which the event loop had work. */
  utilization: number
}

/** Measures the load of this process, and sets `PollLimit.factor`. Logs the beginning and the end of each overload. */
export class Overload {
  readonly #options: OverloadOptions
  #timer: Timer | undefined
  #measuredAt = 0
  /** The last measurements, made under the present factor. */
  #samples: Sample[] = []
  /** The overload that was logged: when it began, and the largest factor. */
  #logged: {since: number; factor: number} | undefined
  /** When the factor became 1 again. */
  #endedAt = 0

  constructor(options: OverloadOptions) {
    this.#options = options
  }

  /** @param delay milliseconds until the first measurement begins: the first poll of a plug costs more than all later ones */
  start(delay: number): void {
    const {clock} = this.#options
    this.#timer = clock.after(delay, () => {
      this.#measure()
      this.#timer = repeat(clock, SAMPLE_MS, () => this.#check())
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #check(): void {
    const {clock, limit} = this.#options
    if (limit.counts.ended < SAMPLE_POLLS && clock.now() - this.#measuredAt < LONGEST_SAMPLE_MS) return
    this.#samples.push(this.#measure())
    if (this.#samples.length > SAMPLES) this.#samples.shift()
    if (this.#samples.length === SAMPLES) this.#adapt()
    this.#logEnd()
  }

  #measure(): Sample {
    const {clock, limit, utilization} = this.#options
    const {counts} = limit
    limit.reset()
    this.#measuredAt = clock.now()
    return {...counts, utilization: utilization()}
  }

  /**
   * While the process has no idle time, polls that become due faster than they end show how much too many there are; while fewer become
   * due, it catches up. A process that has idle time has no overload, whatever its polls wait for.
   */
  #adapt(): void {
    const {factor} = this.#options.limit
    const sum = (key: keyof Sample) => this.#samples.reduce((total, sample) => total + sample[key], 0)
    const utilization = sum('utilization') / SAMPLES
    const wanted = (factor * sum('due')) / Math.max(1, sum('ended')) / WANTED
    if (utilization > OVERLOADED && wanted >= LEAST_RAISE * factor) this.#change(wanted)
    else if (factor * utilization < SMALL_ENOUGH) this.#change(1)
    else if (utilization < LIGHT) this.#change(factor * (utilization < IDLE ? utilization / WANTED : STEP))
  }

  #change(wanted: number): void {
    const {clock, limit, onChange} = this.#options
    const factor = Math.min(wanted, LARGEST_FACTOR)
    const before = limit.factor
    if (factor === before) return
    limit.factor = factor
    this.#samples = []
    if (factor === 1) this.#endedAt = clock.now()
    else this.#logBegin(factor)
    if (factor === 1 || before === 1) onChange()
  }

  #logBegin(factor: number): void {
    const {clock, log, interval} = this.#options
    if (this.#logged) this.#logged.factor = Math.max(this.#logged.factor, factor)
    else {
      this.#logged = {since: clock.now(), factor}
      log.warn(
        `cannot keep up: polls every ${seconds(factor * interval())} in place of ${seconds(interval())}, until this machine is less busy; commands are not delayed`,
      )
    }
  }

  #logEnd(): void {
    const {clock, log, limit, interval} = this.#options
    if (!this.#logged || limit.factor !== 1 || clock.now() - this.#endedAt < OVER_MS) return
    const {since, factor} = this.#logged
    this.#logged = undefined
    const lasted = seconds(this.#endedAt - since)
    log.info(
      `keeps up again: polls every ${seconds(interval())}; for ${lasted} they were up to ${seconds(factor * interval())} apart`,
    )
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
