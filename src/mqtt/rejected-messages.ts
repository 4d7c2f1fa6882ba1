/**
 * Which message a broker ends connections for: mosquitto does so for a topic of more than 200 levels, others for a size or a
 * property that they do not take, and the same message would be sent again on each new connection, for ever.
 *
 * What was unacknowledged when a connection ended is under suspicion, and sent alone the next time. What is alone when that
 * connection ends, too, is the cause, and is not sent for an hour.
 */
import type {Clock} from '../common/clock.ts'

const WITHHELD_MS = 60 * 60_000

export class RejectedMessages {
  readonly #clock: Clock
  #suspected: ReadonlySet<string> = new Set()
  readonly #cleared = new Set<string>()
  /** Topics, and when each may be tried again. */
  readonly #withheld = new Map<string, number>()
  /** Withheld although nothing at all was acknowledged on the connection that ended: perhaps it ends for another reason. */
  readonly #guesses = new Set<string>()
  #mayGuess = true

  constructor(clock: Clock) {
    this.#clock = clock
  }

  isWithheld(topic: string): boolean {
    const until = this.#withheld.get(topic)
    if (until === undefined) return false
    if (this.#clock.now() < until) return true
    this.#withheld.delete(topic)
    return false
  }

  /** Whether it is to be the only message under way, so that it is known what the connection ended for. */
  isSuspect(topic: string): boolean {
    return this.#suspected.has(topic) && !this.#cleared.has(topic)
  }

  /** The broker has acknowledged a message on this topic. */
  acknowledged(topic: string): void {
    this.#mayGuess = true
    this.#guesses.clear()
    if (this.#suspected.has(topic)) this.#cleared.add(topic)
  }

  /**
   * The broker, or the network, has ended a connection.
   * @param topics of the messages that were sent and not acknowledged
   * @param acknowledged how much was acknowledged on this connection
   * @returns the topic that is withheld from now on, if that became clear
   */
  ended(topics: readonly string[], acknowledged: number): string | undefined {
    const [alone, ...others] = topics
    if (acknowledged === 0) this.#refute()
    const isFound =
      alone !== undefined &&
      others.length === 0 &&
      this.isSuspect(alone) &&
      (acknowledged > 0 || this.#mayGuess)
    // There may be several: those that were not sent again yet stay under suspicion.
    const left = [...this.#suspected].filter((topic) => topic !== alone && this.isSuspect(topic))
    this.#suspected = new Set(isFound ? left : topics)
    this.#cleared.clear()
    if (!isFound) return undefined
    if (acknowledged === 0) this.#guesses.add(alone)
    this.#withheld.set(alone, this.#clock.now() + WITHHELD_MS)
    return alone
  }

  /** Without a message that was held to be the cause it is no better: connections end whatever is sent. */
  #refute(): void {
    if (this.#guesses.size === 0) return
    for (const topic of this.#guesses) this.#withheld.delete(topic)
    this.#guesses.clear()
    this.#mayGuess = false
  }
}
