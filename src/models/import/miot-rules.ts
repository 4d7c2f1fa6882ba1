/**
 * Rules of the MIoT import: what each property of a specification becomes in a definition, as far as the specification is clear; and the
 * spellings of names that vendors use in place of the standard's, such as `on-off`, `OnOff` and `switch_status` for `on`.
 */
import * as builders from '../builders.ts'
import type {Address, Property} from '../model.ts'

export interface MiotProperty {
  iid: number
  type: string
  description: string
  format: string
  access: readonly string[]
  unit?: string | undefined
  /** Minimum, maximum, step. */
  range?: readonly number[] | undefined
  list?: readonly {value: number; description: string}[] | undefined
}

/** A property with its service. Names are unique only within a service: the v3 has six properties called `on`. */
export interface MiotMatch {
  siid: number
  /** Name of the service, in lower case with hyphens: `usb-switch`. */
  service: string
  /** Whether the service is that of a relay, of a socket or of USB ports. */
  isSwitch: boolean
  /** Name of the property, in the standard's spelling where it has one (`standardName`). */
  property: string
  /** Name of the property, as the specification spells it. */
  originalName: string
  /** `siid.piid` */
  at: string
  address: Address
  spec: MiotProperty
  /** The descriptions of the service and of the property. */
  description: string
}

/** The properties that a definition gets, or the reason why it gets none. */
export type MiotMeaning = Record<string, Property> | string

/** A rule for the properties that match. The first rule that matches counts. */
export interface MiotRule {
  service?: RegExp | 'switch'
  property: RegExp
  /** The property must be writable, too. */
  set?: true
  /** The meaning for the plug as a whole. */
  meaning: (found: MiotMatch) => MiotMeaning
  /** The meaning in a service of the USB ports; missing where it has none. */
  ofUsb?: (found: MiotMatch) => MiotMeaning
  /** The property is a part of a countdown, and of no use without the other parts (`countdownFrom` in miot-spec.ts). */
  part?: CountdownPart
}

export type CountdownPart = 'countdown' | 'countdown_active' | 'countdown_left'

/** Scales by unit. A value without one of these units may be counted in tenths or thousandths (docs/protocol.md §3.3). */
const VOLTS = {volt: 1, volts: 1, v: 1, mv: 0.001, millivolt: 0.001}
const AMPERES = {ampere: 1, amperes: 1, a: 1, ma: 0.001, milliampere: 0.001}
const CELSIUS = {celsius: 1}
const MINUTES = {
  ...{minutes: 1, minute: 1, mins: 1, min: 1},
  ...{seconds: 1 / 60, second: 1 / 60, secs: 1 / 60, sec: 1 / 60, s: 1 / 60},
  ...{hours: 60, hour: 60, h: 60},
}

const COUNTDOWN = /count-?down|delay/
const time = {part: 'countdown', meaning: countdown} as const
const start = {part: 'countdown_active', meaning: countdownActive} as const
const left = {
  part: 'countdown_left',
  meaning: inUnit('countdown_left', MINUTES, minutes('Countdown left')),
} as const

export const miotRules: readonly MiotRule[] = [
  {
    service: /indicator|(^|-)led(-|$)/,
    property: /^on$/,
    set: true,
    meaning: ({address}) => ({led: builders.led(address)}),
  },
  {
    property: /^physical-controls-locked$/,
    set: true,
    meaning: ({address}) => ({child_lock: builders.childLock(address)}),
  },
  {property: /^electric-power$/, meaning: power},
  {property: /^power-consumption$/, meaning: ({at}) => `${COUNTER} energy: {miot: ${at}, scale: 0.01}`},
  {property: /^voltage$/, meaning: inUnit('voltage', VOLTS, builders.volts)},
  {property: /^electric-current$/, meaning: inUnit('current', AMPERES, builders.amperes)},
  {
    service: /environment|humidity|sensor/,
    property: /^temperature$/,
    meaning: () => 'it is measured outside of the plug',
  },
  {property: /^temperature$/, meaning: inUnit('temperature', CELSIUS, builders.celsius)},
  {property: /^default-power-on-state$/, set: true, meaning: powerOnBehavior},
  {property: /^fault$/, meaning: fault},
  {
    service: 'switch',
    property: /^mode$/,
    set: true,
    meaning: (found) => mode(found, 'mode'),
    // As in the definitions of strips (cuco-strips.ts).
    ofUsb: (found) =>
      mode(found, 'usb_mode', {lane: 'rare', alone: true, disabledByDefault: true, label: 'USB mode'}),
  },
  {
    property: /^working-time$/,
    meaning: inUnit('working_time', MINUTES, minutes('Working time')),
  },
  {service: COUNTDOWN, property: /^on$|enable|^active$/, set: true, ...start},
  {property: /^countdown-on$/, set: true, ...start},
  {property: /^left-time$/, ...left},
  {service: COUNTDOWN, property: /^(left|remain|remaining)(-duration)?$/, ...left},
  {property: /^countdown-time$/, set: true, ...time},
  {service: COUNTDOWN, property: /^(duration|time|countdown|delay)$/, set: true, ...time},
]

