/** The expected form of every property name, for all models. Written without src/models/builders.ts, which it checks. */
import type {Model, Property, RawValue, Value} from '../../../src/models/model.ts'

export interface Form {
  kind: Property['kind']
  /** Of a number; text has none. */
  unit?: string
  /** The name in Home Assistant; `#` is the number of a socket. */
  label: string | null
  lane: Property['lane']
  isWritable: boolean
}

const set = {kind: 'switch', isWritable: true} as const
const shown = {kind: 'sensor', isWritable: false} as const
const entered = {kind: 'number', isWritable: true, lane: 'rare'} as const
const alarm = {kind: 'binary_sensor', isWritable: false, lane: 'slow'} as const
const rare = {lane: 'rare'} as const
const fast = {lane: 'fast'} as const
const slow = {lane: 'slow'} as const

export const FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ['state', {...set, ...fast, label: null}],
  ['state_n', {...set, ...fast, label: 'Socket #'}],
  ['usb', {...set, ...fast, label: 'USB'}],
  ['led', {...set, ...slow, label: 'LED'}],
  ['child_lock', {...set, ...rare, label: 'Child lock'}],
  ['power', {...shown, ...fast, unit: 'W', label: 'Power'}],
  ['energy', {...shown, ...slow, unit: 'kWh', label: 'Energy'}],
  ['energy_today', {...shown, ...slow, unit: 'kWh', label: 'Energy today'}],
  ['voltage', {...shown, ...slow, unit: 'V', label: 'Voltage'}],
  ['current', {...shown, ...slow, unit: 'A', label: 'Current'}],
  ['power_factor', {...shown, ...slow, unit: '%', label: 'Power factor'}],
  ['leakage_current', {...shown, ...slow, unit: 'mA', label: 'Leakage current'}],
  ['temperature', {...shown, ...slow, unit: '°C', label: 'Temperature'}],
  ['working_time', {...shown, ...rare, unit: 'min', label: 'Working time'}],
  ['power_on_behavior', {kind: 'select', isWritable: true, ...slow, label: 'Power-on behavior'}],
  ['countdown', {...entered, ...slow, unit: 'min', label: 'Countdown'}],
  ['countdown_active', {...set, ...rare, label: 'Countdown active'}],
  ['countdown_left', {...shown, ...rare, unit: 'min', label: 'Countdown left'}],
  ['mode', {kind: 'select', isWritable: true, ...slow, label: 'Mode'}],
  ['usb_mode', {kind: 'select', isWritable: true, ...rare, label: 'USB mode'}],
  ['over_temperature', {...alarm, label: 'Over-temperature'}],
  ['overload', {...alarm, label: 'Overload'}],
  ['buzzer', {...set, ...rare, label: 'Buzzer'}],
  ['led_schedule', {...set, ...rare, label: 'LED schedule'}],
  ['led_schedule_start', {...entered, unit: 'min', label: 'LED schedule start'}],
  ['led_schedule_end', {...entered, unit: 'min', label: 'LED schedule end'}],
  ['cycle', {...set, ...rare, label: 'Cycle'}],
  ['cycle_schedule', {...shown, ...rare, label: 'Cycle schedule'}],
  ['cycle_n', {...set, ...rare, label: 'Cycle #'}],
  ['cycle_schedule_n', {...shown, ...rare, label: 'Cycle schedule #'}],
  ['usb_cycle', {...set, ...rare, label: 'USB cycle'}],
  ['usb_cycle_schedule', {...shown, ...rare, label: 'USB cycle schedule'}],
  ['charging_protection', {...set, ...rare, label: 'Charging protection'}],
  ['charging_protection_power', {...entered, unit: 'W', label: 'Charging protection power'}],
  ['charging_protection_time', {...entered, unit: 'min', label: 'Charging protection time'}],
  ['power_limit', {...set, ...rare, label: 'Power limit'}],
  ['power_limit_power', {...entered, unit: 'W', label: 'Power limit power'}],
  ['rssi', {...shown, ...rare, unit: 'dBm', label: 'Signal'}],
  ['last_seen', {...shown, ...fast, label: 'Last seen'}],
])

/** A value of the firmware, and the same value on MQTT. */
export interface Sample {
  raw: RawValue
  value: Value
}

export function samplesOf(property: Property): readonly Sample[] {
  switch (property.kind) {
    case 'switch':
      return property.raw === 'boolean'
        ? [sample(false, 'OFF'), sample(true, 'ON')]
        : [sample('off', 'OFF'), sample('on', 'ON')]
    case 'binary_sensor':
      return property.on
        ? [sample(0, 'OFF'), ...property.on.map((code) => sample(code, 'ON'))]
        : [sample(false, 'OFF'), sample(true, 'ON')]
    case 'sensor':
      if (property.raw === 'text')
        return [sample('30;30;7,1,2,3,4,5,6;0;1439;0', '30;30;7,1,2,3,4,5,6;0;1439;0')]
      return [0, 60, 1230].map((raw) => sample(raw, worth(raw, property)))
    case 'number':
      return [property.min, property.min + property.step, property.max].map((value) =>
        sample(Math.round(value / property.scale), value),
      )
    case 'select':
      return property.values.map(([raw, value]) => sample(raw, value))
    case 'button':
      return []
  }
}

/** A state in which every value differs from that of a new plug, except alarms: a plug has one fault code at a time. */
export function busyState({properties}: Model): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, property]) => {
      const samples =
        property.kind === 'binary_sensor' ? samplesOf(property).slice(0, 1) : samplesOf(property)
      const last = samples.at(-1)
      return last && isOfThePlug(property) ? [[name, last.value]] : []
    }),
  )
}

/** Whether the value comes from the firmware of the plug, not from `miIO.info` or the bridge. */
export function isOfThePlug({address: {via}}: Property): boolean {
  return via === 'get_prop' || via === 'method' || via === 'miot'
}

function worth(raw: number, {scale, offset = 0}: {scale: number; offset?: number}): number {
  return Number((raw * scale + offset).toFixed(6))
}

function sample(raw: RawValue, value: Value): Sample {
  return {raw, value}
}
