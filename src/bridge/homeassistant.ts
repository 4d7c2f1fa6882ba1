/**
 * Plugs and the bridge in Home Assistant: one retained device message each (contract §7). Its rules are strict and mostly
 * silent: an unknown key at the root, or `null` in `device`, loses the whole device, so every object here is closed and complete.
 */
import {createHash} from 'node:crypto'
import {type Clock, type Random, sleep, type Timer} from '../clock.ts'
import {isWritable} from '../device/values.ts'
import type {Property} from '../models/model.ts'
import type {Topics} from '../mqtt/topics.ts'
import type {Plug} from './plug.ts'
import {type Publisher, retained} from './publisher.ts'

export interface HomeAssistantOptions {
  publisher: Publisher
  topics: Topics
  prefix: string
  version: string
  clock: Clock
  random: Random
  /** Publishes availability and state of everything, once Home Assistant has had time to subscribe. */
  announce: () => void
  plugs: ReadonlyMap<string, Plug>
}

export type Component = Readonly<Record<string, unknown>> & {platform: string; unique_id: string}
type Discovery = Readonly<Record<string, unknown>>

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error']
const HOMEPAGE = 'https://github.com/miio2mqtt/miio2mqtt'
/** Two different messages for one device within 2 s make Home Assistant drop part of the second. */
const APART_MS = 2000
/** Everybody answers Home Assistant's birth: not all at once. */
const BIRTH_DELAY_MS = {least: 500, most: 3000}
/** What was just discovered is subscribed to a moment later. */
const SUBSCRIBE_MS = 1000

export class HomeAssistant {
  readonly #options: HomeAssistantOptions
  readonly #sent = new Map<string, {digest: string; at: number}>()
  readonly #delayed = new Map<string, Timer>()
  #birth: AbortController | undefined

  constructor(options: HomeAssistantOptions) {
    this.#options = options
  }

  /** From now on what the plug tells of itself is passed on. */
  follow(plug: Plug): void {
    plug.device.on('identified', () => this.discover(plug))
  }

