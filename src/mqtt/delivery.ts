/**
 * Publishes messages on the current session. While the broker is slow they are queued: the newest message per retained topic, and
 * every other message once. The client library's own store is not used, because it wraps silently after 65,535 messages. Nothing
 * is queued without a broker: after every connect everything retained is published again, with the values of that moment.
 */
import type {Clock, Timer} from '../common/clock.ts'
import {RejectedMessages, SenderTopics} from './acknowledgements.ts'
import type {BrokerWarnings} from './broker-warnings.ts'
import {type OutgoingMessage, publishSize} from './outgoing-message.ts'
import type {Session} from './session.ts'
import {assertTopic} from './topics.ts'

/** More results and events mean that the broker does not take them: the oldest are dropped. */
const MAX_UNRETAINED = 10_000
/** In UTF-16 units, of two bytes at most: far below the heap limit of 256 MB that the service has. */
const MAX_UNRETAINED_LENGTH = 16 * 1024 * 1024

/**
 * So many retained messages a second go out at once, each with a write of its own. When there are more, they are collected for
 * `COLLECT_MS`, and go out in one write: each write to the socket costs more than all that is done for a message before it.
 */
const WRITES_PER_SECOND = 50
const COLLECT_MS = 1000 / WRITES_PER_SECOND

interface DeliveryOptions {
  clock: Clock
  warnings: BrokerWarnings
  /** Counted up here, published in bridge/health. */
  counters: {published: number; failed: number; dropped: number}
}

/** The part of a session that messages are published on. */
type PublishingSession = Pick<Session, 'url' | 'features' | 'acknowledged' | 'publish' | 'flush'>

