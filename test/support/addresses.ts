/**
 * Loopback addresses that no other test file has: files run at the same time, and so do whole test runs on one machine, and every plug
 * listens on UDP port 54321. Importing this module claims a network for the file.
 */
import {afterEach} from 'vitest'
import {claimNetwork, Ports} from './loopback.ts'

const network = await claimNetwork(Number(process.env['VITEST_POOL_ID'] ?? 1) - 1)

/** Where this file's simulated plugs hear everybody's hello (`inReachOfBroadcasts`), in place of 127.255.255.255, where those of all files would. */
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

/** An address that was not handed out before. */
export function freeAddress(): string {
  const index = handedOut++
  return loopback(FREE_BLOCK + Math.floor(index / 250), 1 + (index % 250))
}

/** A TCP port on 127.0.0.1 that no other test file is given. */
export function freePort(): Promise<number> {
  return ports.next()
}
