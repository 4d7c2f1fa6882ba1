/**
 * Receives the responses to one request: decides which datagrams from a plug's address belong to it (docs/protocol.md §1.6 and §2), and
 * drops every other.
 */
import type {Clock, Random, Timer} from '../common/clock.ts'
import {parseResponse, UnreadableResponse} from './json-repair.ts'
import type {Link, LinkReceiver} from './link.ts'
import {
  badTokenError,
  isTransient,
  type MiioError,
  otherPlugError,
  RequestLog,
  refusedError,
} from './miio-error.ts'
import {
  ChecksumMismatch,
  type Cipher,
  HEADER_BYTES,
  MalformedPacket,
  type Packet,
  parsePacket,
} from './packet.ts'
import type {ClockSample, RequestStats} from './plug-timing.ts'

/** Shared by all requests to one plug. */
export interface PlugContext {
  readonly clock: Clock
  readonly random: Random
  readonly cipher: Cipher
  /** Message ids for requests. */
  readonly ids: {next(): number}
  readonly stats: RequestStats
  /** The device id that must respond; `undefined` while it is not known. */
  did: number | undefined
  /** Called for every response that token and message id prove, also for a refusal. */
  readonly onAuthenticated: (sample: ClockSample) => void
}

/** What a datagram that counts brings. */
export type ResponseEvent =
  /** A hello reply. Nothing proves it. */
  | {kind: 'hello'; sample: ClockSample}
  | {kind: 'result'; result: unknown}
  /** `isFinal`: ends the request; else only the try. */
  | {kind: 'failure'; error: MiioError; isFinal?: boolean}

interface SentRequest {
  id: number
  did: number
  /** The first 16 bytes of the packet. */
  head: Buffer
  /** In ms of the clock. */
  at: number
  isAnswered: boolean
}

/** Upper bound against a flood of forged hello replies. */
const MAX_EVENTS = 16

/** A datagram from the right address that belongs to no request. `message` says what it was. */
class Unwanted extends Error {}

/** The responses to one request with all its tries, one after the other. */
export class ResponseReceiver implements LinkReceiver {
  /** What happened so far, for the error at the end. */
  readonly log = new RequestLog()
  /** Gets the failures of this request's own datagrams, however late: never those of the request before. */
  readonly onSent = (error?: MiioError): void => {
    if (error) this.failed(error, false)
  }
  readonly #link: Link
  readonly #context: PlugContext
  readonly #method: string
  /** In the order they were sent. A late response to an earlier try responds to the same request. */
  readonly #sent: SentRequest[] = []
  #events: ResponseEvent[] = []
  /** Ends the wait that is under way. */
  #wake: (() => void) | undefined
  #awaitsHello = false

  constructor(link: Link, context: PlugContext, method: string) {
    this.#link = link
    this.#context = context
    this.#method = method
  }

