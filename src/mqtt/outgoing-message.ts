/** A message to publish, its properties and its size as a PUBLISH packet, and what is left of it for a broker with limits. */

/** A message to publish. */
export interface OutgoingMessage {
  topic: string
  payload: string
  retain: boolean
  qos: 0 | 1
  correlationData?: Buffer | undefined
  /** The MIME type of the payload. Sent over MQTT 5 only, as is `expiresIn`. */
  contentType?: 'application/json' | 'text/plain' | undefined
  /** For how many milliseconds the broker keeps the message for a subscriber that is away. For ever when it is missing. */
  expiresIn?: number | undefined
  /**
   * Set when `topic` was chosen by the sender of a command: a response topic of MQTT 5, or the name of a request that does not exist.
   * The message goes to this topic instead while topics of senders are suspended (`SenderTopics` in acknowledgements.ts).
   */
  fallbackTopic?: string | undefined
  /** The message of the self-test (`SelfTest` in subscriptions.ts) is not counted, and there is no warning when the broker refuses it. */
  isSelfTest?: boolean | undefined
  /**
   * Called when the broker has acknowledged the message. Not called when the broker refuses it, when a newer message replaces it in
   * the queue, or when the connection ends first.
   */
  onAcknowledged?: (() => void) | undefined
}

/** The properties of a PUBLISH (MQTT 5.0 §3.3.2.3). MQTT 3.1.1 has no place for them, and the library leaves them out. */
export function publishProperties({correlationData, contentType, expiresIn}: OutgoingMessage) {
  return {
    ...(correlationData ? {correlationData} : {}),
    ...(contentType ? {contentType} : {}),
    ...(expiresIn === undefined ? {} : {messageExpiryInterval: Math.ceil(expiresIn / 1000)}),
  }
}

/** What a broker takes of a message. */
export interface BrokerLimits {
  /** The highest QoS. */
  qos: 0 | 1
  /** Whether it takes retained messages. */
  retain: boolean
}

/** The QoS and the retain flag of a message, as far as a broker with these limits takes them. */
export function withinLimits({qos, retain}: OutgoingMessage, limits: BrokerLimits): BrokerLimits {
  return {qos: limits.qos === 0 ? 0 : qos, retain: retain && limits.retain}
}

/**
 * The size in bytes of the PUBLISH packet of MQTT 5 that `message` becomes (MQTT 5.0 §3.3). A broker closes the connection over
 * a packet that is larger than its CONNACK allows.
 */
export function publishSize(message: OutgoingMessage): number {
  const {topic, payload, qos, correlationData, contentType, expiresIn} = message
  // Each property has an identifier of one byte; texts and bytes also have a length of two (§2.2.2.2).
  const properties =
    (correlationData ? 3 + correlationData.length : 0) +
    (contentType ? 3 + Buffer.byteLength(contentType) : 0) +
    (expiresIn === undefined ? 0 : 5)
  const packetId = qos === 0 ? 0 : 2
  const remaining =
    2 +
    Buffer.byteLength(topic) +
    packetId +
    sizeOfLength(properties) +
    properties +
    Buffer.byteLength(payload)
  return 1 + sizeOfLength(remaining) + remaining
}

/** Bytes of a Variable Byte Integer (§1.5.5). */
function sizeOfLength(length: number): number {
  if (length < 2 ** 7) return 1
  if (length < 2 ** 14) return 2
  return length < 2 ** 21 ? 3 : 4
}
