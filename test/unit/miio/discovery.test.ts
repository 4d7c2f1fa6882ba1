import {createSocket, type Socket} from 'node:dgram'
import {once} from 'node:events'
import {afterEach, beforeEach, describe, expect, test} from 'vitest'
import {systemClock} from '../../../src/common/clock.ts'
import {broadcastAddresses, type DiscoveredPlug, NetworkDiscovery} from '../../../src/miio/discovery.ts'
import {HELLO, helloReply, MIIO_PORT} from '../../../src/miio/packet.ts'
import {type Endpoint, MiioSocket, sendDatagram} from '../../../src/miio/socket.ts'
import {loopback} from '../../support/addresses.ts'
import {MemoryNetwork} from '../../support/memory-network.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {DID, HANDSHAKE, HELLO_STAMP} from './vectors.ts'

const EVERYBODY = {host: '192.168.1.255', port: MIIO_PORT}
const DESK = {host: '192.168.1.40', port: MIIO_PORT}
const KETTLE = {host: '192.168.1.41', port: MIIO_PORT}

describe('broadcast addresses', () => {
  const ipv4 = (address: string, netmask: string, internal = false) => ({
    address,
    netmask,
    internal,
    family: 'IPv4' as const,
    mac: '',
    cidr: null,
  })

  test('follow from address and netmask, whatever the netmask', () => {
    const found = broadcastAddresses([
      ipv4('192.168.1.7', '255.255.255.0'),
      ipv4('10.1.2.3', '255.255.252.0'),
      ipv4('172.16.200.9', '255.240.0.0'),
      ipv4('192.168.5.130', '255.255.255.128'),
    ])
    expect(found).toEqual(['192.168.1.255', '10.1.3.255', '172.31.255.255', '192.168.5.255'])
  })

  test('leave out loopback, IPv6, networks of one host, and repetitions', () => {
    const link = {address: 'fe80::1', netmask: 'ffff::', internal: false, mac: '', cidr: null, scopeid: 2}
    const found = broadcastAddresses([
      ipv4('127.0.0.1', '255.0.0.0', true),
      ipv4('10.8.0.2', '255.255.255.255'),
      ipv4('192.168.1.7', '255.255.255.0'),
      ipv4('192.168.1.8', '255.255.255.0'),
      {...link, family: 'IPv6'},
    ])
    expect(found).toEqual(['192.168.1.255'])
  })
})

