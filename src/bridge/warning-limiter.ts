/**
 * Rate-limited warnings about topics that other clients publish on: any client that may publish could fill the log and the memory with
 * made-up topics. The first few topics are named, and then one line a minute says how many more there were.
 */
import type {Clock, Timer} from '../common/clock.ts'
import type {Fields, Log} from '../log/logger.ts'

/** Named one by one before the rest is only counted; one that was put right is not among them. */
const MOST_NAMED = 30
/** Whoever puts things right and wrong again all the time does not get more lines than these between two counts. */
const MOST_LINES = 100
/** Topics that are remembered, not to be warned of again. */
const MOST_REMEMBERED = 1000
/** A topic may have 65,535 bytes; nobody reads that much of one. */
const LONGEST_TOPIC = 200
const COUNT_MS = 60_000

export interface WarningLimiterOptions {
  clock: Clock
  log: Log
  /** After so many milliseconds the same is worth a warning again; never unless told. */
  repeatAfter?: number
}

/** More about one warning. */
export interface WarningDetails {
  /** What is the same as before is not warned of again; the topic unless told. */
  key?: string
  /** Of the line, beside the topic. */
  fields?: Fields
}

export class WarningLimiter {
  readonly #clock: Clock
  readonly #log: Log
  readonly #repeatAfter: number
  /** What was warned of, and when, on the clock; the oldest first. */
  readonly #named = new Map<string, number>()
  #left = MOST_NAMED
  #lines = 0
  #uncounted = 0
  #lastTopic = ''
  #timer: Timer | undefined

  constructor({clock, log, repeatAfter = Number.POSITIVE_INFINITY}: WarningLimiterOptions) {
    this.#clock = clock
    this.#log = log
    this.#repeatAfter = repeatAfter
  }

  /**
   * Warns of the topic, unless that was done.
   * @param text asked for only when it is logged
   * @returns whether it was logged
   */
  warn(topic: string, text: () => string, {key = topic, fields = {}}: WarningDetails = {}): boolean {
    const before = this.#named.get(key)
    if (before !== undefined && this.#clock.now() - before < this.#repeatAfter) return false
    this.#timer ??= this.#clock.after(COUNT_MS, () => this.#count())
    const isNamed = this.#left > 0 && this.#lines < MOST_LINES
    if (isNamed) this.#name(topic, text(), key, fields)
    else {
      this.#uncounted++
      this.#lastTopic = topic
    }
    return isNamed
  }

  /** What was wrong with the topic was put right: the next time is worth a warning. */
  forget(topic: string): void {
    if (this.#named.delete(topic) && this.#left < MOST_NAMED) this.#left++
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #name(topic: string, text: string, key: string, fields: Fields): void {
    this.#left--
    this.#lines++
    this.#named.delete(key)
    this.#named.set(key, this.#clock.now())
    const [oldest] = this.#named.keys()
    if (oldest !== undefined && this.#named.size > MOST_REMEMBERED) this.#named.delete(oldest)
    this.#log.warn(text, {topic: topic.slice(0, LONGEST_TOPIC), ...fields})
  }

  /** After a minute without anything new, the next is named again. */
  #count(): void {
    const count = this.#uncounted
    this.#uncounted = 0
    this.#lines = 0
    this.#timer = count > 0 ? this.#clock.after(COUNT_MS, () => this.#count()) : undefined
    if (count > 0)
      this.#log.warn(
        `${count} more messages like these in the last minute, the last on ${this.#lastTopic.slice(0, LONGEST_TOPIC)}`,
      )
    else this.#left = MOST_NAMED
  }
}
