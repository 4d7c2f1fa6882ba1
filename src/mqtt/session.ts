/**
 * One MQTT client of the library `mqtt`, from one attempt to connect until its end. Every attempt gets a new session, so that
 * nothing of a lost connection (stored packets, subscriptions, half-sent messages) reaches the next one.
 */
import {EventEmitter} from 'node:events'
import {Socket} from 'node:net'
import type {IClientOptions, IPublishPacket, MqttClient} from 'mqtt'
import type {Clock} from '../common/clock.ts'
import {reasonCodeOf} from './broker-errors.ts'
import {type BrokerFeatures, type BrokerLimits, brokerFeatures, limitMessage} from './broker-features.ts'
import {type OutgoingMessage, publishProperties} from './outbox.ts'
import {RefusalParser} from './refusal-parser.ts'

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

interface SessionEvents {
  /** CONNACK: the broker has accepted the client. `features` are known from here on. */
  connected: []
  message: [topic: string, payload: Buffer, packet: IPublishPacket]
  /** The client reports an error; the connection may still be open. */
  failed: [error: unknown]
  closed: []
}

interface SessionOptions {
  url: string
  version: 5 | 4
  /** What this broker refused at an earlier CONNECT. */
  limits: BrokerLimits
  clock: Clock
}

/** One client of the MQTT library, with the features of its broker. */
export class Session extends EventEmitter<SessionEvents> {
  readonly client: MqttClient
  readonly url: string
  readonly version: 5 | 4
  readonly refusals: RefusalParser
  /** How many messages of QoS 1 the broker has acknowledged. */
  acknowledged = 0
  /** The error that ended the connection, if any. */
  error: unknown
  readonly #options: SessionOptions
  #features: BrokerFeatures
  #connectedAt: number | undefined
  #isDetached = false

  constructor(client: MqttClient, options: SessionOptions) {
    super()
    this.client = client
    this.url = options.url
    this.version = options.version
    this.refusals = new RefusalParser(options.version)
    this.#options = options
    this.#features = brokerFeatures({}, options.limits)
  }

  /** What the broker can do, as its CONNACK states it. Before CONNACK: everything that it has not refused. */
  get features(): BrokerFeatures {
    return this.#features
  }

  /** For how many milliseconds the broker has accepted this session; `undefined` when it has not. */
  get age(): number | undefined {
    return this.#connectedAt === undefined ? undefined : this.#options.clock.now() - this.#connectedAt
  }

  connect(): void {
    const {client} = this
    client.on('connect', () => this.#onConnack())
    client.on('message', (topic, payload, packet) => this.emit('message', topic, payload, packet))
    client.on('error', (error) => this.emit('failed', error))
    client.on('close', () => this.emit('closed'))
    try {
      client.connect()
      client.stream.prependListener('data', (chunk: Buffer) => this.refusals.read(chunk))
      client.stream.on('error', (error) => this.emit('failed', error)) // the library does not report all of them
    } catch (error) {
      this.emit('failed', error) // for example a key that does not belong to its certificate
    }
  }

  /**
   * Publishes with the QoS and the retain flag that this broker takes.
   * @param onAnswer called when the broker has the message, or with the reason code when the broker refuses it; never after
   *   `detach`
   * @returns the QoS that is used
   */
  publish(message: OutgoingMessage, onAnswer: (refusal?: number) => void): 0 | 1 {
    const {qos, retain} = limitMessage(message, this.#features)
    const properties = this.version === 5 ? {properties: publishProperties(message)} : {}
    this.client.publish(message.topic, message.payload, {retain, qos, ...properties}, (error, packet) => {
      if (this.#isDetached) return
      const [code = reasonCodeOf(error)] = this.refusals.take(packet?.messageId)
      if (error && code === undefined) return // the connection is about to end
      this.acknowledged += qos
      onAnswer(code)
    })
    return qos
  }

  /** Ignores whatever the client still reports: the connection is over, or not wanted any more. */
  detach(): void {
    this.#isDetached = true
    this.removeAllListeners()
  }

  /** Sends a DISCONNECT, so that the broker does not publish the last will. Resolves when the connection is closed. */
  async disconnect(): Promise<void> {
    await this.client.endAsync().catch(() => {})
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
    this.#connectedAt = clock.now()
    this.#features = brokerFeatures(this.client.serverProperties ?? {}, limits)
    disableNagle(this.client)
    this.emit('connected')
  }
}

/** With Nagle's algorithm a state would wait for the acknowledgement of the one before it: 40 ms (RFC 896, RFC 1122). */
function disableNagle({stream}: MqttClient): void {
  if (stream instanceof Socket) stream.setNoDelay(true)
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
    'the topic of the last will': will.topic,
    'the last will': will.payload,
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
    will: {
      topic: will.topic,
      payload: Buffer.from(will.payload),
      qos: will.qos,
      retain: will.retain,
      // No will delay: it needs a session that outlives the connection, and commands would wait in such a session.
      ...(version === 5 ? {properties: publishProperties(will)} : {}),
    },
    ...(version === 5 ? {properties: {sessionExpiryInterval: 0, maximumPacketSize: MAX_INCOMING_BYTES}} : {}),
  }
}

/** MQTT puts a length of two bytes before each text (MQTT 5.0 §1.5.4). */
const MAX_TEXT_BYTES = 65_535

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
