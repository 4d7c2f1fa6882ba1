import {beforeEach, describe, expect, it} from 'vitest'
import type {Clock, Timer} from '../../../../src/common/clock.ts'
import {HOLD_MS, type LimitedPoll, MOST_POLLS, PollLimit} from '../../../../src/device/polling/poll-limit.ts'
import {seeded} from '../../../support/virtual-clock.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const INTERVAL = 15 * SECOND

/** Virtual time in whole milliseconds, for hundreds of thousands of timers. Nothing under test here has a promise. */
class ManyTimers implements Clock {
  #now = 0
  readonly #timers = new Map<number, Set<() => void>>()

  now(): number {
    return this.#now
  }

  date(): Date {
    return new Date(this.#now)
  }

  after(ms: number, run: () => void): Timer {
    const at = this.#now + Math.max(1, Math.ceil(ms))
    const timers = this.#timers.get(at) ?? new Set()
    this.#timers.set(at, timers.add(run))
    return {cancel: () => timers.delete(run)}
  }

  get pending(): number {
    return [...this.#timers.values()].reduce((sum, {size}) => sum + size, 0)
  }

  advance(ms: number): void {
    for (const end = this.#now + ms; this.#now < end; ) {
      this.#now++
      for (const run of this.#timers.get(this.#now) ?? []) run()
      this.#timers.delete(this.#now)
    }
  }
}

let clock: ManyTimers
let limit: PollLimit
/** The polls that have begun, by number. */
let begun: number[]

beforeEach(() => {
  clock = new ManyTimers()
  limit = new PollLimit(clock)
  begun = []
})

/** Polls that note their number when they begin. */
const polls = (count: number) => Array.from({length: count}, (_, number) => ({run: () => begun.push(number)}))
const begin = (all: readonly LimitedPoll[]) => {
  for (const poll of all) limit.begin(poll)
}

describe('polls', () => {
  it('begin at once as long as there is a place, and leave no timer', () => {
    const all = polls(MOST_POLLS)
    begin(all)
    expect(begun).toHaveLength(MOST_POLLS)
    for (const poll of all) limit.end(poll)
    expect(clock.pending).toBe(0)
  })

  it('wait for a place beyond that, and begin in the order in which they became due', () => {
    const all = polls(MOST_POLLS + 3)
    begin(all)
    expect(begun).toHaveLength(MOST_POLLS)
    for (const poll of all.slice(0, 2)) limit.end(poll)
    expect(begun.slice(MOST_POLLS)).toEqual([MOST_POLLS, MOST_POLLS + 1])
    limit.end(all[7] ?? expect.fail())
    expect(begun.at(-1)).toBe(MOST_POLLS + 2)
    clock.advance(MINUTE)
    expect(clock.pending).toBe(0)
  })

  it('have as many places less as there are fewer polls, while the machine cannot keep up', () => {
    limit.factor = 4
    const all = polls(MOST_POLLS)
    begin(all)
    expect(begun).toHaveLength(MOST_POLLS / 4)
    limit.factor = 1
    limit.end(all[0] ?? expect.fail())
    expect(begun).toHaveLength(MOST_POLLS)
  })

  it('that last longer than half a second free their places for others', () => {
    begin(polls(MOST_POLLS + 3))
    clock.advance(HOLD_MS - 1)
    expect(begun).toHaveLength(MOST_POLLS)
    clock.advance(2)
    expect(begun).toHaveLength(MOST_POLLS + 3)
  })

  it('keep their places as long as the process has not passed on the responses that have arrived', () => {
    const arrived: (() => void)[] = []
    limit = new PollLimit(clock, (callback) => arrived.push(callback))
    const all = polls(MOST_POLLS + 3)
    begin(all)
    clock.advance(MINUTE)
    expect(begun).toHaveLength(MOST_POLLS)
    limit.end(all[0] ?? expect.fail())
    expect(begun).toHaveLength(MOST_POLLS + 1)
    for (const callback of arrived.splice(0)) callback()
    expect(begun).toHaveLength(MOST_POLLS + 3)
    clock.advance(MINUTE)
    expect([arrived, clock.pending]).toEqual([[], 0])
  })

  it('that are not wanted any more do not begin', () => {
    const all = polls(MOST_POLLS + 2)
    begin(all)
    limit.end(all[MOST_POLLS] ?? expect.fail())
    clock.advance(MINUTE)
    expect(begun.slice(MOST_POLLS)).toEqual([MOST_POLLS + 1])
  })

  it('are counted as due, and as ended when they had begun', () => {
    const all = polls(MOST_POLLS + 5)
    begin(all)
    expect(limit.counts).toEqual({due: MOST_POLLS + 5, ended: 0})
    limit.reset()
    for (const poll of all.toReversed()) limit.end(poll)
    expect(limit.counts).toEqual({due: 0, ended: MOST_POLLS})
  })
})

/** Plugs that are polled as the poller does it, each after its interval. */
class Home {
  /** The longest time that the poll of a healthy plug waited, in ms. */
  longestWait = 0
  /** How many healthy plugs were polled. */
  readonly polled = new Set<number>()
  mostUnderWay = 0
  #underWay = 0
  readonly #random = seeded(1)

  /** @param silent how many of the plugs do not respond: a poll of theirs lasts 7 s */
  constructor(count: number, silent: number) {
    for (let plug = 0; plug < count; plug++) {
      const isSilent = (plug * 7) % 10 < (10 * silent) / count
      clock.after((plug * INTERVAL) / count, () => this.#due(plug, isSilent))
    }
  }

  #due(plug: number, isSilent: boolean): void {
    const poll = {
      run: (waited: number) => {
        this.#underWay++
        this.mostUnderWay = Math.max(this.mostUnderWay, this.#underWay)
        if (!isSilent) this.longestWait = Math.max(this.longestWait, waited)
        if (!isSilent) this.polled.add(plug)
        clock.after(isSilent ? 7 * SECOND : 60 + 100 * this.#random(), () => {
          this.#underWay--
          limit.end(poll)
          clock.after(INTERVAL * (0.9 + 0.2 * this.#random()), () => this.#due(plug, isSilent))
        })
      },
    }
    limit.begin(poll)
  }
}

describe('of ten thousand plugs', () => {
  it('that respond, no poll waits', () => {
    const home = new Home(10_000, 0)
    clock.advance(MINUTE)
    expect(home.longestWait).toBe(0)
    expect(home.polled.size).toBe(10_000)
    expect(home.mostUnderWay).toBeLessThan(MOST_POLLS)
  })

  it('three thousand that are silent keep no healthy one waiting for half a second', () => {
    const home = new Home(10_000, 3000)
    clock.advance(5 * MINUTE)
    expect(home.polled.size).toBe(7000)
    expect(home.longestWait).toBeLessThan(HOLD_MS)
  })

  it('nine thousand that are silent delay the healthy ones by less than an interval, and requests in flight stay bounded', () => {
    const home = new Home(10_000, 9000)
    clock.advance(5 * MINUTE)
    expect(home.polled.size).toBe(1000)
    expect(home.longestWait).toBeLessThan(INTERVAL)
    expect(home.mostUnderWay).toBeLessThan(MOST_POLLS + (7 * SECOND * MOST_POLLS) / HOLD_MS)
  })
})
