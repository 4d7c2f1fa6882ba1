/** What can be wrong with a broker, in words for the person who has to mend it. */
import {ReasonCodes} from 'mqtt'

/** Unlike the other troubles, no fault: this broker speaks MQTT 3.1.1 (CONNACK codes of 3.1.1 and of 5). */
const UNSUPPORTED_VERSION: ReadonlySet<unknown> = new Set([1, 132])
/** DISCONNECT of MQTT 5: another client came with our client id. 3.1.1 has no word for it. */
const SESSION_TAKEN_OVER = 142

const LOGIN = 'check mqtt.username and mqtt.password, and the access list of the broker'
const CLIENT_ID = 'check mqtt.client_id, or leave it out'
const AUTHORITY = 'its certificate is signed by nobody this machine knows: name who signed it in mqtt.ca'
const OUR_CERTIFICATE = 'it wants a certificate of us: set mqtt.cert and mqtt.key'
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
  ['ECONNREFUSED', 'nothing listens there: is the broker running, and mqtt.url right?'],
  ['ENOTFOUND', 'no machine has this name: check mqtt.url'],
  ['EAI_AGAIN', 'the name cannot be looked up now: is the DNS of this network up?'],
  ['EHOSTUNREACH', 'there is no way to this machine: is it on?'],
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

/** What the error says, and what to do about it. */
export function describe(error: unknown): string {
  const hint = advice.get(codeOf(error))
  return hint === undefined ? messageOf(error) : `${messageOf(error)} (${hint})`
}

/** Why a connection ended, by the reason code of the broker or the error that was met; empty when nobody said. */
export function farewell(why: unknown): string {
  return why instanceof Error ? messageOf(why) : (reasons.get(String(why)) ?? '')
}

export function isUnsupportedVersion(error: unknown): boolean {
  return UNSUPPORTED_VERSION.has(codeOf(error))
}

/** The broker itself said no, and will until somebody changes something. */
export function isRefusal(error: unknown): boolean {
  const code = codeOf(error)
  return typeof code === 'number' && advice.has(code)
}

export function isTakeover(code: unknown): boolean {
  return code === SESSION_TAKEN_OVER
}

/** A number is the broker's (MQTT reason codes), a text the operating system's or the TLS library's. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A host with several addresses fails with one error for each, and an empty message for them all.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  // The message of a TLS error is a line of OpenSSL's source; its reason is what a person would say.
  const {reason} = {reason: undefined, ...error}
  return typeof reason === 'string' ? reason : error.message || error.name
}
