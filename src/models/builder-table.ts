/**
 * The vocabulary as a table, for definitions that are read from files: which word a name stands for, and what becomes of an
 * address and of what is said about it. A word of builders.ts that files may use has its row here.
 */

import * as say from './builders.ts'
import type {Address, Property, RawValue} from './model.ts'
import {isKnownPropertyName, propertyPattern} from './property-names.ts'

type SwitchOptions = NonNullable<Parameters<typeof say.relay>[1]>
type SensorOptions = NonNullable<Parameters<typeof say.watts>[1]>
type NumberOptions = NonNullable<Parameters<typeof say.countdown>[1]>
type SelectOptions = NonNullable<Parameters<typeof say.mode>[2]>
type AlarmOptions = NonNullable<Parameters<typeof say.overload>[1]>
type TextOptions = NonNullable<Parameters<typeof say.textSensor>[2]>
type ButtonOptions = NonNullable<Parameters<typeof say.button>[2]>
type Values = readonly (readonly [RawValue, string])[]

/** How a word makes a property: `name` gives the label where the word has none of its own. */
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
      /** The only words there are for its values, when these mean the same on every plug. */
      choice?: readonly string[]
    }
  | {kind: 'button'; make: Make<ButtonOptions>}

const behaviors = ['off', 'on', 'previous'] as const

/** Every word a file may use, spelled as in files. */
export const builderTable: ReadonlyMap<string, BuilderEntry> = new Map<string, BuilderEntry>([
  ['relay', {kind: 'switch', make: plain(say.relay)}],
  ['socket', {kind: 'switch', make: socket}],
  ['on_off', {kind: 'switch', make: labelled(say.onOff)}],
  ['usb', {kind: 'switch', make: plain(say.usb)}],
  ['led', {kind: 'switch', make: plain(say.led)}],
  ['child_lock', {kind: 'switch', make: plain(say.childLock)}],
  ['setting', {kind: 'switch', make: labelled(say.setting)}],
  ['watts', {kind: 'sensor', make: plain(say.watts)}],
  ['kilowatt_hours', {kind: 'sensor', make: plain(say.kilowattHours)}],
  ['volts', {kind: 'sensor', make: plain(say.volts)}],
  ['amperes', {kind: 'sensor', make: plain(say.amperes)}],
  ['power_factor', {kind: 'sensor', make: plain(say.powerFactor)}],
  ['leakage', {kind: 'sensor', make: plain(say.leakage)}],
  ['celsius', {kind: 'sensor', make: plain(say.celsius)}],
  ['minutes', {kind: 'sensor', make: labelled(say.minutes)}],
  ['countdown', {kind: 'number', make: plain(say.countdown)}],
  ['minutes_setting', {kind: 'number', make: labelled(say.minutesSetting)}],
  ['watts_setting', {kind: 'number', make: labelled(say.wattsSetting)}],
  ['power_on_behavior', {kind: 'select', make: powerOnBehavior, choice: behaviors}],
  ['mode', {kind: 'select', make: mode}],
  ['over_temperature', {kind: 'binary_sensor', make: plain(say.overTemperature)}],
  ['overload', {kind: 'binary_sensor', make: plain(say.overload)}],
  ['text', {kind: 'text', make: labelled(say.textSensor)}],
  ['button', {kind: 'button', make: labelled(say.button)}],
])

/** What the names of names.ts stand for, where they are no words themselves. */
const meanings: ReadonlyMap<string, string> = new Map([
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

/** The word that a name implies; `undefined` for a name of somebody's own, which must say what it is. */
export function builderFor(name: string): string | undefined {
  if (!isKnownPropertyName(name)) return undefined
  return meanings.get(propertyPattern(name)) ?? (builderTable.has(name) ? name : undefined)
}

/** `charging_protection` is `Charging protection`, and `led_schedule` is `LED schedule`. */
function labelFrom(name: string): string {
  const spelled = name.replace(/^(?:led|usb)(?=_)/, (letters) => letters.toUpperCase())
  return (spelled.charAt(0).toUpperCase() + spelled.slice(1)).replaceAll('_', ' ')
}

function plain<O>(word: (address: Address, options: O) => Property): Make<O> {
  return (_, address, options) => word(address, options)
}

function labelled<O>(word: (label: string, address: Address, options: O) => Property): Make<O> {
  return (name, address, options) => word(labelFrom(name), address, options)
}

function socket(name: string, address: Address, options: SwitchOptions): Property {
  const number = /^state_([1-9]\d?)$/.exec(name)?.[1]
  return number === undefined
    ? say.relay(address, {label: labelFrom(name), ...options})
    : say.socket(Number(number), address, options)
}

function mode(name: string, address: Address, values: Values, options: SelectOptions): Property {
  return say.mode(address, values, {label: labelFrom(name), ...options})
}

function powerOnBehavior(_: string, address: Address, values: Values, options: SelectOptions): Property {
  const known = values.flatMap(([raw, word]) => {
    const behavior = behaviors.find((each) => each === word)
    return behavior === undefined ? [] : [[raw, behavior] as const]
  })
  return say.powerOnBehavior(address, known, options)
}
