/**
 * Values that cannot be true: a wrong scale, or firmware that makes things up. They are shown as they are and pointed out, never
 * corrected in silence (what went wrong where: docs/protocol.md §3).
 */
import type {Model, Value} from '../../models/model.ts'
import {excerpt, type State} from '../codec/values.ts'
import {MOST_WATTS} from './energy-meter.ts'

/** A value that cannot be true, as it was when that was found. */
export interface ImplausibleValue {
  property: string
  value: Value
  /** What the firmware said. */
  raw: unknown
  why: string
}

/** What a rule says of a value: why it cannot be true, or `undefined` when it can. */
interface Verdict {
  property: string
  why: string | undefined
}

/** Judges only what was told together: watts of now and volts of a minute ago prove nothing. */
type Rule = (model: Model, told: State) => Verdict[]

interface Case {
  /** In how many polls in a row. */
  doubts: number
  flagged: ImplausibleValue | undefined
  /** What was said once is not said again before the next start. */
  isSaid: boolean
}

const LEAST_VOLTS = 80
const MOST_VOLTS = 280
/** Apparent power is never less than real power, but meters are cheap. */
const TOLERANCE = 1.5
const TOLERANCE_WATTS = 5
/** Below this, a current is too small for its own steps. */
const LEAST_AMPERES = 0.02
/** What the plug itself needs, and its meter's zero. */
const IDLE_WATTS = 3
/** Once may be a moment between two states; in two polls in a row it is not. */
const POLLS = 2

const rules: readonly Rule[] = [volts, moreThanAnyPlug, moreThanVoltsTimesAmperes, whileOff]

export class Plausibility {
  readonly #model: Model
  /** By rule and property. Most plugs are never doubted: they need no map. */
  #cases: Map<string, Case> | undefined

  constructor(model: Model) {
    this.#model = model
  }

  /** What is not believed now. */
  get flagged(): readonly ImplausibleValue[] {
    return [...(this.#cases?.values() ?? [])].flatMap(({flagged}) => flagged ?? [])
  }

  /**
   * Looks at what one poll told.
   * @returns what to tell a person for the first time, and whether `flagged` is another than before
   */
  judge(told: State, raw: Readonly<Record<string, unknown>>): {news: ImplausibleValue[]; changed: boolean} {
    const news: ImplausibleValue[] = []
    let changed = false
    for (const [index, rule] of rules.entries())
      for (const {property, why} of rule(this.#model, told)) {
        const doubted = this.#caseOf(`${index} ${property}`, why !== undefined)
        if (!doubted) continue
        const wasFlagged = doubted.flagged !== undefined
        doubted.doubts = why === undefined ? 0 : doubted.doubts + 1
        if (why === undefined) doubted.flagged = undefined
        else if (doubted.doubts >= POLLS && !wasFlagged) {
          doubted.flagged = {property, value: told[property] ?? null, raw: raw[property] ?? null, why}
          if (!doubted.isSaid) news.push(doubted.flagged)
          doubted.isSaid = true
        }
        changed ||= wasFlagged !== (doubted.flagged !== undefined)
      }
    return {news, changed}
  }

  #caseOf(key: string, isNew: boolean): Case | undefined {
    const known = this.#cases?.get(key)
    if (known || !isNew) return known
    const opened: Case = {doubts: 0, flagged: undefined, isSaid: false}
    this.#cases ??= new Map()
    this.#cases.set(key, opened)
    return opened
  }
}

/** A sentence about the plug `device`, without its subject. */
export function implausibleWarning(device: string, {property, value, raw, why}: ImplausibleValue): string {
  const override = `devices.${device}.properties.${property}.scale`
  return `says that ${property} is ${value} (raw ${excerpt(raw)}), but ${why}; it is shown as it is. If its scale is wrong, set ${override}`
}

function volts(model: Model, told: State): Verdict[] {
  return Object.entries(told).flatMap(([property, value]) => {
    const described = model.properties[property]
    const isVoltage = described && 'deviceClass' in described && described.deviceClass === 'voltage'
    if (!isVoltage || typeof value !== 'number') return []
    const isMains = value >= LEAST_VOLTS && value <= MOST_VOLTS
    return [{property, why: isMains ? undefined : `mains has ${LEAST_VOLTS} to ${MOST_VOLTS} V`}]
  })
}

function moreThanAnyPlug(_model: Model, {power}: State): Verdict[] {
  if (typeof power !== 'number') return []
  return [
    {property: 'power', why: power > MOST_WATTS ? `no plug carries more than ${MOST_WATTS} W` : undefined},
  ]
}

function moreThanVoltsTimesAmperes(model: Model, {power, voltage, current}: State): Verdict[] {
  if (typeof power !== 'number' || typeof voltage !== 'number' || typeof current !== 'number') return []
  const amperes = unitOf(model, 'current') === 'mA' ? current / 1000 : current
  if (amperes < LEAST_AMPERES) return []
  const isTooMuch = power > TOLERANCE * voltage * amperes + TOLERANCE_WATTS
  const product = `${voltage} V × ${amperes} A are ${Math.round(voltage * amperes)} W`
  return [{property: 'power', why: isTooMuch ? product : undefined}]
}

/** Nothing that the plug feeds is on: neither its relay nor a single socket or USB port. */
function whileOff(model: Model, told: State): Verdict[] {
  const {power, state} = told
  if (typeof power !== 'number' || typeof state !== 'string') return []
  const isFed = Object.entries(model.properties).some(([name, property]) => {
    const feeds = property.kind === 'switch' && (property.deviceClass === 'outlet' || name.startsWith('usb'))
    return feeds && told[name] !== 'OFF'
  })
  return [{property: 'power', why: power > IDLE_WATTS && !isFed ? 'it is switched off' : undefined}]
}

function unitOf(model: Model, name: string): string | undefined {
  const property = model.properties[name]
  return property && 'unit' in property ? property.unit : undefined
}