/** Publishes on the current session, with one queue for all sessions. */
export class Delivery {
  readonly #options: DeliveryOptions
  readonly #senderTopics: SenderTopics
  /** By the URL of the broker. */
  readonly #rejectedByUrl = new Map<string, RejectedMessages>()
  /** The session to publish on, between `open` and `close`, and the messages that its broker rejects. */
  #session: PublishingSession | undefined
  #rejected: RejectedMessages
  /** In the order of sending. The key of a retained message is its topic; other messages have a number each. */
  readonly #queue = new Map<string | number, OutgoingMessage>()
  /** The keys of queued messages that are not retained, oldest first, with their length in UTF-16 units. */
  readonly #unretained = new Map<number, number>()
  #unretainedLength = 0
  /** The messages that were sent and are not acknowledged, oldest first. */
  readonly #inFlight = new Map<number, OutgoingMessage>()
  #lastNumber = 0
  /** How many retained messages may still go out at once, at the time `#countedAt`. */
  #writesLeft = WRITES_PER_SECOND
  #countedAt = 0
  /** Runs while messages are collected. */
  #collecting: Timer | undefined
  #isPumping = false
  #onDrained: () => void = () => {}

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#senderTopics = new SenderTopics(options.clock)
    this.#rejected = new RejectedMessages(options.clock)
  }

  /** The session is connected and subscribed: messages go out on it from now on. */
  open(session: PublishingSession): void {
    this.#session = session
    this.#rejected = this.#rejectedAt(session.url)
  }

  /** The session is over: drops all that is queued or in flight on it. */
  close(): void {
    this.#session = undefined
    this.#collecting?.cancel()
    this.#collecting = undefined
    this.#queue.clear()
    this.#unretained.clear()
    this.#unretainedLength = 0
    this.#inFlight.clear()
    this.#senderTopics.reset()
    this.#onDrained()
  }

  /** Resolves when nothing is queued and nothing is in flight. */
  drained(): Promise<void> {
    this.#pump()
    if (this.#isEmpty()) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onDrained = resolve
    })
  }

  /**
   * Sends a message now or as soon as there is room. Drops it without a session, when it is too large for the broker, and while it
   * is withheld. A retained message replaces the queued one of its topic, in its place: at the end of the queue a topic that changes
   * all the time would never be sent.
   * @throws RangeError for a topic that no broker takes
   */
  publish(message: OutgoingMessage): void {
    const {topic, fallbackTopic} = message
    assertTopic(topic)
    if (fallbackTopic !== undefined && this.#senderTopics.isSuspended) {
      this.publish({...message, topic: fallbackTopic, fallbackTopic: undefined})
      return
    }
    const session = this.#session
    if (!session || this.#isTooLarge(message, session.features.packetSize)) return
    if (this.#rejected.isWithheld(topic)) return
    if (message.retain) {
      this.#queue.set(topic, message)
      this.#pumpSoon()
    } else {
      this.#append(message)
      this.#pump() // a client waits for a result; what was collected goes out with it
    }
  }

  /**
   * The session has ended, perhaps over one of the messages that were in flight. To be called before `close`.
   * @returns whether a message, or all topics of senders, are withheld from now on, so that the next session should last
   */
  withholdRejected({url, acknowledged}: PublishingSession): boolean {
    const {warnings} = this.#options
    const inFlight = [...this.#inFlight.values()]
    const fromSender = inFlight.find(({fallbackTopic}) => fallbackTopic !== undefined)
    const senderTopic = this.#senderTopics.connectionEnded(fromSender?.topic)
    if (senderTopic !== undefined) warnings.senderTopicsSuspended(url, senderTopic)
    const own = inFlight.filter(({fallbackTopic}) => fallbackTopic === undefined)
    const topics = own.map(({topic}) => topic)
    const withheld = this.#rejectedAt(url).connectionEnded(topics, acknowledged)
    if (withheld !== undefined) warnings.messageWithheld(url, withheld)
    return senderTopic !== undefined || withheld !== undefined
  }

  #rejectedAt(url: string): RejectedMessages {
    const rejected = this.#rejectedByUrl.get(url) ?? new RejectedMessages(this.#options.clock)
    this.#rejectedByUrl.set(url, rejected)
    return rejected
  }

  #isTooLarge(message: OutgoingMessage, max: number): boolean {
    const size = max === Number.POSITIVE_INFINITY ? 0 : publishSize(message)
    if (size <= max) return false
    this.#options.counters.failed++
    this.#options.warnings.messageTooLarge(message.topic, size, max)
    return true
  }

  #append(message: OutgoingMessage): void {
    const length = message.topic.length + message.payload.length
    for (const oldest of this.#unretained.keys()) {
      const hasRoom =
        this.#unretained.size < MAX_UNRETAINED && this.#unretainedLength + length <= MAX_UNRETAINED_LENGTH
      if (hasRoom) break
      this.#remove(oldest)
      this.#options.counters.dropped++
      this.#options.warnings.messageDropped()
    }
    const number = ++this.#lastNumber
    this.#queue.set(number, message)
    this.#unretained.set(number, length)
    this.#unretainedLength += length
  }

  #remove(key: string | number): void {
    this.#queue.delete(key)
    if (typeof key === 'string') return
    this.#unretainedLength -= this.#unretained.get(key) ?? 0
    this.#unretained.delete(key)
  }

  #isEmpty(): boolean {
    return this.#inFlight.size === 0 && this.#queue.size === 0
  }

  /** Sends a retained message now, or with those that follow it within `COLLECT_MS`. */
  #pumpSoon(): void {
    const {clock} = this.#options
    if (this.#collecting) return
    const now = clock.now()
    this.#writesLeft = Math.min(WRITES_PER_SECOND, this.#writesLeft + (now - this.#countedAt) / COLLECT_MS)
    this.#countedAt = now
    if (this.#writesLeft >= 1) {
      this.#writesLeft--
      this.#pump()
      this.#session?.flush() // a new state does not wait until the result of its command is made
      return
    }
    this.#collecting = clock.after(COLLECT_MS, () => {
      this.#collecting = undefined
      this.#pump()
    })
  }

  /**
   * Sends what there is room for. A loop, and never from within itself: the client library calls back at once for QoS 0, and when
   * it is ending. With thousands of queued messages a recursion would overflow the stack.
   */
  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      while (this.#sendNext());
    } finally {
      this.#isPumping = false
    }
    if (this.#isEmpty()) this.#onDrained()
  }

  /** @returns whether a message was sent */
  #sendNext(): boolean {
    const session = this.#session
    const [next] = this.#queue
    if (!session || !next || this.#inFlight.size >= session.features.inFlight) return false
    const [key, message] = next
    const [oldest] = this.#inFlight.values()
    const rejected = this.#rejected
    if (oldest && (rejected.isSentAlone(oldest.topic) || rejected.isSentAlone(message.topic))) return false
    this.#remove(key)
    this.#send(session, message)
    return true
  }

  #send(session: PublishingSession, message: OutgoingMessage): void {
    const {topic, qos, fallbackTopic, isSelfTest, onAcknowledged} = message
    const {counters, warnings} = this.#options
    const number = ++this.#lastNumber
    this.#inFlight.set(number, message)
    session.publish(message, (refusal) => {
      this.#rejected.acknowledged(topic)
      if (!isSelfTest) counters.published++
      if (refusal === undefined) onAcknowledged?.()
      else if (!isSelfTest) {
        counters.failed++
        warnings.messageRefused(topic, refusal)
      }
      this.#inFlight.delete(number)
      this.#pump()
    })
    const isQos0 = qos === 0 || session.features.qos === 0
    if (isQos0 && fallbackTopic !== undefined) this.#senderTopics.sentWithQos0(topic)
  }
}
