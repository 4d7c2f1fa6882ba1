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
  const {identity} = plug.device
  const {filtered = []} = plug.display
  const mac = identity.mac?.toLowerCase()
  const shown = Object.entries(model.properties).filter(([name]) => !filtered.includes(name))
  const properties = shown.map(([, property]) => property)
  return {
    device: {
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
    },
    origin: origin(version),
    state_topic: topics.state(plug.name),
    availability: [bridgeAvailability(topics), availabilityOf(plug.name, topics)],
    availability_mode: 'all',
    qos: 1,
    components: Object.fromEntries(
      shown.map(([name, property]) => [
        name,
        component(plug, did, name, property, isNamedByClass(property, properties), topics),
      ]),
    ),
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

/** @param hasClassName whether the entity gets no name here, but that of its device class in Home Assistant */
function component(
  plug: Plug,
  did: number,
  name: string,
  property: Property,
  hasClassName: boolean,
  topics: Topics,
): DiscoveryComponent {
  const {kind, label} = property
  const id = deviceId(did)
  const overrides = plug.display.homeassistant?.entities?.[name] ?? {}
  const isEnabled = overrides.enabled ?? !property.disabledByDefault
  return {
    platform: kind,
    unique_id: `${id}_${name}`,
    default_entity_id: `${kind}.${slug(nameOf(plug)) || id}${label === null ? '' : `_${name}`}`,
    name: overrides.name ?? (hasClassName ? undefined : label),
    // An older retained state may lack the property. The default makes it "unknown", and Home Assistant logs no template error.
    value_template: kind === 'button' ? undefined : `{{ value_json.${name} | default(none) }}`,
    entity_category: property.category,
    icon: (overrides.icon ?? (label === null ? plug.icon : property.icon)) || undefined,
    enabled_by_default: isEnabled ? undefined : false,
    ...traits(property, overrides),
    command_topic: isWritable(property) ? topics.set(plug.name, name) : undefined,
  }
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
function traits(property: Property, overrides: EntityOverrides): DiscoveryPayload {
  switch (property.kind) {
    case 'switch':
      return {device_class: overrides.device_class ?? property.deviceClass}
    case 'binary_sensor':
      return {device_class: property.deviceClass}
    case 'sensor': {
      const {deviceClass: device_class} = property
      if (property.raw !== 'number') return {device_class}
      const {stateClass: state_class, unit: unit_of_measurement, precision} = property
      const suggested_display_precision = Math.min(precision, maxDigits[unit_of_measurement])
      return {device_class, state_class, unit_of_measurement, suggested_display_precision}
    }
    case 'number': {
      const {deviceClass: device_class, unit: unit_of_measurement} = property
      return {device_class, unit_of_measurement, ...settable(property), mode: 'box'}
    }
    case 'select':
      return {options: property.values.map(([, word]) => word)}
    case 'button':
      return {payload_press: 'PRESS'}
  }
}

/** How many digits after the point are meaningful: a lamp draws 0.053 A, and 230.123 V are no more than 230.1 V. */
const maxDigits: Readonly<Record<Extract<Property, {raw: 'number'}>['unit'], number>> = {
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
