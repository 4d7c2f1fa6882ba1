/**
 * The connection to the MQTT broker: connects, subscribes, and reconnects for as long as the bridge runs. Each attempt is a new
 * `Session` (session.ts). What is published goes through `Delivery` (delivery.ts).
 */
import {EventEmitter} from 'node:events'
import {connect as connectClient, type IClientOptions, type IPublishPacket, type MqttClient} from 'mqtt'
import {type Clock, type Random, type Timer, within} from '../common/clock.ts'
import type {Log} from '../log/logger.ts'
import {ACKNOWLEDGEMENT_TIMEOUT_MS, Acknowledgements} from './acknowledgements.ts'
import {isAboutMessages, isBrokerRefusal, isTakeover} from './broker-errors.ts'
import {ConnectTerms, missingFeatures} from './broker-features.ts'
import {BrokerWarnings} from './broker-warnings.ts'
import {Delivery} from './delivery.ts'
import type {OutgoingMessage} from './outbox.ts'
import {ReconnectBackoff} from './reconnect-backoff.ts'
import {type BrokerOptions, clientOptions, Session} from './session.ts'
import {SelfTest, type SubscriptionOptions, Subscriptions} from './subscriptions.ts'
import {assertTopic} from './topics.ts'

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
  readonly #options: ConnectionOptions
  readonly #terms: ConnectTerms
  readonly #backoff: ReconnectBackoff
  readonly #warnings: BrokerWarnings
  readonly #subscriptions: Subscriptions
  readonly #acknowledgements: Acknowledgements
  readonly #selfTest: SelfTest | undefined
  readonly #delivery: Delivery
  /** The current attempt, or the session that came of it. */
  #session: Session | undefined
  /** Connected and subscribed. */
  #isConnected = false
  /** Messages that came before that: a broker sends retained messages before its SUBACK. */
  #early: IncomingMessage[] = []
  /** Attempts that failed and connections that ended, to take turns between the URLs. */
  #ended = 0
  /** Why the current attempt failed: not known, logged, or known and answered by asking for less (`ConnectTerms`). */
  #failure: 'unknown' | 'logged' | 'lowered' = 'unknown'
  #retryTimer: Timer | undefined
  #isStopped = false

  constructor(options: ConnectionOptions) {
    super()
    const {broker, will, clock, random, log, selfTestTopic} = options
    this.#options = options
    this.#terms = new ConnectTerms({version: broker.version, will})
    this.#backoff = new ReconnectBackoff(random)
    this.#warnings = new BrokerWarnings(log, broker.clientId)
    this.#acknowledgements = new Acknowledgements(clock, () => this.#onAcknowledgementMissing())
    this.#subscriptions = new Subscriptions(options, () => this.#acknowledgements.expect())
    if (selfTestTopic !== undefined) {
      const onMissing = () => this.#warnings.notDelivering(selfTestTopic, this.#terms.version)
      this.#selfTest = new SelfTest({topic: selfTestTopic, clock, random, onMissing})
    }
    this.#delivery = new Delivery({
      clock,
      warnings: this.#warnings,
      acknowledgements: this.#acknowledgements,
      selfTest: this.#selfTest,
      counters: this.counters,
    })
  }

  get connected(): boolean {
    return this.#isConnected
  }

  /** The broker in use, or the one to be tried next. */
  get url(): string {
    const {urls} = this.#options.broker
    return urls[this.#ended % urls.length] ?? ''
  }

  start(): void {
    this.#connect()
  }

  /**
   * Publishes a message; while the broker is slow, only the newest of a retained topic. Without a broker it is dropped:
   * everything retained is published again at the next connect, and the rest would be too old by then.
   * @throws RangeError for a topic that no broker takes
   */
  publish(message: OutgoingMessage): void {
    assertTopic(message.topic)
    this.#delivery.publish(message)
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
    this.#delivery.stop()
    const session = this.#session
    if (!session) return
    const {clock} = this.#options
    if (this.#isConnected) await within(clock, clock.now() + grace, this.#delivery.drained())
    this.#closeSession()
    await within(clock, clock.now() + grace, session.disconnect())
    session.destroy()
  }

  /** Starts one attempt. It goes on in `#onConnected`, `#onFailed` or `#onClosed`. */
  #connect(): void {
    const {broker, clock, connect = connectClient} = this.#options
    const {version, limits, will} = this.#terms
    const {url} = this
    this.#failure = 'unknown'
    let session: Session
    try {
      session = new Session(connect(clientOptions(broker, url, version, will)), {url, version, limits, clock})
    } catch (error) {
      this.#onConnectError(error)
      this.#onAttemptFailed()
      return
    }
    this.#session = session
    session.on('connected', () => void this.#onConnected(session))
    session.on('message', (...packet) => this.#onMessage(...packet))
    session.on('failed', (error) => this.#onFailed(session, error))
    session.on('closed', () => this.#onClosed(session))
    session.connect()
  }

  /**
   * The broker has accepted the session. In this order: subscribe, let messages out, test the subscription, have everything
   * retained published, handle what came meanwhile.
   */
  async #onConnected(session: Session): Promise<void> {
    if (this.#terms.retryVersion5()) return this.#replace(session) // connected in 3.1.1, and 5 is worth another try
    this.counters.connects++
    this.#backoff.connectAccepted()
    const {log} = this.#options
    try {
      const denied = await this.#subscriptions.begin(session)
      if (this.#isStopped || session !== this.#session) return
      this.#warnings.subscriptionsDenied(denied)
      this.#warnings.missingFeatures(session.url, missingFeatures(session.features))
      this.#isConnected = true
      this.#delivery.open(session)
      if (denied.length === 0) this.#delivery.publishSelfTest()
    } catch (error) {
      return this.#onFailed(session, error)
    }
    const level = this.#backoff.isFlapping ? 'debug' : 'info'
    log[level](`connected to ${session.url}`, {mqtt: session.version === 5 ? '5' : '3.1.1'})
    this.#emitConnected()
    this.#handleEarlyMessages(session)
    this.emit('attempted')
  }

  #onMessage(topic: string, payload: Buffer, packet: IPublishPacket): void {
    this.counters.received++
    if (topic === this.#selfTest?.topic) {
      this.#selfTest.received(payload)
      return
    }
    const incoming = incomingMessage(topic, payload, packet)
    if (this.#isConnected) this.#handleMessage(incoming)
    else this.#early.push(incoming)
  }

  /** Every error of the client ends its connection: after a packet that it cannot read, it drops others that came with it. */
  #onFailed(session: Session, error: unknown): void {
    if (session !== this.#session) return
    session.error = error
    if (session.age === undefined) this.#onConnectError(error)
    session.destroy()
    this.#onClosed(session)
  }

  /** The broker, the network or `#onFailed` has closed the connection. */
  #onClosed(session: Session): void {
    if (session !== this.#session) return
    const {age} = session
    if (age === undefined || this.#isStopped) {
      this.#closeSession()
      this.#onAttemptFailed()
      return
    }
    const reason = session.refusals.disconnectReason ?? session.error
    this.#noteEnd(age, isTakeover(reason))
    this.#warnings.connectionLost(session.url, reason, this.#backoff.isFlapping)
    if (isAboutMessages(reason)) this.#withholdRejected(session)
    const wasConnected = this.#isConnected
    this.#closeSession()
    this.#ended++
    this.#retryLater(wasConnected)
  }

  /** The broker answers pings, and acknowledges nothing, or one message never: such a connection is of no use. */
  #onAcknowledgementMissing(): void {
    const session = this.#session
    if (session?.age === undefined) return
    this.#noteEnd(session.age, true)
    this.#warnings.notAcknowledging(session.url, ACKNOWLEDGEMENT_TIMEOUT_MS)
    if (session.acknowledged > 0) this.#withholdRejected(session)
    this.#abandon(session)
  }

  /** The broker cannot be reached, or refuses the session. */
  #onConnectError(error: unknown): void {
    if (this.#terms.lowerAfter(error)) {
      this.#failure = 'lowered'
      return
    }
    this.#failure = 'logged'
    if (isBrokerRefusal(error)) {
      this.#backoff.connectRefused()
      this.counters.refused++
    }
    this.#warnings.cannotConnect(this.url, error)
  }

  /** Tries again: at once when the next attempt asks for less, else after the backoff. */
  #onAttemptFailed(): void {
    if (this.#isStopped) return
    const isHangUp = this.#failure === 'unknown'
    if (this.#failure === 'lowered' || (isHangUp && this.#terms.lowerAfterHangUp())) {
      this.#retryTimer = this.#options.clock.after(0, () => this.#connect())
      return
    }
    if (isHangUp) this.#warnings.connectHungUp(this.url)
    this.#ended++
    this.#retryLater(false)
  }

  /** The next attempt begins with the configured version and last will again: the broker may be another one by then. */
  #retryLater(wasConnected: boolean): void {
    if (this.#isStopped) return
    this.#terms.reset()
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
    this.#delivery.close()
    this.#acknowledgements.reset()
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
    if (this.#delivery.withholdRejected(session)) this.#backoff.causeRemoved()
  }

  /** An error of a listener is logged: uncaught it would end the process, and again at every connect. */
  #emitConnected(): void {
    try {
      this.emit('connected')
    } catch (error) {
      this.#options.log.error('not everything could be announced', {error})
    }
  }

  #handleEarlyMessages(session: Session): void {
    for (const incoming of this.#early.splice(0)) {
      if (session !== this.#session) return // a listener has ended the connection
      this.#handleMessage(incoming)
    }
  }

  /** An error of a listener is logged: thrown into the client it would block the client, which would still report to be connected. */
  #handleMessage(incoming: IncomingMessage): void {
    try {
      this.emit('message', incoming)
    } catch (error) {
      this.#options.log.error(`a message on ${incoming.topic} could not be handled`, {error})
    }
  }
}

function incomingMessage(
  topic: string,
  payload: Buffer,
  {retain, properties}: IPublishPacket,
): IncomingMessage {
  const seconds = properties?.messageExpiryInterval
  return {
    topic,
    payload,
    retained: retain,
    responseTopic: properties?.responseTopic,
    correlationData: properties?.correlationData,
    expiresIn: seconds === undefined ? undefined : seconds * 1000,
  }
}
