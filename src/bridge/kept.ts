/** Every topic on which something of ours lies on the broker: whatever is published to be kept goes through here. */
import type {Message} from '../mqtt/outbox.ts'
import {topicProblem} from '../mqtt/topics.ts'
import type {Publisher} from './publisher.ts'

export class Kept implements Publisher {
  readonly #publisher: Publisher
  readonly #topics: Set<string>
  #onNew: () => void = () => {}

  /** @param before the topics of earlier runs: those on which nothing can lie are forgotten */
  constructor(publisher: Publisher, before: Iterable<string>) {
    this.#publisher = publisher
    this.#topics = new Set([...before].filter((topic) => topicProblem(topic) === undefined))
  }

  get topics(): ReadonlySet<string> {
    return this.#topics
  }

  /** From now on `run` is called when there is a topic more. */
  onNew(run: () => void): void {
    this.#onNew = run
  }

  publish(message: Message): void {
    if (message.retain && message.payload !== '') this.note(message.topic)
    this.#publisher.publish(message)
  }

  /** Something of ours lies there. A topic on which nothing can lie is passed over. */
  note(topic: string): void {
    if (this.#topics.has(topic) || topicProblem(topic) !== undefined) return
    this.#topics.add(topic)
    this.#onNew()
  }

  /**
   * Has the broker keep nothing there. It may be lost on the way: the topic is still known, until it is forgotten. It never
   * throws, since it runs in timers, where that would end the process.
   */
  clear(topic: string): void {
    if (topicProblem(topic) === undefined) this.#publisher.publish({topic, payload: '', retain: true, qos: 1})
  }

  /** Nothing of ours lies there any more. */
  forget(topic: string): void {
    this.#topics.delete(topic)
  }
}
