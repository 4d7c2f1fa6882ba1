/**
 * Types of a plug's definition: its properties (`Property`), and where each is found in the firmware (`Address`). The two are independent
 * of each other: a new kind of either does not compile until every `switch` over the kinds handles it.
 */

/** The value of a property on MQTT: `ON`/`OFF`, a number in the property's unit, text, or `null` when unknown. */
export type Value = 'ON' | 'OFF' | number | string | null

/** A value in the form of the firmware. */
export type RawValue = boolean | number | string | null

/** The form of an on/off value in the firmware. It changed between versions, so every form is read; this one is written. */
export type RawSwitchType = 'text' | 'boolean'

/** Where a value is found in the firmware, and how it is written. */
export type Address =
  /** One name of a `get_prop` list, whose response is a list in the same order. */
  | {via: 'get_prop'; name: string; write?: WriteMethod}
  /** A method without parameters whose result is `[value]`. */
  | {via: 'method'; method: string}
  /** A property of the MIoT specification: service and property id, items of `get_properties` and `set_properties`. */
  | {via: 'miot'; siid: number; piid: number}
  /** An action of the MIoT specification. It has no value: Home Assistant shows it as a button. */
  | {via: 'action'; siid: number; aiid: number}
  /** A part of the response to `miIO.info`, which every plug has. */
  | {via: 'info'; part: 'rssi'}
  /** Not in the plug: computed by the bridge. */
  | {via: 'bridge'}

/** How a legacy property is written: a method that takes the value, or one method for each of the two values. */
export type WriteMethod = {method: string} | {on: string; off: string}

/** How often a property is read: `fast` at every poll, `slow` less often, `rare` hardly ever (of little use, or risky to request). */
export type PollTier = 'fast' | 'slow' | 'rare'

interface Common {
  address: Address
  /** The name in Home Assistant; `null` for the main relay, which has the name of the plug itself. */
  label: string | null
  lane: PollTier
  /** Read in a request of its own, so that firmware without this property fails nothing else. */
  alone?: true
  category?: 'config' | 'diagnostic'
  icon?: string
  /** Of little use to most users: Home Assistant has the entity, disabled until the user enables it. */
  disabledByDefault?: true
  /** The sources of scale, unit or meaning, and the decision where sources contradict each other. */
  evidence?: string
}

/** How a number of the firmware becomes the value of the property. */
export interface ScaledProperty {
  /** Firmware value × scale + offset = value in `unit`. */
  scale: number
  offset?: number
  /** Digits after the decimal point that the firmware really has. */
  precision: number
}

/** The kinds, classes and units are those of Home Assistant, so that discovery needs no translation. */
export type Property =
  | (Common & {kind: 'switch'; deviceClass: 'outlet' | 'switch'; raw: RawSwitchType})
  /** `on` lists the firmware values that mean ON, where that is not simply `true`: a fault code has a value for each fault. */
  | (Common & {kind: 'binary_sensor'; deviceClass: 'heat' | 'problem'; on?: readonly RawValue[]})
  | (Common & NumberSensor)
  | (Common & {kind: 'sensor'; raw: 'text'; deviceClass?: 'timestamp'})
  | (Common & NumberSetting)
  /** The values of the firmware, and their names on MQTT. */
  | (Common & {kind: 'select'; values: readonly (readonly [raw: RawValue, word: string])[]})
  | (Common & {kind: 'button'})

interface NumberSensor extends ScaledProperty {
  kind: 'sensor'
  raw: 'number'
  deviceClass:
    | 'power'
    | 'energy'
    | 'voltage'
    | 'current'
    | 'power_factor'
    | 'temperature'
    | 'signal_strength'
    | 'duration'
  stateClass: 'measurement' | 'total_increasing'
  unit: 'W' | 'kWh' | 'V' | 'A' | 'mA' | '%' | '°C' | 'dBm' | 'min'
}

interface NumberSetting extends ScaledProperty {
  kind: 'number'
  deviceClass: 'power' | 'duration'
  unit: 'W' | 'min'
  /** In `unit`, like `max` and `step`. */
  min: number
  max: number
  step: number
}

export interface Model {
  /** Model ids, as `miIO.info` reports them. One definition may serve several. */
  ids: readonly string[]
  /** The product name on the box. */
  name: string
  vendor: string
  /** The kind of evidence: a cited report from real hardware, the vendor's specification, or inferred from other models. */
  confidence: 'hardware' | 'vendor' | 'inferred'
  /** The sources of the definition as a whole. */
  evidence: string
  /** The relay first. `get_prop` requests them in this order, since some firmware accepts only its own list. */
  properties: Readonly<Record<string, Property>>
  /** For firmware that fails on any other list: all `get_prop` names are always requested in one list. */
  exactList?: true
  /** The largest number of values in one request. */
  batch?: number
  /** The shortest poll interval, milliseconds, for firmware that fails when it is polled often. */
  interval?: number
  /** Milliseconds between two requests of one poll, for firmware that fails on a burst. */
  pause?: number
}
