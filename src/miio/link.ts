/** The way to one plug at one address: where that is, what was last read of the plug's clock, and what comes from there. */
import {isIPv4} from 'node:net'
import {type Clock, within} from '../common/clock.ts'
import type {ClockSample} from './device-clock.ts'
import {Mailbox} from './mailbox.ts'
import {MiioError} from './miio-error.ts'
import type {UdpTransport} from './socket.ts'

/** A name server may be down for longer than a try lasts: half of it is left for the plug. */
const LOOKUP_MS = 1000

export type Tracer = (direction: 'sent' | 'received', datagram: Buffer, host: string) => void

export interface LinkOptions {
  socket: UdpTransport
  clock: Clock
  /** An IPv4 address, or a name to be looked up. */
  host: string
  port: number
  lookup: (host: string) => Promise<string>
  /** Ends every wait. */
  closing: AbortSignal
  /** Told of every datagram. */
  trace: Tracer | undefined
  /** Told how many datagrams were not taken. */
  onDropped: (count: number) => void
}

export class Link {
  readonly #options: LinkOptions
  readonly #mailbox: Mailbox
  #address: string | undefined
  #stopListening = () => {}
  readonly #interrupt = () => this.#mailbox.interrupt()

  /** `undefined` makes the next try begin with a hello. */
  reading: ClockSample | undefined
  /** How many calls in a row ended without an answer to a hello. */
  absences = 0
  /** Nothing is sent before this time, in ms of the clock. */
  quietUntil = Number.NEGATIVE_INFINITY

  constructor(options: LinkOptions) {
    this.#options = options
    this.#mailbox = new Mailbox(options.clock)
    options.closing.addEventListener('abort', this.#interrupt)
  }

  get host(): string {
    return this.#options.host
  }

  /** What the host was last found to stand for. */
  get address(): string | undefined {
    return this.#address
  }

  get port(): number {
    return this.#options.port
  }

  /** `host:port`, and what the host's name stands for, for messages. */
  get where(): string {
    const {host, port} = this.#options
    const resolved = this.#address !== undefined && this.#address !== host ? ` (${this.#address})` : ''
    return `${host}:${port}${resolved}`
  }

  /**
   * Finds the address behind the host's name, and listens there. Where the name server fails, an address found before stays.
   * @throws MiioError `unreachable` when no address was ever found
   */
  async locate(): Promise<void> {
    const {host, port, socket} = this.#options
    const address = isIPv4(host) ? host : await this.#lookUp()
    this.#mustBeOpen()
    if (address === this.#address) return
    this.#stopListening()
    this.#stopListening = socket.listen(address, port, (datagram) => this.#received(datagram, address))
    this.#address = address
  }

  /** @throws MiioError `unreachable` */
  async send(datagram: Buffer): Promise<void> {
    this.#mustBeOpen()
    if (this.#address === undefined) await this.locate()
    const address = this.#address ?? this.host
    this.#options.trace?.('sent', datagram, address)
    await this.#options.socket.send(datagram, address, this.port)
  }

  /** From now on datagrams wait for `next`; the returned function drops those still waiting. */
  attend(): () => void {
    this.#mailbox.open()
    return () => this.#dropped(this.#mailbox.shut())
  }

  /**
   * The next datagram from there, or `undefined` when none came until `until` (ms of the clock) or `signal` was aborted.
   * @throws MiioError `timeout` once the client is closed
   */
  async next(until: number, signal?: AbortSignal): Promise<Buffer | undefined> {
    this.#mustBeOpen()
    const datagram = await this.#mailbox.next(until, signal)
    this.#mustBeOpen()
    return datagram
  }

  close(): void {
    this.#options.closing.removeEventListener('abort', this.#interrupt)
    this.#stopListening()
    this.#stopListening = () => {}
    this.#address = undefined
  }

  async #lookUp(): Promise<string> {
    const {host, clock, lookup, closing} = this.#options
    let problem = `there was no answer within ${LOOKUP_MS / 1000} s`
    try {
      const address = await within(clock, clock.now() + LOOKUP_MS, lookup(host), closing)
      if (address !== undefined) return address
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error)
    }
    if (this.#address !== undefined) return this.#address
    throw new MiioError('unreachable', 'send', `cannot look up ${host}: ${problem}`)
  }

  #received(datagram: Buffer, from: string): void {
    this.#options.trace?.('received', datagram, from)
    if (!this.#mailbox.put(datagram)) this.#dropped(1)
  }

  #dropped(count: number): void {
    if (count > 0) this.#options.onDropped(count)
  }

  #mustBeOpen(): void {
    if (this.#options.closing.aborted) throw closedError(this.where)
  }
}

/** What a call gets that was waiting or under way when its client was closed: nobody answered it, and nobody will. */
export function closedError(where: string): MiioError {
  return new MiioError('timeout', 'request', `the connection to ${where} was closed before an answer came`)
}
