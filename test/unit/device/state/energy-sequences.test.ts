/**
 * Energy under random faults: whatever the counter of a plug, the network, the bridge and its machine do, the published energy never
 * decreases without a real reset, and never jumps by an amount that no reading contains (docs/promises.md 18).
 */
import {describe, expect, it} from 'vitest'
import type {Clock} from '../../../../src/common/clock.ts'
import type {EnergyMemory} from '../../../../src/device/state/energy-meter.ts'
import {EnergyTracking, type EnergyTrackingOptions} from '../../../../src/device/state/energy-tracking.ts'
import {complete, kilowattHours, prop, relay, watts} from '../../../../src/models/builders.ts'
import {FIXED_SEEDS, INPUT_FACTOR, TEST_SEED} from '../../../support/seeds.ts'
import {seeded} from '../../../support/virtual-clock.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const POLL = 15 * SECOND
const MIDNIGHT = new Date(2026, 0, 31).getTime()
const WH = 0.001
const STEP = 0.01
/** Rounding, in kWh. */
const DUST = 1e-6

const SEQUENCES = 200 * INPUT_FACTOR
const EVENTS = 60

const common = {ids: [], name: 'made up', vendor: 'none', confidence: 'inferred', evidence: ''} as const
const state = relay(prop('power'))
const power = watts(prop('watts'))
const withCounter = complete({
  ...common,
  properties: {state, power, energy: kilowattHours(prop('kwh'), {scale: STEP})},
})
const wattsAlone = complete({...common, properties: {state, power}})

/** A file that is replaced whole: a crash in the middle of a write leaves the old content or the new one. */
class Disk implements EnergyTrackingOptions {
  #wanted: EnergyMemory | undefined
  #known: EnergyMemory | undefined
  #underWay: {content: EnergyMemory | undefined} | undefined

  gap() {
    return 3 * POLL
  }

  pending() {
    return this.#wanted
  }

  persisted() {
    return this.#known
  }

  record(memory: EnergyMemory) {
    this.#wanted = memory
  }

  beginWrite() {
    this.#underWay ??= {content: this.#wanted}
  }

