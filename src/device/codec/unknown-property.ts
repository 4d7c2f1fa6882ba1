/** Errors for properties that a plug does not have or cannot write, with a suggestion. */

import {closestWord, didYouMean, synonymTable} from '../../common/suggestion.ts'
import {CommandError} from '../command-error.ts'

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
export function meantProperty(name: string, possible: readonly string[]): string | undefined {
  return closestWord(name, possible, PROPERTY_SYNONYMS)
}

/** As `meantProperty`, for a setting that names a property. A property that other plugs have is not misspelled. */
export function misspelledProperty(name: string, possible: readonly string[]): string | undefined {
  return Object.hasOwn(SYNONYMS, name) ? undefined : meantProperty(name, possible)
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
  const meant = didYouMean(meantProperty(name, possible))
  return new CommandError('unknown_property', `expected one of ${known.join(', ')}, got ${shown}${meant}`)
}

/** The error for a property that can only be read. A switching word suggests another: other programs call the relay `power`. */
export function notWritable(name: string, sent: unknown, writable: readonly string[]): CommandError {
  const isSwitching = /^(on|off|toggle|true|false)$/i.test(String(sent).trim())
  const meant = isSwitching ? didYouMean(meantProperty(name, writable)) : ''
  return new CommandError('not_writable', `${name} can only be read${meant}`)
}
