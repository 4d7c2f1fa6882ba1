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

/** A filter whose subscription the broker denies. */
export interface DeniedFilter {
  filter: string
  /** The reason code (MQTT 5.0 §3.9.3); 0x80 in MQTT 3.1.1. */
  code: number
}

/** AWS IoT Core ends a connection over a SUBSCRIBE with more filters. */
const MAX_FILTERS_PER_PACKET = 8

/** The subscriptions of one session, brought in line with the filters that are needed. */
export class Subscriptions {
  readonly #options: SubscriptionOptions
  readonly #session: Session
  #subscribed: readonly string[] = []
  /** The update under way: one at a time, since each takes from `#subscribed` what the broker has. */
  #updating: Promise<unknown> = Promise.resolve()

  constructor(options: SubscriptionOptions, session: Session) {
    this.#options = options
    this.#session = session
  }

  /**
   * Subscribes to the filters that are new, and unsubscribes from those that are not needed any more.
   * @returns the filters that the broker denies
   * @throws Error when the connection ends before the broker has acknowledged
   */
  update(): Promise<DeniedFilter[]> {
    const update = this.#updating.then(() => this.#update())
    this.#updating = update.catch(() => {}) // the caller has the error
    return update
  }

  async #update(): Promise<DeniedFilter[]> {
    const filters = this.#neededFilters()
    const before = this.#subscribed
    this.#subscribed = Object.keys(filters)
    const added = Object.entries(filters).filter(([filter]) => !before.includes(filter))
    const removed = before.filter((filter) => !Object.hasOwn(filters, filter))
    const denied: DeniedFilter[] = []
    for (let from = 0; from < added.length; from += MAX_FILTERS_PER_PACKET) {
      const packet = Object.fromEntries(added.slice(from, from + MAX_FILTERS_PER_PACKET))
      denied.push(...(await this.#subscribe(packet)))
    }
    if (removed.length > 0) {
      const {client, acknowledgements} = this.#session
      const acknowledged = acknowledgements.expect()
      await client.unsubscribeAsync(removed)
      acknowledged()
    }
    return denied
  }

  #neededFilters(): Filters {
    const {commands, statusTopics} = this.#options
    const {wildcards} = this.#session.features
    // A broker without wildcards ends the connection over a filter that has one [MQTT 5.0 §3.2.2.3.11].
    const isSupported = (filter: string) => wildcards || !/[+#]/.test(filter)
    return Object.fromEntries([
      ...commands()
        .filter(isSupported)
        .map((filter) => [filter, RETAIN_AS_PUBLISHED]),
      ...(statusTopics?.() ?? []).filter(isSupported).map((filter) => [filter, NO_LOCAL]),
    ])
  }

  /** Sends one SUBSCRIBE. A filter that is denied leaves the others as they are. */
  async #subscribe(filters: Filters): Promise<DeniedFilter[]> {
    const {client, refusals, acknowledgements} = this.#session
    const acknowledged = acknowledgements.expect()
    try {
      await client.subscribeAsync(filters)
      acknowledged()
      return []
    } catch (error) {
      // When the connection is lost, the error of the library has no packet, whatever its type says.
      const packet = error instanceof ErrorWithSubackPacket ? error.packet : undefined
      const requested = Object.keys(filters)
      if (packet?.granted.length !== requested.length) throw error // the connection is over, or must be ended
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
  readonly #options: SelfTestOptions
  /** The payload of the test under way. */
  #payload: string | undefined
  #timer: Timer | undefined

  constructor(options: SelfTestOptions) {
    this.#options = options
  }

  /** Starts a test. @returns the message to publish, different from that of every other bridge */
  start(): OutgoingMessage {
    this.reset()
    const {topic, random} = this.#options
    const nonce = Math.floor(random() * Number.MAX_SAFE_INTEGER).toString(36)
    const payload = JSON.stringify({nonce})
    this.#payload = payload
    // When the broker refuses the message (we may not publish there), the test shows nothing: no time begins to run.
    const onAcknowledged = () => this.#expectMessage()
    return {topic, payload, retain: false, qos: 1, isSelfTest: true, onAcknowledged}
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

  /** A message came, perhaps that of another bridge's test. @returns whether it is on the topic of the test */
  received(topic: string, payload: Buffer): boolean {
    const isTest = topic === this.#options.topic
    if (isTest && payload.toString() === this.#payload) this.reset()
    return isTest
  }

  /** The connection is over, or the test is. */
  reset(): void {
    this.#payload = undefined
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
