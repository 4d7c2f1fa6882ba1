import {beforeEach, expect, test} from 'vitest'
import {Link} from '../../../src/miio/link.ts'
import {Cipher, helloReply} from '../../../src/miio/packet.ts'
import {RequestStats} from '../../../src/miio/plug-timing.ts'
import {ResponseReceiver} from '../../../src/miio/response-receiver.ts'
import {MemoryNetwork} from '../../support/memory-network.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'
import {HOME} from './client-setup.ts'
import {DID, TOKEN} from './vectors.ts'

let clock: VirtualClock
let link: Link
let receiver: ResponseReceiver

beforeEach(() => {
  clock = new VirtualClock()
  const lookup = () => expect.fail('an address is not looked up')
  link = new Link({socket: new MemoryNetwork(clock), clock, ...HOME, lookup, trace: () => {}})
  const context = {
    clock,
    random: seeded(1),
    cipher: new Cipher(TOKEN),
    ids: {next: () => 10_000},
    stats: new RequestStats(),
    did: DID,
    onAuthenticated: () => {},
  }
  receiver = new ResponseReceiver(link, context, 'get_prop')
})

const hello = (stamp: number) => receiver.received(helloReply(DID, stamp))
const event = (stamp: number) => ({kind: 'hello', sample: {did: DID, stamp, at: clock.now()}})

test('a hello reply counts only after a hello', async () => {
  hello(1)
  expect(await receiver.next(0)).toBeUndefined()
  receiver.awaitsHello = true
  hello(2)
  hello(3)
  expect(await receiver.next(0)).toEqual(event(2))
  receiver.awaitsHello = false
  expect(await receiver.next(0)).toBeUndefined()
  expect(receiver.log).toMatchObject({dropped: 1, helloReplies: 2})
})

test('no more than 16 events wait', async () => {
  receiver.awaitsHello = true
  for (let stamp = 1; stamp <= 20; stamp++) hello(stamp)
  for (let stamp = 1; stamp <= 16; stamp++) expect(await receiver.next(0)).toEqual(event(stamp))
  expect(await receiver.next(0)).toBeUndefined()
})

test('events come in order, also to a later caller, and leave no timer', async () => {
  receiver.awaitsHello = true
  const first = receiver.next(1000)
  hello(1)
  hello(2)
  expect([await first, await receiver.next(1000)]).toEqual([event(1), event(2)])
  expect(clock.pending).toBe(0)
})

test('a wait ends at its time, or after a signal', async () => {
  receiver.awaitsHello = true
  const controller = new AbortController()
  const late = receiver.next(1000)
  await clock.advance(1000)
  expect(await late).toBeUndefined()
  expect(await receiver.next(500)).toBeUndefined()
  const aborted = receiver.next(5000, controller.signal)
  controller.abort()
  expect(await aborted).toBeUndefined()
  expect(await receiver.next(5000, controller.signal)).toBeUndefined()
  expect(clock.pending).toBe(0)
  hello(1)
  expect(await receiver.next(5000)).toEqual(event(1)) // not lost after a wait that was given up
})

test('a wait ends when the link is closed', async () => {
  link.receiver = receiver
  const next = receiver.next(Number.POSITIVE_INFINITY)
  link.close()
  expect(await next).toMatchObject({kind: 'failure', error: {code: 'timeout'}, isFinal: true})
})
