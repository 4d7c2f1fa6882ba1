/**
 * Reads properties of a plug and applies the responses to its state. The relay comes first, the rest in as few requests as the firmware
 * can handle. A request that fails is halved until every readable property is read and the failing one stands alone. The relay is
 * never left out (docs/architecture.md, "Why it is built like this").
 */
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
import type {Emitter} from '../emitter.ts'
import type {ModelResolver} from '../model-resolver.ts'
import {expired, type RequestQueue} from '../request-queue.ts'
import type {DeviceState, ReadResult, StateEvents} from '../state/device-state.ts'
import {ONCE, type Transport} from '../transport.ts'
import type {AvailabilityTracker} from './availability.ts'
import type {FailureTracker, FirmwareCapabilities} from './firmware-capabilities.ts'

/** The parts of one device that reads and commands need. */
export interface DeviceParts {
  clock: Clock
  transport: Transport
  queue: RequestQueue
  resolver: ModelResolver
  state: DeviceState
  availability: AvailabilityTracker
  failures: FailureTracker
  events: Emitter<StateEvents>
}

/**
 * Reads `names` with the lowest priority.
 * @param signal once aborted, nothing further is requested, and what was not read stays as it was
 * @throws the transport's error when not even the relay could be read
 */
export async function pollProperties(
  parts: DeviceParts,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const responses = await new BatchRead(parts, 'poll', signal).run(names)
  parts.state.applyReadings(responses, signal.aborted ? [] : names, true)
}

/**
 * Reads `names` before all polls. The whole read is one exchange for the availability, however many requests it takes.
 * @param deadline when to give up, in ms of the clock: called whenever the turn of a request has come
 * @throws the transport's error when not even the relay could be read; CommandError `expired` when it is too late to begin
 */
export async function readProperties(
  parts: DeviceParts,
  names: readonly string[],
  deadline?: () => number,
): Promise<void> {
  const {state, availability} = parts
  const read = new BatchRead(parts, 'read', undefined, deadline)
  try {
    state.applyReadings(await read.run(names), names, false)
  } catch (error) {
    if (!isRefusal(error)) availability.requestFailed(error, read.startedAt, read.lastDeadline)
    throw error
  }
  availability.requestAnswered()
}

/** A decoded response with the number of its request. */
type NumberedResponse = ReadResult & DecodedResponse

/** When a poll takes longer than this, because of pauses or of failing requests, the state of the relay is shown before its end. */
const EARLY_MS = 1000
/**
 * A lost datagram and a failure of the firmware look the same. After a failure the relay is read so many times without retries; only if
 * all of them are answered does the failure count against the firmware: where a third of all datagrams is lost, that happens one time
 * in eight, and hardly ever so often in a row that the firmware counts as unable (`FAILURES_UNTIL_UNSUPPORTED`).
 */
const PROOFS = 3
/** The plug itself reports that there is nothing to read: not readable, no such property (docs/protocol.md §1.8). */
const NEVER: ReadonlySet<number | undefined> = new Set([-4001, -4003])

/** One poll, one read-back after a command, or one `get`. */
class BatchRead {
  /** When the first request was sent, in ms of the clock. */
  startedAt: number | undefined
  /** The deadline of the last request. */
  lastDeadline: number | undefined
  readonly #parts: DeviceParts
  readonly #model: Model
  /** Those of the firmware at the beginning: what is found out belongs to it, even if the plug reports another meanwhile. */
  readonly #capabilities: FirmwareCapabilities
  readonly #priority: 'poll' | 'read'
  readonly #signal: AbortSignal | undefined
  readonly #deadline: (() => number) | undefined
  readonly #relay: string
  readonly #responses: NumberedResponse[] = []
  /** Shows the relay of a plug whose first poll takes long. */
  #early: Timer | undefined
  /** The plug does not even answer for its relay any more. */
  #isUnreachable = false
  /** How many requests for a single property failed. */
  #failures = 0

  constructor(parts: DeviceParts, priority: 'poll' | 'read', signal?: AbortSignal, deadline?: () => number) {
    this.#parts = parts
    this.#priority = priority
    this.#signal = signal
    this.#deadline = deadline
    this.#model = parts.resolver.requireModel()
    this.#capabilities = parts.resolver.capabilities
    this.#relay = Object.keys(this.#model.properties)[0] ?? ''
  }

