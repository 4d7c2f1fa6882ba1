/** `--debug`: every packet in one line, secrets left out. */
import {Cipher} from '../miio/packet.ts'
import type {StrangerHandler, Wire} from '../miio/socket.ts'
import {describe, type Trace, type TracedPacket} from '../miio/trace.ts'
import {printable} from './terminal.ts'

/** `-> 192.168.1.40:54321 message did 200100001 stamp 86405 {"id":1,"method":"get_prop","params":["power"]}` */
export function traceLine({direction, host, port, kind, did, stamp, json, problem}: TracedPacket): string {
  const arrow = direction === 'sent' ? '->' : '<-'
  const header = [kind, did === undefined ? '' : `did ${did}`, stamp === undefined ? '' : `stamp ${stamp}`]
  const text = [arrow, `${host}:${port}`, ...header, json ?? problem ?? ''].filter(Boolean).join(' ')
  return printable(text)
}

/** Hellos belong to no plug's token, and need none to be read. */
const nobody = new Cipher(Buffer.alloc(16))

/** A wire that tells `trace` of every hello sent through it, and of every answer. */
export class TracedWire implements Wire {
  readonly #wire: Wire
  readonly #trace: Trace

  constructor(wire: Wire, trace: Trace) {
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

  onStranger(handler: StrangerHandler): () => void {
    return this.#wire.onStranger((datagram, from) => {
      this.#tell('received', datagram, from.host, from.port)
      handler(datagram, from)
    })
  }

  #tell(direction: TracedPacket['direction'], datagram: Buffer, host: string, port: number): void {
    this.#trace({direction, host, port, ...describe(datagram, nobody, (text) => text)})
  }
}
