/** The connection to the MQTT broker. Each attempt is a new `Session` (session.ts); `Delivery` (delivery.ts) publishes messages. */
import {EventEmitter} from 'node:events'
import {connect as connectClient, type IClientOptions, type IPublishPacket, type MqttClient} from 'mqtt'
import {type Clock, type Random, type Timer, within} from '../common/clock.ts'
import type {Log} from '../log/logger.ts'
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

/** Connects, subscribes, and reconnects for as long as the bridge runs. */
export class Connection extends EventEmitter<Events> {
  /** Published in bridge/health. */
  readonly counters = {connects: 0, published: 0, received: 0, failed: 0, refused: 0, dropped: 0}
  readonly delivery: Delivery
  readonly #options: ConnectionOptions
  readonly #fallback: ConnectFallback
  readonly #backoff: ReconnectBackoff
  readonly #warnings: BrokerWarnings
  readonly #selfTest: SelfTest | undefined
  /** The current attempt, or the session that came of it. */
  #session: Session | undefined
  /** Of the current session; `undefined` until it is connected and subscribed (`connected`). */
  #subscriptions: Subscriptions | undefined
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
    if (selfTestTopic !== undefined) {
      const onMissing = () => this.#warnings.notDelivering(selfTestTopic, this.#fallback.version)
      this.#selfTest = new SelfTest({topic: selfTestTopic, clock, random, onMissing})
    }
    this.delivery = new Delivery({clock, warnings: this.#warnings, counters: this.counters})
  }

  get connected(): boolean {
    return this.#subscriptions !== undefined
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
    if (!session || !this.#subscriptions) return
    try {
      this.#warnings.subscriptionsDenied(await this.#subscriptions.update())
    } catch (error) {
      this.#onEnded(session, error)
    }
  }

  /**
   * Ends the connection at once, without handling unread messages in its buffers, and connects again.
   * @param why the reason, for the log
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
    if (this.connected) await within(clock, clock.now() + grace, this.delivery.drained())
    this.#closeSession()
    await session.disconnect(grace)
  }

  /** Starts one attempt. It goes on in `#onConnected` or `#onEnded`. */
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
      onAcknowledgementMissing: () => this.#onAcknowledgementMissing(session),
      onEnded: (error) => this.#onEnded(session, error),
    })
  }

  /**
   * The broker has accepted the session. In this order: subscribe, let messages out, test the subscription, have everything
   * retained published, handle what came meanwhile.
   */
  async #onConnected(session: Session): Promise<void> {
    if (this.#fallback.retryVersion5()) {
      this.#closeSession()
      void session.disconnect() // so that the last will is not published
      this.#connect()
      return
    }
    this.counters.connects++
    this.#backoff.connectAccepted()
    try {
      const subscriptions = new Subscriptions(this.#options, session)
      const denied = await subscriptions.update()
      if (this.#isStopped || session !== this.#session) return
      this.#warnings.subscriptionsDenied(denied)
      this.#warnings.missingFeatures(session.url, session.features)
      this.#subscriptions = subscriptions
      this.delivery.open(session)
      if (denied.length === 0 && this.#selfTest) this.delivery.publish(this.#selfTest.start())
    } catch (error) {
      return this.#onEnded(session, error)
    }
    const {log} = this.#options
    const level = this.#backoff.isFlapping ? 'debug' : 'info'
    log[level](`connected to ${session.url}`, {mqtt: session.version === 5 ? '5' : '3.1.1'})
    try {
      this.emit('connected')
    } catch (error) {
      log.error('not everything could be announced', {error}) // uncaught it would end the process at every connect
    }
    for (const incoming of this.#early.splice(0)) {
      if (session !== this.#session) break // a listener has ended the connection
      this.#handleMessage(incoming)
    }
    this.emit('attempted')
  }

  #onMessage(topic: string, payload: Buffer, {retain, properties}: IPublishPacket): void {
    this.counters.received++
    if (this.#selfTest?.received(topic, payload)) return
    const seconds = properties?.messageExpiryInterval
    const incoming = {
      topic,
      payload,
      retained: retain,
      responseTopic: properties?.responseTopic,
      correlationData: properties?.correlationData,
      expiresIn: seconds === undefined ? undefined : seconds * 1000,
    }
    if (this.connected) this.#handleMessage(incoming)
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

  /**
   * The broker or the network has closed the connection, or the client reports an error. Each error ends the connection: after a
   * packet that the client cannot read, it drops others that came with it.
   */
  #onEnded(session: Session, error?: unknown): void {
    if (session !== this.#session) return
    const {age, url, refusals} = session
    if (age === undefined || this.#isStopped) {
      this.#closeSession()
      session.destroy()
      this.#onAttemptFailed(error)
      return
    }
    const reason = refusals.disconnectReason ?? error
    this.#noteEnd(age, isTakeover(reason))
    this.#warnings.connectionLost(url, reason, this.#backoff.isFlapping)
    // The connection may have ended over a message: once that is found, the next connection may come at once.
    if (isAboutMessages(reason) && this.delivery.withholdRejected(session)) this.#backoff.causeRemoved()
    this.#urlIndex++
    this.#abandon(session)
  }

  /** The broker answers pings, and acknowledges nothing, or one message never: such a connection is of no use. */
  #onAcknowledgementMissing(session: Session): void {
    const {age, url, acknowledged} = session
    if (age === undefined) return
    this.#noteEnd(age, true)
    this.#warnings.notAcknowledging(url)
    if (acknowledged > 0 && this.delivery.withholdRejected(session)) this.#backoff.causeRemoved()
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

  /** Closes the connection and connects again later. */
  #abandon(session: Session): void {
    const wasConnected = this.connected
    this.#closeSession()
    session.destroy()
    this.#retryLater(wasConnected)
  }

  /** Forgets everything that belongs to the current session. Its client may still be open. */
  #closeSession(): void {
    this.#session?.detach()
    this.#session = undefined
    this.#subscriptions = undefined
    this.delivery.close()
    this.#selfTest?.reset()
    this.#early = []
  }

  /** A connection that lasted `ms` milliseconds has ended. */
  #noteEnd(ms: number, isFlapping: boolean): void {
    if (this.#backoff.connectionEnded(ms, isFlapping)) this.#warnings.reset()
  }
}
