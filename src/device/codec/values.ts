/** Converts values between the firmware and properties. Pure. */
import type {Property, RawValue, ScaledProperty, Value} from '../../models/model.ts'

/** Values by property. */
export type State = Record<string, Value>
/** What a command asks for: a value, or `TOGGLE` for the opposite of the current `ON` or `OFF`. */
export type CommandValue = Value | 'TOGGLE'

export type NumberProperty = Extract<Property, {kind: 'number'}>

/** A longer text from a plug is a mistake: no schedule or name is as long. */
const LONGEST_TEXT = 255

/**
 * The firmware's value in the property's own unit. An unexpected value becomes `null`: what is not on need not be off.
 * On/off changed between text and boolean from one firmware to the next (docs/protocol.md §3.1, v3), so both are read everywhere.
 */
export function fromFirmware(property: Property, raw: unknown): Value {
  switch (property.kind) {
    case 'switch':
      return onOrOff(raw)
    case 'binary_sensor':
      return property.on ? faultState(property.on, raw) : onOrOff(raw)
    case 'sensor':
      if (property.raw === 'number') return scaled(property, raw)
      return typeof raw === 'string' && isUsable(raw) ? wellFormed(raw) : null
    case 'number':
      return scaled(property, raw)
    case 'select':
      return property.values.find(([known]) => known === raw)?.[1] ?? null
    case 'button':
      return null
  }
}

/** Empty text is no value: Home Assistant would show a blank, and as a retained payload of its own it would clear the topic. */
function isUsable(text: string): boolean {
  return text.trim() !== '' && text.length <= LONGEST_TEXT
}

/** The text with U+FFFD in place of each lone surrogate, which UTF-8 cannot encode. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd')
}

/** The value of a writable property as the firmware wants it. */
export function toFirmware(property: Property, value: Value): RawValue {
  switch (property.kind) {
    case 'switch':
      if (property.raw === 'boolean') return value === 'ON'
      return value === 'ON' ? 'on' : 'off'
    case 'number':
      return rawNumber(property, Number(value))
    case 'select':
      return property.values.find(([, word]) => word === value)?.[0] ?? null
    case 'button':
    case 'sensor':
    case 'binary_sensor':
      return value
  }
}

/** The value that is read back after `value` was written: the firmware may count in larger steps, or have one value for two words. */
export function roundTrip(property: Property, value: Value): Value {
  return fromFirmware(property, toFirmware(property, value))
}

/** The limits and step of the values that a number can really have, in its unit: those of the firmware where its steps are larger. */
export function settable(property: NumberProperty): Pick<NumberProperty, 'min' | 'max' | 'step'> {
  const {min, max, scale, step} = property
  if (Math.abs(scale) <= step) {
    const last = nearestStep(property, max)
    return {min, max: Math.max(last, Number(roundTrip(property, last))), step} // an offset may lie between the steps
  }
  const [least, most] = [min, max].map((limit) => Number(roundTrip(property, limit)))
  return {min: least ?? min, max: most ?? max, step: Math.abs(scale)}
}

/** Whether a command can set the property. */
export function isWritable(property: Property): boolean {
  const {address, kind} = property
  if (kind === 'sensor' || kind === 'binary_sensor') return false
  return address.via === 'miot' || address.via === 'action' || ('write' in address && !!address.write)
}

/** At most 40 characters of an unexpected value, for an error message. Anything that looks like a token is masked. */
export function excerpt(value: unknown): string {
  const text = (JSON.stringify(value) ?? String(value)).replace(/[0-9a-f]{16,}/gi, '***')
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}

function onOrOff(raw: unknown): Value {
  if (raw === true || raw === 1 || (typeof raw === 'string' && raw.toLowerCase() === 'on')) return 'ON'
  if (raw === false || raw === 0 || (typeof raw === 'string' && raw.toLowerCase() === 'off')) return 'OFF'
  return null
}

/** A fault sensor is on for the listed codes. Any other number is another fault. */
function faultState(on: readonly RawValue[], raw: unknown): Value {
  if (on.some((known) => known === raw)) return 'ON'
  return typeof raw === 'number' || typeof raw === 'boolean' ? 'OFF' : null
}

function scaled({scale, offset = 0, precision}: ScaledProperty, raw: unknown): Value {
  if (typeof raw !== 'number' || !Number.isFinite(raw)) return null
  return Number((raw * scale + offset).toFixed(precision + 3))
}

/** The step nearest to `number`. Steps begin at the least value (MIoT value-range, Home Assistant number), and the last may be before `max`. */
export function nearestStep({min, max, step}: NumberProperty, number: number): number {
  const steps = Math.floor(exactly((max - min) / step))
  return exactly(min + Math.min(Math.round(exactly((number - min) / step)), steps) * step)
}

/** The firmware's value nearest to `number`: a whole number within the limits. */
function rawNumber(property: NumberProperty, number: number): number {
  const {scale, offset = 0} = property
  const [least, most] = rawLimits(property)
  return Math.max(least, Math.min(most, Math.round(exactly((number - offset) / scale)))) + 0 // no -0
}

/** The least and the greatest whole number that may be written to the firmware. */
export function rawLimits({min, max, scale, offset = 0}: NumberProperty): readonly [number, number] {
  const ends = [min, max].map((limit) => exactly((limit - offset) / scale))
  return [Math.ceil(Math.min(...ends)), Math.floor(Math.max(...ends))]
}

/** Removes the rounding error of binary fractions: 0.3 / 0.1 is 3, not 2.9999999999999996. */
function exactly(number: number): number {
  return Number(number.toPrecision(12))
}
