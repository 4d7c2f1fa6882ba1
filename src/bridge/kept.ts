/** Every topic on which something of ours lies on the broker: whatever is published to be kept goes through here. */
import type {Message} from '../mqtt/outbox.ts'
import type {Publisher} from './publisher.ts'

export class Kept implements Publisher {
  readonly #publisher: Publisher
  readonly #topics: Set<string>
  #onNew: () => void = () => {}

  /** @param before the topics of earlier runs */
  constructor(publisher: Publisher, before: Iterable<string>) {
    this.#publisher = publisher
    this.#topics = new Set(before)
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

  /** Something of ours lies there. */
  note(topic: string): void {
    if (this.#topics.has(topic)) return
    this.#topics.add(topic)
    this.#onNew()
  }

  /** Has the broker keep nothing there. It may be lost on the way: the topic is still known, until it is forgotten. */
  clear(topic: string): void {
    this.#publisher.publish({topic, payload: '', retain: true, qos: 1})
  }

  /** Nothing of ours lies there any more. */
  forget(topic: string): void {
    this.#topics.delete(topic)
  }
}
