import {createSocket} from 'node:dgram'
import {once} from 'node:events'
import {expect, it} from 'vitest'
import {sleep} from '../../../src/common/clock.ts'
import {SteadyClock} from '../../support/steady-clock.ts'

/** Nothing happens in this process meanwhile. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

it('time does not pass while the process stands still', async () => {
  const clock = new SteadyClock()
  const before = clock.now()
  standStill(300)
  await sleep(clock, 1)
  expect(clock.now() - before).toBeLessThan(300)
})

it('what arrives while the process stands still is handled before a timeout ends', async () => {
  const clock = new SteadyClock()
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const order: string[] = []
  const heard = once(socket, 'message').then(() => order.push('message'))
  const timeout = sleep(clock, 200).then(() => order.push('timeout'))
  socket.send('x', socket.address().port, '127.0.0.1')
  standStill(400)
  await Promise.all([heard, timeout])
  expect(order).toEqual(['message', 'timeout'])
  socket.close()
})

it('timers end in the order of their times, unless they are cancelled', async () => {
  const clock = new SteadyClock(20)
  const order: number[] = []
  for (const ms of [300, 100, 200]) clock.after(ms, () => order.push(ms))
  clock.after(150, () => order.push(150)).cancel()
  await sleep(clock, 400)
  expect(order).toEqual([100, 200, 300])
})
