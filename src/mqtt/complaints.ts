/**
 * What is said to the owner about the broker. The same trouble is told once until there was a good connection again, however
 * often it is met on the way there: a bridge runs for years, and some brokers are away every night.
 */
import type {Log} from '../log.ts'
import {codeOf, describe, farewell} from './trouble.ts'

export class Complaints {
  readonly #log: Log
  readonly #ours: string
  readonly #said = new Set<string>()

  constructor(log: Log, clientId: string) {
    this.#log = log
    this.#ours = `"${clientId}", too: does the bridge run twice, or from a copied state folder? Each needs a mqtt.client_id of its own`
  }

  /** There was a good connection: what happens from now on is new. */
  forget(): void {
    this.#said.clear()
  }

  cannotUse(url: string, error: unknown): void {
    this.#say(`cannot use the broker ${url}: ${describe(error)}`)
  }

  hungUp(url: string): void {
    this.#say(`cannot use the broker ${url}: it hung up without a word`)
  }

  /** @param why the reason code that the broker gave, or the error that was met, if any */
  lost(url: string, why: unknown): void {
    const words = farewell(why)
    this.#say(`lost the connection to ${url}${words && `: ${words}`}`)
  }

  /** We ended the connection ourselves. */
  left(url: string, why: string): void {
    this.#say(`${why}: connecting to ${url} again`)
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

  denied(filters: readonly string[]): void {
    if (filters.length > 0)
      this.#say(
        `the access list of the broker denies subscribing to ${filters.join(', ')}: nothing sent there is heard`,
      )
  }

  tooLarge(topic: string, most: number): void {
    this.#say(`${topic} is larger than the ${most} bytes the broker takes: it is not published`)
  }

  /** With 10,000 plugs an access list that is wrong would be worth 10,000 warnings. */
  notTaken(topic: string, error: unknown): void {
    this.#say(
      `the broker did not take ${topic}: ${describe(error)}. Others that it does not take are counted in bridge/health`,
      `not taken: ${codeOf(error)}`,
    )
  }

  #say(text: string, key = text): void {
    if (this.#said.has(key)) return
    this.#said.add(key)
    this.#log.warn(text)
  }
}
