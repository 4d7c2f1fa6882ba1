import {describe, expect, it} from 'vitest'
import {type EnergyMemory, EnergyMeter, todayOf} from '../../../../src/device/state/energy-meter.ts'
import {seeded} from '../../../support/virtual-clock.ts'

const POLL = 15_000
const HOUR = 3_600_000
const NOON = new Date(2026, 0, 31, 12).getTime()
const at = (...date: [number, number, number, number?]) => new Date(...date).getTime()

/** One plug of 1,000 W, read every 15 s by a bridge whose wall clock is set by others. */
class Kettle {
  readonly #counts: boolean
  /** Milliseconds since the start: they never go back. */
  now = 0
  /** What the wall clock says beyond that. */
  offset = NOON
  #meter: EnergyMeter

  constructor(counts: boolean, remembered?: EnergyMemory) {
    this.#counts = counts
    this.#meter = this.#start(remembered)
  }

  get today(): number {
    const {memory} = this.#meter
    return memory ? todayOf(memory, this.date) : 0
  }

  get memory(): EnergyMemory | undefined {
    return this.#meter.memory
  }

  get date(): Date {
    return new Date(this.offset + this.now)
  }

  set(wall: number): void {
    this.offset = wall - this.now
  }

  run(hours: number): this {
    for (let ms = 0; ms < hours * HOUR; ms += POLL) {
      this.now += POLL
      const counter = this.#counts ? {counter: Math.floor(this.now / HOUR / 0.01) * 0.01} : {}
      this.#meter.read({watts: 1000, ...counter, now: this.now, date: this.date})
    }
    return this
  }

  restart(): void {
    const kept: EnergyMemory | undefined = this.memory && JSON.parse(JSON.stringify(this.memory))
    this.#meter = this.#start(kept)
  }

  #start(remembered: EnergyMemory | undefined): EnergyMeter {
    return new EnergyMeter(
      {counterStep: this.#counts ? 0.01 : undefined, isCounterTrusted: true, gap: 3 * POLL},
      remembered,
    )
  }
}

describe.each([
  ['added up from watts', false],
  ["by the plug's own counter", true],
])('the energy of a day, %s', (_, counts) => {
  /** kWh: a step of the counter, and what was used between two readings. */
  const near = (kilowattHours: number) => [kilowattHours - 0.05, kilowattHours + 0.05] as const
  const expectToday = (kettle: Kettle, kilowattHours: number) => {
    const [least, most] = near(kilowattHours)
    expect(kettle.today).toBeGreaterThanOrEqual(least)
    expect(kettle.today).toBeLessThanOrEqual(most)
  }

  it.each([
    ['a day ahead', at(2026, 1, 1, 12)],
    ['ten years ahead', at(2036, 5, 1)],
    ['a day back', at(2026, 0, 30, 12)],
    ['a year back', at(2025, 0, 31, 12)],
    ['back to 1970', 0],
    ['back to before there was any plug', at(2016, 0, 31)],
  ])('goes on after the clock was %s for an hour, and is that of the whole day', (_, wrong) => {
    const kettle = new Kettle(counts).run(2)
    kettle.set(wrong)
    kettle.run(1)
    kettle.set(NOON + kettle.now)
    kettle.run(1)
    expectToday(kettle, 4)
  })

  it('is shown right from the first moment in which the clock is right again', () => {
    const kettle = new Kettle(counts).run(2)
    kettle.set(at(2036, 5, 1))
    kettle.run(1)
    kettle.set(NOON + kettle.now)
    expectToday(kettle, 3)
  })

  it('goes on after two wrong times in a row, and after a restart in the midst of them', () => {
    const kettle = new Kettle(counts).run(2)
    kettle.set(at(2036, 5, 1))
    kettle.run(0.5)
    kettle.restart()
    kettle.set(at(2026, 0, 20))
    kettle.run(0.5)
    kettle.restart()
    kettle.set(NOON + kettle.now)
    kettle.run(1)
    expectToday(kettle, 4)
  })

  it('goes on at a start with a clock of 1970, and when that clock is set', () => {
    const kettle = new Kettle(counts).run(2)
    kettle.restart()
    kettle.set(0)
    kettle.run(0.5)
    expectToday(kettle, 2.5)
    kettle.set(NOON + kettle.now)
    kettle.run(0.5)
    expectToday(kettle, 3)
  })

  it('does not begin anew at a midnight of 1970', () => {
    const kettle = new Kettle(counts)
    kettle.set(new Date(1970, 0, 2, 23).getTime())
    kettle.run(2)
    expectToday(kettle, 2)
  })

  it('that began with a clock of 1970 is of the day that it turns out to be', () => {
    const kettle = new Kettle(counts)
    kettle.set(0)
    kettle.run(1)
    kettle.set(NOON)
    kettle.run(1)
    expectToday(kettle, 2)
    expect(kettle.memory?.day).toBe('2026-01-31')
  })

  it('begins anew when the clock was set to the next day at last', () => {
    const kettle = new Kettle(counts).run(2)
    kettle.restart()
    kettle.set(0)
    kettle.run(0.5)
    kettle.set(at(2026, 1, 1, 8))
    kettle.run(1)
    expectToday(kettle, 1)
  })

  it('begins once at midnight, however often the clock is set around it', () => {
    const kettle = new Kettle(counts)
    kettle.set(at(2026, 0, 31, 23))
    kettle.run(1 - (2 * POLL) / HOUR)
    for (let turn = 0; turn < 10; turn++) {
      kettle.set(at(2026, 1, 1, 0) - 2 * POLL)
      kettle.run((3 * POLL) / HOUR)
    }
    kettle.run(1)
    expectToday(kettle, 1)
    kettle.set(at(2026, 0, 31, 23) + HOUR / 2)
    expect(kettle.today).toBeGreaterThanOrEqual(1.9)
  })

  it('is kept with two days before it at most', () => {
    const kettle = new Kettle(counts).run(24 * 10)
    expect(Object.keys(kettle.memory?.earlier ?? {})).toEqual(['2026-02-09', '2026-02-08'])
  })

  it.each([1, 2, 3, 5, 8])('is never more than was used, wherever the clock is set to (seed %i)', (seed) => {
    const random = seeded(seed)
    const kettle = new Kettle(counts)
    for (let jump = 0; jump < 50; jump++) {
      kettle.set(random() < 0.2 ? 0 : NOON + (random() - 0.5) * 40 * 24 * HOUR)
      kettle.run(random())
      if (random() < 0.2) kettle.restart()
      expect(kettle.today).toBeLessThanOrEqual(kettle.now / HOUR + 0.03)
      expect(kettle.today).toBeGreaterThanOrEqual(0)
    }
  })
})
