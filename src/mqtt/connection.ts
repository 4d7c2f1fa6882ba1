/**
 * The connection to the MQTT broker: connects, subscribes, and reconnects for as long as the bridge runs. Each attempt is a new
 * `Session` (session.ts). Messages are published with `Delivery` (delivery.ts).
 */
import {EventEmitter} from 'node:events'
import {connect as connectClient, type IClientOptions, type IPublishPacket, type MqttClient} from 'mqtt'
import {type Clock, type Random, type Timer, within} from '../common/clock.ts'
import type {Log} from '../log/logger.ts'
import {ACKNOWLEDGEMENT_TIMEOUT_MS} from './acknowledgements.ts'
import {isAboutMessages, isBrokerRefusal, isTakeover} from './broker-errors.ts'
import {BrokerWarnings} from './broker-warnings.ts'
import {Delivery} from './delivery.ts'
import type {OutgoingMessage} from './outgoing-message.ts'
import {ConnectFallback, ReconnectBackoff} from './reconnect-backoff.ts'
import {type BrokerOptions, clientOptions, Session} from './session.ts'
import {SelfTest, type SubscriptionOptions, Subscriptions} from './subscriptions.ts'

/** A message from the broker. */
export interface IncomingMessage {
  topic: string
  payload: Buffer
  /** The broker had stored it before we subscribed: it is no command to carry out now. */
  retained: boolean
  responseTopic?: string | undefined
  correlationData?: Buffer | undefined
  /** How long its sender wants it to live, milliseconds (the message expiry interval of MQTT 5). */
  expiresIn?: number | undefined
}

interface Events {
  /** Connected and subscribed: everything retained must be published now. */
  connected: []
  /** An attempt to connect is over, with or without success. The first one ends the start of the bridge. */
  attempted: []
  disconnected: []
  message: [IncomingMessage]
}

export interface ConnectionOptions extends SubscriptionOptions {
  broker: BrokerOptions
  will: OutgoingMessage
  /** A topic that a filter of `commands` matches, to test whether the broker delivers messages (`SelfTest`). */
  selfTestTopic?: string
  clock: Clock
  random: Random
  log: Log
  connect?: (options: IClientOptions) => MqttClient
}

/** After so long the client of an abandoned session is destroyed, when the broker has not answered its DISCONNECT. */
const DISCONNECT_TIMEOUT_MS = 1000

/** The connection to the broker for as long as the bridge runs. Emits `connected`, `disconnected`, `message` and `attempted`. */
export class Connection extends EventEmitter<Events> {
  /** Published in bridge/health. */
  readonly counters = {connects: 0, published: 0, received: 0, failed: 0, refused: 0, dropped: 0}
  readonly delivery: Delivery
  readonly #options: ConnectionOptions
  readonly #fallback: ConnectFallback
  readonly #backoff: ReconnectBackoff
  readonly #warnings: BrokerWarnings
  readonly #subscriptions: Subscriptions
  readonly #selfTest: SelfTest | undefined
  /** The current attempt, or the session that came of it. */
  #session: Session | undefined
  /** Connected and subscribed. */
  #isConnected = false
  /** Messages that came before that: a broker sends retained messages before its SUBACK. */
  #early: IncomingMessage[] = []
  /** Counts the attempts that failed and the connections that ended: each time it is the turn of the next URL. */
  #urlIndex = 0
  #retryTimer: Timer | undefined
  #isStopped = false

