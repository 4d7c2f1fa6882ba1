import type {Value} from '../models/model.ts'
import type {Incoming} from '../mqtt/connection.ts'
import type {Message} from '../mqtt/outbox.ts'
import {topicProblem} from '../mqtt/topics.ts'

/** Where everything the bridge says goes: one function, so that one place knows how. */
export interface Publisher {
  publish(message: Message): void
}

/** Who asked has given up on its answer by then, also one who was away for a while: commands live ten seconds (contract §4). */
const ANSWER_EXPIRES_MS = 60_000

/** What lies on the broker for everybody who comes later. */
export function retained(topic: string, value: unknown): Message {
  return {...json(topic, value), retain: true, qos: 1}
}

/** What is said once: answers and events. */
export function passing(topic: string, value: unknown): Message {
  return {...json(topic, value), retain: false, qos: 1}
}

/** The answer to a message: where its sender asked for it (MQTT 5), or else on the topic everybody knows. */
export function answer({responseTopic, correlationData}: Incoming, home: string, result: unknown): Message {
  const isHere = responseTopic === undefined || topicProblem(responseTopic) !== undefined
  const message = {...passing(isHere ? home : responseTopic, result), expiresIn: ANSWER_EXPIRES_MS}
  return isHere ? message : {...message, correlationData}
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
