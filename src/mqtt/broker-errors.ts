/** What the errors and reason codes of a broker mean: as text for the user, with what to do, and as decisions of connection.ts. */
import {ReasonCodes} from 'mqtt'
import {FAILURE} from './refusal-parser.ts'

/** CONNACK, in 3.1.1 and in 5: the broker does not speak MQTT 5, which is no fault. */
const UNSUPPORTED_VERSION: ReadonlySet<unknown> = new Set([1, 132])
/** DISCONNECT of MQTT 5: another client has connected with the same client id. MQTT 3.1.1 has no code for it. */
const SESSION_TAKEN_OVER = 142
const NOT_AUTHORIZED = 135
/** DISCONNECT of MQTT 5 for a reason other than our messages: the broker stops, is busy, or moves its clients elsewhere. */
const UNRELATED_TO_MESSAGES: ReadonlySet<unknown> = new Set([
  136, // server unavailable
  137, // server busy
  139, // server shutting down
  141, // keep-alive timeout
  SESSION_TAKEN_OVER,
  152, // administrative action
  156, // use another server
  157, // server moved
  160, // maximum connect time
])

/** The broker has closed the connection without a reason. */
const CONNECTION_CLOSED: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED'])

const LOGIN = 'check mqtt.username and mqtt.password, and the access list of the broker'
const CLIENT_ID = 'check mqtt.client_id, or leave it out'
const UNKNOWN_CA = 'its certificate is signed by an unknown authority: set mqtt.ca'
const CLIENT_CERTIFICATE = 'it requires a client certificate: set mqtt.cert and mqtt.key'
const TLS_FILES = 'check mqtt.ca, mqtt.cert and mqtt.key'
const NO_TLS = 'no TLS on this port: mqtts:// is usually on 8883, mqtt:// on 1883'

/** What to do, by reason code, or by the code of an error of Node.js. */
const ADVICE: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [2, CLIENT_ID],
  [133, CLIENT_ID],
  [4, LOGIN],
  [134, LOGIN],
  [5, LOGIN],
  [135, LOGIN],
  [138, LOGIN],
  [149, 'mosquitto: message_size_limit and max_packet_size set the largest size of a message'],
  ['ECONNREFUSED', 'nothing listens there: is the broker running, and is mqtt.url right?'],
  ['ENOTFOUND', 'no machine has this name: check mqtt.url'],
  ['EAI_AGAIN', 'the name cannot be looked up now: is the DNS of this network up?'],
  ['EHOSTUNREACH', 'no route to this machine: is it on?'],
  ['ETIMEDOUT', 'no answer: is mqtt.url right, and is no firewall in between?'],
  ['ECONNRESET', 'the broker closed the connection'],
  ['ENETUNREACH', 'there is no network'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNKNOWN_CA],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', UNKNOWN_CA],
  ['SELF_SIGNED_CERT_IN_CHAIN', UNKNOWN_CA],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', UNKNOWN_CA],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name: set mqtt.servername'],
  ['CERT_HAS_EXPIRED', 'renew its certificate, or set the clock of this machine'],
  ['CERT_NOT_YET_VALID', 'set the clock of this machine'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_TLS],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NO_TLS],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', CLIENT_CERTIFICATE],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', CLIENT_CERTIFICATE],
])

/** The texts of the reason codes, from the library. */
const REASON_TEXTS: ReadonlyMap<string, string> = new Map(Object.entries(ReasonCodes))

/** Errors that the client library makes itself, and what they mean. */
const LIBRARY_ERRORS: ReadonlyMap<string, string> = new Map([
  ['connack timeout', 'it accepts the connection, but does not answer as a broker'],
  ['Keepalive timeout', 'it does not answer any more'],
])
/** How the library begins the message of an error that it makes of a reason code. What follows is its text, or "undefined". */
const REASON_CODE_ERROR = /^(?:Connection refused|Publish error|Subscribe error): /
/** How messages of the packet parser begin (package mqtt-packet). */
const PARSER_ERROR = /^(?:Invalid|Cannot parse|Malformed|Packet|Not supported|Unknown property)\b/

/** An error, or a reason code of the broker, as text for the log: what happened, and what to do. */
export function describeBrokerError(why: unknown): string {
  const code = errorCodeOf(why)
  // Before anything is sent: certificates and keys that cannot be read, or do not belong together.
  const isAboutFiles = typeof code === 'string' && code.startsWith('ERR_OSSL_')
  const advice = isAboutFiles ? TLS_FILES : ADVICE.get(code)
  return advice === undefined ? messageOf(why) : `${messageOf(why)} (${advice})`
}

/** Why a connection ended, by the reason code of the broker or the error that came up; empty when neither is known. */
export function disconnectText(why: unknown): string {
  return why === undefined || why === 0 || CONNECTION_CLOSED.has(errorCodeOf(why)) ? '' : messageOf(why)
}

/** Whether the broker has refused a CONNECT because it does not speak MQTT 5. */
export function isUnsupportedVersion(error: unknown): boolean {
  return UNSUPPORTED_VERSION.has(errorCodeOf(error))
}

/** Whether the broker has refused the client, and will refuse it until the configuration of one of them changes. */
export function isBrokerRefusal(error: unknown): boolean {
  const code = errorCodeOf(error)
  return typeof code === 'number' && ADVICE.has(code)
}

/** Whether the connection may have ended over a message, as far as the reason code or the error shows it. */
export function isAboutMessages(why: unknown): boolean {
  if (why instanceof Error) return why.message !== 'Keepalive timeout'
  return !UNRELATED_TO_MESSAGES.has(why)
}

/** Whether another client has taken our place with the same client id. */
export function isTakeover(code: unknown): boolean {
  return code === SESSION_TAKEN_OVER
}

/** Whether the access list of the broker denies a subscription. MQTT 3.1.1 has a single code for every refusal. */
export function isAccessDenied(code: number): boolean {
  return code === NOT_AUTHORIZED || code === FAILURE
}

/** The code of an error: a number is a reason code of MQTT, a text is a code of the operating system or of TLS. */
export function errorCodeOf(why: unknown): unknown {
  if (typeof why === 'number') return why
  return why instanceof Error && 'code' in why ? why.code : undefined
}

/** The reason code of the broker that the library has made this error of, if there is one. */
export function reasonCodeOf(error: unknown): number | undefined {
  const code = errorCodeOf(error)
  return error instanceof Error && REASON_CODE_ERROR.test(error.message) && typeof code === 'number'
    ? code
    : undefined
}

function messageOf(why: unknown): string {
  if (typeof why === 'number')
    return REASON_TEXTS.get(String(why)) || `reason code ${why}, which is not defined in MQTT`
  if (!(why instanceof Error)) return String(why)
  // A host with several addresses fails with one error for each of them, and an empty message.
  if (why instanceof AggregateError) return why.errors.map(messageOf).join('; ')
  const code = reasonCodeOf(why)
  if (code !== undefined) return messageOf(code)
  if (PARSER_ERROR.test(why.message)) return `its answer is not MQTT (${why.message})`
  // The message of a TLS error is a line of OpenSSL's source code; its `reason` is readable.
  const {reason} = {reason: undefined, ...why}
  return typeof reason === 'string' ? reason : LIBRARY_ERRORS.get(why.message) || why.message || why.name
}
