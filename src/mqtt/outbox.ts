/**
 * What waits to be sent while the broker is slow: the newest message per retained topic, and every other message once. It is
 * ours and not the client's, whose store wraps silently after 65,535 messages. While there is no broker nothing waits at all:
 * after every connect everything retained is announced again from what is true then.
 */
export interface Message {
  topic: string
  payload: string
  retain: boolean
  qos: 0 | 1
  correlationData?: Buffer | undefined
}

/** More answers and events than this mean that nobody is reading: the oldest go. */
const MOST_UNRETAINED = 10_000

export class Outbox {
  readonly #messages = new Map<string | symbol, Message>()
  #unretained = 0

  get size(): number {
    return this.#messages.size
  }

  put(message: Message): void {
    if (message.retain) {
      this.#messages.delete(message.topic) // the newest also goes last: it must not overtake what it follows from
      this.#messages.set(message.topic, message)
      return
    }
    if (this.#unretained >= MOST_UNRETAINED) this.#dropOldestUnretained()
    this.#messages.set(Symbol(), message)
    this.#unretained++
  }

  take(): Message | undefined {
    for (const [key, message] of this.#messages) {
      this.#messages.delete(key)
      if (!message.retain) this.#unretained--
      return message
    }
    return undefined
  }

  clear(): void {
    this.#messages.clear()
    this.#unretained = 0
  }

  #dropOldestUnretained(): void {
    for (const [key, message] of this.#messages)
      if (!message.retain) {
        this.#messages.delete(key)
        this.#unretained--
        return
      }
  }
}
