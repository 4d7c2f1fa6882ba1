/**
 * The line to the broker: made again for as long as we live, whatever the broker does. Each attempt is a new client, so that
 * nothing of a lost connection (stored packets, subscriptions, half-sent messages) reaches the next one.
 */
import {EventEmitter} from 'node:events'
import {Socket} from 'node:net'
import {connect as connectClient, type IClientOptions, type IPublishPacket, type MqttClient} from 'mqtt'
import {type Clock, type Random, type Timer, within} from '../common/clock.ts'
import type {Log} from '../log/logger.ts'
import {Acknowledgements, LONGEST_SILENCE_MS} from './acknowledgements.ts'
import {
  isAboutMessages,
  isBrokerRefusal,
  isTakeover,
  isUnsupportedVersion,
  reasonCodeOf,
} from './broker-errors.ts'
import {
  type BrokerFeatures,
  type BrokerLimits,
  featuresOf,
  isBeyond,
  limited,
  limitsIn,
  missingIn,
  NO_LIMITS,
} from './broker-features.ts'
import {BrokerWarnings} from './broker-warnings.ts'
import {type BrokerOptions, clientOptions} from './client-options.ts'
import {ForeignTopics} from './foreign-topics.ts'
import {Outbox, type OutgoingMessage, publishProperties} from './outbox.ts'
import {publishSize} from './packet-size.ts'
import {ReasonCodes} from './reason-codes.ts'
import {ReconnectBackoff} from './reconnect-backoff.ts'
import {RejectedMessages} from './rejected-messages.ts'
import {SelfTest} from './self-test.ts'
import {type SubscribeOutcome, Subscriptions} from './subscriptions.ts'
import {assertTopic} from './topics.ts'

/** A message from the broker. */
export interface IncomingMessage {
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
  message: [IncomingMessage]
}

export interface ConnectionOptions {
  broker: BrokerOptions
  will: OutgoingMessage
  /** Filters of messages that ask for something. */
  commands: () => readonly string[]
  /** Filters of messages that tell something; what the broker keeps of them counts. */
  news?: () => readonly string[]
  /** A topic that the commands' filters match, on which the connection finds out whether it hears what it has subscribed to. */
  echoTopic?: string
  clock: Clock
  random: Random
  log: Log
  connect?: (options: IClientOptions) => MqttClient
}

const GOODBYE_MS = 1000
/** What happens many times at once is told of so much later, so that it can be said how many times. */
const COUNTING_MS = 1000

/** One client of the library: what there is from one attempt to connect until its end. */
interface Attempt {
  client: MqttClient
  reasons: ReasonCodes
  /** From the moment the broker lets us in. */
  features?: BrokerFeatures
  connectedAt?: number
  /** How many messages of QoS 1 the broker has acknowledged. */
  acknowledged: number
  /** The error that ended the connection, if any. */
  error?: unknown
}

export class Connection extends EventEmitter<Events> {
  readonly counters = {connects: 0, published: 0, received: 0, failed: 0, refused: 0, dropped: 0}
  readonly #options: ConnectionOptions
  readonly #outbox: Outbox
  readonly #subscriptions: Subscriptions
  readonly #patience: ReconnectBackoff
  readonly #complaints: BrokerWarnings
  readonly #acknowledgements: Acknowledgements
  readonly #echo: SelfTest | undefined
  readonly #foreignTopics: ForeignTopics
  /** By the URL of the broker that ended connections over them. */
  readonly #suspects = new Map<string, RejectedMessages>()
  #version: 5 | 4
  /** What the broker refuses to let us in with. */
  #limits: BrokerLimits = NO_LIMITS
  /** How often in a row a broker has ended an attempt in MQTT 5 without a word. */
  #hangUps = 0
  #attempt: Attempt | undefined
  #up = false
  /** What came before we could answer it: the broker sends retained messages before it says that we have subscribed. */
  #early: IncomingMessage[] = []
  #attempts = 0
  /** What is known of why the attempt failed: nothing, enough to tell the owner, or enough to try otherwise at once. */
  #verdict: 'unknown' | 'told' | 'mended' = 'unknown'
  #retry: Timer | undefined
  /** What happened since the owner was last told of it, and may happen many times a second. */
  #dropped = 0
  readonly #refused = new Map<number, Set<string>>()
  #telling: Timer | undefined
  #stopped = false

