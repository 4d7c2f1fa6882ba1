/**
 * Warnings in the log about the broker. Each is logged once until there was a stable connection again, however often its cause
 * comes up: a bridge runs for years, and some brokers are away every night.
 */
import type {Clock, Timer} from '../common/clock.ts'
import {listFirst, shortened} from '../common/text.ts'
import type {Log} from '../log/logger.ts'
import {ACKNOWLEDGEMENT_TIMEOUT_MS} from './acknowledgements.ts'
import {describeBrokerError, disconnectText, isAccessDenied, isTakeover} from './broker-errors.ts'
import type {BrokerFeatures} from './session.ts'
import type {DeniedFilter} from './subscriptions.ts'

/** Characters. A topic that another client chose may be 65,535 bytes long. */
const MAX_SHOWN_TOPIC = 100
const MAX_TOPICS_NAMED = 5
/** So many topics with too large messages get a warning each. The sender of a request can make up topics without end. */
const MAX_TOO_LARGE_NAMED = 20
/** Refused and dropped messages are collected for so long, so that one warning has their number. */
const COLLECT_MS = 1000

/** Logs warnings about the broker, each once until there was a stable connection. */
export class BrokerWarnings {
  readonly #log: Log
  readonly #clock: Clock
  readonly #sameClientId: string
  /** Keys of the warnings that were logged since the last stable connection. */
  readonly #logged = new Set<string>()
  #tooLargeNamed = 0
  /** Warnings that were logged and that no reconnect changes. */
  readonly #loggedForGood = new Set<string>()
  /** Not logged yet: how many messages were dropped, and by reason code the topics of those refused. */
  #dropped = 0
  readonly #refused = new Map<number, Set<string>>()
  #collectTimer: Timer | undefined

  constructor(log: Log, clock: Clock, clientId: string) {
    this.#log = log
    this.#clock = clock
    this.#sameClientId = `"${clientId}": does the bridge run twice, or from a copied state folder? Each bridge needs its own mqtt.client_id`
  }

  /** There was a stable connection: every warning may be logged again. */
  reset(): void {
    this.#logged.clear()
    this.#tooLargeNamed = 0
  }

  /** No warning of refused or dropped messages is logged any more. */
  stop(): void {
    this.#collectTimer?.cancel()
  }

  /**
   * The broker cannot be reached, or refuses the client.
   * @param error `undefined` when the broker has closed the connection without a CONNACK
   */
  cannotConnect(url: string, error: unknown): void {
    const text =
      error === undefined ? 'it closed the connection without a reason' : describeBrokerError(error)
    this.#warnOnce(`cannot use the broker ${url}: ${text}`)
  }

