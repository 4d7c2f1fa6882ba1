/** Between what a simulated plug is worth and what its firmware says: the other side of device/values.ts, written on its own. */
import type {Property, RawValue, Value} from '../../models/model.ts'
import type {FirmwareProfile} from './firmware-profile.ts'

/** A value as the firmware tells it. */
export function toRaw(property: Property, value: Value, habits: FirmwareProfile): RawValue {
  if (value === null) return null
  switch (property.kind) {
    case 'switch': {
      const isOldRelay = property.deviceClass === 'outlet' && habits.mood === 'old'
      return switched(value === 'ON', habits.switching ?? (isOldRelay ? 'boolean' : property.raw))
    }
    case 'binary_sensor':
      return value === 'ON' ? (property.on?.[0] ?? true) : property.on ? 0 : false
    case 'sensor':
      return property.raw === 'number' && typeof value === 'number' ? inSteps(value, property) : value
    case 'number':
      return typeof value === 'number' ? inSteps(value, property) : value
    case 'select':
      return property.values.find(([, word]) => word === value)?.[0] ?? null
    case 'button':
      return null
  }
}

function switched(on: boolean, switching: NonNullable<FirmwareProfile['switching']>): RawValue {
  if (switching === 'text') return on ? 'on' : 'off'
  return switching === 'number' ? Number(on) : on
}

/** What the firmware takes a written value for; `undefined` when it makes no sense to it. */
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
    default:
      return undefined
  }
}

/** A plug fresh out of its box: off, drawing nothing, as warm as the room. `undefined`: nothing the plug knows of. */
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

/** The firmware counts in steps of `scale`, with a point only where it can tell more than whole steps. */
function inSteps(
  value: number,
  {scale, offset = 0, precision}: {scale: number; offset?: number; precision: number},
): number {
  const digits = Math.max(0, Math.round(precision + Math.log10(scale)))
  return Number(((value - offset) / scale).toFixed(digits))
}
