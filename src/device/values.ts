/** Between the values people use, the values the firmware uses, and the values a property may have. */
import type {Property, Value} from '../models/model.ts'
import {CommandError} from './errors.ts'

export type State = Record<string, Value>
/** What somebody asks for: a value, or the other of `ON` and `OFF`, whichever the plug then is not. */
export type Wanted = Value | 'TOGGLE'

/**
 * The firmware's value in the property's own unit. What is not understood is `null`: not on is not off, and no answer is not 0.
 * On/off changed between text and boolean from one firmware to the next (docs/protocol.md §3.1, v3), so both are read everywhere.
 */
export function fromFirmware(property: Property, raw: unknown): Value {
  switch (property.kind) {
    case 'switch':
      if (raw === true || raw === 1 || (typeof raw === 'string' && raw.toLowerCase() === 'on')) return 'ON'
      if (raw === false || raw === 0 || (typeof raw === 'string' && raw.toLowerCase() === 'off')) return 'OFF'
      return null
    case 'sensor':
      return typeof raw === 'number' && Number.isFinite(raw)
        ? Number((raw * property.scale).toFixed(property.precision + 3))
        : null
  }
}

/**
 * What a person, Home Assistant or a flow sent, as a value of this property.
 * @throws CommandError `not_writable`, or `invalid_payload` naming what was expected
 */
export function fromUser(name: string, property: Property, sent: unknown): Wanted {
  if (!isWritable(property)) throw new CommandError('not_writable', `${name} can only be read`)
  const word = typeof sent === 'string' ? sent.trim().toUpperCase() : sent
  if (word === 'ON' || word === true || word === 1 || word === 'TRUE' || word === '1') return 'ON'
  if (word === 'OFF' || word === false || word === 0 || word === 'FALSE' || word === '0') return 'OFF'
  if (word === 'TOGGLE') return 'TOGGLE'
  throw new CommandError('invalid_payload', `${name}: expected ON, OFF or TOGGLE, got ${excerpt(sent)}`)
}

export function isWritable(property: Property): boolean {
  return property.address.via === 'get_prop' && property.address.write !== undefined
}

/** At most 40 characters of something unexpected, for an error message. */
export function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}