  constructor(options: ConnectionOptions) {
    super()
    const {broker, will, clock, random, log, selfTestTopic} = options
    this.#options = options
    this.#fallback = new ConnectFallback({version: broker.version, will})
    this.#backoff = new ReconnectBackoff(random)
    this.#warnings = new BrokerWarnings(log, clock, broker.clientId)
    this.#subscriptions = new Subscriptions(options)
    if (selfTestTopic !== undefined) {
      const onMissing = () => this.#warnings.notDelivering(selfTestTopic, this.#fallback.version)
      this.#selfTest = new SelfTest({topic: selfTestTopic, clock, random, onMissing})
    }
    this.delivery = new Delivery({clock, warnings: this.#warnings, counters: this.counters})
  }

  get connected(): boolean {
    return this.#isConnected
  }

  /** The broker in use, or the one to be tried next. */
  get url(): string {
    const {urls} = this.#options.broker
    return urls[this.#urlIndex % urls.length] ?? ''
  }

  start(): void {
    this.#connect()
  }

  /** Subscribes to what `commands` and `statusTopics` return now, and to nothing else. Without a broker the next connect does it. */
  async resubscribe(): Promise<void> {
    const session = this.#session
    if (!session || !this.#isConnected) return
    try {
      this.#warnings.subscriptionsDenied(await this.#subscriptions.update(session))
    } catch (error) {
      this.#onFailed(session, error)
    }
  }

  /**
   * Ends the connection at once, without handling what lies unread in its buffers, and connects again.
   * @param why for the log: what made the connection worthless
   */
  reconnect(why: string): void {
    const session = this.#session
    if (!session || this.#isStopped) return
    const {age} = session
    if (age !== undefined && this.#backoff.isStable(age)) this.#noteEnd(age, false) // a short one is not due to the broker
    this.#warnings.reconnecting(this.url, why)
    this.#abandon(session)
  }

  /** Publishes what is queued, for at most `grace` milliseconds, and disconnects, for as long again. */
  async stop(grace: number): Promise<void> {
    this.#isStopped = true
    this.#retryTimer?.cancel()
    this.#warnings.stop()
    const session = this.#session
    if (!session) return
    const {clock} = this.#options
    if (this.#isConnected) await within(clock, clock.now() + grace, this.delivery.drained())
    this.#closeSession()
    await within(clock, clock.now() + grace, session.disconnect())
    session.destroy()
  }

  /** Starts one attempt. It goes on in `#onConnected`, `#onFailed` or `#onClosed`. */
  #connect(): void {
    const {broker, clock, connect = connectClient} = this.#options
    const {version, limits, will} = this.#fallback
    const {url} = this
    let session: Session
    try {
      session = new Session(connect(clientOptions(broker, url, version, will)), {url, version, limits, clock})
    } catch (error) {
      this.#onAttemptFailed(error)
      return
    }
    this.#session = session
    session.connect({
      onConnected: () => void this.#onConnected(session),
      onMessage: (topic, payload, packet) => this.#onMessage(topic, payload, packet),
      onFailed: (error) => this.#onFailed(session, error),
      onAcknowledgementMissing: () => this.#onAcknowledgementMissing(session),
      onClosed: () => this.#onClosed(session),
    })
  }

  /**
   * The broker has accepted the session. In this order: subscribe, let messages out, test the subscription, have everything
   * retained published, handle what came meanwhile.
   */
  async #onConnected(session: Session): Promise<void> {
    if (this.#fallback.retryVersion5()) return this.#replace(session) // connected in 3.1.1, and 5 is worth another try
    this.counters.connects++
    this.#backoff.connectAccepted()
    const {log} = this.#options
    try {
      const denied = await this.#subscriptions.begin(session)
      if (this.#isStopped || session !== this.#session) return
      this.#warnings.subscriptionsDenied(denied)
      this.#warnings.missingFeatures(session.url, session.features)
      this.#isConnected = true
      this.delivery.open(session)
      if (denied.length === 0 && this.#selfTest) this.delivery.publish(this.#selfTest.start())
    } catch (error) {
      return this.#onFailed(session, error)
    }
    const level = this.#backoff.isFlapping ? 'debug' : 'info'
    log[level](`connected to ${session.url}`, {mqtt: session.version === 5 ? '5' : '3.1.1'})
    try {
      this.emit('connected')
    } catch (error) {
      // Uncaught it would end the process, and again at every connect.
      log.error('not everything could be announced', {error})
    }
    for (const incoming of this.#early.splice(0)) {
      if (session !== this.#session) break // a listener has ended the connection
      this.#handleMessage(incoming)
    }
    this.emit('attempted')
  }

  #onMessage(topic: string, payload: Buffer, {retain, properties}: IPublishPacket): void {
    this.counters.received++
    if (topic === this.#selfTest?.topic) {
      this.#selfTest.received(payload)
      return
    }
    const seconds = properties?.messageExpiryInterval
    const incoming = {
      topic,
      payload,
      retained: retain,
      responseTopic: properties?.responseTopic,
      correlationData: properties?.correlationData,
      expiresIn: seconds === undefined ? undefined : seconds * 1000,
    }
    if (this.#isConnected) this.#handleMessage(incoming)
    else this.#early.push(incoming)
  }

  /** An error of a listener is logged: thrown into the client it would block the client, which would still report to be connected. */
  #handleMessage(incoming: IncomingMessage): void {
    try {
      this.emit('message', incoming)
    } catch (error) {
      this.#options.log.error(`a message on ${incoming.topic} could not be handled`, {error})
    }
  }

  /** Every error of the client ends its connection: after a packet that it cannot read, it drops others that came with it. */
  #onFailed(session: Session, error: unknown): void {
    if (session !== this.#session) return
    session.error = error
    session.destroy()
    this.#onClosed(session)
  }

  /** The broker, the network or `#onFailed` has closed the connection. */
  #onClosed(session: Session): void {
    if (session !== this.#session) return
    const {age, error} = session
    if (age === undefined || this.#isStopped) {
      this.#closeSession()
      this.#onAttemptFailed(error)
      return
    }
    const reason = session.refusals.disconnectReason ?? error
    this.#noteEnd(age, isTakeover(reason))
    this.#warnings.connectionLost(session.url, reason, this.#backoff.isFlapping)
    if (isAboutMessages(reason)) this.#withholdRejected(session)
    const wasConnected = this.#isConnected
    this.#closeSession()
    this.#urlIndex++
    this.#retryLater(wasConnected)
  }

  /** The broker answers pings, and acknowledges nothing, or one message never: such a connection is of no use. */
  #onAcknowledgementMissing(session: Session): void {
    const {age} = session
    if (age === undefined) return
    this.#noteEnd(age, true)
    this.#warnings.notAcknowledging(session.url, ACKNOWLEDGEMENT_TIMEOUT_MS)
    if (session.acknowledged > 0) this.#withholdRejected(session)
    this.#abandon(session)
  }

  /**
   * The broker cannot be reached, or refuses the session. Tries again: at once when the next attempt asks for less, else later.
   * @param error `undefined` when the broker has closed the connection without a CONNACK
   */
  #onAttemptFailed(error: unknown): void {
    if (this.#isStopped) return
    if (this.#fallback.fallBack(error)) {
      this.#retryTimer = this.#options.clock.after(0, () => this.#connect())
      return
    }
    if (isBrokerRefusal(error)) {
      this.#backoff.connectRefused()
      this.counters.refused++
    }
    this.#warnings.cannotConnect(this.url, error)
    this.#urlIndex++
    this.#retryLater(false)
  }

  /** The next attempt begins with the configured version and last will again: the broker may be another one by then. */
  #retryLater(wasConnected: boolean): void {
    if (this.#isStopped) return
    this.#fallback.reset()
    this.#retryTimer = this.#options.clock.after(this.#backoff.nextDelay(), () => this.#connect())
    this.emit(wasConnected ? 'disconnected' : 'attempted')
  }

  /** Connects in MQTT 5 instead of `session`. */
  #replace(session: Session): void {
    this.#closeSession()
    void session.disconnect() // in good order, so that the last will is not published
    this.#options.clock.after(DISCONNECT_TIMEOUT_MS, () => session.destroy())
    this.#connect()
  }

  /** Ends a connection that the broker has not ended, and reconnects. */
  #abandon(session: Session): void {
    const wasConnected = this.#isConnected
    this.#closeSession()
    session.destroy()
    this.#retryLater(wasConnected)
  }

  /** Forgets everything that belongs to the current session. Its client may still be open. */
  #closeSession(): void {
    this.#session?.detach()
    this.#session = undefined
    this.delivery.close()
    this.#selfTest?.reset()
    this.#early = []
    this.#isConnected = false
  }

  /** A connection that lasted `ms` milliseconds has ended. */
  #noteEnd(ms: number, isFlapping: boolean): void {
    if (this.#backoff.connectionEnded(ms, isFlapping)) this.#warnings.reset()
  }

  /** The connection may have ended over a message: once that message is found, the next connection may come at once. */
  #withholdRejected(session: Session): void {
    if (this.delivery.withholdRejected(session)) this.#backoff.causeRemoved()
  }
}
