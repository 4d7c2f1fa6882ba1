/** ONE UDP socket for all plugs. A datagram finds its asker by the address and the port it came from. */
import {createSocket, type Socket} from 'node:dgram'
import {MiioError} from './miio-error.ts'
import {HEADER_BYTES} from './packet.ts'

export interface Endpoint {
  /** A numeric IPv4 address. */
  host: string
  port: number
}

/** What the client and discovery need of a socket: tests put a network of their own here. */
export interface UdpTransport {
  /** @throws MiioError `unreachable` at stage `send` when the datagram could not leave. */
  send(datagram: Buffer, host: string, port: number): Promise<void>
  /** Hands every datagram from exactly this address and port to `handler`, until the returned function is called. */
  listen(host: string, port: number, handler: (datagram: Buffer) => void): () => void
  /** Hands over what nobody listens for, and every hello reply, until the returned function is called. */
  onUnsolicited(handler: UnsolicitedHandler): () => void
}

export type UnsolicitedHandler = (datagram: Buffer, from: Endpoint) => void

/** The kernel's default loses most of a burst of answers to one broadcast; it grants less when it must. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024

/** Why the kernel would not send, in words that say where to look. */
const REASONS = new Map([
  ['ENETUNREACH', 'there is no route to that network'],
  ['EHOSTUNREACH', 'there is no way to that host'],
  ['ENETDOWN', 'the network interface is down'],
  ['EADDRNOTAVAIL', 'this machine does not have that address'],
  ['EPERM', 'a firewall on this machine forbids it'],
  ['EACCES', 'this machine does not permit it'],
  ['EINVAL', 'the bound local address cannot reach it'],
  ['EMSGSIZE', 'the datagram is too long'],
  ['ENOBUFS', 'the send buffer is full'],
])

export class MiioSocket implements UdpTransport {
  readonly #bind: string | undefined
  readonly #onError: (text: string) => void
  readonly #listeners = new Map<string, Set<(datagram: Buffer) => void>>()
  readonly #strangers = new Set<UnsolicitedHandler>()
  #socket: Socket | undefined
  /** Between `open` and `close`, also while there is no socket because the system took it away. */
  #isWanted = false
  #opening: Promise<Socket> | undefined

  /** `strangers` counts the received datagrams nobody listened for. */
  readonly counters = {sent: 0, received: 0, strangers: 0, sendErrors: 0, errors: 0}

  /**
   * @param bind the local IPv4 address to send from; every interface by default
   * @param onError told, in words, of what the kernel reports by itself: none of it ends anything
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

  /** Frees the port. Sending fails from now on; nothing more is handed over. */
  async close(): Promise<void> {
    this.#isWanted = false
    await this.#opening?.catch(() => {}) // whoever waits for it hears of the error
    const socket = this.#socket
    this.#socket = undefined
    if (socket) await new Promise<void>((resolve) => socket.close(resolve))
  }

  async send(datagram: Buffer, host: string, port: number): Promise<void> {
    if (!this.#isWanted) throw new MiioError('unreachable', 'send', 'cannot send: the socket is not open')
    const socket = this.#socket ?? (await this.#opened())
    this.counters.sent++
    try {
      await new Promise<void>((resolve, reject) => {
        socket.send(datagram, port, host, (error) => (error ? reject(error) : resolve()))
      })
    } catch (error) {
      this.counters.sendErrors++
      throw new MiioError('unreachable', 'send', `cannot send to ${host}:${port}: ${reason(error)}`)
    }
  }

  listen(host: string, port: number, handler: (datagram: Buffer) => void): () => void {
    const endpoint = keyOf({host, port})
    const handlers = this.#listeners.get(endpoint) ?? new Set()
    this.#listeners.set(endpoint, handlers.add(handler))
    return () => {
      handlers.delete(handler)
      if (handlers.size === 0 && this.#listeners.get(endpoint) === handlers) this.#listeners.delete(endpoint)
    }
  }

  onUnsolicited(handler: UnsolicitedHandler): () => void {
    this.#strangers.add(handler)
    return () => this.#strangers.delete(handler)
  }

  #receive(datagram: Buffer, from: Endpoint): void {
    if (!this.#socket) return
    this.counters.received++
    const handlers = this.#listeners.get(keyOf(from))
    if (!handlers) this.counters.strangers++
    for (const handler of [...(handlers ?? [])]) handler(datagram)
    // Only a hello reply (or a NAK) is as short as a header; discovery wants to see those from known plugs, too.
    if (!handlers || datagram.length === HEADER_BYTES)
      for (const handler of [...this.#strangers]) handler(datagram, from)
  }

  /** Opens it once, however many want to send meanwhile. @throws MiioError */
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

  /** A socket that nobody closed is gone: whoever sends next opens another. */
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
    socket = createSocket('udp4')
    await listening(socket, address)
    socket.setBroadcast(true)
    enlarge(socket)
    return socket
  } catch (error) {
    socket?.close()
    const where = address ?? 'any address'
    throw new MiioError('unreachable', 'send', `cannot open a UDP socket on ${where}: ${reason(error)}`)
  }
}

function listening(socket: Socket, address: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({port: 0, ...(address !== undefined && {address})}, () => {
      socket.off('error', reject)
      resolve()
    })
  })
}

/** Linux grants what it can; BSD refuses what is more than its limit, and the default has to do. */
function enlarge(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES)
  } catch {}
}

/** The kernel's reason in plain words, with its own name for it: people search for that. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  const words = REASONS.get(code)
  return words ? `${words} (${code})` : error.message
}

function keyOf({host, port}: Endpoint): string {
  return `${host}:${port}`
}
