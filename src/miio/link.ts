/** The connection to one plug at one address: looks up its name, sends datagrams, and passes received ones to the request under way. */
import {isIPv4} from 'node:net'
import {type Clock, within} from '../common/clock.ts'
import {errorMessage} from '../common/text.ts'
import {closedError, MiioError} from './miio-error.ts'
import type {ClockSample} from './plug-timing.ts'
import type {SentCallback, UdpTransport} from './socket.ts'

/** A name server may be down for longer than a try lasts: half of a try is left for the plug. */
const LOOKUP_MS = 1000
/** In a process that stood still the name server's answer may be there, and not read yet. */
const GRACE_MS = 50

interface LinkOptions {
  socket: UdpTransport
  clock: Clock
  /** An IPv4 address, or a name to be looked up. */
  host: string
  port: number
  /** Resolves a name to an IPv4 address. */
  lookup: (host: string) => Promise<string>
  /** Called with every datagram. */
  trace: (direction: 'sent' | 'received', datagram: Buffer, host: string) => void
}

/** The request under way, as the link calls it. */
export interface LinkReceiver {
  received(datagram: Buffer): void
  /** A datagram could not be sent. @param isFinal whether no other can be, since the link was closed */
  failed(error: MiioError, isFinal: boolean): void
}

/** A link to a plug, and what is known about the plug at this address. */
export class Link {
  readonly #options: LinkOptions
  #address: string | undefined
  #isClosed = false
  #stopListening: (() => void) | undefined
  #cancelLookup: (() => void) | undefined

  /** What receives from the link. Datagrams that arrive between two requests are dropped. */
  receiver: LinkReceiver | undefined
  /** The plug's clock as last read. `undefined` makes the next try begin with a hello. */
  clockSample: ClockSample | undefined
  /** How many calls in a row ended without a hello reply. */
  callsWithoutHello = 0
  /** Nothing is sent before this time, in ms of the clock. */
  sendNotBefore = Number.NEGATIVE_INFINITY

  constructor(options: LinkOptions) {
    this.#options = options
  }

  get host(): string {
    return this.#options.host
  }

  /** The IPv4 address that the host's name was last resolved to. */
  get address(): string | undefined {
    return this.#address
  }

  get port(): number {
    return this.#options.port
  }

  /** `host:port`, followed by the resolved address of a name, for messages. */
  get where(): string {
    const {host, port} = this.#options
    const resolved = this.#address !== undefined && this.#address !== host ? ` (${this.#address})` : ''
    return `${host}:${port}${resolved}`
  }

  /**
   * Resolves the host's name and listens at its address. Where the name server fails, an address found before stays.
   * @returns the address. @throws MiioError `unreachable` when no address was ever found, `timeout` when the link is closed
   */
  async resolve(): Promise<string> {
    const {host, port, socket, trace} = this.#options
    const address = isIPv4(host) ? host : await this.#lookUp()
    this.#assertOpen()
    if (address === this.#address) return address
    this.#stopListening?.()
    this.#stopListening = socket.listen(address, port, (datagram) => {
      trace('received', datagram, address)
      this.receiver?.received(datagram)
    })
    this.#address = address
    return address
  }

  /** Sends a datagram to the address that `resolve` has found. */
  send(datagram: Buffer, sent: SentCallback): void {
    if (this.#isClosed) return // `close` has ended the request
    const {socket, trace, host, port} = this.#options
    const address = this.#address ?? host
    trace('sent', datagram, address)
    socket.send(datagram, address, port, sent)
  }

  /** Calls `callback` once the datagrams that have arrived were passed on. */
  afterArrived(callback: () => void): void {
    this.#options.socket.afterArrived(callback)
  }

  /** Ends the request under way with a `timeout`. Leaves no timer and no listener behind. */
  close(): void {
    this.#isClosed = true
    this.#stopListening?.()
    this.#cancelLookup?.()
    this.receiver?.failed(closedError(this.where), true)
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError(this.where)
  }

  async #lookUp(): Promise<string> {
    const {host, clock, lookup} = this.#options
    const cancel = new AbortController()
    this.#cancelLookup = () => cancel.abort()
    let problem = `there was no answer within ${LOOKUP_MS / 1000} s`
    try {
      const found = lookup(host)
      for (const ms of [LOOKUP_MS, GRACE_MS]) {
        const address = await within(clock, clock.now() + ms, found, cancel.signal)
        if (address !== undefined) return address
      }
    } catch (error) {
      problem = errorMessage(error)
    }
    if (this.#address !== undefined) return this.#address
    this.#assertOpen()
    throw new MiioError('unreachable', 'send', `cannot look up ${host}: ${problem}`)
  }
}
