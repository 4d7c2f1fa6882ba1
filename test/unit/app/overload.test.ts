import {beforeEach, describe, expect, it} from 'vitest'
import {Overload} from '../../../src/app/overload.ts'
import {Device} from '../../../src/device/device.ts'
import {PollLimit} from '../../../src/device/polling/poll-limit.ts'
import {Poller} from '../../../src/device/polling/poller.ts'
import type {CallOptions, Transport} from '../../../src/device/transport.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {ScriptedPlug} from '../../support/scripted-plug.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const INTERVAL = 15 * SECOND
const PLUGS = 150
const PLUG_MS = 20
/** What a request costs when all polls together make a load of about a half, and twice as much as the machine can do. */
const LIGHT = 40
const HEAVY = 160

let clock: VirtualClock
let log: RememberingLog
let limit: PollLimit
let machine: Machine
let overload: Overload
let pollers: Poller[]
let devices: Device[]
let plugs: ScriptedPlug[]
/** How often the health was published. */
let changes: number

/**
 * The event loop as one server: each request takes so much of its time, one after the other. Idle time is what is left.
 */
class Machine {
  /** Milliseconds that a request takes. */
  cost = 1
  /** Until when the work so far takes. */
  #busyUntil = 0
  #busy = 0
  #measuredAt = 0

