/** What the bridge tells of itself: `B/bridge/{state,info,devices,health,event,logging}` (contract §3). */
import {type Clock, jitter, type Random, type Timer} from '../../common/clock.ts'
import {isWritable, settable} from '../../device/codec/values.ts'
import type {EnergySource} from '../../device/state/energy-meter.ts'
import type {Model, Property} from '../../models/model.ts'
import type {Topics} from '../../mqtt/topics.ts'
import type {Plug} from '../plug.ts'
import {type Publisher, retained, transient} from '../publisher.ts'

export interface BridgeStatusOptions {
  publisher: Publisher
  topics: Topics
  clock: Clock
  random: Random
  plugs: ReadonlyMap<string, Plug>
  info: () => Record<string, unknown>
  /** Memory, event loop, MQTT counters: the part of `health` that is not about plugs. */
  vitals: () => Record<string, unknown>
}

const FIRST_HEALTH_MS = 5000
const HEALTH_MS = 60_000
/** `devices` lists them all, so it is not repeated for each of many that change together: 1 ms per plug, and at least this. */
const DEVICES_PAUSE_MS = 1000

export class BridgeStatus {
  readonly #options: BridgeStatusOptions
  #health: Timer | undefined
  #devices: Timer | undefined

  constructor(options: BridgeStatusOptions) {
    this.#options = options
  }

  start(): void {
    this.#health = this.#options.clock.after(FIRST_HEALTH_MS, () => this.#healthAndAgain())
  }

  stop(): void {
    this.#health?.cancel()
    this.#devices?.cancel()
  }

  /** From now on the list of devices follows what this plug tells of itself. */
  follow(plug: Plug): void {
    plug.device.on('availability', () => this.devicesSoon())
    plug.device.on('identified', () => this.devicesSoon())
    plug.device.on('metadataChanged', () => this.devicesSoon())
  }

  state(state: 'online' | 'offline'): void {
    this.#retain('state', {state})
  }

  info(): void {
    this.#retain('info', this.#options.info())
  }

  devices(): void {
    this.#devices?.cancel()
    this.#devices = undefined
    this.#retain('devices', [...this.#options.plugs.values()].map(describe))
  }

  devicesSoon(): void {
    const pause = Math.max(DEVICES_PAUSE_MS, this.#options.plugs.size)
    this.#devices ??= this.#options.clock.after(pause, () => this.devices())
  }

  health(): void {
    this.#retain('health', this.healthNow())
  }

  healthNow(): Record<string, unknown> {
    const {plugs, clock, vitals} = this.#options
    const now = clock.now()
    const devices = [...plugs.values()].map((plug) => [
      plug.name,
      {
        ...plug.statistics(),
        queue: plug.device.waiting,
        last_seen:
          plug.lastResponseAt === undefined
            ? null
            : new Date(clock.date().getTime() - (now - plug.lastResponseAt)).toISOString(),
      },
    ])
    return {...vitals(), devices: Object.fromEntries(devices)}
  }

  event(type: string, data: Record<string, unknown>): void {
    const {publisher, topics} = this.#options
    publisher.publish(transient(topics.bridge('event'), {type, data}))
  }

  logging(entry: {level: string; message: string; device?: string | undefined}): void {
    const {publisher, topics} = this.#options
    publisher.publish(transient(topics.bridge('logging'), entry))
  }

  #healthAndAgain(): void {
    this.health()
    this.#health = this.#options.clock.after(jitter(HEALTH_MS, 0.02, this.#options.random), () =>
      this.#healthAndAgain(),
    )
  }

  #retain(leaf: 'state' | 'info' | 'devices' | 'health', value: unknown): void {
    const {publisher, topics} = this.#options
    publisher.publish(retained(topics.bridge(leaf), value))
  }
}

/** One entry of `B/bridge/devices`. */
function describe(plug: Plug) {
  const {identity, model, availability} = plug.device
  return {
    name: plug.name,
    did: plug.did ?? null,
    model: identity.model ?? null,
    vendor: model?.vendor ?? null,
    description: plug.description ?? model?.name ?? null,
    firmware: identity.firmware ?? null,
    mac: identity.mac ?? null,
    address: plug.address ?? null,
    availability,
    properties: model ? propertiesOf(model, plug.device.energySource) : [],
    filtered: plug.display.filtered ?? [],
    left_out: plug.device.unsupported,
    implausible: plug.device.implausible,
  }
}

/** Told alike of all plugs of a model: for ten thousand of them, a list each would be tens of megabytes. */
const told = new WeakMap<Model, Map<EnergySource | undefined, unknown>>()

function propertiesOf(model: Model, energySource: EnergySource | undefined): unknown {
  const bySource = told.get(model) ?? new Map()
  told.set(model, bySource)
  if (!bySource.has(energySource)) bySource.set(energySource, properties(model, energySource))
  return bySource.get(energySource)
}

function properties(model: Model, energySource: EnergySource | undefined) {
  return Object.entries(model.properties).map(([name, property]) => ({
    name,
    kind: property.kind,
    ...valuesOf(property),
    access: accessTo(property),
    ...(name === 'energy' ? {source: energySource} : {}),
  }))
}

/** What a value can be. */
function valuesOf(property: Property): Record<string, unknown> {
  switch (property.kind) {
    case 'switch':
    case 'binary_sensor':
      return {values: ['ON', 'OFF']}
    case 'sensor':
      return property.raw === 'number' ? {unit: property.unit} : {}
    case 'number':
      return {unit: property.unit, ...settable(property)}
    case 'select':
      return {values: property.values.map(([, word]) => word)}
    case 'button':
      return {}
  }
}

function accessTo(property: Property): 'read' | 'write' | 'read_write' {
  if (property.kind === 'button') return 'write'
  return isWritable(property) ? 'read_write' : 'read'
}
