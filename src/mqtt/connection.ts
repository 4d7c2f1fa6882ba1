/**
 * The line to the broker: made again for as long as we live, whatever the broker does. Each attempt is a new client, so that
 * nothing of a lost connection (stored packets, subscriptions, half-sent messages) haunts the next one.
 */
import {EventEmitter} from 'node:events'
import {Socket} from 'node:net'
import {
  connect as connectClient,
  type IClientOptions,
  type IPublishPacket,
  type ISubscriptionMap,
  type MqttClient,
} from 'mqtt'
import {type Clock, jitter, type Random, type Timer, within} from '../clock.ts'
import type {Log} from '../log.ts'
import {type Broker, clientOptions} from './broker.ts'
import {type Message, Outbox, propertiesOf} from './outbox.ts'
import {assertTopic} from './topics.ts'

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
  /** Those of them whose messages are news even when their sender has the broker keep them. */
  news?: readonly string[]
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
/** Sent and not acknowledged at any time. */
const MOST_IN_FLIGHT = 100
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
  /** What came before we could answer it: the broker sends retained messages before it says that we have subscribed. */
  #early: Incoming[] = []
  #subscribed: readonly string[] = []
  #attempts = 0
  #wait = FIRST_WAIT_MS
  #wasRefused = false
  /** The broker only wants an older MQTT version: no fault, and asked again at once. */
  #again = false
  #connectedAt = 0
  #retry: Timer | undefined
  #stopped = false

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
    if (this.#up && !this.#isTooLarge(message)) this.#outbox.put(message)
  }

  /** Subscribes to what is wanted by now, and to no more. Without a broker that comes with the next connect. */
  async resubscribe(): Promise<void> {
    const client = this.#client
    if (!client || !this.#up) return
    const wanted = new Set(this.#options.subscriptions())
    const gone = this.#subscribed.filter((filter) => !wanted.has(filter))
    const fresh = [...wanted].filter((filter) => !this.#subscribed.includes(filter))
    try {
      if (fresh.length > 0) await this.#subscribe(client, fresh)
      if (gone.length > 0) await client.unsubscribeAsync(gone)
      this.#subscribed = [...wanted]
    } catch (error) {
      if (client === this.#client && client.connected) this.#problem(error)
    }
  }

  /** Sends what waits, for at most `grace` milliseconds, and says goodbye. */
  async stop(grace: number): Promise<void> {
    this.#stopped = true
    this.#retry?.cancel()
    const client = this.#client
    if (!client) return
    const {clock} = this.#options
    if (this.#up) await within(clock, clock.now() + grace, this.#outbox.drained())
    this.#up = false
    await within(clock, clock.now() + grace, client.endAsync())
    client.end(true)
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
    sendAtOnce(client)
    const filters = this.#options.subscriptions()
    try {
      await this.#subscribe(client, filters)
      this.#subscribed = filters
    } catch (error) {
      if (client === this.#client && client.connected) this.#problem(error)
      client.end(true)
      return
    }
    if (this.#stopped || client !== this.#client) return
    this.#up = true
    this.#outbox.open((message, done) => this.#send(client, message, done), mostInFlight(client))
    this.#connectedAt = this.#options.clock.now()
    this.#wasRefused = false
    this.#said.clear()
    this.#options.log.info(`connected to ${this.url}`, {mqtt: this.#version === 5 ? '5' : '3.1.1'})
    this.emit('connected')
    for (const incoming of this.#early.splice(0)) this.#handOn(incoming)
    this.emit('tried')
  }

  async #subscribe(client: MqttClient, filters: readonly string[]): Promise<void> {
    const granted = await client.subscribeAsync(this.#asPublished(filters))
    const denied = granted.filter(({qos}) => qos >= 128).map(({topic}) => topic)
    if (denied.length > 0)
      this.#sayOnce(`the broker denies subscribing to ${denied.join(', ')}: check its access list`)
  }

  /**
   * Brokers clear the retain flag of what comes in while we are subscribed, unless MQTT 5 asks them not to [MQTT-3.3.1-12]. A
   * command to be kept must be recognised also then: it would be repeated at every start.
   */
  #asPublished(filters: readonly string[]): ISubscriptionMap {
    const {news = []} = this.#options
    const options = (filter: string) =>
      this.#version === 5 && !news.includes(filter) ? {qos: 1 as const, rap: true} : {qos: 1 as const}
    return Object.fromEntries(filters.map((filter) => [filter, options(filter)]))
  }

  #closed(client: MqttClient): void {
    if (client !== this.#client) return
    client.removeAllListeners()
    client.on('error', () => {}) // a late error of a connection that is over
    this.#client = undefined
    this.#outbox.close()
    this.#early = []
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

  #received(topic: string, payload: Buffer, packet: IPublishPacket): void {
    this.counters.received++
    const {properties} = packet
    const incoming = {
      topic,
      payload,
      retained: packet.retain,
      responseTopic: properties?.responseTopic,
      correlationData: properties?.correlationData,
      expiresIn:
        properties?.messageExpiryInterval === undefined ? undefined : properties.messageExpiryInterval * 1000,
    }
    if (this.#up) this.#handOn(incoming)
    else this.#early.push(incoming)
  }

  /** A throw from a message handler would wedge the client while it still says it is connected. */
  #handOn(incoming: Incoming): void {
    try {
      this.emit('message', incoming)
    } catch (error) {
      this.#options.log.error(`a message on ${incoming.topic} could not be handled`, {error})
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

  #send(client: MqttClient, message: Message, done: () => void): void {
    const {topic, payload, retain, qos} = message
    const properties = this.#version === 5 ? {properties: propertiesOf(message)} : {}
    client.publish(topic, payload, {retain, qos, ...properties}, (error) => {
      this.counters.published++
      if (error && client === this.#client) {
        this.counters.failed++
        this.#sayOnce(`the broker did not take ${topic}: ${describe(error)}`)
      }
      done()
    })
  }
}

/** As many as the broker wants at most (MQTT 5 Receive Maximum). */
function mostInFlight({serverProperties}: MqttClient): number {
  return Math.min(MOST_IN_FLIGHT, serverProperties?.receiveMaximum ?? MOST_IN_FLIGHT)
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A host with several addresses fails with one error for each, and an empty message for them all.
  const parts = error instanceof AggregateError ? error.errors.map(describe) : [error.message]
  return parts.join('; ') || error.name
}

/** Otherwise a state waits until the broker has acknowledged what went before it, which alone takes 40 ms (RFC 896, RFC 1122). */
function sendAtOnce({stream}: MqttClient): void {
  if (stream instanceof Socket) stream.setNoDelay(true)
}
