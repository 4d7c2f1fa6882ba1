/** Readings that move as they would at home, for demos. */
import type {Random} from '../common/clock.ts'
import type {Model, Value} from '../models/model.ts'

/** A plug of this kind is rated for no more. */
const MOST_WATTS = 2200
const ROOM_CELSIUS = 24
const MAINS_VOLTS = 230
/** In %: of a mixed household load. */
const POWER_FACTOR = 95
const LEAKAGE_MA = 0.1
/** A kilowatt-hour is so many watts times milliseconds. */
const MS_W_PER_KWH = 3.6e9

interface Drifting {
  readonly model: Model
  readonly state: Record<string, Value>
}

/**
 * Moves the readings of a plug one small step on, by `ms` milliseconds. Watts wander while the relay is on, beginning as some
 * appliance from a phone charger to a kettle, and are 0 while it is off, or while every socket is; current, energy and
 * temperature follow them.
 */
export function drift({model, state}: Drifting, random: Random, ms: number): void {
  const isOn = isDelivering(state)
  const of = (name: string) => Number(state[name] ?? 0)
  const watts = isOn ? nextWatts(of('power'), random) : 0
  const volts = nextVolts(of('voltage'), random)
  const next: Record<string, number> = {
    power: watts,
    voltage: volts,
    power_factor: isOn ? POWER_FACTOR : 0,
    current: (watts * 100) / (volts * POWER_FACTOR),
    leakage_current: isOn ? LEAKAGE_MA : 0,
    energy: of('energy') + (watts * ms) / MS_W_PER_KWH,
    temperature: nextCelsius(of('temperature'), isOn, watts),
  }
  for (const [name, {address}] of Object.entries(model.properties))
    if (address.via !== 'bridge' && next[name] !== undefined) state[name] = next[name]
}

/** Through the relay, and through one of the sockets where they are switched one by one. */
function isDelivering(state: Readonly<Record<string, Value>>): boolean {
  const sockets = Object.keys(state).filter((name) => /^state_\d+$/.test(name))
  return state['state'] === 'ON' && (sockets.length === 0 || sockets.some((name) => state[name] === 'ON'))
}

function nextWatts(watts: number, random: Random): number {
  if (watts === 0) return 2 * 10 ** (3 * random())
  return Math.min(MOST_WATTS, Math.max(0.5, watts * (1 + 0.03 * (2 * random() - 1))))
}

/** The mains is a little over or under, and never far off. */
function nextVolts(volts: number, random: Random): number {
  const before = volts === 0 ? MAINS_VOLTS : volts
  return before + (MAINS_VOLTS - before) / 10 + (2 * random() - 1)
}

/** The relay's own coil warms the plug by a few degrees, a full load by some twenty more. */
function nextCelsius(celsius: number, isOn: boolean, watts: number): number {
  const settled = ROOM_CELSIUS + (isOn ? 6 + watts / 100 : 0)
  return celsius + (settled - celsius) / 20
}
