import {beforeEach, describe, expect, it} from 'vitest'
import {Device} from '../../../../src/device/device.ts'
import type {Availability} from '../../../../src/device/polling/availability.ts'
import {MOST_POLLS, PollLimit} from '../../../../src/device/polling/poll-limit.ts'
import {Poller, pollIntervals} from '../../../../src/device/polling/poller.ts'
import type {EnergyMemory} from '../../../../src/device/state/energy-meter.ts'
import type {EnergyTrackingOptions} from '../../../../src/device/state/energy-tracking.ts'
import {builtIn} from '../../../../src/models/catalogue.ts'
import {CallFailed, ScriptedPlug} from '../../../support/scripted-plug.ts'
import {seeded, settle, VirtualClock} from '../../../support/virtual-clock.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

let clock: VirtualClock
let plug: ScriptedPlug
let device: Device
let poller: Poller
let limit: PollLimit
let availabilities: Availability[]

beforeEach(() => {
  clock = new VirtualClock()
  plug = new ScriptedPlug(clock)
  const identity = {model: 'chuangmi.plug.m1'}
  device = new Device({name: 'desk', transport: plug, clock, identity, findModel: (id) => builtIn.find(id)})
  availabilities = []
  device.listener = {
    availabilityChanged: (availability) => availabilities.push(availability),
    answeredWhileAway: () => poller.pollNow(),
  }
  const settings = {interval: 15 * SECOND, slow_interval: MINUTE}
  limit = new PollLimit(clock)
  poller = new Poller({device, clock, random: seeded(1), settings, limit})
  poller.start()
})

const fall = (code: CallFailed['code'] = 'timeout') => {
  plug.failure = new CallFailed(code)
}
const recover = () => {
  plug.failure = undefined
}

