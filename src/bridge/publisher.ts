import type {Value} from '../models/model.ts'
import type {OutgoingMessage} from '../mqtt/outbox.ts'

/** Where everything the bridge says goes: one function, so that one place knows how. */
export interface Publisher {
  publish(message: OutgoingMessage): void
}

/** What lies on the broker for everybody who comes later. */
export function retained(topic: string, value: unknown): OutgoingMessage {
  return {...json(topic, value), retain: true, qos: 1}
}

/** What is said once: answers and events. */
export function transient(topic: string, value: unknown): OutgoingMessage {
  return {...json(topic, value), retain: false, qos: 1}
}

/** The bare word that Home Assistant takes for "unknown", everywhere; an empty payload would remove what is retained. */
const UNKNOWN = 'None'

/** The topic and the payload of a message that holds nothing but a value. */
export function plainText(topic: string, value: Value | undefined) {
  return {topic, payload: String(value ?? UNKNOWN), contentType: 'text/plain'} as const
}

/** How JSON spells half a character. Readers in Python and Rust refuse the whole text over it (RFC 8259 §8.2). */
const HALF = /((?<!\\)(?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g

/** The topic and the payload of a message that holds JSON. */
export function json(topic: string, value: unknown) {
  const text = JSON.stringify(value)
  const payload = text.includes('\\ud') ? text.replace(HALF, '$1\ufffd') : text
  return {topic, payload, contentType: 'application/json'} as const
}
