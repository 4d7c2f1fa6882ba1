import {beforeEach, describe, expect, test} from 'vitest'
import {RequestStats} from '../../../src/miio/plug-timing.ts'
import type {MemoryPlug} from '../../support/memory-network.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'
import {home, watch} from './client-setup.ts'

let clock: VirtualClock

beforeEach(() => {
  clock = new VirtualClock()
})

/** A plug whose Wi-Fi half replies to a hello at once, and whose other half takes `ms()` for each request. */
function slow(ms: () => number) {
  const {client, plug} = home(clock)
  plug.helloDelay = 10
  /** When each request was done, in the order they came. */
  const done: number[] = []
  const answer = plug.answer
  plug.answer = (request) => {
    plug.delay = ms()
    done.push(clock.now() + plug.delay)
    return answer(request)
  }
  return {client, plug, done}
}

/** How many requests came while the plug worked on the one before. */
function crowded(plug: MemoryPlug, done: readonly number[], from = 0): number {
  return plug.requests.filter(({at}, i) => i > from && at < (done[i - 1] ?? 0)).length
}

describe('a plug that needs seconds for a response', () => {
  test.each([
    ['2.5 s', () => 2500],
    ['3.5 s', () => 3500],
    ['5 s', () => 5000],
    ['7 s', () => 7000],
  ])('of %s gets one request at a time once a response was measured', async (_, ms) => {
    const {client, plug, done} = slow(ms)
    const polls: unknown[] = []
    for (let i = 0; i < 20; i++) {
      const poll = watch(clock, client.call('get_prop'))
      await clock.advance(30_000)
      polls.push(poll.value)
    }
    const firstAnswer = polls.findIndex((value) => value !== undefined)
    expect(firstAnswer).toBeLessThanOrEqual(1)
    expect(polls.slice(firstAnswer)).toEqual(Array(20 - firstAnswer).fill(['ok']))
    const learning = plug.requests.length - (19 - firstAnswer)
    expect(crowded(plug, done, learning)).toBe(0)
  })

  test('of 2.5 to 3.5 s, as it happens, is hardly ever asked twice', async () => {
    const chance = seeded(7)
    const {client, plug, done} = slow(() => 2500 + 1000 * chance())
    for (let i = 0; i < 200; i++) {
      watch(clock, client.call('get_prop'))
      await clock.advance(30_000)
    }
    expect(crowded(plug, done, 2)).toBeLessThanOrEqual(2)
  })

  test('that was quick before is waited for after the first call without a response in time', async () => {
    let takes = 20
    const {client, plug, done} = slow(() => takes)
    for (let i = 0; i < 10; i++) {
      watch(clock, client.call('get_prop'))
      await clock.advance(10_000)
    }
    takes = 5000
    const polls = []
    for (let i = 0; i < 6; i++) {
      polls.push(watch(clock, client.call('get_prop')))
      await clock.advance(60_000)
    }
    expect(polls.map(({value}) => value).slice(-4)).toEqual(Array(4).fill(['ok']))
    expect(crowded(plug, done, plug.requests.length - 3)).toBe(0)
  })

  test('is reached also by calls of one try each', async () => {
    const {client} = slow(() => 3500)
    const calls = []
    for (let i = 0; i < 3; i++) {
      calls.push(watch(clock, client.call('miIO.info', [], {tries: 1})))
      await clock.advance(30_000)
    }
    expect(calls.map(({value}) => value)).toEqual([undefined, ['ok'], ['ok']])
  })
})

describe('a plug that is quick', () => {
  test('is asked again somewhat later than it could report itself that it is busy, and then ever less often, up to every 2 s', async () => {
    const {client, plug} = home(clock)
    watch(clock, client.call('get_prop'))
    await clock.advance(10_000)
    plug.answer = () => []
    const deadline = clock.now() + 10_000
    const from = plug.requests.length
    watch(clock, client.call('set_power', ['on'], {deadline, tries: Number.POSITIVE_INFINITY}))
    await clock.advance(10_000)
    const times = plug.requests.slice(from).map(({at}) => at)
    const distances = times.slice(1).map((at, i) => Math.round((at - (times[i] ?? 0)) / 100) / 10)
    expect(distances).toEqual([1.3, 1.3, 2.1, 2.1, 2.1])
  })

  test('is given 2 s where no try follows', async () => {
    const {client, plug} = home(clock)
    watch(clock, client.call('get_prop'))
    await clock.advance(10_000)
    plug.delay = 1900
    const once = watch(clock, client.call('send_ir_code', [], {tries: 1}))
    await clock.advance(5000)
    expect(once.value).toEqual(['ok'])
    expect(plug.requests).toHaveLength(2)
  })
})

