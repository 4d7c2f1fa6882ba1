import {beforeEach, describe, expect, test} from 'vitest'
import {helloReply, nak} from '../../../src/miio/packet.ts'
import {MemoryPlug} from '../../support/memory-network.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {HOME, home, watch} from './client-setup.ts'
import {DID, TOKEN} from './vectors.ts'

const EVER = Number.POSITIVE_INFINITY
const OTHER_TOKEN = Buffer.alloc(16, 7)

let clock: VirtualClock

beforeEach(() => {
  clock = new VirtualClock()
})

/** A client whose plug has responded under its token, or has got no request yet. */
async function started(isProven: boolean) {
  const parts = home(clock)
  if (isProven) watch(clock, parts.client.call('get_prop'))
  await clock.advance(70_000) // the clock of the plug must be read anew
  return parts
}

describe.each([
  ['a plug that has responded in this run', true],
  ['a plug without a request so far', false],
])('to %s', (_, isProven) => {
  test('a "checksum wrong" with the request’s own header, right before the response, does no harm', async () => {
    const {client, queued, plug} = await started(isProven)
    plug.answer = ({id, packet}) => [nak(packet), nak(packet), plug.reply({id, result: ['ok']})]
    const calls = [1, 2, 3].map(() => watch(clock, queued.call('set_power', ['on'])))
    await clock.advance(1000)
    expect(calls.map(({value}) => value)).toEqual([['ok'], ['ok'], ['ok']])
    expect(client.stats).toMatchObject({retries: 0, timeouts: 0})
  })

  test('a "checksum wrong" a second before the response does no harm', async () => {
    const {client, plug, network} = await started(isProven)
    plug.helloDelay = 10
    plug.delay = 1000
    plug.answer = ({id, packet}) => {
      network.arrive(nak(packet), HOME)
      return [plug.reply({id, result: ['ok']})]
    }
    const call = watch(clock, client.call('set_power', ['on']))
    await clock.advance(2000)
    expect(call.value).toEqual(['ok'])
  })

  test('a hello reply of another device, before its own, does no harm', async () => {
    const {client, queued, plug} = await started(isProven)
    plug.replyToHello = () => [helloReply(666, 5), helloReply(1, 9), helloReply(DID, plug.uptime())]
    const call = watch(clock, queued.call('set_power', ['on']))
    await clock.advance(1000)
    expect(call.value).toEqual(['ok'])
    expect(client.stats.timeouts).toBe(0)
  })
})

test('a thousand commands under a flood of forged packets all succeed', async () => {
  const {client, plug, network} = await started(true)
  plug.answer = ({id, packet}) => {
    for (let i = 0; i < 10; i++) {
      network.arrive(nak(packet), HOME)
      network.arrive(helloReply(DID + i, i), HOME)
    }
    return [plug.reply({id, result: ['ok']})]
  }
  let succeeded = 0
  for (let i = 0; i < 1000; i++) {
    const call = watch(clock, client.call('set_power', [i]))
    await clock.advance(200)
    if (call.value) succeeded++
  }
  expect(succeeded).toBe(1000)
  expect(client.stats.timeouts).toBe(0)
})

describe('a "checksum wrong" without a response', () => {
  test('ends the tries of a plug that never responded with the first, and the failure is certain', async () => {
    const {client} = home(clock, {token: OTHER_TOKEN})
    const call = watch(clock, client.call('get_prop', [], {tries: EVER}))
    await clock.advance(5000)
    expect(call.error).toMatchObject({code: 'bad_token', stage: 'request', provenBefore: false})
    expect(client.stats.requests).toBe(1)
  })

  test('ends the tries of a plug that did respond with the third, and the failure is not certain', async () => {
    const {client, plug} = await started(true)
    plug.answer = ({packet}) => [nak(packet)]
    const call = watch(clock, client.call('set_power', ['on'], {tries: EVER}))
    await clock.advance(10_000)
    expect(call.error).toMatchObject({code: 'bad_token', stage: 'request', provenBefore: true})
    expect(plug.requests).toHaveLength(4)
  })

  test('once is no failure of the token: the next try succeeds', async () => {
    const {client, plug} = await started(true)
    const answer = plug.answer
    plug.answer = (request) => (plug.requests.length === 2 ? [nak(request.packet)] : answer(request))
    const call = watch(clock, client.call('set_power', ['on']))
    await clock.advance(10_000)
    expect(call.value).toEqual(['ok'])
  })

  test('from a plug that was set up again fails the first call', async () => {
    const {client, plug, network} = await started(true)
    new MemoryPlug(network, clock, {did: DID, token: OTHER_TOKEN, at: HOME, uptime: plug.uptime()})
    const call = watch(clock, client.call('get_prop'))
    await clock.advance(10_000)
    expect(call.error).toMatchObject({code: 'bad_token', provenBefore: true})
    expect(call.error?.message).not.toContain(TOKEN.toString('hex'))
  })
})

describe('another device at the plug’s address', () => {
  test('is the failure of a plug that has responded in this run once all tries found no other', async () => {
    const {client, plug} = await started(true)
    plug.replyToHello = () => [helloReply(666, 5)]
    const before = plug.requests.length
    const call = watch(clock, client.call('get_prop', [], {tries: EVER}))
    await clock.advance(10_000)
    expect(call.error).toMatchObject({code: 'unreachable', stage: 'hello', provenBefore: true})
    expect(plug.requests).toHaveLength(before)
  })

  test('is the failure of one try, too', async () => {
    const {client, plug} = home(clock)
    plug.replyToHello = () => [helloReply(666, 5)]
    const call = watch(clock, client.call('get_prop', [], {tries: 1}))
    await clock.advance(2000)
    expect(call.error).toMatchObject({code: 'unreachable', stage: 'hello'})
  })
})
