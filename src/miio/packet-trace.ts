/** What `--debug` and the log level `trace` show: every packet decoded, with nothing in it that could be a secret. */
import {MASK} from '../common/secret.ts'
import {maskedJson} from './json-mask.ts'
import {type Cipher, MalformedPacket, type Packet, parsePacket} from './packet.ts'

export interface TracedPacket {
  direction: 'sent' | 'received'
  host: string
  port: number
  kind: Packet['kind'] | 'malformed'
  did?: number
  /** Seconds of the plug's clock. */
  stamp?: number
  /** The payload as it came, secrets masked, control characters escaped. */
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

/** A datagram in words. The slot of a hello reply, which may hold a token, is left out altogether. */
export function decodeDatagram(
  datagram: Buffer,
  cipher: Cipher,
  mask: (text: string) => string,
): Omit<TracedPacket, 'direction' | 'host' | 'port'> {
  try {
    const packet = parsePacket(datagram)
    if (packet.kind === 'hello') return {kind: 'hello'}
    const {kind, did, stamp} = packet
    return {kind, did, stamp, ...(packet.kind === 'message' && opened(packet, cipher, mask))}
  } catch (error) {
    if (error instanceof MalformedPacket) return {kind: 'malformed', problem: error.message}
    throw error
  }
}

function opened(
  message: Packet & {kind: 'message'},
  cipher: Cipher,
  mask: (text: string) => string,
): {json: string} | {problem: string} {
  try {
    const text = cipher.open(message).toString('utf8').replace(/\0$/, '')
    return {json: mask(text).replace(/\p{Cc}/gu, escaped)}
  } catch (error) {
    if (error instanceof MalformedPacket) return {problem: error.message}
    throw error
  }
}

/** Masks what is nobody's business when a trace is put into an issue: secrets, Wi-Fi, account; our own token wherever it stands. */
export function secretMask(token: Buffer): (text: string) => string {
  const ours = new RegExp(token.toString('hex'), 'gi')
  return (text) => maskedJson(text).replace(ours, MASK)
}

function escaped(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`
}