test('a call after an aborted one begins with a hello to a plug that never responded', async () => {
  const {queued, plug} = home(clock)
  plug.answer = () => []
  const giveWay = new AbortController()
  watch(clock, queued.call('get_prop', [], {signal: giveWay.signal}))
  await clock.advance(1000)
  giveWay.abort()
  const command = watch(clock, queued.call('set_power', ['on'], {deadline: clock.now() + 3000}))
  await clock.advance(5000)
  expect(command.error?.message).toMatch(/answered the hello but did not answer set_power/)
})

test('another request need not wait longer than 2 s for a plug that never responded', async () => {
  const {client, plug} = home(clock)
  plug.answer = () => []
  for (let i = 0; i < 3; i++) {
    watch(clock, client.call('get_prop'))
    await clock.advance(60_000)
  }
  const giveWay = new AbortController()
  const poll = watch(clock, client.call('get_prop', [], {tries: 1, signal: giveWay.signal}))
  await clock.advance(1000)
  giveWay.abort()
  const from = clock.now()
  await clock.advance(60_000)
  expect(poll.error).toMatchObject({code: 'timeout'})
  expect((poll.settledAt ?? 0) - from).toBeLessThanOrEqual(1020)
})

describe('a round trip', () => {
  const measured = (...answers: number[]) => {
    const stats = new RequestStats()
    for (const ms of answers) stats.responded(ms, 0)
    return stats
  }

  test.each([
    ['nothing is known', [], 2000],
    ['answers take no time at all', [0, 0, 0], 1250],
    ['one answer took a second', [1000], 3000],
    ['all answers take three seconds', Array(50).fill(3000), 4250],
    ['an answer took a minute', [60_000], 8000],
  ])('is waited for, where %s, so long: %j %i ms', (_, answers, ms) => {
    expect(Math.round(measured(...answers).timeout(0, false))).toBe(ms)
  })

  test('is waited for longer at the last try after each call without a response, up to 8 s, until there is one', () => {
    const stats = measured(20)
    const waits = Array.from({length: 4}, () => {
      const {lastTryTimeout} = stats
      stats.timedOut()
      return lastTryTimeout
    })
    expect(waits).toEqual([2000, 4000, 8000, 8000])
    stats.responded(20, 0)
    expect(stats.lastTryTimeout).toBe(2000)
  })
})

describe('a plug that is away', () => {
  const away = () => {
    const parts = home(clock)
    const {plug} = parts
    const {replyToHello} = plug
    plug.replyToHello = () => []
    return {...parts, back: () => Object.assign(plug, {replyToHello})}
  }

  test('gets three hellos at each try of two calls, then one a call', async () => {
    const {client, plug} = away()
    const hellos: number[] = []
    for (let i = 0; i < 8; i++) {
      const before = plug.hellos.length
      const call = watch(clock, client.call('get_prop'))
      await clock.advance(60_000)
      expect(call.error).toMatchObject({code: 'timeout', stage: 'hello'})
      hellos.push(plug.hellos.length - before)
    }
    expect(hellos).toEqual([9, 9, 1, 1, 1, 1, 1, 1])
  })

  test('is waited for one second, in place of six', async () => {
    const {client} = away()
    const waits: number[] = []
    for (let i = 0; i < 3; i++) {
      const began = clock.now()
      let ended = Number.NaN
      const call = client.call('get_prop').catch(() => {
        ended = clock.now()
      })
      await clock.advance(60_000)
      await call
      waits.push(ended - began)
    }
    expect(waits[2]).toBe(1000)
    expect(waits[0]).toBeGreaterThanOrEqual(6000)
  })

  test('gets the hellos of a command until its deadline nevertheless', async () => {
    const {client, plug} = away()
    for (let i = 0; i < 6; i++) {
      watch(clock, client.call('get_prop'))
      await clock.advance(60_000)
    }
    const before = plug.hellos.length
    const options = {deadline: clock.now() + 10_000, tries: Number.POSITIVE_INFINITY}
    watch(clock, client.call('set_power', ['on'], options))
    await clock.advance(60_000)
    expect(plug.hellos.length - before).toBeGreaterThan(10)
  })

  test('gets three hellos at each try of a call with a deadline, since a caller waits for it', async () => {
    const {client, plug} = away()
    for (let i = 0; i < 6; i++) {
      watch(clock, client.call('get_prop'))
      await clock.advance(60_000)
    }
    const before = plug.hellos.length
    watch(clock, client.call('get_prop', [], {deadline: clock.now() + 20_000}))
    await clock.advance(60_000)
    expect(plug.hellos.length - before).toBe(9)
  })

  test('and back gets as many requests as any other', async () => {
    const {client, plug, back} = away()
    for (let i = 0; i < 6; i++) {
      watch(clock, client.call('get_prop'))
      await clock.advance(60_000)
    }
    back()
    plug.answer = () => []
    const before = plug.requests.length
    watch(clock, client.call('get_prop'))
    await clock.advance(60_000)
    expect(plug.requests.length - before).toBe(3)
  })
})
