/**
 * Table of the builders that definitions in files may use, by their name in files; and the builder that the name of a property implies.
 * Every function of builders.ts that files may use has its row here.
 */

import * as builders from './builders.ts'
import type {Address, Property, RawValue} from './model.ts'
import {isKnownPropertyName, propertyPattern} from './property-names.ts'

type SwitchOptions = NonNullable<Parameters<typeof builders.relay>[1]>
type SensorOptions = NonNullable<Parameters<typeof builders.watts>[1]>
type NumberOptions = NonNullable<Parameters<typeof builders.countdown>[1]>
type SelectOptions = NonNullable<Parameters<typeof builders.mode>[2]>
type AlarmOptions = NonNullable<Parameters<typeof builders.overload>[1]>
type TextOptions = NonNullable<Parameters<typeof builders.textSensor>[2]>
type ButtonOptions = NonNullable<Parameters<typeof builders.button>[2]>
type Values = readonly (readonly [RawValue, string])[]

/** Makes a property. `name` gives the label where the builder has none of its own. */
type Make<Options> = (name: string, address: Address, options: Options) => Property

export type BuilderEntry =
  | {kind: 'switch'; make: Make<SwitchOptions>}
  | {kind: 'binary_sensor'; make: Make<AlarmOptions>}
  | {kind: 'sensor'; make: Make<SensorOptions>}
  | {kind: 'text'; make: Make<TextOptions>}
  | {kind: 'number'; make: Make<NumberOptions>}
  | {
      kind: 'select'
      make: (name: string, address: Address, values: Values, options: SelectOptions) => Property
      /** The only names for its values; missing where every plug has values of its own. */
      choice?: readonly string[]
    }
  | {kind: 'button'; make: Make<ButtonOptions>}

const behaviors = ['off', 'on', 'previous'] as const

/** Every builder that a file may use, by its name in files. */
export const builderTable: ReadonlyMap<string, BuilderEntry> = new Map<string, BuilderEntry>([
  ['relay', {kind: 'switch', make: plain(builders.relay)}],
  ['socket', {kind: 'switch', make: socket}],
  ['on_off', {kind: 'switch', make: labelled(builders.onOff)}],
  ['usb', {kind: 'switch', make: plain(builders.usb)}],
  ['led', {kind: 'switch', make: plain(builders.led)}],
  ['child_lock', {kind: 'switch', make: plain(builders.childLock)}],
  ['setting', {kind: 'switch', make: labelled(builders.setting)}],
  ['watts', {kind: 'sensor', make: plain(builders.watts)}],
  ['kilowatt_hours', {kind: 'sensor', make: plain(builders.kilowattHours)}],
  ['volts', {kind: 'sensor', make: plain(builders.volts)}],
  ['amperes', {kind: 'sensor', make: plain(builders.amperes)}],
  ['power_factor', {kind: 'sensor', make: plain(builders.powerFactor)}],
  ['leakage', {kind: 'sensor', make: plain(builders.leakage)}],
  ['celsius', {kind: 'sensor', make: plain(builders.celsius)}],
  ['minutes', {kind: 'sensor', make: labelled(builders.minutes)}],
  ['countdown', {kind: 'number', make: plain(builders.countdown)}],
  ['minutes_setting', {kind: 'number', make: labelled(builders.minutesSetting)}],
  ['watts_setting', {kind: 'number', make: labelled(builders.wattsSetting)}],
  ['power_on_behavior', {kind: 'select', make: powerOnBehavior, choice: behaviors}],
  ['mode', {kind: 'select', make: mode}],
  ['over_temperature', {kind: 'binary_sensor', make: plain(builders.overTemperature)}],
  ['overload', {kind: 'binary_sensor', make: plain(builders.overload)}],
  ['text', {kind: 'text', make: labelled(builders.textSensor)}],
  ['button', {kind: 'button', make: labelled(builders.button)}],
])

/** The builders that names of property-names.ts imply, where these are no builders themselves. */
const impliedBuilders: ReadonlyMap<string, string> = new Map([
  ['state', 'relay'],
  ['state_n', 'socket'],
  ['power', 'watts'],
  ['energy', 'kilowatt_hours'],
  ['voltage', 'volts'],
  ['current', 'amperes'],
  ['leakage_current', 'leakage'],
  ['temperature', 'celsius'],
  ['working_time', 'minutes'],
  ['countdown_active', 'setting'],
  ['countdown_left', 'minutes'],
  ['usb_mode', 'mode'],
  ['buzzer', 'setting'],
  ['led_schedule', 'setting'],
  ['led_schedule_start', 'minutes_setting'],
  ['led_schedule_end', 'minutes_setting'],
  ['cycle', 'setting'],
  ['cycle_schedule', 'text'],
  ['cycle_n', 'setting'],
  ['cycle_schedule_n', 'text'],
  ['usb_cycle', 'setting'],
  ['usb_cycle_schedule', 'text'],
  ['charging_protection', 'setting'],
  ['charging_protection_power', 'watts_setting'],
  ['charging_protection_time', 'minutes_setting'],
  ['power_limit', 'setting'],
  ['power_limit_power', 'watts_setting'],
])

/** The builder that the name of a property implies; `undefined` for a name of the user's own, for which the file must name the builder. */
export function builderFor(name: string): string | undefined {
  if (!isKnownPropertyName(name)) return undefined
  return impliedBuilders.get(propertyPattern(name)) ?? (builderTable.has(name) ? name : undefined)
}

/** The label of a property name: `Charging protection` of `charging_protection`, `LED schedule` of `led_schedule`. */
function labelFrom(name: string): string {
  const spelled = name.replace(/^(?:led|usb)(?=_)/, (letters) => letters.toUpperCase())
  return (spelled.charAt(0).toUpperCase() + spelled.slice(1)).replaceAll('_', ' ')
}

function plain<O>(build: (address: Address, options: O) => Property): Make<O> {
  return (_, address, options) => build(address, options)
}

function labelled<O>(build: (label: string, address: Address, options: O) => Property): Make<O> {
  return (name, address, options) => build(labelFrom(name), address, options)
}

function socket(name: string, address: Address, options: SwitchOptions): Property {
  const number = /^state_([1-9]\d?)$/.exec(name)?.[1]
  return number === undefined
    ? builders.relay(address, {label: labelFrom(name), ...options})
    : builders.socket(Number(number), address, options)
}

function mode(name: string, address: Address, values: Values, options: SelectOptions): Property {
  return builders.mode(address, values, {label: labelFrom(name), ...options})
}

function powerOnBehavior(_: string, address: Address, values: Values, options: SelectOptions): Property {
  const known = values.flatMap(([raw, text]) => {
    const behavior = behaviors.find((each) => each === text)
    return behavior === undefined ? [] : [[raw, behavior] as const]
  })
  return builders.powerOnBehavior(address, known, options)
}
