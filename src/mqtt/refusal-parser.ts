/**
 * Reads the reason codes of refusals (PUBACK, SUBACK, UNSUBACK, DISCONNECT) from the bytes of the broker, before the client
 * library parses them. mqtt-packet 9 accepts only the reason codes that the tables of MQTT 5.0 list for each packet. Over any
 * other it throws away the rest of the chunk. Brokers do send others: mosquitto answers a PUBLISH above its message_size_limit
 * by a PUBACK of 0x95 "Packet too large".
 */

/** Types of packets (MQTT 5.0 §2.1.2). */
const [PUBACK, SUBACK, UNSUBACK, DISCONNECT] = [4, 9, 11, 14]
/** Reason codes from here on are refusals (MQTT 5.0 §2.4). This one, "Unspecified error", is allowed in each of these packets. */
export const FAILURE = 0x80

/** Packets whose body is read. Of all others only the length is. */
const READ_TYPES: ReadonlySet<number> = new Set([PUBACK, SUBACK, UNSUBACK, DISCONNECT])

/** Collects the reason codes of refusals of one session, by packet identifier. */
export class RefusalParser {
  /** The reason code of the broker's DISCONNECT, if it has sent one. */
  disconnectReason: number | undefined
  readonly #version: 5 | 4
  /** By packet identifier: the reason codes of refusals, in their order. */
  readonly #refusals = new Map<number, number[]>()
  // The position in the stream of packets.
  #type = 0
  #part: 'type' | 'length' | 'body' = 'type'
  #length = 0
  /** Bytes of the body that were read, and what they contained. */
  #position = 0
  #packetId = 0
  #propertiesEnd = 0
  /** The part of a Variable Byte Integer that was read, and the weight of its next byte. */
  #partialInteger = 0
  #unit = 1

  constructor(version: 5 | 4) {
    this.#version = version
  }

  /** The refusals of the packet with this identifier, which are removed; empty when the broker has accepted it. */
  take(packetId: number | undefined): readonly number[] {
    if (packetId === undefined) return []
    const codes = this.#refusals.get(packetId) ?? []
    this.#refusals.delete(packetId)
    return codes
  }

  /**
   * Reads the next bytes of the broker. Records each refusal, and replaces it in `chunk` by 0x80, which the library accepts.
   * Packets may be split over chunks anywhere.
   */
  read(chunk: Buffer): void {
    let index = 0
    while (index < chunk.length) {
      if (this.#part === 'type') this.#beginPacket((chunk[index++] ?? 0) >> 4)
      else if (this.#part === 'length') this.#readLength(chunk[index++] ?? 0)
      else if (READ_TYPES.has(this.#type)) {
        this.#readBody(chunk, index++)
        this.#advance(1)
      } else {
        const skipped = Math.min(chunk.length - index, this.#length - this.#position)
        index += skipped
        this.#advance(skipped)
      }
    }
  }

  #beginPacket(type: number): void {
    this.#type = type
    this.#part = 'length'
    this.#position = 0
    this.#packetId = 0
    this.#propertiesEnd = 0
    this.#partialInteger = 0
    this.#unit = 1
  }

  #readLength(byte: number): void {
    const length = this.#readInteger(byte)
    if (length === undefined) return
    this.#length = length
    this.#part = length > 0 ? 'body' : 'type'
  }

  #advance(bytes: number): void {
    this.#position += bytes
    if (this.#position >= this.#length) this.#part = 'type'
  }

  #readBody(chunk: Buffer, index: number): void {
    const byte = chunk[index] ?? 0
    if (this.#type !== DISCONNECT && this.#position < 2) this.#packetId = this.#packetId * 0x100 + byte
    else if (this.#isReasonCode(byte) && byte >= FAILURE) {
      if (this.#type === DISCONNECT) this.disconnectReason = byte
      else this.#refusals.set(this.#packetId, [...(this.#refusals.get(this.#packetId) ?? []), byte])
      chunk[index] = FAILURE
    }
  }

  /** Whether the byte at the current position of the body is a reason code: behind the packet identifier or the properties. */
  #isReasonCode(byte: number): boolean {
    const position = this.#position
    if (this.#type === DISCONNECT) return position === 0
    if (this.#type === PUBACK) return position === 2
    if (this.#version === 4) return this.#type === SUBACK
    if (this.#propertiesEnd > 0) return position >= this.#propertiesEnd
    const propertiesLength = this.#readInteger(byte)
    if (propertiesLength !== undefined) this.#propertiesEnd = position + 1 + propertiesLength
    return false
  }

  /** Reads one byte of a Variable Byte Integer (MQTT 5.0 §1.5.5). @returns its value, when the byte is the last one */
  #readInteger(byte: number): number | undefined {
    const value = this.#partialInteger + (byte & 0x7f) * this.#unit
    const isLast = byte < 0x80
    this.#partialInteger = isLast ? 0 : value
    this.#unit = isLast ? 1 : this.#unit * 0x80
    return isLast ? value : undefined
  }
}
