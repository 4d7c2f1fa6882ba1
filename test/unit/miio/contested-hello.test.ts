import {describe, expect, test} from 'vitest'
import {helloReply, nak} from '../../../src/miio/packet.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'
import {HOME, home, watch} from './client-setup.ts'
import {DID} from './vectors.ts'

/** Forged hello replies in the name of a plug: the n-th of them. */
type Forgery = (n: number) => Buffer

const clocks: [string, Forgery][] = [
  ['one wrong clock', () => helloReply(DID, 5)],
  ['ever other clocks', (n) => helloReply(DID, 1_000_000 + 997 * n)],
  ['a clock of 0', () => helloReply(DID, 0)],
]
const ids: [string, Forgery][] = [
  ['another id', () => helloReply(666, 1000)],
  ['ever other ids', (n) => helloReply(1000 + n, 1000)],
]

/** A client and its plug, in whose name forged hello replies come every few milliseconds. */
function contested(forged: Forgery, {did, every = 5}: {did: number | undefined; every?: number}) {
  const clock = new VirtualClock()
  const parts = home(clock, {did})
  const chance = seeded(every)
  let forgeries = 0
  const forge = () => {
    parts.network.arrive(forged(forgeries++), HOME)
    clock.after(every * (0.5 + chance()), forge)
  }
  forge()
  return {
    ...parts,
    clock,
    command: (options = {}) => watch(clock, parts.client.call('set_power', ['on'], options)),
  }
}

describe.each([
  ['whose id is known', DID, clocks],
  ['whose id is not known yet', undefined, [...clocks, ...ids]],
] as const)('a plug %s', (_, did, forgeries) => {
  test.each(forgeries)(
    'is reached by the first command, although forged hello replies come with %s',
    async (_, forged) => {
      for (const every of [3, 20, 100]) {
        const {client, plug, clock, command} = contested(forged, {did, every})
        const first = command()
        await clock.advance(2000)
        expect(first.value).toEqual(['ok'])
        expect(plug.requests).toHaveLength(1)
        expect(client.did).toBe(DID)
      }
    },
  )

  test('is reached by polls once a minute and more, after a pause too', async () => {
    const {client, clock} = contested((n) => helloReply(DID, 7777 * n), {did})
    for (let i = 0; i < 5; i++) {
      client.forgetClock()
      const poll = watch(clock, client.call('get_prop', ['power']))
      await clock.advance(70_000)
      expect(poll.value).toBeDefined()
    }
  })
})

test('a request that must be sent once is sent once, whatever replies to the hello', async () => {
  const {clock, network, client, command} = contested((n) => helloReply(DID, 1_000_000 + 997 * n), {did: DID})
  const press = command({tries: 1})
  await clock.advance(10_000)
  expect(press.error).toMatchObject({code: 'timeout'})
  expect(client.stats.requests).toBe(1)
  expect(network.sent.filter(({datagram}) => datagram.length > 32)).toHaveLength(1)
})

test('the same clock in two hello replies is no reason to send the request twice', async () => {
  const clock = new VirtualClock()
  const {plug, client} = home(clock)
  plug.replyToHello = () => [0, 1, 59].map((seconds) => helloReply(DID, plug.uptime() + seconds))
  plug.helloDelay = 10
  plug.delay = 900
  const command = watch(clock, client.call('set_power', ['on']))
  await clock.advance(2000)
  expect(command.value).toEqual(['ok'])
  expect(plug.requests).toHaveLength(1)
})

test('a flood of hello replies makes us send a few requests, and no more', async () => {
  const clock = new VirtualClock()
  const {plug, client} = home(clock)
  plug.replyToHello = () => Array.from({length: 5000}, (_, n) => helloReply(DID, 1_000_000 + 997 * n))
  const command = watch(clock, client.call('set_power', ['on']))
  await clock.advance(7000)
  expect(command.error).toMatchObject({code: 'timeout', stage: 'request'})
  expect(client.stats.requests).toBeLessThanOrEqual(3 * 16)
})

test('together with forged "checksum wrong" of every request the first command still succeeds', async () => {
  const {plug, network, clock, command} = contested((n) => helloReply(DID, 997 * n + 5000), {did: DID})
  plug.answer = ({id, packet}) => {
    network.arrive(nak(packet), HOME)
    return [plug.reply({id, result: ['ok']})]
  }
  const first = command()
  await clock.advance(2000)
  expect(first.value).toEqual(['ok'])
})