  endWrite() {
    if (this.#underWay) this.#known = this.#underWay.content
    this.#underWay = undefined
  }

  /** What the next process finds, as text: nothing but that is left of this one. */
  restart(isNewInPlace: boolean) {
    if (this.#underWay && isNewInPlace) this.#known = this.#underWay.content
    this.#underWay = undefined
    this.#known = this.#known && JSON.parse(JSON.stringify(this.#known))
    this.#wanted = this.#known
  }
}

interface Shown {
  energy: number
  today: number
  /** So much was really used on that day until then, kWh: by the plug's counter, and by what its watts add up to. */
  used: number
  addedUp: number
}

/** One plug, the process that reads it, its disk, and an observer of what is published. */
class World {
  readonly shown: Shown[] = []
  /** What the plug's counter readings. */
  readonly readings: {value: number; isDip: boolean; resets: number}[] = []
  /** What the watts that were readings add up to, kWh. */
  addedUp = 0
  resets = 0
  restarts = 0
  kills = 0
  readonly #random: () => number
  readonly #disk = new Disk()
  readonly #model: typeof wattsAlone
  readonly #clock: Clock = {
    now: () => this.#now,
    date: () => new Date(MIDNIGHT + this.#now),
    after: () => ({cancel: () => {}}),
  }
  #now: number
  #metering: EnergyTracking
  #counter: number
  #watts = 0
  #lastWatts: {value: number; at: number} | undefined
  #hasDipped = false
  #usedOn = new Map<number, number>()
  #addedUpOn = new Map<number, number>()

  constructor(model: typeof wattsAlone, random: () => number) {
    this.#model = model
    this.#random = random
    this.#now = DAY * random()
    this.#counter = 1000 * random()
    this.#metering = this.#start()
  }

  live(events: number) {
    for (let event = 0; event < events; event++) {
      this.#happen()
      this.#pass(POLL * (0.9 + 0.2 * this.#random()))
    }
    this.#disk.endWrite()
    this.#poll(this.#truth())
    this.#write()
    this.#poll(this.#truth())
  }

  #happen() {
    const dice = this.#random()
    if (dice < 0.4) this.#poll(this.#truth())
    else if (dice < 0.47) this.#dip()
    else if (dice < 0.55) this.#poll(null)
    else if (dice < 0.59) this.#reset()
    else if (dice < 0.64) this.#pass((this.#random() < 0.8 ? MINUTE * 10 : HOUR * 60) * this.#random())
    else if (dice < 0.72) this.#watts = this.#random() < 0.3 ? 0 : 2500 * this.#random()
    else if (dice < 0.82) this.#disk.beginWrite()
    else if (dice < 0.9) this.#disk.endWrite()
    else if (dice < 0.95) this.#kill()
    else this.#stop()
  }

  #truth(): number {
    return inSteps(this.#counter)
  }

  /**
   * Once lower than was known before, as clouds and firmware do. Never twice in a row, nor between a reset and the time it is
   * seen, nor as the first value: nothing could tell it from a real reset then.
   */
  #dip() {
    const latest = this.readings.findLast(({isDip}) => !isDip)?.value ?? 0
    const known = Math.min(latest, this.#disk.persisted()?.total ?? 0)
    const dip = inSteps(known * this.#random())
    if (!this.#hasDipped && this.#counter >= known && dip < known) this.#poll(dip, true)
  }

  #reset() {
    this.#counter = 0
    this.resets++
  }

  #pass(ms: number) {
    const untilMidnight = DAY - (this.#now % DAY)
    if (ms > untilMidnight) {
      this.#pass(untilMidnight)
      this.#pass(ms - untilMidnight)
      return
    }
    const used = (this.#watts * ms) / 1000 / HOUR
    this.#counter += used
    add(this.#usedOn, this.#day(), used)
    this.#now += ms
  }

  #day(): number {
    return Math.floor(this.#now / DAY)
  }

  #write() {
    this.#disk.beginWrite()
    this.#disk.endWrite()
  }

  /** kill -9, perhaps in the middle of a write: whatever was not on the disk is gone. */
  #kill() {
    this.kills++
    this.#disk.restart(this.#random() < 0.5)
    this.#metering = this.#start()
  }

  #stop() {
    this.#disk.endWrite()
    this.#write()
    this.#disk.restart(true)
    this.#metering = this.#start()
  }

  #start() {
    this.restarts++
    this.#lastWatts = undefined
    return new EnergyTracking(this.#model, this.#clock, this.#disk)
  }

  #poll(counter: number | null, isDip = false) {
    this.#hasDipped = isDip
    const watts = this.#random() < 0.9 ? this.#watts : null
    this.#addUp(watts)
    if (counter !== null) this.readings.push({value: counter, isDip, resets: this.resets})
    const {energy, energy_today: today} = this.#metering.read({power: watts, energy: counter}).values
    if (typeof energy !== 'number' || typeof today !== 'number') return
    const used = this.#usedOn.get(this.#day()) ?? 0
    this.shown.push({energy, today, used, addedUp: this.#addedUpOn.get(this.#day()) ?? 0})
  }

  /** The same sum as the meter's, from what was readings alone. */
  #addUp(watts: number | null) {
    const before = this.#lastWatts
    this.#lastWatts = watts === null ? undefined : {value: watts, at: this.#now}
    if (!before || watts === null || this.#now - before.at > 3 * POLL) return
    const used = ((before.value + watts) * (this.#now - before.at)) / 2 / 1000 / HOUR
    this.addedUp += used
    add(this.#addedUpOn, this.#day(), used)
  }
}

function inSteps(kilowattHours: number): number {
  return Number((Math.floor(kilowattHours / STEP) * STEP).toFixed(2))
}

function add(sums: Map<number, number>, key: number, amount: number) {
  sums.set(key, (sums.get(key) ?? 0) + amount)
}

/** Lives of plugs, each from a seed of its own. */
function lives(model: typeof wattsAlone, seed: number): World[] {
  const random = seeded(seed)
  return Array.from({length: SEQUENCES}, () => {
    const world = new World(model, seeded(Math.floor(random() * 2 ** 31)))
    world.live(EVENTS)
    return world
  })
}

/**
 * What cannot be: a value that the plug did not tell, or readings before one that was shown already; and an error of its counter that
 * is lower than that without a reset in between. The true counter itself is lower than before only when it was reset.
 */
function madeUp({shown, readings}: World): number[] {
  let at = 0
  let last = {value: 0, resets: 0}
  return shown.flatMap(({energy}) => {
    const found = readings.findIndex(
      ({value, isDip, resets}, index) =>
        index >= at && value === energy && (!isDip || value >= last.value || resets > last.resets),
    )
    const entry = readings[found]
    if (!entry) return [energy]
    at = found
    last = entry
    return []
  })
}

describe.each([
  ...FIXED_SEEDS.map((seed) => [`from seed ${seed}`, seed] as const),
  [`from TEST_SEED ${TEST_SEED}`, TEST_SEED] as const,
])(`${SEQUENCES} lives of a plug, %s`, (_, seed) => {
  it('show the readings of its own counter, in that order, and lower only after a reset', () => {
    const worlds = lives(withCounter, seed)
    for (const world of worlds) {
      expect(madeUp(world)).toEqual([])
      for (const {today, used} of world.shown)
        expect(today).toBeLessThanOrEqual(used + STEP * (1 + world.resets) + DUST)
    }
    expect(worlds.some(({shown}) => falls(shown) > 0)).toBe(true)
    expect(worlds.every(({shown, resets}) => falls(shown) <= resets)).toBe(true)
  })

  it('show of its watts no more than they add up to, and never less than before', () => {
    for (const world of lives(wattsAlone, seed)) {
      const {shown, addedUp, restarts, kills} = world
      expect(falls(shown)).toBe(0)
      const last = shown.at(-1)?.energy ?? 0
      expect(last).toBeLessThanOrEqual(addedUp + DUST)
      if (kills === 0) expect(last).toBeGreaterThanOrEqual(addedUp - WH * restarts - DUST)
      for (const {today, addedUp: most} of shown) expect(today).toBeLessThanOrEqual(most + WH + DUST)
    }
  })
})

function falls(shown: readonly Shown[]): number {
  return shown.filter(({energy}, index) => energy < (shown[index - 1]?.energy ?? 0)).length
}
