/** The builders that definitions in files may use, by their name in files; and the names of properties, which imply a builder each. */
import * as builders from './builders.ts'
import type {Address, Property} from './model.ts'

type SwitchOptions = NonNullable<Parameters<typeof builders.relay>[1]>
type SensorOptions = NonNullable<Parameters<typeof builders.watts>[1]>
type NumberOptions = NonNullable<Parameters<typeof builders.countdown>[1]>
type SelectOptions = NonNullable<Parameters<typeof builders.mode>[2]>
type AlarmOptions = NonNullable<Parameters<typeof builders.overload>[1]>
type TextOptions = NonNullable<Parameters<typeof builders.textSensor>[2]>
type ButtonOptions = NonNullable<Parameters<typeof builders.button>[2]>
type Values = Parameters<typeof builders.mode>[1]

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
  [
    'power_on_behavior',
    {
      kind: 'select',
      make: (_, ...options) => builders.powerOnBehavior(...options),
      choice: ['off', 'on', 'previous'],
    },
  ],
  ['mode', {kind: 'select', make: mode}],
  ['over_temperature', {kind: 'binary_sensor', make: plain(builders.overTemperature)}],
  ['overload', {kind: 'binary_sensor', make: plain(builders.overload)}],
  ['text', {kind: 'text', make: labelled(builders.textSensor)}],
  ['button', {kind: 'button', make: labelled(builders.button)}],
])

/**
 * The names of properties, the same over all models: a flow for one plug works with the next, and one page explains all names
 * (docs/models.md). The list is closed: a definition that needs another name adds it here, with the builder that it implies in files and
 * its meaning. `_n` stands for the number of a socket, from 1.
 */
const propertyNames: readonly (readonly [name: string, builder: string | undefined, meaning: string])[] = [
  ['state', 'relay', 'the relay; of a strip, the one in front of all its sockets'],
  ['state_n', 'socket', 'the n-th socket of a strip that switches them one by one'],
  ['usb', 'usb', 'the USB ports'],
  ['led', 'led', 'the LED of the plug'],
  ['child_lock', 'child_lock', 'whether the button on the plug is locked'],
  ['power', 'watts', 'power now, W'],
  ['energy', 'kilowatt_hours', 'total energy, kWh'],
  ['energy_today', undefined, 'energy since midnight, kWh; always counted by the bridge'],
  ['voltage', 'volts', 'mains voltage, V'],
  ['current', 'amperes', 'current, A'],
  ['power_factor', 'power_factor', 'power factor, %'],
  ['leakage_current', 'leakage', 'leakage current to earth, mA'],
  ['temperature', 'celsius', 'temperature inside the plug, °C'],
  ['working_time', 'minutes', 'time since the relay was switched on, minutes'],
  ['power_on_behavior', 'power_on_behavior', 'state of the relay after a power cut: off, on, previous'],
  ['countdown', 'countdown', 'minutes until the plug switches by itself'],
  ['countdown_active', 'setting', 'whether the countdown runs'],
  ['countdown_left', 'minutes', 'minutes left of the countdown'],
  ['mode', 'mode', 'operating mode of the plug'],
  ['usb_mode', 'mode', 'which USB port has priority'],
  ['over_temperature', 'over_temperature', 'over-temperature alarm'],
  ['overload', 'overload', 'overload alarm'],
  ['buzzer', 'setting', 'whether the plug may beep'],
  ['led_schedule', 'setting', 'whether the LED is off during the night'],
  ['led_schedule_start', 'minutes_setting', 'start of the night, minutes after midnight'],
  ['led_schedule_end', 'minutes_setting', 'end of the night, minutes after midnight'],
  ['cycle', 'setting', 'whether the plug switches on and off repeatedly by itself'],
  ['cycle_schedule', 'text', 'schedule of the cycle, in the format of the firmware'],
  ['cycle_n', 'setting', 'the cycle of the n-th socket'],
  ['cycle_schedule_n', 'text', 'schedule of the cycle of the n-th socket'],
  ['usb_cycle', 'setting', 'the cycle of the USB ports'],
  ['usb_cycle_schedule', 'text', 'schedule of the cycle of the USB ports'],
  ['charging_protection', 'setting', 'whether the plug switches off at low power, as when a battery is full'],
  ['charging_protection_power', 'watts_setting', 'threshold of the charging protection, W'],
  ['charging_protection_time', 'minutes_setting', 'minutes below that threshold until the plug switches off'],
  ['power_limit', 'setting', 'whether the plug switches off above a power limit'],
  ['power_limit_power', 'watts_setting', 'the power limit, W'],
  ['rssi', undefined, 'Wi-Fi signal at the plug, dBm'],
  ['last_seen', undefined, 'time of the last response'],
]

/** Name -> meaning. */
export const PROPERTY_NAMES: ReadonlyMap<string, string> = new Map(
  propertyNames.map(([name, , meaning]) => [name, meaning]),
)
const impliedBuilders = new Map(propertyNames.map(([name, builder]) => [name, builder]))

/** The builder that the name of a property implies; `undefined` for a name of the user's own, for which the file must name the builder. */
export function builderFor(name: string): string | undefined {
  return isKnownPropertyName(name) ? impliedBuilders.get(propertyPattern(name)) : undefined
}

/** The name as in `PROPERTY_NAMES`: `state_n` for `state_3`. */
export function propertyPattern(name: string): string {
  return name.replace(/_[1-9]\d?$/, '_n')
}

/** Whether the list has this name of a property. */
export function isKnownPropertyName(name: string): boolean {
  return PROPERTY_NAMES.has(propertyPattern(name)) && !name.endsWith('_n')
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
