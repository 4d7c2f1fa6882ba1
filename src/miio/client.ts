/** One plug on the wire: `call(method, params)`, one question at a time. */
import {lookup as lookUp} from 'node:dns/promises'
import {type Clock, type Random, within} from '../common/clock.ts'
import {type ClockSample, hasRestarted} from './device-clock.ts'
import {closedError, Link, type Tracer} from './link.ts'
import {MessageIds} from './message-ids.ts'
import {MiioError} from './miio-error.ts'
import {Cipher, MIIO_PORT} from './packet.ts'
import {decodeDatagram, secretMask, type Trace} from './packet-trace.ts'
import {MiioRequest} from './request.ts'
import type {HelloResponse, RequestOptions} from './request-types.ts'
import {ResponseTime} from './response-time.ts'
import type {UdpTransport} from './socket.ts'
import {RequestStats} from './stats.ts'

export interface MiioClientOptions {
  socket: UdpTransport
  clock: Clock
  random: Random
  /** 16 bytes. */
  token: Buffer
  /** An IPv4 address or a name; without it calls fail until `moveTo` has found the plug. */
  host?: string | undefined
  port?: number | undefined
  /** The plug's device id; without it, whoever answers under the token is the plug. */
  did?: number | undefined
  /** Where an earlier run's message ids stopped. */
  nextId?: number | undefined
  trace?: Trace | undefined
  /** Whether anybody reads the trace right now; asked before a packet is decoded for it. Always, by default. */
  isTraced?: (() => boolean) | undefined
  events?: ClientEvents | undefined
  /** The IPv4 address a name stands for; the system's resolver by default. */
  lookup?: ((host: string) => Promise<string>) | undefined
}

export interface ClientEvents {
  /** The plug's clock has fallen back: it was without power. Told by an answer under our token only. */
  rebooted?(): void
  /** The plug's device id, once an answer under our token has borne it. */
  deviceIdProven?(did: number): void
}

export interface MiioCallOptions {
  /** When to give up, in ms of the clock; by default the tries alone decide. */
  deadline?: number | undefined
  /** How often to ask; 3 by default. How long each try lasts follows from what earlier answers took, at first 2 s. */
  tries?: number | undefined
  /**
   * Once aborted, no try follows the one under way; that one still ends by itself, so that nothing is in flight when the
   * call settles. Without an answer it rejects with `timeout`, like any call that ran out of tries.
   */
  signal?: AbortSignal | undefined
}

const TRIES = 3

export class MiioClient {
  readonly #options: MiioClientOptions
  readonly #cipher: Cipher
  readonly #ids: MessageIds
  readonly #closing = new AbortController()
  readonly stats = new RequestStats()
  readonly #roundTrip = new ResponseTime()
  #did: number | undefined
  #link: Link | undefined
  /** When and where the plug's clock was last seen beyond doubt. */
  #proven: ClockSample | undefined
  /** Resolves when everything asked for so far has ended; `undefined` when it has. */
  #tail: Promise<void> | undefined

  /** @throws RangeError when the token has not 16 bytes. */
  constructor(options: MiioClientOptions) {
    this.#options = options
    this.#cipher = new Cipher(options.token)
    this.#ids = new MessageIds(options.random, options.nextId)
    this.#did = options.did
    if (options.host !== undefined) this.#link = this.#linkTo(options.host, options.port ?? MIIO_PORT)
  }

  /** The plug's device id: as given, or as proven by an answer. */
  get did(): number | undefined {
    return this.#did
  }

  /** The address or name in use; `undefined` until one is known. */
  get host(): string | undefined {
    return this.#link?.host
  }

  /** The IPv4 address in use; `undefined` until the name has been looked up. */
  get address(): string | undefined {
    return this.#link?.address
  }

  /** Whether a hello was answered, and no request has been left without an answer since. */
  get greeted(): boolean {
    return this.#link?.reading !== undefined
  }

  get port(): number {
    return this.#link?.port ?? this.#options.port ?? MIIO_PORT
  }

  /** The message id to be remembered over a restart. */
  get nextId(): number {
    return this.#ids.upcoming
  }

  /**
   * Asks the plug, again when no answer comes, and resolves to the answer's `result`, whatever that is.
   * Calls wait for one another: at most one request is in flight.
   * @throws MiioError (the promise rejects with nothing else)
   */
  call(method: string, params: unknown = [], options: MiioCallOptions = {}): Promise<unknown> {
    const {deadline = Number.POSITIVE_INFINITY, tries = TRIES, signal} = options
    const question = {method, params, deadline, tries, signal}
    return this.#inTurn(question, () => this.#ask(this.#linkOrThrow(), question))
  }

  /** Greets the plug and says who answers, unproven. @throws MiioError when nobody does within `timeout` ms, or another plug */
  hello(timeout: number): Promise<HelloResponse> {
    const deadline = this.#options.clock.now() + timeout
    const question = {method: 'hello', params: [], deadline, tries: 1, signal: undefined}
    return this.#inTurn(question, () => this.#exchange(this.#linkOrThrow(), question).greet())
  }