describe('a plug that answers', () => {
  it('is online with its first answer, and reported once', async () => {
    await clock.advance(HOUR)
    expect(availabilities).toEqual([{state: 'online'}])
  })

  it('is polled every 15 seconds give or take a tenth, and for slow things every minute', async () => {
    await clock.advance(10 * MINUTE)
    const lists = plug.calls.filter(({params}) => JSON.stringify(params).includes('power'))
    const gaps = lists.slice(1).map(({at}, index) => at - (lists[index]?.at ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(13.5 * SECOND)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(16.6 * SECOND)
    expect(new Set(gaps.map(Math.round)).size).toBeGreaterThan(10) // jittered
    const slow = lists.filter(({params}) => JSON.stringify(params).includes('temperature'))
    expect(slow.length).toBeGreaterThanOrEqual(8)
    expect(slow.length).toBeLessThanOrEqual(10)
  })

  it('only every second time stays online', async () => {
    await clock.advance(MINUTE)
    for (let poll = 0; poll < 40; poll++) {
      if (poll % 2 === 0) fall()
      else recover()
      const before = plug.polls().length
      while (plug.polls().length === before) await clock.advance(SECOND)
      await clock.advance(7 * SECOND)
    }
    expect(availabilities).toEqual([{state: 'online'}])
  })
})

describe('a plug that falls silent', () => {
  it('stays online over two failed polls, and is offline within 90 seconds', async () => {
    await clock.advance(MINUTE)
    fall()
    await clock.advance(35 * SECOND)
    expect(availabilities.at(-1)).toEqual({state: 'online'})
    await clock.advance(55 * SECOND)
    expect(availabilities.at(-1)).toMatchObject({state: 'offline', reason: 'timeout'})
    expect(availabilities.at(-1)).toHaveProperty('since')
  })

  it('is asked ever less often, down to once a minute give or take a fifth, and never given up', async () => {
    fall()
    await clock.advance(5 * HOUR)
    const late = plug.polls().filter((at) => at > HOUR)
    const gaps = late.slice(1).map((at, index) => at - (late[index] ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(48 * SECOND)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(72 * SECOND + 6 * SECOND) // the tries themselves take 6 s
  })

  it('is online again within that time, together with a fresh state, however long it was away', async () => {
    await clock.advance(MINUTE)
    fall()
    await clock.advance(5 * HOUR)
    const order: string[] = []
    device.listener = {
      ...device.listener,
      stateChanged: () => order.push(`state ${device.state['state']}`),
      availabilityChanged: ({state}) => order.push(state),
    }
    plug.values['power'] = 'on'
    recover()
    await clock.advance(80 * SECOND)
    expect(order).toEqual(['state ON', 'online'])
  })

  it('is offline at once when it never answered before', async () => {
    plug.failure = new CallFailed('timeout')
    await clock.advance(7 * SECOND)
    expect(availabilities).toMatchObject([{state: 'offline', reason: 'timeout'}])
  })
})

describe('the reason for being offline', () => {
  it.each([
    ['timeout', 'timeout'],
    ['unreachable', 'unreachable'],
    ['refused', 'unsupported'],
    ['bad_token', 'bad_token'],
  ] as const)('%s is shown as %s', async (code, reason) => {
    await clock.advance(MINUTE)
    fall(code)
    await clock.advance(90 * SECOND)
    expect(availabilities.at(-1)).toMatchObject({state: 'offline', reason})
  })

  it('is known at once when the plug itself reports a wrong token', async () => {
    await clock.advance(MINUTE)
    fall('bad_token')
    await clock.advance(17 * SECOND)
    expect(availabilities.at(-1)).toMatchObject({state: 'offline', reason: 'bad_token'})
  })

  it('may change while it lasts, and the time since when does not', async () => {
    fall('timeout')
    await clock.advance(MINUTE)
    fall('bad_token')
    await clock.advance(2 * MINUTE)
    expect(availabilities).toHaveLength(2)
    expect(availabilities[1]).toMatchObject({
      reason: 'bad_token',
      since: (availabilities[0] as {since: Date}).since,
    })
  })
})

describe('a command', () => {
  it('that reaches a plug thought dead brings it online at once', async () => {
    fall()
    await clock.advance(HOUR)
    recover()
    const done = device.set('state', 'ON', clock.now() + 10 * SECOND)
    await clock.advance(SECOND)
    await done
    expect(availabilities.at(-1)).toEqual({state: 'online'})
  })

  it('without an answer counts like a failed poll', async () => {
    await clock.advance(MINUTE)
    fall()
    for (let times = 0; times < 3; times++) {
      const done = device.set('state', 'ON', clock.now() + 10 * SECOND).catch(() => {})
      await clock.advance(10 * SECOND)
      await done
    }
    expect(availabilities.at(-1)).toMatchObject({state: 'offline'})
  })

  it('every second does not keep watts from being read', async () => {
    await clock.advance(MINUTE)
    plug.calls.length = 0
    for (let second = 0; second < 60; second++) {
      void device.set('state', second % 2 ? 'ON' : 'OFF', clock.now() + 10 * SECOND)
      await clock.advance(SECOND)
    }
    expect(
      plug.calls.filter(({params}) => JSON.stringify(params).includes('temperature')).length,
    ).toBeGreaterThan(0)
  })
})

describe('the pace of polls', () => {
  const settings = {interval: 15 * SECOND, slow_interval: MINUTE}
  const m1 = builtIn.find('chuangmi.plug.m1')
  const delicate = m1 && {...m1, interval: 2 * MINUTE}

  it('is that of the settings, the rare ones a tenth as often as the slow ones', () => {
    expect(pollIntervals(settings, undefined)).toEqual({fast: 15 * SECOND, slow: MINUTE, rare: 10 * MINUTE})
  })

  it('is slower for a model that suffers from polls, unless the plug has an interval of its own', () => {
    const slow = {fast: 2 * MINUTE, slow: 2 * MINUTE, rare: 20 * MINUTE}
    expect(pollIntervals(settings, delicate)).toEqual(slow)
    const own = {...settings, ignoresModelInterval: true}
    expect(pollIntervals(own, delicate)).toMatchObject({fast: 15 * SECOND})
  })
})

describe('a machine that cannot keep up', () => {
  const gapsWithin = async (ms: number, property: string) => {
    const from = clock.now()
    await clock.advance(ms)
    const polls = plug.calls.filter(({params, at}) => at > from && JSON.stringify(params).includes(property))
    return polls.slice(1).map(({at}, index) => at - (polls[index]?.at ?? 0))
  }
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

  it.each([1.5, 3, 16])('polls %s times less often, for slow things, too', async (factor) => {
    await clock.advance(MINUTE)
    limit.factor = factor
    const gaps = await gapsWithin(5 * HOUR, 'power')
    expect(mean(gaps) / (15 * SECOND) / factor).toBeCloseTo(1, 1)
    expect(Math.max(...gaps)).toBeLessThan((factor + 1.2) * 17 * SECOND)
    expect(mean(await gapsWithin(5 * HOUR, 'temperature'))).toBeGreaterThan(factor * MINUTE)
    expect(availabilities).toEqual([{state: 'online'}])
  })

  it('polls again within an interval when it can', async () => {
    limit.factor = 16
    await clock.advance(2 * HOUR)
    const before = plug.polls().length
    limit.factor = 1
    await clock.advance(17 * SECOND)
    expect(plug.polls().length).toBeGreaterThan(before)
  })

  it('polls a plug at once that returns, or when the process was paused', async () => {
    await clock.advance(MINUTE)
    limit.factor = 16
    const before = plug.polls().length
    poller.pollNow()
    await clock.advance(SECOND)
    expect(plug.polls().length).toBeGreaterThan(before)
  })

  it('is not overdue for the watchdog, neither while polls are left out nor while one waits for a place', async () => {
    limit.factor = 16
    for (let minute = 0; minute < 60; minute++) {
      await clock.advance(MINUTE)
      expect(poller.overdue()).toBe(0)
    }
    limit.factor = 1
    limit.begin = () => {}
    await clock.advance(HOUR)
    expect(poller.overdue()).toBe(0)
  })

  it('delays no command to a plug whose poll waits for a place', async () => {
    await clock.advance(MINUTE)
    for (let other = 0; other < MOST_POLLS; other++) limit.begin({run: () => {}})
    poller.pollNow()
    const before = plug.calls.length
    const done = device.set('state', 'ON', clock.now() + 10 * SECOND)
    await clock.advance(100)
    await done
    expect(plug.calls.slice(before).map(({method}) => method)).toEqual(['set_power'])
    await clock.advance(SECOND)
    expect(plug.polls().length).toBeGreaterThan(0)
  })

  it('counts the energy between polls that are further apart, whether they were left out or waited', async () => {
    let memory: EnergyMemory | undefined
    const energy: EnergyTrackingOptions = {
      pending: () => memory,
      persisted: () => memory,
      record: (changed) => {
        memory = changed
      },
      gap: () => 45 * SECOND,
    }
    const transport = new ScriptedPlug(clock, {on: true, temperature: 32, watts: 100_000})
    const meter = new Device({
      name: 'meter',
      transport,
      clock,
      identity: {model: 'chuangmi.plug.v3'},
      findModel: (id) => builtIn.find(id),
      energy,
    })
    const settings = {interval: 15 * SECOND, slow_interval: MINUTE}
    const own = new PollLimit(clock)
    new Poller({device: meter, clock, random: seeded(1), settings, limit: own}).start()
    await clock.advance(MINUTE)
    own.factor = 16
    await clock.advance(2 * HOUR)
    expect(memory?.total).toBeGreaterThan(1.9)
    own.factor = 1
    const before = memory?.total ?? 0
    const {begin} = own
    own.begin = (poll) => clock.after(2 * MINUTE, () => poll.run(2 * MINUTE))
    await clock.advance(HOUR)
    own.begin = begin
    expect((memory?.total ?? 0) - before).toBeGreaterThan(0.9)

    // A plug that did not respond meanwhile may have been without power: no energy is better than a wrong one.
    own.factor = 16
    const lost = memory?.total ?? 0
    for (let time = 0; time < 5; time++) {
      const polls = transport.calls.length
      transport.failure = new CallFailed('timeout')
      while (transport.calls.length === polls) await clock.advance(SECOND)
      transport.failure = undefined
      await clock.advance(5 * MINUTE)
    }
    expect((memory?.total ?? 0) - lost).toBeLessThan(0.2)
  })

  it('does not begin a poll that waited when the plug was stopped, and begins it when it is started again', async () => {
    await clock.advance(MINUTE)
    for (let other = 0; other < MOST_POLLS; other++) limit.begin({run: () => {}})
    poller.pollNow()
    await clock.advance(100)
    poller.stop()
    const before = plug.calls.length
    await clock.advance(HOUR)
    expect(plug.calls.length).toBe(before)
    poller.start()
    await clock.advance(SECOND)
    expect(plug.calls.length).toBeGreaterThan(before)
  })
})

describe('the scheduler', () => {
  it('is overdue only when it does not move', async () => {
    await clock.advance(MINUTE)
    expect(poller.overdue()).toBe(0)
    fall()
    await clock.advance(HOUR)
    expect(poller.overdue()).toBe(0)
  })

  it('is not overdue before it is started, or after it was stopped', async () => {
    const idle = new Poller({device, clock, random: seeded(1), settings: {interval: 1, slow_interval: 1}})
    await clock.advance(HOUR)
    expect(idle.overdue()).toBe(0)
    poller.stop()
    await clock.advance(HOUR)
    expect(poller.overdue()).toBe(0)
  })

  it('polls everything again when it is started anew', async () => {
    await clock.advance(MINUTE)
    poller.stop()
    await clock.advance(HOUR)
    plug.calls.length = 0
    poller.start()
    await clock.advance(SECOND)
    expect(plug.calls.map(({method, params}) => [method, params])).toEqual([
      ['get_prop', ['power', 'temperature']],
      ['get_prop', ['wifi_led']],
      ['miIO.info', []],
    ])
  })

  it('leaves no timer behind', async () => {
    await clock.advance(MINUTE)
    poller.stop()
    await device.stop(0)
    await settle()
    expect(clock.pending).toBe(0)
  })
})
