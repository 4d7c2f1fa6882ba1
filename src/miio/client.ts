/** MiioClient: requests to one plug by miIO over UDP, one at a time. The queue of a plug is src/device/request-queue.ts. */
import {lookup as lookUp} from 'node:dns/promises'
import type {Clock, Random} from '../common/clock.ts'
import {type ClockSample, hasRestarted} from './device-clock.ts'
import {Link, type Tracer} from './link.ts'
import {closedError, MiioError} from './miio-error.ts'
import {Cipher, MIIO_PORT} from './packet.ts'
import {decodeDatagram, secretMask, type Trace} from './packet-trace.ts'
import {MiioRequest} from './request.ts'
import type {HelloResponse, PlugConnection} from './response-matcher.ts'
import type {UdpTransport} from './socket.ts'
import {RequestStats, ResponseTime} from './stats.ts'

export interface MiioClientOptions {
  socket: UdpTransport
  clock: Clock
  random: Random
  /** 16 bytes. */
  token: Buffer
  /** An IPv4 address or a name. Without it calls fail until `moveTo` has found the plug. */
  host?: string | undefined
  port?: number | undefined
  /** The plug's device id. Without it, any device that answers under the token is the plug. */
  did?: number | undefined
  /** Where the message ids of an earlier run stopped. */
  nextId?: number | undefined
  trace?: Trace | undefined
  /** Whether the trace is shown right now: asked before a packet is decoded for it. Always, by default. */
  isTraced?: (() => boolean) | undefined
  events?: ClientEvents | undefined
  /** Resolves a name to an IPv4 address. The system's resolver by default. */
  lookup?: ((host: string) => Promise<string>) | undefined
}

interface ClientEvents {
  /** The plug's clock has fallen back: it was without power. Called for an answer under our token only. */
  rebooted?(): void
  /** The plug's device id, once an answer under our token has it. */
  deviceIdProven?(did: number): void
}

export interface MiioCallOptions {
  /** When to give up, in ms of the clock. By default the tries alone decide. */
  deadline?: number | undefined
  /** How often to send the request, 3 by default. How long each try lasts follows from earlier response times, at first 2 s. */
  tries?: number | undefined
  /**
   * Once aborted, no try follows the one under way. That try still ends by itself, so that nothing is in flight when the call
   * settles. Without an answer the call rejects with `timeout`, as one that ran out of tries.
   */
  signal?: AbortSignal | undefined
}

/** How often a request is sent, unless its caller gives another number. One lost packet in five is usual in bad Wi-Fi. */
const DEFAULT_TRIES = 3

/** A miIO client of one plug. Requests have to be queued by the caller: one at a time. */
export class MiioClient {
  readonly #options: MiioClientOptions
  readonly #cipher: Cipher
  readonly #ids: MessageIds
  readonly #plug: PlugConnection
  readonly #closing = new AbortController()
  readonly stats = new RequestStats()
  #link: Link | undefined
  /** The last clock sample that an answer under our token proved. */
  #provenSample: ClockSample | undefined
  /** The method of the request under way. */
  #method: string | undefined

