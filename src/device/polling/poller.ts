/** Decides when a plug is polled, and which properties: interval, tiers, jitter, and back-off while the plug is offline. */
import {type Clock, jitter, type Random, type Timer} from '../../common/clock.ts'
import type {Model} from '../../models/model.ts'
import {isExpectedFailure} from '../command-error.ts'
import type {Device} from '../device.ts'

export interface PollSettings {
  /** Milliseconds between two polls of relay and watts. */
  interval: number
  /** Milliseconds between two polls of what changes slowly. */
  slow_interval: number
  /** Whether a model that suffers from polls is polled as often as configured all the same. */
  ignoresModelInterval?: boolean
}

interface PollerOptions {
  device: Device
  clock: Clock
  random: Random
  settings: PollSettings
  /** Milliseconds until the first poll, so that many plugs do not start on one tick. */
  firstDelay?: number
}

/** Spreads the polls of many plugs, and those of one plug against other software's. */
const JITTER = 0.1
/** The `rare` tier, which is hardly ever wanted, or risky to read, is read by every tenth slow poll. */
const RARE_FACTOR = 10
const LONGEST_BACK_OFF_MS = 60_000
const BACK_OFF_JITTER = 0.2

/** How often the properties of each tier are polled, milliseconds. */
export function pollIntervals(
  {ignoresModelInterval, interval, slow_interval}: PollSettings,
  model: Model | undefined,
) {
  // Some strips reboot, and switch their sockets, when they are asked too often (docs/protocol.md §3.3, sp5).
  const fast = ignoresModelInterval ? interval : Math.max(interval, model?.interval ?? 0)
  const slow = Math.max(fast, slow_interval)
  return {fast, slow, rare: slow * RARE_FACTOR}
}

/** Polls one device for as long as it runs. */
export class Poller {
  readonly #device: Device
  readonly #clock: Clock
  readonly #random: Random
  readonly #settings: PollSettings
  /** Delay of the first poll after the next start. */
  #firstDelay: number
  #timer: Timer | undefined
  #dueAt = 0
  #slowDueAt = 0
  #rareDueAt = 0
  /** The interval of the last poll, as `start` sets it or as it has grown while the plug is offline. */
  #backOff = 0
  #isPolling = false
  /** Whether the next poll follows the one under way at once. */
  #isDueAgain = false
  #isStopped = true

  constructor({device, clock, random, settings, firstDelay = 0}: PollerOptions) {
    this.#device = device
    this.#clock = clock
    this.#random = random
    this.#settings = settings
    this.#firstDelay = firstDelay
  }

  /** Starts polling, also after `stop`: the first poll reads everything. */
  start(): void {
    this.#isStopped = false
    this.#slowDueAt = Number.NEGATIVE_INFINITY
    this.#rareDueAt = Number.NEGATIVE_INFINITY
    this.#backOff = this.#settings.interval
    if (this.#isPolling) this.#isDueAgain = true
    else this.#schedule(this.#firstDelay)
    this.#firstDelay = 0
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /**
   * Polls everything but the `rare` tier as soon as possible, whatever the back-off.
   * @param spread milliseconds of which a random part is waited first, so that many plugs do not start on one tick
   */
  pollNow(spread = 0): void {
    this.#slowDueAt = Number.NEGATIVE_INFINITY
    if (this.#isPolling) this.#isDueAgain = true
    else this.#schedule(spread * this.#random())
  }

  /**
   * How many milliseconds a poll is overdue, or how long ago a request was given up that has not ended. Only a blocked process or a lost request lets this grow,
   * so the watchdog looks at it.
   */
  overdue(): number {
    if (this.#isStopped) return 0
    const late = this.#isPolling ? 0 : Math.max(0, this.#clock.now() - this.#dueAt)
    return Math.max(late, this.#device.overdue())
  }

  #schedule(delay: number): void {
    if (this.#isStopped) return
    this.#timer?.cancel()
    this.#dueAt = this.#clock.now() + delay
    this.#timer = this.#clock.after(delay, () => void this.#poll())
  }

  async #poll(): Promise<void> {
    this.#isPolling = true
    this.#isDueAgain = false
    const now = this.#clock.now()
    const slowTier = now >= this.#slowDueAt ? 'slow' : 'fast'
    const tier = now >= this.#rareDueAt ? 'rare' : slowTier
    try {
      if ((await this.#device.poll(tier)) && tier !== 'fast') this.#setNextDue(tier)
    } catch (error) {
      if (!isExpectedFailure(error)) throw error
    } finally {
      this.#isPolling = false
      this.#schedule(this.#isDueAgain ? 0 : this.#nextDelay())
    }
  }

  #setNextDue(tier: 'slow' | 'rare'): void {
    const now = this.#clock.now()
    const {slow, rare} = pollIntervals(this.#settings, this.#device.model)
    this.#slowDueAt = now + slow
    if (tier === 'rare') this.#rareDueAt = now + rare
  }

  #nextDelay(): number {
    const {fast} = pollIntervals(this.#settings, this.#device.model)
    if (this.#device.availability.state !== 'offline') {
      this.#backOff = fast
      return jitter(fast, JITTER, this.#random)
    }
    this.#backOff = Math.min(this.#backOff * 2, LONGEST_BACK_OFF_MS)
    // An interval that the user made longer is never shortened by the back-off.
    return jitter(Math.max(this.#backOff, fast), BACK_OFF_JITTER, this.#random)
  }
}
