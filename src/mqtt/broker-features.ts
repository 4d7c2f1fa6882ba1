/** What a broker can do, as it says in its CONNACK (MQTT 5.0 §3.2.2.3); over MQTT 3.1.1 it has no way to say. */
import type {MqttClient} from 'mqtt'
import {errorCodeOf} from './broker-errors.ts'
import type {OutgoingMessage} from './outbox.ts'

export interface BrokerLimits {
  /** The highest QoS that it takes. */
  qos: 0 | 1
  /** Whether it takes retained messages. */
  retain: boolean
}

export const NO_LIMITS: BrokerLimits = {qos: 1, retain: true}

export interface BrokerFeatures extends BrokerLimits {
  /** Whether filters may hold `+` and `#`. */
  wildcards: boolean
  /** The largest packet that it takes, in bytes. */
  packetSize: number
  /** How many messages may be unacknowledged at any time. */
  inFlight: number
}

/** Sent and not acknowledged at any time. */
const MOST_IN_FLIGHT = 100

/** CONNACK: the will asks for more than the broker has (MQTT 5.0 §3.2.2.2). */
const [RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED] = [0x9a, 0x9b]

/** @param known what it has refused before it let us in */
export function featuresOf(
  {serverProperties = {}}: Pick<MqttClient, 'serverProperties'>,
  known: BrokerLimits = NO_LIMITS,
): BrokerFeatures {
  return {
    qos: serverProperties.maximumQoS === 0 ? 0 : known.qos,
    retain: serverProperties.retainAvailable !== false && known.retain,
    wildcards: serverProperties.wildcardSubscriptionAvailable !== false,
    packetSize: serverProperties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    inFlight: Math.min(MOST_IN_FLIGHT, serverProperties.receiveMaximum ?? MOST_IN_FLIGHT),
  }
}

/** What a broker has not, that refuses a will for it. */
export function limitsIn(error: unknown): Partial<BrokerLimits> {
  const code = errorCodeOf(error)
  if (code === RETAIN_NOT_SUPPORTED) return {retain: false}
  return code === QOS_NOT_SUPPORTED ? {qos: 0} : {}
}

export function isBeyond(message: OutgoingMessage, {qos, retain}: BrokerLimits): boolean {
  return message.qos > qos || (message.retain && !retain)
}

/** The message as a broker with these limits takes it. */
export function limited(message: OutgoingMessage, limits: BrokerLimits): OutgoingMessage {
  if (!isBeyond(message, limits)) return message
  return {...message, qos: limits.qos === 0 ? 0 : message.qos, retain: message.retain && limits.retain}
}

/** What the owner misses with such a broker. */
export function missingIn({qos, retain, wildcards}: BrokerFeatures): string[] {
  return [
    ...(qos === 0 ? ['QoS 1 (messages are sent without acknowledgement, and may be lost)'] : []),
    ...(retain ? [] : ['retained messages (who subscribes later sees nothing until it is published again)']),
    ...(wildcards ? [] : ['subscriptions with wildcards (no command and no request is received)']),
  ]
}
