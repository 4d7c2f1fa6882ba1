/** Loopback networks: each process, of one or several test runs on a machine, gets one of its own. */
import {createSocket} from 'node:dgram'
import {once} from 'node:events'
import {createServer} from 'node:net'

/** 127.0.0.0/15 is used by others: 127.0.0.1, the resolver of systemd, the demo. */
const FIRST = 2
const LAST = 252
/** No simulated plug has this host number. */
const LOCK = {host: '255.254', port: 54321}
/** TCP ports on 127.0.0.1 that belong to each network. All are below those that Linux gives to outgoing connections, from 32768. */
const FIRST_PORT = 20_000
const PORTS = 80

/**
 * Claims one of the networks 127.2.0.0/15, 127.4.0.0/15 … 127.252.0.0/15 for this process: it binds one address of it, which the kernel
 * releases when the process ends, however it ends. A /15, because a simulated plug that changes its address changes the lowest bit of
 * the second number.
 * @param preferred the index of the network that is tried first: where nothing else runs, the same process gets the same addresses
 * @returns its second number, an even one
 * @throws Error when all of them are taken, or loopback is only 127.0.0.1 (macOS)
 */
export async function claimNetwork(preferred = 0): Promise<number> {
  const all = Array.from({length: (LAST - FIRST) / 2 + 1}, (_, index) => FIRST + 2 * index)
  const from = preferred % all.length
  for (const network of [...all.slice(from), ...all.slice(0, from)])
    if (await isBound(`127.${network}.${LOCK.host}`)) return network
  throw new Error(
    `expected a free network among 127.${FIRST}.0.0/15 … 127.${LAST}.0.0/15, but UDP ${LOCK.port} of 127.x.${LOCK.host} is taken in all`,
  )
}

/** Claims the address. @returns `false` when another process has it. @throws Error when it cannot be claimed for any other reason */
async function isBound(address: string): Promise<boolean> {
  const lock = createSocket('udp4').unref()
  lock.bind({port: LOCK.port, address, exclusive: true})
  try {
    await once(lock, 'listening')
    return true
  } catch (error) {
    lock.close()
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false
    throw error
  }
}

/** Free TCP ports on 127.0.0.1 that belong to `network`: a broker that starts late, or again, finds its port free. */
export class Ports {
  readonly #first: number
  #given = 0

  /** @param network one that `claimNetwork` gave to this process */
  constructor(network: number) {
    this.#first = FIRST_PORT + (network / 2) * PORTS
  }

  /** @throws Error when all of them are given out or taken */
  async next(): Promise<number> {
    while (this.#given < PORTS) {
      const port = this.#first + this.#given++
      if (await isFree(port)) return port
    }
    throw new Error(`no TCP port is free from ${this.#first} to ${this.#first + PORTS - 1}`)
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
