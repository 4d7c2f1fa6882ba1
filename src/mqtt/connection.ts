/**
 * The line to the broker: made again for as long as we live, whatever the broker does. Each attempt is a new client, so that
 * nothing of a lost connection (stored packets, subscriptions, half-sent messages) haunts the next one.
 */
import {EventEmitter} from 'node:events'
import {connect as connectClient, type IClientOptions, type IPublishPacket, type MqttClient} from 'mqtt'
import {type Clock, jitter, type Random, type Timer} from '../clock.ts'
import type {Log} from '../log.ts'
import {type Message, Outbox} from './outbox.ts'
import {assertTopic} from './topics.ts'

export interface Broker {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`, without credentials. Several are tried in turn. */
  urls: readonly string[]
  username?: string | undefined
  password?: string | undefined
  clientId: string
  version: 5 | 4
  /** Milliseconds. */
  keepalive: number
  tls?: {
    ca?: string | undefined
    cert?: string | undefined
    key?: string | undefined
    servername?: string | undefined
    verify: boolean
  }
}

/** A message from the broker. */
export interface Incoming {
  topic: string
  payload: Buffer
  /** It lay on the broker before we subscribed: not something somebody wants now. */
  retained: boolean
  responseTopic?: string | undefined
  correlationData?: Buffer | undefined
  /** How long its sender wants it to live, milliseconds. */
  expiresIn?: number | undefined
}

interface Events {
  /** Connected and subscribed: time to announce everything. */
  connected: []
  /** The first connect was tried, with or without success. */
  tried: []
  disconnected: []
  message: [Incoming]
}

export interface ConnectionOptions {
  broker: Broker
  will: Message
  subscriptions: () => string[]
  clock: Clock
  random: Random
  log: Log
  connect?: (options: IClientOptions) => MqttClient
}

/** Short, since a broker that comes back should see its plugs within seconds; a home has one bridge, not a thousand. */
const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 5000
/** A refusal (password, access list) does not go away by itself. */
const LONGEST_WAIT_REFUSED_MS = 60_000
/** A connection that lasted this long was a good one: the next wait is short again. */
const STABLE_MS = 5000
const CONNECT_TIMEOUT_MS = 10_000
/** Sent and not acknowledged at any time; the broker may ask for fewer (MQTT 5 Receive Maximum). */
const MOST_IN_FLIGHT = 100
/** Anything longer is not for us; commands over 16 KiB still get their error (contract §4). */
const MOST_INCOMING_BYTES = 4 * 1024 * 1024
/** CONNACK codes for "this MQTT version is not spoken here": 1 in 3.1.1, 132 in 5. */
const UNSUPPORTED_VERSION = new Set([1, 132])

export class Connection extends EventEmitter<Events> {
  readonly counters = {connects: 0, published: 0, received: 0, failed: 0, refused: 0}
  readonly #options: ConnectionOptions
  readonly #outbox = new Outbox()
  readonly #said = new Set<string>()
  #version: 5 | 4
  #client: MqttClient | undefined
  #up = false
  #inFlight = 0
  #attempts = 0
  #wait = FIRST_WAIT_MS
  #wasRefused = false
  /** The broker only wants an older MQTT version: no fault, and asked again at once. */
  #again = false
  #connectedAt = 0
  #retry: Timer | undefined
  #stopped = false
  #drained: (() => void) | undefined

  constructor(options: ConnectionOptions) {
    super()
    this.#options = options
    this.#version = options.broker.version
  }

  get connected(): boolean {
    return this.#up
  }

  /** The broker in use, or about to be tried. */
  get url(): string {
    const {urls} = this.#options.broker
    return urls[this.#attempts % urls.length] ?? ''
  }

  start(): void {
    this.#connect()
  }

  /**
   * Sends a message, when there is a broker; the newest per retained topic while it is slow. Without a broker it is dropped:
   * what is retained is announced again at the next connect, and the rest would be old by then.
   * @throws RangeError for a topic no broker takes
   */
  publish(message: Message): void {
    assertTopic(message.topic)
    if (!this.#up) return
    if (this.#isTooLarge(message)) return
    this.#outbox.put(message)
    this.#pump()
  }

  /** Sends what waits, for at most `grace` milliseconds, and says goodbye. */
  async stop(grace: number): Promise<void> {
    this.#stopped = true
    this.#retry?.cancel()
    const client = this.#client
    if (!client) return
    if (this.#up) await this.#drain(grace)
    this.#up = false
    await new Promise<void>((resolve) => {
      const late = this.#options.clock.after(grace, () => client.end(true, {}, () => resolve()))
      client.end(false, {}, () => {
        late.cancel()
        resolve()
      })
    })
  }

  #connect(): void {
    const {broker, connect = connectClient} = this.#options
    const client = connect(clientOptions(broker, this.url, this.#version, this.#options.will))
    this.#client = client
    client.on('connect', () => void this.#connected(client))
    client.on('message', (topic, payload, packet) => this.#received(topic, payload, packet))
    client.on('error', (error) => this.#problem(error))
    client.on('close', () => this.#closed(client))
  }

  async #connected(client: MqttClient): Promise<void> {
    this.counters.connects++
    const filters = this.#options.subscriptions()
    try {
      const granted = await client.subscribeAsync(filters, {qos: 1})
      const denied = granted.filter(({qos}) => qos >= 128).map(({topic}) => topic)
      if (denied.length > 0)
        this.#sayOnce(`the broker denies subscribing to ${denied.join(', ')}: check its access list`)
    } catch (error) {
      if (client === this.#client && client.connected) this.#problem(error)
      client.end(true)
      return
    }
    if (this.#stopped || client !== this.#client) return
    this.#up = true
    this.#inFlight = 0
    this.#connectedAt = this.#options.clock.now()
    this.#wasRefused = false
    this.#said.clear()
    this.#options.log.info(`connected to ${this.url}`, {mqtt: this.#version === 5 ? '5' : '3.1.1'})
    this.emit('connected')
    this.emit('tried')
  }

  #closed(client: MqttClient): void {
    if (client !== this.#client) return
    client.removeAllListeners()
    client.on('error', () => {}) // a late error of a connection that is over
    this.#client = undefined
    this.#outbox.clear()
    this.#drained?.()
    const wasUp = this.#up
    this.#up = false
    if (this.#stopped) return
    if (wasUp) {
      this.#options.log.warn(`lost the connection to ${this.url}`)
      if (this.#options.clock.now() - this.#connectedAt > STABLE_MS) this.#wait = FIRST_WAIT_MS
      this.emit('disconnected')
    } else this.emit('tried')
    this.#retryLater()
  }

  #retryLater(): void {
    const {clock, random} = this.#options
    if (this.#again) {
      this.#again = false
      this.#retry = clock.after(0, () => this.#connect())
      return
    }
    this.#attempts++
    this.#retry = clock.after(jitter(this.#wait, 0.2, random), () => this.#connect())
    this.#wait = Math.min(this.#wait * 2, this.#wasRefused ? LONGEST_WAIT_REFUSED_MS : LONGEST_WAIT_MS)
  }

  /** A throw from a message handler would wedge the client while it still says it is connected. */
  #received(topic: string, payload: Buffer, packet: IPublishPacket): void {
    this.counters.received++
    const {properties} = packet
    try {
      this.emit('message', {
        topic,
        payload,
        retained: packet.retain,
        responseTopic: properties?.responseTopic,
        correlationData: properties?.correlationData,
        expiresIn:
          properties?.messageExpiryInterval === undefined
            ? undefined
            : properties.messageExpiryInterval * 1000,
      })
    } catch (error) {
      this.#options.log.error(`a message on ${topic} could not be handled`, {error})
    }
  }

  #problem(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (this.#version === 5 && typeof code === 'number' && UNSUPPORTED_VERSION.has(code)) {
      this.#version = 4
      this.#again = true
      return
    }
    if (typeof code === 'number') {
      this.#wasRefused = true
      this.counters.refused++
    }
    this.#sayOnce(`cannot use the broker ${this.url}: ${describe(error)}`)
  }

  /** The same trouble is told once per connection, however often it is met on the way to the next. */
  #sayOnce(text: string): void {
    if (this.#said.has(text)) return
    this.#said.add(text)
    this.#options.log.warn(text)
  }

  #isTooLarge(message: Message): boolean {
    const most = this.#client?.serverProperties?.maximumPacketSize
    if (most === undefined || message.payload.length + message.topic.length + 64 <= most) return false
    this.#sayOnce(`${message.topic} is larger than the ${most} bytes the broker takes: it is not published`)
    return true
  }

  #pump(): void {
    const most = Math.min(MOST_IN_FLIGHT, this.#client?.serverProperties?.receiveMaximum ?? MOST_IN_FLIGHT)
    while (this.#client && this.#inFlight < most) {
      const message = this.#outbox.take()
      if (!message) break
      this.#send(this.#client, message)
    }
    if (this.#inFlight === 0 && this.#outbox.size === 0) this.#drained?.()
  }

  #send(client: MqttClient, {topic, payload, retain, qos, correlationData}: Message): void {
    const properties = correlationData && this.#version === 5 ? {properties: {correlationData}} : {}
    this.#inFlight++
    client.publish(topic, payload, {retain, qos, ...properties}, (error) => {
      if (client !== this.#client) return
      this.#inFlight--
      this.counters.published++
      if (error) {
        this.counters.failed++
        this.#sayOnce(`the broker did not take ${topic}: ${describe(error)}`)
      }
      this.#pump()
    })
  }

  #drain(grace: number): Promise<void> {
    if (this.#inFlight === 0 && this.#outbox.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const late = this.#options.clock.after(grace, resolve)
      this.#drained = () => {
        late.cancel()
        resolve()
      }
    })
  }
}

/** Options rather than a URL, so that no password is ever part of a text that an error could quote. */
function clientOptions(broker: Broker, url: string, version: 5 | 4, will: Message): IClientOptions {
  const {protocol, hostname, port, pathname} = new URL(url)
  const {tls} = broker
  return {
    protocol: protocol.slice(0, -1) as NonNullable<IClientOptions['protocol']>,
    host: hostname.replace(/^\[|\]$/g, ''),
    ...(port ? {port: Number(port)} : {port: defaultPorts[protocol] ?? 1883}),
    ...(protocol.startsWith('ws') ? {path: pathname} : {}),
    ...(broker.username === undefined ? {} : {username: broker.username}),
    ...(broker.password === undefined ? {} : {password: broker.password}),
    ...(tls?.ca ? {ca: tls.ca} : {}),
    ...(tls?.cert ? {cert: tls.cert} : {}),
    ...(tls?.key ? {key: tls.key} : {}),
    ...(tls?.servername ? {servername: tls.servername} : {}),
    rejectUnauthorized: tls?.verify ?? true,
    clientId: broker.clientId,
    protocolVersion: version,
    clean: true, // commands sent while we are away must never switch anything later
    keepalive: Math.max(1, Math.round(broker.keepalive / 1000)),
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    will: {topic: will.topic, payload: Buffer.from(will.payload), qos: will.qos, retain: will.retain},
    ...(version === 5
      ? {properties: {sessionExpiryInterval: 0, maximumPacketSize: MOST_INCOMING_BYTES}}
      : {}),
  }
}

const defaultPorts: Readonly<Record<string, number>> = {'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A host with several addresses fails with one error for each, and an empty message for them all.
  const parts = error instanceof AggregateError ? error.errors.map(describe) : [error.message]
  return parts.join('; ') || error.name
}
