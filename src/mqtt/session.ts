/**
 * One MQTT client of the library `mqtt`, from one attempt to connect until its end. Every attempt gets a new session, so that
 * nothing of a lost connection (stored packets, subscriptions, half-sent messages) reaches the next one.
 */
import {Socket} from 'node:net'
import type {IClientOptions, IPublishPacket, MqttClient} from 'mqtt'
import {type Clock, within} from '../common/clock.ts'
import {Acknowledgements} from './acknowledgements.ts'
import {reasonCodeOf} from './broker-errors.ts'
import {type BrokerLimits, type OutgoingMessage, publishProperties, withinLimits} from './outgoing-message.ts'
import {RefusalParser} from './refusal-parser.ts'
import {MAX_TEXT_BYTES} from './topics.ts'

/** The broker as the user configured it (docs/configuration.md, `mqtt`). */
export interface BrokerOptions {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`, without credentials. Several are tried in turn. */
  urls: readonly string[]
  username?: string | undefined
  password?: string | undefined
  clientId: string
  version: 5 | 4
  /** Milliseconds. */
  keepalive: number
  tls?: TlsOptions
}

/** Certificates and keys as PEM texts. */
interface TlsOptions {
  ca?: string | undefined
  cert?: string | undefined
  key?: string | undefined
  /** The name that the broker's certificate must have, when it is not the one in the URL. */
  servername?: string | undefined
  verify: boolean
}

/** What the session reports, until `detach`. */
interface SessionListener {
  /** CONNACK: the broker has accepted the client. `features` are known from here on. */
  onConnected(): void
  onMessage(topic: string, payload: Buffer, packet: IPublishPacket): void
  /** An acknowledgement is overdue. */
  onAcknowledgementMissing(): void
  /** The connection was closed; or the client reports an error, and the connection may still be open. */
  onEnded(error?: unknown): void
}

/** What a broker of MQTT 5 states in its CONNACK (MQTT 5.0 §3.2.2.3); MQTT 3.1.1 has no place for it. */
export interface BrokerFeatures extends BrokerLimits {
  /** Whether a filter may have `+` and `#`. */
  wildcards: boolean
  /** The largest packet that it takes, in bytes. */
  packetSize: number
  /** How many messages may be unacknowledged at any time. */
  inFlight: number
}

/** Messages sent and not acknowledged at any time, also when the broker allows more. */
const MAX_IN_FLIGHT = 100

/** A missing property of a CONNACK means that there is no limit. @param limits what the broker refused at an earlier CONNECT */
function brokerFeatures(
  connack: NonNullable<MqttClient['serverProperties']>,
  limits: BrokerLimits,
): BrokerFeatures {
  return {
    qos: connack.maximumQoS === 0 ? 0 : limits.qos,
    retain: connack.retainAvailable !== false && limits.retain,
    wildcards: connack.wildcardSubscriptionAvailable !== false,
    packetSize: connack.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    inFlight: Math.min(MAX_IN_FLIGHT, connack.receiveMaximum ?? MAX_IN_FLIGHT),
  }
}

interface SessionOptions {
  url: string
  version: 5 | 4
  /** What this broker refused at an earlier CONNECT. */
  limits: BrokerLimits
  clock: Clock
}

/** After so long the client is destroyed when the broker has not closed the connection at its DISCONNECT. */
const DISCONNECT_TIMEOUT_MS = 1000

/** One client of the MQTT library, with the features of its broker. */
export class Session {
  readonly client: MqttClient
  readonly url: string
  readonly version: 5 | 4
  readonly refusals: RefusalParser
  readonly acknowledgements: Acknowledgements
  /** What the broker can do. Before CONNACK: everything that it has not refused. */
  features: BrokerFeatures
  /** How many messages of QoS 1 the broker has acknowledged. */
  acknowledged = 0
  readonly #options: SessionOptions
  /** `undefined` when the connection is over, or not wanted any more. */
  #listener: SessionListener | undefined
  #connectedAt: number | undefined

