/** A process that stands still for longer than a timeout: the response is in the kernel's buffer when the timer fires, and counts. */
import {createSocket} from 'node:dgram'
import {afterEach, expect, test} from 'vitest'
import type {Clock, Timer} from '../../../src/common/clock.ts'
import {MiioClient} from '../../../src/miio/client.ts'
import {NetworkDiscovery} from '../../../src/miio/discovery.ts'
import {Link} from '../../../src/miio/link.ts'
import {Cipher, HELLO, helloReply, parsePacket} from '../../../src/miio/packet.ts'
import {MiioSocket} from '../../../src/miio/socket.ts'
import {loopback} from '../../support/addresses.ts'
import {seeded} from '../../support/virtual-clock.ts'
import {DID, TOKEN} from './vectors.ts'

const TIMEOUT_MS = 300
const STALL_MS = 60_000
/** Longer than plugs rest between two requests. */
const REST_MS = 100
/** More than libuv reads in one turn of the event loop, which is 32 datagrams. */
const PLUGS = 100

/** Time passes only while the process stands still. Then, as in Node.js, the timers that are due fire before any datagram is read. */
class StallingClock implements Clock {
  #now = 0
  #timers = new Map<() => void, number>()
  now = () => this.#now
  date = () => new Date(this.#now)

  after(ms: number, run: () => void): Timer {
    this.#timers.set(run, this.#now + ms)
    return {cancel: () => this.#timers.delete(run)}
  }

  standStill(ms: number): void {
    this.#now += ms
    for (const [run, at] of this.#timers) if (at <= this.#now) setTimeout(run, 1)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2) // so that they are due when this turn of the event loop ends
  }
}

const clock = new StallingClock()
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

test('the response of a plug counts that came while the process stood still beyond the deadline', async () => {
  const [client] = await clients(1)
  const call = client?.call('get_prop', ['power'], {tries: 1, deadline: clock.now() + TIMEOUT_MS})
  expect(await call).toEqual(['on'])
  expect(client?.stats.timeouts).toBe(0)
})

test('so do those of many plugs', async () => {
  const all = await clients(PLUGS)
  const deadline = clock.now() + TIMEOUT_MS
  const calls = all.map((client) => client.call('get_prop', ['power'], {tries: 1, deadline}))
  expect(await Promise.allSettled(calls)).toEqual(all.map(() => ({status: 'fulfilled', value: ['on']})))
})

test('a search finds a plug whose hello reply came while the process stood still beyond its end', async () => {
  const socket = new MiioSocket()
  await socket.open()
  closing.push(() => socket.close())
  const plug = createSocket({type: 'udp4', lookup: (host, _, found) => found(null, host, 4)})
  await new Promise<void>((resolve) => plug.bind(0, loopback(13, 1), resolve))
  closing.push(() => plug.close())
  let hellos = 0
  plug.on('message', (_, {port, address}) => {
    if (++hellos === 1) return clock.standStill(TIMEOUT_MS / 3) // a second hello follows
    plug.send(helloReply(DID, 1000), port, address)
    clock.standStill(STALL_MS)
  })
  const {address, port} = plug.address()
  const discovery = new NetworkDiscovery({socket, clock, broadcast: []})
  const found = await discovery.scan({timeout: TIMEOUT_MS, only: {host: address, port}})
  expect(found).toMatchObject([{did: DID, host: address}])
})

test('the answer of a name server counts that came while the process stood still', async () => {
  const socket = new MiioSocket()
  await socket.open()
  closing.push(() => socket.close())
  const lookup = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    clock.standStill(STALL_MS)
    return new Promise<string>((resolve) => setTimeout(() => resolve(loopback(14, 1)), 1))
  }
  const link = new Link({socket, clock, host: 'desk', port: 54321, lookup, trace: () => {}})
  closing.push(() => link.close())
  expect(await link.resolve()).toBe(loopback(14, 1))
})

/** Clients that know the clocks of their plugs. The process stands still once all plugs have sent the response to the next request. */
async function clients(count: number): Promise<MiioClient[]> {
  const socket = new MiioSocket()
  await socket.open()
  closing.push(() => socket.close())
  let responses = 0
  const onResponse = () => {
    responses++
    if (responses === 2 * count) clock.standStill(STALL_MS)
  }
  const all: MiioClient[] = []
  for (let index = 0; index < count; index++) {
    const at = await startPlug(index + 1, onResponse)
    const client = new MiioClient({
      socket,
      clock,
      random: seeded(index),
      token: TOKEN,
      host: at.address,
      port: at.port,
    })
    closing.push(() => client.close())
    all.push(client)
  }
  await Promise.all(all.map((client) => client.call('get_prop', ['power'])))
  clock.standStill(REST_MS)
  return all
}

/** A plug that responds at once: its datagram is in the kernel's buffer when `send` returns. */
async function startPlug(number: number, onResponse: () => void) {
  const peer = createSocket({type: 'udp4', lookup: (host, _, found) => found(null, host, 4)})
  await new Promise<void>((resolve) => peer.bind(0, loopback(12, number), resolve))
  closing.push(() => peer.close())
  const cipher = new Cipher(TOKEN)
  peer.on('message', (datagram, {port, address}) => {
    if (datagram.equals(HELLO)) return peer.send(helloReply(DID, 1000), port, address)
    const packet = parsePacket(datagram)
    if (packet.kind !== 'message') throw new Error(`expected a request, got ${packet.kind}`)
    const {id} = JSON.parse(cipher.open(packet).toString().replace(/\0$/, ''))
    peer.send(cipher.seal(DID, 1000, Buffer.from(`{"result":["on"],"id":${id}}\0`)), port, address)
    onResponse()
  })
  return peer.address()
}
