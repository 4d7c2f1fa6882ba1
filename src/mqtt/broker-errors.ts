/** What can be wrong with a broker, in words for the person who has to mend it. */
import {ReasonCodes} from 'mqtt'
import {FAILURE} from './reason-codes.ts'

/** Unlike the other troubles, no fault: this broker speaks MQTT 3.1.1 (CONNACK codes of 3.1.1 and of 5). */
const UNSUPPORTED_VERSION: ReadonlySet<unknown> = new Set([1, 132])
/** DISCONNECT of MQTT 5: another client came with our client id. 3.1.1 has no word for it. */
const SESSION_TAKEN_OVER = 142
const NOT_AUTHORIZED = 135
/** DISCONNECT of MQTT 5: the broker goes away, or has too much to do. */
const NOT_OUR_FAULT: ReadonlySet<unknown> = new Set([
  136,
  137,
  139,
  141,
  SESSION_TAKEN_OVER,
  152,
  156,
  157,
  160,
])

/** The other side has ended the connection, without a word. */
const HUNG_UP: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED'])

const LOGIN = 'check mqtt.username and mqtt.password, and the access list of the broker'
const CLIENT_ID = 'check mqtt.client_id, or leave it out'
const AUTHORITY = 'its certificate is signed by nobody this machine knows: name who signed it in mqtt.ca'
const OUR_CERTIFICATE = 'it wants a certificate of us: set mqtt.cert and mqtt.key'
const TLS_FILES = 'check mqtt.ca, mqtt.cert and mqtt.key'
const NO_TLS = 'it does not speak TLS on this port: mqtts:// is usually on 8883, mqtt:// on 1883'

/** By CONNACK code, or by the code of the error that Node.js gives. */
const advice: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [2, CLIENT_ID],
  [133, CLIENT_ID],
  [4, LOGIN],
  [134, LOGIN],
  [5, LOGIN],
  [135, LOGIN],
  [138, LOGIN],
  [149, 'mosquitto: message_size_limit and max_packet_size say how large a message may be'],
  ['ECONNREFUSED', 'nothing listens there: is the broker running, and mqtt.url right?'],
  ['ENOTFOUND', 'no machine has this name: check mqtt.url'],
  ['EAI_AGAIN', 'the name cannot be looked up now: is the DNS of this network up?'],
  ['EHOSTUNREACH', 'there is no way to this machine: is it on?'],
  ['ETIMEDOUT', 'it does not answer: is mqtt.url right, and no firewall in between?'],
  ['ECONNRESET', 'it hung up'],
  ['ENETUNREACH', 'there is no network'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', AUTHORITY],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', AUTHORITY],
  ['SELF_SIGNED_CERT_IN_CHAIN', AUTHORITY],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', AUTHORITY],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name: say which in mqtt.servername'],
  ['CERT_HAS_EXPIRED', 'renew its certificate, or set the clock of this machine'],
  ['CERT_NOT_YET_VALID', 'set the clock of this machine'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_TLS],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NO_TLS],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', OUR_CERTIFICATE],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', OUR_CERTIFICATE],
])

const reasons: ReadonlyMap<string, string> = new Map(Object.entries(ReasonCodes))

/** What the client library says of itself, and what that means. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['connack timeout', 'it takes the connection, but does not answer as a broker'],
  ['Keepalive timeout', 'it does not answer any more'],
])
/** With these the library puts a reason code into words, or into "undefined". */
const OF_A_CODE = /^(?:Connection refused|Publish error|Subscribe error): /
/** Of the parser: mqtt-packet/parser.js. */
const UNREADABLE = /^(?:Invalid|Cannot parse|Malformed|Packet|Not supported|Unknown property)\b/

/** What an error, or a reason code of the broker, says, and what to do about it. */
export function describeBrokerError(why: unknown): string {
  const hint = hintFor(errorCodeOf(why))
  return hint === undefined ? messageOf(why) : `${messageOf(why)} (${hint})`
}

/** Why a connection ended, by the reason code of the broker or the error that was met; empty when nobody said. */
export function disconnectText(why: unknown): string {
  return why === undefined || why === 0 || HUNG_UP.has(errorCodeOf(why)) ? '' : messageOf(why)
}

function hintFor(code: unknown): string | undefined {
  // Met before anything is sent, by certificates and keys that cannot be read or do not belong together.
  if (typeof code === 'string' && code.startsWith('ERR_OSSL_')) return TLS_FILES
  return advice.get(code)
}

export function isUnsupportedVersion(error: unknown): boolean {
  return UNSUPPORTED_VERSION.has(errorCodeOf(error))
}

/** The broker itself said no, and will until somebody changes something. */
export function isBrokerRefusal(error: unknown): boolean {
  const code = errorCodeOf(error)
  return typeof code === 'number' && advice.has(code)
}

/** Whether the connection may have ended for what was sent on it, as far as the broker, or what was met, says why. */
export function isAboutMessages(why: unknown): boolean {
  if (why instanceof Error) return why.message !== 'Keepalive timeout'
  return !NOT_OUR_FAULT.has(why)
}

export function isTakeover(code: unknown): boolean {
  return code === SESSION_TAKEN_OVER
}

/** The broker was reached, and means that this client may not. MQTT 3.1.1 has but one code for every refusal. */
export function isAccessDenied(code: number): boolean {
  return code === NOT_AUTHORIZED || code === FAILURE
}

/** A number is the broker's (MQTT reason codes), a text the operating system's or the TLS library's. */
export function errorCodeOf(why: unknown): unknown {
  if (typeof why === 'number') return why
  return why instanceof Error && 'code' in why ? why.code : undefined
}

/** The reason code of the broker that the library made this error of, if it is one. */
export function reasonCodeOf(error: unknown): number | undefined {
  const code = errorCodeOf(error)
  return error instanceof Error && OF_A_CODE.test(error.message) && typeof code === 'number'
    ? code
    : undefined
}

function messageOf(why: unknown): string {
  if (typeof why === 'number')
    return reasons.get(String(why)) || `reason code ${why}, which MQTT has no words for`
  if (!(why instanceof Error)) return String(why)
  // A host with several addresses fails with one error for each, and an empty message for them all.
  if (why instanceof AggregateError) return why.errors.map(messageOf).join('; ')
  const code = reasonCodeOf(why)
  if (code !== undefined) return messageOf(code)
  if (UNREADABLE.test(why.message)) return `it sent what is not MQTT (${why.message})`
  // The message of a TLS error is a line of OpenSSL's source; its reason is what a person would say.
  const {reason} = {reason: undefined, ...why}
  return typeof reason === 'string' ? reason : WORDS.get(why.message) || why.message || why.name
}
