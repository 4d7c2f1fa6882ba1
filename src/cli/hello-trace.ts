/** `--debug` where no plug is known yet: hellos and their answers. */
import {Cipher} from '../miio/packet.ts'
import {decodeDatagram, type Trace, type TracedPacket} from '../miio/packet-trace.ts'
import type {UdpTransport, UnsolicitedHandler} from '../miio/socket.ts'

/** Hellos belong to no plug's token, and need none to be read. */
const nobody = new Cipher(Buffer.alloc(16))

/** A wire that tells `trace` of every hello sent through it, and of every answer. */
export class TracedTransport implements UdpTransport {
  readonly #wire: UdpTransport
  readonly #trace: Trace

  constructor(wire: UdpTransport, trace: Trace) {
    this.#wire = wire
    this.#trace = trace
  }

  send(datagram: Buffer, host: string, port: number): Promise<void> {
    this.#tell('sent', datagram, host, port)
    return this.#wire.send(datagram, host, port)
  }

  listen(host: string, port: number, handler: (datagram: Buffer) => void): () => void {
    return this.#wire.listen(host, port, handler)
  }

  onUnsolicited(handler: UnsolicitedHandler): () => void {
    return this.#wire.onUnsolicited((datagram, from) => {
      this.#tell('received', datagram, from.host, from.port)
      handler(datagram, from)
    })
  }

  #tell(direction: TracedPacket['direction'], datagram: Buffer, host: string, port: number): void {
    this.#trace({direction, host, port, ...decodeDatagram(datagram, nobody, (text) => text)})
  }
}
