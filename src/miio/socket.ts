/** The one UDP socket for all plugs. Datagrams are dispatched to listeners by the address and port they came from. */
import {createSocket, type Socket} from 'node:dgram'
import {lookup} from 'node:dns'
import {once} from 'node:events'
import {isIPv4} from 'node:net'
import {errorCode, errorMessage} from '../common/text.ts'
import {MiioError} from './miio-error.ts'
import {HEADER_BYTES} from './packet.ts'

export interface Endpoint {
  /** A numeric IPv4 address. */
  host: string
  port: number
}

/** The part of a socket that the client and discovery use: tests implement it by a network in memory. */
export interface UdpTransport {
  /** Sends a datagram, and calls `sent` afterwards: with MiioError `unreachable` at stage `send` when it could not be sent. */
  send(datagram: Buffer, host: string, port: number, sent: SentCallback): void
  /** Calls `handler` with every datagram from exactly this address and port, until the returned function is called. */
  listen(host: string, port: number, handler: (datagram: Buffer) => void): () => void
  /** Calls `handler` with every datagram that has no listener, and with every hello reply, until the returned function is called. */
  onUnsolicited(handler: UnsolicitedHandler): () => void
  /**
   * Calls `callback` once the datagrams that have arrived were passed on. Node.js runs timers before it reads datagrams: when this process
   * was busy or suspended, the response to a request may have arrived before its timer fires.
   */
  afterArrived(callback: () => void): void
}

export type SentCallback = (error?: MiioError) => void

export type UnsolicitedHandler = (datagram: Buffer, from: Endpoint) => void

/** Sends a datagram. @throws MiioError `unreachable` at stage `send` when it could not be sent */
export function sendDatagram(
  transport: UdpTransport,
  datagram: Buffer,
  {host, port}: Endpoint,
): Promise<void> {
  return new Promise((resolve, reject) => {
    transport.send(datagram, host, port, (error) => (error ? reject(error) : resolve()))
  })
}

/** The kernel's default buffer loses most of a burst of replies to one broadcast. The kernel may grant less than this. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
/** Turns of the event loop after which `afterArrived` waits no longer. libuv reads 32 datagrams a turn: these are more than the buffer holds. */
const MAX_TURNS = 500

/** Why the kernel did not send, and what has to be looked at. */
const REASONS = new Map([
  ['ENETUNREACH', 'there is no route to that network'],
  ['EHOSTUNREACH', 'there is no route to that host'],
  ['ENETDOWN', 'the network interface is down'],
  ['EADDRNOTAVAIL', 'this machine does not have that address'],
  ['EPERM', 'a firewall on this machine forbids it'],
  ['EACCES', 'this machine does not permit it'],
  ['EINVAL', 'the bound local address cannot reach it'],
  ['EMSGSIZE', 'the datagram is too long'],
  ['ENOBUFS', 'the send buffer is full'],
])

/** The UDP socket that all plugs of a bridge share. */
export class MiioSocket implements UdpTransport {
  readonly #bind: string | undefined
  readonly #onError: (text: string) => void
  readonly #listeners = new Map<string, readonly ((datagram: Buffer) => void)[]>()
  readonly #unsolicitedHandlers = new Set<UnsolicitedHandler>()
  #socket: Socket | undefined
  /** Between `open` and `close`, also while there is no socket because the system took it away. */
  #isWanted = false
  #opening: Promise<Socket> | undefined
  #afterArrived: (() => void)[] = []

  /** `strangers` counts the received datagrams that had no listener. */
  readonly counters = {sent: 0, received: 0, strangers: 0, sendErrors: 0, errors: 0}

  /**
   * @param bind the local IPv4 address to send from; every interface by default
   * @param onError called with a sentence for each error that the kernel reports by itself; the socket goes on after each
   */
  constructor({
    bind,
    onError = () => {},
  }: {bind?: string | undefined; onError?: (text: string) => void} = {}) {
    this.#bind = bind
    this.#onError = onError
  }

  /** Takes a free port. @throws MiioError `unreachable` at stage `send` when `bind` is no address of this machine. */
  async open(): Promise<void> {
    this.#isWanted = true
    await this.#opened()
  }

  /** Frees the port. Sending fails from now on, and no handler is called any more. */
  async close(): Promise<void> {
    this.#isWanted = false
    await this.#opening?.catch(() => {}) // its own caller gets the error
    const socket = this.#socket
    this.#socket = undefined
    if (socket) await new Promise<void>((resolve) => socket.close(resolve))
  }

