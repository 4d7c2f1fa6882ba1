/** Which datagrams from a plug's address count, and for what (docs/protocol.md §1.6 and §2). Everything else is dropped. */

import type {ClockSample} from './device-clock.ts'
import {isTransient, refusalText} from './error-codes.ts'
import {parseResponse, UnreadableResponse} from './json-repair.ts'
import {MiioError} from './miio-error.ts'
import {ChecksumMismatch, MalformedPacket, type Packet, parsePacket} from './packet.ts'
import type {HelloResponse, RequestDependencies, ResponseEvent} from './request-types.ts'
import type {RequestLog} from './timeout-diagnosis.ts'

/** Came from the right address and still counts for nothing. `message` says what it was. */
class Unwanted extends Error {}

export class ResponseMatcher {
  readonly #asked: RequestDependencies
  readonly #method: string
  readonly #course: RequestLog
  /** The ids not answered yet. A late answer to an earlier try answers the same question. */
  readonly #open = new Map<number, {did: number; head: Buffer; at: number}>()
  #latestId = 0
  /** Whether a hello went out in this try. A hello reply at any other time is none. */
  awaitsHello = false

  constructor(asked: RequestDependencies, method: string, course: RequestLog) {
    this.#asked = asked
    this.#method = method
    this.#course = course
  }

  /** From now on an answer of the plug `did` to `request`, which bears `id`, counts. */
  expect(id: number, did: number, request: Buffer): void {
    this.#open.set(id, {did, head: request.subarray(0, 16), at: this.#asked.clock.now()})
    this.#latestId = id
  }

  /** @returns `undefined` for what does not count. @throws MiioError when a proven answer ends the question */
  match(datagram: Buffer): ResponseEvent | undefined {
    try {
      const packet = parsePacket(datagram)
      if (packet.kind === 'hello_reply') return this.#greeting(packet)
      if (packet.kind === 'message') return this.#message(packet)
      if (packet.kind === 'nak') this.#nak(datagram)
      throw new Unwanted('a hello')
    } catch (error) {
      return this.#drop(error)
    }
  }

  /** Nothing proves a hello reply: its stamp is tried, its device id believed once an answer under our token bears it. */
  #greeting({did, stamp, revealsToken}: Packet & {kind: 'hello_reply'}): HelloResponse {
    if (!this.awaitsHello) throw new Unwanted('a hello reply nobody waited for')
    const {link} = this.#asked
    const known = this.#asked.did()
    if (known !== undefined && known !== did) this.#doubt(anotherDevice(link.where, known, did))
    this.#course.greetings++
    link.absences = 0
    return {kind: 'greeting', did, uptime: stamp, revealsToken}
  }

  /**
   * Device id, stamp and length must be those of a request of ours (§1.6 step 7). All three can be guessed, so that a NAK
   * proves nothing: the answer may be right behind it.
   */
  #nak(datagram: Buffer): never {
    const head = datagram.subarray(0, 16)
    const isOurs = [...this.#open.values()].some((request) => request.head.equals(head))
    if (!isOurs) throw new Unwanted('a "checksum wrong" to nothing we asked')
    this.#doubt(wrongToken(this.#asked.link.where))
  }

  /** Notes what nothing proves, and drops it: the waiting goes on. */
  #doubt(error: MiioError): never {
    error.provenBefore = this.#asked.stats.lastSeen !== undefined
    this.#course.doubt = error
    throw new Unwanted(error.message)
  }

  #message(packet: Packet & {kind: 'message'}): ResponseEvent {
    const {reply, repairs} = parseResponse(this.#asked.cipher.open(packet))
    const id = reply.id ?? 0
    const request = this.#open.get(id)
    if (!request) throw new Unwanted(`an answer to ${reply.id ?? 'no id'}, which is not open`)
    if (packet.did !== request.did) throw new Unwanted(`an answer of device ${packet.did}`)
    this.#open.delete(id) // answered: the same answer once more is none
    this.#asked.stats.repairs += repairs.length
    this.#proved({did: packet.did, stamp: packet.stamp, at: this.#asked.clock.now()}, request.at)
    return reply.error ? this.#refused(id, reply.error) : {kind: 'answer', result: reply.result}
  }

  #proved(reading: ClockSample, askedAt: number): void {
    const {link, stats, roundTrip, onProof} = this.#asked
    link.reading = reading
    stats.answered(reading.at - askedAt, reading.at)
    roundTrip.answered(reading.at - askedAt)
    onProof(reading)
  }

  #refused(id: number, reason: {code: number; message: string}): ResponseEvent {
    const text = refusalText(this.#asked.link.where, this.#method, reason)
    const error = new MiioError('refused', 'request', text, reason.code)
    if (!isTransient(reason)) throw error
    if (id !== this.#latestId) throw new Unwanted('a late "not now"') // the newer request is still under way
    return {kind: 'failure', error}
  }

  #drop(error: unknown): undefined {
    const isWorthless =
      error instanceof MalformedPacket || error instanceof UnreadableResponse || error instanceof Unwanted
    if (!isWorthless) throw error
    this.#asked.stats.dropped++
    this.#course.dropped++
    this.#course.lastDropped = error.message
    this.#course.mismatched ||= error instanceof ChecksumMismatch
    this.#course.unreadable ||= error instanceof UnreadableResponse
  }
}

function anotherDevice(where: string, expected: number, got: number): MiioError {
  const text = `expected device ${expected} at ${where}, but another device answers there: ${got}; the address has changed`
  return new MiioError('unreachable', 'hello', text)
}

function wrongToken(where: string): MiioError {
  const text = `${where} says the token is wrong: it changes whenever the plug is set up again; look it up anew`
  return new MiioError('bad_token', 'request', text)
}
