/** MiioClient: requests to one plug by miIO over UDP, one at a time. The queue of a plug is src/device/request-queue.ts. */
import {lookup as lookUp} from 'node:dns/promises'
import type {Clock, Random} from '../common/clock.ts'
import {Link} from './link.ts'
import {closedError, MiioError} from './miio-error.ts'
import {Cipher, MIIO_PORT} from './packet.ts'
import {decodeDatagram, secretMask, type Trace} from './packet-trace.ts'
import {type ClockSample, hasRestarted, RequestStats} from './plug-timing.ts'
import {MiioRequest, type MiioRequestOptions} from './request.ts'
import type {PlugContext} from './response-receiver.ts'
import type {UdpTransport} from './socket.ts'

export interface MiioClientOptions {
  socket: UdpTransport
  clock: Clock
  random: Random
  /** 16 bytes. */
  token: Buffer
  /** An IPv4 address or a name. Without it calls fail until `moveTo` has found the plug. */
  host?: string | undefined
  port?: number | undefined
  /** The plug's device id. Without it, any plug that responds under the token is the plug. */
  did?: number | undefined
  /** Where the message ids of an earlier run stopped. */
  nextId?: number | undefined
  /** Returns what shows a packet, or `undefined` when packets are not shown right now. Called with each, before it is decoded. */
  trace?: (() => Trace | undefined) | undefined
  events?: ClientEvents | undefined
  /** Resolves a name to an IPv4 address. The system's resolver by default. */
  lookup?: ((host: string) => Promise<string>) | undefined
}

interface ClientEvents {
  /** The plug's clock has fallen back: it was without power. Called for a response under our token only. */
  rebooted?(): void
  /** The plug's device id, once a response under our token has it. */
  deviceIdProven?(did: number): void
}

/** A miIO client of one plug. Requests have to be queued by the caller: one at a time. */
export class MiioClient {
  readonly stats = new RequestStats()
  readonly #options: MiioClientOptions
  readonly #ids: MessageIds
  readonly #context: PlugContext
  #link: Link | undefined
  /** The last clock sample that a response under our token proved. */
  #provenSample: ClockSample | undefined
  /** The request under way. */
  #active: {method: string; link: Link} | undefined
  #isClosed = false
  /** Takes secrets out of what is traced. Made when the first packet is. */
  #mask: ((text: string) => string) | undefined

  /** @throws RangeError when the token has not 16 bytes */
  constructor(options: MiioClientOptions) {
    const {clock, random, did, token, host, port = MIIO_PORT} = options
    this.#options = options
    this.#ids = new MessageIds(random, options.nextId)
    this.#context = {
      clock,
      random,
      did,
      cipher: new Cipher(token),
      ids: this.#ids,
      stats: this.stats,
      onAuthenticated: (sample) => this.#authenticated(sample),
    }
    if (host !== undefined) this.#link = this.#linkTo(host, port)
  }

  /** The plug's device id: as given, or as proven by a response. */
  get did(): number | undefined {
    return this.#context.did
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

  /** When the plug booted, in ms of the clock, as its last response under our token shows; up to a second late. */
  get bootedAt(): number | undefined {
    const sample = this.#provenSample
    return sample && sample.at - sample.stamp * 1000
  }

  /** The message id to remember over a restart. */
  get nextId(): number {
    return this.#ids.upcoming
  }

  /**
   * Sends a request, again when there is no response, and resolves to the `result` of the response, unchecked.
   * @throws MiioError, also when another request is under way: `timeout` at stage `send`
   */
  call(method: string, params: unknown = [], options: MiioRequestOptions = {}): Promise<unknown> {
    return this.#request(this.#link, method, params, options)
  }

  /**
   * Requests `miIO.info` at another address, and uses that from then on if the plug responds there under our token. A hello reply
   * from there can be forged, and is not enough.
   * @returns whether the plug responded there
   */
  async moveTo(host: string, port = this.port): Promise<boolean> {
    const link = this.#linkTo(host, port)
    const isThere = await this.#request(link, 'miIO.info', [], {}).then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof MiioError)) throw error
        return error.code === 'refused' // a refusal is a response, too
      },
    )
    const abandoned = isThere ? this.#link : link
    if (isThere) this.#link = link
    abandoned?.close()
    if (this.#isClosed) link.close() // it was closed after the response
    return isThere
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
    this.#isClosed = true
    this.#link?.close()
    this.#active?.link.close()
  }

  /**
   * A plug does one thing at a time (docs/protocol.md §1.10), so callers have to queue their requests. A second one fails as an expected
   * error: the queue of src/device/ may have given up the first.
   */
  async #request(
    link: Link | undefined,
    method: string,
    params: unknown,
    options: MiioRequestOptions,
  ): Promise<unknown> {
    if (this.#active) {
      const text = `expected one request at a time to ${this.#where}, got ${method} while ${this.#active.method} is under way`
      throw new MiioError('timeout', 'send', text)
    }
    if (this.#isClosed) throw closedError(this.#where)
    if (!link) throw new MiioError('unreachable', 'send', `the address of ${this.#where} is not known yet`)
    this.#active = {method, link}
    try {
      return await new MiioRequest(link, this.#context, method, params, options).send()
    } finally {
      this.#active = undefined
    }
  }

  #authenticated(sample: ClockSample): void {
    const before = this.#provenSample
    this.#provenSample = sample
    if (this.#context.did === undefined) {
      this.#context.did = sample.did
      this.#options.events?.deviceIdProven?.(sample.did)
    }
    if (before && hasRestarted(before, sample)) this.#options.events?.rebooted?.()
  }

  #linkTo(host: string, port: number): Link {
    const {socket, clock, lookup = lookUpIPv4} = this.#options
    return new Link({
      socket,
      clock,
      host,
      port,
      lookup,
      trace: (direction, datagram, address) => {
        const trace = this.#options.trace?.()
        if (!trace) return
        this.#mask ??= secretMask(this.#options.token)
        trace({direction, host: address, port, ...decodeDatagram(datagram, this.#context.cipher, this.#mask)})
      },
    })
  }

  /** For messages. */
  get #where(): string {
    if (this.#link) return this.#link.where
    return this.did === undefined ? 'the plug' : `device ${this.did}`
  }
}

async function lookUpIPv4(host: string): Promise<string> {
  const {address} = await lookUp(host, {family: 4})
  return address
}

/** Five digits at least: other clients of the same plug count from 1, and an m1 remembers responses by the id alone (docs/protocol.md §1.7). */
const FIRST_ID = 10_000
const LAST_ID = 999_999_999

/** Message ids that are never 0 (such a request is carried out without a response) and come again only after all the others. */
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
