/** Many plugs on one network: each with its own address, all of them in reach of one broadcast. */
import {createHash} from 'node:crypto'
import type {Socket} from 'node:dgram'
import type {Clock, Random, Timer} from '../common/clock.ts'
import {MIIO_PORT} from '../miio/packet.ts'
import {builtIn} from '../models/catalogue.ts'
import {drift} from './drift.ts'
import {repeat} from './repeat.ts'
import {SimulatedPlug, type SimulatedPlugOptions} from './simulated-plug.ts'
import {close, listen} from './udp-server.ts'

/** The loopback network's own broadcast address: a hello sent there reaches all plugs and leaves the machine never. */
export const LOOPBACK_BROADCAST = '127.255.255.255'

const LIVEN_MS = 2000
/** Thousands of plugs with a long memory would be a large process. */
const REMEMBERED = 10

type NeighbourhoodOptions = Pick<SimulatedPlugOptions, 'clock' | 'random' | 'port'> & {
  /** Where hellos to all plugs are heard: 127.255.255.255 unless told; an address of its own keeps one neighbourhood from another. */
  broadcast?: string
}

type Shared = NeighbourhoodOptions &
  Pick<SimulatedPlugOptions, 'catalogue' | 'faults' | 'habits' | 'remember'>

export interface SimulateOptions extends Shared {
  count: number
  /** Dealt out in turn; every described model unless told. */
  models?: readonly string[]
  /** The first plug's; the others follow one by one. */
  firstAddress?: string
  /** The same seed makes the same ids and tokens. */
  seed?: number
}

export class SimulatedNetwork {
  readonly plugs: readonly SimulatedPlug[]
  readonly #port: number
  readonly #clock: Clock
  readonly #random: Random
  readonly #broadcast: string
  #ear: Socket | undefined
  #livening: Timer | undefined

  constructor(
    plugs: readonly SimulatedPlug[],
    {clock, random, port = MIIO_PORT, broadcast = LOOPBACK_BROADCAST}: NeighbourhoodOptions,
  ) {
    this.plugs = plugs
    this.#port = port
    this.#clock = clock
    this.#random = random
    this.#broadcast = broadcast
  }

  /**
   * Starts all plugs and listens to broadcasts. Another simulator may listen at the same time: then both are heard.
   * @throws Error that names the address which could not be had, with nothing left running
   */
  async start(): Promise<void> {
    try {
      await allOf(this.plugs.map((plug) => plug.start()))
      await this.listen()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Only hears broadcasts, for plugs that run already. */
  async listen(): Promise<void> {
    this.#ear = await listen({address: this.#broadcast, port: this.#port, shared: true}, (hello, from) => {
      for (const plug of this.plugs) plug.hear(hello, from)
    })
  }

  /** Lets watts and temperatures move from now on, a small step every `ms` milliseconds: one timer for all. */
  liven(ms = LIVEN_MS): void {
    this.#livening?.cancel()
    this.#livening = repeat(this.#clock, ms, () => this.#drift(ms))
    this.#drift(ms)
  }

  async stop(): Promise<void> {
    const ear = this.#ear
    this.#ear = undefined
    this.#livening?.cancel()
    if (ear) await close(ear)
    await Promise.all(this.plugs.map((plug) => plug.stop()))
  }

  #drift(ms: number): void {
    for (const plug of this.plugs) drift(plug, this.#random, ms)
  }
}

/** Makes a neighbourhood of `count` plugs, of each model every other one switched on; nothing runs before `start()`. */
export function simulate(options: SimulateOptions): SimulatedNetwork {
  const {count, firstAddress = '127.0.54.1', seed = 1, remember = REMEMBERED, ...shared} = options
  const ids = options.models ?? (options.catalogue ?? builtIn).ids
  if (ids.length === 0) throw new RangeError('expected at least one model, got none')
  const first = toNumber(firstAddress)
  const plugs = Array.from({length: count}, (_, index) => {
    const isOn = (Math.floor(index / ids.length) + (index % ids.length)) % 2 === 0 // each model in both positions
    const model = ids[index % ids.length] ?? ''
    const address = toAddress(first + index)
    const plug = new SimulatedPlug({...shared, remember, model, ...identity(seed, index), address})
    for (const outlet of plug.outlets) plug.state[outlet] = isOn ? 'ON' : 'OFF'
    return plug
  })
  return new SimulatedNetwork(plugs, shared)
}

/** Ids that look like real ones, different for each plug of a seed. */
function identity(seed: number, index: number): {did: number; token: Buffer} {
  const token = createHash('md5').update(`simulated plug ${index} of seed ${seed}`).digest()
  return {did: 200_000_000 + (Math.abs(seed) % 1000) * 100_000 + index, token}
}

/** Waits until all are through, so that none comes to life after the others were stopped. @throws the first failure */
async function allOf(starts: Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(starts))
    if (outcome.status === 'rejected') throw outcome.reason
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((bits) => (number >>> bits) & 0xff).join('.')
}
