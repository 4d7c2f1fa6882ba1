/** A simulated plug: a real UDP server that behaves as the firmware of a plug does (docs/protocol.md §6). */
import type {RemoteInfo, Socket} from 'node:dgram'
import {type Clock, type Random, repeat, type Timer} from '../common/clock.ts'
import {Cipher, MIIO_PORT} from '../miio/packet.ts'
import {builtIn, type Catalogue} from '../models/catalogue.ts'
import type {Model, Value} from '../models/model.ts'
import type {Faults, InjectedFault} from './faults.ts'
import {type Firmware, firmwareOf} from './firmware/firmware.ts'
import {type FirmwareProfile, firmwareProfileOf} from './firmware/firmware-profile.ts'
import {initialValue} from './firmware/raw-values.ts'
import {type ReceivedRequest, Receiver, type ReceiverHost} from './receiver.ts'
import {close, listen} from './udp-server.ts'

export interface SimulatedPlugOptions {
  /** As `miIO.info` reports it, such as `chuangmi.plug.v3`. */
  model: string
  /** The catalogue that defines the model; by default the one that comes with the program. */
  catalogue?: Catalogue
  did: number
  /** 16 bytes. */
  token: Buffer
  /** An IPv4 address of 127.0.0.0/8: all of them belong to this machine. */
  address: string
  port?: number
  clock: Clock
  random: Random
  faults?: Faults
  /** Deviations from the firmware profile of the model. */
  profile?: Partial<FirmwareProfile>
  /** Property values that differ from those of a new plug: off, and at room temperature. */
  state?: Record<string, Value>
  /** Seconds since the plug was plugged in: a day by default. */
  uptimeS?: number
  /** How many requests `received` keeps: 50 by default. */
  remember?: number
}

const DAY_S = 86_400
const REMEMBERED = 50
/** Milliseconds without power in a simulated power failure. */
const POWER_FAILURE_MS = 4000

/** A simulated plug on a UDP address of its own. */
export class SimulatedPlug implements ReceiverHost {
  readonly modelId: string
  readonly model: Model
  readonly did: number
  readonly port: number
  /** Property values in the units of the model. Changing one simulates a press of the button, or another load. */
  readonly state: Record<string, Value>
  /** dBm */
  rssi = -52
  /** Changed by `moveTo`. */
  address: string
  /** Changed with `cipher` by `changeToken`. */
  token: Buffer
  cipher: Cipher
  /** Changed with `profile` by `setFaults`. */
  faults: Faults
  /** The profile of the model together with the current faults. */
  profile: FirmwareProfile

  readonly clock: Clock
  readonly random: Random
  readonly firmware: Firmware
  readonly remember: number
  readonly #receiver = new Receiver(this)
  /** Without the quirks of `faults`. */
  readonly #usualProfile: FirmwareProfile
  #bootedAt: number
  #periodic: Timer[] = []
  #socket: Socket | undefined

