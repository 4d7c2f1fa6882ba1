import {createSocket, type Socket} from 'node:dgram'
import {once} from 'node:events'
import {afterEach, beforeEach, describe, expect, test} from 'vitest'
import {systemClock} from '../../../src/common/clock.ts'
import {MiioClient} from '../../../src/miio/client.ts'
import {MiioError} from '../../../src/miio/miio-error.ts'
import {Cipher, HELLO, helloReply, parsePacket} from '../../../src/miio/packet.ts'
import {MiioSocket, sendDatagram} from '../../../src/miio/socket.ts'
import {loopback} from '../../support/addresses.ts'
import {seeded} from '../../support/virtual-clock.ts'
import {until} from '../../support/wait.ts'
import {DID, TOKEN} from './vectors.ts'

let socket: MiioSocket
let peers: Socket[]

beforeEach(async () => {
  peers = []
  socket = new MiioSocket()
  await socket.open()
})

afterEach(async () => {
  await socket.close()
  for (const peer of peers) peer.close()
})

describe('a datagram', () => {
  test('finds the listener of its sender’s address and port', async () => {
    const one = await peer(loopback(11, 1))
    const two = await peer(loopback(11, 2))
    const received: string[] = []
    for (const {name, host, port} of [
      {name: 'one', ...one.at},
      {name: 'two', ...two.at},
      {name: 'two again', ...two.at},
    ])
      socket.listen(host, port, (datagram) => received.push(`${name}: ${datagram}`))
    await two.reply('hello')
    await until(() => received.length === 2, {what: 'both listeners'})
    expect(received).toEqual(['two: hello', 'two again: hello'])
  })

  test('from the right host and another port, or another host and the right port, finds no listener', async () => {
    const real = await peer(loopback(11, 1))
    const otherPort = await peer(loopback(11, 1))
    const otherHost = await peer(loopback(11, 2), real.at.port)
    const received: string[] = []
    const strangers: string[] = []
    socket.listen(real.at.host, real.at.port, (datagram) => received.push(String(datagram)))
    socket.onUnsolicited((datagram, from) => strangers.push(`${datagram} ${from.host}:${from.port}`))
    await otherPort.reply('other port')
    await otherHost.reply('other host')
    await real.reply('real')
    await until(() => received.length > 0, {what: 'the real answer'})
    expect(received).toEqual(['real'])
    expect(strangers).toEqual([
      `other port ${loopback(11, 1)}:${otherPort.at.port}`,
      `other host ${loopback(11, 2)}:${real.at.port}`,
    ])
    expect(socket.counters).toMatchObject({received: 3, strangers: 2})
  })

  test('is handed to no listener once it was removed', async () => {
    const one = await peer(loopback(11, 1))
    const received: string[] = []
    const strangers: string[] = []
    const stop = socket.listen(one.at.host, one.at.port, (datagram) => received.push(String(datagram)))
    stop()
    stop()
    const stopStrangers = socket.onUnsolicited((datagram) => strangers.push(String(datagram)))
    await one.reply('first')
    await until(() => strangers.length === 1, {what: 'the first'})
    stopStrangers()
    const stopAgain = socket.listen(one.at.host, one.at.port, (datagram) => received.push(String(datagram)))
    stop()
    await one.reply('second')
    await until(() => received.length === 1, {what: 'the second'})
    stopAgain()
    expect([received, strangers]).toEqual([['second'], ['first']])
  })

  test('that is a hello reply is shown to strangers’ listeners even when its sender is known', async () => {
    const one = await peer(loopback(11, 1))
    const received: Buffer[] = []
    const found: Buffer[] = []
    socket.listen(one.at.host, one.at.port, (datagram) => received.push(datagram))
    socket.onUnsolicited((datagram) => found.push(datagram))
    await one.reply(helloReply(DID, 5))
    await one.reply('a message')
    await until(() => received.length === 2, {what: 'both'})
    expect(found).toEqual([helloReply(DID, 5)])
  })

  test('of any size, none included, does no harm', async () => {
    const one = await peer(loopback(11, 1))
    const sizes: number[] = []
    socket.listen(one.at.host, one.at.port, (datagram) => sizes.push(datagram.length))
    for (const size of [0, 1, 31, 32, 65_507]) await one.reply(Buffer.alloc(size, 0x21))
    await until(() => sizes.length === 5, {what: 'all five'})
    expect(sizes).toEqual([0, 1, 31, 32, 65_507])
  })
})

