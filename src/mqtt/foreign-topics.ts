/**
 * Topics that senders choose for their answers: response topics of MQTT 5, and the names of requests that do not exist. A broker may end the connection of
 * whoever publishes on one, and each command can name another: after two such ends none is served for an hour.
 */
import type {Clock} from '../common/clock.ts'

const NOT_SERVED_MS = 60 * 60_000
/** Two ends within so long have one cause. */
const MEMORY_MS = 10 * 60_000
/** A connection that ends so soon after a message of QoS 0 may have ended for it: such a message is never acknowledged. */
const RIGHT_AFTER_MS = 2000

export class ForeignTopics {
  readonly #clock: Clock
  readonly #unacknowledged = new Set<string>()
  #latest: {topic: string; at: number} | undefined
  #endedAt = Number.NEGATIVE_INFINITY
  #notServedUntil = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get areServed(): boolean {
    return this.#clock.now() >= this.#notServedUntil
  }

  sent(topic: string, qos: 0 | 1): void {
    if (qos === 1) this.#unacknowledged.add(topic)
    else this.#latest = {topic, at: this.#clock.now()}
  }

  acknowledged(topic: string): void {
    this.#unacknowledged.delete(topic)
  }

  /** We have ended the connection. */
  reset(): void {
    this.#unacknowledged.clear()
    this.#latest = undefined
  }

  /**
   * The broker, or the network, has ended the connection.
   * @returns the topic that it may have ended for, when none is served any more from now on
   */
  ended(): string | undefined {
    const now = this.#clock.now()
    const [unacknowledged] = this.#unacknowledged
    const suspect =
      unacknowledged ??
      (this.#latest && now - this.#latest.at < RIGHT_AFTER_MS ? this.#latest.topic : undefined)
    this.reset()
    if (suspect === undefined) return undefined
    const isSecond = now - this.#endedAt < MEMORY_MS
    this.#endedAt = isSecond ? Number.NEGATIVE_INFINITY : now
    if (!isSecond) return undefined
    this.#notServedUntil = now + NOT_SERVED_MS
    return suspect
  }
}
