import {expect, test} from 'vitest'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {home, watch} from './client-setup.ts'

/** The plug's clock goes on by an hour while ours stands still, as CLOCK_MONOTONIC does during a suspend. */
const HOUR_S = 3600

test('after forgetClock the next request begins with a hello, and the one after it does not', async () => {
  const clock = new VirtualClock()
  const {client, plug, queued} = home(clock)
  watch(clock, client.call('get_prop'))
  await clock.advance(1000)
  client.forgetClock()
  for (let i = 0; i < 2; i++) watch(clock, queued.call('get_prop'))
  await clock.advance(1000)
  expect(plug.hellos).toHaveLength(2)
  expect(client.stats).toMatchObject({requests: 3, retries: 0, timeouts: 0})
})

test('a suspended computer that forgets the clock loses no request to the plug’s stamp window', async () => {
  const clock = new VirtualClock()
  const {client, plug} = home(clock)
  watch(clock, client.call('get_prop'))
  await clock.advance(1000)
  plug.gain(HOUR_S)
  client.forgetClock()
  const call = watch(clock, client.call('set_power', ['on']))
  await clock.advance(100)
  expect(call.value).toEqual(['ok'])
  expect(client.stats.timeouts).toBe(0)
})

test('a suspend that was not noticed costs tries, not the call', async () => {
  const clock = new VirtualClock()
  const {client, plug} = home(clock)
  watch(clock, client.call('get_prop'))
  await clock.advance(1000)
  plug.gain(HOUR_S)
  const call = watch(clock, client.call('get_prop'))
  await clock.advance(10_000)
  expect(call.value).toEqual(['ok'])
})

test('a suspend is not taken for a restart of the plug', async () => {
  const clock = new VirtualClock()
  let restarts = 0
  const {client, plug} = home(clock, {events: {rebooted: () => restarts++}})
  watch(clock, client.call('get_prop'))
  await clock.advance(1000)
  plug.gain(HOUR_S)
  client.forgetClock()
  const call = watch(clock, client.call('get_prop'))
  await clock.advance(1000)
  expect([call.value, restarts]).toEqual([['ok'], 0])
})

test('forgetClock of a client whose plug has no address yet does nothing', () => {
  const {client} = home(new VirtualClock(), {host: undefined})
  expect(() => client.forgetClock()).not.toThrow()
})
