import {beforeEach, expect, test} from 'vitest'
import {DeviceIdOwners} from '../../../src/app/device-id-owners.ts'
import {PlugTransport} from '../../../src/app/plug-transport.ts'
import {MiioClient} from '../../../src/miio/client.ts'
import {NetworkDiscovery} from '../../../src/miio/discovery.ts'
import {MemoryNetwork, MemoryPlug} from '../../support/memory-network.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'

const DID = 7
const KEY = Buffer.alloc(16, 1)
const HOME = {host: '192.168.1.40', port: 54321}

let clock: VirtualClock
let network: MemoryNetwork
let plug: MemoryPlug
let owners: DeviceIdOwners
let happened: string[]

beforeEach(() => {
  clock = new VirtualClock()
  network = new MemoryNetwork(clock)
  plug = new MemoryPlug(network, clock, {did: DID, token: KEY, at: HOME})
  owners = new DeviceIdOwners()
  happened = []
})

/** A configured plug with this device id at this address. */
function transport(name: string, {did, host}: {did?: number; host: string}): PlugTransport {
  return new PlugTransport({
    name,
    client: new MiioClient({socket: network, clock, random: seeded(1), token: KEY, did, host}),
    owners,
    discovery: new NetworkDiscovery({socket: network, clock, broadcast: []}),
    user: {
      enqueue: (run) => run(),
      ownerChanged: (owner, reason) => happened.push(`${name}: ${owner ?? 'free'} ${reason}`.trim()),
      moved: (from, to) => happened.push(`${name}: ${from} -> ${to}`),
      tried: () => {},
    },
  })
}

async function outcome(call: Promise<unknown>): Promise<unknown> {
  const ended = call.catch((error: unknown) => String(error))
  await clock.advance(10_000)
  return ended
}

test('of two plugs with one device id only the first sends requests, until it is released', async () => {
  const [desk, lamp] = [transport('desk', {did: DID, ...HOME}), transport('lamp', {did: DID, ...HOME})]
  expect(await outcome(desk.call('get_prop', []))).toEqual(['ok'])
  const text = 'lamp (192.168.1.40) is the same plug as desk (device id 7): lamp is not contacted'
  expect(await outcome(lamp.call('get_prop', []))).toContain(text)
  expect([lamp.owner, happened, plug.requests.length]).toEqual(['desk', [`lamp: desk ${text}`], 1])
  desk.release()
  expect([lamp.owner, happened.at(-1)]).toEqual([undefined, 'lamp: free'])
  expect(await outcome(lamp.call('get_prop', []))).toEqual(['ok'])
})

test('a plug whose device id turns out to be owned by another one gets no result', async () => {
  const [desk, lamp] = [transport('desk', {did: DID, ...HOME}), transport('lamp', HOME)]
  await outcome(desk.call('get_prop', []))
  expect(await outcome(lamp.call('get_prop', []))).toContain('lamp is not contacted')
  expect(lamp.owner).toBe('desk')
})

test('a plug that was stopped takes over nothing', async () => {
  const [desk, lamp] = [transport('desk', {did: DID, ...HOME}), transport('lamp', {did: DID, ...HOME})]
  await outcome(desk.call('get_prop', []))
  await outcome(lamp.call('get_prop', []))
  lamp.stop()
  desk.release()
  expect([lamp.owner, happened]).toEqual(['desk', [expect.stringMatching(/^lamp: desk/)]])
})
