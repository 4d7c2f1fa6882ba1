/** What the properties of a MIoT specification mean here, as far as the specification is clear about it. */

import * as say from '../builders.ts'
import type {Address, Property} from '../model.ts'

export interface MiotProperty {
  iid: number
  type: string
  description: string
  format: string
  access: readonly string[]
  unit?: string | undefined
  /** Least, most, step. */
  range?: readonly number[] | undefined
  list?: readonly {value: number; description: string}[] | undefined
}

/** One property, and where it stands: short names are not unique, so the service counts as much (v3 has six called `on`). */
export interface MiotMatch {
  siid: number
  /** In small letters with hyphens: `usb-switch`. */
  service: string
  /** Whether it is the service of a relay, of a socket or of USB ports. */
  isSwitch: boolean
  /** In the standard's spelling where it has one (miot-names.ts). */
  property: string
  /** As the specification spells it. */
  called: string
  at: string
  address: Address
  about: MiotProperty
  /** What people wrote about it, both the service's and its own. */
  description: string
}

export type MiotMeaning = Record<string, Property> | string

/** What each means that is known to mean something, tried in turn: properties, or why there can be none. */
export interface MiotRule {
  service?: RegExp | 'switch'
  property: RegExp
  /** Whether it is only of use when it can be written, too. */
  set?: true
  /** Of the plug as a whole. */
  meaning: (found: MiotMatch) => MiotMeaning
  /** In a service of the USB ports; nothing where it is not told. */
  ofUsb?: (found: MiotMatch) => MiotMeaning
  /** It is a part of the countdown, and of no use without the others (miot-countdown.ts). */
  part?: CountdownPart
}

export type CountdownPart = 'countdown' | 'countdown_active' | 'countdown_left'

const COUNTDOWN = /count-?down|delay/
const time = {part: 'countdown', meaning: countdown} as const
const runs = {part: 'countdown_active', meaning: countdownRuns} as const
const left = {part: 'countdown_left', meaning: countdownLeft} as const

export const miotRules: readonly MiotRule[] = [
  {
    service: /indicator|(^|-)led(-|$)/,
    property: /^on$/,
    set: true,
    meaning: ({address}) => ({led: say.led(address)}),
  },
  {
    property: /^physical-controls-locked$/,
    set: true,
    meaning: ({address}) => ({child_lock: say.childLock(address)}),
  },
  {property: /^electric-power$/, meaning: power},
  {property: /^power-consumption$/, meaning: ({at}) => `${COUNTER} energy: {miot: ${at}, scale: 0.01}`},
  {property: /^voltage$/, meaning: (found) => inUnit(found, 'voltage', VOLTS, say.volts)},
  {property: /^electric-current$/, meaning: (found) => inUnit(found, 'current', AMPERES, say.amperes)},
  {
    service: /environment|humidity|sensor/,
    property: /^temperature$/,
    meaning: () => 'it is measured outside of the plug',
  },
  {property: /^temperature$/, meaning: (found) => inUnit(found, 'temperature', CELSIUS, say.celsius)},
  {property: /^default-power-on-state$/, set: true, meaning: powerOnBehavior},
  {property: /^fault$/, meaning: fault},
  {service: 'switch', property: /^mode$/, set: true, meaning: mode, ofUsb: usbMode},
  {
    property: /^working-time$/,
    meaning: (found) => inUnit(found, 'working_time', MINUTES, minutes('Working time')),
  },
  {service: COUNTDOWN, property: /^on$|enable|^active$/, set: true, ...runs},
  {property: /^countdown-on$/, set: true, ...runs},
  {property: /^left-time$/, ...left},
  {service: COUNTDOWN, property: /^(left|remain|remaining)(-duration)?$/, ...left},
  {property: /^countdown-time$/, set: true, ...time},
  {service: COUNTDOWN, property: /^(duration|time|countdown|delay)$/, set: true, ...time},
]

/** Scales by unit. Only these are believed: what has no unit may be tenths or thousandths (docs/protocol.md §3.3). */
const VOLTS = {volt: 1, volts: 1, v: 1, mv: 0.001, millivolt: 0.001}
const AMPERES = {ampere: 1, amperes: 1, a: 1, ma: 0.001, milliampere: 0.001}
const CELSIUS = {celsius: 1}
const MINUTES = {
  ...{minutes: 1, minute: 1, mins: 1, min: 1},
  ...{seconds: 1 / 60, second: 1 / 60, secs: 1 / 60, sec: 1 / 60, s: 1 / 60},
  ...{hours: 60, hour: 60, h: 60},
}
/** No plug carries more than 4 kW: who counts much further counts in hundredths of a watt. */
const MOST_WATTS = 20_000

const COUNTER =
  'such counters are often stuck, or count ten minutes only, so the bridge adds up watts itself. When you have compared it with the app:'

export function isAccessible({about}: MiotMatch, what: 'read' | 'write'): boolean {
  return about.access.includes(what)
}

