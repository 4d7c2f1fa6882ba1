/**
 * What is said to the owner about the broker. The same trouble is told once until there was a good connection again, however
 * often it is met on the way there: a bridge runs for years, and some brokers are away every night.
 */
import type {Log} from '../log/logger.ts'
import {describeBrokerError, disconnectText, isAccessDenied} from './broker-errors.ts'
import type {DeniedFilter} from './subscriptions.ts'

const MOST_NAMED = 5
/** Topics that are named for the size of what they get; whoever sends requests can make up more of them without end. */
const MOST_TOO_LARGE = 20

export class BrokerWarnings {
  readonly #log: Log
  readonly #ours: string
  readonly #said = new Set<string>()
  readonly #tooLarge = new Set<string>()
  /** What the brokers in use are like, which no reconnect changes. */
  readonly #traits = new Set<string>()

  constructor(log: Log, clientId: string) {
    this.#log = log
    this.#ours = `"${clientId}", too: does the bridge run twice, or from a copied state folder? Each needs a mqtt.client_id of its own`
  }

  /** There was a good connection: what happens from now on is new. */
  forget(): void {
    this.#said.clear()
    this.#tooLarge.clear()
  }

  cannotUse(url: string, error: unknown): void {
    this.#say(`cannot use the broker ${url}: ${describeBrokerError(error)}`)
  }

  hungUp(url: string): void {
    this.#say(`cannot use the broker ${url}: it hung up without a word`)
  }

  /** @param why the reason code that the broker gave, or the error that was met, if any */
  lost(url: string, why: unknown): void {
    const words = disconnectText(why)
    this.#say(`lost the connection to ${url}${words && `: ${words}`}`)
  }

  /** We ended the connection ourselves. */
  left(url: string, why: string): void {
    this.#say(`${why}: connecting to ${url} again`)
  }

  /** @param ms for so long */
  acknowledgesNothing(url: string, ms: number): void {
    this.left(
      url,
      `the broker answers pings, but has not acknowledged what it was sent for ${Math.round(ms / 1000)} s (its log may say why: a full disk, an alarm)`,
    )
  }

  takenOver(url: string): void {
    this.#say(`another client took our place at ${url}: it has the client id ${this.#ours}`)
  }

  /** In MQTT 3.1.1 the broker has no word for why; older ones of MQTT 5 do not say it either. */
  flapping(url: string): void {
    this.#say(
      `${url} ends every connection within seconds. Another client may have the client id ${this.#ours}. Or the access list of ` +
        'the broker denies what we publish: its log says which',
    )
  }

  denied(denied: readonly DeniedFilter[]): void {
    const [first] = denied
    if (!first) return
    const filters = denied.map(({filter}) => filter).join(', ')
    const who = denied.every(({code}) => isAccessDenied(code))
      ? 'the access list of the broker denies'
      : `the broker denies (${describeBrokerError(first.code)})`
    this.#say(`${who} subscribing to ${filters}: nothing sent there is heard`)
  }

  /** A subscription was granted, and yet nothing comes of it. */
  deaf(topic: string, version: 5 | 4): void {
    const publishing = version === 5 ? '' : ', and to publish on it'
    this.#say(
      `the broker granted the subscription, but does not deliver what is published on ${topic}: requests, and perhaps all ` +
        `commands, are not received. Check that its access list allows the bridge to read this topic${publishing}`,
    )
  }

  lacks(url: string, features: readonly string[]): void {
    if (features.length > 0) this.#sayForGood(`the broker ${url} has no ${features.join(', no ')}`)
  }

  tooLarge(topic: string, size: number, most: number): void {
    if (this.#tooLarge.has(topic)) return
    if (this.#tooLarge.size < MOST_TOO_LARGE) {
      this.#tooLarge.add(topic)
      this.#log.warn(
        `${shortened(topic)} has ${size} bytes, more than the ${most} that the broker takes: it is not published`,
      )
    } else
      this.#say('other messages are larger than the broker takes, too: they are counted in bridge/health')
  }

  /**
   * With 10,000 plugs an access list that is wrong would be worth 10,000 warnings.
   * @param code the broker's reason code
   */
  notTaken(topics: readonly string[], code: number): void {
    const named = topics.slice(0, MOST_NAMED).join(', ')
    const more = topics.length > MOST_NAMED ? ` and ${topics.length - MOST_NAMED} more` : ''
    this.#say(
      `the broker did not take ${named}${more}: ${describeBrokerError(code)}. Others that it does not take are counted in bridge/health`,
      `not taken: ${code}`,
    )
  }

  /** Two connections in a row ended while the broker had nothing else to acknowledge. */
  withheld(url: string, topic: string): void {
    this.#say(`two connections in a row to ${url} ended over ${topic}: it is not published for an hour`)
  }

  foreignNotServed(url: string, topic: string): void {
    this.#say(
      `two connections to ${url} ended over an answer to the response topic ${shortened(topic)}, which the sender of a command ` +
        'chose: response topics are not used for an hour',
      'response topics',
    )
  }

  dropped(count: number): void {
    this.#say(
      `the broker takes messages more slowly than they come: ${count} answers and events were dropped. More are counted in bridge/health`,
      'dropped',
    )
  }

  #say(text: string, key = text): void {
    if (this.#said.has(key)) return
    this.#said.add(key)
    this.#log.warn(text)
  }

  #sayForGood(text: string): void {
    if (this.#traits.has(text)) return
    this.#traits.add(text)
    this.#log.warn(text)
  }
}

/** A topic that a stranger chose may be 65,535 bytes long. */
function shortened(topic: string): string {
  return topic.length > 100 ? `${topic.slice(0, 100)}…` : topic
}
