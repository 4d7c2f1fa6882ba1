import {createSocket, type RemoteInfo} from 'node:dgram'
import {once} from 'node:events'
import {HELLO, MIIO_PORT} from '../../src/miio/packet.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from './addresses.ts'

/** A hello with a stamp of its own, which a plug gives back: everything sent before it has been answered by then, or never will be. */
const LAST_WORD = Buffer.from(HELLO).fill(Buffer.from('01020304', 'hex'), 12, 16)

/** A bare UDP client, so that the simulator is not tested with the client it will test. */
export class MiioRequester {
  readonly #socket = createSocket('udp4')
  readonly #heard: {packet: Buffer; from: RemoteInfo}[] = []

  async open(): Promise<this> {
    this.#socket.on('message', (packet, from) => this.#heard.push({packet, from}))
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

  /** Sends `packets` in turn and returns every reply to them: none means that the plug chose silence, not that we were impatient. */
  async exchange(plug: SimulatedPlug, ...packets: Buffer[]): Promise<Buffer[]> {
    for (const packet of packets) this.send(packet, plug.address)
    this.send(LAST_WORD, plug.address)
    const isLastWord = (packet: Buffer) => packet.subarray(12, 16).equals(LAST_WORD.subarray(12, 16))
    const replies: Buffer[] = []
    for await (const {packet} of this.heard()) {
      if (isLastWord(packet)) return replies
      replies.push(packet)
    }
    return replies
  }

  /** The single reply to one request, decrypted, with the NUL at its end. */
  async ask(plug: SimulatedPlug, request: object): Promise<string> {
    const replies = await this.exchange(plug, sealed(plug, request))
    if (replies.length !== 1) throw new Error(`expected one reply, got ${replies.length}`)
    return replies.map((reply) => opened(plug, reply)).join()
  }

  /** Everything that arrives, from now on and since last asked; the test's own timeout bounds the wait. */
  async *heard(): AsyncGenerator<{packet: Buffer; from: RemoteInfo}> {
    for (;;) {
      const next = this.#heard.shift()
      if (next) yield next
      else await once(this.#socket, 'message')
    }
  }
}

/** A request as a client with the right token, id and clock sends it. */
export function sealed(plug: SimulatedPlug, request: object | string, stamp = plug.uptimeS): Buffer {
  const payload = typeof request === 'string' ? request : `${JSON.stringify(request)}\0`
  return plug.cipher.seal(plug.did, stamp, Buffer.from(payload))
}

/** The payload of a reply, after its checksum was verified. */
export function opened(plug: SimulatedPlug, reply: Buffer): string {
  const header = reply.subarray(0, 16)
  const checksum = reply.subarray(16, 32)
  const ciphertext = reply.subarray(32)
  const [did, stamp] = [plug.did, plug.uptimeS]
  return plug.cipher.open({kind: 'message', did, stamp, header, checksum, ciphertext}).toString()
}
