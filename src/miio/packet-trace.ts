/** Packet trace for `--debug` and the log level `trace`: every packet decoded, without secrets. */
import {MASK, maskedJson} from '../common/secret.ts'
import {escapeControls} from './json-repair.ts'
import {type Cipher, MalformedPacket, type Packet, parsePacket} from './packet.ts'

export interface TracedPacket {
  direction: 'sent' | 'received'
  host: string
  port: number
  kind: Packet['kind'] | 'malformed'
  did?: number
  /** Seconds of the plug's clock. */
  stamp?: number
  /** The decrypted payload, unrepaired: secrets are masked, control characters escaped. */
  json?: string
  /** Why there is no `json`. */
  problem?: string
}

export type Trace = (packet: TracedPacket) => void

/** A traced packet as one line:
 * `-> 192.168.1.40:54321 message did 200100001 stamp 86405 {"id":1,"method":"get_prop","params":["power"]}` */
export function traceLine({direction, host, port, kind, did, stamp, json, problem}: TracedPacket): string {
  const arrow = direction === 'sent' ? '->' : '<-'
  const header = [kind, did === undefined ? '' : `did ${did}`, stamp === undefined ? '' : `stamp ${stamp}`]
  return [arrow, `${host}:${port}`, ...header, json ?? problem ?? ''].filter(Boolean).join(' ')
}

/**
 * Decodes a datagram for the trace. The checksum field of a hello reply, which may hold a token, is left out.
 * @param mask takes secrets out of a payload
 */
export function decodeDatagram(
  datagram: Buffer,
  cipher: Cipher,
  mask: (text: string) => string,
): Omit<TracedPacket, 'direction' | 'host' | 'port'> {
  try {
    const packet = parsePacket(datagram)
    if (packet.kind === 'hello') return {kind: 'hello'}
    const {kind, did, stamp} = packet
    return {kind, did, stamp, ...(packet.kind === 'message' && decrypt(packet, cipher, mask))}
  } catch (error) {
    if (error instanceof MalformedPacket) return {kind: 'malformed', problem: error.message}
    throw error
  }
}

function decrypt(
  message: Packet & {kind: 'message'},
  cipher: Cipher,
  mask: (text: string) => string,
): {json: string} | {problem: string} {
  try {
    const text = cipher.open(message).toString('utf8').replace(/\0$/, '')
    return {json: escapeControls(mask(text))}
  } catch (error) {
    if (error instanceof MalformedPacket) return {problem: error.message}
    throw error
  }
}

/** Masks what must not get into an issue together with a trace: secrets, Wi-Fi, account, and the given token wherever it occurs. */
export function secretMask(token: Buffer): (text: string) => string {
  const ownToken = new RegExp(token.toString('hex'), 'gi')
  return (text) => maskedJson(text).replace(ownToken, MASK)
}
