import {describe, expect, test} from 'vitest'
import {Cipher, HELLO, MalformedPacket, nak, parsePacket} from '../../../src/miio/packet.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {HOME, home, watch} from './client-setup.ts'
import {TOKEN} from './vectors.ts'

/** A packet of 32 bytes and more that bears any eight bytes as its device id. */
function withId(packet: Buffer, id: bigint): Buffer {
  const changed = Buffer.from(packet)
  changed.writeBigUInt64BE(id, 4)
  return changed
}

const REPLY = Buffer.concat([Buffer.from('2131002000000000000000010000000a', 'hex'), Buffer.alloc(16)])
const MESSAGE = new Cipher(TOKEN).seal(1, 10, Buffer.from('{"id":1,"result":[]}'))

describe.each([
  ['a hello reply', REPLY],
  ['a "checksum wrong"', nak(MESSAGE)],
  ['a message', MESSAGE],
])('%s', (_, packet) => {
  test.each([0n, 0xffff_ffffn, 1n << 53n, (1n << 64n) - 1n])('with the device id %d is none', (id) => {
    expect(() => parsePacket(withId(packet, id))).toThrow(MalformedPacket)
  })

  test.each([1n, 0xffff_fffen, 5_000_000_001n, (1n << 53n) - 1n])('with the device id %d is one', (id) => {
    expect(parsePacket(withId(packet, id))).toMatchObject({did: Number(id)})
  })
})

test('a hello is still one', () => {
  expect(parsePacket(HELLO)).toEqual({kind: 'hello'})
})

test('a plug with the id 0 is never taken for the plug, and gets no request', async () => {
  const clock = new VirtualClock()
  const proven: number[] = []
  const events = {deviceIdProven: (did: number) => proven.push(did)}
  const {client, plug, network} = home(clock, {did: undefined, events})
  plug.replyToHello = () => []
  network.attach(HOME, () => network.arrive(withId(REPLY, 0n), HOME))
  const call = watch(clock, client.call('get_prop'))
  await clock.advance(20_000)
  expect(call.error).toMatchObject({code: 'timeout', stage: 'hello'})
  expect([client.did, proven]).toEqual([undefined, []])
  expect(client.stats.requests).toBe(0)
})
