/** A network of simulated plugs: each with its own address, all of them reached by one broadcast. */
import {createHash} from 'node:crypto'
import type {Socket} from 'node:dgram'
import {type Random, repeat, type Timer} from '../common/clock.ts'
import {MIIO_PORT} from '../miio/packet.ts'
import {builtIn} from '../models/catalogue.ts'
import type {Value} from '../models/model.ts'
import {SimulatedPlug, type SimulatedPlugOptions} from './simulated-plug.ts'
import {close, listen} from './udp-server.ts'

/** The broadcast address of the loopback network: a hello to it reaches all simulated plugs and never leaves the machine. */
export const LOOPBACK_BROADCAST = '127.255.255.255'

const DRIFT_MS = 2000
/** How many received requests each plug keeps: few, since there may be thousands of plugs in one process. */
const REMEMBERED = 10

type NetworkOptions = Pick<SimulatedPlugOptions, 'clock' | 'random' | 'port'> & {
  /** The address at which all plugs receive hellos: 127.255.255.255 by default. Networks with different addresses do not see each other. */
  broadcast?: string
}

type SharedOptions = NetworkOptions &
  Pick<SimulatedPlugOptions, 'catalogue' | 'faults' | 'profile' | 'remember'>

export interface SimulateOptions extends SharedOptions {
  count: number
  /** Model ids, assigned to the plugs in turn; by default every model of the catalogue. */
  models?: readonly string[]
  /** Address of the first plug; the others get the next addresses one by one. */
  firstAddress?: string
  /** The same seed gives the same device ids and tokens. */
  seed?: number
}

/** Simulated plugs that are started and stopped together and reply to one broadcast. */
export class SimulatedNetwork {
  readonly plugs: readonly SimulatedPlug[]
  readonly #options: NetworkOptions
  #broadcastSocket: Socket | undefined
  #driftTimer: Timer | undefined

  constructor(plugs: readonly SimulatedPlug[], options: NetworkOptions) {
    this.plugs = plugs
    this.#options = options
  }

  /**
   * Starts all plugs and listens for broadcasts. Another simulator may listen at the same time: then both get every broadcast.
   * @throws Error that names the address which cannot be used. Nothing is left running then
   */
  async start(): Promise<void> {
    try {
      // All starts must have ended, so that no plug starts after the others were stopped.
      const starts = await Promise.allSettled(this.plugs.map((plug) => plug.start()))
      for (const start of starts) if (start.status === 'rejected') throw start.reason
      await this.listen()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Only listens for broadcasts, for plugs that run already. */
  async listen(): Promise<void> {
    const {broadcast: address = LOOPBACK_BROADCAST, port = MIIO_PORT} = this.#options
    this.#broadcastSocket = await listen({address, port, shared: true}, (hello, from) => {
      for (const plug of this.plugs) plug.receive(hello, from)
    })
  }

  /** From now on moves the readings of all plugs a small step every `ms` milliseconds. */
  startDrift(ms = DRIFT_MS): void {
    this.#driftTimer?.cancel()
    this.#driftTimer = repeat(this.#options.clock, ms, () => this.#drift(ms))
    this.#drift(ms)
  }

  async stop(): Promise<void> {
    const socket = this.#broadcastSocket
    this.#broadcastSocket = undefined
    this.#driftTimer?.cancel()
    if (socket) await close(socket)
    await Promise.all(this.plugs.map((plug) => plug.stop()))
  }

  #drift(ms: number): void {
    for (const plug of this.plugs) drift(plug, this.#options.random, ms)
  }
}

/**
 * Makes a network of `count` plugs; of each model every other plug is switched on. Nothing runs before `start()`.
 * @throws RangeError without any model, Error for a model without a definition
 */
export function simulate(options: SimulateOptions): SimulatedNetwork {
  const {count, firstAddress = '127.0.54.1', seed = 1, remember = REMEMBERED, ...shared} = options
  const ids = options.models ?? (options.catalogue ?? builtIn).ids
  if (ids.length === 0) throw new RangeError('expected at least one model, got none')
  const first = toNumber(firstAddress)
  const plugs = Array.from({length: count}, (_, index) => {
    const isOn = (Math.floor(index / ids.length) + (index % ids.length)) % 2 === 0 // each model occurs both on and off
    const model = ids[index % ids.length] ?? ''
    const address = toAddress(first + index)
    const plug = new SimulatedPlug({...shared, remember, model, ...identity(seed, index), address})
    for (const outlet of plug.outlets) plug.state[outlet] = isOn ? 'ON' : 'OFF'
    return plug
  })
  return new SimulatedNetwork(plugs, shared)
}

/** Device ids that look like real ones, different for each plug of a seed. */
function identity(seed: number, index: number): {did: number; token: Buffer} {
  const token = createHash('md5').update(`simulated plug ${index} of seed ${seed}`).digest()
  return {did: 200_000_000 + (Math.abs(seed) % 1000) * 100_000 + index, token}
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((bits) => (number >>> bits) & 0xff).join('.')
}

/** The rating of such plugs. */
const MAX_WATTS = 2200
const ROOM_CELSIUS = 24
const MAINS_VOLTS = 230
/** %, of a mixed household load. */
const POWER_FACTOR = 95
const LEAKAGE_MA = 0.1
/** Watts times milliseconds in one kilowatt-hour. */
const MS_W_PER_KWH = 3.6e9

/**
 * Moves the readings of a plug on by `ms` milliseconds. Watts wander while the relay is on; they begin at the power of some
 * appliance from a phone charger to a kettle. They are 0 while the relay, or every socket, is off. Current, energy and temperature
 * follow the watts.
 */
function drift({model, state}: SimulatedPlug, random: Random, ms: number): void {
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
  return Math.min(MAX_WATTS, Math.max(0.5, watts * (1 + 0.03 * (2 * random() - 1))))
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
