/**
 * The next attempt to connect: how long to wait for it, with backoff and jitter (`ReconnectBackoff`), and with which MQTT version
 * and last will to try it after the broker has refused others (`ConnectFallback`).
 */
import {jitter, type Random} from '../common/clock.ts'
import {errorCodeOf, isUnsupportedVersion} from './broker-errors.ts'
import {type BrokerLimits, type OutgoingMessage, withinLimits} from './outgoing-message.ts'

/** Short, since plugs should be back within seconds of the broker, and a home has one bridge, not a thousand. */
const FIRST_DELAY_MS = 1000
const MAX_DELAY_MS = 5000
/** For errors that need a person: a wrong password, an access list, another client with the same client id. */
const MAX_DELAY_UNTIL_FIXED_MS = 60_000
/** A connection that lasted longer was a stable one. */
const STABLE_MS = 5000
/**
 * After flapping a stable connection must outlast the longest delays: another client with the same client id waits as long as
 * we do, and takes over the session again.
 */
const STABLE_AFTER_FLAPPING_MS = 3 * MAX_DELAY_UNTIL_FIXED_MS
/** So many connections in a row that ended at once are no accident. */
const FLAPPING_CONNECTIONS = 3

/** The delay before the next attempt to connect; and whether connections come and go (flapping): then they are not worth a log line each. */
export class ReconnectBackoff {
  readonly #random: Random
  #delay = FIRST_DELAY_MS
  #shortConnections = 0
  #isRefused = false

  constructor(random: Random) {
    this.#random = random
  }

  /** Whether connections come and go, for a reason that needs a person. */
  get isFlapping(): boolean {
    return this.#shortConnections >= FLAPPING_CONNECTIONS
  }

  /** The broker refuses the client, and will refuse it the next time. */
  connectRefused(): void {
    this.#isRefused = true
  }

  /** The broker has accepted the client. */
  connectAccepted(): void {
    if (this.#isRefused) this.#delay = FIRST_DELAY_MS
    this.#isRefused = false
  }

  /** What ended the last connections is not sent any more, so that the next one will last. */
  causeRemoved(): void {
    this.#delay = FIRST_DELAY_MS
    this.#shortConnections = 0
  }

  /** Whether a connection that lasted `ms` milliseconds was a stable one. */
  isStable(ms: number): boolean {
    return ms > (this.isFlapping ? STABLE_AFTER_FLAPPING_MS : STABLE_MS)
  }

  /**
   * A connection has ended that lasted `ms` milliseconds.
   * @param isFlapping whether it is certain that the next one will end, too: another client has taken the place, or the broker
   *   acknowledges nothing
   * @returns whether it was a stable one: delays are short again then
   */
  connectionEnded(ms: number, isFlapping: boolean): boolean {
    const isStable = this.isStable(ms)
    if (isStable) this.#delay = FIRST_DELAY_MS
    this.#shortConnections = isStable ? 0 : this.#shortConnections + 1
    if (isFlapping) this.#shortConnections = FLAPPING_CONNECTIONS
    return isStable
  }

  /** Milliseconds until the next attempt, ± 20 %; twice as long each time. */
  nextDelay(): number {
    const delay = jitter(this.#delay, 0.2, this.#random)
    const max = this.#isRefused || this.isFlapping ? MAX_DELAY_UNTIL_FIXED_MS : MAX_DELAY_MS
    this.#delay = Math.min(this.#delay * 2, max)
    return delay
  }
}

const NO_LIMITS: BrokerLimits = {qos: 1, retain: true}
/** CONNACK: the last will has a QoS or a retain flag that the broker does not support (MQTT 5.0 §3.2.2.2). */
const [RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED] = [0x9a, 0x9b]

/**
 * What the next CONNECT asks for: the configured MQTT version and last will, and less of both after the broker has refused
 * them. Reset at the end of every connection, since the next broker may be another one.
 */
export class ConnectFallback {
  readonly #configured: {version: 5 | 4; will: OutgoingMessage}
  #version: 5 | 4
  #limits = NO_LIMITS
  /** How often in a row the broker has closed an attempt in MQTT 5 without a CONNACK. */
  #closedAttempts = 0

  constructor(configured: {version: 5 | 4; will: OutgoingMessage}) {
    this.#configured = configured
    this.#version = configured.version
  }

  get version(): 5 | 4 {
    return this.#version
  }

  /** What this broker refused at an earlier CONNECT. */
  get limits(): BrokerLimits {
    return this.#limits
  }

  get will(): OutgoingMessage {
    const {will} = this.#configured
    return {...will, ...withinLimits(will, this.#limits)}
  }

  reset(): void {
    this.#version = this.#configured.version
    this.#limits = NO_LIMITS
    this.#closedAttempts = 0
  }

  /**
   * An attempt has failed.
   * @param error `undefined` when the broker has closed the connection without a CONNACK, as some do that speak no MQTT 5
   * @returns whether the next CONNECT asks for less, and so may succeed
   */
  fallBack(error: unknown): boolean {
    if (this.#version === 4) return false
    if (error === undefined) this.#closedAttempts++
    if (error === undefined || isUnsupportedVersion(error)) {
      this.#version = 4
      return true
    }
    const {qos, retain} = this.#limits
    const code = errorCodeOf(error)
    if (code === QOS_NOT_SUPPORTED) this.#limits = {qos: 0, retain}
    if (code === RETAIN_NOT_SUPPORTED) this.#limits = {qos, retain: false}
    return this.#limits.qos !== qos || this.#limits.retain !== retain
  }

  /**
   * The broker has accepted 3.1.1 after it closed one attempt in MQTT 5. It may just have been starting, and 3.1.1 has neither response topics
   * nor an expiry of commands: MQTT 5 is worth one more attempt.
   * @returns whether the next CONNECT is in MQTT 5 again
   */
  retryVersion5(): boolean {
    if (this.#version !== 4 || this.#closedAttempts !== 1) return false
    this.#version = 5
    return true
  }
}
