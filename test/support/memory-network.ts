import {MiioError} from '../../src/miio/miio-error.ts'
import {
  Cipher,
  HEADER_BYTES,
  HELLO,
  helloReply,
  MalformedPacket,
  nak,
  parsePacket,
} from '../../src/miio/packet.ts'
import type {Endpoint, SentCallback, UdpTransport, UnsolicitedHandler} from '../../src/miio/socket.ts'
import type {VirtualClock} from './virtual-clock.ts'

/** A network in memory, on virtual time: a datagram arrives 10 ms after it is sent, if its address has a host. */
export class MemoryNetwork implements UdpTransport {
  readonly sent: {datagram: Buffer; to: string; at: number}[] = []
  readonly #clock: VirtualClock
  readonly #hosts = new Map<string, (datagram: Buffer) => void>()
  readonly #listeners = new Map<string, Set<(datagram: Buffer) => void>>()
  readonly #unsolicitedHandlers = new Set<UnsolicitedHandler>()
  /** While true, sending fails. */
  isDown = false
  /** Whether the next datagram is lost on its way, in either direction. */
  loses: () => boolean = () => false

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  /** Adds a host that receives what is sent to `at`, which may be a broadcast address. @returns a function that removes it */
  attach(at: Endpoint, receive: (datagram: Buffer) => void): () => void {
    this.#hosts.set(key(at), receive)
    return () => this.#hosts.delete(key(at))
  }

  send(datagram: Buffer, host: string, port: number, sent: SentCallback): void {
    const to = key({host, port})
    if (this.isDown) {
      sent(new MiioError('unreachable', 'send', `cannot send to ${to}: there is no route`))
      return
    }
    this.sent.push({datagram, to, at: this.#clock.now()})
    sent()
    if (!this.loses()) this.#clock.after(10, () => this.#hosts.get(to)?.(datagram))
  }

  listen(host: string, port: number, handler: (datagram: Buffer) => void): () => void {
    const handlers = this.#listeners.get(key({host, port})) ?? new Set()
    this.#listeners.set(key({host, port}), handlers.add(handler))
    return () => handlers.delete(handler)
  }

  onUnsolicited(handler: UnsolicitedHandler): () => void {
    this.#unsolicitedHandlers.add(handler)
    return () => this.#unsolicitedHandlers.delete(handler)
  }

  afterArrived(callback: () => void): void {
    callback()
  }

  /** Delivers a datagram with `from` as its source address. */
  arrive(datagram: Buffer, from: Endpoint): void {
    const handlers = [...(this.#listeners.get(key(from)) ?? [])]
    for (const handler of handlers) handler(datagram)
    if (handlers.length === 0 || datagram.length === HEADER_BYTES)
      for (const handler of [...this.#unsolicitedHandlers]) handler(datagram, from)
  }

  /** The number of listeners for an address. */
  listeners(at: Endpoint): number {
    return this.#listeners.get(key(at))?.size ?? 0
  }
}

export interface MemoryRequest {
  id: number
  method: string
  params: unknown
  stamp: number
  at: number
  /** The payload as it was sent. */
  plain: string
  packet: Buffer
}

/** A plug on a `MemoryNetwork` that handles packets as the firmware of an m1 does (docs/protocol.md §1.6). */
export class MemoryPlug {
  readonly did: number
  readonly hellos: number[] = []
  readonly requests: MemoryRequest[] = []
  /** The responses to a request: several datagrams, one or none, each sent after `delay` milliseconds. */
  answer: (request: MemoryRequest) => Buffer[] = ({id}) => [this.reply({result: ['ok'], id})]
  replyToHello: () => Buffer[] = () => [helloReply(this.did, this.uptime())]
  /** Whether the plug responds to a wrong token with a NAK. */
  naks = true
  delay = 10
  /** Milliseconds until the hello reply, where that differs from `delay`: the Wi-Fi half of a plug sends it by itself. */
  helloDelay: number | undefined
  at: Endpoint
  #bootedAt: number
  readonly #clock: VirtualClock
  readonly #network: MemoryNetwork
  readonly #cipher: Cipher
  #detach = () => {}

  constructor(
    network: MemoryNetwork,
    clock: VirtualClock,
    {did, token, at, uptime = 1000}: {did: number; token: Buffer; at: Endpoint; uptime?: number},
  ) {
    this.#network = network
    this.#clock = clock
    this.#cipher = new Cipher(token)
    this.did = did
    this.at = at
    this.#bootedAt = clock.now() - uptime * 1000
    this.moveTo(at)
  }

  uptime(): number {
    return Math.floor((this.#clock.now() - this.#bootedAt) / 1000)
  }

  reboot(): void {
    this.#bootedAt = this.#clock.now()
  }

  /** Sets the clock of the plug forward by `seconds`. */
  gain(seconds: number): void {
    this.#bootedAt -= seconds * 1000
  }

  moveTo(at: Endpoint): void {
    this.#detach()
    this.at = at
    this.#detach = this.#network.attach(at, (datagram) => this.#receive(datagram))
  }

  /** An encrypted response. @param body an object, or text that is sent as it is */
  reply(body: object | string): Buffer {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return this.#cipher.seal(this.did, this.uptime(), Buffer.from(`${text}\0`, 'latin1'))
  }

  /** Sends a datagram to the bridge. */
  send(datagram: Buffer): void {
    if (!this.#network.loses()) this.#network.arrive(datagram, this.at)
  }

  #receive(datagram: Buffer): void {
    for (const response of this.#responses(datagram)) {
      const delay = datagram.equals(HELLO) ? (this.helloDelay ?? this.delay) : this.delay
      this.#clock.after(delay, () => this.send(response))
    }
  }

  #responses(datagram: Buffer): Buffer[] {
    if (datagram.equals(HELLO)) {
      this.hellos.push(this.#clock.now())
      return this.replyToHello()
    }
    const packet = parsePacket(datagram)
    if (packet.kind !== 'message' || packet.did !== this.did) return []
    if (Math.abs(packet.stamp - this.uptime()) > 60) return []
    try {
      const plain = this.#cipher.open(packet).toString()
      const {id, method, params} = JSON.parse(plain.replace(/\0$/, ''))
      const {stamp} = packet
      const request = {id, method, params, stamp, at: this.#clock.now(), plain, packet: datagram}
      this.requests.push(request)
      return this.answer(request)
    } catch (error) {
      if (error instanceof MalformedPacket) return this.naks ? [nak(datagram)] : []
      throw error
    }
  }
}

function key({host, port}: Endpoint): string {
  return `${host}:${port}`
}
