/** A broker for MQTT 3.1.1 only. */
import type {Socket} from 'node:net'

/** CONNACK of 3.1.1: unacceptable protocol version (MQTT 3.1.1 §3.2.2.3). */
const UNACCEPTABLE = Buffer.of(0x20, 2, 0, 1)
/** It follows the name of the protocol, `MQTT`. */
const versionIn = (connect: Buffer) => connect[connect.indexOf('MQTT') + 4]

/** Passes only clients without MQTT 5 to `handle`. */
export function acceptingOnlyMqtt311(handle: (socket: Socket) => void): (socket: Socket) => void {
  return (socket) =>
    socket.once('data', (connect: Buffer) => {
      if (versionIn(connect) === 5) return socket.end(UNACCEPTABLE)
      socket.pause()
      socket.unshift(connect)
      return handle(socket)
    })
}