  constructor(options: ConnectionOptions) {
    super()
    const {broker, clock, random, log, echoTopic} = options
    this.#options = options
    this.#version = broker.version
    this.#patience = new ReconnectBackoff(random)
    this.#complaints = new BrokerWarnings(log, broker.clientId)
    this.#subscriptions = new Subscriptions(options)
    this.#foreignTopics = new ForeignTopics(clock)
    this.#outbox = new Outbox({
      onDropped: () => {
        this.counters.dropped++
        this.#dropped++
        this.#tellSoon()
      },
      isSentAlone: ({topic}) => this.#suspectsHere.isSuspect(topic),
    })
    this.#acknowledgements = new Acknowledgements(clock, () => this.#silent())
    if (echoTopic !== undefined)
      this.#echo = new SelfTest({
        topic: echoTopic,
        clock,
        random,
        onMissing: () => this.#complaints.deaf(echoTopic, this.#version),
      })
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
  publish(message: OutgoingMessage): void {
    assertTopic(message.topic)
    const served = this.#served(message)
    if (served && this.#up && !this.#isTooLarge(served) && !this.#suspectsHere.isWithheld(served.topic))
      this.#outbox.put(served)
  }

  /** Subscribes to what is wanted by now, and to no more. Without a broker that comes with the next connect. */
  async resubscribe(): Promise<void> {
    const attempt = this.#attempt
    if (!attempt || !this.#up) return
    try {
      this.#complaints.denied(await this.#subscriptions.renew(this.#subscribing(attempt)))
    } catch (error) {
      this.#failed(attempt, error)
    }
  }

  /**
   * Ends the connection at once, without handling what lies unread in its buffers, and connects again.
   * @param why for the log: what made the connection worthless
   */
  reconnect(why: string): void {
    const attempt = this.#attempt
    if (!attempt || this.#stopped) return
    const lasted = this.#lasted(attempt)
    if (lasted !== undefined && this.#patience.isGood(lasted)) this.#ended(lasted, false) // a short one is not its fault
    this.#complaints.left(this.url, why)
    this.#leave(attempt)
  }

  /** Sends what waits, for at most `grace` milliseconds, and says goodbye. */
  async stop(grace: number): Promise<void> {
    this.#stopped = true
    this.#retry?.cancel()
    this.#telling?.cancel()
    const attempt = this.#attempt
    if (!attempt) return
    const {clock} = this.#options
    if (this.#up) await within(clock, clock.now() + grace, this.#outbox.drained())
    this.#forget()
    await within(clock, clock.now() + grace, attempt.client.endAsync())
    destroy(attempt.client)
  }

  #connect(): void {
    const {broker, will, connect = connectClient} = this.#options
    this.#verdict = 'unknown'
    try {
      const client = connect(clientOptions(broker, this.url, this.#version, limited(will, this.#limits)))
      this.#begin({client, reasons: new ReasonCodes(this.#version), acknowledged: 0})
    } catch (error) {
      this.#problem(error)
      this.#unused()
    }
  }

  #begin(attempt: Attempt): void {
    const {client, reasons} = attempt
    this.#attempt = attempt
    client.on('connect', () => void this.#connected(attempt))
    client.on('message', (topic, payload, packet) => this.#received(attempt, topic, payload, packet))
    client.on('error', (error) => this.#failed(attempt, error))
    client.on('close', () => this.#closed(attempt))
    try {
      client.connect()
      client.stream.prependListener('data', (chunk: Buffer) => reasons.read(chunk))
      client.stream.on('error', (error) => this.#failed(attempt, error)) // the library keeps some to itself
    } catch (error) {
      this.#failed(attempt, error) // TLS files that do not fit, for one
    }
  }

  async #connected(attempt: Attempt): Promise<void> {
    if (attempt !== this.#attempt) return
    const {client} = attempt
    attempt.connectedAt = this.#options.clock.now()
    attempt.features = featuresOf(client, this.#limits)
    if (this.#version === 4 && this.#hangUps === 1) return this.#tryNewerOnceMore(attempt)
    this.counters.connects++
    this.#patience.accepted()
    sendAtOnce(client)
    try {
      const denied = await this.#subscriptions.begin(this.#subscribing(attempt))
      if (this.#stopped || attempt !== this.#attempt) return
      this.#complaints.denied(denied)
      this.#complaints.lacks(this.url, missingIn(attempt.features))
      this.#up = true
      this.#outbox.open((message, done) => this.#send(attempt, message, done), attempt.features.inFlight)
      if (denied.length === 0) this.#ask()
    } catch (error) {
      return this.#failed(attempt, error)
    }
    const {log} = this.#options
    log[this.#patience.isFlapping ? 'debug' : 'info'](`connected to ${this.url}`, {
      mqtt: this.#version === 5 ? '5' : '3.1.1',
    })
    this.#announce()
    for (const incoming of this.#early.splice(0)) if (attempt === this.#attempt) this.#handOn(incoming)
    this.emit('tried')
  }

  /** A throw would end the process, at every connect again. */
  #announce(): void {
    try {
      this.emit('connected')
    } catch (error) {
      this.#options.log.error('not everything could be announced', {error})
    }
  }

  /** Whatever the client says is wrong ends its connection: after a packet that it cannot read, it drops others that came with it. */
  #failed(attempt: Attempt, error: unknown): void {
    if (attempt !== this.#attempt) return
    attempt.error = error
    if (attempt.connectedAt === undefined) this.#problem(error)
    destroy(attempt.client)
    this.#closed(attempt)
  }

  #closed(attempt: Attempt): void {
    if (attempt !== this.#attempt) return
    const lasted = this.#lasted(attempt)
    if (lasted === undefined || this.#stopped) {
      this.#forget()
      this.#unused()
      return
    }
    const why = attempt.reasons.farewell ?? attempt.error
    this.#lost(lasted, why)
    if (isAboutMessages(why)) this.#blame(attempt)
    const wasUp = this.#up
    this.#forget()
    this.#attempts++
    this.#over(wasUp)
  }

  /** An attempt to connect has failed. */
  #unused(): void {
    if (this.#stopped) return
    if (this.#tryOtherwise()) {
      this.#retry = this.#options.clock.after(0, () => this.#connect())
      return
    }
    this.#attempts++
    this.#over(false)
  }

  /** Ends a connection that the broker did not end: events of its client that come later are ignored. */
  #leave(attempt: Attempt): void {
    const wasUp = this.#up
    this.#forget()
    destroy(attempt.client)
    this.#over(wasUp)
  }

  #forget(): void {
    this.#attempt = undefined
    this.#outbox.close()
    this.#acknowledgements.reset()
    this.#foreignTopics.reset()
    this.#echo?.reset()
    this.#early = []
    this.#up = false
  }

  /** The next attempt finds out anew what the broker is like: it may be another one by then. */
  #over(wasUp: boolean): void {
    if (this.#stopped) return
    this.#version = this.#options.broker.version
    this.#hangUps = 0
    this.#limits = NO_LIMITS
    this.#retry = this.#options.clock.after(this.#patience.next(), () => this.#connect())
    this.emit(wasUp ? 'disconnected' : 'tried')
  }

  /** For how many milliseconds there has been a connection; `undefined` when the broker has not let us in. */
  #lasted({connectedAt}: Attempt): number | undefined {
    return connectedAt === undefined ? undefined : this.#options.clock.now() - connectedAt
  }

  /** A connection is over that lasted `ms` milliseconds. */
  #ended(ms: number, isContested: boolean): void {
    if (this.#patience.lasted(ms, isContested)) this.#complaints.forget()
  }

  /**
   * The broker, or the network, has ended a connection that lasted `ms` milliseconds.
   * @param why the reason code of the broker, or the error that was met
   */
  #lost(ms: number, why: unknown): void {
    const isContested = isTakeover(why)
    this.#ended(ms, isContested)
    if (isContested) this.#complaints.takenOver(this.url)
    else {
      this.#complaints.lost(this.url, why)
      if (this.#patience.isFlapping) this.#complaints.flapping(this.url)
    }
  }

  /** Nothing is acknowledged, or one message never: that is no broker to stay with. */
  #silent(): void {
    const attempt = this.#attempt
    const lasted = attempt && this.#lasted(attempt)
    if (!attempt || lasted === undefined) return
    this.#ended(lasted, true)
    this.#complaints.acknowledgesNothing(this.url, LONGEST_SILENCE_MS)
    if (attempt.acknowledged > 0) this.#blame(attempt)
    this.#leave(attempt)
  }

  /** The connection may have ended for what was sent on it. */
  #blame({acknowledged}: Attempt): void {
    const foreign = this.#foreignTopics.ended()
    if (foreign !== undefined) this.#complaints.foreignNotServed(this.url, foreign)
    const topics = this.#outbox.inFlight.filter(({foreign}) => !foreign).map(({topic}) => topic)
    const withheld = this.#suspectsHere.ended(topics, acknowledged)
    if (withheld !== undefined) this.#complaints.withheld(this.url, withheld)
    if (foreign !== undefined || withheld !== undefined) this.#patience.mended()
  }

  get #suspectsHere(): RejectedMessages {
    const known = this.#suspects.get(this.url)
    if (known) return known
    const suspects = new RejectedMessages(this.#options.clock)
    this.#suspects.set(this.url, suspects)
    return suspects
  }

  /** @returns whether there is another way to try at once */
  #tryOtherwise(): boolean {
    if (this.#verdict !== 'unknown') return this.#verdict === 'mended'
    if (this.#version === 4) {
      this.#complaints.hungUp(this.url)
      return false
    }
    // Some brokers that speak no MQTT 5 hang up at it.
    this.#hangUps++
    this.#version = 4
    return true
  }

  /** A broker that has hung up may just have been starting: 3.1.1 has no response topics, and no expiry of commands. */
  #tryNewerOnceMore({client}: Attempt): void {
    this.#version = 5
    this.#forget()
    client.end() // in good order, so that the last will is not sent
    this.#options.clock.after(GOODBYE_MS, () => destroy(client))
    this.#connect()
  }

  #received(attempt: Attempt, topic: string, payload: Buffer, packet: IPublishPacket): void {
    if (attempt !== this.#attempt) return // it was left: what comes of its buffers is too old
    this.counters.received++
    if (topic === this.#echo?.topic) {
      this.#echo.received(payload)
      return
    }
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
  #handOn(incoming: IncomingMessage): void {
    try {
      this.emit('message', incoming)
    } catch (error) {
      this.#options.log.error(`a message on ${incoming.topic} could not be handled`, {error})
    }
  }

  /** The broker was not reached, or does not let us in. */
  #problem(error: unknown): void {
    this.#verdict = this.#mend(error) ? 'mended' : 'told'
    if (this.#verdict === 'mended') return
    if (isBrokerRefusal(error)) {
      this.#patience.refused()
      this.counters.refused++
    }
    this.#complaints.cannotUse(this.url, error)
  }

  /** @returns whether the next attempt asks for less, so that it may succeed */
  #mend(error: unknown): boolean {
    if (this.#version === 4) return false
    if (isUnsupportedVersion(error)) {
      this.#version = 4
      return true
    }
    const limits = {...this.#limits, ...limitsIn(error)}
    const isLess = isBeyond(limited(this.#options.will, this.#limits), limits)
    this.#limits = limits
    return isLess
  }

  /** Where a message goes that the sender of a command wants elsewhere, while such wishes cost us connections. */
  #served(message: OutgoingMessage): OutgoingMessage | undefined {
    if (!message.foreign || this.#foreignTopics.areServed) return message
    const {home} = message
    return home === undefined ? undefined : {...message, topic: home, foreign: false}
  }

  #isTooLarge(message: OutgoingMessage): boolean {
    const most = this.#attempt?.features?.packetSize ?? Number.POSITIVE_INFINITY
    if (most === Number.POSITIVE_INFINITY) return false
    const size = publishSize(message)
    if (size <= most) return false
    this.counters.failed++
    this.#complaints.tooLarge(message.topic, size, most)
    return true
  }

  #subscribing({client, reasons, features}: Attempt): SubscribeOutcome {
    return {
      client,
      reasons,
      wildcards: features?.wildcards ?? true,
      expect: () => this.#acknowledgements.expect(),
    }
  }

  #send(attempt: Attempt, message: OutgoingMessage, done: () => void): void {
    const {topic, foreign} = message
    const qos = this.#publish(attempt, message, (code) => {
      this.#suspectsHere.acknowledged(topic)
      if (foreign) this.#foreignTopics.acknowledged(topic)
      if (topic === this.#echo?.topic) this.#echo.acknowledged(code === undefined)
      else this.#count(topic, code)
      if (code === undefined) message.onTaken?.()
      done()
    })
    if (foreign) this.#foreignTopics.sent(topic, qos)
  }

  /** @param refusal the reason code for which the broker has not taken it */
  #count(topic: string, refusal: number | undefined): void {
    this.counters.published++
    if (refusal === undefined) return
    this.counters.failed++
    this.#refused.set(refusal, (this.#refused.get(refusal) ?? new Set()).add(topic))
    this.#tellSoon()
  }

  /** Asks whether what is published comes back. */
  #ask(): void {
    if (!this.#echo || this.#suspectsHere.isWithheld(this.#echo.topic)) return
    this.#outbox.put({topic: this.#echo.topic, payload: this.#echo.payload(), retain: false, qos: 1})
  }

  /**
   * Publishes in the way that this broker takes.
   * @param done is called when the broker has it, or with the reason code for which it does not take it; not when the connection is over
   */
  #publish(attempt: Attempt, message: OutgoingMessage, done: (code?: number) => void): 0 | 1 {
    const {client, reasons, features = NO_LIMITS} = attempt
    const {qos, retain} = limited(message, features)
    const properties = this.#version === 5 ? {properties: publishProperties(message)} : {}
    const acknowledged = this.#acknowledgements.expect()
    client.publish(message.topic, message.payload, {retain, qos, ...properties}, (error, packet) => {
      if (attempt !== this.#attempt) return
      const [code = reasonCodeOf(error)] = reasons.take(packet?.messageId)
      if (error && code === undefined) return // the connection is about to end
      acknowledged()
      attempt.acknowledged += qos
      done(code)
    })
    return qos
  }

  #tellSoon(): void {
    this.#telling ??= this.#options.clock.after(COUNTING_MS, () => {
      this.#telling = undefined
      if (this.#dropped > 0) this.#complaints.dropped(this.#dropped)
      for (const [code, topics] of this.#refused) this.#complaints.notTaken([...topics], code)
      this.#dropped = 0
      this.#refused.clear()
    })
  }
}

/** Otherwise a state waits until the broker has acknowledged what went before it, which alone takes 40 ms (RFC 896, RFC 1122). */
function sendAtOnce({stream}: MqttClient): void {
  if (stream instanceof Socket) stream.setNoDelay(true)
}

/** Whatever it is doing: the library does not end what is ending already, nor what has no socket. */
function destroy(client: MqttClient): void {
  const {stream}: {stream?: MqttClient['stream']} = client
  if (!stream) return
  client.end(true)
  stream.destroy()
}
