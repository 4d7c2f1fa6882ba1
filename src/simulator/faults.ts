/**
 * Faults of a simulated plug: `Faults` is how often each occurs, `InjectedFault` is what happens to one datagram and its response, `Garbage`
 * is a response that arrives and cannot be used, as sent by real firmware and bad Wi-Fi (docs/protocol.md §1.7, §2.4).
 */
import type {Random} from '../common/clock.ts'
import {
  ACK_TIMEOUT,
  type FirmwareError,
  type FirmwareQuirks,
  INVALID_JSON,
  METHOD_NOT_FOUND,
} from './firmware/firmware-profile.ts'

/** Shares are from 0 (never) to 1 (always). A fault that is missing never occurs. Quirks override those of the plug's own firmware. */
export interface Faults extends FirmwareQuirks {
  /** Share of datagrams, hellos among them, that never reach the plug. */
  loss?: number
  /** Share of responses that are lost. The command is executed. */
  loseResponses?: number
  /** Delay of every response, milliseconds, drawn from this range. */
  delay?: {fromMs: number; toMs: number}
  /** Share of responses that come after the client has given up. */
  lateResponses?: number
  /** Share of responses that come twice. */
  duplicate?: number
  /** Share of responses that are unusable. */
  garbage?: number
  /** Share of responses that carry the id of another request. */
  wrongId?: number
  /** Share of requests that are refused with this code and not executed. */
  error?: {code: number; share: number}
  /** Every token is wrong, as after a new set-up: the plug reports that, or does not respond. */
  wrongToken?: 'nak' | 'silent'
  /** The plug receives nothing. */
  silence?: true
  /** Milliseconds between two power failures of a few seconds each. */
  rebootEveryMs?: number
  /** Milliseconds between two changes of the plug's address. */
  addressChangeEveryMs?: number
}

/** What happens to one datagram and its response. */
export interface InjectedFault {
  loseRequest?: boolean
  /** The request is executed, and its response is lost. */
  loseResponse?: boolean
  delayMs?: number
  /** How many times the response arrives: 1 by default. */
  copies?: number
  garble?: Garbage
  /** The response carries the next id in place of the id of the request. */
  wrongId?: boolean
  /** The request is not executed; the response is this error. */
  refuse?: FirmwareError
}

/** Longer than a client waits for one try, and no longer than observed late responses took (docs/protocol.md §6). */
const LATE_FROM_MS = 2500
const LATE_TO_MS = 10_000

/** The errors of real firmware (docs/protocol.md §1.8). */
const ERRORS: readonly FirmwareError[] = [
  ACK_TIMEOUT,
  INVALID_JSON,
  METHOD_NOT_FOUND,
  {code: -30000, message: 'Resp general error.'},
  {code: -10000, message: 'Method not found.'},
  {code: -5001, message: 'invalid_arg'},
]

/** Draws by chance what happens to the next request, or hello: a hello is neither refused nor garbled, whatever was drawn. */
export function drawFault(faults: Faults, random: Random): InjectedFault {
  const occurs = (share = 0) => share > 0 && random() < share
  const fault: InjectedFault = {}
  if (occurs(faults.loss)) fault.loseRequest = true
  if (occurs(faults.loseResponses)) fault.loseResponse = true
  if (occurs(faults.duplicate)) fault.copies = 2
  if (occurs(faults.wrongId)) fault.wrongId = true
  if (occurs(faults.garbage)) fault.garble = anyGarbage(random)
  if (faults.error && occurs(faults.error.share)) {
    const {code} = faults.error
    fault.refuse = ERRORS.find((error) => error.code === code) ?? {code, message: 'error'}
  }
  if (faults.delay) fault.delayMs = between(faults.delay.fromMs, faults.delay.toMs, random)
  if (occurs(faults.lateResponses)) fault.delayMs = between(LATE_FROM_MS, LATE_TO_MS, random)
  return fault
}

function between(from: number, to: number, random: Random): number {
  return from + random() * (to - from)
}

/**
 * How a response is spoiled. A `datagram` is sent as it is. A `payload` is encrypted first, with `$id` replaced by the id of the
 * request, so that a test can contain the recorded response of a firmware: `{"id":$id,"result":["on",,32]}`.
 */
export type Garbage = GarbageKind | {datagram: Buffer} | {payload: string}

const GARBAGE_KINDS = ['random_bytes', 'bad_checksum', 'truncated_json', 'empty_slots', 'not_json'] as const
type GarbageKind = (typeof GARBAGE_KINDS)[number]

/** A random kind of garbage, all equally likely. */
export function anyGarbage(random: Random): GarbageKind {
  return GARBAGE_KINDS[Math.floor(random() * GARBAGE_KINDS.length)] ?? 'not_json'
}

/**
 * The datagram that is sent in place of a response.
 * @param response the JSON text of the correct response to the request `id`
 * @param seal encrypts a payload into a packet from this plug
 */
export function garbageDatagram(
  garbage: Garbage,
  response: string,
  id: number,
  seal: (payload: string) => Buffer,
  random: Random,
): Buffer {
  switch (garbage) {
    case 'random_bytes':
      return Buffer.from(Array.from({length: 48}, () => random() * 256))
    case 'bad_checksum': {
      const packet = seal(response)
      packet.writeUInt8(packet.readUInt8(20) ^ 1, 20)
      return packet
    }
    case 'truncated_json':
      return seal(response.slice(0, Math.ceil(response.length / 2)))
    case 'empty_slots':
      return seal(withoutValues(response))
    case 'not_json':
      return seal('Boot ok\r\n> ')
    default:
      return 'datagram' in garbage ? garbage.datagram : seal(garbage.payload.replaceAll('$id', String(id)))
  }
}

/** Leaves out every value of a list and keeps the commas, as the Qingmi strip does: `{"id":1,"result":[,,,]}`. */
function withoutValues(response: string): string {
  return response.replace(/"result":\[(.*?)\]/, (_, slots: string) => {
    const commas = Math.max(1, slots.split(',').length - 1)
    return `"result":[${','.repeat(commas)}]`
  })
}
