/**
 * Decides when a plug is polled, and which properties: interval, tiers, jitter, back-off while the plug is offline, and polls that are left
 * out while this machine cannot keep up.
 */
import {type Clock, jitter, type Random, type Timer} from '../../common/clock.ts'
import type {Model, PollTier} from '../../models/model.ts'
import {isExpectedFailure} from '../command-error.ts'
import type {Device} from '../device.ts'
import {type LimitedPoll, PollLimit} from './poll-limit.ts'

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
  /** Shared by all plugs; by default this plug is the only one. */
  limit?: PollLimit
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
export class Poller implements LimitedPoll {
  readonly #device: Device
  readonly #clock: Clock
  readonly #random: Random
  readonly #settings: PollSettings
  readonly #limit: PollLimit
  /** Delay of the first poll after the next start. */
  #firstDelay: number
  #timer: Timer | undefined
  #dueAt = 0
  /** When everything in the tier was last read, in ms of the clock. */
  #slowReadAt = 0
  #rareReadAt = 0
  /** The interval of the last poll, as `start` sets it or as it has grown while the plug is offline. */
  #backOff = 0
  /**
   * How much of a poll is due, while the machine cannot keep up and only one of `PollLimit.factor` polls takes place. It begins at random,
   * so that the polls of many plugs become fewer at once, and not all plugs wait first.
   */
  #share: number
  /** Whether the next poll takes place whatever the factor. */
  #isUrgent = true
  /** Whether the poll that is due waits for its place. */
  #isWaiting = false
  #isPolling = false
  /** Whether the next poll follows the one under way at once. */
  #isDueAgain = false
  #isStopped = true

  constructor(options: PollerOptions) {
    const {device, clock, random, settings, firstDelay = 0, limit = new PollLimit(clock)} = options
    this.#device = device
    this.#clock = clock
    this.#random = random
    this.#settings = settings
    this.#limit = limit
    this.#firstDelay = firstDelay
    this.#share = random()
  }

  /** Starts polling, also after `stop`: the first poll reads everything. */
  start(): void {
    this.#isStopped = false
    this.#isUrgent = true
    this.#slowReadAt = Number.NEGATIVE_INFINITY
    this.#rareReadAt = Number.NEGATIVE_INFINITY
    this.#backOff = this.#settings.interval
    if (this.#isPolling) this.#isDueAgain = true
    else this.#schedule(this.#firstDelay)
    this.#firstDelay = 0
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    if (this.#isWaiting) this.#limit.end(this)
    this.#isWaiting = false
  }

  /**
   * Polls everything but the `rare` tier as soon as possible, whatever the back-off.
   * @param spread milliseconds of which a random part is waited first, so that many plugs do not start on one tick
   */
  pollNow(spread = 0): void {
    this.#slowReadAt = Number.NEGATIVE_INFINITY
    this.#isUrgent = true
    if (this.#isPolling) this.#isDueAgain = true
    else if (!this.#isWaiting) this.#schedule(spread * this.#random())
  }

  /**
   * How many milliseconds a poll is overdue, or how long ago a request was given up that has not ended. Only a blocked process or a lost request lets this grow,
   * so the watchdog looks at it. A poll that waits for a place is not overdue.
   */
  overdue(): number {
    if (this.#isStopped) return 0
    const isIdle = !this.#isPolling && !this.#isWaiting
    const late = isIdle ? Math.max(0, this.#clock.now() - this.#dueAt) : 0
    return Math.max(late, this.#device.overdue())
  }

  #schedule(delay: number): void {
    if (this.#isStopped) return
    this.#timer?.cancel()
    this.#dueAt = this.#clock.now() + delay
    this.#timer = this.#clock.after(delay, () => this.#due(delay))
  }

  /** The next poll is due, `delay` milliseconds after the last. It waits for its place, or is left out. */
  #due(delay: number): void {
    if (!this.#takesPlace()) {
      this.#device.pollPostponed(delay)
      this.#schedule(delay)
      return
    }
    this.#isWaiting = true
    this.#limit.begin(this)
  }

  /** The poll that is due has its place. @param waited milliseconds that it waited for it */
  run(waited: number): void {
    this.#isWaiting = false
    if (waited > 0) this.#device.pollPostponed(waited)
    void this.#poll()
  }

  /** Whether the poll that is due takes place: of `factor` polls one does. */
  #takesPlace(): boolean {
    if (this.#isUrgent) return true
    this.#share += 1 / this.#limit.factor
    if (this.#share < 1) return false
    this.#share--
    return true
  }

  async #poll(): Promise<void> {
    this.#isPolling = true
    this.#isUrgent = false
    this.#isDueAgain = false
    const tier = this.#tier()
    try {
      if ((await this.#device.poll(tier)) && tier !== 'fast') this.#markRead(tier)
    } catch (error) {
      if (!isExpectedFailure(error)) throw error
    } finally {
      this.#isPolling = false
      this.#limit.end(this)
      this.#schedule(this.#isDueAgain ? 0 : this.#nextDelay())
    }
  }

  /** The properties that are due. */
  #tier(): PollTier {
    const now = this.#clock.now()
    const {slow, rare} = pollIntervals(this.#settings, this.#device.model)
    if (now >= this.#rareReadAt + rare * this.#limit.factor) return 'rare'
    return now >= this.#slowReadAt + slow * this.#limit.factor ? 'slow' : 'fast'
  }

  #markRead(tier: 'slow' | 'rare'): void {
    const now = this.#clock.now()
    this.#slowReadAt = now
    if (tier === 'rare') this.#rareReadAt = now
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