  /** @throws RangeError when the token has not 16 bytes */
  constructor(options: MiioClientOptions) {
    this.#options = options
    this.#cipher = new Cipher(options.token)
    this.#ids = new MessageIds(options.random, options.nextId)
    const {clock, random, did} = options
    this.#plug = {
      clock,
      random,
      did,
      cipher: this.#cipher,
      ids: this.#ids,
      stats: this.stats,
      responseTime: new ResponseTime(),
      onAuthenticated: (sample) => this.#authenticated(sample),
    }
    if (options.host !== undefined) this.#link = this.#linkTo(options.host, options.port ?? MIIO_PORT)
  }

  /** The plug's device id: as given, or as proven by an answer. */
  get did(): number | undefined {
    return this.#plug.did
  }

  /** The address or name in use; `undefined` until one is known. */
  get host(): string | undefined {
    return this.#link?.host
  }

  /** The IPv4 address in use; `undefined` until the name has been looked up. */
  get address(): string | undefined {
    return this.#link?.address
  }

  get port(): number {
    return this.#link?.port ?? this.#options.port ?? MIIO_PORT
  }

  /** The message id to remember over a restart. */
  get nextId(): number {
    return this.#ids.upcoming
  }

  /**
   * Sends a request, again when no answer comes, and resolves to the `result` of the answer, unchecked.
   * @throws MiioError; Error when another request is under way, which is a programming error
   */
  call(method: string, params: unknown = [], options: MiioCallOptions = {}): Promise<unknown> {
    const {deadline = Number.POSITIVE_INFINITY, tries = DEFAULT_TRIES, signal} = options
    const request = {method, params, deadline, tries, signal}
    return this.#alone(method, () => new MiioRequest(this.#linkOrThrow(), this.#plug, request).send())
  }

  /**
   * Sends hellos and resolves to the reply, which nothing proves.
   * @throws MiioError when no plug replies within `timeout` ms, or another plug; Error as `call`
   */
  hello(timeout: number): Promise<HelloResponse> {
    const deadline = this.#options.clock.now() + timeout
    const request = {method: 'hello', params: [], deadline, tries: 1, signal: undefined}
    return this.#alone('hello', () => new MiioRequest(this.#linkOrThrow(), this.#plug, request).hello())
  }

  /**
   * Asks for the plug at another address, and uses that from then on if the plug answers there under our token. A hello reply
   * from there can be forged, and is not enough.
   * @returns whether the plug answered there. @throws Error as `call`
   */
  async moveTo(host: string, port = this.port): Promise<boolean> {
    try {
      return await this.#alone('miIO.info', () => this.#moveIfThere(this.#linkTo(host, port)))
    } catch (error) {
      if (error instanceof MiioError) return false
      throw error
    }
  }

  /**
   * Makes the next request begin with a hello. For the time after a suspend: the plug's clock went on while ours (CLOCK_MONOTONIC on
   * Linux) stood still, so that our stamp would be off by the whole pause, and a plug ignores one that is 60 s off.
   */
  forgetClock(): void {
    if (this.#link) this.#link.clockSample = undefined
  }

  /** Rejects the request under way with a `timeout`, and every later one. Leaves no timer behind. */
  close(): void {
    this.#closing.abort()
    this.#link?.close()
  }

  /**
   * Runs a request. A plug does one thing at a time (docs/protocol.md §1.10), so callers have to queue their requests.
   * @throws MiioError `timeout` at stage `send` while another request is under way: for the queue of src/device/, one that it has given up
   */
  async #alone<T>(method: string, run: () => Promise<T>): Promise<T> {
    if (this.#method !== undefined) {
      const text = `expected one request at a time to ${this.#where}, got ${method} while ${this.#method} is under way`
      throw new MiioError('timeout', 'send', text)
    }
    if (this.#closing.signal.aborted) throw closedError(this.#where)
    this.#method = method
    try {
      return await run()
    } finally {
      this.#method = undefined
    }
  }

  async #moveIfThere(link: Link): Promise<boolean> {
    const isThere = await this.#answersAt(link)
    const abandoned = isThere ? this.#link : link
    if (isThere) this.#link = link
    abandoned?.close()
    return isThere
  }

  async #answersAt(link: Link): Promise<boolean> {
    const deadline = Number.POSITIVE_INFINITY
    const request = {method: 'miIO.info', params: [], deadline, tries: DEFAULT_TRIES, signal: undefined}
    try {
      await new MiioRequest(link, this.#plug, request).send()
      return true
    } catch (error) {
      if (error instanceof MiioError) return error.code === 'refused' // a refusal is an answer, too
      throw error
    }
  }

  #authenticated(sample: ClockSample): void {
    const before = this.#provenSample
    this.#provenSample = sample
    if (this.#plug.did === undefined) {
      this.#plug.did = sample.did
      this.#options.events?.deviceIdProven?.(sample.did)
    }
    if (before && hasRestarted(before, sample)) this.#options.events?.rebooted?.()
  }

  #linkOrThrow(): Link {
    if (this.#link) return this.#link
    const plug = this.#plug.did === undefined ? 'the plug' : `device ${this.#plug.did}`
    throw new MiioError('unreachable', 'send', `the address of ${plug} is not known yet`)
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

/** Five digits at least: other clients of the same plug count from 1, and an m1 remembers answers by the id alone (docs/protocol.md §1.7). */
const FIRST_ID = 10_000
const LAST_ID = 999_999_999

/** Message ids that are never 0 (such a request is carried out and not answered) and come again only after all the others. */
class MessageIds {
  /** The id of the next request: where to start again after a restart. */
  upcoming: number

  /** @param remembered where an earlier run stopped; without it, or when it is no id, a random one is the first */
  constructor(random: Random, remembered = 0) {
    const isUsable = Number.isInteger(remembered) && remembered >= FIRST_ID && remembered <= LAST_ID
    this.upcoming = isUsable ? remembered : FIRST_ID + Math.floor(random() * (LAST_ID - FIRST_ID + 1))
  }

  next(): number {
    const id = this.upcoming
    this.upcoming = id === LAST_ID ? FIRST_ID : id + 1
    return id
  }
}
