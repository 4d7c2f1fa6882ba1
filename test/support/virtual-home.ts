import {Device} from '../../src/device/device.ts'
import {
  FirmwareCapabilities,
  type StoredCapabilities,
} from '../../src/device/polling/firmware-capabilities.ts'
import {Poller, type PollSettings} from '../../src/device/polling/poller.ts'
import {MiioClient} from '../../src/miio/client.ts'
import {MIIO_PORT} from '../../src/miio/packet.ts'
import {amperes, celsius, led, miot, relay, usb, volts, watts} from '../../src/models/builders.ts'
import {Catalogue} from '../../src/models/catalogue.ts'
import type {Model, PollTier, Value} from '../../src/models/model.ts'
import {SimulatedPlug, type SimulatedPlugOptions} from '../../src/simulator/simulated-plug.ts'
import {MemoryNetwork} from './memory-network.ts'
import {TOKEN} from './token.ts'
import {seeded, VirtualClock} from './virtual-clock.ts'

const HOST = '192.0.2.1'
const FROM = {address: '192.0.2.254', port: 40000, family: 'IPv4' as const, size: 0}

/** Eight values of one MIoT request. */
export const eight: Model = {
  ids: ['test.plug.eight'],
  name: 'Test plug',
  vendor: 'Test',
  confidence: 'inferred',
  evidence: 'made up',
  properties: {
    state: relay(miot(2, 1)),
    usb: usb(miot(9, 1)),
    led: led(miot(13, 1)),
    power: watts(miot(11, 2)),
    voltage: volts(miot(11, 3), {scale: 0.1}),
    current: amperes(miot(11, 4), {scale: 0.001}),
    temperature: celsius(miot(12, 2)),
    state_1: relay(miot(3, 1), {label: 'Socket 1', lane: 'slow'}),
  },
}

/** The values of such a plug, in the units of the definition. */
export const readings: Readonly<Record<string, Value>> = {
  state: 'ON',
  usb: 'OFF',
  led: 'ON',
  power: 123,
  voltage: 230.1,
  current: 0.535,
  temperature: 41,
  state_1: 'ON',
}

type Options = Partial<Pick<SimulatedPlugOptions, 'profile' | 'faults' | 'state'>> & {
  model?: Model
  /** The models that the bridge knows; by default the plug's own model. */
  known?: Catalogue
  random?: () => number
  /** Whether the bridge knows the model before the first request; true by default. */
  introduced?: boolean
  settings?: Partial<PollSettings>
}

/** A simulated plug and the `Device` and `Poller` of a bridge, connected by a network in memory, on virtual time. */
export class VirtualHome {
  readonly clock = new VirtualClock()
  readonly network = new MemoryNetwork(this.clock)
  readonly plug: SimulatedPlug
  /** Firmware capabilities that are stored over restarts, by model and firmware. */
  readonly remembered = new Map<string, StoredCapabilities>()
  readonly warnings: string[] = []
  device: Device
  poller: Poller
  readonly #options: Options
  readonly #model: Model
  readonly #random: () => number

  constructor(options: Options = {}) {
    const {model = eight, random = seeded(1), profile, faults} = options
    this.#options = options
    this.#model = model
    this.#random = random
    this.plug = new MemoryNetworkPlug(this, {
      model: model.ids[0] ?? '',
      catalogue: new Catalogue([model]),
      did: 4711,
      token: Buffer.from(TOKEN, 'hex'),
      address: HOST,
      clock: this.clock,
      random,
      remember: 100_000,
      state: options.state ?? readings,
      ...(profile && {profile}),
      ...(faults && {faults}),
    })
    this.device = this.#device()
    this.poller = this.#poller()
  }

  /** Restarts the bridge, with its stored firmware capabilities. */
  restart(): void {
    this.poller.stop()
    void this.device.stop(0)
    this.device = this.#device()
    this.poller = this.#poller()
  }

  /** Polls once. @returns how long the poll took, milliseconds. Rejects as the poll does */
  async poll(lane: PollTier = 'slow'): Promise<number> {
    const begun = this.clock.now()
    let outcome: {at: number} | {error: unknown} | undefined
    this.device.poll(lane).then(
      () => (outcome = {at: this.clock.now()}),
      (error: unknown) => (outcome = {error}),
    )
    while (!outcome) await this.clock.advance(100)
    if ('error' in outcome) throw outcome.error
    return outcome.at - begun
  }

  /** Lets `ms` milliseconds pass. @returns the result of `promise` after that time */
  async after<T>(ms: number, promise: Promise<T>): Promise<T> {
    promise.catch(() => {})
    await this.clock.advance(ms)
    return promise
  }

  /** The properties of each request from the index `from` on, by their did; for other requests the method. */
  asked(from = 0): string[][] {
    return this.plug.received.slice(from).map(({method, params}) => {
      if (method !== 'get_properties') return [method]
      return params.map((item) => String(Object(item).did))
    })
  }

  #device(): Device {
    const {introduced = true, known = new Catalogue([this.#model])} = this.#options
    const transport = new MiioClient({
      socket: this.network,
      clock: this.clock,
      random: this.#random,
      token: Buffer.from(TOKEN, 'hex'),
      host: HOST,
      did: 4711,
    })
    const device = new Device({
      name: 'desk',
      transport,
      clock: this.clock,
      identity: introduced ? {model: this.#model.ids[0] ?? '', firmware: '2.0.4_0026'} : {},
      findModel: (id) => known.find(id),
      capabilitiesOf: (id, firmware) => {
        const key = `${id} ${firmware}`
        return new FirmwareCapabilities(this.remembered.get(key), (tolerated) =>
          this.remembered.set(key, tolerated),
        )
      },
    })
    device.listener = {
      warning: (text) => this.warnings.push(text),
      answeredWhileAway: () => this.poller.pollNow(),
    }
    return device
  }

  #poller(): Poller {
    const settings = {interval: 15_000, slow_interval: 60_000}
    return new Poller({
      device: this.device,
      clock: this.clock,
      random: this.#random,
      settings: {...settings, ...this.#options.settings},
    })
  }
}

/** A simulated plug that sends and receives through a `MemoryNetwork` in place of UDP. */
class MemoryNetworkPlug extends SimulatedPlug {
  readonly #home: VirtualHome

  constructor(home: VirtualHome, options: SimulatedPlugOptions) {
    super(options)
    this.#home = home
    home.network.attach({host: options.address, port: MIIO_PORT}, (datagram) => this.receive(datagram, FROM))
  }

  override send(packet: Buffer): void {
    this.#home.clock.after(10, () => this.#home.network.arrive(packet, {host: this.address, port: this.port}))
  }
}
