/** UDP server sockets of the simulator, with an error text that explains why an address cannot be used. */
import {createSocket, type RemoteInfo, type Socket} from 'node:dgram'

interface UdpEndpoint {
  address: string
  port: number
  /**
   * Other sockets may listen at the same endpoint. Linux then delivers a broadcast to each of them, any other datagram to the last one
   * only.
   */
  shared?: true
}

/**
 * Opens a socket at `endpoint` that passes every datagram to `onDatagram`.
 * @throws Error that names the address when it is taken, or does not belong to this machine
 */
export function listen(
  endpoint: UdpEndpoint,
  onDatagram: (datagram: Buffer, from: RemoteInfo) => void,
): Promise<Socket> {
  const socket = createSocket({type: 'udp4', reuseAddr: endpoint.shared ?? false})
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) =>
      reject(new Error(errorText(error, endpoint), {cause: error}))
    socket.once('error', fail)
    socket.bind(endpoint.port, endpoint.address, () => {
      socket.off('error', fail)
      // A client that has closed its socket meanwhile. A plug would not notice either.
      socket.on('error', () => {})
      socket.on('message', onDatagram)
      resolve(socket)
    })
  })
}

/** Closes a socket. Resolves when the address is free again. */
export function close(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()))
}

function errorText({code, message}: NodeJS.ErrnoException, {address, port}: UdpEndpoint): string {
  const place = `UDP ${address}:${port}`
  if (code === 'EADDRINUSE') return `${place} is taken: is another simulator, or a demo, running? (${code})`
  if (code === 'EADDRNOTAVAIL')
    return `${place} is not an address of this machine; outside Linux the loopback interface needs it as an alias (${code})`
  return `cannot listen on ${place}: ${message}`
}
