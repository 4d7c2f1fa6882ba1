import {expect, it} from 'vitest'
import type {Clock} from '../../../src/common/clock.ts'
import {Acknowledgements} from '../../../src/mqtt/acknowledgements.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'

it('does not take a stall of this process for missing acknowledgements', async () => {
  // While the process stands still no timer fires; then all that are due do, and only then sockets are read.
  let stalled = 0
  const timers = new VirtualClock()
  const clock: Clock = {
    now: () => timers.now() + stalled,
    date: () => timers.date(),
    after: (ms, run) => timers.after(ms, run),
  }
  let timeouts = 0
  const acknowledgements = new Acknowledgements(clock, () => timeouts++)
  const acknowledged = acknowledgements.expect()
  await timers.advance(8000)
  stalled = 60_000
  await timers.advance(1500)
  expect(timeouts).toBe(0)
  acknowledged()
  await timers.advance(60_000)
  expect(timeouts).toBe(0)
  acknowledgements.expect()
  await timers.advance(10_000)
  expect(timeouts).toBe(1)
})

it('times out over one packet that is never acknowledged, while others are', async () => {
  const clock = new VirtualClock()
  let timeouts = 0
  const acknowledgements = new Acknowledgements(clock, () => timeouts++)
  acknowledgements.expect()
  for (let second = 0; second < 65 && timeouts === 0; second++) {
    acknowledgements.expect()()
    await clock.advance(1000)
  }
  expect(timeouts).toBe(1)
  expect(clock.now()).toBe(10_000)
})

it('leaves no timer behind', async () => {
  const clock = new VirtualClock()
  const acknowledgements = new Acknowledgements(clock, () => expect.fail('nothing was missing'))
  acknowledgements.expect()()
  await clock.advance(20_000)
  expect(clock.pending).toBe(0)
  const late = acknowledgements.expect()
  acknowledgements.reset()
  late()
  expect(clock.pending).toBe(0)
})
