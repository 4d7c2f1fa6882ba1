/**
 * Names of properties, the same over all models: a flow for one plug works with the next, and one page explains all names (docs/models.md).
 * The list is closed: a definition that needs another name adds it here, with its meaning.
 */

/** Name -> meaning. `_n` stands for the number of a socket, from 1. */
export const PROPERTY_NAMES: ReadonlyMap<string, string> = new Map([
  ['state', 'the relay; of a strip, the one in front of all its sockets'],
  ['state_n', 'the n-th socket of a strip that switches them one by one'],
  ['usb', 'the USB ports'],
  ['led', 'the light on the plug'],
  ['child_lock', 'whether the button on the plug is locked'],
  ['power', 'power now, W'],
  ['energy', 'total energy, kWh'],
  ['energy_today', 'energy since midnight, kWh; always counted by the bridge'],
  ['voltage', 'mains voltage, V'],
  ['current', 'current, A'],
  ['power_factor', 'power factor, %'],
  ['leakage_current', 'leakage current to earth, mA'],
  ['temperature', 'temperature inside the plug, °C'],
  ['working_time', 'time since the relay was switched on, minutes'],
  ['power_on_behavior', 'state of the relay after a power cut: off, on, previous'],
  ['countdown', 'minutes until the plug switches by itself'],
  ['countdown_active', 'whether the countdown runs'],
  ['countdown_left', 'minutes that are left of the countdown'],
  ['mode', 'operating mode of the plug'],
  ['usb_mode', 'which USB port has priority'],
  ['over_temperature', 'over-temperature alarm'],
  ['overload', 'overload alarm'],
  ['buzzer', 'whether the plug may beep'],
  ['led_schedule', 'whether the light is off during the night'],
  ['led_schedule_start', 'begin of the night, minutes after midnight'],
  ['led_schedule_end', 'end of the night, minutes after midnight'],
  ['cycle', 'whether the plug switches on and off repeatedly by itself'],
  ['cycle_schedule', 'schedule of the cycle, as text of the firmware'],
  ['cycle_n', 'the cycle of the n-th socket'],
  ['cycle_schedule_n', 'schedule of the cycle of the n-th socket'],
  ['usb_cycle', 'the cycle of the USB ports'],
  ['usb_cycle_schedule', 'schedule of the cycle of the USB ports'],
  ['charging_protection', 'whether the plug switches off by itself at low power, as when a battery is full'],
  ['charging_protection_power', 'power limit of the charging protection, W'],
  ['charging_protection_time', 'minutes below that limit'],
  ['power_limit', 'whether the plug switches off by itself above a power limit'],
  ['power_limit_power', 'the power limit, W'],
  ['rssi', 'Wi-Fi signal at the plug, dBm'],
  ['last_seen', 'time of the last answer'],
])

/** The name as in `PROPERTY_NAMES`: `state_n` for `state_3`. */
export function propertyPattern(name: string): string {
  return name.replace(/_[1-9]\d?$/, '_n')
}

/** Whether the list has this name of a property. */
export function isKnownPropertyName(name: string): boolean {
  return PROPERTY_NAMES.has(propertyPattern(name)) && !name.endsWith('_n')
}
