/** Readings that move as they would at home, for demos. */
import type {Random} from '../clock.ts'
import type {Model, Value} from '../models/model.ts'

/** A plug of this kind is rated for no more. */
const MOST_WATTS = 2200
const ROOM_CELSIUS = 24

interface Drifting {
  readonly model: Model
  readonly state: Record<string, Value>
}

/**
 * Moves the watts and the temperature of a plug one small step on. Watts wander while the relay is on, beginning as some appliance
 * from a phone charger to a kettle, and are 0 while it is off; the temperature follows them slowly.
 */
export function drift({model, state}: Drifting, random: Random): void {
  const isOn = state['state'] === 'ON'
  for (const [name, property] of Object.entries(model.properties)) {
    if (property.kind !== 'sensor') continue
    const value = Number(state[name] ?? 0)
    if (property.deviceClass === 'power') state[name] = isOn ? nextWatts(value, random) : 0
    if (property.deviceClass === 'temperature') state[name] = nextCelsius(value, isOn, state['power'])
  }
}

function nextWatts(watts: number, random: Random): number {
  if (watts === 0) return 2 * 10 ** (3 * random())
  return Math.min(MOST_WATTS, Math.max(0.5, watts * (1 + 0.03 * (2 * random() - 1))))
}

/** The relay's own coil warms the plug by a few degrees, a full load by some twenty more. */
function nextCelsius(celsius: number, isOn: boolean, watts: Value | undefined): number {
  const settled = ROOM_CELSIUS + (isOn ? 6 + Number(watts ?? 0) / 100 : 0)
  return celsius + (settled - celsius) / 20
}
