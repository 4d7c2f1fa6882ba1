/** Uptime, memory and event loop delay of this process, for `B/bridge/health`; and its time zone. */
import {existsSync, readlinkSync} from 'node:fs'
import {monitorEventLoopDelay} from 'node:perf_hooks'
import type {Clock} from '../common/clock.ts'

const SAMPLE_MS = 20

/** Measures from `start` to `stop`. */
export class ProcessMetrics {
  /** When the bridge was started. */
  readonly started: Date
  readonly #startedAt: number
  readonly #clock: Clock
  readonly #eventLoop = monitorEventLoopDelay({resolution: SAMPLE_MS})
  #lastUtilization = performance.eventLoopUtilization()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startedAt = clock.now()
    this.started = clock.date()
  }

  start(): void {
    this.#eventLoop.enable()
  }

  stop(): void {
    this.#eventLoop.disable()
  }

  /**
   * The share of the time since the previous call in which the event loop had work, 0 to 1. Time in which this process could run, but
   * another one runs in its place or it is stopped, counts as work: 1 means that it can do no more, however little it was given.
   */
  utilization(): number {
    const last = this.#lastUtilization
    this.#lastUtilization = performance.eventLoopUtilization()
    return performance.eventLoopUtilization(this.#lastUtilization, last).utilization
  }

  /** Uptime in seconds, memory in bytes, and the delays of the event loop in milliseconds since the previous call. */
  read(): {uptime: number; memory: object; event_loop_delay_ms: object} {
    const {rss, heapUsed} = process.memoryUsage()
    // Node measures the time between two samples; the delay is what exceeds the sampling interval. Milliseconds, two decimals.
    const delay = (nanoseconds: number) => Math.max(0, Math.round(nanoseconds / 1e4 - 100 * SAMPLE_MS) / 100)
    const delays = {p99: delay(this.#eventLoop.percentile(99)), max: delay(this.#eventLoop.max)}
    this.#eventLoop.reset()
    return {
      uptime: Math.round((this.#clock.now() - this.#startedAt) / 1000),
      memory: {rss, heap_used: heapUsed},
      event_loop_delay_ms: delays,
    }
  }
}

/** Where Linux has its time zones, each in a file of its name; `/etc/localtime` is a link to one of them. */
const ZONES = '/usr/share/zoneinfo/'

/**
 * The time zone in which days begin and end, such as `Europe/Berlin`: from the variable `TZ`, or the system, or UTC. `Intl` knows it
 * in every case, but loads 7 MB for it in 10 ms: it is used where the name is not plainly that of a zone.
 */
export function timeZone(): string {
  const name = process.env['TZ'] ?? systemZone()
  if (/^(Etc\/)?UTC$/.test(name)) return 'UTC'
  if (/^[A-Z]\w+\/[A-Z][\w/-]+$/.test(name) && existsSync(ZONES + name)) return name
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** @returns an empty text where the system does not name it */
function systemZone(): string {
  try {
    const file = readlinkSync('/etc/localtime')
    return file.startsWith(ZONES) ? file.slice(ZONES.length) : ''
  } catch {
    return ''
  }
}
