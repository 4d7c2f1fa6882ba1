/** Every topic on which something of ours lies on the broker: whatever is published to be kept goes through here. */
import type {OutgoingMessage} from '../../mqtt/outbox.ts'
import {topicProblem} from '../../mqtt/topics.ts'
import type {Publisher} from '../publisher.ts'

export class RetainedTopics implements Publisher {
  readonly #publisher: Publisher
  readonly #topics: Set<string>
  /** What was cleared last on a topic, until the broker has taken that or something lies there again. */
  readonly #clearing = new Map<string, symbol>()
  #onChange: () => void = () => {}

  /** @param before the topics of earlier runs: those on which nothing can lie are forgotten */
  constructor(publisher: Publisher, before: Iterable<string>) {
    this.#publisher = publisher
    this.#topics = new Set([...before].filter((topic) => topicProblem(topic) === undefined))
  }

  get topics(): ReadonlySet<string> {
    return this.#topics
  }

  /** From now on `run` is called when there is a topic more, and when the broker has cleared one. */
  onChange(run: () => void): void {
    this.#onChange = run
  }

  publish(message: OutgoingMessage): void {
    if (message.retain && message.payload !== '') {
      this.#clearing.delete(message.topic)
      this.note(message.topic)
    }
    this.#publisher.publish(message)
  }

  /** Something of ours lies there. A topic on which nothing can lie is passed over. */
  note(topic: string): void {
    if (this.#topics.has(topic) || topicProblem(topic) !== undefined) return
    this.#topics.add(topic)
    this.#onChange()
  }

  /**
   * Has the broker keep nothing there. It may be lost on the way: the topic is known until the broker has acknowledged it, or until
   * it is forgotten. It never throws, since it runs in timers, where that would end the process.
   */
  clear(topic: string): void {
    if (topicProblem(topic) !== undefined) return
    const clearing = Symbol()
    this.#clearing.set(topic, clearing)
    const onAcknowledged = () => {
      if (this.#clearing.get(topic) === clearing) this.#isCleared(topic)
    }
    this.#publisher.publish({topic, payload: '', retain: true, qos: 1, onAcknowledged})
  }

  /** Nothing of ours lies there any more. */
  forget(topic: string): void {
    this.#clearing.delete(topic)
    this.#topics.delete(topic)
  }

  #isCleared(topic: string): void {
    this.forget(topic)
    this.#onChange()
  }
}
