/** UDP sockets that say in plain words why they could not be opened. */
import {createSocket, type RemoteInfo, type Socket} from 'node:dgram'

export interface UdpEndpoint {
  address: string
  port: number
  /** Others may listen at the same place. Linux then hands a broadcast to each of them, anything else to the last one only. */
  shared?: true
}

/**
 * Opens a socket at `endpoint`; every datagram goes to `hear`.
 * @throws Error that names the address when it is taken, or does not belong to this machine
 */
export function listen(
  endpoint: UdpEndpoint,
  hear: (datagram: Buffer, from: RemoteInfo) => void,
): Promise<Socket> {
  const socket = createSocket({type: 'udp4', reuseAddr: endpoint.shared ?? false})
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(new Error(explain(error, endpoint), {cause: error}))
    socket.once('error', fail)
    socket.bind(endpoint.port, endpoint.address, () => {
      socket.off('error', fail)
      // An asker that has gone away meanwhile: a plug would not notice either.
      socket.on('error', () => {})
      socket.on('message', hear)
      resolve(socket)
    })
  })
}

/** Resolves when the address is free again. */
export function close(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()))
}

function explain({code, message}: NodeJS.ErrnoException, {address, port}: UdpEndpoint): string {
  const place = `UDP ${address}:${port}`
  switch (code) {
    case 'EADDRINUSE':
      return `${place} is taken: is another simulator, or a demo, running? (EADDRINUSE)`
    case 'EADDRNOTAVAIL':
      return `${place} is not an address of this machine; outside Linux the loopback interface needs it as an alias (EADDRNOTAVAIL)`
    default:
      return `cannot listen on ${place}: ${message}`
  }
}
