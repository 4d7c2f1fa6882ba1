/**
 * Queue of messages to publish while the broker is slow: the newest message per retained topic, and every other message once.
 * The client library's own store is not used, because it wraps silently after 65,535 messages. Nothing is queued without a
 * broker: after every connect everything retained is published again, with the values of that moment.
 */

/** A message to publish. */
export interface OutgoingMessage {
  topic: string
  payload: string
  retain: boolean
  qos: 0 | 1
  correlationData?: Buffer | undefined
  /** The MIME type of the payload. Sent over MQTT 5 only, as is `expiresIn`. */
  contentType?: 'application/json' | 'text/plain' | undefined
  /** For how many milliseconds the broker keeps the message for a subscriber that is away. For ever when it is missing. */
  expiresIn?: number | undefined
  /** Its topic was chosen by the sender of a command: a response topic of MQTT 5, or the name of a request that does not exist. */
  foreign?: boolean | undefined
  /** The topic of a foreign message while foreign topics are suspended (acknowledgements.ts). Without one it is dropped then. */
  fallbackTopic?: string | undefined
  /**
   * Called when the broker has acknowledged the message. Not called when the broker refuses it, when a newer message replaces it in
   * the queue, or when the connection ends first.
   */
  onAcknowledged?: (() => void) | undefined
}

/** The properties of a PUBLISH (MQTT 5.0 §3.3.2.3). MQTT 3.1.1 has no place for them. */
export function publishProperties({correlationData, contentType, expiresIn}: OutgoingMessage) {
  return {
    ...(correlationData ? {correlationData} : {}),
    ...(contentType ? {contentType} : {}),
    ...(expiresIn === undefined ? {} : {messageExpiryInterval: Math.ceil(expiresIn / 1000)}),
  }
}

/** Sends one message. Calls `done`, at once or later, when the broker has the message or refuses it. */
type SendMessage = (message: OutgoingMessage, done: () => void) => void

interface OutboxOptions {
  /** Called for each response or event that is dropped because the queue is full. */
  onDropped?: () => void
  /** Whether a message must be the only one in flight (`RejectedMessages` in acknowledgements.ts). */
  isSentAlone?: (message: OutgoingMessage) => boolean
}

/** More responses and events mean that the broker does not take them: the oldest are dropped. */
const MAX_UNRETAINED = 10_000
/** In UTF-16 units, of two bytes at most: far below the heap limit of 256 MB that the service has. */
const MAX_UNRETAINED_LENGTH = 16 * 1024 * 1024

/** A message that was sent and is not acknowledged. */
interface InFlight {
  message: OutgoingMessage
  isAlone: boolean
}

/** A queue of messages: the newest per retained topic, in the order of their first entry. */
export class Outbox {
  readonly #options: OutboxOptions
  /** In the order of sending. The key of a retained message is its topic; other messages have a symbol each. */
  readonly #queue = new Map<string | symbol, OutgoingMessage>()
  /** The keys of queued messages that are not retained, oldest first, with their length in UTF-16 units. */
  readonly #unretained = new Map<symbol, number>()
  #unretainedLength = 0
  readonly #inFlight = new Set<InFlight>()
  #maxInFlight = 0
  #send: SendMessage | undefined
  #isPumping = false
  #onDrained: () => void = () => {}

  constructor(options: OutboxOptions = {}) {
    this.#options = options
  }

  /** The messages that were sent and are not acknowledged, oldest first. */
  get inFlight(): OutgoingMessage[] {
    return [...this.#inFlight].map(({message}) => message)
  }

  /** A connection is there: messages are sent by `send` from now on, at most `maxInFlight` of them unacknowledged at any time. */
  open(send: SendMessage, maxInFlight: number): void {
    this.#send = send
    this.#maxInFlight = maxInFlight
  }

  /** The connection is over: drops what is queued or in flight. */
  close(): void {
    this.#send = undefined
    this.#queue.clear()
    this.#unretained.clear()
    this.#unretainedLength = 0
    this.#inFlight.clear()
    this.#onDrained()
  }

  /**
   * Sends a message now or as soon as there is room; drops it when the outbox is closed. A retained message replaces the queued
   * one of its topic, in its place: at the end of the queue a topic that changes all the time would never be sent.
   */
  put(message: OutgoingMessage): void {
    if (!this.#send) return
    if (message.retain) this.#queue.set(message.topic, message)
    else this.#append(message)
    this.#pump()
  }

  /** Resolves when nothing is queued and nothing is in flight. */
  drained(): Promise<void> {
    if (!this.#send || this.#isEmpty()) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onDrained = resolve
    })
  }

  #isEmpty(): boolean {
    return this.#inFlight.size === 0 && this.#queue.size === 0
  }

  #append(message: OutgoingMessage): void {
    const length = message.topic.length + message.payload.length
    const isFull = () =>
      this.#unretained.size >= MAX_UNRETAINED || this.#unretainedLength + length > MAX_UNRETAINED_LENGTH
    while (this.#unretained.size > 0 && isFull()) this.#dropOldestUnretained()
    const key = Symbol()
    this.#queue.set(key, message)
    this.#unretained.set(key, length)
    this.#unretainedLength += length
  }

  /**
   * Sends what there is room for. A loop, and never from within itself: the client library calls `done` at once for QoS 0, and
   * when it is ending. With thousands of queued messages a recursion would overflow the stack.
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
    const [next] = this.#queue
    if (!this.#send || !next || this.#inFlight.size >= this.#maxInFlight) return false
    const [key, message] = next
    const isAlone = this.#options.isSentAlone?.(message) ?? false
    const [oldest] = this.#inFlight
    if (oldest && (isAlone || oldest.isAlone)) return false
    this.#remove(key)
    const sent: InFlight = {message, isAlone}
    this.#inFlight.add(sent)
    this.#send(message, () => {
      if (this.#inFlight.delete(sent)) this.#pump() // otherwise its connection is over
    })
    return true
  }

  #remove(key: string | symbol): void {
    this.#queue.delete(key)
    if (typeof key === 'string') return
    this.#unretainedLength -= this.#unretained.get(key) ?? 0
    this.#unretained.delete(key)
  }

  #dropOldestUnretained(): void {
    const [oldest] = this.#unretained.keys()
    if (oldest === undefined) return
    this.#remove(oldest)
    this.#options.onDropped?.()
  }
}
