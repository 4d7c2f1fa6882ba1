/**
 * Builders of definitions: a function for each meaning (`relay`, `watts`, `celsius`) that takes an address (`prop`, `method`, `miot`).
 * Definitions in files use the same names (builder-table.ts).
 */
import type {Address, Model, Property, RawSwitchType, ScaledProperty, WriteMethod} from './model.ts'

type Kind<K extends Property['kind']> = Extract<Property, {kind: K}>
type NumberSensor = Extract<Property, {raw: 'number'}>
type TextSensor = Exclude<Kind<'sensor'>, NumberSensor>
/** The members in which a definition may differ from the defaults of a builder. */
type Options<P> = Partial<Omit<P, 'kind' | 'address'>>
type Builder<P> = (address: Address, options?: Options<P>) => Property
type LabelledBuilder<P> = (label: string, address: Address, options?: Options<P>) => Property
type Values = Kind<'select'>['values']

const diagnostic = {category: 'diagnostic'} as const
/** Read hardly ever, in a request of its own, and disabled by default in Home Assistant. */
const rare = {lane: 'rare', alone: true, category: 'config', disabledByDefault: true} as const

/** A name in `get_prop`. @param write the method that takes the value, or the two methods without parameters for on and off */
export function prop(name: string, write?: string | {on: string; off: string}): Address {
  if (write === undefined) return {via: 'get_prop', name}
  const writeMethod: WriteMethod = typeof write === 'string' ? {method: write} : write
  return {via: 'get_prop', name, write: writeMethod}
}

/** A method without parameters whose result is `[value]`. */
export function method(name: string): Address {
  return {via: 'method', method: name}
}

/** Service and property id of the MIoT specification. */
export function miot(siid: number, piid: number): Address {
  return {via: 'miot', siid, piid}
}

/** Service and action id of the MIoT specification. */
export function action(siid: number, aiid: number): Address {
  return {via: 'action', siid, aiid}
}

/** The main relay; of a strip, the one in front of all its sockets. */
export function relay(address: Address, options: Options<Kind<'switch'>> = {}): Property {
  const raw = defaultRawType(address)
  return {kind: 'switch', deviceClass: 'outlet', address, raw, label: null, lane: 'fast', ...options}
}

/** One socket of a strip that switches them one by one. */
export function socket(number: number, address: Address, options: Options<Kind<'switch'>> = {}): Property {
  return relay(address, {label: `Socket ${number}`, ...options})
}

/** A switch inside the plug, such as its light. */
export function onOff(label: string, address: Address, options: Options<Kind<'switch'>> = {}): Property {
  const raw = defaultRawType(address)
  return {kind: 'switch', deviceClass: 'switch', address, raw, label, lane: 'fast', ...options}
}

/** A switchable USB port. */
export const usb = namedSwitch('USB', {icon: 'mdi:usb-port'})

/** The LED of the plug: a setting. */
export const led = namedSwitch('LED', {lane: 'slow', category: 'config', icon: 'mdi:led-on'})

/** While it is on, the button on the plug does nothing. Some strips reboot when it is requested often (al-one/hass-xiaomi-miot#364). */
export const childLock = namedSwitch('Child lock', {...rare, icon: 'mdi:lock'})

/** An on/off setting that is hardly ever changed. */
export function setting(label: string, address: Address, options: Options<Kind<'switch'>> = {}): Property {
  return onOff(label, address, {...rare, ...options})
}

/** The power now, in W. */
export const watts = sensor('Power', 'power', 'W', {lane: 'fast'})

/** An energy counter. It only grows, until a reset. */
export const kilowattHours = sensor('Energy', 'energy', 'kWh', {stateClass: 'total_increasing'})

/** The mains voltage, in V. */
export const volts = sensor('Voltage', 'voltage', 'V', diagnostic)

/** The current, in A. */
export const amperes = sensor('Current', 'current', 'A', diagnostic)

/** The power factor, in %. */
export const powerFactor = sensor('Power factor', 'power_factor', '%', diagnostic)

/** The leakage current to earth, in mA. */
export const leakage = sensor('Leakage current', 'current', 'mA', diagnostic)

/** The temperature inside the plug, not of the room. */
export const celsius = sensor('Temperature', 'temperature', '°C', diagnostic)

/** A duration, past or remaining. */
export function minutes(label: string, address: Address, options: Options<NumberSensor> = {}): Property {
  return sensor(label, 'duration', 'min', {...rare, ...diagnostic})(address, options)
}

/** Minutes until the plug switches by itself, also without the bridge. */
export function countdown(address: Address, options: Options<Kind<'number'>> = {}): Property {
  return minutesSetting('Countdown', address, {lane: 'slow', icon: 'mdi:timer-outline', ...options})
}

/** A duration that can be set, minutes: 0 to 1440 by default. */
export const minutesSetting = numberSetting('duration', 'min', 1440)

