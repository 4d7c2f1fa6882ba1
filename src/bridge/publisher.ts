import type {Incoming} from '../mqtt/connection.ts'
import type {Message} from '../mqtt/outbox.ts'
import {topicProblem} from '../mqtt/topics.ts'

/** Where everything the bridge says goes: one function, so that one place knows how. */
export interface Publisher {
  publish(message: Message): void
}

/** What lies on the broker for everybody who comes later. */
export function retained(topic: string, value: unknown): Message {
  return {topic, payload: JSON.stringify(value), retain: true, qos: 1}
}

/** What is said once: answers and events. */
export function passing(topic: string, value: unknown): Message {
  return {topic, payload: JSON.stringify(value), retain: false, qos: 1}
}

/** The answer to a message: where its sender asked for it (MQTT 5), or else on the topic everybody knows. */
export function answer({responseTopic, correlationData}: Incoming, home: string, result: unknown): Message {
  if (responseTopic === undefined || topicProblem(responseTopic)) return passing(home, result)
  return {...passing(responseTopic, result), correlationData}
}
