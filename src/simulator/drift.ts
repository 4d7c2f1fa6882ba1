/** Drift: moves the readings of simulated plugs (watts, volts, temperature …) as those of real plugs move, for demos. */
import type {Random} from '../common/clock.ts'
import type {Model, Value} from '../models/model.ts'

/** The rating of such plugs. */
const MOST_WATTS = 2200
const ROOM_CELSIUS = 24
const MAINS_VOLTS = 230
/** %, of a mixed household load. */
const POWER_FACTOR = 95
const LEAKAGE_MA = 0.1
/** Watts times milliseconds in one kilowatt-hour. */
const MS_W_PER_KWH = 3.6e9

interface DriftingPlug {
  readonly model: Model
  readonly state: Record<string, Value>
}

/**
 * Moves the readings of a plug on by `ms` milliseconds. Watts wander while the relay is on; they begin at the power of some
 * appliance from a phone charger to a kettle. They are 0 while the relay, or every socket, is off. Current, energy and temperature
 * follow the watts.
 */
export function drift({model, state}: DriftingPlug, random: Random, ms: number): void {
  const isOn = deliversPower(state)
  const current = (name: string) => Number(state[name] ?? 0)
  const watts = isOn ? nextWatts(current('power'), random) : 0
  const volts = nextVolts(current('voltage'), random)
  const next: Record<string, number> = {
    power: watts,
    voltage: volts,
    power_factor: isOn ? POWER_FACTOR : 0,
    current: (watts * 100) / (volts * POWER_FACTOR),
    leakage_current: isOn ? LEAKAGE_MA : 0,
    energy: current('energy') + (watts * ms) / MS_W_PER_KWH,
    temperature: nextCelsius(current('temperature'), isOn, watts),
  }
  for (const [name, {address}] of Object.entries(model.properties))
    if (address.via !== 'bridge' && next[name] !== undefined) state[name] = next[name]
}

/** Whether the relay is on and, where sockets are switched one by one, at least one of them. */
function deliversPower(state: Readonly<Record<string, Value>>): boolean {
  const sockets = Object.keys(state).filter((name) => /^state_\d+$/.test(name))
  return state['state'] === 'ON' && (sockets.length === 0 || sockets.some((name) => state[name] === 'ON'))
}

function nextWatts(watts: number, random: Random): number {
  if (watts === 0) return 2 * 10 ** (3 * random())
  return Math.min(MOST_WATTS, Math.max(0.5, watts * (1 + 0.03 * (2 * random() - 1))))
}

/** The mains voltage is a little above or below its nominal value, and never far away. */
function nextVolts(volts: number, random: Random): number {
  const before = volts === 0 ? MAINS_VOLTS : volts
  return before + (MAINS_VOLTS - before) / 10 + (2 * random() - 1)
}

/** The coil of the relay warms the plug by a few degrees, a full load by some twenty more. */
function nextCelsius(celsius: number, isOn: boolean, watts: number): number {
  const settled = ROOM_CELSIUS + (isOn ? 6 + watts / 100 : 0)
  return celsius + (settled - celsius) / 20
}
