/**
 * Plausibility checks: finds values that cannot be true, because of a wrong scale or wrong firmware. They are shown unchanged and
 * reported, never corrected silently (cases by model: docs/protocol.md §3).
 */
import type {Model, Value} from '../../models/model.ts'
import {excerpt, type State} from '../codec/values.ts'
import {MOST_WATTS} from './energy-meter.ts'

/** A value that cannot be true, as it was when it was flagged. */
export interface ImplausibleValue {
  property: string
  value: Value
  /** The firmware's value, before it was scaled. */
  raw: unknown
  /** The reason, as the end of a sentence. */
  why: string
}

/**
 * Why a value cannot be true: `false` when it can, `undefined` when this cannot be decided. Only values that were read together are
 * compared: watts of now and volts of a minute ago prove nothing.
 */
type Rule = (values: State, model: Model, property: string) => string | false | undefined

interface FlagState {
  /** In how many polls in a row the value was implausible. */
  polls: number
  flagged: ImplausibleValue | undefined
  /** A value is reported once until the next start. */
  isReported: boolean
}

const LEAST_VOLTS = 80
const MOST_VOLTS = 280
/** Apparent power is never less than real power, but meters are cheap. */
const TOLERANCE = 1.5
const TOLERANCE_WATTS = 5
/** Below this, a current is too small for its own steps. */
const LEAST_AMPERES = 0.02
/** Power that the plug itself needs, plus the error of its meter at zero. */
const IDLE_WATTS = 3
/** An implausible value in one poll may belong to a moment between two states; in two polls in a row it does not. */
const POLLS_UNTIL_FLAGGED = 2

const VOLTAGE_RULES: readonly Rule[] = [volts]
const POWER_RULES: readonly Rule[] = [moreThanAnyPlug, moreThanVoltsTimesAmperes, whileOff]
const NO_RULES: readonly Rule[] = []
const NOTHING: readonly ImplausibleValue[] = []

/** Watches the values of one plug, and reports those that cannot be true. */
export class Plausibility {
  readonly #model: Model
  /** By rule and property. Most plugs have no implausible value: they need no map. */
  #states: Map<string, FlagState> | undefined

  constructor(model: Model) {
    this.#model = model
  }

  /** The values that are implausible now. */
  get flagged(): readonly ImplausibleValue[] {
    return [...(this.#states?.values() ?? [])].flatMap(({flagged}) => flagged ?? [])
  }

  /**
   * Checks the values of one poll.
   * @returns the values to report for the first time, and whether `flagged` is another than before
   */
  check(
    values: State,
    raw: Readonly<Record<string, unknown>>,
  ): {found: readonly ImplausibleValue[]; isChanged: boolean} {
    let found = NOTHING
    let isChanged = false
    for (const property of Object.keys(values))
      for (const rule of rulesFor(property, this.#model)) {
        const why = rule(values, this.#model, property)
        if (why === undefined || (why === false && !this.#states)) continue
        const entry = this.#entry(`${rule.name} ${property}`)
        const wasFlagged = entry.flagged !== undefined
        entry.polls = why === false ? 0 : entry.polls + 1
        if (why === false) entry.flagged = undefined
        else if (entry.polls >= POLLS_UNTIL_FLAGGED && !wasFlagged) {
          entry.flagged = {property, value: values[property] ?? null, raw: raw[property] ?? null, why}
          if (!entry.isReported) found = [...found, entry.flagged]
          entry.isReported = true
        }
        isChanged ||= wasFlagged !== (entry.flagged !== undefined)
      }
    return {found, isChanged}
  }

  #entry(key: string): FlagState {
    this.#states ??= new Map()
    const entry = this.#states.get(key) ?? {polls: 0, flagged: undefined, isReported: false}
    this.#states.set(key, entry)
    return entry
  }
}

/** The warning about the plug `device`, to follow its name and address. */
export function implausibleWarning(device: string, {property, value, raw, why}: ImplausibleValue): string {
  const override = `devices.${device}.properties.${property}.scale`
  return `${property} ${value} (raw ${excerpt(raw)}) cannot be right: ${why}; it is published unchanged. If its scale is wrong, set ${override}`
}

function rulesFor(property: string, {properties}: Model): readonly Rule[] {
  if (property === 'power') return POWER_RULES
  const definition = properties[property]
  const isVoltage = definition && 'deviceClass' in definition && definition.deviceClass === 'voltage'
  return isVoltage ? VOLTAGE_RULES : NO_RULES
}

function volts(values: State, _model: Model, property: string): string | false | undefined {
  const value = values[property]
  if (typeof value !== 'number') return undefined
  const isMains = value >= LEAST_VOLTS && value <= MOST_VOLTS
  return !isMains && `mains has ${LEAST_VOLTS} to ${MOST_VOLTS} V`
}

function moreThanAnyPlug({power}: State): string | false | undefined {
  if (typeof power !== 'number') return undefined
  return power > MOST_WATTS && `no plug carries more than ${MOST_WATTS} W`
}

function moreThanVoltsTimesAmperes(
  {power, voltage, current}: State,
  model: Model,
): string | false | undefined {
  if (typeof power !== 'number' || typeof voltage !== 'number' || typeof current !== 'number')
    return undefined
  const amperes = unitOf(model, 'current') === 'mA' ? current / 1000 : current
  if (amperes < LEAST_AMPERES) return undefined
  const isTooMuch = power > TOLERANCE * voltage * amperes + TOLERANCE_WATTS
  return isTooMuch && `${voltage} V × ${amperes} A are ${Math.round(voltage * amperes)} W`
}

/** Power although everything is off: relay, single sockets and USB ports. */
function whileOff(values: State, model: Model): string | false | undefined {
  const {power, state} = values
  if (typeof power !== 'number' || typeof state !== 'string') return undefined
  return power > IDLE_WATTS && state !== 'ON' && !isFed(values, model) && 'it is switched off'
}

function isFed(values: State, {properties}: Model): boolean {
  return Object.entries(properties).some(([name, property]) => {
    const feeds = property.kind === 'switch' && (property.deviceClass === 'outlet' || name.startsWith('usb'))
    return feeds && values[name] !== 'OFF'
  })
}

function unitOf(model: Model, name: string): string | undefined {
  const property = model.properties[name]
  return property && 'unit' in property ? property.unit : undefined
}
