/**
 * What a plug is, as data: what it can tell and do (`Property`), and where in its firmware that is found (`Address`).
 * The two are independent of each other, so that a new kind of either breaks exactly the `switch` that must learn it.
 */

/** What a property is worth on MQTT: `ON`/`OFF`, a number in the property's unit, a word, or `null` when unknown. */
export type Value = 'ON' | 'OFF' | number | string | null

/** A value as the firmware has it. */
export type RawValue = boolean | number | string | null

/** How an on/off value looks in the firmware. Read leniently, since it changed between versions; written as given. */
export type RawSwitchType = 'text' | 'boolean'

/** Where a value lives in the firmware, and how it is changed. */
export type Address =
  /** One name of a `get_prop` list, answered by position. */
  | {via: 'get_prop'; name: string; write?: WriteMethod}
  /** A method of its own that answers `[value]`. */
  | {via: 'method'; method: string}
  /** A property of the MIoT specification: service and property id, items of `get_properties` and `set_properties`. */
  | {via: 'miot'; siid: number; piid: number}
  /** An action of the MIoT specification. It has no value, and is pressed like a button. */
  | {via: 'action'; siid: number; aiid: number}
  /** A part of the answer to `miIO.info`, which every plug has. */
  | {via: 'info'; part: 'rssi'}
  /** Not in the plug: worked out by the bridge. */
  | {via: 'bridge'}

/** How a legacy property is written: a method that takes the value, or one method for each of the two values. */
export type WriteMethod = {method: string} | {on: string; off: string}

/** `fast` is read at every poll, `slow` rarely, `rare` hardly ever: what is seldom wanted, or risky to ask for. */
export type PollTier = 'fast' | 'slow' | 'rare'

interface Common {
  address: Address
  /** What Home Assistant calls it; `null` for the one thing the plug is for, which has the plug's own name. */
  label: string | null
  lane: PollTier
  /** Read in a request of its own, so that firmware without it spoils nothing else. */
  alone?: true
  category?: 'config' | 'diagnostic'
  icon?: string
  /** Hardly anybody wants it: there, but off in Home Assistant until somebody asks for it. */
  disabledByDefault?: true
  /** Where scale, unit or meaning is known from, and what was decided between sources that contradict each other. */
  evidence?: string
}

/** How the firmware's numbers become the property's. */
export interface ScaledProperty {
  /** Firmware value × scale + offset = value in `unit`. */
  scale: number
  offset?: number
  /** Digits after the point that the firmware can really tell. */
  precision: number
}

/** In Home Assistant's own words, so that nothing has to be translated twice. */
export type Property =
  | (Common & {kind: 'switch'; deviceClass: 'outlet' | 'switch'; raw: RawSwitchType})
  /** `on` lists the firmware's values that mean ON, where they are not simply true: one fault code tells of many things. */
  | (Common & {kind: 'binary_sensor'; deviceClass: 'heat' | 'problem'; on?: readonly RawValue[]})
  | (Common & NumberSensor)
  | (Common & {kind: 'sensor'; raw: 'text'; deviceClass?: 'timestamp'})
  | (Common & NumberSetting)
  /** The firmware's values and what they are called. */
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

/** How sure a definition is: a cited report from real hardware, the vendor's specification, or a conclusion from others. */
export type Confidence = 'hardware' | 'vendor' | 'inferred'

export interface Model {
  /** As `miIO.info` names them: one definition may serve several. */
  ids: readonly string[]
  /** What is printed on the box. */
  name: string
  vendor: string
  confidence: Confidence
  /** The sources of the definition as a whole. */
  evidence: string
  /** The relay first: what the plug is for. `get_prop` asks in this order: some firmware insists on its own list. */
  properties: Readonly<Record<string, Property>>
  /** All `get_prop` names are always asked in one list, never a part of it, when firmware chokes on any other list. */
  exactList?: true
  /** The most values one request may ask for. */
  batch?: number
  /** Never polled more often than this, milliseconds, when firmware suffers from it. */
  interval?: number
  /** Milliseconds between two questions of one poll, when firmware suffers from a burst. */
  pause?: number
}
