/** A broker that a test controls packet by packet, for behaviour that a real broker does not show. MQTT 5 unless the client uses 3.1.1. */
import {createServer, type Server, type Socket} from 'node:net'
import {afterAll} from 'vitest'

/** A received packet: its type (MQTT 5.0 §2.1.2) and the bytes after its fixed header. */
export interface Packet {
  type: number
  flags: number
  body: Buffer
  /** Its length in bytes. */
  size: number
}

export const CONNECT = 1
export const PUBLISH = 3
export const SUBSCRIBE = 8
export const UNSUBSCRIBE = 10
const PINGREQ = 12

export interface BrokerConnection {
  /** 5, or 4 for MQTT 3.1.1. */
  version: number
  /** Counts the connections, from 1. */
  number: number
  socket: Socket
  send(...bytes: (number | Buffer)[]): void
}

/** @returns whether the packet was handled; otherwise the broker responds as usual. */
export type Script = (packet: Packet, line: BrokerConnection) => boolean | undefined

const running = new Set<ScriptedBroker>()
afterAll(() => {
  for (const broker of running) broker.stop()
})

export class ScriptedBroker {
  readonly #script: Script
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  /** The CONNECT packets of all attempts. */
  readonly versions: number[] = []
  /** PUBLISH packets of all connections, in order; the properties are left out. */
  readonly published: {
    topic: string
    payload: string
    qos: number
    retain: boolean
    line: number
    size: number
  }[] = []

  private constructor(script: Script) {
    this.#script = script
    this.#server = createServer((socket) => this.#serve(socket))
  }

  static async start(script: Script = () => false): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(script)
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve))
    running.add(broker)
    return broker
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address ? address.port : Number.NaN
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    running.delete(this)
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {}) // the client may have closed it
    socket.on('close', () => this.#sockets.delete(socket))
    let unread = Buffer.alloc(0)
    const line: BrokerConnection = {
      version: 5,
      number: this.versions.length + 1,
      socket,
      send: (...bytes) =>
        socket.write(Buffer.concat(bytes.map((part) => (typeof part === 'number' ? Buffer.of(part) : part)))),
    }
    socket.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk])
      for (let packet = firstOf(unread); packet; packet = firstOf(unread)) {
        unread = unread.subarray(packet.size)
        this.#handle(packet, line)
      }
    })
  }

  #handle(packet: Packet, line: BrokerConnection): void {
    if (packet.type === CONNECT) {
      line.version = packet.body[6] ?? Number.NaN
      this.versions.push(line.version)
    }
    if (packet.type === PUBLISH)
      this.published.push({...publishIn(packet, line.version), line: line.number, size: packet.size})
    if (!this.#script(packet, line)) answer(packet, line)
  }
}

/** The identifier of a SUBSCRIBE, an UNSUBSCRIBE, or a PUBLISH of QoS 1. */
export function idOf({type, body}: Packet): Buffer {
  const from = type === PUBLISH ? 2 + body.readUInt16BE(0) : 0
  return body.subarray(from, from + 2)
}

/** A PUBLISH of QoS 0 to a client. */
export function publishTo({version}: BrokerConnection, topic: string, payload: string): Buffer {
  const name = Buffer.from(topic)
  const body = Buffer.concat([
    Buffer.of(name.length >> 8, name.length & 255),
    name,
    ...(version === 5 ? [Buffer.of(0)] : []),
    Buffer.from(payload),
  ])
  return Buffer.concat([Buffer.of(0x30), sizeOf(body.length), body])
}

/** A CONNACK of MQTT 5 with these properties, or of 3.1.1. */
export function connack({version}: BrokerConnection, code = 0, properties = Buffer.alloc(0)): Buffer {
  if (version !== 5) return Buffer.of(0x20, 2, 0, code)
  return Buffer.concat([Buffer.of(0x20, 3 + properties.length, 0, code, properties.length), properties])
}

/** How many filters a SUBSCRIBE or an UNSUBSCRIBE has. */
export function filtersIn({type, body}: Packet, version: number): string[] {
  const filters: string[] = []
  let from = version === 5 ? 3 + (body[2] ?? 0) : 2
  while (from < body.length) {
    const length = body.readUInt16BE(from)
    filters.push(body.toString('utf8', from + 2, from + 2 + length))
    from += 2 + length + (type === SUBSCRIBE ? 1 : 0)
  }
  return filters
}

function answer(packet: Packet, line: BrokerConnection): void {
  const {type, flags} = packet
  const properties = line.version === 5 ? [0] : []
  if (type === CONNECT) line.send(connack(line))
  if (type === PINGREQ) line.send(0xd0, 0)
  if (type === SUBSCRIBE) {
    const granted = Buffer.alloc(filtersIn(packet, line.version).length, 1)
    line.send(0x90, 2 + properties.length + granted.length, idOf(packet), ...properties, granted)
  }
  if (type === UNSUBSCRIBE) {
    const done = line.version === 5 ? Buffer.alloc(filtersIn(packet, 5).length) : Buffer.alloc(0)
    line.send(0xb0, 2 + properties.length + done.length, idOf(packet), ...properties, done)
  }
  if (type === PUBLISH && (flags & 6) !== 0) line.send(0x40, 2, idOf(packet))
}

function publishIn({flags, body}: Packet, version: number) {
  const qos = (flags >> 1) & 3
  const length = body.readUInt16BE(0)
  let from = 2 + length + (qos > 0 ? 2 : 0)
  if (version === 5) from += 1 + (body[from] ?? 0) // properties of less than 128 bytes
  return {
    topic: body.toString('utf8', 2, 2 + length),
    payload: body.toString('utf8', from),
    qos,
    retain: (flags & 1) === 1,
  }
}

function firstOf(bytes: Buffer): Packet | undefined {
  let length = 0
  for (let index = 1; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0
    length += (byte & 127) * 128 ** (index - 1)
    if (byte >= 128) continue
    const size = index + 1 + length
    if (bytes.length < size) return undefined
    const [first = 0] = bytes
    return {type: first >> 4, flags: first & 15, body: bytes.subarray(index + 1, size), size}
  }
  return undefined
}

function sizeOf(length: number): Buffer {
  return length < 128
    ? Buffer.of(length)
    : Buffer.concat([Buffer.of((length % 128) + 128), sizeOf(Math.floor(length / 128))])
}
