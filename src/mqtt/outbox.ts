/**
 * What waits to be sent while the broker is slow: the newest message per retained topic, and every other message once. It is
 * ours and not the client's, whose store wraps silently after 65,535 messages. While there is no broker nothing waits at all:
 * after every connect everything retained is announced again, from what is true then.
 */
export interface Message {
  topic: string
  payload: string
  retain: boolean
  qos: 0 | 1
  correlationData?: Buffer | undefined
  /** What the payload is, as a MIME type. Told over MQTT 5 only, as is `expiresIn`. */
  contentType?: 'application/json' | 'text/plain' | undefined
  /** For how many milliseconds the broker keeps it for somebody who is away. For ever unless told. */
  expiresIn?: number | undefined
}

/** What MQTT 5 lets a publisher say of a message beside its payload; 3.1.1 has no place for it. */
export function propertiesOf({correlationData, contentType, expiresIn}: Message) {
  return {
    ...(correlationData ? {correlationData} : {}),
    ...(contentType ? {contentType} : {}),
    ...(expiresIn === undefined ? {} : {messageExpiryInterval: Math.ceil(expiresIn / 1000)}),
  }
}

/** Sends one message, and calls `done` when the broker has it, or never will. */
export type Send = (message: Message, done: () => void) => void

/** More answers and events than this mean that nobody is reading: the oldest go. */
const MOST_UNRETAINED = 10_000

export class Outbox {
  /** By topic for what is retained; anything else has a key of its own. */
  readonly #waiting = new Map<string | symbol, Message>()
  #unretained = 0
  #send: Send | undefined
  #mostInFlight = 0
  #inFlight = 0
  #onDrained: () => void = () => {}

  /** From now on messages leave by `send`, at most `mostInFlight` of them unacknowledged at any time. */
  open(send: Send, mostInFlight: number): void {
    this.#send = send
    this.#mostInFlight = mostInFlight
    this.#inFlight = 0
  }

  /** The line is gone, and what waited or was under way is void. */
  close(): void {
    this.#send = undefined
    this.#waiting.clear()
    this.#unretained = 0
    this.#onDrained()
  }

  /** Sends a message now or as soon as there is room; drops it when the outbox is closed. */
  put(message: Message): void {
    if (!this.#send) return
    if (message.retain) {
      this.#waiting.delete(message.topic) // the newest also goes last: it must not overtake what it follows from
      this.#waiting.set(message.topic, message)
    } else {
      if (this.#unretained >= MOST_UNRETAINED) this.#dropOldestUnretained()
      this.#waiting.set(Symbol(), message)
      this.#unretained++
    }
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
    return this.#inFlight === 0 && this.#waiting.size === 0
  }

  #pump(): void {
    const send = this.#send
    while (send && this.#inFlight < this.#mostInFlight) {
      const message = this.#take()
      if (!message) break
      this.#inFlight++
      send(message, () => {
        if (send !== this.#send) return // the answer of a line that is gone
        this.#inFlight--
        this.#pump()
      })
    }
    if (this.#isEmpty()) this.#onDrained()
  }

  #take(): Message | undefined {
    for (const [key, message] of this.#waiting) {
      this.#waiting.delete(key)
      if (!message.retain) this.#unretained--
      return message
    }
    return undefined
  }

  #dropOldestUnretained(): void {
    for (const [key, {retain}] of this.#waiting)
      if (!retain) {
        this.#waiting.delete(key)
        this.#unretained--
        return
      }
  }
}
