/** Addresses where a lost plug may be, from unproven hello replies: a bounded list, tried one after the other. */
import type {Random} from '../common/clock.ts'
import type {Endpoint} from './socket.ts'

/** Asks for the plug at an address. The promise it returns is awaited before the next address is tried. */
export type TryAddress = (at: Endpoint) => unknown

/** Addresses kept between two broadcasts. A forger of ever new addresses fills no memory, and causes no more hellos than this. */
const MOST = 8

/** The addresses to try for one plug: at most eight between two broadcasts. */
export class CandidateAddresses {
  readonly #tryAddress: TryAddress
  readonly #random: Random
  readonly #waiting: Endpoint[] = []
  /** Addresses tried since the last broadcast: several networks may bring the same reply. */
  readonly #tried: Endpoint[] = []
  /** How many addresses came since the last broadcast. */
  #count = 0
  #isTrying = false

  constructor(tryAddress: TryAddress, random: Random) {
    this.#tryAddress = tryAddress
    this.#random = random
  }

  /** A broadcast is sent: every address seen from now on is worth a new try. */
  renew(): void {
    this.#waiting.length = 0
    this.#tried.length = 0
    this.#count = 0
  }

  /** Ends the search: no further address is tried. */
  stop(): void {
    this.renew()
    this.#count = Number.POSITIVE_INFINITY
  }

  /**
   * A hello reply in the plug's name came from `at`.
   * @param isAnswer whether it may be the answer to our broadcast. When there are too many, each of those has the same chance to
   *   be tried, so that the true one is found sooner or later. A reply at any other time takes only a free place.
   */
  add(at: Endpoint, isAnswer: boolean): void {
    if ([...this.#waiting, ...this.#tried].some(({host, port}) => host === at.host && port === at.port))
      return
    this.#count++
    if (this.#waiting.length + this.#tried.length < MOST) this.#waiting.push(at)
    else if (isAnswer) this.#replaceOne(at)
    if (!this.#isTrying) void this.#tryAll()
  }

  /** Reservoir sampling: the n-th address takes a place with the chance places/n. */
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
        await this.#tryAddress(at)
      }
    } finally {
      this.#isTrying = false
    }
  }

  #anyIndex(): number {
    return Math.floor(this.#random() * this.#waiting.length)
  }
}