  /**
   * The broker, or the network, has ended the connection. MQTT 3.1.1 has no code for the reason, and older brokers of MQTT 5 do
   * not send one.
   * @param reason the reason code of the broker, or the error that came up, if any
   * @param isFlapping whether every connection ends within seconds
   */
  connectionLost(url: string, reason: unknown, isFlapping: boolean): void {
    if (isTakeover(reason)) {
      this.#warnOnce(
        `another client took over the connection to ${url}: it also has the client id ${this.#sameClientId}`,
      )
      return
    }
    const text = disconnectText(reason)
    this.#warnOnce(`lost the connection to ${url}${text && `: ${text}`}`)
    if (isFlapping)
      this.#warnOnce(
        `${url} ends every connection within seconds. Another client may also have the client id ${this.#sameClientId}. Or the access list of ` +
          'the broker denies what the bridge publishes: look at the log of the broker',
      )
  }

  /** The bridge has ended the connection itself. */
  reconnecting(url: string, why: string): void {
    this.#warnOnce(`${why}: connecting to ${url} again`)
  }

  /** An acknowledgement is overdue. */
  notAcknowledging(url: string): void {
    const seconds = ACKNOWLEDGEMENT_TIMEOUT_MS / 1000
    this.reconnecting(
      url,
      `the broker answers pings, but has not acknowledged any packet for ${seconds} s (look at its log: a full disk, an alarm)`,
    )
  }

  subscriptionsDenied(denied: readonly DeniedFilter[]): void {
    const [first] = denied
    if (!first) return
    const filters = denied.map(({filter}) => filter).join(', ')
    const who = denied.every(({code}) => isAccessDenied(code))
      ? 'the access list of the broker denies'
      : `the broker denies (${describeBrokerError(first.code)})`
    this.#warnOnce(`${who} subscribing to ${filters}: messages there are not received`)
  }

  /** The self-test (subscriptions.ts) has failed: the subscription was granted, and nothing is delivered. */
  notDelivering(topic: string, version: 5 | 4): void {
    const publishing = version === 5 ? '' : ', and to publish on it'
    this.#warnOnce(
      `the broker granted the subscription, but does not deliver what is published on ${topic}: requests, and perhaps all ` +
        `commands, are not received. Check that its access list allows the bridge to read this topic${publishing}`,
    )
  }

  missingFeatures(url: string, {qos, retain, wildcards}: BrokerFeatures): void {
    const missing = [
      ...(qos === 0 ? ['QoS 1 (messages are sent without acknowledgement, and may be lost)'] : []),
      ...(retain
        ? []
        : ['retained messages (a client that subscribes later receives nothing until the next change)']),
      ...(wildcards ? [] : ['subscriptions with wildcards (no command and no request is received)']),
    ]
    const text = `the broker ${url} has no ${missing.join(', no ')}`
    if (missing.length > 0) this.#warnOnce(text, text, this.#loggedForGood)
  }

  /** @param size of the PUBLISH packet; `max` is what the broker takes. Bytes */
  messageTooLarge(topic: string, size: number, max: number): void {
    const key = `too large: ${topic}`
    if (this.#logged.has(key)) return
    if (this.#tooLargeNamed >= MAX_TOO_LARGE_NAMED) {
      this.#warnOnce(
        'other messages are larger than the broker accepts, too: they are counted in bridge/health',
      )
      return
    }
    this.#tooLargeNamed++
    this.#warnOnce(
      `${shortened(topic, MAX_SHOWN_TOPIC)} has ${size} bytes, more than the broker accepts (${max}): it is not published`,
      key,
    )
  }

  /**
   * One warning per reason code. With 10,000 plugs a wrong access list would otherwise mean 10,000 of them.
   * @param code the broker's reason code
   */
  messageRefused(topic: string, code: number): void {
    this.#refused.set(code, (this.#refused.get(code) ?? new Set()).add(topic))
    this.#warnSoon()
  }

  /** A result or an event was dropped because the queue was full. */
  messageDropped(): void {
    this.#dropped++
    this.#warnSoon()
  }

  /** Two connections in a row ended while the message on `topic` was the only one in flight. */
  messageWithheld(url: string, topic: string): void {
    this.#warnOnce(
      `two connections in a row to ${url} ended when ${topic} was published: it is not published for an hour`,
    )
  }

  /** Two connections ended over a response topic that the sender of a command chose. */
  senderTopicsSuspended(url: string, topic: string): void {
    this.#warnOnce(
      `two connections to ${url} ended when an answer was published on the response topic ${shortened(topic, MAX_SHOWN_TOPIC)}, which the sender of a command ` +
        'chose: response topics are not used for an hour',
      'response topics',
    )
  }

  #warnSoon(): void {
    this.#collectTimer ??= this.#clock.after(COLLECT_MS, () => {
      this.#collectTimer = undefined
      if (this.#dropped > 0)
        this.#warnOnce(
          `the broker accepts messages more slowly than the bridge sends them: ${this.#dropped} answers and events were dropped. More are counted in bridge/health`,
          'dropped',
        )
      for (const [code, topics] of this.#refused)
        this.#warnOnce(
          `the broker did not accept ${listFirst([...topics], MAX_TOPICS_NAMED)}: ${describeBrokerError(code)}. Other rejected messages are counted in bridge/health`,
          `not accepted: ${code}`,
        )
      this.#dropped = 0
      this.#refused.clear()
    })
  }

  #warnOnce(text: string, key = text, logged = this.#logged): void {
    if (logged.has(key)) return
    logged.add(key)
    this.#log.warn(text)
  }
}
