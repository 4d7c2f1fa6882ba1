/**
 * Publishes messages on the current session: queues them (outbox.ts), waits for acknowledgements, reports what the broker
 * refuses or drops, and withholds messages over which a broker ends connections (acknowledgements.ts).
 */
import type {Clock, Timer} from '../common/clock.ts'
import {type Acknowledgements, ForeignTopics, RejectedMessages} from './acknowledgements.ts'
import {publishSize} from './broker-features.ts'
import type {BrokerWarnings} from './broker-warnings.ts'
import {Outbox, type OutgoingMessage} from './outbox.ts'
import type {Session} from './session.ts'
import type {SelfTest} from './subscriptions.ts'

interface DeliveryOptions {
  clock: Clock
  warnings: BrokerWarnings
  acknowledgements: Acknowledgements
  selfTest: SelfTest | undefined
  /** Counted up here, published in bridge/health. */
  counters: {published: number; failed: number; dropped: number}
}

/** Refused and dropped messages are collected for so long, so that one warning has their number. */
const COLLECT_MS = 1000

/** Publishes on the current session, with one outbox for all sessions. */
export class Delivery {
  readonly #options: DeliveryOptions
  readonly #outbox: Outbox
  readonly #foreignTopics: ForeignTopics
  /** By the URL of the broker. */
  readonly #rejectedMessages = new Map<string, RejectedMessages>()
  /** The session to publish on, between `open` and `close`. */
  #session: Session | undefined
  /** Not reported yet: how many messages were dropped, and by reason code the topics of those refused. */
  #dropped = 0
  readonly #refused = new Map<number, Set<string>>()
  #reportTimer: Timer | undefined

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#foreignTopics = new ForeignTopics(options.clock)
    this.#outbox = new Outbox({
      onDropped: () => this.#onDropped(),
      isSentAlone: ({topic}) =>
        this.#session !== undefined && this.#rejectedAt(this.#session).isSuspect(topic),
    })
  }

  /** The session is connected and subscribed: messages go out on it from now on. */
  open(session: Session): void {
    this.#session = session
    this.#outbox.open((message, done) => this.#send(session, message, done), session.features.inFlight)
  }

  /** The session is over: drops all that is queued or in flight on it. */
  close(): void {
    this.#session = undefined
    this.#outbox.close()
    this.#foreignTopics.reset()
  }

  /** Resolves when the broker has acknowledged everything. */
  drained(): Promise<void> {
    return this.#outbox.drained()
  }

  /** No report of refused or dropped messages comes any more. */
  stop(): void {
    this.#reportTimer?.cancel()
  }

  /** Publishes a message, or drops it: without a session, when it is too large for the broker, and while it is withheld. */
  publish(message: OutgoingMessage): void {
    const routed = this.#routeForeign(message)
    const session = this.#session
    if (!routed || !session || this.#isTooLarge(session, routed)) return
    if (!this.#rejectedAt(session).isWithheld(routed.topic)) this.#outbox.put(routed)
  }

  /** Publishes the message of the self-test. */
  publishSelfTest(): void {
    const {selfTest} = this.#options
    if (!selfTest || !this.#session || this.#rejectedAt(this.#session).isWithheld(selfTest.topic)) return
    this.#outbox.put({topic: selfTest.topic, payload: selfTest.payload(), retain: false, qos: 1})
  }

  /**
   * The session has ended, perhaps over one of the messages that were in flight. To be called before `close`.
   * @returns whether a message, or all foreign topics, are withheld from now on, so that the next session should last
   */
  withholdRejected(session: Session): boolean {
    const {warnings} = this.#options
    const {url, acknowledged} = session
    const foreignTopic = this.#foreignTopics.connectionEnded()
    if (foreignTopic !== undefined) warnings.foreignTopicsSuspended(url, foreignTopic)
    const topics = this.#outbox.inFlight.filter(({foreign}) => !foreign).map(({topic}) => topic)
    const withheld = this.#rejectedAt(session).connectionEnded(topics, acknowledged)
    if (withheld !== undefined) warnings.messageWithheld(url, withheld)
    return foreignTopic !== undefined || withheld !== undefined
  }

  #rejectedAt({url}: Session): RejectedMessages {
    const known = this.#rejectedMessages.get(url)
    if (known) return known
    const rejected = new RejectedMessages(this.#options.clock)
    this.#rejectedMessages.set(url, rejected)
    return rejected
  }

  /** Sends a foreign message to its fallback topic while foreign topics are suspended. */
  #routeForeign(message: OutgoingMessage): OutgoingMessage | undefined {
    if (!message.foreign || !this.#foreignTopics.isSuspended) return message
    const {fallbackTopic} = message
    return fallbackTopic === undefined ? undefined : {...message, topic: fallbackTopic, foreign: false}
  }

  #isTooLarge({features}: Session, message: OutgoingMessage): boolean {
    const max = features.packetSize
    if (max === Number.POSITIVE_INFINITY) return false
    const size = publishSize(message)
    if (size <= max) return false
    this.#options.counters.failed++
    this.#options.warnings.messageTooLarge(message.topic, size, max)
    return true
  }

  #send(session: Session, message: OutgoingMessage, done: () => void): void {
    const {topic, foreign} = message
    const {selfTest, acknowledgements} = this.#options
    const acknowledged = acknowledgements.expect()
    const qos = session.publish(message, (refusal) => {
      acknowledged()
      this.#rejectedAt(session).acknowledged(topic)
      if (foreign) this.#foreignTopics.acknowledged(topic)
      if (topic === selfTest?.topic) selfTest.acknowledged(refusal === undefined)
      else this.#count(topic, refusal)
      if (refusal === undefined) message.onAcknowledged?.()
      done()
    })
    if (foreign) this.#foreignTopics.sent(topic, qos)
  }

  /** @param refusal the reason code for which the broker has not taken the message */
  #count(topic: string, refusal: number | undefined): void {
    const {counters} = this.#options
    counters.published++
    if (refusal === undefined) return
    counters.failed++
    this.#refused.set(refusal, (this.#refused.get(refusal) ?? new Set()).add(topic))
    this.#reportSoon()
  }

  #onDropped(): void {
    this.#options.counters.dropped++
    this.#dropped++
    this.#reportSoon()
  }

  #reportSoon(): void {
    const {clock, warnings} = this.#options
    this.#reportTimer ??= clock.after(COLLECT_MS, () => {
      this.#reportTimer = undefined
      if (this.#dropped > 0) warnings.messagesDropped(this.#dropped)
      for (const [code, topics] of this.#refused) warnings.publishRefused([...topics], code)
      this.#dropped = 0
      this.#refused.clear()
    })
  }
}