  /** @throws Error for a model without a definition, RangeError for a token that is not 16 bytes */
  constructor(options: SimulatedPlugOptions) {
    this.modelId = options.model
    this.model = definitionOf(options.model, options.catalogue)
    this.did = options.did
    this.port = options.port ?? MIIO_PORT
    this.#usualProfile = {...firmwareProfileOf(options.model), ...options.profile}
    this.state = {...initialState(this.model), ...options.state}
    this.clock = options.clock
    this.random = options.random
    this.firmware = firmwareOf(this.model)
    this.remember = options.remember ?? REMEMBERED
    this.address = options.address
    this.token = options.token
    this.cipher = new Cipher(options.token)
    this.faults = options.faults ?? {}
    this.profile = {...this.#usualProfile, ...this.faults}
    this.#bootedAt = this.clock.now() - (options.uptimeS ?? DAY_S) * 1000
  }

  /** Names of the properties that are the relay and the sockets of a strip. */
  get outlets(): string[] {
    return Object.entries(this.model.properties).flatMap(([name, property]) =>
      property.kind === 'switch' && property.deviceClass === 'outlet' ? [name] : [],
    )
  }

  /** Whole seconds since the plug was plugged in: the stamp of its packets. */
  get uptimeS(): number {
    return Math.floor((this.clock.now() - this.#bootedAt) / 1000)
  }

  /** The latest requests, oldest first. The response to a repeated id comes from the cache: such a request is not executed and not listed. */
  get received(): readonly ReceivedRequest[] {
    return this.#receiver.received
  }

  /** Requests that have no response yet because of a delay. */
  get inFlight(): number {
    return this.#receiver.inFlight
  }

  /** The highest value of `inFlight` so far. */
  get maxInFlight(): number {
    return this.#receiver.maxInFlight
  }

  /** Opens the UDP socket. @throws Error when the address is taken or not of this machine */
  async start(): Promise<void> {
    this.#socket = await this.#listen(this.address)
    this.setFaults(this.faults)
  }

  async stop(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    this.#receiver.reset()
    this.#cancelPeriodic()
    if (socket) await close(socket)
  }

  /** Sets the faults, in place of those set before: `setFaults({silence: true})`; `setFaults({})` ends them. */
  setFaults(faults: Faults): void {
    this.faults = faults
    this.profile = {...this.#usualProfile, ...faults}
    this.#cancelPeriodic()
    if (!this.#socket) return
    const {rebootEveryMs, addressChangeEveryMs} = faults
    if (rebootEveryMs) this.#every(rebootEveryMs, () => this.powerCycle(POWER_FAILURE_MS))
    // When the new address is taken, the plug keeps its old one.
    if (addressChangeEveryMs)
      this.#every(addressChangeEveryMs, () => this.moveTo(alternateAddress(this.address)).catch(() => {}))
  }

  /** Scripts the faults of the next requests, one each, in place of random ones: `next({}, {loseResponse: true})`. */
  next(...faults: InjectedFault[]): void {
    this.#receiver.scripted.push(...faults)
  }

  /** The power fails for `deadTimeMs` milliseconds. Then the clock of the plug begins at 0; pending responses are lost. */
  powerCycle(deadTimeMs: number): void {
    this.#bootedAt = this.clock.now() + deadTimeMs
    this.#receiver.reset()
  }

  /** After too many requests, or one for too much, the plug reboots, and every socket is switched to its opposite state (cuco.plug.sp5, hass-xiaomi-miot#415). */
  rebootFromOverload(): void {
    for (const name of this.outlets) this.state[name] = this.state[name] === 'ON' ? 'OFF' : 'ON'
    this.powerCycle(POWER_FAILURE_MS)
  }

  /** Moves the plug to another address, as a router does. The old address no longer responds. @throws Error when the new one is taken */
  async moveTo(address: string): Promise<void> {
    const old = this.#socket
    if (!old) {
      this.address = address
      return
    }
    const socket = await this.#listen(address)
    // The plug was stopped, or moved elsewhere, meanwhile.
    if (this.#socket !== old) return close(socket)
    this.#socket = socket
    this.address = address
    await close(old)
  }

  /** Changes the token, as a new set-up of the plug does. */
  changeToken(token: Buffer): void {
    this.cipher = new Cipher(token)
    this.token = token
  }

  /** Processes a datagram from the plug's own socket, or a broadcast to the whole network. */
  receive(datagram: Buffer, from: RemoteInfo): void {
    const hasPower = this.clock.now() >= this.#bootedAt
    if (hasPower && !this.faults.silence) this.#receiver.receive(datagram, from)
  }

  /** Sends from the plug's own address, also the reply to a broadcast. */
  send(packet: Buffer, to: RemoteInfo): void {
    this.#socket?.send(packet, to.port, to.address)
  }

  #listen(address: string): Promise<Socket> {
    return listen({address, port: this.port}, (datagram, from) => this.receive(datagram, from))
  }

  #every(ms: number, run: () => void): void {
    this.#periodic.push(repeat(this.clock, ms, run))
  }

  #cancelPeriodic(): void {
    for (const timer of this.#periodic.splice(0)) timer.cancel()
  }
}

function definitionOf(id: string, catalogue = builtIn): Model {
  const model = catalogue.find(id)
  if (model) return model
  throw new Error(`no definition of the model "${id}"; known are ${catalogue.ids.join(', ')}`)
}

function initialState(model: Model): Record<string, Value> {
  const state: Record<string, Value> = {}
  for (const [name, property] of Object.entries(model.properties)) {
    const value = initialValue(property)
    if (value !== undefined) state[name] = value
  }
  return state
}

/** Of two addresses in turn the other one: 127.0.x.y and 127.1.x.y. So the plugs of one network never collide. */
function alternateAddress(address: string): string {
  const [network, half, ...rest] = address.split('.')
  return [network, Number(half) ^ 1, ...rest].join('.')
}
