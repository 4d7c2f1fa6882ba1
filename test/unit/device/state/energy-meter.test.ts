import {beforeEach, describe, expect, it} from 'vitest'
import {
  type EnergyMemory,
  EnergyMeter,
  type MeterOptions,
  todayOf,
} from '../../../../src/device/state/energy-meter.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const POLL = 15 * SECOND
const NOON = new Date(2026, 0, 31, 12).getTime()

let now: number
let meter: EnergyMeter

/** As kept over a restart. */
function start(choice: Partial<MeterOptions> = {}, remembered?: EnergyMemory) {
  meter = new EnergyMeter(
    {counterStep: undefined, isCounterTrusted: false, gap: 3 * POLL, ...choice},
    remembered,
  )
}

const counting = {counterStep: 0.01}
const date = () => new Date(NOON + now)
const total = () => meter.memory?.total
const today = () => meter.memory && todayOf(meter.memory, date())

function watts(...readings: (number | null)[]) {
  for (const value of readings) {
    meter.read({watts: value, now, date: date()})
    now += POLL
  }
}

function counter(...readings: (number | null)[]) {
  for (const value of readings) {
    meter.read({counter: value, now, date: date()})
    now += MINUTE
  }
}

function hours(count: number, reading: {watts: number; counter?: number | null}): boolean[] {
  return Array.from({length: (count * HOUR) / POLL}, () => {
    const stuck = meter.read({...reading, now, date: date()})
    now += POLL
    return stuck
  })
}

beforeEach(() => {
  now = 0
  start()
})

describe('watts', () => {
  it('are added up to kWh, by trapezoids', () => {
    watts(1200, 1200, 0) // 5 Wh, and half as much
    expect(total()).toBe(0.007)
    hours(1, {watts: 0})
    expect(total()).toBe(0.007)
    hours(1, {watts: 1000})
    expect(total()).toBeCloseTo(1.007, 2)
  })

  it('start from 0, with the first reading', () => {
    watts(null)
    expect(meter.memory).toBeUndefined()
    watts(100)
    expect(total()).toBe(0)
  })

  it('are not joined over more than three polls, since they may have been any in between', () => {
    watts(2000)
    now += 2 * POLL
    watts(2000)
    expect(total()).toBe(0.025)
    now += 3 * POLL
    watts(2000)
    expect(total()).toBe(0.025)
  })

  it('are joined over polls that the bridge left out, as long as no more than three others are missing', () => {
    watts(2000)
    for (let leftOut = 0; leftOut < 6; leftOut++) {
      meter.pollPostponed(POLL)
      now += POLL
    }
    now += 2 * POLL
    watts(2000)
    expect(total()).toBe(0.075)
    meter.pollPostponed(POLL)
    now += 4 * POLL
    watts(2000)
    expect(total()).toBe(0.075)
  })

  it('that are not known add nothing, before and after', () => {
    watts(2000, null, 2000, null, 2000)
    expect(total()).toBe(0)
  })

  it.each([-40, 65_535])('of %d are those of no plug, and add nothing', (nonsense) => {
    watts(2000, nonsense, 2000)
    expect(total()).toBe(0)
  })

  it('that were not asked for are no gap', () => {
    watts(2000)
    meter.read({now, date: date()})
    watts(2000)
    expect(total()).toBe(0.008)
  })

  it('go on after a restart where they were, and what no whole Wh came of is lost', () => {
    watts(2000, 2000)
    start({}, meter.memory)
    watts(2000)
    expect(total()).toBe(0.008)
    watts(2000)
    expect(total()).toBe(0.016)
  })

  it('count for the day they were used on, from midnight on the wall', () => {
    now = 11 * HOUR
    hours(0.9, {watts: 1000})
    expect(today()).toBeCloseTo(0.9, 1)
    hours(0.1, {watts: 1000})
    expect(today()).toBe(0)
    hours(1, {watts: 1000})
    expect(today()).toBeCloseTo(1, 1)
    expect(total()).toBeCloseTo(2, 1)
  })
})

