import {beforeEach, describe, expect, it} from 'vitest'
import {sleep} from '../../../src/common/clock.ts'
import {Device} from '../../../src/device/device.ts'
import type {Availability} from '../../../src/device/polling/availability.ts'
import {Poller} from '../../../src/device/polling/poller.ts'
import {MOST_WAITING} from '../../../src/device/request-queue.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import {CallFailed, ScriptedPlug} from '../../support/scripted-plug.ts'
import {seeded, settle, VirtualClock} from '../../support/virtual-clock.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE

let clock: VirtualClock
let plug: ScriptedPlug
let device: Device
let poller: Poller
let availabilities: Availability['state'][]

beforeEach(() => {
  clock = new VirtualClock()
  plug = new ScriptedPlug(clock)
  const identity = {model: 'chuangmi.plug.m1'}
  device = new Device({name: 'desk', transport: plug, clock, identity, findModel: (id) => builtIn.find(id)})
  availabilities = []
  device.listener = {
    availabilityChanged: ({state}) => availabilities.push(state),
    answeredWhileAway: () => poller.pollNow(),
  }
  const settings = {interval: 15 * SECOND, slow_interval: MINUTE}
  poller = new Poller({device, clock, random: seeded(1), settings})
  poller.start()
})

const within = (ms: number) => clock.now() + ms
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error) => error.code,
  )

/** A plug that answers everything, but only after `ms`; as the real client, a call ends at its deadline. */
function answersAfter(ms: number): void {
  const answer = plug.call.bind(plug)
  plug.call = async (method, params, options = {}) => {
    const {deadline = Number.POSITIVE_INFINITY} = options
    const left = deadline - clock.now()
    await sleep(clock, Math.min(ms, left))
    if (left < ms) throw new CallFailed('timeout')
    return answer(method, params, options)
  }
}

/** Calls of the transport never end, until the returned function is called. */
function hang(): () => void {
  const answer = plug.call
  plug.call = (method, params, options = {}) => {
    plug.calls.push({method, params, at: clock.now(), options})
    return new Promise(() => {})
  }
  return () => {
    plug.call = answer
  }
}

describe('a plug that answers in 1.5 s', () => {
  beforeEach(async () => {
    await clock.advance(10 * SECOND)
    answersAfter(1500)
  })

  it.each<[string, (deadline: number) => Promise<unknown>]>([
    ['read', (deadline) => device.read(deadline)],
    ['read of one property', (deadline) => device.read(deadline, 'led')],
    ['read of what is hardly ever read', (deadline) => device.read(deadline, 'rssi')],
    ['command', (deadline) => device.set('state', 'ON', deadline)],
    ['TOGGLE', (deadline) => device.set('state', 'TOGGLE', deadline)],
    ['raw call', (deadline) => device.rawCall('get_prop', ['power'], deadline)],
    ['read of one property only', (deadline) => device.readProperty('state', deadline)],
    ['read of the identity', (deadline) => device.identify({deadline})],
  ])('stays online, however often a %s has only 1 s to spare', async (_, act) => {
    const codes = new Set<string>()
    for (let round = 0; round < 6; round++) {
      const results = [act(within(SECOND)), act(within(SECOND)), act(within(SECOND))].map(code)
      await clock.advance(2 * SECOND)
      for (const result of await Promise.all(results)) codes.add(result)
    }
    expect(codes).toContain('timeout')
    await clock.advance(MINUTE)
    expect(availabilities).toEqual(['online'])
  })

  it('gives a caller with more time its values, although one with less time came first', async () => {
    const impatient = code(device.read(within(SECOND)))
    const patient = code(device.read(within(10 * SECOND)))
    await clock.advance(10 * SECOND)
    expect(await Promise.all([impatient, patient])).toEqual(['timeout', 'ok'])
  })

  it('gives a caller that joined a read which then failed the values of a new read', async () => {
    plug.failure = new CallFailed('timeout')
    const first = code(device.read(within(10 * SECOND)))
    await clock.advance(5 * SECOND)
    const second = code(device.read(within(10 * SECOND)))
    const third = code(device.read(within(10 * SECOND)))
    plug.failure = undefined
    await clock.advance(10 * SECOND)
    expect(await Promise.all([first, second, third])).toEqual(['timeout', 'ok', 'ok'])
  })

  it('is not offline because many commands were rejected, superseded or expired', async () => {
    const values = ['ON', 'ON', 'OFF', ...Array.from({length: 2 * MOST_WAITING}, () => 'TOGGLE')]
    const results = ['state', 'led'].flatMap((name) =>
      values.map((value) => code(device.set(name, value, within(4 * SECOND)))),
    )
    await clock.advance(10 * SECOND)
    expect(new Set(await Promise.all(results))).toEqual(
      new Set(['ok', 'superseded', 'queue_full', 'timeout', 'expired']),
    )
    await clock.advance(MINUTE)
    expect(availabilities).toEqual(['online'])
  })
})