  stop(): void {
    this.#birth?.abort()
    for (const timer of this.#delayed.values()) timer.cancel()
  }

  /** Everything, whether or not it was sent before: the broker may have forgotten, or Home Assistant may be new. */
  discoverAll(): void {
    this.#sent.clear()
    const {publisher, prefix, topics} = this.#options
    publisher.publish(retained(discoveryTopic(prefix, bridgeId(topics.base)), this.#bridgeDevice()))
    for (const plug of this.#options.plugs.values()) this.discover(plug)
  }

  /** One plug, as soon as its identity and its model are known. */
  discover(plug: Plug): void {
    const {did} = plug
    if (did === undefined || !plug.device.model || plug.disabled) return
    const payload = JSON.stringify(plugDevice(plug, did, this.#options))
    const digest = createHash('sha1').update(payload).digest('base64')
    const id = deviceId(did)
    const before = this.#sent.get(id)
    const now = this.#options.clock.now()
    this.#delayed.get(id)?.cancel()
    this.#delayed.delete(id)
    if (before && before.digest !== digest && now - before.at < APART_MS) {
      this.#delayed.set(
        id,
        this.#options.clock.after(APART_MS - (now - before.at), () => this.discover(plug)),
      )
      return
    }
    this.#sent.set(id, {digest, at: now})
    this.#options.publisher.publish({
      topic: discoveryTopic(this.#options.prefix, id),
      payload,
      retain: true,
      qos: 1,
    })
  }

  /** A message on Home Assistant's status topic. Ten births in a second are answered once; a retained one is an old one. */
  async born(payload: string, isRetained: boolean): Promise<void> {
    if (payload !== 'online' || isRetained || this.#birth) return
    this.#birth = new AbortController()
    const {clock, random, announce} = this.#options
    const {least, most} = BIRTH_DELAY_MS
    await sleep(clock, least + random() * (most - least), this.#birth.signal)
    const stopped = this.#birth.signal.aborted
    this.#birth = undefined
    if (stopped) return
    this.discoverAll()
    const pause = new AbortController()
    this.#birth = pause
    await sleep(clock, SUBSCRIBE_MS, pause.signal)
    this.#birth = undefined
    if (!pause.signal.aborted) announce()
  }

  #bridgeDevice(): Discovery {
    const {topics, version} = this.#options
    const id = bridgeId(topics.base)
    const availability = [bridgeAvailability(topics)]
    const command = (verb: string) => ({command_topic: topics.request(verb), availability})
    const info = (key: string) => ({
      state_topic: topics.bridge('info'),
      value_template: `{{ value_json.${key} }}`,
    })
    return {
      device: {
        identifiers: [id],
        name: `miio2mqtt (${topics.base})`,
        manufacturer: 'miio2mqtt',
        model: 'Bridge',
        sw_version: version,
      },
      origin: origin(version),
      components: {
        connection: {
          platform: 'binary_sensor',
          unique_id: `${id}_connection`,
          name: 'Connection',
          device_class: 'connectivity',
          entity_category: 'diagnostic',
          state_topic: topics.bridge('state'),
          value_template: '{{ value_json.state }}',
          payload_on: 'online',
          payload_off: 'offline',
        },
        version: {
          platform: 'sensor',
          unique_id: `${id}_version`,
          name: 'Version',
          entity_category: 'diagnostic',
          icon: 'mdi:tag',
          ...info('version'),
          availability,
        },
        log_level: {
          platform: 'select',
          unique_id: `${id}_log_level`,
          name: 'Log level',
          entity_category: 'config',
          icon: 'mdi:text-long',
          options: LOG_LEVELS,
          ...info('log_level'),
          ...command('options'),
          command_template: '{"log_level":"{{ value }}"}',
        },
        restart: {
          platform: 'button',
          unique_id: `${id}_restart`,
          name: 'Restart',
          entity_category: 'config',
          device_class: 'restart',
          ...command('restart'),
          payload_press: '{}',
        },
        discover: {
          platform: 'button',
          unique_id: `${id}_discover`,
          name: 'Discover plugs',
          entity_category: 'diagnostic',
          icon: 'mdi:magnify',
          ...command('discover'),
          payload_press: '{}',
        },
      },
    }
  }
}

/** @param id of the device, as HA uses it in topics: `[a-zA-Z0-9_-]+` */
export function discoveryTopic(prefix: string, id: string): string {
  return `${prefix}/device/${id}/config`
}

/** A plug is its did: neither name nor address may appear in what Home Assistant keeps for ever. */
export function deviceId(did: number): string {
  return `miio2mqtt_${did}`
}

/** Several bridges may share a broker, each with its own base topic. */
export function bridgeId(base: string): string {
  return `miio2mqtt_bridge_${slug(base)}`
}

function plugDevice(plug: Plug, did: number, {topics, version}: HomeAssistantOptions): Discovery {
  const {model, identity} = plug.device
  const id = deviceId(did)
  const device = {
    identifiers: [id],
    connections: identity.mac ? [['mac', identity.mac]] : undefined,
    name: plug.name,
    manufacturer: model?.vendor,
    model: model?.name,
    model_id: identity.model,
    hw_version: identity.hardware,
    sw_version: identity.firmware,
    serial_number: String(did),
    suggested_area: plug.area,
    via_device: bridgeId(topics.base),
  }
  const components = Object.entries(model?.properties ?? {}).map(([name, property]) => [
    name,
    component(plug, id, name, property, topics),
  ])
  return {
    device: Object.fromEntries(Object.entries(device).filter(([, value]) => value !== undefined)),
    origin: origin(version),
    state_topic: topics.state(plug.name),
    availability: [
      bridgeAvailability(topics),
      {topic: topics.availability(plug.name), value_template: '{{ value_json.state }}'},
    ],
    availability_mode: 'all',
    qos: 1,
    components: Object.fromEntries(components),
  }
}

function component(plug: Plug, id: string, name: string, property: Property, topics: Topics): Component {
  const suffix = property.label === null ? '' : `_${name}`
  const icon = property.label === null ? plug.icon : property.icon
  const common = {
    platform: property.kind,
    unique_id: `${id}_${name}`,
    default_entity_id: `${property.kind}.${slug(plug.name) || id}${suffix}`,
    name: property.label,
    value_template: `{{ value_json.${name} }}`,
    ...(property.category ? {entity_category: property.category} : {}),
    ...(icon ? {icon} : {}),
  }
  switch (property.kind) {
    case 'switch':
      return {
        ...common,
        device_class: property.deviceClass,
        ...(isWritable(property) ? {command_topic: topics.set(plug.name, name)} : {}),
      }
    case 'sensor':
      return {
        ...common,
        device_class: property.deviceClass,
        state_class: property.stateClass,
        unit_of_measurement: property.unit,
        suggested_display_precision: Math.min(property.precision, 1),
      }
  }
}

function bridgeAvailability(topics: Topics) {
  return {topic: topics.bridge('state'), value_template: '{{ value_json.state }}'}
}

function origin(version: string) {
  return {name: 'miio2mqtt', sw_version: version, support_url: HOMEPAGE}
}

/** `Küche/Kessel 2` is `kuche_kessel_2`: what Home Assistant itself would make of it. */
function slug(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return plain.replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '')
}
