/** Converts values between users, firmware and properties, and validates what users send. Pure. */
import type {Property, RawValue, ScaledProperty, Value} from '../../models/model.ts'
import {CommandError} from '../command-error.ts'

/** Values by property. */
export type State = Record<string, Value>
/** What a command asks for: a value, or `TOGGLE` for the opposite of the current `ON` or `OFF`. */
export type CommandValue = Value | 'TOGGLE'

type NumberProperty = Extract<Property, {kind: 'number'}>

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
      return property.on ? onForListed(property.on, raw) : onOrOff(raw)
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
export function asWritten(property: Property, value: Value): Value {
  return fromFirmware(property, toFirmware(property, value))
}

/** The limits and step of the values that a number can really have, in its unit: those of the firmware where its steps are larger. */
export function settable(property: NumberProperty): Pick<NumberProperty, 'min' | 'max' | 'step'> {
  const {min, max, scale, step} = property
  if (Math.abs(scale) <= step) {
    const last = onStep(property, max)
    return {min, max: Math.max(last, Number(asWritten(property, last))), step} // an offset may lie between the steps
  }
  const [least, most] = [min, max].map((limit) => Number(asWritten(property, limit)))
  return {min: least ?? min, max: most ?? max, step: Math.abs(scale)}
}

/**
 * Validates what a user, Home Assistant or a flow sent, and converts it to a value of this property.
 * @throws CommandError `not_writable`, `out_of_range`, or `invalid_payload` naming what was expected
 */
export function fromUser(name: string, property: Property, sent: unknown): CommandValue {
  if (!isWritable(property)) throw readOnly(name)
  switch (property.kind) {
    case 'switch':
      return switchedFrom(name, sent)
    case 'number':
      return numberFrom(name, property, sent)
    case 'select':
      return wordFrom(name, property, sent)
    case 'button':
      return null
    case 'sensor':
    case 'binary_sensor':
      throw readOnly(name)
  }
}

function readOnly(name: string): CommandError {
  return new CommandError('not_writable', `${name} can only be read`)
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
function onForListed(on: readonly RawValue[], raw: unknown): Value {
  if (on.some((known) => known === raw)) return 'ON'
  return typeof raw === 'number' || typeof raw === 'boolean' ? 'OFF' : null
}

function scaled({scale, offset = 0, precision}: ScaledProperty, raw: unknown): Value {
  if (typeof raw !== 'number' || !Number.isFinite(raw)) return null
  return Number((raw * scale + offset).toFixed(precision + 3))
}

function switchedFrom(name: string, sent: unknown): CommandValue {
  const word = typeof sent === 'string' ? sent.trim().toUpperCase() : sent
  if (word === 'ON' || word === true || word === 1 || word === 'TRUE' || word === '1') return 'ON'
  if (word === 'OFF' || word === false || word === 0 || word === 'FALSE' || word === '0') return 'OFF'
  if (word === 'TOGGLE') return 'TOGGLE'
  throw new CommandError('invalid_payload', `${name}: expected ON, OFF or TOGGLE, got ${excerpt(sent)}`)
}

function numberFrom(name: string, property: NumberProperty, sent: unknown): number {
  const {min, max, unit} = property
  const number = typeof sent === 'string' && sent.trim() !== '' ? Number(sent) : sent
  if (typeof number !== 'number' || !Number.isFinite(number))
    throw new CommandError('invalid_payload', `${name}: expected a number of ${unit}, got ${excerpt(sent)}`)
  if (number < min || number > max)
    throw new CommandError('out_of_range', `${name}: expected ${min} to ${max} ${unit}, got ${number}`)
  const [least, most] = rawLimits(property)
  if (least > most)
    throw new CommandError(
      'out_of_range',
      `${name}: the firmware has no value from ${min} to ${max} ${unit}: are scale and limits of its definition right?`,
    )
  return onStep(property, number)
}

/** The step nearest to `number`. Steps begin at the least value (MIoT value-range, Home Assistant number), and the last may be before `max`. */
function onStep({min, max, step}: NumberProperty, number: number): number {
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
function rawLimits({min, max, scale, offset = 0}: NumberProperty): readonly [number, number] {
  const ends = [min, max].map((limit) => exactly((limit - offset) / scale))
  return [Math.ceil(Math.min(...ends)), Math.floor(Math.max(...ends))]
}

/** Removes the rounding error of binary fractions: 0.3 / 0.1 is 3, not 2.9999999999999996. */
function exactly(number: number): number {
  return Number(number.toPrecision(12))
}

function wordFrom(name: string, {values}: Extract<Property, {kind: 'select'}>, sent: unknown): string {
  const wanted = typeof sent === 'string' ? sent.trim().toLowerCase() : sent
  const word = values.map(([, known]) => known).find((known) => known.toLowerCase() === wanted)
  if (word !== undefined) return word
  const words = values.map(([, known]) => known).join(', ')
  throw new CommandError('invalid_payload', `${name}: expected one of ${words}, got ${excerpt(sent)}`)
}