describe('a silent plug', () => {
  beforeEach(async () => {
    await clock.advance(10 * SECOND)
    plug.failure = new CallFailed('timeout')
  })

  it('has failed once for all callers that wait for the same read', async () => {
    const waiting = Array.from({length: 20}, () => code(device.read(within(10 * SECOND))))
    await clock.advance(9 * SECOND)
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['timeout']))
    expect(availabilities).toEqual(['online'])
  })

  it('is offline after three reads in a row that had all their tries', async () => {
    for (let round = 0; round < 3; round++) {
      void code(device.read(within(10 * SECOND)))
      await clock.advance(9 * SECOND)
    }
    expect(availabilities).toEqual(['online', 'offline'])
  })

  it('is not offline by raw calls that are sent once: its firmware may not know them', async () => {
    plug.failure = undefined
    plug.failing.set('get_nothing', new CallFailed('timeout'))
    for (let round = 0; round < 6; round++) {
      void code(device.rawCall('get_nothing', [], within(10 * SECOND)))
      await clock.advance(3 * SECOND)
    }
    expect(availabilities).toEqual(['online'])
  })

  it('that answers a read in between has not failed in a row', async () => {
    for (let round = 0; round < 6; round++) {
      plug.failure = new CallFailed('timeout')
      await clock.advance(20 * SECOND) // one poll, or two
      plug.failure = undefined
      void code(device.read(within(10 * SECOND)))
      await clock.advance(SECOND)
    }
    expect(availabilities).toEqual(['online'])
  })
})

describe('a request that was lost while the process stood still beyond its deadline', () => {
  it.each<[string, (deadline: number) => Promise<unknown>]>([
    ['command', (deadline) => device.set('state', 'ON', deadline)],
    ['TOGGLE', (deadline) => device.set('state', 'TOGGLE', deadline)],
    ['read', (deadline) => device.read(deadline)],
    ['read of the identity', (deadline) => device.identify({deadline})],
  ])('does not count against the plug: %s', async (_, act) => {
    await clock.advance(10 * SECOND)
    for (let round = 0; round < 4; round++) {
      plug.failure = new CallFailed('timeout')
      const result = code(act(within(10 * SECOND)))
      await clock.advance(SECOND)
      poller.stop()
      await clock.jump(20 * SECOND)
      await clock.advance(SECOND)
      expect(await result).toBe('timeout')
    }
    expect(availabilities).toEqual(['online'])
  })
})

describe('what a plug that was offline responds to', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['a read', () => device.read(within(10 * SECOND))],
    ['a raw call', () => device.rawCall('get_prop', ['power'], within(10 * SECOND))],
    ['a read of the identity', () => device.identify({deadline: within(10 * SECOND)})],
  ])('brings it online at once: %s', async (_, act) => {
    plug.failure = new CallFailed('timeout')
    await clock.advance(60 * MINUTE)
    expect(availabilities).toEqual(['offline'])
    plug.failure = undefined
    void code(act())
    await clock.advance(SECOND)
    expect(availabilities).toEqual(['offline', 'online'])
  })
})

describe('a call of the transport that never ends', () => {
  it.each(['the first poll', 'a later poll'])('shows as overdue, and goes on to: %s', async (when) => {
    if (when === 'a later poll') await clock.advance(MINUTE)
    hang()
    await clock.advance(3 * MINUTE)
    expect(poller.overdue()).toBeGreaterThan(30 * SECOND)
    await clock.advance(DAY)
    expect(poller.overdue()).toBeGreaterThan(DAY / 2)
    await clock.advance(37 * SECOND)
    expect(poller.overdue()).toBeGreaterThan(DAY / 2)
  })

  it('makes the plug offline, and polls go on until one is answered', async () => {
    await clock.advance(MINUTE)
    const recover = hang()
    plug.calls.length = 0
    await clock.advance(20 * MINUTE)
    expect(availabilities).toEqual(['online', 'offline'])
    expect(plug.calls.length).toBeGreaterThan(5)
    recover()
    await clock.advance(3 * MINUTE)
    expect(availabilities).toEqual(['online', 'offline', 'online'])
    expect(poller.overdue()).toBe(0)
  })

  it('leaves no command or read without a result at its deadline', async () => {
    await clock.advance(MINUTE)
    hang()
    const results = [
      device.set('state', 'ON', within(10 * SECOND)),
      device.set('led', 'OFF', within(10 * SECOND)),
      device.rawCall('get_prop', [], within(10 * SECOND)),
      device.read(within(10 * SECOND)),
      device.identify({deadline: within(10 * SECOND)}),
      device.readProperty('state', within(2 * SECOND)),
    ].map(code)
    await clock.advance(10 * SECOND + 100)
    expect(await Promise.all(results)).toEqual([
      'timeout',
      'expired',
      'expired',
      'timeout',
      'timeout',
      'timeout',
    ])
  })

  it('does not keep later commands from the plug for ever', async () => {
    await clock.advance(MINUTE)
    const recover = hang()
    void code(device.set('state', 'ON', within(10 * SECOND)))
    await clock.advance(SECOND)
    recover()
    await clock.advance(2 * MINUTE)
    const later = code(device.set('state', 'ON', within(10 * SECOND)))
    await clock.advance(SECOND)
    expect(await later).toBe('ok')
  })
})

