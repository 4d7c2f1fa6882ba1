/** What many plugs have in the same few pieces, at addresses side by side: sockets, cycles, light, faults. All of it MIoT. */

import {
  led,
  minutesSetting,
  miot,
  overload,
  overTemperature,
  setting,
  socket,
  textSensor,
} from './builders.ts'
import type {Model, RawValue} from './model.ts'

type Properties = Model['properties']

/** Of whatever goes round. */
const icon = 'mdi:sync'

/** `count` sockets, each the first property of a service of its own, from service `first` on. */
export function sockets(first: number, count: number): Properties {
  return Object.fromEntries(upTo(count).map((n) => [`state_${n}`, socket(n, miot(first + n - 1, 1))]))
}

/** What such sockets do by themselves: properties 2 and 3 of their services. */
export function cycles(first: number, count: number): Properties {
  const all = upTo(count).map((n) => {
    const siid = first + n - 1
    return {
      [`cycle_${n}`]: setting(`Cycle ${n}`, miot(siid, 2), {icon}),
      [`cycle_schedule_${n}`]: textSensor(`Cycle schedule ${n}`, miot(siid, 3)),
    }
  })
  return Object.assign({}, ...all)
}

/** Switching on and off by itself: whether, at `siid`.`piid`, and in what rhythm, beside it. The rhythm is only shown. */
export function cycle(siid: number, piid: number): Properties {
  return {
    cycle: setting('Cycle', miot(siid, piid), {icon}),
    cycle_schedule: textSensor('Cycle schedule', miot(siid, piid + 1)),
  }
}

/** The same of the USB ports. */
export function usbCycle(siid: number, piid: number): Properties {
  return {
    usb_cycle: setting('USB cycle', miot(siid, piid), {icon}),
    usb_cycle_schedule: textSensor('USB cycle schedule', miot(siid, piid + 1)),
  }
}

/** The light, the first property of its service, and its night from `piid` on: whether, from when, until when. */
export function light(siid: number, piid: number, {earliest = 0, evidence = ''} = {}): Properties {
  return {led: led(miot(siid, 1)), ...night(siid, piid, {earliest, evidence})}
}

/** When the light is off: whether, from when, until when, minutes after midnight. */
export function night(siid: number, piid: number, {earliest = 0, evidence = ''} = {}): Properties {
  const time = {min: earliest, evidence: `${earliest}–1440 minutes after midnight: ${evidence}`}
  return {
    led_schedule: setting('LED schedule', miot(siid, piid)),
    led_schedule_start: minutesSetting('LED schedule start', miot(siid, piid + 1), time),
    led_schedule_end: minutesSetting('LED schedule end', miot(siid, piid + 2), time),
  }
}

/** One code for everything that is wrong: 1 is heat and 2 is too much load wherever it is documented. */
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
