/** A publisher that records every topic on which we have a retained message, so that stale ones can be cleared later. */
import type {OutgoingMessage} from '../../mqtt/outgoing-message.ts'
import {topicProblem} from '../../mqtt/topics.ts'
import type {Publisher} from '../publisher.ts'

/** A publisher that records retained topics and passes every message on. */
export class RetainedTopics implements Publisher {
  readonly #publisher: Publisher
  readonly #topics: Set<string>
  /** The latest clearing of each topic, until the broker has acknowledged it or a new message is retained there. */
  readonly #clearing = new Map<string, symbol>()
  #onChange: () => void = () => {}

  /** @param earlier the topics that earlier runs recorded; invalid topics among them are dropped */
  constructor(publisher: Publisher, earlier: Iterable<string>) {
    this.#publisher = publisher
    this.#topics = new Set([...earlier].filter((topic) => topicProblem(topic) === undefined))
  }

  get topics(): ReadonlySet<string> {
    return this.#topics
  }

  /** Calls `listener` whenever a topic was added, and when the broker has cleared one. There is one listener. */
  onChange(listener: () => void): void {
    this.#onChange = listener
  }

  publish(message: OutgoingMessage): void {
    if (message.retain && message.payload !== '') {
      this.#clearing.delete(message.topic)
      this.record(message.topic)
    }
    this.#publisher.publish(message)
  }

  /** Adds a topic on which we have a retained message. An invalid topic is ignored. */
  record(topic: string): void {
    if (this.#topics.has(topic) || topicProblem(topic) !== undefined) return
    this.#topics.add(topic)
    this.#onChange()
  }

  /**
   * Clears the retained message. That may be lost on the way, so the topic stays recorded until the broker has acknowledged it, or until
   * `forget`. Never throws: it runs in timers, where an error would end the process.
   */
  clear(topic: string): void {
    if (topicProblem(topic) !== undefined) return
    const clearing = Symbol()
    this.#clearing.set(topic, clearing)
    const onAcknowledged = () => {
      if (this.#clearing.get(topic) === clearing) this.#wasCleared(topic)
    }
    this.#publisher.publish({topic, payload: '', retain: true, qos: 1, onAcknowledged})
  }

  /** Removes a topic on which we have no retained message any more. */
  forget(topic: string): void {
    this.#clearing.delete(topic)
    this.#topics.delete(topic)
  }

  #wasCleared(topic: string): void {
    this.forget(topic)
    this.#onChange()
  }
}
