/**
 * What waits to be sent while the broker is slow: the newest message per retained topic, and every other message once. It is
 * ours and not the client's, whose store wraps silently after 65,535 messages. While there is no broker nothing waits at all:
 * after every connect everything retained is announced again, from what is true then.
 */
export interface OutgoingMessage {
  topic: string
  payload: string
  retain: boolean
  qos: 0 | 1
  correlationData?: Buffer | undefined
  /** What the payload is, as a MIME type. Told over MQTT 5 only, as is `expiresIn`. */
  contentType?: 'application/json' | 'text/plain' | undefined
  /** For how many milliseconds the broker keeps it for somebody who is away. For ever unless told. */
  expiresIn?: number | undefined
  /** Its topic was chosen by a sender: the response topic of MQTT 5, or the name of a request that does not exist. */
  foreign?: boolean | undefined
  /** Of a foreign message: the topic it goes to while foreign topics are not served. Without one it is dropped then. */
  home?: string | undefined
  /** Called when the broker has it; not when it refused it, when another took its place, or when the connection ended before. */
  onTaken?: (() => void) | undefined
}

/** What MQTT 5 lets a publisher say of a message beside its payload; 3.1.1 has no place for it. */
export function publishProperties({correlationData, contentType, expiresIn}: OutgoingMessage) {
  return {
    ...(correlationData ? {correlationData} : {}),
    ...(contentType ? {contentType} : {}),
    ...(expiresIn === undefined ? {} : {messageExpiryInterval: Math.ceil(expiresIn / 1000)}),
  }
}

/** Sends one message, and calls `done`, at once or later, when the broker has it or refuses it. */
export type SendMessage = (message: OutgoingMessage, done: () => void) => void

export interface OutboxOptions {
  /** Called for each answer or event that is dropped because too much waits. */
  onDropped?: () => void
  /** Whether a message is to be the only one that is unacknowledged while it is sent. */
  isSentAlone?: (message: OutgoingMessage) => boolean
}

/** More answers and events than this mean that nobody takes them: the oldest go. */
const MOST_UNRETAINED = 10_000
/** In UTF-16 units, of two bytes at most: far below the heap limit of 256 MB that the service has. */
const LARGEST_UNRETAINED = 16 * 1024 * 1024

/** A message that is sent and not acknowledged. */
interface Sent {
  message: OutgoingMessage
  isAlone: boolean
}

export class Outbox {
  readonly #options: OutboxOptions
  /** In the order of being sent. By topic for what is retained; anything else has a key of its own. */
  readonly #waiting = new Map<string | symbol, OutgoingMessage>()
  /** Those of them that are not retained, oldest first, with their length. */
  readonly #unretained = new Map<symbol, number>()
  #unretainedLength = 0
  readonly #inFlight = new Set<Sent>()
  #mostInFlight = 0
  #send: SendMessage | undefined
  #isPumping = false
  #onDrained: () => void = () => {}

  constructor(options: OutboxOptions = {}) {
    this.#options = options
  }

  /** What is sent and not acknowledged, oldest first. */
  get inFlight(): OutgoingMessage[] {
    return [...this.#inFlight].map(({message}) => message)
  }

  /** From now on messages leave by `send`, at most `mostInFlight` of them unacknowledged at any time. */
  open(send: SendMessage, mostInFlight: number): void {
    this.#send = send
    this.#mostInFlight = mostInFlight
  }

  /** The connection is gone, and what waited or was under way is void. */
  close(): void {
    this.#send = undefined
    this.#waiting.clear()
    this.#unretained.clear()
    this.#unretainedLength = 0
    this.#inFlight.clear()
    this.#onDrained()
  }

  /**
   * Sends a message now or as soon as there is room; drops it when the outbox is closed. A retained one takes the place of what
   * waits on its topic: at the end of the queue a topic that changes all the time would never have its turn.
   */
  put(message: OutgoingMessage): void {
    if (!this.#send) return
    if (message.retain) this.#waiting.set(message.topic, message)
    else this.#append(message)
    this.#pump()
  }

  /** Resolves when nothing waits and nothing is under way. */
  drained(): Promise<void> {
    if (!this.#send || this.#isEmpty()) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onDrained = resolve
    })
  }

  #isEmpty(): boolean {
    return this.#inFlight.size === 0 && this.#waiting.size === 0
  }

  #append(message: OutgoingMessage): void {
    const length = message.topic.length + message.payload.length
    const isFull = () =>
      this.#unretained.size >= MOST_UNRETAINED || this.#unretainedLength + length > LARGEST_UNRETAINED
    while (this.#unretained.size > 0 && isFull()) this.#dropOldestUnretained()
    const key = Symbol()
    this.#waiting.set(key, message)
    this.#unretained.set(key, length)
    this.#unretainedLength += length
  }

  /**
   * A loop, whether `done` is called at once (QoS 0, or a client that is ending) or later: thousands of messages may wait, and
   * each would otherwise be sent from within the one before it.
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
    const [next] = this.#waiting
    if (!this.#send || !next || this.#inFlight.size >= this.#mostInFlight) return false
    const [key, message] = next
    const isAlone = this.#options.isSentAlone?.(message) ?? false
    const [oldest] = this.#inFlight
    if (oldest && (isAlone || oldest.isAlone)) return false
    this.#remove(key)
    const sent = {message, isAlone}
    this.#inFlight.add(sent)
    this.#send(message, () => {
      if (this.#inFlight.delete(sent)) this.#pump() // otherwise its connection is gone
    })
    return true
  }

  #remove(key: string | symbol): void {
    this.#waiting.delete(key)
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
