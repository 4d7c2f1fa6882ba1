/** Device messages to Home Assistant, never two different ones for a device closer together than it can take (contract §7). */
import type {Clock, Timer} from '../clock.ts'
import {type Discovery, digest} from './discovery.ts'
import {type Publisher, retained} from './publisher.ts'

/** Of two within 2 s, Home Assistant drops part of the second; a margin for the way there. */
const APART_MS = 2100

export class Paced {
  readonly #clock: Clock
  readonly #publisher: Publisher
  readonly #sent = new Map<string, {digest: string; at: number}>()
  readonly #delayed = new Map<string, Timer>()

  constructor({clock, publisher}: {clock: Clock; publisher: Publisher}) {
    this.#clock = clock
    this.#publisher = publisher
  }

  /** @param when `news`: not when it is what was sent last */
  send(topic: string, discovery: Discovery, when: 'news' | 'anyway'): void {
    const message = retained(topic, discovery)
    const now = {digest: digest(message.payload), at: this.#clock.now()}
    const before = this.#sent.get(topic)
    const isNews = before?.digest !== now.digest
    this.forget(topic)
    if (!isNews && when === 'news') return
    const wait = before && isNews ? before.at + APART_MS - now.at : 0
    if (wait > 0) {
      this.#delayed.set(
        topic,
        this.#clock.after(wait, () => this.send(topic, discovery, when)),
      )
    } else {
      this.#sent.set(topic, now)
      this.#publisher.publish(message)
    }
  }

  /** What waits for its time is not sent any more. */
  forget(topic: string): void {
    this.#delayed.get(topic)?.cancel()
    this.#delayed.delete(topic)
  }

  stop(): void {
    for (const timer of this.#delayed.values()) timer.cancel()
    this.#delayed.clear()
  }
}