describe('on virtual time', () => {
  let clock: VirtualClock
  let network: MemoryNetwork
  let logged: string[]

  beforeEach(() => {
    clock = new VirtualClock()
    network = new MemoryNetwork(clock)
    logged = []
  })

  test('a scan sends two hellos, and finds each plug once', async () => {
    everybodyAnswers(DESK, KETTLE)
    const reported: DiscoveredPlug[] = []
    const scan = discovery().scan({timeout: 3000, onFound: (found) => reported.push(found)})
    await clock.advance(3000)
    const found = await scan
    expect(network.sent.map(({at}) => at)).toEqual([0, 1000])
    expect(found.map(({host, did}) => [host, did])).toEqual([
      [DESK.host, 40],
      [KETTLE.host, 41],
    ])
    expect(reported).toEqual(found)
    expect(clock.pending).toBe(0)
  })

  test('a scan ignores what is no hello reply', async () => {
    network.attach(EVERYBODY, () => {
      for (const noise of [Buffer.alloc(0), Buffer.alloc(32), HELLO, Buffer.from(HANDSHAKE.mdidProbe, 'hex')])
        network.arrive(noise, DESK)
    })
    const scan = discovery().scan({timeout: 3000})
    await clock.advance(3000)
    expect(await scan).toEqual([])
  })

  test('a scan finds plugs that are in use already', async () => {
    everybodyAnswers(DESK)
    network.listen(DESK.host, DESK.port, () => {})
    const scan = discovery().scan({timeout: 3000})
    await clock.advance(3000)
    expect(await scan).toMatchObject([{did: 40}])
  })

  test('a scan that is aborted ends with what it has', async () => {
    everybodyAnswers(DESK)
    const controller = new AbortController()
    const scan = discovery().scan({timeout: 3000, signal: controller.signal})
    await clock.advance(500)
    controller.abort()
    expect(await scan).toMatchObject([{did: 40}])
    expect(network.sent).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  test('a scan of one address ends with its reply, and no other', async () => {
    network.attach(DESK, () => {
      network.arrive(helloReply(99, 1), KETTLE)
      network.arrive(helloReply(40, 1), DESK)
    })
    const scan = discovery([]).scan({timeout: 3000, only: DESK})
    await clock.advance(20)
    expect(await scan).toMatchObject([{...DESK, did: 40}])
  })

  test('a scan without anywhere to broadcast sends nothing', async () => {
    expect(await discovery([]).scan({timeout: 3000})).toEqual([])
    expect(network.sent).toEqual([])
  })

  test('a scan that could not send one hello fails with the reason', async () => {
    network.isDown = true
    await expect(discovery().scan({timeout: 3000})).rejects.toMatchObject({
      code: 'unreachable',
      stage: 'send',
    })
  })

  test('a lost plug is looked for at once, then at growing intervals up to a minute', async () => {
    discovery().find(40, () => {})
    await clock.advance(300_000)
    const seconds = network.sent.map(({at}) => at / 1000)
    expect(seconds).toEqual([0, 5, 15, 35, 75, 135, 195, 255])
  })

  test('ten thousand lost plugs share one broadcast', async () => {
    const seeker = discovery()
    for (let did = 0; did < 10_000; did++) seeker.find(did, () => {})
    await clock.advance(4_000)
    expect(network.sent).toHaveLength(1)
    expect(clock.pending).toBe(1)
  })

  test('a plug lost later is looked for at once, but not within 5 s of the last broadcast', async () => {
    const seeker = discovery()
    seeker.find(40, () => {})
    await clock.advance(40_000) // at 0, 5, 15, 35
    seeker.find(41, () => {})
    await clock.advance(0)
    expect(network.sent.at(-1)?.at).toBe(40_000)
    await clock.advance(1000)
    seeker.find(42, () => {})
    await clock.advance(4000)
    expect(network.sent.map(({at}) => at / 1000)).toEqual([0, 5, 15, 35, 40, 45])
  })

  test('asking again for what is looked for already hurries nothing', async () => {
    const seeker = discovery()
    for (let i = 0; i < 60; i++) {
      seeker.find(40, () => {})
      await clock.advance(1000)
    }
    expect(network.sent).toHaveLength(4)
  })

  test('a found plug is reported until it is forgotten, once per broadcast and address', async () => {
    everybodyAnswers(DESK, DESK, KETTLE)
    const seeker = discovery()
    const seen: Endpoint[] = []
    seeker.find(40, (at) => seen.push(at))
    await clock.advance(1000)
    expect(seen).toEqual([DESK])
    await clock.advance(5000)
    expect(seen).toEqual([DESK, DESK])
    seeker.cancelSearch(40)
    await clock.advance(600_000)
    expect(seen).toHaveLength(2)
    expect(network.sent).toHaveLength(2)
    expect(clock.pending).toBe(0)
  })

  test('one plug found leaves the others looked for, and stop ends them all', async () => {
    const seeker = discovery()
    seeker.find(40, () => {})
    seeker.find(41, () => {})
    seeker.cancelSearch(40)
    await clock.advance(6000)
    expect(network.sent).toHaveLength(2)
    seeker.stop()
    await clock.advance(600_000)
    expect(network.sent).toHaveLength(2)
    expect(clock.pending).toBe(0)
  })

  test('a network that is down is logged, and looked on later', async () => {
    network.isDown = true
    const seen: Endpoint[] = []
    everybodyAnswers(DESK)
    discovery().find(40, (at) => seen.push(at))
    await clock.advance(1000)
    expect(logged).toEqual([expect.stringContaining('cannot send to 192.168.1.255:54321')])
    network.isDown = false
    await clock.advance(5000)
    expect(seen).toEqual([DESK])
  })

  function discovery(broadcast: string[] = [EVERYBODY.host]): NetworkDiscovery {
    return new NetworkDiscovery({socket: network, clock, broadcast, log: (message) => logged.push(message)})
  }

  /** The last number of its address is a plug's id here. */
  function everybodyAnswers(...plugs: Endpoint[]): void {
    network.attach(EVERYBODY, () => {
      for (const at of plugs) network.arrive(helloReply(Number(at.host.split('.').at(-1)), 100), at)
    })
  }
})

describe('over real UDP', () => {
  const plugs: Socket[] = []
  let socket: MiioSocket

  beforeEach(async () => {
    socket = new MiioSocket()
    await socket.open()
  })

  afterEach(async () => {
    await socket.close()
    for (const plug of plugs.splice(0)) plug.close()
  })

  test('a broadcast on loopback finds the plug behind it', async () => {
    const at = await plugOn('127.255.255.255', MIIO_PORT, HANDSHAKE.replyRevealingToken)
    const discovery = new NetworkDiscovery({socket, clock: systemClock, broadcast: [at.host]})
    const controller = new AbortController()
    const found = await discovery.scan({
      timeout: 10_000,
      signal: controller.signal,
      onFound: ({did}) => {
        if (did === DID) controller.abort()
      },
    })
    const plug = {
      did: DID,
      host: expect.any(String),
      port: MIIO_PORT,
      uptime: HELLO_STAMP,
      revealsToken: true,
    }
    expect(found).toContainEqual(plug) // other simulated plugs on this machine may be found as well
  })

  test('a plug on another port is found when its address is given', async () => {
    const at = await plugOn(loopback(12, 1), 0, HANDSHAKE.reply00)
    const discovery = new NetworkDiscovery({socket, clock: systemClock, broadcast: []})
    const found = await discovery.scan({timeout: 10_000, only: at})
    expect(found).toEqual([{...at, did: DID, uptime: HELLO_STAMP, revealsToken: false}])
  })

  /** Replies to our own socket only: other tests look for their plugs on loopback at the same time. */
  async function plugOn(host: string, port: number, reply: string): Promise<Endpoint> {
    const ours = await ourPort()
    const plug = createSocket({type: 'udp4', reuseAddr: true})
    plugs.push(plug)
    plug.on('message', (datagram, from) => {
      if (datagram.equals(HELLO) && from.port === ours)
        plug.send(Buffer.from(reply, 'hex'), from.port, from.address)
    })
    plug.bind(port, host)
    await once(plug, 'listening')
    return {host, port: plug.address().port}
  }

  async function ourPort(): Promise<number> {
    const other = createSocket('udp4')
    plugs.push(other)
    other.bind(0, loopback(12, 2))
    await once(other, 'listening')
    const hello = once(other, 'message')
    await sendDatagram(socket, HELLO, {host: loopback(12, 2), port: other.address().port})
    const [, from] = await hello
    return from.port
  }
})
