/** Replies that arrive and cannot be used: what real firmware and bad Wi-Fi have been seen to send (docs/protocol.md §1.7, §2.4). */
import type {Random} from '../../common/clock.ts'

/** Encrypts a payload into a packet from this plug. */
export type Seal = (payload: string) => Buffer

/**
 * How a reply is spoiled. A `datagram` is sent as it is; a `payload` is encrypted first, with `$id` replaced by the id of the
 * request, so that a test can write down what a certain firmware said: `{"id":$id,"result":["on",,32]}`.
 */
export type Garbage = Kind | {datagram: Buffer} | {payload: string}

type Kind = 'random_bytes' | 'bad_checksum' | 'truncated_json' | 'empty_slots' | 'not_json'

type Spoil = (reply: string, seal: Seal, random: Random) => Buffer

const kinds: Record<Kind, Spoil> = {
  random_bytes: (_reply, _seal, random) => Buffer.from(Array.from({length: 48}, () => random() * 256)),
  bad_checksum: (reply, seal) => {
    const packet = seal(reply)
    packet.writeUInt8(packet.readUInt8(20) ^ 1, 20)
    return packet
  },
  truncated_json: (reply, seal) => seal(reply.slice(0, Math.ceil(reply.length / 2))),
  empty_slots: (reply, seal) => seal(emptied(reply)),
  not_json: (_reply, seal) => seal('Boot ok\r\n> '),
}

const allKinds: readonly Kind[] = [
  'random_bytes',
  'bad_checksum',
  'truncated_json',
  'empty_slots',
  'not_json',
]

/** Any kind of garbage. */
export function anyGarbage(random: Random): Kind {
  return allKinds[Math.floor(random() * allKinds.length)] ?? 'not_json'
}

/** The datagram that is sent in place of `reply`, the JSON text that would have answered the request `id`. */
export function garbageDatagram(
  garbage: Garbage,
  reply: string,
  id: number,
  seal: Seal,
  random: Random,
): Buffer {
  if (typeof garbage === 'string') return kinds[garbage](reply, seal, random)
  if ('datagram' in garbage) return garbage.datagram
  return seal(garbage.payload.replaceAll('$id', String(id)))
}

/** The Qingmi strip's `{"id":1,"result":[,,,]}`: every value of a list left out, the commas between them kept. */
function emptied(reply: string): string {
  return reply.replace(/"result":\[(.*?)\]/, (_, slots: string) => {
    const commas = Math.max(1, slots.split(',').length - 1)
    return `"result":[${','.repeat(commas)}]`
  })
}
