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
  ['child_lock', 'whether the button on the plug does nothing'],
  ['power', 'what is drawn now, W'],
  ['energy', 'what was drawn ever, kWh'],
  ['energy_today', 'what was drawn since midnight, kWh; always worked out by the bridge'],
  ['voltage', 'of the mains, V'],
  ['current', 'what flows now, A'],
  ['power_factor', 'real in apparent power, %'],
  ['leakage_current', 'what flows to earth instead of back, mA'],
  ['temperature', 'inside the plug, °C'],
  ['working_time', 'for how long the relay has been on, minutes'],
  ['power_on_behavior', 'what the relay does when power returns: off, on, previous'],
  ['countdown', 'after how many minutes the plug switches by itself'],
  ['countdown_active', 'whether the countdown runs'],
  ['countdown_left', 'how many minutes of the countdown are left'],
  ['mode', 'in which of its modes the plug works'],
  ['usb_mode', 'which of the USB ports comes first'],
  ['over_temperature', 'whether the plug says it is too hot'],
  ['overload', 'whether the plug says too much is drawn'],
  ['buzzer', 'whether the plug may beep'],
  ['led_schedule', 'whether the light is off at night'],
  ['led_schedule_start', 'when that night begins, minutes after midnight'],
  ['led_schedule_end', 'when that night ends, minutes after midnight'],
  ['cycle', 'whether the plug switches on and off again and again by itself'],
  ['cycle_schedule', 'how it does, as the firmware writes it'],
  ['cycle_n', 'the same of the n-th socket'],
  ['cycle_schedule_n', 'the same of the n-th socket'],
  ['usb_cycle', 'the same of the USB ports'],
  ['usb_cycle_schedule', 'the same of the USB ports'],
  [
    'charging_protection',
    'whether the plug switches off by itself when little is drawn, as by a full battery',
  ],
  ['charging_protection_power', 'how little, W'],
  ['charging_protection_time', 'for how many minutes'],
  ['power_limit', 'whether the plug switches off by itself when too much is drawn'],
  ['power_limit_power', 'how much is too much, W'],
  ['rssi', 'how well the plug hears the Wi-Fi, dBm'],
  ['last_seen', 'when the plug last answered'],
])

/** The name as in `PROPERTY_NAMES`: `state_n` for `state_3`. */
export function propertyPattern(name: string): string {
  return name.replace(/_[1-9]\d?$/, '_n')
}

/** Whether the list has this name of a property. */
export function isKnownPropertyName(name: string): boolean {
  return PROPERTY_NAMES.has(propertyPattern(name)) && !name.endsWith('_n')
}
