/**
 * The reasons for which a broker refuses something, read from what it sends before the client library does. mqtt-packet 9 knows
 * only the reason codes that the tables of MQTT 5.0 list for each packet, and throws away the rest of what came with another.
 * Brokers do send others: mosquitto answers a PUBLISH above its message_size_limit by a PUBACK of 0x95 "Packet too large".
 */

/** Types of packets (MQTT 5.0 §2.1.2). */
const [PUBACK, SUBACK, UNSUBACK, DISCONNECT] = [4, 9, 11, 14]
/** Reason codes from here on say no (MQTT 5.0 §2.4). This one, "Unspecified error", may stand in each of these packets. */
export const FAILURE = 0x80

/** Of most packets nothing but the length is looked at. */
const READ: ReadonlySet<number> = new Set([PUBACK, SUBACK, UNSUBACK, DISCONNECT])

export class ReasonCodes {
  readonly #version: 5 | 4
  /** By packet identifier; the reason codes that say no, in their order. */
  readonly #refusals = new Map<number, number[]>()
  #farewell: number | undefined
  // Where in the stream of packets we are.
  #type = 0
  #part: 'type' | 'length' | 'body' = 'type'
  #length = 0
  #lengthUnit = 1
  /** Bytes of the body that came, and what is known from them. */
  #position = 0
  #packetId = 0
  #propertiesEnd = 0
  #propertiesLength = 0
  #propertiesUnit = 1

  constructor(version: 5 | 4) {
    this.#version = version
  }

  /** The reason code with which the broker ended the connection, as far as it said one. */
  get farewell(): number | undefined {
    return this.#farewell
  }

  /** Why the broker refused what had this packet identifier; empty when it did not. They are forgotten then. */
  take(packetId: number | undefined): readonly number[] {
    if (packetId === undefined) return []
    const codes = this.#refusals.get(packetId) ?? []
    this.#refusals.delete(packetId)
    return codes
  }

  /** Remembers each refusal in `chunk`, the next bytes that the broker sent, and puts there one that the library knows. */
  read(chunk: Buffer): void {
    let index = 0
    while (index < chunk.length) {
      if (this.#part === 'type') this.#beginPacket((chunk[index++] ?? 0) >> 4)
      else if (this.#part === 'length') this.#readLength(chunk[index++] ?? 0)
      else if (READ.has(this.#type)) {
        this.#readBody(chunk, index)
        index++
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
    this.#length = 0
    this.#lengthUnit = 1
    this.#position = 0
    this.#packetId = 0
    this.#propertiesEnd = 0
    this.#propertiesLength = 0
    this.#propertiesUnit = 1
  }

  #readLength(byte: number): void {
    this.#length += (byte & 0x7f) * this.#lengthUnit
    this.#lengthUnit *= 0x80
    if (byte < 0x80) this.#part = this.#length > 0 ? 'body' : 'type'
  }

  #advance(bytes: number): void {
    this.#position += bytes
    if (this.#position >= this.#length) this.#part = 'type'
  }

  #readBody(chunk: Buffer, index: number): void {
    const byte = chunk[index] ?? 0
    if (this.#type !== DISCONNECT && this.#position < 2) this.#packetId = this.#packetId * 0x100 + byte
    else if (this.#isReasonCode(byte) && byte >= FAILURE) {
      if (this.#type === DISCONNECT) this.#farewell = byte
      else this.#refusals.set(this.#packetId, [...(this.#refusals.get(this.#packetId) ?? []), byte])
      chunk[index] = FAILURE
    }
  }

  /** Whether the byte at the present position of the body is one: after the packet identifier, and in some after the properties. */
  #isReasonCode(byte: number): boolean {
    const position = this.#position
    if (this.#type === DISCONNECT) return position === 0
    if (this.#type === PUBACK) return position === 2
    if (this.#version === 4) return this.#type === SUBACK
    if (this.#propertiesEnd === 0) {
      this.#readPropertiesLength(byte)
      return false
    }
    return position >= this.#propertiesEnd
  }

  #readPropertiesLength(byte: number): void {
    this.#propertiesLength += (byte & 0x7f) * this.#propertiesUnit
    this.#propertiesUnit *= 0x80
    if (byte < 0x80) this.#propertiesEnd = this.#position + 1 + this.#propertiesLength
  }
}
