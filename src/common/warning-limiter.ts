/** Limits how often warnings are logged: those about messages of other clients, and those about trouble that lasts. */
import type {Fields, Log} from '../log/logger.ts'
import type {Clock, Timer} from './clock.ts'

/** How many topics are named one by one before the rest is only counted. Fixed topics are counted out again (`forget`). */
const MAX_NAMED = 30
/** Upper bound for the lines between two counts: a client may fix topics and break them again all the time. */
const MAX_LINES = 100
/** How many warnings are remembered, so as not to be repeated. */
const MAX_REMEMBERED = 1000
/** Topics may have 65,535 bytes; only this much of one is of use in a line of the log. */
const MAX_TOPIC_LENGTH = 200
const COUNT_MS = 60_000

/**
 * Warnings about topics that other clients publish on. Any client that may publish could fill the log and the memory with made-up topics:
 * the first few topics are named, each once, and then one line a minute has the number of the others.
 */
export class WarningLimiter {
  readonly #clock: Clock
  readonly #log: Log
  /** When each warning was logged, on the clock, by its key; the oldest first. */
  readonly #logged = new Map<string, number>()
  #namesLeft = MAX_NAMED
  #lines = 0
  /** Warnings that were not logged since the last count. */
  #suppressed = 0
  #lastTopic = ''
  #timer: Timer | undefined

  constructor({clock, log}: {clock: Clock; log: Log}) {
    this.#clock = clock
    this.#log = log
  }

  /**
   * Logs a warning about the topic, unless one with the same key was logged before.
   * @param text called with the topic, shortened, when the warning is logged
   * @param repeatAfter milliseconds after which the warning is logged again
   * @param fields of the log line, beside the topic
   * @returns whether it was logged
   */
  warn(
    topic: string,
    text: (topic: string) => string,
    {
      key = topic,
      repeatAfter = Number.POSITIVE_INFINITY,
      fields = {},
    }: {key?: string; repeatAfter?: number; fields?: Fields} = {},
  ): boolean {
    const loggedAt = this.#logged.get(key)
    if (loggedAt !== undefined && this.#clock.now() - loggedAt < repeatAfter) return false
    this.#timer ??= this.#clock.after(COUNT_MS, () => this.#count())
    if (this.#namesLeft === 0 || this.#lines >= MAX_LINES) {
      this.#suppressed++
      this.#lastTopic = topic
      return false
    }
    this.#namesLeft--
    this.#lines++
    this.#logged.delete(key)
    this.#logged.set(key, this.#clock.now())
    const [oldest] = this.#logged.keys()
    if (oldest !== undefined && this.#logged.size > MAX_REMEMBERED) this.#logged.delete(oldest)
    const shown = topic.slice(0, MAX_TOPIC_LENGTH)
    this.#log.warn(text(shown), {topic: shown, ...fields})
    return true
  }

  /** The problem is solved: the next warning with this key is logged again. */
  forget(key: string): void {
    if (this.#logged.delete(key) && this.#namesLeft < MAX_NAMED) this.#namesLeft++
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Logs how many warnings were suppressed. After a minute without any, topics are named one by one again. */
  #count(): void {
    const count = this.#suppressed
    this.#suppressed = 0
    this.#lines = 0
    this.#timer = count > 0 ? this.#clock.after(COUNT_MS, () => this.#count()) : undefined
    if (count > 0)
      this.#log.warn(
        `${count} more messages like these in the last minute, the last on ${this.#lastTopic.slice(0, MAX_TOPIC_LENGTH)}`,
      )
    else this.#namesLeft = MAX_NAMED
  }
}

/** After so long without the problem it counts as solved, and its next occurrence is worth a new warning. */
const SOLVED_AFTER_MS = 600_000

/** A network may be down for days and is used every minute: each distinct text is passed on once until it was absent for ten minutes. */
export class RepeatedWarnings {
  readonly #clock: Clock
  readonly #warn: (text: string) => void
  /** When each text last occurred, on the clock. */
  readonly #lastSeen = new Map<string, number>()

  constructor(clock: Clock, warn: (text: string) => void) {
    this.#clock = clock
    this.#warn = warn
  }

  /** @param text the same for the same problem: without counts, and without anything that a sender can choose */
  warn(text: string): void {
    const now = this.#clock.now()
    for (const [seen, at] of this.#lastSeen) if (now - at > SOLVED_AFTER_MS) this.#lastSeen.delete(seen)
    if (!this.#lastSeen.has(text)) this.#warn(text)
    this.#lastSeen.set(text, now)
  }
}
