/**
 * The line to the broker: made again for as long as we live, whatever the broker does. Each attempt is a new client, so that
 * nothing of a lost connection (stored packets, subscriptions, half-sent messages) haunts the next one.
 */
import {EventEmitter} from 'node:events'
import {Socket} from 'node:net'
import {connect as connectClient, type IClientOptions, type IPublishPacket, type MqttClient} from 'mqtt'
import {type Clock, type Random, type Timer, within} from '../clock.ts'
import type {Log} from '../log.ts'
import {type Broker, clientOptions} from './broker.ts'
import {Complaints} from './complaints.ts'
import {type Message, Outbox, propertiesOf} from './outbox.ts'
import {Patience} from './patience.ts'
import {Subscriptions} from './subscriptions.ts'
import {assertTopic} from './topics.ts'
import {isRefusal, isTakeover, isUnsupportedVersion} from './trouble.ts'

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
  /** Filters of messages that ask for something. */
  commands: () => readonly string[]
  /** Filters of messages that tell something; what the broker keeps of them counts. */
  news?: () => readonly string[]
  clock: Clock
  random: Random
  log: Log
  connect?: (options: IClientOptions) => MqttClient
}

/** Sent and not acknowledged at any time. */
const MOST_IN_FLIGHT = 100

export class Connection extends EventEmitter<Events> {
  readonly counters = {connects: 0, published: 0, received: 0, failed: 0, refused: 0}
  readonly #options: ConnectionOptions
  readonly #outbox = new Outbox()
  readonly #subscriptions: Subscriptions
  readonly #patience: Patience
  readonly #complaints: Complaints
  #version: 5 | 4
  #client: MqttClient | undefined
  #up = false
  /** What came before we could answer it: the broker sends retained messages before it says that we have subscribed. */
  #early: Incoming[] = []
  #attempts = 0
  /** Why this attempt failed is known. */
  #isExplained = false
  /** The reason code the broker hung up with (MQTT 5), or the error that ended the connection. */
  #farewell: unknown
  #connectedAt: number | undefined
  #retry: Timer | undefined
  #stopped = false