  /** Whether a hello was sent in this try. At any other time a hello reply is dropped. */
  set awaitsHello(awaitsHello: boolean) {
    if (awaitsHello === this.#awaitsHello) return
    this.#awaitsHello = awaitsHello
    this.#events = this.#events.filter(({kind}) => kind !== 'hello')
  }

  /** From now on a response of the plug `did` with this message id counts. @param request the packet that is sent */
  expect(id: number, did: number, request: Buffer): void {
    const {clock, stats} = this.#context
    this.#sent.push({id, did, head: request.subarray(0, 16), at: clock.now(), isAnswered: false})
    stats.requests++
    if (this.log.requests++ > 0) stats.retries++
    this.log.bytes = Math.max(this.log.bytes, request.length - HEADER_BYTES)
  }

  received(datagram: Buffer): void {
    const event = this.#match(datagram)
    if (!event || this.#events.length >= MAX_EVENTS) return
    this.#events.push(event)
    this.#wake?.()
  }

  failed(error: MiioError, isFinal: boolean): void {
    this.#events.unshift({kind: 'failure', error, isFinal})
    this.#wake?.()
  }

  /**
   * The next event, or `undefined` when there was none until `until` (ms of the clock) or `signal` was aborted. A wait without a signal
   * adds no listener: ten thousand silent plugs do little else than wait. Never rejects.
   */
  next(until: number, signal?: AbortSignal): Promise<ResponseEvent | undefined> {
    const {clock} = this.#context
    const ms = until - clock.now()
    return new Promise((resolve) => {
      if (this.#events.length > 0 || ms <= 0 || signal?.aborted) return resolve(this.#events.shift())
      let timer: Timer | undefined
      const wake = () => {
        this.#wake = undefined
        timer?.cancel()
        signal?.removeEventListener('abort', wake)
        resolve(this.#events.shift())
      }
      const timedOut = () => this.#link.afterArrived(() => this.#wake === wake && wake())
      if (ms < Number.POSITIVE_INFINITY) timer = clock.after(ms, timedOut)
      signal?.addEventListener('abort', wake)
      this.#wake = wake
    })
  }

  /** @returns `undefined` for a datagram that does not count */
  #match(datagram: Buffer): ResponseEvent | undefined {
    try {
      const packet = parsePacket(datagram)
      if (packet.kind === 'message') return this.#message(packet)
      if (packet.kind === 'hello_reply') return this.#helloReply(packet)
      if (packet.kind === 'nak') this.#nak(datagram)
      throw new Unwanted('a hello')
    } catch (error) {
      const isDropped =
        error instanceof MalformedPacket || error instanceof UnreadableResponse || error instanceof Unwanted
      if (!isDropped) throw error
      this.log.dropped++
      this.log.lastDropped = error.message
      this.log.checksumFailed ||= error instanceof ChecksumMismatch
      this.log.unreadable ||= error instanceof UnreadableResponse
      return undefined
    }
  }

  /** Nothing proves a hello reply: its stamp is tried, and its device id believed once a response under our token has it. */
  #helloReply({did, stamp}: Packet & {kind: 'hello_reply'}): ResponseEvent {
    if (!this.#awaitsHello) throw new Unwanted('a hello reply without a hello')
    const expected = this.#context.did
    if (expected !== undefined && expected !== did)
      this.#noteUnproven(otherPlugError(this.#link.where, expected, did))
    this.log.helloReplies++
    this.#link.callsWithoutHello = 0
    return {kind: 'hello', sample: {did, stamp, at: this.#context.clock.now()}}
  }

  /**
   * A NAK has the device id, stamp and length of one of our requests (§1.6 step 7). All three can be guessed, so that a NAK proves
   * nothing: the response may be right behind it.
   */
  #nak(datagram: Buffer): never {
    const head = datagram.subarray(0, 16)
    if (!this.#sent.some((request) => !request.isAnswered && request.head.equals(head)))
      throw new Unwanted('a "checksum wrong" that belongs to no request')
    this.#noteUnproven(badTokenError(this.#link.where))
  }

  /** Notes what an unproven packet claims, and drops the packet: the waiting goes on. */
  #noteUnproven(error: MiioError): never {
    error.provenBefore = this.#context.stats.lastSeen !== undefined
    this.log.unproven = error
    throw new Unwanted(error.message)
  }

  #message(packet: Packet & {kind: 'message'}): ResponseEvent {
    const {stats, cipher, clock, onAuthenticated} = this.#context
    const {id, result, error} = parseResponse(cipher.open(packet)).response
    const request = this.#sent.find((sent) => sent.id === id)
    if (!request || request.isAnswered) throw new Unwanted(`an answer to ${id ?? 'no id'}, which is not open`)
    if (packet.did !== request.did) throw new Unwanted(`an answer of device ${packet.did}`)
    request.isAnswered = true // the same response once more is dropped
    const sample = {did: packet.did, stamp: packet.stamp, at: clock.now()}
    this.#link.clockSample = sample
    stats.responded(sample.at - request.at, sample.at)
    onAuthenticated(sample)
    if (!error) return {kind: 'result', result}
    const isFinal = !isTransient(error)
    if (!isFinal && request !== this.#sent.at(-1)) throw new Unwanted('a late "not now"') // the newer request is still under way
    return {kind: 'failure', error: refusedError(this.#link.where, this.#method, error), isFinal}
  }
}
