/**
 * What Home Assistant is told of plugs and of the bridge: one device message each (contract §7). Its rules are strict and mostly
 * silent: an unknown key at the root, or `null` in `device`, loses the whole device, so every object here is closed and complete.
 */
import {createHash} from 'node:crypto'
import {isWritable} from '../device/values.ts'
import type {Model, Property} from '../models/model.ts'
import type {Topics} from '../mqtt/topics.ts'
import type {Plug} from './plug.ts'
import {logLevels} from './requests.ts'

export interface Around {
  topics: Topics
  /** Of the bridge itself. */
  version: string
}

export type Discovery = Readonly<Record<string, unknown>>

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
export function plugDiscovery(plug: Plug, did: number, model: Model, {topics, version}: Around): Discovery {
  const id = deviceId(did)
  const components = Object.entries(model.properties).map(([name, property]) => [
    name,
    component(plug, id, name, property, topics),
  ])
  return {
    device: plugDevice(plug, did, model, topics),
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

function plugDevice(plug: Plug, did: number, model: Model, topics: Topics): Discovery {
  const {identity} = plug.device
  const device = {
    identifiers: [deviceId(did)],
    connections: identity.mac ? [['mac', identity.mac]] : undefined,
    name: plug.name,
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

function component(plug: Plug, id: string, name: string, property: Property, topics: Topics): Discovery {
  const suffix = property.label === null ? '' : `_${name}`
  const icon = property.label === null ? plug.icon : property.icon
  const common = {
    platform: property.kind,
    unique_id: `${id}_${name}`,
    default_entity_id: `${property.kind}.${slug(plug.name) || id}${suffix}`,
    name: property.label,
    ...(property.kind === 'button' ? {} : {value_template: `{{ value_json.${name} }}`}),
    ...(property.category ? {entity_category: property.category} : {}),
    ...(icon ? {icon} : {}),
    ...(property.disabledByDefault ? {enabled_by_default: false} : {}),
  }
  return {...common, ...traits(property, isWritable(property) ? topics.set(plug.name, name) : undefined)}
}

/** What Home Assistant needs to know of each kind, beside what is the same for all. */
function traits(property: Property, command_topic: string | undefined): Discovery {
  const commands = command_topic === undefined ? {} : {command_topic}
  switch (property.kind) {
    case 'switch':
      return {device_class: property.deviceClass, ...commands}
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

/** The bridge itself: a device that all plugs hang on. */
export function bridgeDiscovery({topics, version}: Around): Discovery {
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
function bridgeConnection(topics: Topics): Discovery {
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

function bridgeVersion(topics: Topics): Discovery {
  return {
    ...bridgeEntity('sensor', 'version', 'Version', topics),
    entity_category: 'diagnostic',
    icon: 'mdi:tag',
    state_topic: topics.bridge('info'),
    value_template: '{{ value_json.version }}',
    availability: [bridgeAvailability(topics)],
  }
}

function bridgeLogLevel(topics: Topics): Discovery {
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
function bridgeButton(verb: string, name: string, topics: Topics, look: Discovery): Discovery {
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
