/** What is said of a property that a plug has not got. */

import {closestWord, didYouMean, synonymTable} from '../../common/suggestion.ts'
import {CommandError} from '../command-error.ts'

/** What other programs call them: in small letters, without "-" and "_". */
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
const ELSEWHERE = synonymTable(SYNONYMS)

/** Which of `possible` was probably meant. */
export function meantProperty(name: string, possible: readonly string[]): string | undefined {
  return closestWord(name, possible, ELSEWHERE)
}

/** The same for a setting that names a property: one that other plugs have was meant as it stands. */
export function misspelledProperty(name: string, possible: readonly string[]): string | undefined {
  return Object.hasOwn(SYNONYMS, name) ? undefined : meantProperty(name, possible)
}

/**
 * @param known every property of the plug
 * @param possible those of them that may have been meant: of a command, what can be set
 * @param shown `name` as an error may show it
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

/** Of what can only be read, and was to be switched: other programs call the relay `power`. */
export function notWritable(name: string, sent: unknown, writable: readonly string[]): CommandError {
  const isSwitching = /^(on|off|toggle|true|false)$/i.test(String(sent).trim())
  const meant = isSwitching ? didYouMean(meantProperty(name, writable)) : ''
  return new CommandError('not_writable', `${name} can only be read${meant}`)
}
