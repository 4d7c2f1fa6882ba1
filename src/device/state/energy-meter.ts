/**
 * Energy meter of one plug, in kWh: follows the plug's own counter, or adds up its watts where it has no counter, or one that is
 * stuck (docs/promises.md 18). Deterministic: time comes with the readings, and all that must outlast a restart is EnergyMemory.
 */
import {isPlausibleDate} from '../../common/clock.ts'

/** What is stored of a plug over restarts. */
export interface EnergyMemory {
  /** kWh: the last value of the plug's counter, or all that was added up. */
  total: number
  /** kWh of `day` alone. */
  today: number
  /** A day of the local calendar: `2026-01-31`. */
  day: string
  /** kWh of the last days before, newest first, for the case that the clock turns out to have been wrong. */
  earlier?: Readonly<Record<string, number>> | undefined
  /** When `total` last changed, milliseconds since 1970. */
  moved: number
  /** Whether the plug's own counter does not count. */
  stuck?: true | undefined
}

/** The readings of one poll, or of another read. */
export interface EnergyReading {
  /** `null`: requested, but not in the response. Left out: not requested. */
  watts?: number | null | undefined
  /** kWh of the plug's own counter; `null` and left out as for `watts`. */
  counter?: number | null | undefined
  /** Milliseconds of the monotonic clock. */
  now: number
  /** The time of day. */
  date: Date
}

export interface MeterOptions {
  /** kWh in one step of the plug's own counter; `undefined` when it has none. */
  counterStep: number | undefined
  /** Whether the user configured that this counter is right, even if it looks stuck. */
  isCounterTrusted: boolean
  /** Power readings further apart than this are not joined, milliseconds. */
  gap: number
}

export type EnergySource = 'plug' | 'integrated'

/** Watts are added up to whole Wh, as in a real meter: a smaller change is not worth a write to disk. */
const WH = 0.001
/** No plug carries more: a higher reading is a mistake. */
export const MOST_WATTS = 5000
const HOUR_MS = 3_600_000
const WATT_MS_PER_KWH = 1000 * HOUR_MS
/** A counter is stuck when it should have counted so much, over so long, and counted less than a tenth of it. */
const STUCK_KWH = 0.1
const STUCK_STEPS = 5
const STUCK_MS = HOUR_MS
const STUCK_SHARE = 0.1
/** A counter moves in steps, and may be so many steps late. */
const LATE_STEPS = 2

/** Enough to survive two wrong clock settings in a row. More days would only make the file longer. */
const DAYS_KEPT = 2

const NO_EVIDENCE = {used: 0, counted: 0, ms: 0}

/** Adds up the energy of one plug in kWh. It never decreases, unless the plug itself reports less in two polls in a row. */
export class EnergyMeter {
  /** What to store; `undefined` before the first reading. A new object after every change. */
  memory: EnergyMemory | undefined
  readonly #options: MeterOptions
  /** The last power reading. Another is joined to it until `joinedUntil`, in ms of the clock. */
  #watts: {value: number; at: number; joinedUntil: number; isDoubtful: boolean} | undefined
  /** kWh that are less than a whole Wh. */
  #remainder = 0
  /** The plug's counter when it was last requested. */
  #counter: number | null = null
  /** A counter reading that was lower than the one before: an error, or the first sign of a reset. */
  #lowerReading: number | undefined
  /** Since the last check for a stuck counter: kWh by watts, kWh by the counter, and ms in which power was used. */
  #stuckCheck = NO_EVIDENCE

  constructor(options: MeterOptions, remembered: EnergyMemory | undefined) {
    this.#options = options
    this.memory =
      remembered?.stuck && options.isCounterTrusted ? {...remembered, stuck: undefined} : remembered
  }

  get source(): EnergySource {
    return this.#options.counterStep === undefined || this.memory?.stuck ? 'integrated' : 'plug'
  }

  /** Whether the total is known now: the plug's counter was read, or the bridge adds up itself. */
  get isTotalKnown(): boolean {
    return this.source === 'integrated' || this.#counter !== null
  }

