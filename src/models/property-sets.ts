/** Sets of MIoT properties that many plugs have at adjacent addresses: sockets, cycles, light, faults. */
import {
  childLock,
  led,
  minutesSetting,
  miot,
  overload,
  overTemperature,
  powerOnBehavior,
  setting,
  socket,
  textSensor,
} from './builders.ts'
import type {Model, Property, RawValue} from './model.ts'

type Properties = Model['properties']

const CYCLE_ICON = 'mdi:sync'

/** `count` sockets: each is property 1 of a service of its own, from service `first` on. */
export function sockets(first: number, count: number): Properties {
  return Object.fromEntries(upTo(count).map((n) => [`state_${n}`, socket(n, miot(first + n - 1, 1))]))
}

/** The cycles of `count` sockets: properties 2 and 3 of their services, from service `first` on. */
export function cycles(first: number, count: number): Properties {
  const all = upTo(count).flatMap((n) => [
    [`cycle_${n}`, setting(`Cycle ${n}`, miot(first + n - 1, 2), {icon: CYCLE_ICON})],
    [`cycle_schedule_${n}`, textSensor(`Cycle schedule ${n}`, miot(first + n - 1, 3))],
  ])
  return Object.fromEntries(all)
}

/**
 * A cycle, in which the plug switches on and off by itself: whether it is active, at `siid`.`piid`, and next to it its schedule, which
 * is read only.
 */
export function cycle(siid: number, piid: number): Properties {
  return {
    cycle: setting('Cycle', miot(siid, piid), {icon: CYCLE_ICON}),
    cycle_schedule: textSensor('Cycle schedule', miot(siid, piid + 1)),
  }
}

/** The cycle of the USB ports, with addresses as for `cycle`. */
export function usbCycle(siid: number, piid: number): Properties {
  return {
    usb_cycle: setting('USB cycle', miot(siid, piid), {icon: CYCLE_ICON}),
    usb_cycle_schedule: textSensor('USB cycle schedule', miot(siid, piid + 1)),
  }
}

/** The light, property 1 of its service, and from `piid` on its schedule. @param earliest the least start and end */
export function light(siid: number, piid: number, source: string, earliest = 0): Properties {
  return {led: led(miot(siid, 1)), ...night(siid, piid, source, earliest)}
}

/** The schedule in which the light is off: active, start and end, in minutes after midnight. @param earliest the least start and end */
export function night(siid: number, piid: number, source: string, earliest = 0): Properties {
  const time = {min: earliest, evidence: `${earliest}–1440 minutes after midnight: ${source}`}
  return {
    led_schedule: setting('LED schedule', miot(siid, piid)),
    led_schedule_start: minutesSetting('LED schedule start', miot(siid, piid + 1), time),
    led_schedule_end: minutesSetting('LED schedule end', miot(siid, piid + 2), time),
  }
}

/** The power-on behavior, where its values 0, 1 and 2 mean these, in this order. */
export function powerOn(
  siid: number,
  piid: number,
  meanings: readonly ('off' | 'on' | 'previous')[],
  evidence: string,
): Property {
  return powerOnBehavior(
    miot(siid, piid),
    meanings.map((meaning, value) => [value, meaning]),
    {evidence},
  )
}

/** The power-on behavior of Gosund plugs. */
export function gosundPowerOn(siid: number, piid: number): Property {
  return powerOn(siid, piid, ['on', 'off', 'previous'], '0 on, 1 off, 2 memory (homebridge-miot)')
}

/** What the specifications of the Gosund plugs co1 and cp1m and of the strips cp2a and cp3a have at the same addresses. */
export const gosundSettings: Properties = {
  ...light(7, 3, 'homebridge-miot', 1),
  power_on_behavior: gosundPowerOn(7, 2),
  child_lock: childLock(miot(6, 1)),
}

/**
 * The sensors of one fault code: wherever it is documented, 1 is over-temperature and 2 is overload.
 * @param overloads values that mean overload
 */
export function faultSensors(
  siid: number,
  piid: number,
  overloads: readonly RawValue[],
  evidence: string,
): Properties {
  return {
    over_temperature: overTemperature(miot(siid, piid), {on: [1], evidence}),
    overload: overload(miot(siid, piid), {on: overloads, evidence}),
  }
}

function upTo(count: number): number[] {
  return Array.from({length: count}, (_, index) => index + 1)
}
