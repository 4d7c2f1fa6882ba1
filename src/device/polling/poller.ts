/** When to ask a plug, and what its silence means: interval, lanes, jitter, back-off; online and offline, and why. */
import {type Clock, jitter, type Random, type Timer} from '../../common/clock.ts'
import type {Model, PollTier} from '../../models/model.ts'
import {CommandError, isAbsence, isCallFailure, isRefusal, isTokenRefused} from '../command-error.ts'
import {type Device, PollPreempted} from '../device.ts'
import type {Diagnosis} from '../diagnosis.ts'
import type {Offline} from './availability.ts'

export interface PollSettings {
  /** Relay and watts, milliseconds. */
  interval: number
  /** What changes slowly, milliseconds. */
  slow_interval: number
  /** So many polls in a row must fail before a plug that answered counts as offline. */
  offline_after: number
  /** Whether a model that suffers from polls is polled less often than told. */
  gentle?: boolean
}

export interface PollerOptions {
  device: Device
  clock: Clock
  random: Random
  settings: PollSettings
  /** How long the first poll waits, so that many plugs do not start on one tick. */
  firstDelay?: number
}

/** Spreads the polls of many plugs, and those of one plug against other software's. */
const JITTER = 0.1
/** What is hardly ever wanted, or risky to ask for, is read at every tenth slow poll. */
const RARE = 10
const LONGEST_BACK_OFF_MS = 60_000
const BACK_OFF_JITTER = 0.2

/** How often the properties of each lane are asked for, milliseconds. */
export function pollIntervals({gentle, interval, slow_interval}: PollSettings, model: Model | undefined) {
  // Some strips reboot, and switch their sockets, when they are asked too often (docs/protocol.md §3.3, sp5).
  const fast = gentle ? Math.max(interval, model?.interval ?? 0) : interval
  const slow = Math.max(fast, slow_interval)
  return {fast, slow, rare: slow * RARE}
}

export class Poller {
  /** When the plug last answered, on the clock; `undefined` before the first time. */
  answeredAt: number | undefined
  readonly #device: Device
  readonly #clock: Clock
  readonly #random: Random
  readonly #settings: PollSettings
  readonly #firstDelay: number
  readonly #onReached = () => this.#answered()
  readonly #onExchanged = (failure: unknown) => this.#exchanged(failure)
  #timer: Timer | undefined
  #dueAt = 0
  #slowDueAt = Number.NEGATIVE_INFINITY
  #rareDueAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #backOff: number
  #polling = false
  #again = false
  #stopped = false

  constructor({device, clock, random, settings, firstDelay = 0}: PollerOptions) {
    this.#device = device
    this.#clock = clock
    this.#random = random
    this.#settings = settings
    this.#firstDelay = firstDelay
    this.#backOff = settings.interval
  }

  start(): void {
    this.#device.on('requestFinished', this.#onExchanged)
    this.#device.on('firstResponse', this.#onReached)
    this.#schedule(this.#firstDelay)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#device.off('requestFinished', this.#onExchanged)
    this.#device.off('firstResponse', this.#onReached)
  }

  /** Whether the last poll, command or read came to nothing. */
  get failing(): boolean {
    return this.#failures > 0
  }

  /**
   * Polls as soon as possible, everything, whatever the back-off: the plug was just seen, or somebody asks.
   * @param spread milliseconds of which a random part is waited first, so that many plugs do not start on one tick
   */
  pollNow(spread = 0): void {
    this.#slowDueAt = Number.NEGATIVE_INFINITY
    if (this.#polling) this.#again = true
    else this.#schedule(spread * this.#random())
  }

  /**
   * How many milliseconds a poll is overdue, or a request that has not ended: only a wedged process or a lost request lets this
   * grow, so the watchdog looks at it.
   */
  overdue(): number {
    if (this.#stopped) return 0
    const late = this.#polling ? 0 : Math.max(0, this.#clock.now() - this.#dueAt)
    return Math.max(late, this.#device.overdue())
  }

  #schedule(delay: number): void {
    if (this.#stopped) return
    this.#timer?.cancel()
    this.#dueAt = this.#clock.now() + delay
    this.#timer = this.#clock.after(delay, () => void this.#poll())
  }

  async #poll(): Promise<void> {
    this.#polling = true
    this.#again = false
    const lane = this.#dueLane()
    try {
      if (await this.#device.poll(lane)) this.#done(lane)
      this.#answered()
    } catch (error) {
      if (error instanceof PollPreempted) return
      if (!isCallFailure(error) && !(error instanceof CommandError)) throw error
      // What never reached the plug, because too many wait to know its model, says nothing of it.
      if (isRefusal(error) || isAbsence(error)) this.#failed(error)
    } finally {
      this.#polling = false
      this.#schedule(this.#again ? 0 : this.#nextDelay())
    }
  }

  #dueLane(): PollTier {
    const now = this.#clock.now()
    if (now >= this.#rareDueAt) return 'rare'
    return now >= this.#slowDueAt ? 'slow' : 'fast'
  }

  #done(lane: PollTier): void {
    const now = this.#clock.now()
    const {slow, rare} = pollIntervals(this.#settings, this.#device.model)
    if (lane !== 'fast') this.#slowDueAt = now + slow
    if (lane === 'rare') this.#rareDueAt = now + rare
  }

  #interval(): number {
    return pollIntervals(this.#settings, this.#device.model).fast
  }

  #answered(): void {
    this.answeredAt = this.#clock.now()
    this.#failures = 0
    this.#backOff = this.#interval()
    if (this.#device.availability.state !== 'online') this.#device.setAvailability({state: 'online'})
  }

  #failed(error: unknown): void {
    if (this.#stopped) return
    this.#failures++
    const diagnosis = this.#device.diagnose(error)
    const {availability} = this.#device
    // Certain news needs no second look: the first answer ever, or a token that the plug refuses and never took.
    const certain = availability.state === 'unknown' || isTokenRefused(error)
    if (availability.state === 'offline') this.#stillOffline(availability, diagnosis)
    else if (certain || this.#failures >= this.#settings.offline_after)
      this.#offline(diagnosis, this.#clock.date())
    this.#device.emit('pollFailed', error)
  }

  #offline({reason, words: message}: Diagnosis, since: Date): void {
    this.#device.setAvailability({state: 'offline', reason, since, message})
  }

  /** What is known may change while a plug stays offline, for example from silence to a wrong token. */
  #stillOffline({reason, message, since}: Offline, now: Diagnosis): void {
    if (reason !== now.reason || message !== now.words) this.#offline(now, since)
  }

  /** Beside the polls: who waits for an answer, and how many do, makes no difference. */
  #exchanged(failure: unknown): void {
    if (isAbsence(failure)) this.#failed(failure)
    if (failure !== undefined) return
    this.answeredAt = this.#clock.now()
    this.#failures = 0
    // A plug that answers is back, whatever the back-off says: it is online together with a fresh state.
    if (this.#device.availability.state !== 'online') this.pollNow()
  }

  #nextDelay(): number {
    const {availability} = this.#device
    if (availability.state !== 'offline') return jitter(this.#interval(), JITTER, this.#random)
    this.#backOff = Math.min(this.#backOff * 2, LONGEST_BACK_OFF_MS)
    // A slow interval set by the user is never shortened by the back-off.
    return jitter(Math.max(this.#backOff, this.#interval()), BACK_OFF_JITTER, this.#random)
  }
}
