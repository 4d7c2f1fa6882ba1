/**
 * Publishing: the interface that every part of the bridge publishes through, the forms of messages (retained, transient, JSON, plain
 * text), the filter that keeps tokens and passwords out of all of them, and the record of the topics with retained messages.
 */
import type {Value} from '../models/model.ts'
import type {OutgoingMessage} from '../mqtt/outgoing-message.ts'
import {topicProblem} from '../mqtt/topics.ts'

/** Takes a message on its way to the broker. SecretFilter → RetainedTopics → Delivery implement it, one in front of the other. */
export interface Publisher {
  publish(message: OutgoingMessage): void
}

/** A retained JSON message: how things are, for clients that subscribe later. QoS 1. */
export function retained(topic: string, value: unknown): OutgoingMessage {
  return {...json(topic, value), retain: true, qos: 1}
}

/** A JSON message that is not retained: results and events. QoS 1. */
export function transient(topic: string, value: unknown): OutgoingMessage {
  return {...json(topic, value), retain: false, qos: 1}
}

/** The text that Home Assistant takes for "unknown", everywhere. An empty payload would clear the retained message. */
const UNKNOWN = 'None'

/** Topic, payload and content type of a message that is one bare value. */
export function plainText(topic: string, value: Value | undefined) {
  return {topic, payload: String(value ?? UNKNOWN), contentType: 'text/plain'} as const
}

/** How JSON spells one half of a surrogate pair. Readers in Python and Rust refuse the whole text because of it (RFC 8259 §8.2). */
const LONE_SURROGATE = /((?<!\\)(?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g

/** Topic, payload and content type of a message that is JSON. */
export function json(topic: string, value: unknown) {
  const text = JSON.stringify(value)
  const payload = text.includes('\\ud') ? text.replace(LONE_SURROGATE, '$1\ufffd') : text
  return {topic, payload, contentType: 'application/json'} as const
}

/** Removes tokens and passwords from every message before it goes to the broker. */
export class SecretFilter implements Publisher {
  readonly #publisher: Publisher
  readonly #scrub: (text: string) => string

  /** @param scrub replaces every secret in a text, in any spelling, with a mask */
  constructor(publisher: Publisher, scrub: (text: string) => string) {
    this.#publisher = publisher
    this.#scrub = scrub
  }

  /**
   * Correlation data belongs to the caller, who can use it only byte for byte. So data that holds a secret is left out, not masked:
   * the caller cannot match the response then, but other clients that listen on the response topic do not see the secret.
   */
  publish(message: OutgoingMessage): void {
    const {correlationData} = message
    const topic = this.#scrub(message.topic)
    const payload = this.#scrub(message.payload)
    const isSecret = correlationData !== undefined && this.#holdsSecret(correlationData)
    if (topic === message.topic && payload === message.payload && !isSecret) this.#publisher.publish(message)
    else
      this.#publisher.publish({...message, topic, payload, ...(isSecret ? {correlationData: undefined} : {})})
  }

  /** Whether the data holds a secret, as text or as raw bytes. */
  #holdsSecret(data: Buffer): boolean {
    return [data.toString(), data.toString('hex')].some((text) => this.#scrub(text) !== text)
  }
}

/** Records every topic on which we have a retained message, so that stale ones can be cleared later, and passes every message on. */
export class RetainedTopics implements Publisher {
  readonly #publisher: Publisher
  readonly #topics: Set<string>
  /** The latest clearing of each topic, until the broker has acknowledged it or a new message is retained there. */
  readonly #clearing = new Map<string, OutgoingMessage>()
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
   * Clears the retained message on a recorded topic. That may be lost on the way, so the topic stays recorded until the broker has
   * acknowledged it, or until `forget`.
   */
  clear(topic: string): void {
    if (!this.#topics.has(topic)) return
    const onAcknowledged = () => {
      if (this.#clearing.get(topic) !== message) return
      this.forget(topic)
      this.#onChange()
    }
    const message: OutgoingMessage = {topic, payload: '', retain: true, qos: 1, onAcknowledged}
    this.#clearing.set(topic, message)
    this.#publisher.publish(message)
  }

  /** Removes a topic that was cleared, unless a new message was retained there since. */
  forgetCleared(topic: string): void {
    if (this.#clearing.has(topic)) this.forget(topic)
  }

  /** Removes a topic on which we have no retained message any more. */
  forget(topic: string): void {
    this.#clearing.delete(topic)
    this.#topics.delete(topic)
  }
}