describe('sending', () => {
  test('to a network without a route fails with its reason', async () => {
    const local = new MiioSocket({bind: '127.0.0.1'})
    await local.open()
    const error = await sendDatagram(local, HELLO, {host: '203.0.113.1', port: 54321}).catch(
      (reason: unknown) => reason,
    )
    await local.close()
    expect(error).toBeInstanceOf(MiioError)
    expect(error).toMatchObject({code: 'unreachable', stage: 'send'})
    expect(String(error)).toMatch(/cannot send to 203\.0\.113\.1:54321: [a-z ]+ \(E[A-Z]+\)$/)
    expect(local.counters).toMatchObject({sent: 1, sendErrors: 1})
  })

  test.each([0, 70_000, -1])('to a port that is none (%i) is such an error, too', async (port) => {
    await expect(sendDatagram(socket, HELLO, {host: loopback(11, 1), port})).rejects.toMatchObject({
      code: 'unreachable',
      stage: 'send',
    })
  })

  test('what is too long for a datagram is such an error, too', async () => {
    const sending = sendDatagram(socket, Buffer.alloc(70_000), {host: loopback(11, 1), port: 54321})
    await expect(sending).rejects.toThrow(/too long \(EMSGSIZE\)/)
  })

  test('before opening and after closing is such an error, too', async () => {
    await expect(
      sendDatagram(new MiioSocket(), HELLO, {host: loopback(11, 1), port: 54321}),
    ).rejects.toMatchObject({stage: 'send'})
    await socket.close()
    await socket.close()
    await expect(sendDatagram(socket, HELLO, {host: loopback(11, 1), port: 54321})).rejects.toMatchObject({
      code: 'unreachable',
    })
  })

  test('to a port without a plug harms no other plug', async () => {
    const gone = await peer(loopback(11, 3))
    await new Promise<void>((resolve) => peers.pop()?.close(() => resolve()))
    const one = await peer(loopback(11, 1))
    const received: Buffer[] = []
    socket.listen(one.at.host, one.at.port, (datagram) => received.push(datagram))
    for (let i = 0; i < 3; i++) await sendDatagram(socket, HELLO, gone.at)
    await one.reply('here')
    await until(() => received.length === 1, {what: 'the other peer'})
  })
})

test('an address that is not this machine’s cannot be bound, and the error names it', async () => {
  const opening = new MiioSocket({bind: '203.0.113.1'}).open()
  await expect(opening).rejects.toThrow(/^cannot open a UDP socket on 203\.0\.113\.1: .*\(EADDRNOTAVAIL\)$/)
})

test('a client over real UDP takes no response but its plug’s', async () => {
  const plug = await peer(loopback(11, 1))
  const otherPort = await peer(loopback(11, 1))
  const otherHost = await peer(loopback(11, 2), plug.at.port)
  const cipher = new Cipher(TOKEN)
  plug.socket.on('message', (datagram, from) => {
    const packet = parsePacket(datagram)
    if (packet.kind === 'hello') return plug.socket.send(helloReply(DID, 1000), from.port, from.address)
    if (packet.kind !== 'message') return
    const {id} = JSON.parse(cipher.open(packet).toString().replace('\0', ''))
    const answer = (text: string) => cipher.seal(DID, 1000, Buffer.from(JSON.stringify({id, result: [text]})))
    const truth = () => plug.socket.send(answer('true'), from.port, from.address)
    const forgeOnce = () => otherHost.socket.send(answer('forged'), from.port, from.address, truth)
    otherPort.socket.send(answer('forged'), from.port, from.address, forgeOnce)
  })
  const client = new MiioClient({
    socket,
    clock: systemClock,
    random: seeded(1),
    token: TOKEN,
    host: plug.at.host,
    port: plug.at.port,
  })
  await expect(client.call('get_prop', ['power'])).resolves.toEqual(['true'])
  expect(socket.counters.strangers).toBe(2)
  expect(client.did).toBe(DID)
  client.close()
})

/** Another UDP socket on loopback, which already knows where ours is. */
async function peer(host: string, port = 0) {
  const other = createSocket('udp4')
  peers.push(other)
  other.bind(port, host)
  await once(other, 'listening')
  const at = {host, port: other.address().port}
  const hello = once(other, 'message')
  await sendDatagram(socket, HELLO, at)
  const [, from] = await hello
  const reply = (datagram: Buffer | string) =>
    new Promise<void>((resolve) => other.send(datagram, from.port, from.address, () => resolve()))
  return {socket: other, at, reply}
}