  /**
   * Requests `names`, one request after the other, and each that failed lately alone. Properties that failed are in no response.
   * @throws the transport's error when not even the first property could be read: then the plug is away, or is no such plug
   */
  async run(names: readonly string[]): Promise<readonly NumberedResponse[]> {
    const {failures} = this.#parts
    try {
      if (failures.unanswered) await this.#findOutAboutRestart(failures.unanswered)
      const reliable = failures.without(names)
      const planned = this.#capabilities.planReads(this.#model, reliable)
      const reads = reliable === names ? planned : [...planned, ...this.#singleReads(names)]
      for (const read of reads) await this.#readOrDivide(read, read === planned[0])
      return this.#responses
    } finally {
      this.#early?.cancel()
    }
  }

  /** Requests for those of `names` that failed lately, each alone. */
  #singleReads(names: readonly string[]): readonly ReadRequest[] {
    const {unsupported} = this.#capabilities
    const failing = names.filter((name) => this.#parts.failures.has(name) && !unsupported.has(name))
    return buildReads(this.#model, failing, 1)
  }

  /**
   * The plug did not respond any more after `read`. Its firmware may reboot at such a request, so the plug is asked for its relay alone
   * first, which shows when it booted.
   * @throws the transport's error when the plug does not even respond to that
   */
  async #findOutAboutRestart({read, at}: {read: ReadRequest; at: number}): Promise<void> {
    await this.#request(buildRead(this.#model, this.#relay))
    this.#parts.failures.unanswered = undefined
    if (this.#hasRestarted(at)) this.#recordRestart(read)
  }

  #hasRestarted(since: number): boolean {
    const {bootedAt} = this.#parts.transport
    return bootedAt !== undefined && bootedAt > since
  }

  /** The plug restarted in place of a response to `read`: that has too many values, or a property that the firmware fails at. */
  #recordRestart(read: ReadRequest): void {
    if (this.#isDivisible(read)) this.#recordBatchFailure(read.params.length, 1, true)
    else this.#recordFailures(read.properties, true, true)
  }

  /**
   * Reads as many properties of a request as possible, in smaller requests if necessary.
   * @param isFirst whether it is the request with the relay, which decides over the whole read
   * @throws programming errors; the transport's error when the first request fails, and the relay alone, too
   */
  async #readOrDivide(read: ReadRequest, isFirst = false): Promise<void> {
    if (this.#isEnded && !isFirst) return
    const {clock, failures} = this.#parts
    const at = clock.now()
    try {
      const silent = this.#noteAnswers(read, await this.#request(read))
      if (silent.length > 0) await this.#readSilent(read, silent)
    } catch (error) {
      if (!isCallFailure(error)) throw error
      const isDivisible = this.#isDivisible(read)
      const isOfRelay = read.properties[0] === this.#relay
      this.#isUnreachable = !isRequestFailure(error)
      const isRelayLost = this.#isEnded || !isDivisible || !isOfRelay
      const isProven = !this.#isEnded && !(isFirst && isRelayLost) && (await this.#provesConnection())
      if (this.#isUnreachable && (isDivisible || !isOfRelay)) failures.unanswered = {read, at}
      if (isFirst && (isRelayLost || this.#isUnreachable)) throw error
      if (this.#isEnded) return
      const names = isFirst ? read.properties.slice(1) : read.properties
      if (this.#hasRestarted(at)) {
        this.#recordRestart(read)
        if (isDivisible) await this.#readInParts(names, 1)
      } else if (isDivisible) await this.#divide(names, read.params.length, isProven)
      else this.#recordFailures(names, isProven)
    }
  }

  /**
   * A property with a value works, one with an error code harms no other.
   * @returns the properties without either
   */
  #noteAnswers({properties, params}: ReadRequest, {failed}: DecodedResponse): readonly string[] {
    const {failures} = this.#parts
    const silent: string[] = []
    for (const name of properties) {
      const code = failed.get(name)
      if (failed.has(name) && code === undefined) silent.push(name)
      else if (NEVER.has(code)) this.#recordFailure(name)
      else failures.clear(name)
      if (!failed.has(name)) this.#capabilities.markSupported(name)
    }
    if (silent.length === 0) failures.clearBatch(params.length)
    return silent
  }

  /** Some firmware answers the first few items of many, and drops the others (python-miio#861): those are requested again, alone. */
  async #readSilent(read: ReadRequest, silent: readonly string[]): Promise<void> {
    if (!this.#isDivisible(read)) return this.#recordFailures(silent, await this.#provesConnection())
    const requested = read.params.length
    const before = this.#failures
    await this.#readInParts(silent, 1)
    if (this.#failures === before) this.#recordBatchFailure(requested, requested - silent.length)
  }

  /**
   * When all parts are answered, the request had too many values; else the failing property is found in one of the parts.
   * @param requested how many values the request had: fewer than names, where two of those are read from one value
   */
  async #divide(names: readonly string[], requested: number, isProven: boolean): Promise<void> {
    const before = this.#failures
    await this.#readInParts(names, Math.ceil(requested / 2))
    if (isProven && this.#failures === before) this.#recordBatchFailure(requested, Math.ceil(requested / 2))
  }

  async #readInParts(names: readonly string[], size: number): Promise<void> {
    for (const read of buildReads(this.#model, names, size)) await this.#readOrDivide(read)
  }

  #recordBatchFailure(requested: number, answered: number, hasRestarted = false): void {
    if (!this.#isEnded && this.#parts.failures.recordBatchFailure(requested, hasRestarted))
      this.#capabilities.limitBatch(answered)
  }

  #recordFailures(names: readonly string[], isProven: boolean, hasRestarted = false): void {
    this.#failures++
    if (isProven) for (const name of names) this.#recordFailure(name, hasRestarted)
  }

  /** The relay is requested whatever happens: a plug without it is no plug. */
  #recordFailure(name: string, hasRestarted = false): void {
    const {failures, events} = this.#parts
    if (name === this.#relay || !failures.recordFailure(name, hasRestarted)) return
    if (!this.#capabilities.markUnsupported(name, hasRestarted)) return
    failures.clear(name)
    events.emit(
      'warning',
      `the firmware fails at requests for ${name}: this property is not requested any more`,
    )
    events.emit('metadataChanged')
  }

  get #isEnded(): boolean {
    return this.#isUnreachable || this.#signal?.aborted === true
  }

  /** Requests the relay several times. @returns whether no datagram was lost: only then a failure before was the firmware's */
  async #provesConnection(): Promise<boolean> {
    const proof = buildRead(this.#model, this.#relay)
    this.#isUnreachable = !(await this.#hasRelay(proof))
    for (let proofs = 0; proofs < PROOFS; proofs++)
      if (this.#isEnded || !(await this.#hasRelay(proof, ONCE))) return false
    return !this.#isEnded
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
  async #request(read: ReadRequest, tries?: number): Promise<NumberedResponse> {
    const {clock, queue, transport, resolver, state} = this.#parts
    const signal = this.#signal
    const response = await queue[this.#priority](async () => {
      const deadline = this.#deadline?.()
      if (this.startedAt === undefined && deadline !== undefined && deadline <= clock.now()) throw expired()
      this.startedAt ??= clock.now()
      this.lastDeadline = deadline
      const request = state.nextRequest()
      const result = await transport.call(read.method, read.params, {tries, signal, deadline})
      if (read.method === 'miIO.info') resolver.applyInfo(result)
      return {request, ...decodeResponse(result, read, this.#model)}
    })
    state.markSeen()
    if (this.#priority === 'poll') this.#showEarly(response)
    if (this.#model.pause !== undefined) await sleep(clock, this.#model.pause, signal)
    this.#responses.push(response)
    return response
  }

  /** A plug that reports its relay is online. When the rest of its first poll takes long, that is shown before the end of the poll. */
  #showEarly(response: NumberedResponse): void {
    const {clock, state, availability} = this.#parts
    if (availability.isOnline || !(this.#relay in response.raw)) return
    this.#early ??= clock.after(EARLY_MS, () => {
      state.applyReadings([response], [], false)
      availability.pollSucceeded()
    })
  }
}
