/**
 * The kWh of one plug (contract §3): what its own counter says, or its watts added up where it has no counter, or one
 * that does not count. Deterministic: time comes with the readings, and what must outlast a restart is one small object.
 */
import {isPlausibleDate} from '../../common/clock.ts'

/** What is remembered of a plug over restarts. */
export interface EnergyMemory {
  /** kWh: what the plug's counter last said, or all that was added up. */
  total: number
  /** kWh of `day` alone. */
  today: number
  /** A day of the local calendar: `2026-01-31`. */
  day: string
  /** kWh of the last days before, the newest first, for a clock that turns out to have been wrong. */
  earlier?: Readonly<Record<string, number>> | undefined
  /** When `total` last changed, milliseconds since 1970. */
  moved: number
  /** The plug's own counter does not count. */
  stuck?: true | undefined
}

/** What one poll, or another read, told. */
export interface EnergyReading {
  /** `null`: asked, but not told. Left out: not asked this time. */
  watts?: number | null | undefined
  /** kWh of the plug's own counter, likewise. */
  counter?: number | null | undefined
  /** Milliseconds, on the clock that never goes back. */
  now: number
  /** The time of day. */
  date: Date
}

export interface MeterOptions {
  /** kWh in one step of the plug's own counter; `undefined` when it has none. */
  step: number | undefined
  /** Whether somebody said that this counter is right, whatever it looks like. */
  trusted: boolean
  /** Watts that were told further apart than this are not joined, milliseconds. */
  gap: number
}

export type EnergySource = 'plug' | 'integrated'

/** Watts are added up to whole Wh, as a real meter does: a smaller change is not worth a write. */
const WH = 0.001
/** No plug carries more; what says so is a mistake. */
export const MOST_WATTS = 5000
const HOUR_MS = 3_600_000
const WATT_MS_PER_KWH = 1000 * HOUR_MS
/** A counter that should have counted so much, in so long, and counted less than a tenth of it, does not count. */
const STUCK_KWH = 0.1
const STUCK_STEPS = 5
const STUCK_MS = HOUR_MS
const STUCK_SHARE = 0.1
/** A counter moves in steps, and may be as many late. */
const LATE_STEPS = 2

/** Two wrong times in a row are survived; more days would only make the file longer. */
const DAYS_KEPT = 2

const nothingWatched = {used: 0, counted: 0, ms: 0}

export class EnergyMeter {
  readonly #options: MeterOptions
  #memory: EnergyMemory | undefined
  #watts: {value: number; at: number} | undefined
  /** kWh that do not make a whole Wh yet. */
  #rest = 0
  /** What the plug's counter said when it was last asked. */
  #told: number | null = null
  /** What the counter said when it was lower than before: an error, or the first sign of a reset. */
  #lower: number | undefined
  /** Since a while: what the watts add up to, what the counter has counted meanwhile, and how long anything was used. */
  #watched = nothingWatched

  constructor(options: MeterOptions, remembered: EnergyMemory | undefined) {
    this.#options = options
    this.#memory = remembered?.stuck && options.trusted ? {...remembered, stuck: undefined} : remembered
  }

  /** `undefined` before there is anything to remember. Another object whenever something in it changed. */
  get memory(): EnergyMemory | undefined {
    return this.#memory
  }

  get source(): EnergySource {
    return this.#options.step === undefined || this.#memory?.stuck ? 'integrated' : 'plug'
  }

  /** Whether the total is known to be true now: the plug's counter was told, or it is our own. */
  get known(): boolean {
    return this.source === 'integrated' || this.#told !== null
  }

  /** Takes what a poll told. @returns whether the plug's counter turned out not to count just now */
  read(reading: EnergyReading): boolean {
    const {used, ms} = this.#use(reading)
    if (this.source === 'integrated') {
      this.#add(used, reading)
      return false
    }
    this.#follow(reading)
    return this.#options.trusted ? false : this.#watch(used, ms, reading)
  }

  /** The energy since watts were last told: a trapezoid, or nothing where that is too long ago or one of both is unknown. */
  #use({watts, now}: EnergyReading): {used: number; ms: number} {
    if (watts === undefined) return {used: 0, ms: 0}
    const before = this.#watts
    const known = watts !== null && watts >= 0 && watts <= MOST_WATTS
    this.#watts = known ? {value: watts, at: now} : undefined
    const ms = before ? now - before.at : 0
    if (!before || !known || ms > this.#options.gap) return {used: 0, ms: 0}
    return {used: (((before.value + watts) / 2) * ms) / WATT_MS_PER_KWH, ms}
  }