/** A power that can be set, watts: 0 to 3600 by default. */
export const wattsSetting = numberSetting('power', 'W', 3600)

/** The state of the relay after a power failure: `off`, `on` or `previous`. */
export function powerOnBehavior(
  address: Address,
  values: Values,
  options: Options<Kind<'select'>> = {},
): Property {
  return mode(address, values, {label: 'Power-on behavior', icon: 'mdi:power-settings', ...options})
}

/** A choice between modes of operation. @param values of the firmware, each with its name on MQTT */
export function mode(address: Address, values: Values, options: Options<Kind<'select'>> = {}): Property {
  return {kind: 'select', address, values, label: 'Mode', lane: 'slow', category: 'config', ...options}
}

/** The over-temperature alarm. */
export const overTemperature = alarm('Over-temperature', 'heat')

/** The overload alarm. */
export const overload = alarm('Overload', 'problem')

/** Text that is shown as the firmware has it, such as a schedule. */
export function textSensor(label: string, address: Address, options: Options<TextSensor> = {}): Property {
  return {...rare, ...diagnostic, kind: 'sensor', raw: 'text', address, label, ...options}
}

/** An action, as a button. */
export function button(label: string, address: Address, options: Options<Kind<'button'>> = {}): Property {
  return {...rare, kind: 'button', address, label, ...options}
}

/** The signal at the plug, in dBm. */
const signal = sensor('Signal', 'signal_strength', 'dBm', {...rare, ...diagnostic})

/** Adds to a definition the properties that every plug has: those in `miIO.info`, and those that the bridge computes. */
export function complete(model: Model): Model {
  const {power, energy} = model.properties
  const bridge: Address = {via: 'bridge'}
  const metered = power !== undefined || energy !== undefined
  return {
    ...model,
    properties: {
      ...model.properties,
      // Where a plug measures watts and has no reliable kWh counter, the bridge adds up energy (docs/topics.md#energy).
      ...(metered && !energy ? {energy: kilowattHours(bridge, {precision: 3})} : {}),
      ...(metered ? {energy_today: kilowattHours(bridge, {label: 'Energy today', precision: 3})} : {}),
      rssi: signal({via: 'info', part: 'rssi'}),
      last_seen: {
        kind: 'sensor',
        raw: 'text',
        deviceClass: 'timestamp',
        address: bridge,
        label: 'Last seen',
        lane: 'fast',
        category: 'diagnostic',
        disabledByDefault: true,
      },
    },
  }
}

function namedSwitch(label: string, defaults: Options<Kind<'switch'>>): Builder<Kind<'switch'>> {
  return (address, options) => onOff(label, address, {...defaults, ...options})
}

function sensor(
  label: string,
  deviceClass: NumberSensor['deviceClass'],
  unit: NumberSensor['unit'],
  defaults: Options<NumberSensor>,
): Builder<NumberSensor> {
  const fixed = {kind: 'sensor', raw: 'number', deviceClass, unit, stateClass: 'measurement'} as const
  return (address, options = {}) => ({
    ...fixed,
    address,
    label,
    lane: 'slow',
    ...defaults,
    ...options,
    ...scaledBy(options),
  })
}

function numberSetting(
  deviceClass: Kind<'number'>['deviceClass'],
  unit: Kind<'number'>['unit'],
  max: number,
): LabelledBuilder<Kind<'number'>> {
  const fixed = {...rare, kind: 'number', deviceClass, unit, min: 0, max, step: 1} as const
  return (label, address, options = {}) => ({...fixed, address, label, ...options, ...scaledBy(options)})
}

function alarm(
  label: string,
  deviceClass: Kind<'binary_sensor'>['deviceClass'],
): Builder<Kind<'binary_sensor'>> {
  const fixed = {kind: 'binary_sensor', deviceClass} as const
  return (address, options) => ({...fixed, address, label, lane: 'slow', ...diagnostic, ...options})
}

/** Scale and precision. The default precision is that of a value counted in steps of `scale` from `offset` on. */
function scaledBy({
  scale = 1,
  offset = 0,
  precision = fractionDigits(scale, offset),
}: Partial<ScaledProperty>): ScaledProperty {
  return {scale, precision}
}

/** Digits after the decimal point that a value counted in steps of `scale` from `offset` on needs, so that no step is lost. */
export function fractionDigits(scale: number, offset = 0): number {
  return Math.max(0, Math.ceil(-Math.log10(Math.abs(scale))), decimalsOf(scale), decimalsOf(offset))
}

/** Decimals of a number as it is written: 1 for 2.5. None for a periodic one, such as 1/60. */
function decimalsOf(number: number): number {
  const [, decimals = ''] = /^-?\d+\.(\d{1,4})$/.exec(String(number)) ?? []
  return decimals.length
}

/** MIoT has `true` and `false`; the names of `get_prop` mostly have `on` and `off`. */
function defaultRawType({via}: Address): RawSwitchType {
  return via === 'miot' ? 'boolean' : 'text'
}
