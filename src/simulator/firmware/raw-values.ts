/**
 * Converts the values of a simulated plug to those of its firmware, and back: the opposite of src/device/codec/values.ts. It shares no
 * code with that file, so that a mistake there shows in a test.
 */
import type {Property, RawValue, Value} from '../../models/model.ts'
import type {FirmwareProfile} from './firmware-profile.ts'

/** A value as the firmware sends it. */
export function toRaw(property: Property, value: Value, profile: FirmwareProfile): RawValue {
  if (value === null) return null
  switch (property.kind) {
    case 'switch': {
      const isOldRelay = property.deviceClass === 'outlet' && profile.generation === 'old'
      const form = profile.switching ?? (isOldRelay ? 'boolean' : property.raw)
      if (form === 'text') return value === 'ON' ? 'on' : 'off'
      return form === 'number' ? Number(value === 'ON') : value === 'ON'
    }
    case 'binary_sensor':
      return value === 'ON' ? (property.on?.[0] ?? true) : property.on ? 0 : false
    case 'sensor':
      return property.raw === 'number' && typeof value === 'number' ? inSteps(value, property) : value
    case 'number':
      return typeof value === 'number' ? inSteps(value, property) : value
    case 'select':
      return property.values.find(([, name]) => name === value)?.[0] ?? null
    case 'button':
      return null
  }
}

/** The value that the firmware reads from a written one; `undefined` for a value that the firmware refuses. */
export function fromRaw(property: Property, raw: unknown): Value | undefined {
  switch (property.kind) {
    case 'switch':
      return typeof raw === 'boolean' ? (raw ? 'ON' : 'OFF') : undefined
    case 'number': {
      if (typeof raw !== 'number') return undefined
      const value = raw * property.scale + (property.offset ?? 0)
      return value < property.min || value > property.max ? undefined : Number(value.toFixed(6))
    }
    case 'select':
      return property.values.find(([known]) => known === raw)?.[1]
    case 'sensor':
    case 'binary_sensor':
    case 'button':
      return undefined
  }
}

/** The value in a new plug: off, drawing nothing, at room temperature. `undefined` for a property that is not in the plug. */
export function initialValue(property: Property): Value | undefined {
  if (property.address.via === 'bridge' || property.address.via === 'info') return undefined
  switch (property.kind) {
    case 'switch':
    case 'binary_sensor':
      return 'OFF'
    case 'number':
      return property.min
    case 'select':
      return property.values[0]?.[1] ?? null
    case 'sensor':
      if (property.raw === 'text') return ''
      return property.deviceClass === 'temperature' ? 24 : property.deviceClass === 'voltage' ? 230 : 0
    case 'button':
      return undefined
  }
}

/** The firmware counts in steps of `scale`, with decimals only where `precision` is finer than one step. */
function inSteps(
  value: number,
  {scale, offset = 0, precision}: {scale: number; offset?: number; precision: number},
): number {
  const digits = Math.max(0, Math.round(precision + Math.log10(scale)))
  return Number(((value - offset) / scale).toFixed(digits))
}
