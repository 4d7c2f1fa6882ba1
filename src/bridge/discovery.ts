/**
 * What Home Assistant is told of plugs, groups and the bridge: one device message each (contract §7). Its rules are strict and mostly
 * silent: an unknown key at the root, or `null` in `device`, loses the whole device, so every object here is closed and complete.
 */
import {createHash} from 'node:crypto'
import {isWritable} from '../device/values.ts'
import type {Model, Property} from '../models/model.ts'
import type {Topics} from '../mqtt/topics.ts'
import {logLevels} from './controls.ts'
import type {EntityLook, Plug} from './plug.ts'

export interface Around {
  topics: Topics
  /** Of the bridge itself. */
  version: string
}

export type Discovery = Readonly<Record<string, unknown>>

interface Component extends Discovery {
  platform: string
}

/** A device with the entities it has. */
export interface DeviceMessage extends Discovery {
  components: Readonly<Record<string, Component>>
}

/** By the key of a component. */
export type Platforms = Readonly<Record<string, string>>

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
  const plain = slug(base)
  return plain === base
    ? `miio2mqtt_bridge_${plain}`
    : `miio2mqtt_bridge_${plain}_${digest(base).slice(0, 8)}`
}

/** A plug of which device id and model are known. */
export function plugDiscovery(
  plug: Plug,
  did: number,
  model: Model,
  {topics, version}: Around,
): DeviceMessage {
  const id = deviceId(did)
  const {filtered = []} = plug.appearance
  const components = Object.entries(model.properties)
    .filter(([name]) => !filtered.includes(name))
    .map(([name, property]) => [name, component(plug, id, name, property, topics)] as const)
  return {
    device: plugDevice(plug, did, model, topics),
    origin: origin(version),
    state_topic: topics.state(plug.name),
    availability: [bridgeAvailability(topics), availabilityOf(plug.name, topics)],
    availability_mode: 'all',
    qos: 1,
    components: Object.fromEntries(components),
  }
}

/** Whether Home Assistant is to know of the plug. */
export function isAnnounced({disabled, appearance}: Plug): boolean {
  return !disabled && appearance.homeassistant?.enabled !== false
}

/** The platform of every component, by its key: what has to be remembered of a message to know later what vanished. */
export function platformsOf({components}: DeviceMessage): Platforms {
  return Object.fromEntries(Object.entries(components).map(([key, {platform}]) => [key, platform]))
}

/** What a plug of the model has been as far as anybody remembers. An earlier run may have told of what is filtered now. */
export function usualPlatforms({properties}: Model): Platforms {
  return Object.fromEntries(Object.entries(properties).map(([name, {kind}]) => [name, kind]))
}

/**
 * What is to be sent before `message`, 2 s ahead, when components of an earlier one are not in it any more: those with nothing
 * but their platform, by which Home Assistant removes them. What is merely left out stays there as an orphan (contract §7).
 * @returns `undefined` when nothing vanished
 */
export function withoutVanished(before: Platforms, message: DeviceMessage): DeviceMessage | undefined {
  const now = platformsOf(message)
  const vanished = Object.entries(before).filter(([key, platform]) => now[key] !== platform)
  if (vanished.length === 0) return undefined
  const removed = vanished.map(([key, platform]) => [key, {platform}])
  return {...message, components: {...message.components, ...Object.fromEntries(removed)}}
}

function plugDevice(plug: Plug, did: number, model: Model, topics: Topics): Discovery {
  const {identity} = plug.device
  const device = {
    identifiers: [deviceId(did)],
    connections: identity.mac ? [['mac', identity.mac]] : undefined,
    name: nameOf(plug),
    manufacturer: model.vendor,
    model: model.name,
    model_id: identity.model,
    hw_version: identity.hardware,
    sw_version: identity.firmware,
    serial_number: String(did),
    suggested_area: plug.area,
    via_device: bridgeId(topics.base),
  }
  return Object.fromEntries(Object.entries(device).filter(([, value]) => value !== undefined))
}

function component(plug: Plug, id: string, name: string, property: Property, topics: Topics): Component {
  const look = plug.appearance.homeassistant?.entities?.[name] ?? {}
  const suffix = property.label === null ? '' : `_${name}`
  const icon = look.icon ?? (property.label === null ? plug.icon : property.icon)
  const common = {
    platform: property.kind,
    unique_id: `${id}_${name}`,
    default_entity_id: `${property.kind}.${slug(nameOf(plug)) || id}${suffix}`,
    name: look.name ?? property.label,
    // A state from before the plug had this property says nothing of it: unknown, and nothing for Home Assistant to log.
    ...(property.kind === 'button' ? {} : {value_template: `{{ value_json.${name} | default(none) }}`}),
    ...(property.category ? {entity_category: property.category} : {}),
    ...(icon ? {icon} : {}),
    ...((look.enabled ?? !property.disabledByDefault) ? {} : {enabled_by_default: false}),
  }
  const command = isWritable(property) ? topics.set(plug.name, name) : undefined
  return {...common, ...traits(property, command, look)}
}

/** What Home Assistant calls the plug. */
function nameOf({name, appearance}: Plug): string {
  return appearance.homeassistant?.name ?? name
}

