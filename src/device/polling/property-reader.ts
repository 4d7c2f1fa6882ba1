/**
 * Reads properties of a plug and applies the answers to its state. The relay comes first, the rest in as few requests as the firmware
 * can handle. A request that fails is halved until every readable property is read and the one to blame stands alone. The relay is
 * never left out (docs/architecture.md, "Why it is built like this").
 */
import type {EventEmitter} from 'node:events'
import {type Clock, sleep, type Timer} from '../../common/clock.ts'
import type {Model} from '../../models/model.ts'
import {
  buildRead,
  buildReads,
  type DecodedResponse,
  decodeResponse,
  type ReadRequest,
} from '../codec/property-codec.ts'
import {isCallFailure, isRefusal, isRequestFailure} from '../command-error.ts'
import type {ModelResolver} from '../model-resolver.ts'
import {expired, type RequestQueue} from '../request-queue.ts'
import type {DeviceState, ReadResult, StateEvents} from '../state/device-state.ts'
import {ONCE, type Transport} from '../transport.ts'
import type {AvailabilityTracker} from './availability.ts'
import type {FailureTracker, FirmwareCapabilities} from './firmware-capabilities.ts'

export interface PropertyReaderOptions {
  clock: Clock
  transport: Transport
  queue: RequestQueue
  resolver: ModelResolver
  state: DeviceState
  availability: AvailabilityTracker
  failures: FailureTracker
  events: Pick<EventEmitter<StateEvents>, 'emit'>
}

/** Reads properties of one plug, for polls and for callers that wait. */
export class PropertyReader {
  readonly #options: PropertyReaderOptions

  constructor(options: PropertyReaderOptions) {
    this.#options = options
  }

