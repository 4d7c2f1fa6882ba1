/** The discovery message of a plug: its Home Assistant device, with one component (entity) for each property of its model. */
import {isWritable, settable} from '../../device/codec/values.ts'
import type {Model, Property} from '../../models/model.ts'
import type {Topics} from '../../mqtt/topics.ts'
import type {EntityOverrides, Plug} from '../plug.ts'
import {
  availabilityOf,
  bridgeAvailability,
  bridgeId,
  type DeviceDiscovery,
  type DiscoveryComponent,
  type DiscoveryContext,
  type DiscoveryPayload,
  deviceId,
  displayName,
  MacOwners,
  origin,
  type Platforms,
  slug,
} from './discovery-message.ts'

/** The device id and the model of the plug must be known. */
export function plugDiscovery(
  plug: Plug,
  did: number,
  model: Model,
  {topics, version, macs = new MacOwners()}: DiscoveryContext,
): DeviceDiscovery {
  const id = deviceId(did)
  const {filtered = []} = plug.display
  const shown = Object.entries(model.properties).filter(([name]) => !filtered.includes(name))
  const properties = shown.map(([, property]) => property)
  const components = shown.map(([name, property]) => {
    const isNamed = !isNamedByClass(property, properties)
    return [name, component(plug, id, name, property, isNamed, topics)] as const
  })
  return {
    device: plugDevice(plug, did, model, topics, macs),
    origin: origin(version),
    state_topic: topics.state(plug.name),
    availability: [bridgeAvailability(topics), availabilityOf(plug.name, topics)],
    availability_mode: 'all',
    qos: 1,
    components: Object.fromEntries(components),
  }
}

/** Whether the plug is announced to Home Assistant: it is neither disabled nor excluded by the configuration. */
export function isAnnounced({disabled, display}: Plug): boolean {
  return !disabled && display.homeassistant?.enabled !== false
}

/** The components that an earlier run may have announced of a plug, when none are recorded: also those that are filtered out now. */
export function defaultPlatforms({properties}: Model): Platforms {
  return Object.fromEntries(Object.entries(properties).map(([name, {kind}]) => [name, kind]))
}

function plugDevice(
  plug: Plug,
  did: number,
  model: Model,
  topics: Topics,
  macs: MacOwners,
): DiscoveryPayload {
  const {identity} = plug.device
  const mac = identity.mac?.toLowerCase()
  const device = {
    identifiers: [deviceId(did)],
    connections: mac && macs.claim(mac, did) ? [['mac', mac]] : undefined,
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

/** @param isNamed whether the entity gets a name here, and not the name of its device class in Home Assistant */
function component(
  plug: Plug,
  id: string,
  name: string,
  property: Property,
  isNamed: boolean,
  topics: Topics,
): DiscoveryComponent {
  const overrides = plug.display.homeassistant?.entities?.[name] ?? {}
  const suffix = property.label === null ? '' : `_${name}`
  const icon = overrides.icon ?? (property.label === null ? plug.icon : property.icon)
  const common = {
    platform: property.kind,
    unique_id: `${id}_${name}`,
    default_entity_id: `${property.kind}.${slug(nameOf(plug)) || id}${suffix}`,
    ...(isNamed || overrides.name !== undefined ? {name: overrides.name ?? property.label} : {}),
    // An older retained state may lack the property. The default makes it "unknown", and Home Assistant logs no template error.
    ...(property.kind === 'button' ? {} : {value_template: `{{ value_json.${name} | default(none) }}`}),
    ...(property.category ? {entity_category: property.category} : {}),
    ...(icon ? {icon} : {}),
    ...((overrides.enabled ?? !property.disabledByDefault) ? {} : {enabled_by_default: false}),
  }
  const command = isWritable(property) ? topics.set(plug.name, name) : undefined
  return {...common, ...traits(property, command, overrides)}
}

/** The name of the device in Home Assistant. */
function nameOf({name, display}: Plug): string {
  return display.homeassistant?.name ?? displayName(name)
}

/**
 * The English names that Home Assistant gives to entities without a name, by device class. Home Assistant translates them, so a name that
 * would be the same is left out. Only for sensors: a switch without a name is called "MQTT Switch" there.
 */
const namesByClass: Readonly<Record<string, string>> = {
  power: 'Power',
  energy: 'Energy',
  voltage: 'Voltage',
  current: 'Current',
  power_factor: 'Power factor',
  temperature: 'Temperature',
  signal_strength: 'Signal strength',
  duration: 'Duration',
}

/** Whether the name of the device class will do: it is the same as the label, and no other sensor of the plug would have it. */
function isNamedByClass(property: Property, all: readonly Property[]): boolean {
  if (property.kind !== 'sensor' || property.deviceClass === undefined) return false
  const {deviceClass, label} = property
  const ofClass = all.filter((each) => each.kind === 'sensor' && each.deviceClass === deviceClass)
  return ofClass.length === 1 && namesByClass[deviceClass] === label
}

/** The keys of a component that depend on the kind of the property. */
function traits(
  property: Property,
  command_topic: string | undefined,
  overrides: EntityOverrides,
): DiscoveryPayload {
  const commands = command_topic === undefined ? {} : {command_topic}
  switch (property.kind) {
    case 'switch':
      return {device_class: overrides.device_class ?? property.deviceClass, ...commands}
    case 'binary_sensor':
      return {device_class: property.deviceClass}
    case 'sensor':
      return property.raw === 'number' ? measure(property) : textTraits(property)
    case 'number': {
      const {deviceClass: device_class, unit: unit_of_measurement} = property
      return {device_class, unit_of_measurement, ...settable(property), mode: 'box', ...commands}
    }
    case 'select':
      return {options: property.values.map(([, word]) => word), ...commands}
    case 'button':
      return {payload_press: 'PRESS', ...commands}
  }
}

function measure(property: Extract<Property, {raw: 'number'}>): DiscoveryPayload {
  return {
    device_class: property.deviceClass,
    state_class: property.stateClass,
    unit_of_measurement: property.unit,
    suggested_display_precision: Math.min(property.precision, mostDigits[property.unit]),
  }
}

/** How many digits after the point are meaningful: a lamp draws 0.053 A, and 230.123 V are no more than 230.1 V. */
const mostDigits: Readonly<Record<Extract<Property, {raw: 'number'}>['unit'], number>> = {
  kWh: 3,
  A: 3,
  W: 1,
  V: 1,
  mA: 1,
  '%': 1,
  '°C': 1,
  min: 1,
  dBm: 0,
}

function textTraits({deviceClass}: {deviceClass?: string}): DiscoveryPayload {
  return deviceClass ? {device_class: deviceClass} : {}
}
