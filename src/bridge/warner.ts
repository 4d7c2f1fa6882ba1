/**
 * Rate-limited warnings about topics that other clients publish on: any client that may publish could fill the log and the memory with
 * made-up topics. The first few topics are named, and then one line a minute says how many more there were.
 */
import type {Clock, Timer} from '../clock.ts'
import type {Log} from '../log.ts'

/** Named one by one before the rest is only counted; one that was put right is not among them. */
const MOST_NAMED = 30
/** Whoever puts things right and wrong again all the time does not get more lines than these between two counts. */
const MOST_LINES = 100
/** Topics that are remembered, not to be warned of again. */
const MOST_REMEMBERED = 1000
/** A topic may have 65,535 bytes; nobody reads that much of one. */
const LONGEST_TOPIC = 200
const COUNT_MS = 60_000

export class Warner {
  readonly #clock: Clock
  readonly #log: Log
  /** Topics that were warned of; the oldest first. */
  readonly #named = new Set<string>()
  #left = MOST_NAMED
  #lines = 0
  #uncounted = 0
  #lastTopic = ''
  #timer: Timer | undefined

  constructor({clock, log}: {clock: Clock; log: Log}) {
    this.#clock = clock
    this.#log = log
  }

  /** Warns of the topic, unless that was done. @param text asked for only when it is logged */
  warn(topic: string, text: () => string): void {
    if (this.#named.has(topic)) return
    this.#timer ??= this.#clock.after(COUNT_MS, () => this.#count())
    if (this.#left > 0 && this.#lines < MOST_LINES) this.#name(topic, text())
    else {
      this.#uncounted++
      this.#lastTopic = topic
    }
  }

  /** What was wrong with the topic was put right: the next time is worth a warning. */
  forget(topic: string): void {
    if (this.#named.delete(topic) && this.#left < MOST_NAMED) this.#left++
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #name(topic: string, text: string): void {
    this.#left--
    this.#lines++
    this.#named.add(topic)
    const [oldest] = this.#named
    if (oldest !== undefined && this.#named.size > MOST_REMEMBERED) this.#named.delete(oldest)
    this.#log.warn(text, {topic: topic.slice(0, LONGEST_TOPIC)})
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
