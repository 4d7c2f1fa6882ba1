/** How many bytes a message takes on the wire. */
import {type OutgoingMessage, publishProperties} from './outbox.ts'

/** The size of the PUBLISH packet of MQTT 5 that `message` becomes, in bytes (MQTT 5.0 §3.3). */
export function publishSize(message: OutgoingMessage): number {
  const {correlationData, contentType, messageExpiryInterval} = {
    correlationData: undefined,
    contentType: undefined,
    messageExpiryInterval: undefined,
    ...publishProperties(message),
  }
  // An identifier of one byte, and a length of two before a text or bytes (§2.2.2.2).
  const properties =
    (correlationData === undefined ? 0 : 3 + correlationData.length) +
    (contentType === undefined ? 0 : 3 + Buffer.byteLength(contentType)) +
    (messageExpiryInterval === undefined ? 0 : 5)
  const packetId = message.qos === 0 ? 0 : 2
  const rest =
    2 +
    Buffer.byteLength(message.topic) +
    packetId +
    sizeOfLength(properties) +
    properties +
    Buffer.byteLength(message.payload)
  return 1 + sizeOfLength(rest) + rest
}

/** Bytes of a Variable Byte Integer (§1.5.5). */
function sizeOfLength(length: number): number {
  if (length < 2 ** 7) return 1
  if (length < 2 ** 14) return 2
  return length < 2 ** 21 ? 3 : 4
}