/** What Home Assistant needs to know of each kind, beside what is the same for all. */
function traits(property: Property, command_topic: string | undefined, look: EntityLook): Discovery {
  const commands = command_topic === undefined ? {} : {command_topic}
  switch (property.kind) {
    case 'switch':
      return {device_class: look.device_class ?? property.deviceClass, ...commands}
    case 'binary_sensor':
      return {device_class: property.deviceClass}
    case 'sensor':
      return property.raw === 'number' ? measure(property) : textTraits(property)
    case 'number': {
      const {deviceClass: device_class, unit: unit_of_measurement, min, max, step} = property
      return {device_class, unit_of_measurement, min, max, step, mode: 'box', ...commands}
    }
    case 'select':
      return {options: property.values.map(([, word]) => word), ...commands}
    case 'button':
      return {payload_press: 'PRESS', ...commands}
  }
}

function measure(property: Extract<Property, {raw: 'number'}>): Discovery {
  return {
    device_class: property.deviceClass,
    state_class: property.stateClass,
    unit_of_measurement: property.unit,
    suggested_display_precision: Math.min(property.precision, property.deviceClass === 'energy' ? 3 : 1),
  }
}

function textTraits({deviceClass}: {deviceClass?: string}): Discovery {
  return deviceClass ? {device_class: deviceClass} : {}
}

/** A group as Home Assistant sees it. */
interface GroupLook {
  name: string
  area?: string
  icon?: string
}

/** A group is its topic: it has nothing else that stays, and no other bridge at this broker has the same. */
export function groupId(name: string, topics: Topics): string {
  const parts = ['miio2mqtt_group', slug(name), digest(topics.state(name)).slice(0, 8)]
  return parts.filter((part) => part !== '').join('_')
}

/** A group: a device with one switch, as a plug has it. */
export function groupDiscovery({name, area, icon}: GroupLook, {topics, version}: Around): Discovery {
  const id = groupId(name, topics)
  return {
    device: {
      identifiers: [id],
      name,
      manufacturer: 'miio2mqtt',
      model: 'Group',
      ...(area ? {suggested_area: area} : {}),
      via_device: bridgeId(topics.base),
    },
    origin: origin(version),
    state_topic: topics.state(name),
    availability: [bridgeAvailability(topics), availabilityOf(name, topics)],
    availability_mode: 'all',
    qos: 1,
    components: {
      state: {
        platform: 'switch',
        unique_id: `${id}_state`,
        default_entity_id: `switch.${slug(name) || id}`,
        name: null,
        value_template: '{{ value_json.state }}',
        command_topic: topics.set(name, 'state'),
        ...(icon ? {icon} : {}),
      },
    },
  }
}

/** The bridge itself: a device that all plugs hang on. */
export function bridgeDiscovery({topics, version}: Around): DeviceMessage {
  return {
    device: {
      identifiers: [bridgeId(topics.base)],
      name: topics.base === 'miio2mqtt' ? 'miio2mqtt' : `miio2mqtt (${topics.base})`,
      manufacturer: 'miio2mqtt',
      model: 'Bridge',
      sw_version: version,
    },
    origin: origin(version),
    components: {
      connection: bridgeConnection(topics),
      version: bridgeVersion(topics),
      log_level: bridgeLogLevel(topics),
      restart: bridgeButton('restart', 'Restart', topics, {
        entity_category: 'config',
        device_class: 'restart',
      }),
      discover: bridgeButton('discover', 'Discover plugs', topics, {
        entity_category: 'diagnostic',
        icon: 'mdi:magnify',
      }),
    },
  }
}

/** Shows `off` while everything else of the bridge is unavailable: so it has no availability of its own. */
function bridgeConnection(topics: Topics): Component {
  return {
    ...bridgeEntity('binary_sensor', 'connection', 'Connection', topics),
    device_class: 'connectivity',
    entity_category: 'diagnostic',
    state_topic: topics.bridge('state'),
    value_template: '{{ value_json.state }}',
    payload_on: 'online',
    payload_off: 'offline',
  }
}

function bridgeVersion(topics: Topics): Component {
  return {
    ...bridgeEntity('sensor', 'version', 'Version', topics),
    entity_category: 'diagnostic',
    icon: 'mdi:tag',
    state_topic: topics.bridge('info'),
    value_template: '{{ value_json.version }}',
    availability: [bridgeAvailability(topics)],
  }
}

function bridgeLogLevel(topics: Topics): Component {
  return {
    ...bridgeEntity('select', 'log_level', 'Log level', topics),
    entity_category: 'config',
    icon: 'mdi:text-long',
    options: logLevels,
    state_topic: topics.bridge('info'),
    value_template: '{{ value_json.log_level }}',
    command_topic: topics.request('options'),
    command_template: '{"log_level":"{{ value }}"}',
    availability: [bridgeAvailability(topics)],
  }
}

/** Sends the request of the same name. */
function bridgeButton(verb: string, name: string, topics: Topics, look: Discovery): Component {
  return {
    ...bridgeEntity('button', verb, name, topics),
    ...look,
    command_topic: topics.request(verb),
    payload_press: '{}',
    availability: [bridgeAvailability(topics)],
  }
}

function bridgeEntity(platform: string, key: string, name: string, {base}: Topics) {
  return {
    platform,
    unique_id: `${bridgeId(base)}_${key}`,
    default_entity_id: `${platform}.${slug(base) || bridgeId(base)}_${key}`,
    name,
  }
}

function availabilityOf(name: string, topics: Topics) {
  return {topic: topics.availability(name), value_template: '{{ value_json.state }}'}
}

function bridgeAvailability(topics: Topics) {
  return {topic: topics.bridge('state'), value_template: '{{ value_json.state }}'}
}

function origin(version: string) {
  return {name: 'miio2mqtt', sw_version: version}
}

/** `Küche/Kessel 2` is `kuche_kessel_2`: what Home Assistant itself would make of it. */
function slug(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return plain.replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '')
}

/** Short, and the same for the same text. */
export function digest(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}
