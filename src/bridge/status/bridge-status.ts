/** Publishes `B/bridge/{state,info,devices,health,event,logging}`: what the bridge reports about itself (docs/topics.md, "The bridge"). */
import {jitter, type Timer} from '../../common/clock.ts'
import {isWritable, settable} from '../../device/codec/values.ts'
import type {EnergySource} from '../../device/state/energy-meter.ts'
import type {LoggedWarning} from '../../log/logger.ts'
import type {Model, Property} from '../../models/model.ts'
import type {BridgeContext, Component, RetainedSource} from '../component.ts'
import type {Plug} from '../plug.ts'
import {retained, transient} from '../publisher.ts'

/** What `BridgeStatus` publishes about the process and the bridge as a whole. `src/app/request-actions.ts` makes it. */
export interface StatusSource {
  /** The content of `B/bridge/info`. */
  info(): Record<string, unknown>
  /** Memory, event loop, MQTT and UDP counters: the part of `B/bridge/health` that is not about plugs. */
  metrics(): Record<string, unknown>
  /** Calls `listener` for each warning and error in the log. @returns ends that */
  onWarning(listener: (warning: LoggedWarning) => void): () => void
}

const FIRST_HEALTH_MS = 5000
const HEALTH_MS = 60_000
/** `devices` lists all plugs, so it is not repeated for each of many that change together: 1 ms for each plug, and at least this. */
const DEVICES_PAUSE_MS = 1000

/** `state`, `info`, `devices`, `health`, `event` and `logging` each publish the topic of that name below `B/bridge`. */
export class BridgeStatus implements Component, RetainedSource {
  readonly #context: BridgeContext
  readonly #source: StatusSource
  #healthTimer: Timer | undefined
  #devicesTimer: Timer | undefined
  /** The log outlives this bridge, and must not keep it alive. */
  #unsubscribe = () => {}

  constructor(context: BridgeContext, source: StatusSource) {
    this.#context = context
    this.#source = source
  }

  start(): void {
    this.#unsubscribe = this.#source.onWarning((warning) => this.logging(warning))
    this.#healthTimer = this.#context.clock.after(FIRST_HEALTH_MS, () => this.#publishHealthRegularly())
  }

  availabilityChanged(): void {
    this.devicesSoon()
  }

  identified(): void {
    this.devicesSoon()
  }

  metadataChanged(): void {
    this.devicesSoon()
  }

  connected(): void {
    this.info()
    this.devices()
    this.health()
  }

  reloaded(): void {
    this.info()
    this.devices()
  }

  /** `offline` is the last message of the bridge, after the last results, warnings and events. */
  stopped(): void {
    this.#unsubscribe()
    this.#healthTimer?.cancel()
    this.#devicesTimer?.cancel()
    this.state('offline')
  }

  retainedTopics(): readonly string[] {
    return this.#context.topics.retainedBridgeTopics
  }

  state(state: 'online' | 'offline'): void {
    this.#publish('state', {state})
  }

  info(): void {
    this.#publish('info', this.#source.info())
  }

  devices(): void {
    this.#devicesTimer?.cancel()
    this.#devicesTimer = undefined
    this.#publish('devices', [...this.#context.plugs.values()].map(deviceEntry))
  }

  /** Publishes the list of devices within a second or so, once for many changes. */
  devicesSoon(): void {
    const {clock, plugs} = this.#context
    const pause = Math.max(DEVICES_PAUSE_MS, plugs.size)
    this.#devicesTimer ??= clock.after(pause, () => this.devices())
  }

  health(): void {
    this.#publish('health', this.currentHealth())
  }

  /** The content of `B/bridge/health`. */
  currentHealth(): Record<string, unknown> {
    const {plugs, clock} = this.#context
    const now = clock.now()
    const dateOf = (at: number) => new Date(clock.date().getTime() - (now - at)).toISOString()
    const devices = Array.from(plugs.values(), (plug) => {
      const {lastResponseAt} = plug
      const last_seen = lastResponseAt === undefined ? null : dateOf(lastResponseAt)
      return [plug.name, {...plug.statistics(), queue: plug.device.waiting, last_seen}]
    })
    return {...this.#source.metrics(), devices: Object.fromEntries(devices)}
  }

  /** @param type one of those in docs/topics.md, "Events" */
  event(type: string, data: Record<string, unknown>): void {
    const {publisher, topics} = this.#context
    publisher.publish(transient(topics.bridge('event'), {type, data}))
  }

  /** A plug has another address now, or has restarted: the list of devices has the address. */
  plugEvent(type: 'device_moved' | 'device_rebooted', data: Record<string, unknown>): void {
    this.event(type, data)
    this.devicesSoon()
  }

  logging(warning: LoggedWarning): void {
    const {publisher, topics} = this.#context
    publisher.publish(transient(topics.bridge('logging'), warning))
  }

  #publishHealthRegularly(): void {
    const {clock, random} = this.#context
    this.health()
    this.#healthTimer = clock.after(jitter(HEALTH_MS, 0.02, random), () => this.#publishHealthRegularly())
  }

  #publish(leaf: 'state' | 'info' | 'devices' | 'health', value: unknown): void {
    const {publisher, topics} = this.#context
    publisher.publish(retained(topics.bridge(leaf), value))
  }
}

/** One entry of `B/bridge/devices`. */
function deviceEntry(plug: Plug) {
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

/** The entry is the same for all plugs of a model. For ten thousand plugs, a list for each would be tens of megabytes. */
const propertyLists = new WeakMap<Model, Map<EnergySource | undefined, unknown>>()

function propertiesOf(model: Model, energySource: EnergySource | undefined): unknown {
  const bySource = propertyLists.get(model) ?? new Map()
  propertyLists.set(model, bySource)
  if (!bySource.has(energySource)) {
    const list = Object.entries(model.properties).map(([name, property]) => ({
      name,
      kind: property.kind,
      ...valuesOf(property),
      access: property.kind === 'button' ? 'write' : isWritable(property) ? 'read_write' : 'read',
      ...(name === 'energy' ? {source: energySource} : {}),
    }))
    bySource.set(energySource, list)
  }
  return bySource.get(energySource)
}

/** Which values the property can have, and their unit. */
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
