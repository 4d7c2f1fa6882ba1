/** Where a lost plug may be, by hello replies that nothing proves: a few candidates, tried one after the other. */
import type {Random} from '../common/clock.ts'
import type {Endpoint} from './socket.ts'

/** Asks for the plug there; what it returns is waited for before the next is tried. */
export type TryAddress = (at: Endpoint) => unknown

/** Between two broadcasts. Whoever names ever new addresses fills no memory, and makes us greet no more than this many. */
const MOST = 8

export class CandidateAddresses {
  readonly #try: TryAddress
  readonly #random: Random
  readonly #waiting: Endpoint[] = []
  /** Those that were tried since the last broadcast: several networks may bring the same reply. */
  readonly #tried: Endpoint[] = []
  /** How many came since the last broadcast. */
  #count = 0
  #isTrying = false

  constructor(attempt: TryAddress, random: Random) {
    this.#try = attempt
    this.#random = random
  }

  /** A broadcast leaves: whoever is seen from now on is worth a new try. */
  renew(): void {
    this.#waiting.length = 0
    this.#tried.length = 0
    this.#count = 0
  }

  /** Ends the search: nobody else is tried. */
  stop(): void {
    this.renew()
    this.#count = Number.POSITIVE_INFINITY
  }

  /**
   * The plug, or somebody in its name, was seen at `at`.
   * @param isAnswer whether it may be the answer to our broadcast. When there are too many, each of those has the same chance to
   *   be tried, so that the true one is found sooner or later; what comes at other times takes only a place that is free.
   */
  add(at: Endpoint, isAnswer: boolean): void {
    if ([...this.#waiting, ...this.#tried].some(({host, port}) => host === at.host && port === at.port))
      return
    this.#count++
    if (this.#waiting.length + this.#tried.length < MOST) this.#waiting.push(at)
    else if (isAnswer) this.#replaceOne(at)
    if (!this.#isTrying) void this.#tryAll()
  }

  /** By reservoir sampling: the n-th takes a place with the chance places/n. */
  #replaceOne(at: Endpoint): void {
    const {length} = this.#waiting
    if (this.#random() < length / (this.#count - this.#tried.length)) this.#waiting[this.#anyIndex()] = at
  }

  async #tryAll(): Promise<void> {
    this.#isTrying = true
    try {
      while (this.#waiting.length > 0) {
        const [at] = this.#waiting.splice(this.#anyIndex(), 1)
        if (!at) return
        this.#tried.push(at)
        await this.#try(at)
      }
    } finally {
      this.#isTrying = false
    }
  }

  #anyIndex(): number {
    return Math.floor(this.#random() * this.#waiting.length)
  }
}
