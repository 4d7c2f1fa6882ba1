/**
 * What a broker can do (QoS, retained messages, wildcards, packet size), and what we ask it for when it refuses a CONNECT. A
 * broker of MQTT 5 states its features in CONNACK (MQTT 5.0 §3.2.2.3); MQTT 3.1.1 has no place for them.
 */
import type {MqttClient} from 'mqtt'
import {errorCodeOf, isUnsupportedVersion} from './broker-errors.ts'
import {type OutgoingMessage, publishProperties} from './outbox.ts'

export interface BrokerLimits {
  /** The highest QoS that it takes. */
  qos: 0 | 1
  /** Whether it takes retained messages. */
  retain: boolean
}

const NO_LIMITS: BrokerLimits = {qos: 1, retain: true}

export interface BrokerFeatures extends BrokerLimits {
  /** Whether a filter may have `+` and `#`. */
  wildcards: boolean
  /** The largest packet that it takes, in bytes. */
  packetSize: number
  /** How many messages may be unacknowledged at any time. */
  inFlight: number
}

/** Messages sent and not acknowledged at any time, also when the broker allows more. */
const MAX_IN_FLIGHT = 100

/**
 * Reads the features from the properties of a CONNACK. A missing property means that there is no limit.
 * @param limits what the broker refused at an earlier CONNECT
 */
export function brokerFeatures(
  connack: NonNullable<MqttClient['serverProperties']>,
  limits: BrokerLimits,
): BrokerFeatures {
  return {
    qos: connack.maximumQoS === 0 ? 0 : limits.qos,
    retain: connack.retainAvailable !== false && limits.retain,
    wildcards: connack.wildcardSubscriptionAvailable !== false,
    packetSize: connack.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    inFlight: Math.min(MAX_IN_FLIGHT, connack.receiveMaximum ?? MAX_IN_FLIGHT),
  }
}

/** What the user misses with such a broker, in words for the log. */
export function missingFeatures({qos, retain, wildcards}: BrokerFeatures): string[] {
  return [
    ...(qos === 0 ? ['QoS 1 (messages are sent without acknowledgement, and may be lost)'] : []),
    ...(retain
      ? []
      : ['retained messages (a client that subscribes later receives nothing until the next change)']),
    ...(wildcards ? [] : ['subscriptions with wildcards (no command and no request is received)']),
  ]
}

/** The message with a QoS and a retain flag that a broker with these limits takes. */
export function limitMessage(message: OutgoingMessage, limits: BrokerLimits): OutgoingMessage {
  if (!exceeds(message, limits)) return message
  return {...message, qos: limits.qos === 0 ? 0 : message.qos, retain: message.retain && limits.retain}
}

function exceeds(message: OutgoingMessage, {qos, retain}: BrokerLimits): boolean {
  return message.qos > qos || (message.retain && !retain)
}

/** CONNACK: the last will has a QoS or a retain flag that the broker does not support (MQTT 5.0 §3.2.2.2). */
const [RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED] = [0x9a, 0x9b]

/**
 * What the next CONNECT asks for: the configured MQTT version and last will, and less of both after the broker has refused
 * them. Reset at the end of every connection, since the next broker may be another one.
 */
export class ConnectTerms {
  readonly #configured: {version: 5 | 4; will: OutgoingMessage}
  #version: 5 | 4
  #limits: BrokerLimits = NO_LIMITS
  /** How often in a row the broker has closed an attempt in MQTT 5 without an answer. */
  #hangUps = 0

  constructor(configured: {version: 5 | 4; will: OutgoingMessage}) {
    this.#configured = configured
    this.#version = configured.version
  }

  get version(): 5 | 4 {
    return this.#version
  }

  /** What this broker refused at an earlier CONNECT. */
  get limits(): BrokerLimits {
    return this.#limits
  }

  get will(): OutgoingMessage {
    return limitMessage(this.#configured.will, this.#limits)
  }

  reset(): void {
    this.#version = this.#configured.version
    this.#limits = NO_LIMITS
    this.#hangUps = 0
  }

  /** The broker has refused a CONNECT. @returns whether the next one asks for less, and so may succeed */
  lowerAfter(error: unknown): boolean {
    if (this.#version === 4) return false
    if (isUnsupportedVersion(error)) {
      this.#version = 4
      return true
    }
    const limits = {...this.#limits, ...refusedFeature(error)}
    const isLess = exceeds(this.will, limits)
    this.#limits = limits
    return isLess
  }

  /**
   * The broker has closed the connection without an answer to CONNECT, as some brokers do that speak no MQTT 5.
   * @returns whether the next CONNECT is in MQTT 3.1.1
   */
  lowerAfterHangUp(): boolean {
    if (this.#version === 4) return false
    this.#hangUps++
    this.#version = 4
    return true
  }

  /**
   * The broker has accepted 3.1.1 after a single hang-up. It may just have been starting, and 3.1.1 has neither response topics
   * nor an expiry of commands: MQTT 5 is worth one more attempt.
   * @returns whether the next CONNECT is in MQTT 5 again
   */
  retryVersion5(): boolean {
    if (this.#version !== 4 || this.#hangUps !== 1) return false
    this.#version = 5
    return true
  }
}

function refusedFeature(error: unknown): Partial<BrokerLimits> {
  const code = errorCodeOf(error)
  if (code === RETAIN_NOT_SUPPORTED) return {retain: false}
  return code === QOS_NOT_SUPPORTED ? {qos: 0} : {}
}

/**
 * The size in bytes of the PUBLISH packet of MQTT 5 that `message` becomes (MQTT 5.0 §3.3). A broker closes the connection over
 * a packet that is larger than its CONNACK allows.
 */
export function publishSize(message: OutgoingMessage): number {
  const {correlationData, contentType, messageExpiryInterval} = {
    correlationData: undefined,
    contentType: undefined,
    messageExpiryInterval: undefined,
    ...publishProperties(message),
  }
  // Each property has an identifier of one byte; texts and bytes also have a length of two (§2.2.2.2).
  const properties =
    (correlationData === undefined ? 0 : 3 + correlationData.length) +
    (contentType === undefined ? 0 : 3 + Buffer.byteLength(contentType)) +
    (messageExpiryInterval === undefined ? 0 : 5)
  const packetId = message.qos === 0 ? 0 : 2
  const remaining =
    2 +
    Buffer.byteLength(message.topic) +
    packetId +
    sizeOfLength(properties) +
    properties +
    Buffer.byteLength(message.payload)
  return 1 + sizeOfLength(remaining) + remaining
}

/** Bytes of a Variable Byte Integer (§1.5.5). */
function sizeOfLength(length: number): number {
  if (length < 2 ** 7) return 1
  if (length < 2 ** 14) return 2
  return length < 2 ** 21 ? 3 : 4
}
