/** One plug that is not there: a real UDP server that behaves as the firmware does (docs/protocol.md §6). */
import type {RemoteInfo, Socket} from 'node:dgram'
import type {Clock, Random, Timer} from '../common/clock.ts'
import {Cipher, MIIO_PORT} from '../miio/packet.ts'
import {builtIn, type Catalogue} from '../models/catalogue.ts'
import type {Model, Value} from '../models/model.ts'
import {type Faults, type InjectedFault, noFaults} from './faults/faults.ts'
import {firmwareOf} from './firmware/firmware.ts'
import {type FirmwareProfile, firmwareProfileOf} from './firmware/firmware-profile.ts'
import {initialValue} from './firmware/raw-values.ts'
import {type ReceivedRequest, Receiver, type ReceiverHost} from './receiver.ts'
import {repeat} from './repeat.ts'
import {close, listen} from './udp-server.ts'

export interface SimulatedPlugOptions {
  /** As `miIO.info` names it, such as `chuangmi.plug.v3`. */
  model: string
  /** Where the model is described: what comes with the program unless told. */
  catalogue?: Catalogue
  did: number
  /** 16 bytes. */
  token: Buffer
  /** One of 127.0.0.0/8, all of which are this machine. */
  address: string
  port?: number
  clock: Clock
  random: Random
  faults?: Faults
  habits?: Partial<FirmwareProfile>
  /** Where it differs from a plug that is off, dark, and as warm as the room. */
  state?: Record<string, Value>
  /** How long it has been plugged in: a day unless told. */
  uptimeS?: number
  /** How many requests `received` goes back: 50 unless told. */
  remember?: number
}

const DAY_S = 86_400
const REMEMBERED = 50
/** How long a plug is away when its power fails for a moment. */
const DEAD_MS = 4000

export class SimulatedPlug implements ReceiverHost {
  readonly modelId: string
  readonly model: Model
  readonly did: number
  readonly port: number
  /** In the words and units of the model. Whoever changes it presses the button, or plugs in a heater. */
  readonly state: Record<string, Value>
  /** dBm */
  rssi = -52

  readonly #clock: Clock
  readonly #receiver: Receiver
  #address: string
  #token: Buffer
  #cipher: Cipher
  readonly #usual: FirmwareProfile
  #faults: Faults
  #habits: FirmwareProfile
  #bootedAt: number
  #periodic: Timer[] = []
  #socket: Socket | undefined

  /** @throws Error for a model nobody has described, RangeError for a token that is not 16 bytes */
  constructor(options: SimulatedPlugOptions) {
    this.modelId = options.model
    this.model = describedModel(options.model, options.catalogue)
    this.did = options.did
    this.port = options.port ?? MIIO_PORT
    this.#usual = {...firmwareProfileOf(options.model), ...options.habits}
    this.state = {...initialState(this.model), ...options.state}
    const {clock, random, remember = REMEMBERED} = options
    this.#clock = clock
    this.#receiver = new Receiver(this, firmwareOf(this.model, this.modelId), clock, random, remember)
    this.#address = options.address
    this.#token = options.token
    this.#cipher = new Cipher(options.token)
    this.#faults = options.faults ?? noFaults
    this.#habits = {...this.#usual, ...this.#faults}
    this.#bootedAt = clock.now() - (options.uptimeS ?? DAY_S) * 1000
  }

  get address(): string {
    return this.#address
  }

  get token(): Buffer {
    return this.#token
  }

  get cipher(): Cipher {
    return this.#cipher
  }

  get faults(): Faults {
    return this.#faults
  }

  /** Those of its model, and what is wrong with it now. */
  get habits(): FirmwareProfile {
    return this.#habits
  }

  /** The relay, and the sockets of a strip. */
  get outlets(): string[] {
    return Object.entries(this.model.properties).flatMap(([name, property]) =>
      property.kind === 'switch' && property.deviceClass === 'outlet' ? [name] : [],
    )
  }

