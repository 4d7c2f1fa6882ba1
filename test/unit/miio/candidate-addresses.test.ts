import {beforeEach, describe, expect, test} from 'vitest'
import {sleep} from '../../../src/common/clock.ts'
import {type DiscoveredPlug, NetworkDiscovery} from '../../../src/miio/discovery.ts'
import {HELLO, helloReply} from '../../../src/miio/packet.ts'
import type {Endpoint} from '../../../src/miio/socket.ts'
import {MemoryNetwork, MemoryPlug} from '../../support/memory-network.ts'
import {seeded, settle, VirtualClock} from '../../support/virtual-clock.ts'
import {HOME, home} from './client-setup.ts'
import {DID} from './vectors.ts'

const EVERYBODY = {host: '192.168.1.255', port: 54321}
const ELSEWHERE = {host: '192.168.1.77', port: 54321}

let clock: VirtualClock
let network: MemoryNetwork
let logged: string[]

beforeEach(() => {
  clock = new VirtualClock()
  network = new MemoryNetwork(clock)
  logged = []
})

function discovery(): NetworkDiscovery {
  const log = (text: string) => logged.push(text)
  return new NetworkDiscovery({socket: network, clock, broadcast: [EVERYBODY.host], log, random: seeded(1)})
}

/** The n-th of ever new addresses. */
function newAddress(n: number): Endpoint {
  return {host: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`, port: 54321}
}

describe('forged hello replies in the name of a lost plug', () => {
  test('from ever new addresses are tried at no more than eight addresses for each broadcast', async () => {
    const asked: Endpoint[] = []
    discovery().find(DID, (at) => asked.push(at))
    await clock.advance(100)
    for (let n = 0; n < 100_000; n++) network.arrive(helloReply(DID, 5), newAddress(n))
    await clock.advance(4000)
    expect(asked).toHaveLength(8)
    await clock.advance(1000) // the next broadcast
    for (let n = 0; n < 100_000; n++) network.arrive(helloReply(DID, 5), newAddress(n))
    await clock.advance(4000)
    expect(asked).toHaveLength(16)
  })

  test('are tried one after the other', async () => {
    let asking = 0
    let most = 0
    discovery().find(DID, async () => {
      most = Math.max(most, ++asking)
      await sleep(clock, 300)
      asking--
    })
    await clock.advance(100)
    for (let n = 0; n < 100; n++) network.arrive(helloReply(DID, 5), newAddress(n))
    await clock.advance(4000)
    expect([most, asking]).toEqual([1, 0])
  })

  test('do not keep it from being found at its new address', async () => {
    const {client, plug, network} = home(clock)
    plug.moveTo(ELSEWHERE)
    const random = seeded(3)
    const seeker = new NetworkDiscovery({socket: network, clock, broadcast: [EVERYBODY.host], random})
    // Its reply to a broadcast lies somewhere among a hundred forged ones.
    network.attach(EVERYBODY, () => {
      const place = Math.floor(random() * 100)
      for (let n = 0; n < 100; n++)
        network.arrive(
          helloReply(DID, 5),
          n === place ? ELSEWHERE : newAddress(Math.floor(random() * 65_536)),
        )
    })
    seeker.find(DID, ({host, port}) => client.moveTo(host, port))
    for (let minutes = 0; minutes < 120 && client.host !== ELSEWHERE.host; minutes++)
      await clock.advance(60_000)
    expect(client.host).toBe(ELSEWHERE.host)
    seeker.stop()
  })

  test.each([
    ['0.0.0.0', 54321],
    ['0.1.2.3', 54321],
    ['224.0.0.50', 54321],
    ['239.255.255.250', 54321],
    ['255.255.255.255', 54321],
    ['240.0.0.1', 54321],
    ['192.168.1.40', 0],
  ])('from %s:%i, where no single plug can be, are not believed', async (host, port) => {
    const asked: Endpoint[] = []
    const seeker = discovery()
    seeker.find(DID, (at) => asked.push(at))
    const scan = seeker.scan({timeout: 3000})
    await clock.advance(100)
    network.arrive(helloReply(DID, 5), {host, port})
    await clock.advance(4000)
    expect([asked, await scan]).toEqual([[], []])
  })

  test('in the same search at the same address are one', async () => {
    const asked: Endpoint[] = []
    discovery().find(DID, (at) => asked.push(at))
    await clock.advance(100)
    for (let i = 0; i < 5; i++) network.arrive(helloReply(DID, 5), HOME)
    await clock.advance(100)
    for (let i = 0; i < 5; i++) network.arrive(helloReply(DID, 5), HOME)
    expect(asked).toEqual([HOME])
  })
})

test('no address is tried any more once the search has ended', async () => {
  const asked: Endpoint[] = []
  const seeker = discovery()
  seeker.find(DID, async (at) => {
    asked.push(at)
    await sleep(clock, 1000)
  })
  await clock.advance(100)
  for (let n = 0; n < 10; n++) network.arrive(helloReply(DID, 5), newAddress(n))
  seeker.cancelSearch(DID)
  await clock.advance(60_000)
  expect(asked).toHaveLength(1)
})

test('of too many hello replies each has the same chance, the first apart, which is tried at once', async () => {
  const chosen = new Map<number, number>()
  for (let seed = 0; seed < 2000; seed++) {
    let release = () => {}
    const first = new Promise<void>((resolve) => {
      release = resolve
    })
    const seeker = new NetworkDiscovery({socket: network, clock, broadcast: [], random: seeded(seed)})
    seeker.find(DID, ({port}) => {
      chosen.set(port, (chosen.get(port) ?? 0) + 1)
      return first
    })
    await clock.advance(0)
    for (let port = 1; port <= 80; port++) network.arrive(helloReply(DID, 5), {host: HOME.host, port})
    release()
    await settle()
    seeker.stop()
  }
  const [at, ...others] = Array.from({length: 80}, (_, i) => chosen.get(i + 1) ?? 0)
  expect(at).toBe(2000)
  const fair = (2000 * 7) / 79
  expect(Math.min(...others)).toBeGreaterThan(0.7 * fair)
  expect(Math.max(...others)).toBeLessThan(1.3 * fair)
})

describe('a scan', () => {
  test('collects a thousand devices, and reports once that there were more', async () => {
    const reported: DiscoveredPlug[] = []
    const scan = discovery().scan({timeout: 3000, onFound: (found) => reported.push(found)})
    await clock.advance(100)
    for (let n = 1; n <= 200_000; n++) network.arrive(helloReply(n, 5), newAddress(n))
    await clock.advance(3000)
    expect((await scan).length).toBe(1000)
    expect(reported).toHaveLength(1000)
    expect(logged).toEqual([expect.stringMatching(/more than 1000 devices/)])
  })

  test('for one device finds it behind any number of others', async () => {
    const scan = discovery().scan({timeout: 3000, did: DID})
    await clock.advance(100)
    for (let n = 1; n <= 2000; n++) network.arrive(helloReply(n, 5), newAddress(n))
    network.arrive(helloReply(DID, 5), HOME)
    await clock.advance(3000)
    expect(await scan).toMatchObject([{did: DID, ...HOME}])
    expect(logged).toEqual([])
  })
})

test('a plug found at a new address is tried there at once', async () => {
  const plug = new MemoryPlug(network, clock, {did: DID, token: Buffer.alloc(16, 1), at: ELSEWHERE})
  network.attach(EVERYBODY, () => plug.send(helloReply(DID, 5)))
  const asked: Endpoint[] = []
  discovery().find(DID, (at) => asked.push(at))
  await clock.advance(10)
  expect(asked).toEqual([ELSEWHERE])
  expect(network.sent.map(({datagram}) => datagram.equals(HELLO))).toEqual([true])
})
