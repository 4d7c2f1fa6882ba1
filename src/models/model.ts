/**
 * What a plug is, as data: what it can tell and do (`Property`), and where in its firmware that is found (`Address`).
 * The two are independent of each other, so that a new kind of either breaks exactly the `switch` that must learn it.
 */

/** What a property is worth on MQTT: `ON`/`OFF`, a number in the property's unit, a word, or `null` when unknown. */
export type Value = 'ON' | 'OFF' | number | string | null

/** How an on/off value looks in the firmware. Read leniently, since it changed between versions; written as given. */
export type Switching = 'text' | 'boolean'

/** Where a value lives in the firmware, and how it is changed. */
export type Address =
  /** One name of a `get_prop` list, answered by position. */
  | {via: 'get_prop'; name: string; write?: Write}
  /** A method of its own that answers `[value]`. */
  | {via: 'method'; method: string}

/** How a legacy property is written: a method that takes the value, or one method for each of the two values. */
export type Write = {method: string} | {on: string; off: string}

interface Common {
  address: Address
  /** What Home Assistant calls it; `null` for the one thing the plug is for, which has the plug's own name. */
  label: string | null
  /** `fast` is read at every poll, `slow` rarely. */
  lane: 'fast' | 'slow'
  /** Read in a request of its own, so that firmware without it spoils nothing else. */
  alone?: true
  category?: 'config' | 'diagnostic'
  icon?: string
}

/** In Home Assistant's own words, so that nothing has to be translated twice. */
export type Property =
  | (Common & {kind: 'switch'; deviceClass: 'outlet' | 'switch'; raw: Switching})
  | (Common & {
      kind: 'sensor'
      deviceClass: 'power' | 'temperature'
      stateClass: 'measurement'
      unit: 'W' | '°C'
      /** Firmware value × scale = value in `unit`. */
      scale: number
      /** Digits after the point that the firmware can really tell. */
      precision: number
    })

export interface Model {
  /** As `miIO.info` names them: one definition may serve several. */
  ids: readonly string[]
  /** What is printed on the box. */
  name: string
  vendor: string
  /** In the order in which `get_prop` asks for them: some firmware insists on its own list. */
  properties: Readonly<Record<string, Property>>
  /** All `get_prop` names are always asked in one list, never a part of it, when firmware chokes on any other list. */
  exactList?: true
}