  /**
   * Asks for the plug at another address, and uses that from then on if it answers there under our token. A hello reply
   * from there, which anybody can forge, is not enough.
   * @returns whether it did
   */
  async moveTo(host: string, port = this.port): Promise<boolean> {
    const deadline = Number.POSITIVE_INFINITY
    const question = {method: 'miIO.info', params: [], deadline, tries: TRIES, signal: undefined}
    try {
      return await this.#inTurn(question, () => this.#moveIfThere(this.#linkTo(host, port), question))
    } catch (error) {
      if (error instanceof MiioError) return false
      throw error
    }
  }

  /**
   * Makes the next request begin with a hello. For after a suspend: the plug's clock went on while ours (CLOCK_MONOTONIC on
   * Linux) stood still, so that the stamp we would send is off by the whole pause, and a plug ignores one 60 s off.
   */
  forgetClock(): void {
    if (this.#link) this.#link.reading = undefined
  }

  /** Rejects what is under way and what waits with a `timeout`, now and from now on. Leaves no timer behind. */
  close(): void {
    this.#closing.abort()
    this.#link?.close()
  }

  async #moveIfThere(link: Link, question: RequestOptions): Promise<boolean> {
    const isThere = await this.#answersAt(link, question)
    const abandoned = isThere ? this.#link : link
    if (isThere) this.#link = link
    abandoned?.close()
    return isThere
  }

  async #answersAt(link: Link, question: RequestOptions): Promise<boolean> {
    try {
      await this.#ask(link, question)
      return true
    } catch (error) {
      if (error instanceof MiioError) return error.code === 'refused' // a refusal is an answer, too
      throw error
    }
  }

  #ask(link: Link, question: RequestOptions): Promise<unknown> {
    return this.#exchange(link, question).ask()
  }

  #exchange(link: Link, question: RequestOptions): MiioRequest {
    const {clock, random} = this.#options
    return new MiioRequest(
      {
        link,
        clock,
        random,
        cipher: this.#cipher,
        ids: this.#ids,
        stats: this.stats,
        roundTrip: this.#roundTrip,
        did: () => this.#did,
        onProof: (reading) => this.#proved(reading),
      },
      question,
    )
  }

  #proved(reading: ClockSample): void {
    const before = this.#proven
    this.#proven = reading
    if (this.#did === undefined) {
      this.#did = reading.did
      this.#options.events?.deviceIdProven?.(reading.did)
    }
    if (before && hasRestarted(before, reading)) this.#options.events?.rebooted?.()
  }

  /** Runs `job` once everything asked for before has ended; gives up waiting when the question would be over anyway. */
  async #inTurn<T>(question: RequestOptions, job: () => Promise<T>): Promise<T> {
    const ready = this.#tail
    let leave = () => {}
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    const tail = ready ? ready.then(() => left) : left
    this.#tail = tail
    try {
      const isOurs = ready ? await this.#waitFor(ready, question) : !question.signal?.aborted
      if (this.#closing.signal.aborted) throw closedError(this.#where)
      if (!isOurs) throw waitedInVain(this.#where, question.method)
      return await job()
    } finally {
      leave()
      if (this.#tail === tail) this.#tail = undefined
    }
  }

  /** `true` once `ready` has resolved, `undefined` when the question is over before. */
  #waitFor(ready: Promise<void>, {deadline, signal}: RequestOptions): Promise<true | undefined> {
    const turn = ready.then((): true => true)
    return within(this.#options.clock, deadline, turn, signal, this.#closing.signal)
  }

  #linkOrThrow(): Link {
    if (this.#link) return this.#link
    const who = this.#did === undefined ? 'the plug' : `device ${this.#did}`
    throw new MiioError('unreachable', 'send', `the address of ${who} is not known yet`)
  }

  #linkTo(host: string, port: number): Link {
    const {socket, clock, trace, lookup = resolved} = this.#options
    return new Link({
      socket,
      clock,
      host,
      port,
      lookup,
      closing: this.#closing.signal,
      trace: trace && this.#tracer(trace, port),
      onDropped: (count) => {
        this.stats.dropped += count
      },
    })
  }

  #tracer(trace: Trace, port: number): Tracer {
    const {token, isTraced = () => true} = this.#options
    let mask: ((text: string) => string) | undefined
    return (direction, datagram, host) => {
      if (!isTraced()) return
      mask ??= secretMask(token)
      trace({direction, host, port, ...decodeDatagram(datagram, this.#cipher, mask)})
    }
  }

  get #where(): string {
    return this.#link?.where ?? 'the plug'
  }
}

async function resolved(host: string): Promise<string> {
  const {address} = await lookUp(host, {family: 4})
  return address
}

function waitedInVain(where: string, method: string): MiioError {
  return new MiioError('timeout', 'send', `${where} was not asked ${method}: another request took too long`)
}