  constructor(client: MqttClient, options: SessionOptions) {
    const {url, version, limits, clock} = options
    this.client = client
    this.url = url
    this.version = version
    this.refusals = new RefusalParser(version)
    this.acknowledgements = new Acknowledgements(clock, () => this.#listener?.onAcknowledgementMissing())
    this.features = brokerFeatures({}, limits)
    this.#options = options
  }

  /** For how many milliseconds the broker has accepted this session; `undefined` when it has not. */
  get age(): number | undefined {
    return this.#connectedAt === undefined ? undefined : this.#options.clock.now() - this.#connectedAt
  }

  connect(listener: SessionListener): void {
    const {client} = this
    this.#listener = listener
    client.on('connect', () => this.#onConnack())
    client.on('message', (topic, payload, packet) => this.#listener?.onMessage(topic, payload, packet))
    client.on('error', (error) => this.#listener?.onEnded(error))
    client.on('close', () => this.#listener?.onEnded())
    try {
      client.connect()
      client.stream.prependListener('data', (chunk: Buffer) => this.refusals.read(chunk))
      client.stream.on('error', (error) => this.#listener?.onEnded(error)) // the library does not report all of them
    } catch (error) {
      listener.onEnded(error) // for example a key that does not belong to its certificate
    }
  }

  /**
   * Publishes with the QoS and the retain flag that this broker takes.
   * @param onAcknowledged called when the broker has the message, or with the reason code when the broker refuses it; never after
   *   `detach`
   */
  publish(message: OutgoingMessage, onAcknowledged: (refusal?: number) => void): void {
    const {qos, retain} = withinLimits(message, this.features)
    const acknowledged = this.acknowledgements.expect()
    const options = {qos, retain, properties: publishProperties(message)}
    this.client.publish(message.topic, message.payload, options, (error, packet) => {
      if (!this.#listener) return
      const [code = error ? reasonCodeOf(error) : undefined] = this.refusals.take(packet?.messageId)
      if (error && code === undefined) return // the connection is about to end
      acknowledged()
      this.acknowledged += qos
      onAcknowledged(code)
    })
  }

  /** Writes what was published to the socket now. The library itself writes at the end of this turn of the event loop. */
  flush(): void {
    const {stream}: {stream?: MqttClient['stream']} = this.client
    stream?.uncork()
  }

  /** Reports nothing more: the connection is over, or not wanted any more. */
  detach(): void {
    this.#listener = undefined
    this.acknowledgements.reset()
  }

  /** Sends a DISCONNECT, so that the broker does not publish the last will. Resolves when the connection is closed, after `grace` ms at most. */
  async disconnect(grace = DISCONNECT_TIMEOUT_MS): Promise<void> {
    const {clock} = this.#options
    await within(clock, clock.now() + grace, this.client.endAsync()).catch(() => {})
    this.destroy()
  }

  /** Closes the socket at once. The library alone does not, when the client is ending already or has no socket yet. */
  destroy(): void {
    const {stream}: {stream?: MqttClient['stream']} = this.client
    if (!stream) return
    this.client.end(true)
    stream.destroy()
  }

  #onConnack(): void {
    const {clock, limits} = this.#options
    const {stream, serverProperties = {}} = this.client
    this.#connectedAt = clock.now()
    this.features = brokerFeatures(serverProperties, limits)
    // With Nagle's algorithm a state would wait for the acknowledgement of the one before it: 40 ms (RFC 896, RFC 1122).
    if (stream instanceof Socket) stream.setNoDelay(true)
    this.#listener?.onConnected()
  }
}

const CONNECT_TIMEOUT_MS = 10_000
/** Larger packets are refused. A command of more than 16 KiB must still arrive, since it gets an error (docs/topics.md, "Commands"). */
const MAX_INCOMING_BYTES = 4 * 1024 * 1024

const PROTOCOLS: ReadonlyMap<string, {protocol: 'mqtt' | 'mqtts' | 'ws' | 'wss'; port: number}> = new Map([
  ['mqtt:', {protocol: 'mqtt', port: 1883}],
  ['mqtts:', {protocol: 'mqtts', port: 8883}],
  ['ws:', {protocol: 'ws', port: 80}],
  ['wss:', {protocol: 'wss', port: 443}],
])

/**
 * Options of the client library for one attempt to connect. Options rather than a URL, so that no password is ever part of a
 * text that an error could quote.
 * @throws RangeError for a URL of another protocol, or a text that no CONNECT packet has room for
 */
export function clientOptions(
  broker: BrokerOptions,
  url: string,
  version: 5 | 4,
  will: OutgoingMessage,
): IClientOptions {
  const {protocol, hostname, port, pathname} = new URL(url)
  const known = PROTOCOLS.get(protocol)
  if (!known) throw new RangeError(`expected mqtt://, mqtts://, ws:// or wss://, got ${protocol}//`)
  const {username, password} = broker
  const {verify = true, ...tls} = broker.tls ?? {}
  assertFitsConnect({
    'mqtt.username': username,
    'mqtt.password': password,
    'mqtt.client_id': broker.clientId,
  })
  return {
    protocol: known.protocol,
    // For ws the library builds a URL from it, in which an IPv6 address needs its brackets.
    host: protocol.startsWith('ws') ? hostname : hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? known.port : Number(port),
    ...(protocol.startsWith('ws') ? {path: pathname} : {}),
    ...definedOptions({username, password, ...tls}),
    rejectUnauthorized: verify,
    clientId: broker.clientId,
    protocolVersion: version,
    clean: true, // commands sent while the bridge is away must never switch anything later
    keepalive: Math.max(1, Math.round(broker.keepalive / 1000)),
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0, // connection.ts reconnects, with a backoff and a new client each time
    resubscribe: false,
    manualConnect: true, // when `connect()` throws, we then still have the client, and can close its socket
    queueQoSZero: false,
    writeCache: false, // a table of all two-byte numbers, which takes 8 MB and 16 ms to make
    will: {
      topic: will.topic,
      payload: Buffer.from(will.payload),
      qos: will.qos,
      retain: will.retain,
      // No will delay: it needs a session that outlives the connection, and commands would wait in such a session.
      properties: publishProperties(will),
    },
    properties: {sessionExpiryInterval: 0, maximumPacketSize: MAX_INCOMING_BYTES}, // left out in MQTT 3.1.1
  }
}

/** @throws RangeError */
function assertFitsConnect(texts: Readonly<Record<string, string | undefined>>): void {
  for (const [what, text = ''] of Object.entries(texts)) {
    const size = Buffer.byteLength(text)
    if (size > MAX_TEXT_BYTES)
      throw new RangeError(`${what} has ${size} bytes, more than the ${MAX_TEXT_BYTES} that MQTT allows`)
  }
}

/** The options that have a value: to the library an undefined option is not the same as a missing one. */
function definedOptions(options: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}
