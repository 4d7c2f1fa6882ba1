import {describe, expect, it} from 'vitest'
import {PauseDetector} from '../../../src/app/pause-detector.ts'
import type {Clock, Timer} from '../../../src/common/clock.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'

/** A machine whose clocks can be moved one by one. */
class Machine implements Clock {
  readonly #clock = new VirtualClock()
  paused = 0
  suspended = 0
  dateSet = 0

  now(): number {
    return this.#clock.now() + this.paused
  }

  date(): Date {
    return new Date(this.#clock.date().getTime() + this.paused + this.suspended + this.dateSet)
  }

  uptime(): number {
    return this.now() + this.suspended
  }

  after(ms: number, run: () => void): Timer {
    return this.#clock.after(ms, run)
  }

  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms)
  }

  get pending(): number {
    return this.#clock.pending
  }
}

async function stage() {
  const machine = new Machine()
  const pauses: number[] = []
  const detector = new PauseDetector(
    machine,
    (ms) => pauses.push(ms),
    () => machine.uptime(),
  )
  detector.start()
  await machine.advance(60_500)
  return {machine, pauses, detector}
}

describe('a process that stood still', () => {
  it.each([
    ['paused', 15_000],
    ['paused', 180_000],
    ['suspended', 15_000],
    ['suspended', 8 * 3_600_000],
  ] as const)('%s for %i ms notices it before it handles what came meanwhile, once', async (how, ms) => {
    const {machine, pauses, detector} = await stage()
    machine[how] = ms
    expect(detector.check()).toBe(true)
    expect(detector.check()).toBe(false)
    expect(pauses.map((pause) => pause >= ms && pause < ms + 1000)).toEqual([true])
    await machine.advance(60_000)
    expect(pauses).toHaveLength(1)
  })

  it('detects it by its own timer when no message arrives', async () => {
    const {machine, pauses} = await stage()
    machine.suspended = 60_000
    await machine.advance(1000)
    expect(pauses).toHaveLength(1)
  })

  it('for a moment is no pause', async () => {
    const {machine, pauses, detector} = await stage()
    machine.paused = 13_000
    expect(detector.check()).toBe(false)
    await machine.advance(10_000)
    expect(pauses).toEqual([])
  })
})

it('A time of day that is set, forth or back, is no pause.', async () => {
  const {machine, pauses, detector} = await stage()
  for (const jump of [3_600_000, -86_400_000, 10 * 365 * 86_400_000]) {
    machine.dateSet += jump
    expect(detector.check()).toBe(false)
    await machine.advance(5000)
  }
  expect(pauses).toEqual([])
  machine.paused = 20_000
  expect(detector.check()).toBe(true)
})

it('A detector that is stopped leaves no timer, and calls back no more.', async () => {
  const {machine, pauses, detector} = await stage()
  detector.stop()
  machine.paused = 20_000
  expect(detector.check()).toBe(false)
  expect([machine.pending, pauses]).toEqual([0, []])
})