  constructor(options: ConnectionOptions) {
    super()
    this.#options = options
    this.#version = options.broker.version
    this.#patience = new Patience(options.random)
    this.#complaints = new Complaints(options.log, options.broker.clientId)
    this.#subscriptions = new Subscriptions(options)
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
    try {
      this.#complaints.denied(await this.#subscriptions.renew(client))
    } catch (error) {
      if (client === this.#client && client.connected) this.#problem(error)
    }
  }

  /**
   * Ends the connection at once, without handling what lies unread in its buffers, and connects again.
   * @param why for the log: what made the connection worthless
   */
  reconnect(why: string): void {
    const client = this.#client
    if (!client || this.#stopped) return
    const lasted = this.#lasted()
    if (lasted !== undefined && this.#patience.isGood(lasted)) this.#ended(lasted, false) // a short one is not its fault
    this.#complaints.left(this.url, why)
    this.#leave(client)
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
    this.#isExplained = false
    this.#farewell = undefined
    this.#connectedAt = undefined
    client.on('connect', () => void this.#connected(client))
    client.on('message', (topic, payload, packet) => this.#received(client, topic, payload, packet))
    client.on('error', (error) => {
      if (client !== this.#client) return
      if (this.#up) this.#farewell = error
      else this.#problem(error)
    })
    client.on('disconnect', ({reasonCode}) => {
      if (client === this.#client) this.#farewell = reasonCode
    })
    client.on('close', () => this.#closed(client))
  }

  async #connected(client: MqttClient): Promise<void> {
    if (client !== this.#client) return
    this.counters.connects++
    this.#patience.accepted()
    this.#connectedAt = this.#options.clock.now()
    sendAtOnce(client)
    try {
      this.#complaints.denied(await this.#subscriptions.begin(client))
    } catch (error) {
      if (client === this.#client && client.connected) this.#problem(error)
      client.end(true)
      return
    }
    if (this.#stopped || client !== this.#client) return
    this.#up = true
    this.#outbox.open((message, done) => this.#send(client, message, done), mostInFlight(client))
    const {log} = this.#options
    log[this.#patience.isFlapping ? 'debug' : 'info'](`connected to ${this.url}`, {
      mqtt: this.#version === 5 ? '5' : '3.1.1',
    })
    this.emit('connected')
    for (const incoming of this.#early.splice(0)) this.#handOn(incoming)
    this.emit('tried')
  }

  #closed(client: MqttClient): void {
    if (client !== this.#client) return
    const wasUp = this.#up
    this.#forgetClient()
    if (this.#stopped) return
    const lasted = this.#lasted()
    if (lasted !== undefined) this.#lost(lasted)
    else if (this.#speaksOlder()) return
    this.#attempts++
    this.#over(wasUp)
  }

  /** Ends a connection that the broker did not end: events of `client` that come later are ignored. */
  #leave(client: MqttClient): void {
    const wasUp = this.#up
    this.#forgetClient()
    client.end(true)
    this.#over(wasUp)
  }

  #forgetClient(): void {
    this.#client = undefined
    this.#outbox.close()
    this.#early = []
    this.#up = false
  }

  #over(wasUp: boolean): void {
    this.#retry = this.#options.clock.after(this.#patience.next(), () => this.#connect())
    this.emit(wasUp ? 'disconnected' : 'tried')
  }

  /** For how many milliseconds there has been a connection; `undefined` when the broker has not let us in. */
  #lasted(): number | undefined {
    return this.#connectedAt === undefined ? undefined : this.#options.clock.now() - this.#connectedAt
  }

  /** A connection is over that lasted `ms` milliseconds. */
  #ended(ms: number, isContested: boolean): void {
    if (!this.#patience.lasted(ms, isContested)) return
    this.#complaints.forget()
    this.#version = this.#options.broker.version // it may be another broker by now
  }

  /** The broker, or the network, has ended a connection that lasted `ms` milliseconds. */
  #lost(ms: number): void {
    const isContested = isTakeover(this.#farewell)
    this.#ended(ms, isContested)
    if (isContested) this.#complaints.takenOver(this.url)
    else {
      this.#complaints.lost(this.url, this.#farewell)
      if (this.#patience.isFlapping) this.#complaints.flapping(this.url)
    }
  }

  /** Some brokers that speak no MQTT 5 say so, others hang up. Both get another try in 3.1.1 at once. */
  #speaksOlder(): boolean {
    if (this.#isExplained) return false
    if (this.#version === 4) {
      this.#complaints.hungUp(this.url)
      this.#version = this.#options.broker.version
      return false
    }
    this.#version = 4
    this.#retry = this.#options.clock.after(0, () => this.#connect())
    return true
  }

  #received(client: MqttClient, topic: string, payload: Buffer, packet: IPublishPacket): void {
    if (client !== this.#client) return // it was left: what comes of its buffer is too old
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
    if (this.#version === 5 && isUnsupportedVersion(error)) return // as if it had hung up
    this.#isExplained = true
    if (isRefusal(error)) {
      this.#patience.refused()
      this.counters.refused++
    }
    this.#complaints.cannotUse(this.url, error)
  }

  #isTooLarge(message: Message): boolean {
    const most = this.#client?.serverProperties?.maximumPacketSize
    if (most === undefined || message.payload.length + message.topic.length + 64 <= most) return false
    this.#complaints.tooLarge(message.topic, most)
    return true
  }

  #send(client: MqttClient, message: Message, done: () => void): void {
    const {topic, payload, retain, qos} = message
    const properties = this.#version === 5 ? {properties: propertiesOf(message)} : {}
    client.publish(topic, payload, {retain, qos, ...properties}, (error) => {
      this.counters.published++
      if (error && client === this.#client) {
        this.counters.failed++
        this.#complaints.notTaken(topic, error)
      }
      done()
    })
  }
}

/** As many as the broker wants at most (MQTT 5 Receive Maximum). */
function mostInFlight({serverProperties}: MqttClient): number {
  return Math.min(MOST_IN_FLIGHT, serverProperties?.receiveMaximum ?? MOST_IN_FLIGHT)
}

/** Otherwise a state waits until the broker has acknowledged what went before it, which alone takes 40 ms (RFC 896, RFC 1122). */
function sendAtOnce({stream}: MqttClient): void {
  if (stream instanceof Socket) stream.setNoDelay(true)
}