/** No plug carries more than 4 kW: a range that goes much further counts hundredths of a watt. */
const MAX_WATTS = 20_000

const COUNTER =
  'such counters are often stuck, or count ten minutes only, so the bridge adds up watts itself. When you have compared it with the app:'

function power({address, at, spec: {unit, range}}: MiotMatch): MiotMeaning {
  const howTo = `Compare it with a known load, then add power: {miot: ${at}, scale: …}`
  const most = range?.[1] ?? 0
  if (unit !== 'watt') return `its unit is ${unit ?? 'missing'}. ${howTo}`
  if (most > MAX_WATTS) return `it goes to ${most}, so it does not count whole watts. ${howTo}`
  return {
    power: builders.watts(address, {
      evidence: 'the unit is watt in the specification, which does not prove the scale',
    }),
  }
}

/** The meaning of a number, where the scale of its unit is known. */
function inUnit(
  name: string,
  scales: Readonly<Record<string, number>>,
  build: (address: Address, options: {scale: number; evidence: string}) => Property,
) {
  return ({address, at, spec: {unit = 'none'}}: MiotMatch): MiotMeaning => {
    const scale = Object.hasOwn(scales, unit.toLowerCase()) ? scales[unit.toLowerCase()] : undefined
    if (scale !== undefined) return {[name]: build(address, {scale, evidence: `${unit} (specification)`})}
    const reason = unit === 'none' ? 'it has no unit' : `its unit is ${unit}`
    return `${reason}, so its scale is unknown. Look at its value, then add ${name}: {miot: ${at}, scale: …}`
  }
}

function minutes(label: string) {
  return (address: Address, options: {scale: number; evidence: string}) =>
    builders.minutes(label, address, options)
}

/** The numbers have other meanings at each vendor, so only the descriptions of the values count. */
function powerOnBehavior({address, spec: {list = []}}: MiotMatch): MiotMeaning {
  const values = list.map(({value, description}) => [value, behaviorIn(description)] as const)
  const clear = values.flatMap(([value, word]) => (word ? [[value, word] as const] : []))
  if (hasDuplicates(list)) return DUPLICATE_VALUES
  if (clear.length === 0) return 'the specification does not say what its values mean'
  if (clear.length < list.length || new Set(clear.map(([, word]) => word)).size < list.length)
    return `unclear values: ${list.map(({value, description}) => `${value} ${description}`).join(', ')}`
  return {power_on_behavior: builders.powerOnBehavior(address, clear, {evidence: evidenceOf(list)})}
}

/** The behavior that a description names; `undefined` for an ambiguous one, such as "Keep on". */
function behaviorIn(description: string): Behavior | undefined {
  const [meaning, other] = behaviors.filter(([, words]) => words.test(description))
  return other ? undefined : meaning?.[0]
}

type Behavior = 'off' | 'on' | 'previous'
const behaviors: readonly (readonly [Behavior, RegExp])[] = [
  ['previous', /memory|last|restore|previous|keep|default/i],
  ['on', /\b(on|open)\b/i],
  ['off', /\b(off|closed?)\b/i],
]

function fault({address, spec: {list = []}}: MiotMatch): MiotMeaning {
  const codes = (pattern: RegExp) =>
    list.flatMap(({value, description}) => (pattern.test(description) ? [value] : []))
  const [heat, load] = [codes(/over.?(temp|heat)/i), codes(/over.?(load|current|power)/i)]
  const evidence = evidenceOf(list)
  if (heat.length + load.length === 0) return 'none of its values means over-temperature or overload'
  return {
    ...(heat.length > 0 ? {over_temperature: builders.overTemperature(address, {on: heat, evidence})} : {}),
    ...(load.length > 0 ? {overload: builders.overload(address, {on: load, evidence})} : {}),
  }
}

function mode(
  {spec: {list = []}, address}: MiotMatch,
  name: 'mode' | 'usb_mode',
  options: Parameters<typeof builders.mode>[2] = {},
): MiotMeaning {
  const values = list.map(({value, description}) => [value, slug(description)] as const)
  const different = new Set(values.flatMap(([, word]) => word || [])).size
  if (hasDuplicates(list)) return DUPLICATE_VALUES
  if (values.length === 0 || different < values.length) return 'the specification does not name its values'
  return {[name]: builders.mode(address, values, {...options, evidence: evidenceOf(list)})}
}

