/**
 * Subscribes at every connect and when the configuration changes, and tests whether the broker delivers what was subscribed to
 * (`SelfTest`).
 */
import {ErrorWithSubackPacket, type IClientSubscribeOptions} from 'mqtt'
import type {Clock, Random, Timer} from '../common/clock.ts'
import type {OutgoingMessage} from './outgoing-message.ts'
import {FAILURE} from './refusal-parser.ts'
import type {Session} from './session.ts'

export interface SubscriptionOptions {
  /** Filters of commands and requests. */
  commands: () => readonly string[]
  /** Filters of everything else: the status of Home Assistant, our own retained topics, and topics where commands go by mistake. */
  statusTopics?: () => readonly string[]
}

/** Each filter with the options of its subscription. */
type Filters = Record<string, IClientSubscribeOptions>

/** A filter that the broker does not let us subscribe to. */
export interface DeniedFilter {
  filter: string
  /** The reason code (MQTT 5.0 §3.9.3); 0x80 in MQTT 3.1.1. */
  code: number
}

/** AWS IoT Core ends a connection over a SUBSCRIBE with more filters. */
const MAX_FILTERS_PER_PACKET = 8

/** The filters that the broker has, brought in line with those that are needed. */
export class Subscriptions {
  readonly #options: SubscriptionOptions
  #subscribed: readonly string[] = []
  /** The update under way: one at a time, since each takes from `#subscribed` what the broker has. */
  #updating: Promise<unknown> = Promise.resolve()

  constructor(options: SubscriptionOptions) {
    this.#options = options
  }

  /**
   * Subscribes on a new connection, where nothing is subscribed.
   * @returns the filters that the broker denies
   * @throws Error when the connection ends before the broker has answered
   */
  async begin(session: Session): Promise<DeniedFilter[]> {
    this.#subscribed = []
    this.#updating = Promise.resolve() // an update of the last connection ends with that
    return this.update(session)
  }

  /** Subscribes to the filters that are new, and unsubscribes from those that are not needed any more. Returns and throws as `begin`. */
  update(session: Session): Promise<DeniedFilter[]> {
    const update = this.#updating.then(() => this.#update(session))
    this.#updating = update.catch(() => {}) // the caller has the error
    return update
  }

  async #update(session: Session): Promise<DeniedFilter[]> {
    const filters = this.#filtersFor(session)
    const before = this.#subscribed
    this.#subscribed = Object.keys(filters)
    const added = Object.entries(filters).filter(([filter]) => !before.includes(filter))
    const removed = before.filter((filter) => !Object.hasOwn(filters, filter))
    const denied: DeniedFilter[] = []
    for (let from = 0; from < added.length; from += MAX_FILTERS_PER_PACKET) {
      const packet = Object.fromEntries(added.slice(from, from + MAX_FILTERS_PER_PACKET))
      denied.push(...(await this.#subscribe(session, packet)))
    }
    if (removed.length > 0) {
      const acknowledged = session.acknowledgements.expect()
      await session.client.unsubscribeAsync(removed)
      acknowledged()
    }
    return denied
  }

  #filtersFor({features}: Session): Filters {
    const {commands, statusTopics} = this.#options
    // A broker without wildcards ends the connection over a filter that has one [MQTT 5.0 §3.2.2.3.11].
    const isSupported = (filter: string) => features.wildcards || !/[+#]/.test(filter)
    return Object.fromEntries([
      ...commands()
        .filter(isSupported)
        .map((filter) => [filter, RETAIN_AS_PUBLISHED]),
      ...(statusTopics?.() ?? []).filter(isSupported).map((filter) => [filter, NO_LOCAL]),
    ])
  }

  /** Sends one SUBSCRIBE. A filter that is denied leaves the others as they are. */
  async #subscribe({client, refusals, acknowledgements}: Session, filters: Filters): Promise<DeniedFilter[]> {
    const acknowledged = acknowledgements.expect()
    try {
      await client.subscribeAsync(filters)
      acknowledged()
      return []
    } catch (error) {
      const packet = subackOf(error)
      const requested = Object.keys(filters)
      if (packet?.granted.length !== requested.length) throw error // the connection is over, or not worth keeping
      acknowledged()
      const codes = [...refusals.take(packet.messageId)]
      return requested
        .filter((_, index) => Number(packet.granted[index]) >= FAILURE)
        .map((filter) => ({filter, code: codes.shift() ?? FAILURE}))
    }
  }
}

/**
 * Brokers clear the retain flag of what is published while we are subscribed, unless MQTT 5 asks them not to [MQTT-3.3.1-12]. A
 * command that is published retained must be recognised also then: it would be repeated at every start. MQTT 3.1.1 has neither
 * option, and the library leaves them out.
 */
const RETAIN_AS_PUBLISHED = {qos: 1, rap: true} as const
/** Our own messages need not come back. */
const NO_LOCAL = {qos: 1, nl: true} as const

/** The SUBACK behind an error of the library. When the connection is lost its error has none, whatever its type says. */
function subackOf(error: unknown): ErrorWithSubackPacket['packet'] | undefined {
  return error instanceof ErrorWithSubackPacket ? error.packet : undefined
}

/**
 * Milliseconds from the acknowledgement of the test message until it is missing, in two steps: what arrived during a stall of
 * this process is read between them.
 */
const [DELIVERY_TIMEOUT_MS, SECOND_STEP_MS] = [9000, 1000]

interface SelfTestOptions {
  /** Where the test message is published. What arrives there is not passed on. */
  topic: string
  clock: Clock
  random: Random
  onMissing: () => void
}

/**
 * Tests whether a message that we publish comes back to us. mosquitto 2.0 grants every subscription, and then does not deliver
 * what its access list denies to read: the bridge would be online and never get a command.
 */
export class SelfTest {
  readonly topic: string
  readonly #options: SelfTestOptions
  /** The payload of the test under way. */
  #payload: string | undefined
  #timer: Timer | undefined

  constructor(options: SelfTestOptions) {
    this.topic = options.topic
    this.#options = options
  }

  /** Starts a test. @returns the message to publish, different from that of every other bridge */
  start(): OutgoingMessage {
    this.reset()
    const nonce = Math.floor(this.#options.random() * Number.MAX_SAFE_INTEGER).toString(36)
    const payload = JSON.stringify({nonce})
    this.#payload = payload
    // When the broker refuses the message (we may not publish there), the test shows nothing: no time begins to run.
    const onAcknowledged = () => this.#expectMessage()
    return {topic: this.topic, payload, retain: false, qos: 1, isSelfTest: true, onAcknowledged}
  }

  #expectMessage(): void {
    if (this.#payload === undefined) return // the message was here before its acknowledgement
    const {clock, onMissing} = this.#options
    this.#timer = clock.after(DELIVERY_TIMEOUT_MS, () => {
      this.#timer = clock.after(SECOND_STEP_MS, () => {
        this.reset()
        onMissing()
      })
    })
  }

  /** A message came on the topic of the test, perhaps of another bridge. */
  received(payload: Buffer): void {
    if (payload.toString() === this.#payload) this.reset()
  }

  /** The connection is over, or the test is. */
  reset(): void {
    this.#payload = undefined
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
