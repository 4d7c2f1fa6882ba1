/** Validates what users, Home Assistant or flows send: names of properties, with a suggestion for a wrong one, and values. Pure. */
import {closestWord, didYouMean, synonymTable} from '../../common/suggestion.ts'
import type {Model, Property} from '../../models/model.ts'
import {CommandError} from '../command-error.ts'
import {
  type CommandValue,
  excerpt,
  isWritable,
  type NumberProperty,
  nearestStep,
  rawLimits,
} from './values.ts'

/** Names that other programs use, in lower case, without "-" and "_". By our name of the property. */
const SYNONYMS = {
  state: ['power', 'relay', 'switch', 'on', 'onoff', 'output', 'socket', 'outlet', 'plug', 'status', 'value'],
  state_1: ['power1', 'relay1', 'switch1', 'socket1', 'outlet1', 'power', 'relay', 'switch', 'on', 'state'],
  state_2: ['power2', 'relay2', 'switch2', 'socket2', 'outlet2'],
  power: ['watt', 'consumption', 'load', 'activepower', 'currentpower', 'electricpower'],
  energy: ['kwh', 'total', 'energytotal', 'totalenergy', 'powerconsumption', 'meter'],
  energy_today: ['today', 'kwhtoday', 'todayenergy', 'dailyenergy'],
  led: ['light', 'indicator', 'indicatorlight', 'wifiled', 'statusled'],
  usb: ['usbon', 'usbport', 'usbpower'],
  temperature: ['temp', 'devicetemperature', 'chiptemperature'],
  voltage: ['volt', 'volts'],
  current: ['ampere', 'amperes', 'amps'],
  rssi: ['signal', 'wifi', 'linkquality', 'signalstrength'],
}
const PROPERTY_SYNONYMS = synonymTable(SYNONYMS)

/** The most similar of `possible`, by spelling or synonym; `undefined` when none is similar. */
export function suggestProperty(name: string, possible: readonly string[]): string | undefined {
  return closestWord(name, possible, PROPERTY_SYNONYMS)
}

/** As `suggestProperty`, for a setting that names a property. A property that other plugs have is not misspelled. */
export function misspelledProperty(name: string, possible: readonly string[]): string | undefined {
  return Object.hasOwn(SYNONYMS, name) ? undefined : suggestProperty(name, possible)
}

/** The meaning of `sent` for the property `name`. @throws CommandError when the model has no such property or value */
export function validateCommand({properties}: Model, name: string, sent: unknown): CommandValue {
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined
  if (property && isWritable(property)) return fromUser(name, property, sent)
  const writable = Object.keys(properties).filter((each) => properties[each] && isWritable(properties[each]))
  if (property) throw notWritable(name, sent, writable)
  throw unknownProperty(name, Object.keys(properties), writable, excerpt(name))
}

/**
 * The error for a property that the plug does not have.
 * @param known every property of the plug
 * @param possible the properties to suggest: for a command, those that can be set
 * @param shown `name` as the error shows it
 */
export function unknownProperty(
  name: string,
  known: readonly string[],
  possible: readonly string[],
  shown = name,
): CommandError {
  const suggestion = didYouMean(suggestProperty(name, possible))
  return new CommandError(
    'unknown_property',
    `expected one of ${known.join(', ')}, got ${shown}${suggestion}`,
  )
}

/** The error for a property that can only be read. A switching word suggests another: other programs call the relay `power`. */
export function notWritable(name: string, sent: unknown, writable: readonly string[]): CommandError {
  const isSwitching = /^(on|off|toggle|true|false)$/i.test(String(sent).trim())
  const suggestion = isSwitching ? didYouMean(suggestProperty(name, writable)) : ''
  return new CommandError('not_writable', `${name} can only be read${suggestion}`)
}

/**
 * The value of a writable property that `sent` means.
 * @throws CommandError `out_of_range`, or `invalid_payload` naming what was expected
 */
export function fromUser(name: string, property: Property, sent: unknown): CommandValue {
  switch (property.kind) {
    case 'switch':
      return switchValue(name, sent)
    case 'number':
      return numberValue(name, property, sent)
    case 'select':
      return selectValue(name, property, sent)
    case 'button':
      return null
    case 'sensor':
    case 'binary_sensor':
      throw notWritable(name, sent, [])
  }
}

function switchValue(name: string, sent: unknown): CommandValue {
  const word = typeof sent === 'string' ? sent.trim().toUpperCase() : sent
  if (word === 'ON' || word === true || word === 1 || word === 'TRUE' || word === '1') return 'ON'
  if (word === 'OFF' || word === false || word === 0 || word === 'FALSE' || word === '0') return 'OFF'
  if (word === 'TOGGLE') return 'TOGGLE'
  throw invalid(name, 'ON, OFF or TOGGLE', sent)
}

function numberValue(name: string, property: NumberProperty, sent: unknown): number {
  const {min, max, unit} = property
  const number = typeof sent === 'string' && sent.trim() !== '' ? Number(sent) : sent
  if (typeof number !== 'number' || !Number.isFinite(number)) throw invalid(name, `a number of ${unit}`, sent)
  if (number < min || number > max)
    throw new CommandError('out_of_range', `${name}: expected ${min} to ${max} ${unit}, got ${number}`)
  const [least, most] = rawLimits(property)
  if (least > most)
    throw new CommandError(
      'out_of_range',
      `${name}: the firmware has no value from ${min} to ${max} ${unit}: are scale and limits of its definition right?`,
    )
  return nearestStep(property, number)
}

function selectValue(name: string, {values}: Extract<Property, {kind: 'select'}>, sent: unknown): string {
  const wanted = typeof sent === 'string' ? sent.trim().toLowerCase() : sent
  const words = values.map(([, word]) => word)
  const found = words.find((word) => word.toLowerCase() === wanted)
  if (found === undefined) throw invalid(name, `one of ${words.join(', ')}`, sent)
  return found
}

function invalid(name: string, expected: string, sent: unknown): CommandError {
  return new CommandError('invalid_payload', `${name}: expected ${expected}, got ${excerpt(sent)}`)
}