function countdown(found: MiotMatch): MiotMeaning {
  const [least = 0, most = 0] = found.spec.range ?? []
  const meaning = inUnit('countdown', MINUTES, (address, {scale, evidence}) => {
    const [min, max] = [Math.floor(least * scale), Math.floor(most * scale)]
    return builders.countdown(address, {scale, evidence, ...(max > Math.max(0, min) ? {min, max} : {})})
  })
  return meaning(found)
}

function countdownActive({address, property, spec: {format}}: MiotMatch): MiotMeaning {
  if (property !== 'on' && !/^bool/i.test(format)) return `its format is ${format || 'missing'}, not bool`
  return {countdown_active: builders.setting('Countdown active', address)}
}

function evidenceOf(list: readonly {value: number; description: string}[]): string {
  return `${list.map(({value, description}) => `${value} ${description}`).join(', ')} (specification)`
}

const DUPLICATE_VALUES = 'the specification has two descriptions of one value'

function hasDuplicates(list: readonly {value: number}[]): boolean {
  return new Set(list.map(({value}) => value)).size < list.length
}

/** `usb_c_first` for `USB-C first`. */
function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
}

/** Service names of relays, of single sockets and of USB ports: `outlet-2`, `usb-switch`. */
const SWITCH = /(^|-)(switch|outlet|socket|relay)(-(status|state|service|control))?(-?\d+)?$/
/** Names of such services that switch something other than a relay: `led-switch`. */
const NO_RELAY =
  /(^|-)(led|light|backlight|lamp|indicator|lock|buzzer|count-?down|delay|timer|cycle|schedule|protection|limit|alarm)(-|$)/
/** Descriptions of such services. A service that only mentions a light ("Outlet with LED") is a relay. */
const NO_RELAY_IN_WORDS =
  /^\W*(indicator|led|light|backlight|night.?light|child|physical|lock|buzzer|(quick.?)?count.?down|delay|timer|cycle|charg|power.?limit)\b/i

/** Whether a service with this name (see `hyphened`) and description is that of a relay, of sockets or of USB ports. */
export function isSwitchService(name: string, description: string): boolean {
  return SWITCH.test(name) && !NO_RELAY.test(name) && !NO_RELAY_IN_WORDS.test(description)
}

/**
 * Spellings of each name in the rules, which is the standard's where it has one. `also` matches other spellings, in lower case and without
 * separators; with `bool` they count only for a property of the format `bool`.
 */
const spellings: readonly {name: string; also?: RegExp; bool?: true}[] = [
  {
    name: 'on',
    also: /^(on(off)?(status|state|switch)?|(switch|relay|outlet|socket|power)(onoff|status|state|switch)|switch|switchon)$/,
    bool: true,
  },
  {name: 'usb-on', also: /^usb(switch|onoff|status|state|power|switchstatus|onoffstatus)?$/, bool: true},
  {name: 'physical-controls-locked', also: /^(physicalcontrols?lock|childlock)(ed)?$/, bool: true},
  {
    name: 'countdown-on',
    also: /^(countdown|delay)(onoff|switch|switchstatus|enabled?|active|on)$/,
    bool: true,
  },
  {name: 'countdown-time', also: /^(countdown|delay)(time|duration)$/},
  {name: 'left-time', also: /^(countdown|delay)?(left|remain|remaining)time$/},
  {name: 'default-power-on-state', also: /^(default)?poweron(state|status|mode|behaviou?r)$/},
  {name: 'mode', also: /^(work(ing)?|usb)mode$/},
  {name: 'electric-power'},
  {name: 'electric-current'},
  {name: 'power-consumption'},
  {name: 'working-time'},
]

/** The name of a property in the spelling of the rules, or in its own with hyphens where there is none. @param format `bool`, `uint8` … */
export function standardName(name: string, format: string): string {
  const letters = lettersOf(name)
  const isBool = /^bool/i.test(format)
  const known = spellings.find(
    (each) => letters === lettersOf(each.name) || (each.also?.test(letters) && (isBool || !each.bool)),
  )
  return known?.name ?? hyphened(name)
}

/** A name in lower case with hyphens: `usb-switch` for `usbSwitch`, `USB_Switch` and `usb-switch`. */
export function hyphened(name: string): string {
  return name
    .replace(/([a-z\d])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .toLowerCase()
}

function lettersOf(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}