  /** Resolves when the work for one request is done. */
  work(): Promise<void> {
    const now = clock.now()
    this.#busyUntil = Math.max(this.#busyUntil, now) + this.cost
    this.#busy += this.cost
    return new Promise((resolve) => clock.after(this.#busyUntil - now, resolve))
  }

  utilization(): number {
    const now = clock.now()
    const left = Math.max(0, this.#busyUntil - now)
    const share = (this.#busy - left) / Math.max(1, now - this.#measuredAt)
    this.#busy = left
    this.#measuredAt = now
    return Math.min(1, share)
  }
}

class BusyTransport implements Transport {
  readonly #plug: ScriptedPlug

  constructor(plug: ScriptedPlug) {
    this.#plug = plug
  }

  async call(method: string, params: unknown, options?: CallOptions): Promise<unknown> {
    await machine.work()
    return this.#plug.call(method, params, options)
  }

  close(): void {}

  get bootedAt(): number | undefined {
    return this.#plug.bootedAt
  }
}

beforeEach(() => {
  clock = new VirtualClock()
  log = new RememberingLog()
  limit = new PollLimit(clock)
  machine = new Machine()
  changes = 0
  plugs = Array.from({length: PLUGS}, () => new ScriptedPlug(clock))
  devices = plugs.map((plug, index) => {
    plug.delayMs = PLUG_MS
    const name = `desk ${index}`
    const identity = {model: 'chuangmi.plug.m1'}
    const transport = new BusyTransport(plug)
    return new Device({name, transport, clock, identity, findModel: (id) => builtIn.find(id)})
  })
  const settings = {interval: INTERVAL, slow_interval: MINUTE}
  pollers = devices.map(
    (device, index) =>
      new Poller({
        device,
        clock,
        random: seeded(index),
        settings,
        firstDelay: (index * INTERVAL) / PLUGS,
        limit,
      }),
  )
  overload = new Overload({
    clock,
    log,
    limit,
    interval: () => INTERVAL,
    utilization: () => machine.utilization(),
    onChange: () => changes++,
  })
  for (const poller of pollers) poller.start()
  overload.start(INTERVAL)
})

const lines = () => log.lines.map(({level, message}) => `${level}: ${message}`)
/** How many polls of all plugs began within the next `ms` milliseconds. */
async function polled(ms: number): Promise<number> {
  const before = plugs.map((plug) => plug.polls().length)
  await clock.advance(ms)
  return plugs.reduce((sum, plug, index) => sum + plug.polls().length - (before[index] ?? 0), 0)
}
/** The factor after each second. */
async function factors(ms: number): Promise<number[]> {
  const seen: number[] = []
  for (let time = 0; time < ms; time += SECOND) {
    await clock.advance(SECOND)
    seen.push(limit.factor)
  }
  return seen
}

describe('a machine that keeps up', () => {
  it('polls all plugs at their interval, and logs nothing', async () => {
    machine.cost = LIGHT
    expect(new Set(await factors(5 * MINUTE))).toEqual(new Set([1]))
    expect([lines(), changes]).toEqual([[], 0])
  })

  it('does not count as too slow after a stop of ten seconds', async () => {
    machine.cost = LIGHT / 2
    await clock.advance(2 * MINUTE)
    for (let stop = 0; stop < 3; stop++) {
      await clock.jump(10 * SECOND)
      expect(new Set(await factors(MINUTE))).toEqual(new Set([1]))
    }
    expect(lines()).toEqual([])
  })
})

describe('a machine that is too slow', () => {
  const warnings = () => log.messages('warn')

  beforeEach(async () => {
    machine.cost = LIGHT
    await clock.advance(MINUTE)
    machine.cost = HEAVY
  })

  it('polls all plugs less often until it keeps up, and then does not change that again and again', async () => {
    await clock.advance(2 * MINUTE)
    const settled = await factors(5 * MINUTE)
    expect(Math.min(...settled)).toBeGreaterThan(1.5)
    expect(Math.max(...settled)).toBeLessThan(7)
    expect(settled.filter((factor, second) => factor !== settled[second - 1]).length).toBeLessThan(20)
    machine.utilization()
    await clock.advance(5 * MINUTE)
    expect(machine.utilization()).toBeLessThan(0.9)
    const polls = await polled(5 * MINUTE)
    expect((PLUGS * 5 * MINUTE) / polls / INTERVAL).toBeGreaterThan(1.2)
  })

  it('warns once, with the interval that polls have now', async () => {
    await clock.advance(10 * MINUTE)
    expect(lines()).toEqual([
      expect.stringMatching(
        /^warn: cannot keep up: polls every \d+ s in place of 15 s, until this machine is less busy; commands are not delayed$/,
      ),
    ])
  })

  it('has all polls again within an interval after the load is gone, says so once after a minute, and publishes both', async () => {
    await clock.advance(3 * MINUTE)
    expect(changes).toBe(1)
    machine.cost = LIGHT
    await clock.advance(2 * INTERVAL)
    expect([limit.factor, changes]).toEqual([1, 2])
    const before = plugs.map((plug) => plug.polls().length)
    await clock.advance(1.2 * INTERVAL)
    expect(plugs.filter((plug, index) => plug.polls().length === before[index])).toEqual([])
    await clock.advance(MINUTE)
    expect(lines()).toHaveLength(2)
    expect(lines().at(-1)).toMatch(
      /^info: keeps up again: polls every 15 s; for \d+ s they were up to \d+ s apart$/,
    )
    expect(new Set(await factors(3 * MINUTE))).toEqual(new Set([1]))
    expect([lines().length, changes]).toEqual([2, 2])
  })

  it('warns again about another overload, and not about one that comes back within a minute', async () => {
    for (let time = 0; time < 3; time++) {
      machine.cost = HEAVY
      await clock.advance(2 * MINUTE)
      machine.cost = LIGHT / 2
      await clock.advance(MINUTE / 2)
    }
    expect(warnings()).toHaveLength(1)
    await clock.advance(5 * MINUTE)
    machine.cost = HEAVY
    await clock.advance(2 * MINUTE)
    expect(warnings()).toHaveLength(2)
  })

  it('keeps every plug online, and no poll overdue for the watchdog', async () => {
    for (let minute = 0; minute < 5; minute++) {
      await clock.advance(MINUTE)
      expect(Math.max(...pollers.map((poller) => poller.overdue()))).toBeLessThan(SECOND)
    }
    expect(devices.filter(({availability}) => availability.state !== 'online')).toEqual([])
  })

  it('carries out commands as before', async () => {
    await clock.advance(3 * MINUTE)
    for (const device of devices.slice(0, 10)) {
      const since = clock.now()
      const done = device.set('state', 'ON', since + 10 * SECOND).then(() => clock.now() - since)
      await clock.advance(10 * SECOND)
      expect(await done).toBeLessThan(2 * SECOND)
    }
  })
})

describe('a machine that can do next to nothing', () => {
  it('polls at a sixteenth of the pace at least', async () => {
    machine.cost = 5000
    await clock.advance(10 * MINUTE)
    expect(limit.factor).toBe(16)
    expect(await polled(5 * MINUTE)).toBeGreaterThan(0)
  })

  it('polls all plugs again when that takes little, although other work takes half of the time', async () => {
    machine.cost = 640
    await clock.advance(5 * MINUTE)
    expect(limit.factor).toBeGreaterThan(8)
    machine.cost = 5
    const own = machine.utilization.bind(machine)
    machine.utilization = () => Math.min(1, own() + 0.5)
    await clock.advance(15 * MINUTE)
    expect(limit.factor).toBe(1)
  })
})

describe('polls that wait although the machine has time', () => {
  it('are no overload', async () => {
    let now = true
    const {begin} = limit
    limit.begin = (poll) => {
      if (now) begin.call(limit, poll)
      else clock.after(10 * SECOND, () => begin.call(limit, poll))
    }
    await clock.advance(MINUTE)
    now = false
    expect(new Set(await factors(5 * MINUTE))).toEqual(new Set([1]))
  })
})

it('leaves no timer behind', async () => {
  await clock.advance(MINUTE)
  overload.stop()
  for (const poller of pollers) poller.stop()
  for (const device of devices) await device.stop(0)
  await clock.advance(MINUTE)
  expect(clock.pending).toBe(0)
})
