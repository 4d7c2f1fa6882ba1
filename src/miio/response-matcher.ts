/** Decides which datagrams from a plug's address answer a request (docs/protocol.md §1.6 and §2). Every other datagram is dropped. */
import type {Clock, Random} from '../common/clock.ts'
import type {ClockSample} from './device-clock.ts'
import {parseResponse, UnreadableResponse} from './json-repair.ts'
import type {Link} from './link.ts'
import {
  badTokenError,
  isTransient,
  type MiioError,
  otherDeviceError,
  type RequestLog,
  refusedError,
} from './miio-error.ts'
import {ChecksumMismatch, type Cipher, MalformedPacket, type Packet, parsePacket} from './packet.ts'
import type {RequestStats, ResponseTime} from './stats.ts'

/** What requests to one plug share. */
export interface PlugConnection {
  readonly clock: Clock
  readonly random: Random
  readonly cipher: Cipher
  /** Message ids for requests. */
  readonly ids: {next(): number}
  readonly stats: RequestStats
  readonly responseTime: ResponseTime
  /** The device id that must answer; `undefined` while it is not known. */
  did: number | undefined
  /** Called for every answer that token and message id prove, also for a refusal. */
  readonly onAuthenticated: (sample: ClockSample) => void
}

/** A hello reply. Nothing proves it. */
export interface HelloResponse {
  kind: 'hello'
  did: number
  /** Seconds since the plug's boot. */
  uptime: number
  /** The plug is not set up yet, and shows its token to everyone. */
  revealsToken: boolean
}

export type ResponseEvent =
  | HelloResponse
  | {kind: 'result'; result: unknown}
  /** Ends the try, not the request. */
  | {kind: 'failure'; error: MiioError}

/** A datagram from the right address that answers nothing. `message` says what it was. */
class Unwanted extends Error {}

/** Matches the datagrams of one link with the request under way. */
export class ResponseMatcher {
  readonly #link: Link
  readonly #plug: PlugConnection
  readonly #method: string
  readonly #log: RequestLog
  /** The requests not answered yet, by message id. A late answer to an earlier try answers the same request. */
  readonly #pending = new Map<number, {did: number; head: Buffer; at: number}>()
  #latestId = 0
  /** Whether a hello was sent in this try. At any other time a hello reply is dropped. */
  awaitsHello = false

  constructor(link: Link, plug: PlugConnection, method: string, log: RequestLog) {
    this.#link = link
    this.#plug = plug
    this.#method = method
    this.#log = log
  }

  /** From now on an answer of the plug `did` with this message id counts. @param request the packet that is sent */
  expect(id: number, did: number, request: Buffer): void {
    this.#pending.set(id, {did, head: request.subarray(0, 16), at: this.#plug.clock.now()})
    this.#latestId = id
  }

  /** @returns `undefined` for a datagram that does not count. @throws MiioError when a proven answer ends the request */
  match(datagram: Buffer): ResponseEvent | undefined {
    try {
      const packet = parsePacket(datagram)
      if (packet.kind === 'hello_reply') return this.#helloReply(packet)
      if (packet.kind === 'message') return this.#message(packet)
      if (packet.kind === 'nak') this.#nak(datagram)
      throw new Unwanted('a hello')
    } catch (error) {
      return this.#drop(error)
    }
  }

  /** Nothing proves a hello reply: its stamp is tried, and its device id believed once an answer under our token has it. */
  #helloReply({did, stamp, revealsToken}: Packet & {kind: 'hello_reply'}): HelloResponse {
    if (!this.awaitsHello) throw new Unwanted('a hello reply without a hello')
    const expected = this.#plug.did
    if (expected !== undefined && expected !== did)
      this.#noteUnproven(otherDeviceError(this.#link.where, expected, did))
    this.#log.helloReplies++
    this.#link.absences = 0
    return {kind: 'hello', did, uptime: stamp, revealsToken}
  }

  /**
   * A NAK has the device id, stamp and length of one of our requests (§1.6 step 7). All three can be guessed, so that a NAK proves
   * nothing: the answer may be right behind it.
   */
  #nak(datagram: Buffer): never {
    const head = datagram.subarray(0, 16)
    const isOurs = [...this.#pending.values()].some((request) => request.head.equals(head))
    if (!isOurs) throw new Unwanted('a "checksum wrong" that belongs to no request')
    this.#noteUnproven(badTokenError(this.#link.where))
  }

  /** Notes what an unproven packet claims, and drops the packet: the waiting goes on. */
  #noteUnproven(error: MiioError): never {
    error.provenBefore = this.#plug.stats.lastSeen !== undefined
    this.#log.unproven = error
    throw new Unwanted(error.message)
  }

  #message(packet: Packet & {kind: 'message'}): ResponseEvent {
    const {stats, cipher, clock} = this.#plug
    const {reply, repairs} = parseResponse(cipher.open(packet))
    const id = reply.id ?? 0
    const request = this.#pending.get(id)
    if (!request) throw new Unwanted(`an answer to ${reply.id ?? 'no id'}, which is not open`)
    if (packet.did !== request.did) throw new Unwanted(`an answer of device ${packet.did}`)
    this.#pending.delete(id) // the same answer once more is dropped
    stats.repairs += repairs.length
    this.#authenticated({did: packet.did, stamp: packet.stamp, at: clock.now()}, request.at)
    return reply.error ? this.#refused(id, reply.error) : {kind: 'result', result: reply.result}
  }

  #authenticated(sample: ClockSample, askedAt: number): void {
    const {stats, responseTime} = this.#plug
    this.#link.clockSample = sample
    stats.answered(sample.at - askedAt, sample.at)
    responseTime.answered(sample.at - askedAt)
    this.#plug.onAuthenticated(sample)
  }

  #refused(id: number, reason: {code: number; message: string}): ResponseEvent {
    const error = refusedError(this.#link.where, this.#method, reason)
    if (!isTransient(reason)) throw error
    if (id !== this.#latestId) throw new Unwanted('a late "not now"') // the newer request is still under way
    return {kind: 'failure', error}
  }

  #drop(error: unknown): undefined {
    const isWorthless =
      error instanceof MalformedPacket || error instanceof UnreadableResponse || error instanceof Unwanted
    if (!isWorthless) throw error
    this.#plug.stats.dropped++
    this.#log.dropped++
    this.#log.lastDropped = error.message
    this.#log.checksumFailed ||= error instanceof ChecksumMismatch
    this.#log.unreadable ||= error instanceof UnreadableResponse
  }
}