describe("the plug's own counter", () => {
  beforeEach(() => start(counting))

  it('is taken as it is', () => {
    counter(12.34, 12.35, 12.4)
    expect(total()).toBe(12.4)
    expect(today()).toBe(0.06)
  })

  it('that is lower once is held', () => {
    counter(12.34, 0, 12.35, 11, 12.36, 0, null, 0)
    expect(total()).toBe(12.36)
  })

  it('that is lower twice in a row was reset, which adds nothing to the day', () => {
    counter(12.34, 12.36, 0.01)
    expect(total()).toBe(12.36)
    counter(0.02)
    expect(total()).toBe(0.02)
    expect(today()).toBe(0.02)
    counter(0.03)
    expect(today()).toBe(0.03)
  })

  it('that goes down and down has not begun to count anew', () => {
    counter(12.34, 3, 2, 1)
    expect(total()).toBe(12.34)
    counter(1)
    expect(total()).toBe(1)
  })

  it('that comes back from a reset that was none adds nothing to the day either', () => {
    counter(12.34, 0, 0, 12.34)
    expect(total()).toBe(12.34)
    expect(today()).toBe(0)
  })

  it.each([null, -1])('that says %j is not known, until it says more', (nothing) => {
    counter(12.34, nothing)
    expect(meter.isTotalKnown).toBe(false)
    counter(12.34)
    expect(meter.isTotalKnown).toBe(true)
  })

  it('has gone on while the bridge was down', () => {
    counter(12.34)
    const {memory} = meter
    now += 3 * HOUR
    start(counting, memory)
    counter(13)
    expect(total()).toBe(13)
    expect(today()).toBe(0.66)
  })

  it('that went on over night does not show how much of it is of today', () => {
    counter(12.34)
    const {memory} = meter
    now += 20 * HOUR
    start(counting, memory)
    counter(13, 13.01)
    expect(total()).toBe(13.01)
    expect(today()).toBe(0.01)
  })

  it('that is lower after a restart needs two readings as well', () => {
    counter(12.34)
    start(counting, meter.memory)
    counter(3)
    expect(total()).toBe(12.34)
    counter(3)
    expect(total()).toBe(3)
  })

  it('changes nothing that had to be remembered while it stands still', () => {
    counter(12.34)
    const {memory} = meter
    counter(12.34, 12.34, null, 12.34)
    expect(meter.memory).toBe(memory)
  })
})

describe('a counter that does not count', () => {
  beforeEach(() => start(counting))

  it.each([1, 0, null])('but says %j all the time gives way to the watts, once', (stuck) => {
    expect(hours(2, {watts: 500, counter: stuck}).filter(Boolean)).toHaveLength(1)
    expect(meter.source).toBe('integrated')
    expect(total()).toBeGreaterThan((stuck ?? 0) + 0.3)
    expect(total()).toBeLessThan((stuck ?? 0) + 0.51)
  })

  it('needs an hour to be found out, however much is used', () => {
    hours(0.9, {watts: 2000, counter: 1})
    expect(meter.source).toBe('plug')
  })

  it('needs a clear amount to be found out, however long it takes', () => {
    hours(40, {watts: 1, counter: 1})
    expect(meter.source).toBe('plug')
    start({counterStep: 1})
    hours(40, {watts: 100, counter: 1})
    expect(meter.source).toBe('plug')
    hours(20, {watts: 100, counter: 1})
    expect(meter.source).toBe('integrated')
  })

  it('may well stand still while nothing is used', () => {
    hours(48, {watts: 0, counter: 1})
    expect(meter.source).toBe('plug')
  })

  it('is remembered', () => {
    hours(2, {watts: 500, counter: 1})
    const {memory} = meter
    start(counting, memory)
    expect(meter.source).toBe('integrated')
    counter(1)
    expect(total()).toBe(memory?.total)
  })

  it('counts again as soon as the user trusts it', () => {
    hours(2, {watts: 500, counter: 1})
    start({...counting, isCounterTrusted: true}, meter.memory)
    hours(3, {watts: 500, counter: 7})
    expect(meter.source).toBe('plug')
    expect(total()).toBe(7)
  })

  it.each([
    ['in steps of 0.01 kWh', 0.01],
    ['in steps of a whole kWh', 1],
  ])('is not one that counts %s', (_, step) => {
    start({counterStep: step})
    for (let reading = 0; reading < 24 * 60; reading++) {
      const counted = Math.floor((0.8 * reading) / 60 / step) * step
      meter.read({watts: 1000, counter: counted, now, date: date()})
      now += MINUTE
    }
    expect(meter.source).toBe('plug')
  })
})
