import type {Value} from '../models/model.ts'
import type {Message} from '../mqtt/outbox.ts'

/** Where everything the bridge says goes: one function, so that one place knows how. */
export interface Publisher {
  publish(message: Message): void
}

/** What lies on the broker for everybody who comes later. */
export function retained(topic: string, value: unknown): Message {
  return {...json(topic, value), retain: true, qos: 1}
}

/** What is said once: answers and events. */
export function passing(topic: string, value: unknown): Message {
  return {...json(topic, value), retain: false, qos: 1}
}

/** The bare word that Home Assistant takes for "unknown", everywhere; an empty payload would remove what is retained. */
const UNKNOWN = 'None'

/** The topic and the payload of a message that holds nothing but a value. */
export function bare(topic: string, value: Value | undefined) {
  return {topic, payload: String(value ?? UNKNOWN), contentType: 'text/plain'} as const
}

/** The topic and the payload of a message that holds JSON. */
export function json(topic: string, value: unknown) {
  return {topic, payload: JSON.stringify(value), contentType: 'application/json'} as const
}
