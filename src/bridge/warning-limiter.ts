/**
 * Rate-limited warnings about topics that other clients publish on: any client that may publish could fill the log and the memory with
 * made-up topics. The first few topics are named, and then one line a minute says how many more there were.
 */
import type {Clock, Timer} from '../common/clock.ts'
import type {Fields, Log} from '../log/logger.ts'

/** How many topics are named one by one before the rest is only counted. A topic that was put right does not count. */
const MOST_NAMED = 30
/** A client that puts things right and wrong again all the time does not get more lines than these between two counts. */
const MOST_LINES = 100
/** How many warnings are remembered, so as not to be repeated. */
const MOST_REMEMBERED = 1000
/** Topics may have 65,535 bytes; only this much of one is of use in a line of the log. */
const LONGEST_TOPIC = 200
const COUNT_MS = 60_000

export interface WarningLimiterOptions {
  clock: Clock
  log: Log
  /** After so many milliseconds the same warning is repeated; never when missing. */
  repeatAfter?: number
}

/** More about one warning. */
export interface WarningDetails {
  /** Identifies the warning: one with the same key is not repeated. The topic when missing. */
  key?: string
  /** Fields of the log line, beside the topic. */
  fields?: Fields
}

/** Logs each warning once, and counts what is beyond a limit. */
export class WarningLimiter {
  readonly #clock: Clock
  readonly #log: Log
  readonly #repeatAfter: number
  /** When each warning was logged, on the clock, by its key; the oldest first. */
  readonly #logged = new Map<string, number>()
  #namesLeft = MOST_NAMED
  #lines = 0
  /** Warnings that were not logged since the last count. */
  #suppressed = 0
  #lastTopic = ''
  #timer: Timer | undefined

  constructor({clock, log, repeatAfter = Number.POSITIVE_INFINITY}: WarningLimiterOptions) {
    this.#clock = clock
    this.#log = log
    this.#repeatAfter = repeatAfter
  }

  /**
   * Logs a warning about the topic, unless the same was logged before.
   * @param text called only when the warning is logged
   * @returns whether it was logged
   */
  warn(topic: string, text: () => string, {key = topic, fields = {}}: WarningDetails = {}): boolean {
    const loggedAt = this.#logged.get(key)
    if (loggedAt !== undefined && this.#clock.now() - loggedAt < this.#repeatAfter) return false
    this.#timer ??= this.#clock.after(COUNT_MS, () => this.#count())
    const isNamed = this.#namesLeft > 0 && this.#lines < MOST_LINES
    if (isNamed) this.#logLine(topic, text(), key, fields)
    else {
      this.#suppressed++
      this.#lastTopic = topic
    }
    return isNamed
  }

  /** The problem with the topic is solved: the next one is logged again. */
  forget(topic: string): void {
    if (this.#logged.delete(topic) && this.#namesLeft < MOST_NAMED) this.#namesLeft++
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #logLine(topic: string, text: string, key: string, fields: Fields): void {
    this.#namesLeft--
    this.#lines++
    this.#logged.delete(key)
    this.#logged.set(key, this.#clock.now())
    const [oldest] = this.#logged.keys()
    if (oldest !== undefined && this.#logged.size > MOST_REMEMBERED) this.#logged.delete(oldest)
    this.#log.warn(text, {topic: topic.slice(0, LONGEST_TOPIC), ...fields})
  }

  /** Logs how many warnings were suppressed. After a minute without any, topics are named one by one again. */
  #count(): void {
    const count = this.#suppressed
    this.#suppressed = 0
    this.#lines = 0
    this.#timer = count > 0 ? this.#clock.after(COUNT_MS, () => this.#count()) : undefined
    if (count > 0)
      this.#log.warn(
        `${count} more messages like these in the last minute, the last on ${this.#lastTopic.slice(0, LONGEST_TOPIC)}`,
      )
    else this.#namesLeft = MOST_NAMED
  }
}
