/** Which broker, and how the client library is told. */
import type {IClientOptions} from 'mqtt'
import {type OutgoingMessage, publishProperties} from './outbox.ts'

export interface BrokerOptions {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`, without credentials. Several are tried in turn. */
  urls: readonly string[]
  username?: string | undefined
  password?: string | undefined
  clientId: string
  version: 5 | 4
  /** Milliseconds. */
  keepalive: number
  tls?: Tls
}

/** PEM texts, and whose certificate the broker must show. */
interface Tls {
  ca?: string | undefined
  cert?: string | undefined
  key?: string | undefined
  servername?: string | undefined
  verify: boolean
}

const CONNECT_TIMEOUT_MS = 10_000
/** Anything longer is not for us; commands over 16 KiB still get their error (contract §4). */
const MOST_INCOMING_BYTES = 4 * 1024 * 1024

const protocols: ReadonlyMap<string, {protocol: 'mqtt' | 'mqtts' | 'ws' | 'wss'; port: number}> = new Map([
  ['mqtt:', {protocol: 'mqtt', port: 1883}],
  ['mqtts:', {protocol: 'mqtts', port: 8883}],
  ['ws:', {protocol: 'ws', port: 80}],
  ['wss:', {protocol: 'wss', port: 443}],
])

/** MQTT puts a length of two bytes before each text (MQTT 5.0 §1.5.4). */
const LONGEST_TEXT_BYTES = 65_535

/**
 * Options rather than a URL, so that no password is ever part of a text that an error could quote.
 * @throws RangeError for a URL of another protocol, or a text that no CONNECT packet has room for
 */
export function clientOptions(
  broker: BrokerOptions,
  url: string,
  version: 5 | 4,
  will: OutgoingMessage,
): IClientOptions {
  const {protocol, hostname, port, pathname} = new URL(url)
  const usual = protocols.get(protocol)
  if (!usual) throw new RangeError(`expected mqtt://, mqtts://, ws:// or wss://, got ${protocol}//`)
  const {username, password} = broker
  const {verify = true, ...tls} = broker.tls ?? {}
  assertShort({
    'mqtt.username': username,
    'mqtt.password': password,
    'mqtt.client_id': broker.clientId,
    'the topic of the last will': will.topic,
    'the last will': will.payload,
  })
  return {
    protocol: usual.protocol,
    // The library makes an address of it again for ws, where IPv6 needs its brackets.
    host: protocol.startsWith('ws') ? hostname : hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? usual.port : Number(port),
    ...(protocol.startsWith('ws') ? {path: pathname} : {}),
    ...given({username, password, ...tls}),
    rejectUnauthorized: verify,
    clientId: broker.clientId,
    protocolVersion: version,
    clean: true, // commands sent while we are away must never switch anything later
    keepalive: Math.max(1, Math.round(broker.keepalive / 1000)),
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0, // our own loop, with back-off, and a new client each time
    resubscribe: false,
    manualConnect: true, // so that what `connect()` throws leaves us the client, and its socket to be closed
    queueQoSZero: false,
    will: {
      topic: will.topic,
      payload: Buffer.from(will.payload),
      qos: will.qos,
      retain: will.retain,
      // No will delay: it ends with the session, and ours ends with the connection, or else commands would wait in it.
      ...(version === 5 ? {properties: publishProperties(will)} : {}),
    },
    ...(version === 5
      ? {properties: {sessionExpiryInterval: 0, maximumPacketSize: MOST_INCOMING_BYTES}}
      : {}),
  }
}

/** @throws RangeError */
function assertShort(texts: Readonly<Record<string, string | undefined>>): void {
  for (const [what, text = ''] of Object.entries(texts)) {
    const size = Buffer.byteLength(text)
    if (size > LONGEST_TEXT_BYTES)
      throw new RangeError(
        `${what} has ${size} bytes, more than the ${LONGEST_TEXT_BYTES} that MQTT has room for`,
      )
  }
}

/** Without what is not said: the library tells a missing option from an undefined one. */
function given(options: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}