  #add(used: number, reading: EnergyReading): void {
    this.#rest += used
    const gain = Math.floor(this.#rest / WH) * WH
    this.#rest -= gain
    if (this.#memory) this.#become(exact(this.#memory.total + gain), gain, this.#memory, reading)
    else if (this.#watts) this.#memory = begun(0, reading)
  }

  #follow(reading: EnergyReading): void {
    const {counter} = reading
    if (counter === undefined) return
    this.#told = counter !== null && counter >= 0 ? counter : null
    if (this.#told === null) this.#lower = undefined
    else if (this.#memory) this.#compare(this.#told, this.#memory, reading)
    else this.#memory = begun(this.#told, reading)
  }

  /** A counter that is lower once is wrong once; lower twice in a row, and counting from there, it was reset (contract §3). */
  #compare(told: number, memory: EnergyMemory, reading: EnergyReading): void {
    const gain = told - memory.total
    const isReset = this.#lower !== undefined && told >= this.#lower
    this.#lower = gain < 0 && !isReset ? told : undefined
    if (this.#lower !== undefined) return
    if (gain > 0) this.#watched = {...this.#watched, counted: this.#watched.counted + gain}
    this.#become(told, this.#isUsed(gain, memory, reading) ? gain : 0, memory, reading)
  }

  /**
   * Whether a gain since the last change was used on the day of this reading. A counter that was set did not count what it now
   * says; and what it counted between one day's last reading and another's first belongs to no day for sure.
   */
  #isUsed(gain: number, memory: EnergyMemory, {date}: EnergyReading): boolean {
    const elapsed = Math.abs(date.getTime() - memory.moved) // the clock may have been set back since
    const carried = (MOST_WATTS * elapsed) / WATT_MS_PER_KWH
    return (
      gain > 0 &&
      memory.day === dayAt(date, memory).day &&
      gain <= carried + LATE_STEPS * (this.#options.step ?? 0)
    )
  }

  /** Counters that stay where they are, or hardly move, are known of several models (docs/protocol.md §3.3). */
  #watch(used: number, ms: number, reading: EnergyReading): boolean {
    const {step = 0} = this.#options
    const watched = this.#watched
    this.#watched = {...watched, used: watched.used + used, ms: watched.ms + (used > 0 ? ms : 0)}
    const enough = this.#watched.used >= Math.max(STUCK_KWH, STUCK_STEPS * step)
    if (!enough || this.#watched.ms < STUCK_MS) return false
    const isStuck = this.#watched.counted < this.#watched.used * STUCK_SHARE
    this.#watched = nothingWatched
    if (!isStuck) return false
    this.#memory = {...(this.#memory ?? begun(0, reading)), stuck: true}
    return true
  }

  /** Another object only when something in it is another. */
  #become(total: number, gain: number, memory: EnergyMemory, {date}: EnergyReading): void {
    const now = dayAt(date, memory)
    if (total === memory.total && now.day === memory.day) return
    const today = now.today + gain
    const moved = total === memory.total ? memory.moved : date.getTime()
    this.#memory = {...memory, ...now, total, today: exact(today), moved}
  }
}

function begun(total: number, {date}: EnergyReading): EnergyMemory {
  return {total, today: 0, day: dayOf(date), moved: date.getTime()}
}

/** What there is to show of a memory: 0 of a day that has begun since. */
export function todayOf(memory: EnergyMemory, date: Date): number {
  return dayAt(date, memory).today
}

interface Day {
  day: string
  today: number
  earlier?: EnergyMemory['earlier']
}

/**
 * The day that it is, and what was used on it so far. A clock that cannot be right begins none, and one that goes back to an
 * earlier day was wrong since: what was used meanwhile was used on that day.
 */
function dayAt(date: Date, {day, today, earlier}: EnergyMemory): Day {
  const now = dayOf(date)
  if (now === day || !isPlausibleDate(date)) return {day, today, earlier}
  if (!isPlausibleDate(new Date(`${day}T12:00`))) return {day: now, today, earlier}
  const days = [[day, today] as const, ...Object.entries(earlier ?? {})]
  const since = days.findIndex(([one]) => one === now)
  if (since < 0) return {day: now, today: 0, earlier: latest(days)}
  const used = days.slice(0, since + 1).reduce((sum, [, kilowattHours]) => sum + kilowattHours, 0)
  return {day: now, today: exact(used), earlier: latest(days.slice(since + 1))}
}

/** Days without any use need not be known again. */
function latest(days: readonly (readonly [string, number])[]): EnergyMemory['earlier'] {
  const used = days.filter(([, kilowattHours]) => kilowattHours > 0).slice(0, DAYS_KEPT)
  return used.length > 0 ? Object.fromEntries(used) : undefined
}

/** A day ends when it does on the wall. */
function dayOf(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** Without the dust of binary fractions. */
function exact(kilowattHours: number): number {
  return Number(kilowattHours.toFixed(9))
}
