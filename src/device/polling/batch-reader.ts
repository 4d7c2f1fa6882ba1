/**
 * How a poll asks: the relay first, the rest in as few requests as the firmware puts up with. A request that fails is halved
 * until everything that can be had is there and what is to blame stands alone (contract §5). The relay is never lost with it.
 */
import type {Model} from '../../models/model.ts'
import {buildRead, buildReads, type DecodedResponse, type ReadRequest} from '../codec/property-codec.ts'
import {isAboutTheQuestion, isCallFailure} from '../command-error.ts'
import type {FailureTracker} from './failure-tracker.ts'
import type {FirmwareCapabilities} from './firmware-capabilities.ts'

export interface BatchReaderOptions<A extends DecodedResponse> {
  model: Model
  tolerance: FirmwareCapabilities
  suspicion: FailureTracker
  /** Puts a question to the plug, as often as usual or `tries` times. Rejects with the transport's error. */
  ask: (read: ReadRequest, tries?: number) => Promise<A>
  /** Whether somebody more important waits: then nothing further is asked. */
  gaveWay: () => boolean
  /** A property will not be asked any more. */
  onLeftOut: (name: string) => void
}

/**
 * A question that was lost looks like one the firmware chokes on. So many others, each sent once, must come through right after
 * it before it is blamed: where a third of all datagrams is lost, that happens one time in eight, and three strikes hardly ever.
 */
const PROOFS = 3
/** The plug says itself that there is nothing to ask for: not readable, no such thing (docs/protocol.md §1.8). */
const NEVER: ReadonlySet<number | undefined> = new Set([-4001, -4003])

/** One poll, command's read-back, or `get`. */
export class BatchReader<A extends DecodedResponse> {
  readonly #options: BatchReaderOptions<A>
  readonly #relay: string
  readonly #answers: A[] = []
  /** It does not answer even for its relay any more. */
  #isGone = false
  /** Questions for a single property that came to nothing. */
  #failures = 0

  constructor(options: BatchReaderOptions<A>) {
    this.#options = options
    this.#relay = Object.keys(options.model.properties)[0] ?? ''
  }

  /**
   * Asks for `names`, one request after the other, and for each that is under suspicion alone. What failed is in no answer.
   * @throws the transport's error when not even the first property could be read: then the plug is away, or is no such plug
   */
  async read(names: readonly string[]): Promise<readonly A[]> {
    const {model, tolerance, suspicion} = this.#options
    const {unsupported} = tolerance
    const wanted = unsupported.size === 0 ? names : names.filter((name) => !unsupported.has(name))
    const suspects = wanted.filter((name) => suspicion.has(name))
    const [first, ...others] = buildReads(model, suspicion.without(wanted), tolerance.batch)
    if (first) await this.#first(first)
    for (const read of others) await this.#resolve(read)
    await this.#inParts(suspects, 1)
    return this.#answers
  }

  /** The request with the relay in it decides over all: when it fails, the relay is asked alone. */
  async #first(read: ReadRequest): Promise<void> {
    try {
      await this.#ask(read)
    } catch (error) {
      if (!isAboutTheQuestion(error) || !this.#isDivisible(read)) throw error
      const [first, ...others] = read.properties
      if (first !== this.#relay || this.#options.gaveWay()) throw error
      const isProven = await this.#isWell()
      if (this.#isGone) throw error
      await this.#divide(others, read.params.length, isProven)
    }
  }

  /** Gets out of a request what it can, in smaller ones if need be. Rejects with nothing but our own mistakes. */
  async #resolve(read: ReadRequest): Promise<void> {
    if (this.#isOver) return
    try {
      await this.#ask(read)
    } catch (error) {
      if (!isCallFailure(error)) throw error
      this.#isGone = !isAboutTheQuestion(error)
      const isProven = !this.#isOver && (await this.#isWell())
      if (this.#isOver) return
      if (this.#isDivisible(read)) await this.#divide(read.properties, read.params.length, isProven)
      else this.#blame(read.properties, isProven)
    }
  }

  async #ask(read: ReadRequest): Promise<void> {
    const answer = await this.#options.ask(read)
    this.#answers.push(answer)
    await this.#judge(read, answer)
  }

  /** What has a value works, and what has a code harms nothing. What nothing is said of is asked again, alone. */
  async #judge(read: ReadRequest, {failed}: DecodedResponse): Promise<void> {
    const {properties, params} = read
    const {tolerance, suspicion} = this.#options
    const silent = properties.filter((name) => failed.has(name) && failed.get(name) === undefined)
    for (const name of properties) {
      if (!failed.has(name)) tolerance.markSupported(name)
      if (NEVER.has(failed.get(name))) this.#strike(name)
      else if (!silent.includes(name)) suspicion.clear(name)
    }
    if (silent.length === 0) suspicion.fits(params.length)
    else if (this.#isDivisible(read)) await this.#oneByOne(silent, params.length)
    else this.#blame(silent, await this.#isWell())
  }

  /** Some firmware answers the first few items of many, and drops the others (python-miio#861). */
  async #oneByOne(silent: readonly string[], asked: number): Promise<void> {
    const before = this.#failures
    await this.#inParts(silent, 1)
    if (this.#failures === before) this.#tooMany(asked, asked - silent.length)
  }

  /**
   * When all the parts are answered, it was their number; else what is to blame is found in one of them.
   * @param asked how many values the request asked for: fewer than names, where two of those are told by one
   */
  async #divide(names: readonly string[], asked: number, isProven: boolean): Promise<void> {
    const before = this.#failures
    await this.#inParts(names, Math.ceil(asked / 2))
    if (isProven && this.#failures === before) this.#tooMany(asked, Math.ceil(asked / 2))
  }

  #tooMany(asked: number, enough: number): void {
    const {tolerance, suspicion} = this.#options
    if (!this.#isOver && suspicion.strikeSize(asked)) tolerance.limitBatch(enough)
  }

  async #inParts(names: readonly string[], size: number): Promise<void> {
    for (const read of buildReads(this.#options.model, names, size)) await this.#resolve(read)
  }

  #blame(names: readonly string[], isProven: boolean): void {
    this.#failures++
    if (isProven) for (const name of names) this.#strike(name)
  }

  /** Without its relay a plug is no plug: that is asked for whatever happens. */
  #strike(name: string): void {
    const {tolerance, suspicion, onLeftOut} = this.#options
    if (name === this.#relay || !suspicion.strike(name) || !tolerance.markUnsupported(name)) return
    suspicion.clear(name)
    onLeftOut(name)
  }

  get #isOver(): boolean {
    return this.#isGone || this.#options.gaveWay()
  }

  /** Only the plug that tells its relay time and again, without a datagram lost, has itself to blame for what it does not tell. */
  async #isWell(): Promise<boolean> {
    const proof = buildRead(this.#options.model, this.#relay)
    this.#isGone = !(await this.#tells(proof))
    for (let proofs = 0; proofs < PROOFS; proofs++)
      if (this.#isOver || !(await this.#tells(proof, 1))) return false
    return !this.#isOver
  }

  async #tells(proof: ReadRequest, tries?: number): Promise<boolean> {
    try {
      const answer = await this.#options.ask(proof, tries)
      this.#answers.push(answer)
      return !answer.failed.has(this.#relay)
    } catch (error) {
      if (isCallFailure(error)) return false
      throw error
    }
  }

  /** Whether it asks for several values, and could ask for fewer. */
  #isDivisible({method, params}: ReadRequest): boolean {
    if (params.length < 2) return false
    return method === 'get_properties' || (method === 'get_prop' && !this.#options.model.exactList)
  }
}
