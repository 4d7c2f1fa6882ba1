/**
 * What Home Assistant accepts in a device discovery message, as tables: every release from 2024.11 on, and so the strictest of
 * them all. Where it would convert silently (`true` to the text "True") or drop silently (an unknown key), this is a problem.
 */

/** The expected form of a value. */
export interface Rule {
  expected: string
  fits: (value: unknown) => boolean
}

export interface Key extends Rule {
  required?: true
}

export type Keys = Readonly<Record<string, Key>>

const text: Rule = {expected: 'text', fits: (value) => typeof value === 'string' && value !== ''}
const flag: Rule = {expected: 'true or false', fits: (value) => typeof value === 'boolean'}
const number: Rule = {expected: 'a number', fits: (value) => Number.isFinite(value)}
const count: Rule = {
  expected: 'a whole number from 0',
  fits: (value) => Number.isInteger(value) && Number(value) >= 0,
}
const anything: Rule = {expected: 'anything', fits: () => true}

/** Topics with wildcards could be subscribed to, but no entity of ours has two sources. */
const topic: Rule = {
  expected: 'a topic without wildcards, empty levels and control characters',
  fits: (value) =>
    text.fits(value) &&
    !/[+#\p{Cc}\p{Noncharacter_Code_Point}]/u.test(String(value)) &&
    !String(value).split('/').includes(''),
}
/** The payloads of this bridge need a small part of Jinja only. */
const template: Rule = {
  expected: 'a template of text, {{ value }} and {{ value_json.key | default(none) }}',
  fits: (value) =>
    typeof value === 'string' &&
    !/\{\{|\}\}|\{%|%\}/.test(
      value.replace(/\{\{ value(_json(\.[A-Za-z_]\w*)+( \| default\(none\))?)? \}\}/g, ''),
    ),
}
const icon: Rule = {
  expected: 'an icon such as mdi:flash',
  fits: (value) => /^[^:\s]+:[^:\s]+$/.test(String(value)),
}
const link: Rule = {
  expected: 'an address http://, https:// or homeassistant://',
  fits: (value) => typeof value === 'string' && /^(https?|homeassistant):\/\/[^/\s]/.test(value),
}

function oneOf(...words: readonly unknown[]): Rule {
  return {expected: `one of ${words.join(', ')}`, fits: (value) => words.includes(value)}
}

function orNull({expected, fits}: Rule): Rule {
  return {expected: `${expected}, or null`, fits: (value) => value === null || fits(value)}
}

function listOf({expected, fits}: Rule, least = 0): Rule {
  return {
    expected: `a list of ${expected}`,
    fits: (value) => Array.isArray(value) && value.length >= least && value.every(fits),
  }
}

function required(rule: Rule): Key {
  return {...rule, required: true}
}

const pair: Rule = {
  expected: 'pairs of type and id',
  fits: (value) => listOf(text).fits(value) && Array.isArray(value) && value.length === 2,
}

/** Closed: any other key loses the whole device. `message_expiry_interval` would, before 2026.6. */
export const ROOT: Keys = {
  device: required(anything),
  origin: required(anything),
  components: required(anything),
  availability: anything,
  availability_mode: oneOf('all', 'any', 'latest'),
  availability_topic: topic,
  availability_template: template,
  payload_available: text,
  payload_not_available: text,
  state_topic: topic,
  command_topic: topic,
  qos: oneOf(0, 1, 2),
  encoding: text,
}

/** The keys that components inherit from the root, unless they have their own. */
export const SHARED = Object.keys(ROOT).filter((key) => !['device', 'origin', 'components'].includes(key))

/** Closed, and without null. */
export const DEVICE: Keys = {
  identifiers: listOf(text, 1),
  connections: listOf(pair, 1),
  name: required(text),
  manufacturer: text,
  model: text,
  model_id: text,
  serial_number: text,
  hw_version: text,
  sw_version: text,
  suggested_area: text,
  via_device: text,
  configuration_url: link,
}

/** Closed. */
export const ORIGIN: Keys = {name: required(text), sw_version: text, support_url: link}

/** Closed at the root, so closed here. */
export const AVAILABILITY: Keys = {
  topic: required(topic),
  payload_available: text,
  payload_not_available: text,
  value_template: template,
}

const entity: Keys = {
  platform: required(text),
  unique_id: required(text),
  default_entity_id: required(text),
  name: orNull(text),
  availability: anything,
  availability_mode: oneOf('all', 'any', 'latest'),
  availability_topic: topic,
  availability_template: template,
  payload_available: text,
  payload_not_available: text,
  enabled_by_default: flag,
  entity_category: oneOf('config', 'diagnostic'),
  entity_picture: link,
  icon,
  json_attributes_topic: topic,
  json_attributes_template: template,
  qos: oneOf(0, 1, 2),
  encoding: text,
}
const readable: Keys = {...entity, state_topic: required(topic), value_template: template}
const writable: Keys = {
  ...entity,
  command_topic: required(topic),
  command_template: template,
  retain: flag,
  optimistic: flag,
  state_topic: topic,
  value_template: template,
}

/** The units and the state classes (for statistics) of a number: device class -> units and state classes. */
export const SENSOR_CLASSES: Readonly<
  Record<string, {units: readonly (string | undefined)[]; states: readonly (string | undefined)[]}>
> = {
  power: {units: ['W', 'kW', 'MW', 'GW', 'TW'], states: ['measurement']},
  energy: {
    units: ['Wh', 'kWh', 'MWh', 'GWh', 'TWh', 'J', 'kJ', 'MJ', 'GJ', 'cal', 'kcal', 'Mcal', 'Gcal'],
    states: ['total', 'total_increasing'],
  },
  voltage: {units: ['mV', 'V'], states: ['measurement']},
  current: {units: ['mA', 'A'], states: ['measurement']},
  apparent_power: {units: ['VA'], states: ['measurement']},
  reactive_power: {units: ['var'], states: ['measurement']},
  power_factor: {units: ['%', undefined], states: ['measurement']},
  frequency: {units: ['Hz', 'kHz', 'MHz', 'GHz'], states: ['measurement']},
  temperature: {units: ['°C', '°F', 'K'], states: ['measurement']},
  signal_strength: {units: ['dB', 'dBm'], states: ['measurement']},
  duration: {
    units: ['d', 'h', 'min', 's', 'ms'],
    states: ['measurement', 'total', 'total_increasing', undefined],
  },
  timestamp: {units: [undefined], states: [undefined]},
  date: {units: [undefined], states: [undefined]},
  enum: {units: [undefined], states: [undefined]},
}
/** Their values are no numbers. */
export const WORDY_CLASSES = new Set<unknown>(['timestamp', 'date', 'enum'])
const numericClasses = Object.keys(SENSOR_CLASSES).filter((name) => !WORDY_CLASSES.has(name))

/** The platforms that every release knows: one that a release does not know loses the whole device there. */
export const PLATFORMS: Readonly<Record<string, Keys>> = {
  switch: {
    ...writable,
    device_class: oneOf('outlet', 'switch'),
    payload_on: text,
    payload_off: text,
    state_on: text,
    state_off: text,
  },
  sensor: {
    ...readable,
    device_class: oneOf(...Object.keys(SENSOR_CLASSES)),
    state_class: oneOf('measurement', 'measurement_angle', 'total', 'total_increasing'),
    unit_of_measurement: text,
    suggested_display_precision: count,
    expire_after: count,
    force_update: flag,
    options: listOf(text, 1),
    last_reset_value_template: template,
  },
  binary_sensor: {
    ...readable,
    device_class: oneOf(
      'connectivity',
      'heat',
      'lock',
      'plug',
      'power',
      'problem',
      'running',
      'safety',
      'update',
    ),
    payload_on: text,
    payload_off: text,
    off_delay: count,
    expire_after: count,
    force_update: flag,
  },
  number: {
    ...writable,
    device_class: oneOf(...numericClasses),
    min: required(number),
    max: required(number),
    step: {expected: 'a number from 0.001', fits: (value) => number.fits(value) && Number(value) >= 0.001},
    mode: oneOf('auto', 'box', 'slider'),
    payload_reset: text,
    unit_of_measurement: text,
  },
  select: {...writable, options: required(listOf(text, 1))},
  button: {
    ...entity,
    command_topic: required(topic),
    command_template: template,
    payload_press: text,
    retain: flag,
    device_class: oneOf('identify', 'restart', 'update'),
  },
}