function power({address, at, about: {unit, range}}: MiotMatch): MiotMeaning {
  const howTo = `Compare it with a known load, then add power: {miot: ${at}, scale: …}`
  const most = range?.[1] ?? 0
  if (unit !== 'watt') return `its unit is ${unit ?? 'not told'}. ${howTo}`
  if (most > MOST_WATTS) return `it goes to ${most}, so it does not count whole watts. ${howTo}`
  return {
    power: say.watts(address, {evidence: 'the specification says watt, which is no proof of the scale'}),
  }
}

function inUnit(
  {address, at, about: {unit = 'none'}}: MiotMatch,
  name: string,
  scales: Readonly<Record<string, number>>,
  word: (address: Address, options: {scale: number; evidence: string}) => Property,
): MiotMeaning {
  const scale = Object.hasOwn(scales, unit.toLowerCase()) ? scales[unit.toLowerCase()] : undefined
  if (scale !== undefined) return {[name]: word(address, {scale, evidence: `${unit} (specification)`})}
  const said = unit === 'none' ? 'it has no unit' : `its unit is ${unit}`
  return `${said}, so its scale is unknown. Look what it says, then add ${name}: {miot: ${at}, scale: …}`
}

function minutes(label: string) {
  return (address: Address, options: {scale: number; evidence: string}) =>
    say.minutes(label, address, options)
}

/** Which number means what differs from vendor to vendor: only words are believed. */
function powerOnBehavior({address, about: {list = []}}: MiotMatch): MiotMeaning {
  const values = list.map(({value, description}) => [value, behaviorIn(description)] as const)
  const clear = values.flatMap(([value, word]) => (word ? [[value, word] as const] : []))
  if (hasTwins(list)) return TWINS
  if (clear.length === 0) return 'the specification does not say what its values mean'
  if (clear.length < list.length || new Set(clear.map(([, word]) => word)).size < list.length)
    return `unclear values: ${list.map(({value, description}) => `${value} ${description}`).join(', ')}`
  return {power_on_behavior: say.powerOnBehavior(address, clear, {evidence: inWords(list)})}
}

/** `undefined` for what could mean two things, such as "Keep on". */
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

function fault({address, about: {list = []}}: MiotMatch): MiotMeaning {
  const codes = (pattern: RegExp) =>
    list.flatMap(({value, description}) => (pattern.test(description) ? [value] : []))
  const [heat, load] = [codes(/over.?(temp|heat)/i), codes(/over.?(load|current|power)/i)]
  const evidence = inWords(list)
  if (heat.length + load.length === 0) return 'none of its values tells of heat or overload'
  return {
    ...(heat.length > 0 ? {over_temperature: say.overTemperature(address, {on: heat, evidence})} : {}),
    ...(load.length > 0 ? {overload: say.overload(address, {on: load, evidence})} : {}),
  }
}

function mode(found: MiotMatch): MiotMeaning {
  const meant = modeOf(found)
  return typeof meant === 'string' ? meant : {mode: meant}
}

/** As the definitions of known strips have it (cuco-strips.ts). */
function usbMode(found: MiotMatch): MiotMeaning {
  const meant = modeOf(found, {...rarely, label: 'USB mode'})
  return typeof meant === 'string' ? meant : {usb_mode: meant}
}

function modeOf(
  {about: {list = []}, address}: MiotMatch,
  options: Parameters<typeof say.mode>[2] = {},
): Property | string {
  const values = list.map(({value, description}) => [value, slug(description)] as const)
  const different = new Set(values.flatMap(([, word]) => word || [])).size
  if (hasTwins(list)) return TWINS
  if (values.length === 0 || different < values.length) return 'the specification does not name its values'
  return say.mode(address, values, {...options, evidence: inWords(list)})
}

function countdown(found: MiotMatch): MiotMeaning {
  return inUnit(found, 'countdown', MINUTES, (address, {scale, evidence}) => {
    const [least = 0, most = 0] = found.about.range ?? []
    const [min, max] = [Math.floor(least * scale), Math.floor(most * scale)]
    return say.countdown(address, {scale, evidence, ...(max > Math.max(0, min) ? {min, max} : {})})
  })
}

function countdownRuns({address, property, about: {format}}: MiotMatch): MiotMeaning {
  if (property !== 'on' && !/^bool/i.test(format)) return `its format is ${format || 'not told'}, not bool`
  return {countdown_active: say.setting('Countdown active', address)}
}

function countdownLeft(found: MiotMatch): MiotMeaning {
  return inUnit(found, 'countdown_left', MINUTES, minutes('Countdown left'))
}

function inWords(list: readonly {value: number; description: string}[]): string {
  return `${list.map(({value, description}) => `${value} ${description}`).join(', ')} (specification)`
}

const rarely = {lane: 'rare', alone: true, disabledByDefault: true} as const
const TWINS = 'the specification has two descriptions of one value'

function hasTwins(list: readonly {value: number}[]): boolean {
  return new Set(list.map(({value}) => value)).size < list.length
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
}
