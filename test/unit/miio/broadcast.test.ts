import {beforeEach, expect, test, vi} from 'vitest'
import {broadcastAddresses, NetworkDiscovery} from '../../../src/miio/discovery.ts'
import {helloReply} from '../../../src/miio/packet.ts'
import type {Endpoint} from '../../../src/miio/socket.ts'
import {MemoryNetwork} from '../../support/memory-network.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {HOME} from './client-setup.ts'

const system = vi.hoisted(() => ({lists: true}))

vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  networkInterfaces() {
    if (!system.lists)
      throw Object.assign(new Error('A system error occurred: uv_interface_addresses returned EMFILE'), {
        code: 'ERR_SYSTEM_ERROR',
      })
    const [address, netmask] = ['192.168.1.2', '255.255.255.0']
    return {eth0: [{family: 'IPv4', internal: false, address, netmask}], none: undefined}
  },
}))

let clock: VirtualClock
let network: MemoryNetwork
let logged: string[]
let discovery: NetworkDiscovery

beforeEach(() => {
  system.lists = true
  clock = new VirtualClock()
  network = new MemoryNetwork(clock)
  logged = []
  const log = (text: string) => logged.push(text)
  discovery = new NetworkDiscovery({socket: network, clock, broadcast: undefined, log})
})

const UNLISTED = /cannot list the networks of this machine: .*EMFILE/

test('a search goes on while the system does not list its networks, and finds the plug afterwards', async () => {
  const seen: Endpoint[] = []
  system.lists = false
  discovery.find(40, (at) => seen.push(at))
  await clock.advance(1000)
  expect([network.sent, logged]).toEqual([[], [expect.stringMatching(UNLISTED)]])
  system.lists = true
  network.attach({host: '192.168.1.255', port: 54321}, () => network.arrive(helloReply(40, 5), HOME))
  await clock.advance(5000)
  expect(seen).toEqual([HOME])
})

test('a scan while the system does not list its networks fails in words', async () => {
  system.lists = false
  const failure = {code: 'unreachable', stage: 'send', message: expect.stringMatching(UNLISTED)}
  await expect(discovery.scan({timeout: 3000})).rejects.toMatchObject(failure)
  expect(() => broadcastAddresses()).toThrow(UNLISTED)
  expect(clock.pending).toBe(0)
})
