/** How the process itself is doing, for `B/bridge/health`. */
import {monitorEventLoopDelay} from 'node:perf_hooks'
import type {Clock} from '../common/clock.ts'

const SAMPLE_MS = 20

export class ProcessMetrics {
  readonly started: Date
  readonly #startedAt: number
  readonly #clock: Clock
  readonly #eventLoop = monitorEventLoopDelay({resolution: SAMPLE_MS})

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

  /** Uptime in seconds, memory in bytes, and the delays of the event loop since the last time somebody asked. */
  read(): {uptime: number; memory: object; event_loop_delay_ms: object} {
    const {rss, heapUsed} = process.memoryUsage()
    const delays = {p99: delay(this.#eventLoop.percentile(99)), max: delay(this.#eventLoop.max)}
    this.#eventLoop.reset()
    return {
      uptime: Math.round((this.#clock.now() - this.#startedAt) / 1000),
      memory: {rss, heap_used: heapUsed},
      event_loop_delay_ms: delays,
    }
  }
}

/** By which days begin and end here, as in `Europe/Berlin`: what the variable `TZ` says, or the system, or UTC. */
export function timeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** What is measured is the time from one sample to the next: its delay is what goes beyond the time between samples. */
function delay(nanoseconds: number): number {
  return Math.max(0, Math.round(nanoseconds / 1e4 - 100 * SAMPLE_MS) / 100)
}
