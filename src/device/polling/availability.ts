/**
 * The availability of one plug: unknown, online or offline, and why. AvailabilityTracker is its only writer: it counts the polls and
 * other exchanges that failed in a row, and decides when the plug counts as offline (docs/promises.md 33 to 38).
 */
import type {Clock} from '../../common/clock.ts'
import {CommandError, isAbsence, isRefusal, isSilence, isTokenRefused} from '../command-error.ts'
import {diagnoseFailure, type FailureContext, type OfflineReason} from '../diagnosis.ts'
import type {Emitter} from '../emitter.ts'

export type {OfflineReason} from '../diagnosis.ts'

/** One object each for all plugs. */
const UNKNOWN = {state: 'unknown'} as const
const ONLINE = {state: 'online'} as const

export type Availability = /** Not polled yet. */ {state: 'unknown'} | {state: 'online'} | Offline

export interface Offline {
  state: 'offline'
  reason: OfflineReason
  since: Date
  /** A sentence about the reason, with the plug's address. */
  message?: string
}

export interface AvailabilityEvents {
  availabilityChanged: [Availability]
  /** A poll or a command got no response, or a poll was refused: the plug may have moved. */
  pollFailed: [unknown]
  /** A request beside the polls was answered while the plug was not online: a poll should follow at once. */
  answeredWhileAway: []
}

interface AvailabilityTrackerOptions {
  clock: Clock
  /** So many exchanges in a row must fail before a plug that answered counts as offline. */
  offlineAfter: number
  /** What is known of the plug and of this machine when an exchange has failed. */
  failureContext: () => FailureContext
  events: Emitter<AvailabilityEvents>
}

/** A timeout after less time than this does not count as a failure: the request was not retried, or its caller had no more time. */
const MIN_EVIDENCE_MS = 4000
/** A request that ends so long after its deadline was under way while this process stood still: it had fewer tries than its time shows. */
const STALLED_MS = 1000

/** The availability of one plug, from the results of its polls and other exchanges. */
export class AvailabilityTracker {
  /** When the plug last answered, in ms of the clock; `undefined` before its first response. */
  lastResponseAt: number | undefined
  current: Availability = UNKNOWN
  readonly #options: AvailabilityTrackerOptions
  /** Exchanges in a row that failed. */
  #failures = 0
  #isSuspended = false

  constructor(options: AvailabilityTrackerOptions) {
    this.#options = options
  }

  get isOnline(): boolean {
    return this.current.state === 'online'
  }

  /** Whether the last exchange failed. */
  get isFailing(): boolean {
    return this.#failures > 0
  }

  /** A poll read the plug's relay. */
  pollSucceeded(): void {
    if (this.#answered() && !this.isOnline) this.#set(ONLINE)
  }

  /** A poll failed. A request that never left, because too many callers wait or no time was left, is no evidence about the plug. */
  pollFailed(error: unknown): void {
    if (isRefusal(error) || isAbsence(error)) this.#failed(error)
  }

  /**
   * Counts a single request beside the polls, which was just sent, as an exchange of its own. A refusal is a response.
   * @param deadline of the request, in ms of the clock
   * @throws what `request` fails with
   */
  async track<T>(request: Promise<T>, deadline: number): Promise<T> {
    const startedAt = this.#options.clock.now()
    try {
      const result = await request
      this.requestAnswered()
      return result
    } catch (error) {
      if (isRefusal(error)) this.requestAnswered()
      else this.requestFailed(error, startedAt, deadline)
      throw error
    }
  }

  /** An exchange beside the polls was answered. The plug is online once a poll has read its state, and that should be at once. */
  requestAnswered(): void {
    if (this.#answered() && !this.isOnline) this.#options.events.emit('answeredWhileAway')
  }

  /**
   * An exchange beside the polls failed. How many callers waited for it makes no difference.
   * @param startedAt when its first request was sent, in ms of the clock; `undefined` when none was sent
   * @param deadline when it had to end, in ms of the clock
   */
  requestFailed(error: unknown, startedAt: number | undefined, deadline = Number.POSITIVE_INFINITY): void {
    const now = this.#options.clock.now()
    if (now > deadline + STALLED_MS) return
    const hadTime = startedAt !== undefined && now - startedAt >= MIN_EVIDENCE_MS
    if (isAbsence(error) && (hadTime || !isSilence(error))) this.#failed(error)
  }

  /** Takes the plug for offline although its first poll has not ended, since the bridge cannot wait longer to be online itself. */
  assumeOffline(): void {
    if (this.current.state !== 'unknown') return
    this.#setOffline(new CommandError('timeout', 'no answer yet'), this.#options.clock.date())
  }

  /** The plug is not used: it is offline for this reason, and no exchange counts until `resume`. */
  suspend(reason: 'disabled' | 'duplicate'): void {
    this.#isSuspended = true
    this.#set({state: 'offline', reason, since: this.#options.clock.date()})
  }

  /** The plug is used again. It stays offline until it answers. */
  resume(): void {
    this.#isSuspended = false
    this.#failures = 0
    this.lastResponseAt = undefined
  }

  /** @returns whether the response counts */
  #answered(): boolean {
    if (this.#isSuspended) return false
    this.lastResponseAt = this.#options.clock.now()
    this.#failures = 0
    return true
  }

  #failed(error: unknown): void {
    if (this.#isSuspended) return
    this.#failures++
    const {clock, offlineAfter, events} = this.#options
    const {current} = this
    // The first failure is certain before the first response, and when the plug refuses a token that it never accepted.
    const isCertain = current.state === 'unknown' || isTokenRefused(error)
    if (current.state === 'offline') this.#setOffline(error, current.since)
    else if (isCertain || this.#failures >= offlineAfter) this.#setOffline(error, clock.date())
    events.emit('pollFailed', error)
  }

  /** The reason may change while a plug stays offline, for example from a timeout to a wrong token. */
  #setOffline(error: unknown, since: Date): void {
    const {reason, message} = diagnoseFailure(error, this.#options.failureContext())
    const before = this.current
    if (before.state === 'offline' && before.reason === reason && before.message === message) return
    this.#set({state: 'offline', reason, since, message})
  }

  #set(availability: Availability): void {
    this.current = availability
    this.#options.events.emit('availabilityChanged', availability)
  }
}