  /** Whole seconds since it was plugged in: the stamp of its packets. */
  get uptimeS(): number {
    return Math.floor((this.#clock.now() - this.#bootedAt) / 1000)
  }

  /** The latest requests, oldest first. One answered from the memory of recent answers is not executed, and not here. */
  get received(): readonly ReceivedRequest[] {
    return this.#receiver.received
  }

  /** Requests being worked on: taken in, and because of a delay not answered yet. */
  get inFlight(): number {
    return this.#receiver.inFlight
  }

  /** The most requests that were ever being worked on at once. */
  get maxInFlight(): number {
    return this.#receiver.maxInFlight
  }

  /** @throws Error when its address is taken or not of this machine */
  async start(): Promise<void> {
    this.#socket = await this.#listen(this.#address)
    this.misbehave(this.#faults)
  }

  async stop(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    this.#receiver.reset()
    this.#cancelPeriodic()
    if (socket) await close(socket)
  }

  /** From now on these faults, in place of any before: `misbehave({silence: true})`, and `misbehave({})` to be good again. */
  misbehave(faults: Faults): void {
    this.#faults = faults
    this.#habits = {...this.#usual, ...faults}
    this.#cancelPeriodic()
    if (!this.#socket) return
    const {rebootEveryMs, addressChangeEveryMs} = faults
    if (rebootEveryMs) this.#every(rebootEveryMs, () => this.powerCycle(DEAD_MS))
    // An address that turns out to be taken leaves it where it is.
    if (addressChangeEveryMs)
      this.#every(addressChangeEveryMs, () => this.moveTo(elsewhere(this.#address)).catch(() => {}))
  }

  /** What befalls the next requests, one each, in place of what chance would bring: `next({}, {loseReply: true})`. */
  next(...mishaps: InjectedFault[]): void {
    this.#receiver.scripted.push(...mishaps)
  }

  /** The same for the next hellos. */
  nextHello(...mishaps: InjectedFault[]): void {
    this.#receiver.scriptedHellos.push(...mishaps)
  }

  /** The power fails for `deadTimeMs`; then its clock begins at 0, and whatever it was working on is gone. */
  powerCycle(deadTimeMs: number): void {
    this.#bootedAt = this.#clock.now() + deadTimeMs
    this.#receiver.reset()
  }

  /** It was asked too much: it reboots, and afterwards every socket is the other way round (cuco.plug.sp5, al-one#415). */
  collapse(): void {
    for (const name of this.outlets) this.state[name] = this.state[name] === 'ON' ? 'OFF' : 'ON'
    this.powerCycle(DEAD_MS)
  }

  /** The router gives it another address; nobody answers at the old one. @throws Error when the new one is taken */
  async moveTo(address: string): Promise<void> {
    const old = this.#socket
    if (!old) {
      this.#address = address
      return
    }
    const socket = await this.#listen(address)
    // It was stopped, or moved elsewhere, meanwhile.
    if (this.#socket !== old) return close(socket)
    this.#socket = socket
    this.#address = address
    await close(old)
  }

  /** It was set up again: same plug, other token. */
  changeToken(token: Buffer): void {
    this.#cipher = new Cipher(token)
    this.#token = token
  }

  /** Takes a datagram from its own socket, or a broadcast that reached the whole network. */
  hear(datagram: Buffer, from: RemoteInfo): void {
    const isDead = this.#clock.now() < this.#bootedAt
    if (!isDead && !this.#faults.silence) this.#receiver.hear(datagram, from)
  }

  /** Answers come from its own address, even when the question was broadcast. */
  send(packet: Buffer, to: RemoteInfo): void {
    this.#socket?.send(packet, to.port, to.address)
  }

  #listen(address: string): Promise<Socket> {
    return listen({address, port: this.port}, (datagram, from) => this.hear(datagram, from))
  }

  #every(ms: number, run: () => void): void {
    this.#periodic.push(repeat(this.#clock, ms, run))
  }

  #cancelPeriodic(): void {
    for (const timer of this.#periodic.splice(0)) timer.cancel()
  }
}

function describedModel(id: string, catalogue = builtIn): Model {
  const model = catalogue.find(id)
  if (model) return model
  throw new Error(`no definition of the model "${id}"; known are ${catalogue.ids.join(', ')}`)
}

function initialState(model: Model): Record<string, Value> {
  const values = Object.entries(model.properties).map(
    ([name, property]) => [name, initialValue(property)] as const,
  )
  return Object.fromEntries(values.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

/** Two addresses in turn, as 127.0.x.y and 127.1.x.y: different plugs of one network never meet. */
function elsewhere(address: string): string {
  const [network, half, ...rest] = address.split('.')
  return [network, Number(half) ^ 1, ...rest].join('.')
}