  /** The next reading comes so many milliseconds later, since the bridge left polls out. */
  pollPostponed(ms: number): void {
    if (this.#watts && !this.#watts.isDoubtful) this.#watts.joinedUntil += ms
  }

  /** The plug may have been without power: polls that were left out do not make the time longer for which power is assumed. */
  pollFailed(): void {
    if (!this.#watts) return
    this.#watts.joinedUntil = this.#watts.at + this.#options.gap
    this.#watts.isDoubtful = true
  }

  /** Takes the readings of a poll. @returns whether the plug's counter was found to be stuck just now */
  read(reading: EnergyReading): boolean {
    const use = this.#use(reading)
    if (this.source === 'integrated') {
      this.#add(use.used, reading)
      return false
    }
    this.#follow(reading)
    return !this.#options.isCounterTrusted && this.#isStuck(use, reading)
  }

  /** The energy since the last power reading, as a trapezoid: nothing where that was too long ago, or one of both readings is unknown. */
  #use({watts, now}: EnergyReading): {used: number; ms: number} {
    if (watts === undefined) return {used: 0, ms: 0}
    const before = this.#watts
    const isValid = watts !== null && watts >= 0 && watts <= MOST_WATTS
    const joinedUntil = now + this.#options.gap
    this.#watts = isValid ? {value: watts, at: now, joinedUntil, isDoubtful: false} : undefined
    if (!before || !isValid || now > before.joinedUntil) return {used: 0, ms: 0}
    const ms = now - before.at
    return {used: (((before.value + watts) / 2) * ms) / WATT_MS_PER_KWH, ms}
  }

  #add(used: number, reading: EnergyReading): void {
    this.#remainder += used
    const gain = Math.floor(this.#remainder / WH) * WH
    this.#remainder -= gain
    if (this.memory) this.#update(exact(this.memory.total + gain), gain, this.memory, reading)
    else if (this.#watts) this.memory = firstMemory(0, reading)
  }

  #follow(reading: EnergyReading): void {
    const {counter} = reading
    if (counter === undefined) return
    this.#counter = counter !== null && counter >= 0 ? counter : null
    if (this.#counter === null) this.#lowerReading = undefined
    else if (this.memory) this.#compare(this.#counter, this.memory, reading)
    else this.memory = firstMemory(this.#counter, reading)
  }

  /** A counter that is lower once is wrong once. Lower twice in a row, and counting from there, it was reset (docs/promises.md 18). */
  #compare(counter: number, memory: EnergyMemory, reading: EnergyReading): void {
    const gain = counter - memory.total
    const isReset = this.#lowerReading !== undefined && counter >= this.#lowerReading
    this.#lowerReading = gain < 0 && !isReset ? counter : undefined
    if (this.#lowerReading !== undefined) return
    if (gain > 0) this.#stuckCheck = {...this.#stuckCheck, counted: this.#stuckCheck.counted + gain}
    this.#update(counter, this.#isUsedToday(gain, memory, reading) ? gain : 0, memory, reading)
  }

  /**
   * Whether a gain since the last change was used on the day of this reading. A counter that was set has not counted its new value,
   * and what it counted between the last reading of one day and the first of another belongs to no day for certain.
   */
  #isUsedToday(gain: number, memory: EnergyMemory, {date}: EnergyReading): boolean {
    const elapsed = Math.abs(date.getTime() - memory.moved) // the clock may have been set back since
    const carried = (MOST_WATTS * elapsed) / WATT_MS_PER_KWH
    return (
      gain > 0 &&
      memory.day === dayAt(date, memory).day &&
      gain <= carried + LATE_STEPS * (this.#options.counterStep ?? 0)
    )
  }

  /** Counters that do not move, or hardly move, are known of several models (docs/protocol.md §3.3). @returns whether this one is stuck */
  #isStuck(use: {used: number; ms: number}, reading: EnergyReading): boolean {
    const {counterStep = 0} = this.#options
    const used = this.#stuckCheck.used + use.used
    const ms = this.#stuckCheck.ms + (use.used > 0 ? use.ms : 0)
    const {counted} = this.#stuckCheck
    this.#stuckCheck = {used, ms, counted}
    if (used < Math.max(STUCK_KWH, STUCK_STEPS * counterStep) || ms < STUCK_MS) return false
    this.#stuckCheck = NO_EVIDENCE
    if (counted >= used * STUCK_SHARE) return false
    this.memory = {...(this.memory ?? firstMemory(0, reading)), stuck: true}
    return true
  }

  /** Makes a new memory, but only if something in it changes. */
  #update(total: number, gain: number, memory: EnergyMemory, {date}: EnergyReading): void {
    const now = dayAt(date, memory)
    if (total === memory.total && now.day === memory.day) return
    const today = now.today + gain
    const moved = total === memory.total ? memory.moved : date.getTime()
    this.memory = {...memory, ...now, total, today: exact(today), moved}
  }
}

function firstMemory(total: number, {date}: EnergyReading): EnergyMemory {
  return {total, today: 0, day: dayOf(date), moved: date.getTime()}
}

/** The energy of the day of `date`: 0 of a day that has begun since. */
export function todayOf(memory: EnergyMemory, date: Date): number {
  return dayAt(date, memory).today
}

interface Day {
  day: string
  today: number
  earlier?: EnergyMemory['earlier']
}

/**
 * The day of `date`, and what was used on it so far. An implausible clock begins no new day. A clock that goes back to an earlier day
 * was wrong since: what was used meanwhile was used on that day.
 */
function dayAt(date: Date, {day, today, earlier}: EnergyMemory): Day {
  const now = dayOf(date)
  if (now === day || !isPlausibleDate(date)) return {day, today, earlier}
  if (!isPlausibleDate(new Date(`${day}T12:00`))) return {day: now, today, earlier}
  const days = [[day, today] as const, ...Object.entries(earlier ?? {})]
  const since = days.findIndex(([other]) => other === now)
  if (since < 0) return {day: now, today: 0, earlier: lastDays(days)}
  const used = days.slice(0, since + 1).reduce((sum, [, kilowattHours]) => sum + kilowattHours, 0)
  return {day: now, today: exact(used), earlier: lastDays(days.slice(since + 1))}
}

/** The days to keep: those with any use. */
function lastDays(days: readonly (readonly [string, number])[]): EnergyMemory['earlier'] {
  const used = days.filter(([, kilowattHours]) => kilowattHours > 0).slice(0, DAYS_KEPT)
  return used.length > 0 ? Object.fromEntries(used) : undefined
}

/** The day that was asked for last: every plug asks at each poll, and keeps the text. */
let latest = {year: 0, month: 0, day: 0, text: ''}

/** The day of the local calendar: `2026-01-31`. */
function dayOf(date: Date): string {
  const [year, month, day] = [date.getFullYear(), date.getMonth() + 1, date.getDate()]
  if (day !== latest.day || month !== latest.month || year !== latest.year) {
    const two = (number: number) => String(number).padStart(2, '0')
    latest = {year, month, day, text: `${year}-${two(month)}-${two(day)}`}
  }
  return latest.text
}

/** Removes the rounding error of binary fractions. */
function exact(kilowattHours: number): number {
  return Number(kilowattHours.toFixed(9))
}
