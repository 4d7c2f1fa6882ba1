/**
 * miIO packets: parses, encrypts and decrypts them (docs/protocol.md §1.1 to §1.3). Pure: no I/O, no clock.
 *
 * A packet is a header of 32 bytes (magic, length, device id, stamp, checksum), all big-endian, and an encrypted payload.
 */
import {createCipheriv, createDecipheriv, hash, timingSafeEqual} from 'node:crypto'

export const MIIO_PORT = 54321
export const HEADER_BYTES = 32
export const TOKEN_BYTES = 16
const MAGIC = 0x2131
const BLOCK_BYTES = 16
/** The longest encrypted payload that an m1 accepts (§1.5). It drops longer ones without a response. */
export const LONGEST_CIPHERTEXT = 968

/** The packet that requests id and clock of any plug. It carries no secret and is never encrypted. */
export const HELLO = Buffer.concat([Buffer.from('21310020', 'hex'), Buffer.alloc(28, 0xff)])

/** A datagram that is not a miIO packet, or not one under our token. `message` says what was expected and what came. */
export class MalformedPacket extends Error {
  override readonly name = 'MalformedPacket'
}

/** A checksum that our token does not produce: the token differs, or the packet was damaged on its way. */
export class ChecksumMismatch extends MalformedPacket {}

export type Packet =
  /** The request for id and clock: only a plug, or a simulated one, receives this. */
  | {kind: 'hello'}
  /** `revealsToken`: the plug is not set up yet and shows its token to everyone (§1.2). */
  | {kind: 'hello_reply'; did: number; stamp: number; revealsToken: boolean}
  /** The plug's "checksum wrong" (§1.6 step 7): the first 16 bytes of the request come back, followed by FF. */
  | {kind: 'nak'; did: number; stamp: number; requestLength: number}
  | {kind: 'message'; did: number; stamp: number; header: Buffer; checksum: Buffer; ciphertext: Buffer}

/**
 * Parses the header of a datagram and finds the kind of packet. Nothing is decrypted or trusted yet.
 *
 * Stricter than the common clients, each of which accepts one of the forgeries of docs/protocol.md §2.5: the length must be
 * that of the datagram, a hello reply has exactly 32 bytes, and only the exact shape of a NAK is one.
 * @throws MalformedPacket
 */
export function parsePacket(datagram: Buffer): Packet {
  if (datagram.length < HEADER_BYTES)
    throw new MalformedPacket(`expected at least ${HEADER_BYTES} bytes, got ${datagram.length}`)
  const magic = datagram.readUInt16BE(0)
  if (magic !== MAGIC)
    throw new MalformedPacket(`expected magic 2131, got ${magic.toString(16).padStart(4, '0')}`)
  if (datagram.equals(HELLO)) return {kind: 'hello'}

  const length = datagram.readUInt16BE(2)
  const did = readDid(datagram)
  const stamp = datagram.readUInt32BE(12)
  const checksum = datagram.subarray(16, HEADER_BYTES)
  if (datagram.length === HEADER_BYTES) {
    if (length === HEADER_BYTES) return {kind: 'hello_reply', did, stamp, revealsToken: !isFilled(checksum)}
    if (isMessageLength(length) && checksum.every((byte) => byte === 0xff))
      return {kind: 'nak', did, stamp, requestLength: length}
  }
  if (length !== datagram.length)
    throw new MalformedPacket(
      `the header has a length of ${length} bytes, the datagram has ${datagram.length}`,
    )
  if (!isMessageLength(length))
    throw new MalformedPacket(
      `expected a payload of whole ${BLOCK_BYTES}-byte blocks, got ${length - HEADER_BYTES} bytes`,
    )
  const ciphertext = datagram.subarray(HEADER_BYTES)
  return {kind: 'message', did, stamp, header: datagram.subarray(0, 16), checksum, ciphertext}
}

/** The reply to a hello, as a plug that keeps its token hidden (FF) sends it. `stamp` is its uptime in seconds. */
export function helloReply(did: number, stamp: number): Buffer {
  return Buffer.concat([header(did, stamp), Buffer.alloc(16, 0xff)])
}

/** What an m1 sends back for a request whose checksum its token does not produce (§1.6 step 7). */
export function nak(request: Buffer): Buffer {
  return Buffer.concat([request.subarray(0, 16), Buffer.alloc(16, 0xff)])
}

/** Encryption under one token. Key and initialisation vector never change (§1.3). */
export class Cipher {
  readonly #token: Buffer
  readonly #key: Buffer
  readonly #iv: Buffer

  /** @param token 16 bytes. @throws RangeError on any other length. */
  constructor(token: Buffer) {
    if (token.length !== TOKEN_BYTES)
      throw new RangeError(`expected a token of 16 bytes, got ${token.length}`)
    this.#token = token
    // Buffer.from copies into memory that small buffers share: a result of md5 has an ArrayBuffer of its own, 200 bytes each.
    this.#key = Buffer.from(md5(token))
    this.#iv = Buffer.from(md5(Buffer.concat([this.#key, token])))
  }

  /** The packet that carries `payload` to, or from, the plug `did` at `stamp` seconds of its clock. */
  seal(did: number, stamp: number, payload: Buffer): Buffer {
    const cipher = createCipheriv('aes-128-cbc', this.#key, this.#iv)
    const head = header(did, stamp)
    const packet = Buffer.concat([head, this.#token, cipher.update(payload), cipher.final()])
    packet.writeUInt16BE(packet.length, 2)
    packet.set(md5(packet), 16) // of the packet with the token in place of the checksum
    return packet
  }

  /**
   * The payload of a message, after its checksum was verified.
   * @throws ChecksumMismatch
   * @throws MalformedPacket when the checksum is right and the padding is not: such bytes are never returned as a payload
   */
  open(message: Packet & {kind: 'message'}): Buffer {
    const {header, checksum, ciphertext} = message
    if (!timingSafeEqual(md5(Buffer.concat([header, this.#token, ciphertext])), checksum))
      throw new ChecksumMismatch('the checksum does not belong to the configured token')
    const decipher = createDecipheriv('aes-128-cbc', this.#key, this.#iv)
    try {
      return Buffer.concat([decipher.update(ciphertext), decipher.final()])
    } catch {
      throw new MalformedPacket('the checksum is right, the padding of the payload is not')
    }
  }
}

/** The header of a packet without payload. */
function header(did: number, stamp: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16BE(MAGIC, 0)
  bytes.writeUInt16BE(HEADER_BYTES, 2)
  bytes.writeUInt32BE(Math.floor(did / 2 ** 32), 4)
  bytes.writeUInt32BE(did % 2 ** 32, 8)
  bytes.writeUInt32BE(stamp >>> 0, 12)
  return bytes
}

/**
 * The device id: all eight bytes, since official firmware compares them all, though every id seen so far fits in the last four
 * (§1.1). A plug without an id sends 0, and a hello has FF in that place: neither is the id of a plug.
 * @throws MalformedPacket
 */
function readDid(datagram: Buffer): number {
  const did = datagram.readUInt32BE(4) * 2 ** 32 + datagram.readUInt32BE(8)
  if (did === 0 || did === 0xffffffff || !Number.isSafeInteger(did))
    throw new MalformedPacket(`no plug has the id ${datagram.readBigUInt64BE(4)}`)
  return did
}

function isMessageLength(length: number): boolean {
  return length > HEADER_BYTES && (length - HEADER_BYTES) % BLOCK_BYTES === 0
}

function isFilled(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0) || bytes.every((byte) => byte === 0xff)
}

function md5(bytes: Buffer): Buffer {
  return hash('md5', bytes, 'buffer')
}