  /**
   * Reads `names` with the lowest priority.
   * @param signal once aborted, nothing further is requested, and what was not read stays as it was
   * @throws the transport's error when not even the relay could be read
   */
  async poll(names: readonly string[], signal: AbortSignal): Promise<void> {
    const read = new BatchRead(this.#options, 'poll', signal)
    try {
      const results = await read.run(names)
      this.#options.state.applyReadings(results, signal.aborted ? [] : names, true)
    } finally {
      read.end()
    }
  }

  /**
   * Reads `names` before all polls. The whole read is one exchange for the availability, however many requests it takes.
   * @param deadline when to give up, in ms of the clock: called whenever the turn of a request has come
   * @throws the transport's error when not even the relay could be read; CommandError `expired` when it is too late to begin
   */
  async read(names: readonly string[], deadline?: () => number): Promise<void> {
    const {state, availability} = this.#options
    const read = new BatchRead(this.#options, 'read', undefined, deadline)
    try {
      state.applyReadings(await read.run(names), names, false)
    } catch (error) {
      if (!isRefusal(error)) availability.requestFailed(error, read.begun)
      throw error
    }
    availability.requestAnswered()
  }
}

/** A decoded answer, with its place among the requests. */
type Answer = ReadResult & DecodedResponse

/** When a poll takes longer than this, because of pauses or of failing requests, the state of the relay is shown before its end. */
const EARLY_MS = 1000
/**
 * A request that was lost looks like one that the firmware fails at. So many others, each sent once, must be answered right after it
 * before the firmware is blamed: where a third of all datagrams is lost, that happens one time in eight, and three strikes hardly ever.
 */
const PROOFS = 3
/** The plug itself reports that there is nothing to read: not readable, no such property (docs/protocol.md §1.8). */
const NEVER: ReadonlySet<number | undefined> = new Set([-4001, -4003])

/** One poll, one read-back after a command, or one `get`. */
class BatchRead {
  readonly #options: PropertyReaderOptions
  readonly #model: Model
  /** Those of the firmware at the beginning: what is found out belongs to it, even if the plug reports another meanwhile. */
  readonly #capabilities: FirmwareCapabilities
  readonly #priority: 'poll' | 'read'
  readonly #signal: AbortSignal | undefined
  readonly #deadline: (() => number) | undefined
  readonly #relay: string
  readonly #answers: Answer[] = []
  /** When the first request was sent, in ms of the clock. */
  begun: number | undefined
  /** Shows the relay of a plug whose first poll takes long. */
  #early: Timer | undefined
  /** The plug does not even answer for its relay any more. */
  #isGone = false
  /** How many requests for a single property failed. */
  #failures = 0

  constructor(
    options: PropertyReaderOptions,
    priority: 'poll' | 'read',
    signal?: AbortSignal,
    deadline?: () => number,
  ) {
    this.#options = options
    this.#priority = priority
    this.#signal = signal
    this.#deadline = deadline
    this.#model = options.resolver.requireModel()
    this.#capabilities = options.resolver.capabilities
    this.#relay = Object.keys(this.#model.properties)[0] ?? ''
  }

  /**
   * Requests `names`, one request after the other, and each that failed lately alone. Properties that failed are in no answer.
   * @throws the transport's error when not even the first property could be read: then the plug is away, or is no such plug
   */
  async run(names: readonly string[]): Promise<readonly Answer[]> {
    const {failures} = this.#options
    const {unsupported, batch} = this.#capabilities
    const wanted = unsupported.size === 0 ? names : names.filter((name) => !unsupported.has(name))
    const failing = wanted.filter((name) => failures.has(name))
    const [first, ...others] = buildReads(this.#model, failures.without(wanted), batch)
    if (first) await this.#readFirst(first)
    for (const read of others) await this.#readOrDivide(read)
    await this.#readInParts(failing, 1)
    return this.#answers
  }

  /** Ends what is left of the read. */
  end(): void {
    this.#early?.cancel()
  }

  /** The request with the relay decides over the whole read: when it fails, the relay is requested alone. */
  async #readFirst(read: ReadRequest): Promise<void> {
    try {
      await this.#read(read)
    } catch (error) {
      if (!isRequestFailure(error) || !this.#isDivisible(read)) throw error
      const [first, ...others] = read.properties
      if (first !== this.#relay || this.#signal?.aborted) throw error
      const isProven = await this.#isWell()
      if (this.#isGone) throw error
      await this.#divide(others, read.params.length, isProven)
    }
  }

  /** Reads as many properties of a request as possible, in smaller requests if necessary. @throws programming errors only */
  async #readOrDivide(read: ReadRequest): Promise<void> {
    if (this.#isOver) return
    try {
      await this.#read(read)
    } catch (error) {
      if (!isCallFailure(error)) throw error
      this.#isGone = !isRequestFailure(error)
      const isProven = !this.#isOver && (await this.#isWell())
      if (this.#isOver) return
      if (this.#isDivisible(read)) await this.#divide(read.properties, read.params.length, isProven)
      else this.#blame(read.properties, isProven)
    }
  }

  /** A property with a value works, one with an error code harms no other. Those without either are requested again, alone. */
  async #read(read: ReadRequest): Promise<void> {
    const {properties, params} = read
    const {failed} = await this.#request(read)
    const {failures} = this.#options
    const silent = properties.filter((name) => failed.has(name) && failed.get(name) === undefined)
    for (const name of properties) {
      if (!failed.has(name)) this.#capabilities.markSupported(name)
      if (NEVER.has(failed.get(name))) this.#strike(name)
      else if (!silent.includes(name)) failures.clear(name)
    }
    if (silent.length === 0) failures.clearSize(params.length)
    else if (this.#isDivisible(read)) await this.#readOneByOne(silent, params.length)
    else this.#blame(silent, await this.#isWell())
  }

  /** Some firmware answers the first few items of many, and drops the others (python-miio#861). */
  async #readOneByOne(silent: readonly string[], requested: number): Promise<void> {
    const before = this.#failures
    await this.#readInParts(silent, 1)
    if (this.#failures === before) this.#strikeSize(requested, requested - silent.length)
  }

  /**
   * When all parts are answered, the request had too many values; else the property to blame is found in one of the parts.
   * @param requested how many values the request had: fewer than names, where two of those are read from one value
   */
  async #divide(names: readonly string[], requested: number, isProven: boolean): Promise<void> {
    const before = this.#failures
    await this.#readInParts(names, Math.ceil(requested / 2))
    if (isProven && this.#failures === before) this.#strikeSize(requested, Math.ceil(requested / 2))
  }

  #strikeSize(requested: number, answered: number): void {
    const {failures} = this.#options
    if (!this.#isOver && failures.strikeSize(requested)) this.#capabilities.limitBatch(answered)
  }

  async #readInParts(names: readonly string[], size: number): Promise<void> {
    for (const read of buildReads(this.#model, names, size)) await this.#readOrDivide(read)
  }

  #blame(names: readonly string[], isProven: boolean): void {
    this.#failures++
    if (isProven) for (const name of names) this.#strike(name)
  }

  /** The relay is requested whatever happens: a plug without it is no plug. */
  #strike(name: string): void {
    const {failures, events} = this.#options
    if (name === this.#relay || !failures.strike(name) || !this.#capabilities.markUnsupported(name)) return
    failures.clear(name)
    events.emit(
      'warning',
      `the firmware fails at requests for ${name}: this property is not requested any more`,
    )
    events.emit('metadataChanged')
  }

  get #isOver(): boolean {
    return this.#isGone || this.#signal?.aborted === true
  }

  /** Whether the plug answers for its relay time and again, without a lost datagram: only then its firmware is to blame for a failure. */
  async #isWell(): Promise<boolean> {
    const proof = buildRead(this.#model, this.#relay)
    this.#isGone = !(await this.#hasRelay(proof))
    for (let proofs = 0; proofs < PROOFS; proofs++)
      if (this.#isOver || !(await this.#hasRelay(proof, ONCE))) return false
    return !this.#isOver
  }

  async #hasRelay(proof: ReadRequest, tries?: number): Promise<boolean> {
    try {
      const {failed} = await this.#request(proof, tries)
      return !failed.has(this.#relay)
    } catch (error) {
      if (isCallFailure(error)) return false
      throw error
    }
  }

  /** Whether it asks for several values, and could ask for fewer. */
  #isDivisible({method, params}: ReadRequest): boolean {
    if (params.length < 2) return false
    return method === 'get_properties' || (method === 'get_prop' && !this.#model.exactList)
  }

  /** Sends one request through the queue. @throws the transport's error */
  async #request(read: ReadRequest, tries?: number): Promise<Answer> {
    const {clock, queue, transport, resolver, state} = this.#options
    const signal = this.#signal
    const {method, params} = read
    const answer = await queue[this.#priority](async () => {
      const deadline = this.#deadline?.()
      if (this.begun === undefined && deadline !== undefined && deadline <= clock.now()) throw expired()
      this.begun ??= clock.now()
      const request = state.nextRequest()
      const response = await transport.call(method, params, {tries, signal, deadline})
      if (method === 'miIO.info') resolver.applyInfo(response)
      return {request, ...decodeResponse(response, read, this.#model)}
    })
    state.markSeen()
    if (this.#priority === 'poll') this.#showEarly(answer)
    if (this.#model.pause !== undefined) await sleep(clock, this.#model.pause, signal)
    this.#answers.push(answer)
    return answer
  }

  /** A plug that reports its relay is online. When the rest of its first poll takes long, that is shown before the end of the poll. */
  #showEarly(answer: Answer): void {
    const {clock, state, availability} = this.#options
    if (availability.isOnline || !(this.#relay in answer.raw)) return
    this.#early ??= clock.after(EARLY_MS, () => {
      state.applyReadings([answer], [], false)
      availability.pollSucceeded()
    })
  }
}