  send(datagram: Buffer, host: string, port: number, sent: SentCallback): void {
    if (!this.#isWanted) sent(new MiioError('unreachable', 'send', 'cannot send: the socket is not open'))
    else if (this.#socket) this.#send(this.#socket, datagram, host, port, sent)
    else this.#opened().then((socket) => this.#send(socket, datagram, host, port, sent), sent)
  }

  #send(socket: Socket, datagram: Buffer, host: string, port: number, sent: SentCallback): void {
    this.counters.sent++
    const failed = (error: unknown) => {
      this.counters.sendErrors++
      sent(new MiioError('unreachable', 'send', `cannot send to ${host}:${port}: ${reason(error)}`))
    }
    try {
      socket.send(datagram, port, host, (error) => (error ? failed(error) : sent()))
    } catch (error) {
      failed(error) // the socket was closed, or the port is none
    }
  }

  listen(host: string, port: number, handler: (datagram: Buffer) => void): () => void {
    const endpoint = keyOf({host, port})
    this.#listeners.set(endpoint, [...(this.#listeners.get(endpoint) ?? []), handler])
    return () => {
      const others = (this.#listeners.get(endpoint) ?? []).filter((other) => other !== handler)
      if (others.length > 0) this.#listeners.set(endpoint, others)
      else this.#listeners.delete(endpoint)
    }
  }

  onUnsolicited(handler: UnsolicitedHandler): () => void {
    this.#unsolicitedHandlers.add(handler)
    return () => this.#unsolicitedHandlers.delete(handler)
  }

  afterArrived(callback: () => void): void {
    this.#afterArrived.push(callback)
    if (this.#afterArrived.length === 1) this.#untilQuiet(MAX_TURNS)
  }

  /** Datagrams are read between timers and immediates. A turn without any has found the buffer empty. */
  #untilQuiet(turns: number): void {
    const before = this.counters.received
    setImmediate(() => {
      if (this.counters.received !== before && turns > 0) return this.#untilQuiet(turns - 1)
      const callbacks = this.#afterArrived
      this.#afterArrived = []
      for (const callback of callbacks) callback()
    })
  }

  #receive(datagram: Buffer, from: Endpoint): void {
    if (!this.#socket) return
    this.counters.received++
    const handlers = this.#listeners.get(keyOf(from))
    if (!handlers) this.counters.strangers++
    for (const handler of handlers ?? []) handler(datagram)
    // Only a hello reply (or a NAK) is as short as a header. Discovery needs those of known plugs, too.
    if (!handlers || datagram.length === HEADER_BYTES)
      for (const handler of this.#unsolicitedHandlers) handler(datagram, from)
  }

  /** Opens the socket once, even if several datagrams are to be sent meanwhile. @throws MiioError */
  #opened(): Promise<Socket> {
    this.#opening ??= bound(this.#bind)
      .then((socket) => this.#serve(socket))
      .finally(() => {
        this.#opening = undefined
      })
    return this.#opening
  }

  #serve(socket: Socket): Socket {
    socket.on('error', (error) => this.#failed(reason(error)))
    socket.on('message', (datagram, {address, port}) => this.#receive(datagram, {host: address, port}))
    socket.on('close', () => this.#lost(socket))
    this.#socket = socket
    return socket
  }

  /** The system closed the socket: the next datagram to be sent opens another. */
  #lost(socket: Socket): void {
    if (socket !== this.#socket) return
    this.#socket = undefined
    this.#failed('it was closed by the system, and is opened again')
  }

  #failed(why: string): void {
    this.counters.errors++
    this.#onError(`the UDP socket reports an error: ${why}`)
  }
}

/** @throws MiioError */
async function bound(address: string | undefined): Promise<Socket> {
  let socket: Socket | undefined
  try {
    socket = createSocket({
      type: 'udp4',
      // Without this every datagram to an address goes through `dns.lookup`.
      lookup: (host, options, callback) =>
        isIPv4(host) ? callback(null, host, 4) : lookup(host, options, callback),
    })
    const isListening = once(socket, 'listening')
    socket.bind({port: 0, ...(address !== undefined && {address})})
    await isListening
    socket.setBroadcast(true)
    enlarge(socket)
    return socket
  } catch (error) {
    socket?.close()
    const where = address ?? 'any address'
    throw new MiioError('unreachable', 'send', `cannot open a UDP socket on ${where}: ${reason(error)}`)
  }
}

/** Linux grants as much as it can. BSD refuses more than its limit, and then the default has to do. */
function enlarge(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES)
  } catch {}
}

/** The kernel's reason in plain words, with its error code, which users search for. */
function reason(error: unknown): string {
  const code = errorCode(error) ?? ''
  const words = REASONS.get(code)
  return words ? `${words} (${code})` : errorMessage(error)
}

function keyOf({host, port}: Endpoint): string {
  return `${host}:${port}`
}
