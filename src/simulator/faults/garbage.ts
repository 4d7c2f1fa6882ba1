/** Garbage: replies that arrive and cannot be used, as sent by real firmware and bad Wi-Fi (docs/protocol.md §1.7, §2.4). */
import type {Random} from '../../common/clock.ts'

/** Encrypts a payload into a packet from this plug. */
type Seal = (payload: string) => Buffer

/**
 * How a reply is spoiled. A `datagram` is sent as it is. A `payload` is encrypted first, with `$id` replaced by the id of the
 * request, so that a test can contain the recorded answer of a firmware: `{"id":$id,"result":["on",,32]}`.
 */
export type Garbage = GarbageKind | {datagram: Buffer} | {payload: string}

type GarbageKind = 'random_bytes' | 'bad_checksum' | 'truncated_json' | 'empty_slots' | 'not_json'

type Spoil = (reply: string, seal: Seal, random: Random) => Buffer

const spoilers: Record<GarbageKind, Spoil> = {
  random_bytes: (_reply, _seal, random) => Buffer.from(Array.from({length: 48}, () => random() * 256)),
  bad_checksum: (reply, seal) => {
    const packet = seal(reply)
    packet.writeUInt8(packet.readUInt8(20) ^ 1, 20)
    return packet
  },
  truncated_json: (reply, seal) => seal(reply.slice(0, Math.ceil(reply.length / 2))),
  empty_slots: (reply, seal) => seal(withoutValues(reply)),
  not_json: (_reply, seal) => seal('Boot ok\r\n> '),
}

const kinds: readonly GarbageKind[] = [
  'random_bytes',
  'bad_checksum',
  'truncated_json',
  'empty_slots',
  'not_json',
]

/** A random kind of garbage, all equally likely. */
export function anyGarbage(random: Random): GarbageKind {
  return kinds[Math.floor(random() * kinds.length)] ?? 'not_json'
}

/**
 * The datagram that is sent in place of a reply.
 * @param reply the JSON text of the correct reply to the request `id`
 */
export function garbageDatagram(
  garbage: Garbage,
  reply: string,
  id: number,
  seal: Seal,
  random: Random,
): Buffer {
  if (typeof garbage === 'string') return spoilers[garbage](reply, seal, random)
  if ('datagram' in garbage) return garbage.datagram
  return seal(garbage.payload.replaceAll('$id', String(id)))
}

/** Leaves out every value of a list and keeps the commas, as the Qingmi strip does: `{"id":1,"result":[,,,]}`. */
function withoutValues(reply: string): string {
  return reply.replace(/"result":\[(.*?)\]/, (_, slots: string) => {
    const commas = Math.max(1, slots.split(',').length - 1)
    return `"result":[${','.repeat(commas)}]`
  })
}
