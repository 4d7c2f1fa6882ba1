import {createSocket, type RemoteInfo} from 'node:dgram'
import {once} from 'node:events'
import {HELLO, MIIO_PORT} from '../../src/miio/packet.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from './addresses.ts'

/** A hello with a stamp that the plug returns. After its reply, no response to an earlier packet comes. */
const MARKER = Buffer.from(HELLO).fill(Buffer.from('01020304', 'hex'), 12, 16)

/** A minimal UDP client, so that tests of the simulator do not depend on the miIO client of src/miio, which is tested with the simulator. */
export class MiioRequester {
  readonly #socket = createSocket('udp4')
  readonly #received: {packet: Buffer; from: RemoteInfo}[] = []

  async open(): Promise<this> {
    this.#socket.on('message', (packet, from) => this.#received.push({packet, from}))
    this.#socket.bind(0, loopback(60, 250))
    await once(this.#socket, 'listening')
    this.#socket.setBroadcast(true)
    return this
  }

  close(): void {
    this.#socket.close()
  }

  send(packet: Buffer, address: string): void {
    this.#socket.send(packet, MIIO_PORT, address)
  }

  /** Sends `packets` in turn. @returns all responses: those before the reply to a last hello, so that no timeout is needed */
  async exchange(plug: SimulatedPlug, ...packets: Buffer[]): Promise<Buffer[]> {
    for (const packet of packets) this.send(packet, plug.address)
    this.send(MARKER, plug.address)
    const isMarker = (packet: Buffer) => packet.subarray(12, 16).equals(MARKER.subarray(12, 16))
    const replies: Buffer[] = []
    for await (const {packet} of this.received()) {
      if (isMarker(packet)) return replies
      replies.push(packet)
    }
    return replies
  }

  /** The single response to one request, decrypted, with the NUL at its end. */
  async ask(plug: SimulatedPlug, request: object): Promise<string> {
    const replies = await this.exchange(plug, sealed(plug, request))
    if (replies.length !== 1) throw new Error(`expected one response, got ${replies.length}`)
    return replies.map((reply) => opened(plug, reply)).join()
  }

  /** All received datagrams, and those that arrive from now on. The timeout of the test ends the wait. */
  async *received(): AsyncGenerator<{packet: Buffer; from: RemoteInfo}> {
    for (;;) {
      const next = this.#received.shift()
      if (next) yield next
      else await once(this.#socket, 'message')
    }
  }
}

/** The packet of a request, with the right token, id and clock. */
export function sealed(plug: SimulatedPlug, request: object | string, stamp = plug.uptimeS): Buffer {
  const payload = typeof request === 'string' ? request : `${JSON.stringify(request)}\0`
  return plug.cipher.seal(plug.did, stamp, Buffer.from(payload))
}

/** The decrypted payload of a response. @throws MalformedPacket for a wrong checksum */
export function opened(plug: SimulatedPlug, reply: Buffer): string {
  const header = reply.subarray(0, 16)
  const checksum = reply.subarray(16, 32)
  const ciphertext = reply.subarray(32)
  const [did, stamp] = [plug.did, plug.uptimeS]
  return plug.cipher.open({kind: 'message', did, stamp, header, checksum, ciphertext}).toString()
}
