/** The plug's side of the wire, where it is laxer than a client should be (docs/protocol.md §1.2, §1.6). Pure. */
import {HEADER_BYTES, HELLO, LONGEST_CIPHERTEXT, TOKEN_BYTES} from '../miio/packet.ts'

const MAGIC = HELLO.readUInt16BE(0)
const UNSET = 0xffffffff

/** The part of a datagram that its header speaks of; `undefined` when the plug would drop it (§1.6 steps 1 and 2). */
export function declaredPart(datagram: Buffer): Buffer | undefined {
  if (datagram.length < HEADER_BYTES || datagram.readUInt16BE(0) !== MAGIC) return undefined
  const length = datagram.readUInt16BE(2)
  if (length > datagram.length || length < HEADER_BYTES) return undefined
  if (length - HEADER_BYTES > LONGEST_CIPHERTEXT) return undefined
  return datagram.subarray(0, length)
}

/**
 * The answer to a hello: the hello itself with its blanks filled in. A stamp or checksum that is no blank (FF) comes back
 * as it was sent. `undefined` when the id is not blank: such a packet is no hello (§1.2).
 * @param slot 16 bytes: the token, or what hides it
 */
export function answerHello(hello: Buffer, did: number, uptimeS: number, slot: Buffer): Buffer | undefined {
  if (hello.readUInt32BE(4) !== UNSET || hello.readUInt32BE(8) !== UNSET) return undefined
  const reply = Buffer.from(hello)
  reply.writeBigUInt64BE(BigInt(did), 4)
  if (hello.readUInt32BE(12) === UNSET) reply.writeUInt32BE(uptimeS >>> 0, 12)
  if (isBlank(hello)) slot.copy(reply, HEADER_BYTES - TOKEN_BYTES)
  return reply
}

function isBlank(hello: Buffer): boolean {
  for (let at = HEADER_BYTES - TOKEN_BYTES; at < HEADER_BYTES; at++) if (hello[at] !== 0xff) return false
  return true
}
