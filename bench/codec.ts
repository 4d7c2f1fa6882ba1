/** Packets per second through the codec, beside the calls of `node:crypto` that every implementation needs. */
import {createCipheriv, createDecipheriv, createHash} from 'node:crypto'
import {Cipher, HEADER_BYTES, parsePacket} from '../src/miio/packet.ts'
import {median} from './statistics.ts'

export interface CodecResult {
  /** Sealed and opened again, per second. */
  packets: number
  /** The same with `node:crypto` alone: two checksums, one encryption, one decryption. */
  bare: number
}

const TOKEN = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
const DID = 253_635_900
const PAYLOAD = Buffer.from(
  '{"id":4711,"method":"get_prop","params":["on","usb_on","temperature","wifi_led"]}\0',
)
/** Short turns that alternate, so that whatever else this machine does falls on both. */
const TURNS = 10

/** @param seconds for both together */
export function measureCodec(seconds: number): CodecResult {
  const codec = ours()
  const bare = theirs()
  const turnMs = (1000 * seconds) / (2 * TURNS + 2)
  perSecond(codec, turnMs) // for the compiler
  perSecond(bare, turnMs)
  const turns = Array.from(
    {length: TURNS},
    () => [perSecond(codec, turnMs), perSecond(bare, turnMs)] as const,
  )
  return {packets: median(turns.map(([own]) => own)), bare: median(turns.map(([, other]) => other))}
}

function ours(): () => void {
  const cipher = new Cipher(TOKEN)
  let stamp = 0
  return () => {
    const packet = parsePacket(cipher.seal(DID, stamp++, PAYLOAD))
    if (packet.kind !== 'message' || cipher.open(packet).length !== PAYLOAD.length)
      throw new Error('expected the payload to come back')
  }
}

function theirs(): () => void {
  const key = createHash('md5').update(TOKEN).digest()
  const iv = createHash('md5').update(key).update(TOKEN).digest()
  const head = Buffer.alloc(HEADER_BYTES - 16)
  const checksum = (ciphertext: Buffer) =>
    createHash('md5').update(head).update(TOKEN).update(ciphertext).digest()
  return () => {
    const cipher = createCipheriv('aes-128-cbc', key, iv)
    const ciphertext = Buffer.concat([cipher.update(PAYLOAD), cipher.final()])
    const sent = checksum(ciphertext)
    const isRight = checksum(ciphertext).equals(sent)
    const decipher = createDecipheriv('aes-128-cbc', key, iv)
    const payload = Buffer.concat([decipher.update(ciphertext), decipher.final()])
    if (!isRight || payload.length !== PAYLOAD.length) throw new Error('expected the payload to come back')
  }
}

function perSecond(run: () => void, forMs: number): number {
  const began = performance.now()
  let runs = 0
  do {
    for (let batch = 0; batch < 100; batch++) run()
    runs += 100
  } while (performance.now() - began < forMs)
  return (1000 * runs) / (performance.now() - began)
}
