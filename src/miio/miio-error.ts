/** MiioError: what a request to a plug fails with, and the sentences that say why (docs/protocol.md §1.6, §1.8). */
import {maskedJson} from '../common/secret.ts'
import {count} from '../common/text.ts'
import {LONGEST_CIPHERTEXT} from './packet.ts'

/**
 * What went wrong, grouped by what has to be looked at:
 * `timeout`      no response in time: the plug and the network
 * `bad_token`    the plug reports that the checksum is wrong: the token, which changes when the plug is set up again
 * `unreachable`  the packet could not leave, or another plug has that address: the network
 * `refused`      the plug understood and responded with an error: the request
 */
export type MiioErrorCode = 'timeout' | 'bad_token' | 'unreachable' | 'refused'

/** How far a request came before it failed: sent nothing, sent a hello, or sent the request itself. */
export type FailureStage = 'send' | 'hello' | 'request'

/** The error of a request to a plug: `code` says who must act, `stage` how far the request came. */
export class MiioError extends Error {
  override readonly name = 'MiioError'
  readonly code: MiioErrorCode
  readonly stage: FailureStage
  /** The plug's own error code, for `refused`. */
  readonly deviceCode: number | undefined
  /**
   * Whether the plug has responded under our token in this run. Set for `bad_token`, and for `unreachable` because another plug
   * replies: both rest on a packet that can be forged, so that one such failure of a plug that responded before proves nothing.
   */
  provenBefore = false

  constructor(code: MiioErrorCode, stage: FailureStage, message: string, deviceCode?: number) {
    // A stack trace is costly and of no use here: a silent plug is expected, and ten thousand may be silent every minute.
    const {stackTraceLimit} = Error
    Error.stackTraceLimit = 0
    super(message)
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.stage = stage
    this.deviceCode = deviceCode
  }
}

/** What happened during one request, for the error at its end. */
export class RequestLog {
  /** Hellos sent. */
  hellos = 0
  /** Hello replies received. */
  helloReplies = 0
  /** Request packets sent. */
  requests = 0
  /** Length of the longest encrypted payload sent. */
  bytes = 0
  /** Datagrams that came and did not count, and why the last of them did not. */
  dropped = 0
  lastDropped = ''
  /** Whether a response came whose checksum our token does not produce. */
  checksumFailed = false
  /** Whether a response under our token came that is not JSON, even after repair. */
  unreadable = false
  /** What an unproven packet claimed during this try: the failure of the try when nothing better comes. */
  unproven: MiioError | undefined
}

/**
 * The failure of a request that ran out of tries or of time.
 * @param where host and port @param isProven whether the token has worked since the start
 */
export function timeoutError(where: string, method: string, log: RequestLog, isProven: boolean): MiioError {
  const {hellos, helloReplies, requests} = log
  if (requests === 0 && (hellos === 0 || helloReplies > 0))
    return new MiioError('timeout', 'send', `${method} was not sent to ${where}: no time was left`)
  if (hellos > 0 && helloReplies === 0) {
    const text = `${where} did not answer ${count(hellos, 'hello')}: ${NO_HELLO}${droppedText(log)}`
    return new MiioError('timeout', 'hello', text)
  }
  const afterHello = helloReplies > 0 ? ' answered the hello but' : ''
  const asked = `${where}${afterHello} did not answer ${method} (${count(requests, 'request')})`
  const text = `${asked}: ${likelyCause(log, isProven)}${droppedText(log)}`
  return new MiioError('timeout', 'request', text)
}

const NO_HELLO =
  'it has no power, is in another subnet (plugs answer only their own subnet), or its address has changed'

function likelyCause({unreadable, checksumFailed, bytes}: RequestLog, isProven: boolean): string {
  if (unreadable) return 'its answer cannot be read; please report it together with the plug’s model'
  if (bytes > LONGEST_CIPHERTEXT)
    return `the request has ${bytes} bytes, and plugs silently drop more than ${LONGEST_CIPHERTEXT}; ask for less at a time`
  if (isProven && !checksumFailed)
    return 'it did before: it is busy, the network loses packets, or it was set up again and has a new token'
  return 'most often the token is wrong, since it changes whenever the plug is set up again; get the current token'
}

function droppedText({dropped, lastDropped}: RequestLog): string {
  return dropped === 0 ? '' : ` [${count(dropped, 'datagram')} did not count, the last: ${lastDropped}]`
}

/** A request that was waiting or under way when its client was closed. */
export function closedError(where: string): MiioError {
  return new MiioError('timeout', 'request', `the connection to ${where} was closed before an answer came`)
}

/** Another device id replies at the address: the plug has moved. `unreachable`, at stage `hello`. */
export function otherPlugError(where: string, expected: number, got: number): MiioError {
  const text = `expected device ${expected} at ${where}, but another device answers there: ${got}; the address has changed`
  return new MiioError('unreachable', 'hello', text)
}

/** The plug reports a wrong checksum. `bad_token`, at stage `request`. */
export function badTokenError(where: string): MiioError {
  const text = `${where} reports a wrong token: the token changes whenever the plug is set up again; get the current token`
  return new MiioError('bad_token', 'request', text)
}

/** The `error` member of a plug's response. */
interface PlugError {
  code: number
  message: string
}

/** Codes that mean "not now": asking again can help. Every other refusal is final. `final`: messages that are final under this code. */
const TRANSIENT: readonly {code: number; final?: RegExp}[] = [
  // "user ack timeout", "UART timeout": the plug's application did not respond to its Wi-Fi half within a second. cuco.plug.v3
  // reports "undefined command" under the same code to a method it will never know (python-miio#1865).
  {code: -9999, final: /undefined command/i},
  // "Resp invalid json.": the application's response got garbled, which python-miio and homebridge-miot see pass on asking again.
  {code: -30001},
  // "Busy.": the queue between the two halves is full (Xiaomi's module documentation).
  {code: -30012},
]

const METHOD_UNKNOWN: ReadonlySet<number> = new Set([-32601, -10000])

/** Whether the plug refused only for now (docs/protocol.md §1.8). */
export function isTransient({code, message}: PlugError): boolean {
  return TRANSIENT.some((refusal) => refusal.code === code && !refusal.final?.test(message))
}

/** The plug's own error code as a sentence. `refused`, at stage `request`. */
export function refusedError(where: string, method: string, {code, message}: PlugError): MiioError {
  const quoted = message === '' ? '' : ` ${JSON.stringify(maskedJson(message).slice(0, 100))}`
  const hint = METHOD_UNKNOWN.has(code) ? ': its firmware does not know this request' : ''
  return new MiioError(
    'refused',
    'request',
    `${where} refused ${method} with code ${code}${quoted}${hint}`,
    code,
  )
}
