/** The connection to one plug at one address: name lookup, sending, the mailbox for its datagrams, and its last clock sample. */
import {isIPv4} from 'node:net'
import {type Clock, type Timer, within} from '../common/clock.ts'
import type {ClockSample} from './device-clock.ts'
import {closedError, MiioError} from './miio-error.ts'
import type {UdpTransport} from './socket.ts'

/** A name server may be down for longer than a try lasts: half of a try is left for the plug. */
const LOOKUP_MS = 1000
/** More datagrams than ever wait in an honest exchange. A flood of datagrams fills no memory. */
const MAILBOX_SIZE = 16

/** Called with every datagram. */
export type Tracer = (direction: 'sent' | 'received', datagram: Buffer, host: string) => void

export interface LinkOptions {
  socket: UdpTransport
  clock: Clock
  /** An IPv4 address, or a name to be looked up. */
  host: string
  port: number
  /** Resolves a name to an IPv4 address. */
  lookup: (host: string) => Promise<string>
  /** Ends every wait. */
  closing: AbortSignal
  trace: Tracer | undefined
  /** Called with the number of datagrams that were not taken. */
  onDropped: (count: number) => void
}

/** The connection to one plug at one address: sends datagrams, and holds those that arrive for the request under way. */
export class Link {
  readonly #options: LinkOptions
  readonly #mailbox: Mailbox
  #address: string | undefined
  #stopListening = () => {}
  readonly #interrupt = () => this.#mailbox.interrupt()

  /** The plug's clock as last read. `undefined` makes the next try begin with a hello. */
  clockSample: ClockSample | undefined
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
   * @throws MiioError `unreachable` when no address was ever found
   */
  async resolve(): Promise<void> {
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
    if (this.#address === undefined) await this.resolve()
    const address = this.#address ?? this.host
    this.#options.trace?.('sent', datagram, address)
    await this.#options.socket.send(datagram, address, this.port)
  }

  /** From now on datagrams wait for `next`. */
  openMailbox(): void {
    this.#mailbox.open()
  }

  /** Drops the datagrams that still wait, and takes no more. */
  closeMailbox(): void {
    this.#dropped(this.#mailbox.shut())
  }

  /**
   * The next datagram of the plug, or `undefined` when none came until `until` (ms of the clock) or `signal` was aborted.
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

/**
 * Received datagrams of one plug, for the request under way. Between two requests it is shut and takes none.
 * A wait without a signal costs two objects and no listener: ten thousand silent plugs do little else than wait.
 */
export class Mailbox {
  readonly #clock: Clock
  #isOpen = false
  #unread: Buffer[] = []
  /** Ends the wait that is under way. */
  #deliver: ((datagram?: Buffer) => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  open(): void {
    this.#isOpen = true
  }

  /** @returns how many datagrams were never read */
  shut(): number {
    const unread = this.#unread.length
    this.#isOpen = false
    this.#unread = []
    return unread
  }

  /** Ends the wait that is under way, without a datagram. */
  interrupt(): void {
    this.#deliver?.()
  }

  /** @returns `false` when the datagram was not taken: the mailbox is shut, or full */
  put(datagram: Buffer): boolean {
    if (!this.#isOpen || this.#unread.length >= MAILBOX_SIZE) return false
    if (this.#deliver) this.#deliver(datagram)
    else this.#unread.push(datagram)
    return true
  }

  /** The next datagram, or `undefined` when none came until `until` (ms of the clock) or the signal was aborted. */
  next(until: number, signal?: AbortSignal): Promise<Buffer | undefined> {
    const unread = this.#unread.shift()
    if (unread || until <= this.#clock.now() || signal?.aborted) return Promise.resolve(unread)
    return new Promise((resolve) => {
      const end = (datagram?: Buffer) => {
        this.#deliver = undefined
        timer?.cancel()
        signal?.removeEventListener('abort', giveUp)
        resolve(datagram)
      }
      const giveUp = () => end()
      const timer: Timer | undefined = Number.isFinite(until)
        ? this.#clock.after(until - this.#clock.now(), giveUp)
        : undefined
      signal?.addEventListener('abort', giveUp)
      this.#deliver = end
    })
  }
}
