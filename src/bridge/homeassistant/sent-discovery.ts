/** Device messages to Home Assistant, never two different ones for a device closer together than it can take (contract §7). */
import type {Clock, Timer} from '../../common/clock.ts'
import type {Log} from '../../log/logger.ts'
import {type Publisher, retained} from '../publisher.ts'
import {type DiscoveryPayload, digest} from './discovery-message.ts'

/** What is true of a device by the time it is sent. */
export type ComposeDiscovery = () => {
  discovery: DiscoveryPayload
  /** Called when it was sent. */
  sent?: () => void
}

/** Of two within 2 s, Home Assistant drops part of the second; a margin for the way there. */
const APART_MS = 2100

export class DiscoveryThrottle {
  readonly #clock: Clock
  readonly #publisher: Publisher
  readonly #log: Log | undefined
  /** What was sent last, by topic: payloads themselves would be megabytes. */
  readonly #sent = new Map<string, {digest: string; at: number}>()
  readonly #delayed = new Map<string, Timer>()

  constructor({clock, publisher, log}: {clock: Clock; publisher: Publisher; log?: Log}) {
    this.#clock = clock
    this.#publisher = publisher
    this.#log = log
  }

  /** @param when `news`: not when it is what was sent last */
  send(topic: string, compose: ComposeDiscovery, when: 'news' | 'anyway'): void {
    const {discovery, sent} = compose()
    const message = retained(topic, discovery)
    const now = {digest: digest(message.payload), at: this.#clock.now()}
    const before = this.#sent.get(topic)
    const isNews = before?.digest !== now.digest
    this.#cancel(topic)
    if (!isNews && when === 'news') return
    const wait = before && isNews ? before.at + APART_MS - now.at : 0
    if (wait > 0) {
      this.#delayed.set(
        topic,
        this.#clock.after(wait, () => this.send(topic, compose, when)),
      )
    } else {
      this.#sent.set(topic, now)
      this.#publisher.publish(message)
      this.#log?.debug(() => `announced to Home Assistant: ${topic}`)
      sent?.()
    }
  }

  /** Nothing more is sent of what waits; and what comes next is news, also in the same words as before. */
  forget(topic: string): void {
    this.#cancel(topic)
    const sent = this.#sent.get(topic)
    if (sent) this.#sent.set(topic, {digest: '', at: sent.at})
  }

  stop(): void {
    for (const timer of this.#delayed.values()) timer.cancel()
    this.#delayed.clear()
  }

  #cancel(topic: string): void {
    this.#delayed.get(topic)?.cancel()
    this.#delayed.delete(topic)
  }
}
