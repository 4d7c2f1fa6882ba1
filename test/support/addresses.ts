/**
 * Loopback addresses that no other test file has: files run at the same time, and so do whole test runs on one machine, and every plug
 * listens on UDP port 54321. Importing this module claims a network for the file.
 */
import {afterEach} from 'vitest'
import {claimNetwork, Ports} from './loopback.ts'

const network = await claimNetwork(Number(process.env['VITEST_POOL_ID'] ?? 1) - 1)

/** The broadcast address of this file's simulated plugs (`inReachOfBroadcasts`). Plugs of all files would receive those to 127.255.255.255. */
export const BROADCAST = loopback(255, 253)

/** `freeAddress` begins here. */
const FREE_BLOCK = 200
let handedOut = 0
const ports = new Ports(network)

afterEach(({task}) => {
  if (task.result?.state === 'fail') console.error(`The addresses of this file were 127.${network}.0.0/15.`)
})

/** `127.x.<block>.<host>`, where `x` is this file's own. Blocks from 200 are those of `freeAddress`. */
export function loopback(block: number, host: number): string {
  return `127.${network}.${block}.${host}`
}

/** An address that is not used yet. */
export function freeAddress(): string {
  const index = handedOut++
  return loopback(FREE_BLOCK + Math.floor(index / 250), 1 + (index % 250))
}

/** A TCP port on 127.0.0.1 that no other test file gets. */
export function freePort(): Promise<number> {
  return ports.next()
}