describe('a poll that waits behind commands', () => {
  it('is not overdue: the plug is asked all the time', async () => {
    await clock.advance(MINUTE)
    answersAfter(1500)
    for (let second = 0; second < 300; second++) {
      void code(device.rawCall('get_prop', ['power'], within(10 * SECOND)))
      await clock.advance(SECOND)
      expect(poller.overdue()).toBe(0)
    }
  })
})

describe('reads', () => {
  beforeEach(() => {
    poller.stop()
    plug.failure = new CallFailed('timeout')
  })

  it.each<[string, () => Promise<unknown>]>([
    ['of everything', () => device.read(within(10 * SECOND))],
    ['of what is hardly ever read', () => device.read(within(10 * SECOND), 'rssi')],
    ['of what the plug is', () => device.identify({deadline: within(10 * SECOND)})],
  ])('%s are rejected when too many wait, and those that wait share one response', async (_, act) => {
    await clock.advance(20 * SECOND)
    plug.calls.length = 0
    const results = Array.from({length: MOST_WAITING + 5}, () => code(act()))
    await settle()
    expect(plug.calls).toHaveLength(1)
    plug.failure = undefined
    await clock.advance(10 * SECOND)
    const codes = await Promise.all(results)
    expect(codes.filter((result) => result === 'queue_full')).toHaveLength(5)
  })

  it('do not take the places of commands', async () => {
    await clock.advance(20 * SECOND)
    for (let count = 0; count < 2 * MOST_WAITING; count++) void code(device.read(within(10 * SECOND)))
    plug.failure = undefined
    const done = code(device.set('state', 'ON', within(10 * SECOND)))
    await clock.advance(10 * SECOND)
    expect(await done).toBe('ok')
  })

  it('that were given up leave no request behind', async () => {
    await clock.advance(20 * SECOND)
    for (let round = 0; round < 50; round++) {
      void code(device.read(within(100), 'rssi'))
      void code(device.identify({deadline: within(100)}))
      void code(device.readProperty('state', within(100)))
      await clock.advance(200)
    }
    plug.calls.length = 0
    plug.failure = undefined
    await clock.advance(MINUTE)
    expect(plug.calls.length).toBeLessThan(5)
  })

  it('back after commands do not add up while commands come first', async () => {
    plug.failure = undefined
    await clock.advance(20 * SECOND)
    answersAfter(700)
    for (let round = 0; round < 60; round++) {
      void code(device.set('state', round % 2 ? 'ON' : 'OFF', within(10 * SECOND)))
      await clock.advance(650)
    }
    await clock.advance(20 * SECOND)
    plug.calls.length = 0
    await clock.advance(MINUTE)
    expect(plug.calls).toEqual([])
  })
})

describe('a pause of the process', () => {
  /** The clock jumps, as it does for a process that was stopped: no timer has fired in between. */
  const pause = (ms: number) => {
    const now = clock.now.bind(clock)
    clock.now = () => now() + ms
  }

  it('sends no command whose deadline passed meanwhile', async () => {
    await clock.advance(MINUTE)
    answersAfter(500)
    void code(device.set('led', 'ON', within(10 * SECOND)))
    const late = code(device.set('state', 'ON', within(10 * SECOND)))
    await clock.advance(100)
    pause(3 * MINUTE)
    await clock.advance(2 * SECOND)
    expect(await late).toBe('expired')
    expect(plug.commands).not.toContain('set_power on')
  })

  it('between the two requests of a TOGGLE sends no second one', async () => {
    await clock.advance(MINUTE)
    answersAfter(500)
    const late = code(device.set('state', 'TOGGLE', within(10 * SECOND)))
    await clock.advance(100)
    pause(3 * MINUTE)
    await clock.advance(2 * SECOND)
    expect(await late).toBe('expired')
    expect(plug.commands).toEqual([])
  })

  it.each<[string, (deadline: number) => Promise<unknown>]>([
    ['read', (deadline) => device.read(deadline)],
    ['read of the identity', (deadline) => device.identify({deadline})],
    ['read of one property only', (deadline) => device.readProperty('state', deadline)],
    ['command', (deadline) => device.set('state', 'ON', deadline)],
    ['raw call', (deadline) => device.rawCall('set_power', ['on'], deadline)],
  ])('before a %s is begun makes it expire', async (_, act) => {
    await clock.advance(MINUTE)
    const deadline = within(10 * SECOND)
    pause(MINUTE)
    plug.calls.length = 0
    const late = code(act(deadline))
    await settle()
    await clock.advance(0)
    expect(await late).toBe('expired')
    expect(plug.calls).toEqual([])
  })
})
