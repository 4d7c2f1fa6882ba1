/**
 * Definitions of power strips of Gosund, whose models are called cuco: MIoT, with a main relay (2.1) and one for each socket
 * (docs/protocol.md §3.3).
 */

import {childLock, led, miot, mode, overload, relay, usb, watts} from '../builders.ts'
import type {Model} from '../model.ts'
import {
  cycles,
  faultSensors,
  gosundPowerOn,
  gosundSettings,
  light,
  powerOn,
  sockets,
  usbCycle,
} from '../property-sets.ts'

const vendor = 'Gosund'
const rarely = {lane: 'rare', alone: true, disabledByDefault: true} as const
/** As hass-xiaomi-miot polls: one value in a request, every two minutes, one socket after the other. */
const gently = {batch: 1, interval: 120_000, pause: 2000} as const

const fourSocketsAndUsb = {state: relay(miot(2, 1)), ...sockets(3, 4), usb: usb(miot(7, 1))}

export const cucoStrips: readonly Model[] = [
  wallStrip('cuco.plug.cp2a', 2, {
    confidence: 'vendor',
    evidence: 'homebridge-miot from the specification cuco-cp2a:2; hass-xiaomi-miot, one value in a request.',
  }),
  wallStrip('cuco.plug.cp3a', 3, {
    confidence: 'vendor',
    evidence:
      'homebridge-miot from the specification cuco-cp3a:2. One value in a request, as its sibling cp2a.',
  }),
  wallStrip('cuco.plug.cp2ad', 2, {
    confidence: 'inferred',
    evidence: 'hass-xiaomi-miot has it on its LAN list beside the cp2a; no specification was found.',
  }),
  wallStrip('cuco.plug.cp3ad', 3, {
    confidence: 'inferred',
    evidence: 'hass-xiaomi-miot has it on its LAN list beside the cp3a; no specification was found.',
  }),
  {
    ids: ['cuco.plug.cp5'],
    name: 'Gosund Smart Power Strip, four sockets and USB',
    vendor,
    confidence: 'vendor',
    evidence:
      'homebridge-miot from the specification cuco-cp5:1. One value in a request, as its siblings: large requests overload them (homebridge-miot#263).',
    batch: 1,
    properties: {
      ...fourSocketsAndUsb,
      led: led(miot(9, 2)),
      power_on_behavior: gosundPowerOn(9, 1),
      child_lock: childLock(miot(8, 1)),
    },
  },
  {
    ids: ['cuco.plug.sp5'],
    name: 'Gosund Smart Power Strip SP5, four sockets and USB',
    vendor,
    confidence: 'hardware',
    evidence:
      'homebridge-miot from the specification cuco-sp5:3. Asked much or often it restarts, and all its relays with it (hass-xiaomi-miot#335, #381, #415 on ' +
      '2.1.3_0013). Service 9 and the times of the light are left out, as hass-xiaomi-miot does.',
    ...gently,
    properties: {
      ...fourSocketsAndUsb,
      led: led(miot(10, 1)),
      child_lock: childLock(miot(8, 1)),
    },
  },
  {
    ids: ['cuco.plug.cp5d'],
    name: 'Gosund Smart Power Strip, four sockets and USB',
    vendor,
    confidence: 'inferred',
    evidence:
      'hass-xiaomi-miot asks for services 2 to 7 as for the sp5, and as gently; 10.x in hass-xiaomi-miot#836. That service 7 is USB follows from the sp5.',
    ...gently,
    properties: {
      ...fourSocketsAndUsb,
      led: led(miot(10, 1)),
    },
  },
  {
    ids: ['cuco.plug.cp5pro'],
    name: 'Gosund Smart Power Strip Pro, four sockets and USB',
    vendor,
    confidence: 'vendor',
    evidence:
      'homebridge-miot from the specification cuco-cp5pro:2. Nothing is asked of its meter (service 10, watts too): reading it makes the strip forget what it counted for ' +
      'the app, and restart (hass-xiaomi-miot#763, 2.1.8_0007). The two temperature alarms and service 9 are explained nowhere.',
    // hass-xiaomi-miot requests one socket with its cycle at once.
    batch: 3,
    properties: {
      ...fourSocketsAndUsb,
      ...light(12, 2, 'homebridge-miot'),
      usb_mode: mode(
        miot(7, 5),
        [
          [0, 'balanced'],
          [1, 'c1'],
          [2, 'c2'],
          [3, 'none'],
        ],
        {
          ...rarely,
          label: 'USB mode',
          evidence: 'which port comes first: 0 balanced, 1 C1, 2 C2, 3 none (homebridge-miot)',
        },
      ),
      overload: overload(miot(13, 1)),
      child_lock: childLock(miot(8, 1)),
      ...cycles(3, 4),
      ...usbCycle(14, 1),
    },
  },
  {
    ids: ['cuco.plug.cp5prd'],
    name: 'Gosund Smart Power Strip Pro, four sockets and USB',
    vendor,
    confidence: 'inferred',
    evidence:
      'hass-xiaomi-miot (#1218, #1318) and tables made from the specification cuco-cp5prd:1, laid out as the cp5pro. Of its meter only watts are asked, as hass-xiaomi-miot ' +
      'does: the cp5pro forgets and restarts over the rest (#763). Energy is added up from the watts.',
    batch: 3,
    properties: {
      ...fourSocketsAndUsb,
      power: watts(miot(10, 4), {precision: 1, evidence: '×1 W in steps of 0.1 (specification)'}),
      led: led(miot(12, 1)),
      child_lock: childLock(miot(8, 1)),
      ...cycles(3, 4),
    },
  },
  {
    ids: ['cuco.plug.cp7pd'],
    name: 'Gosund Smart Plug CP7, two sockets and USB',
    vendor,
    confidence: 'vendor',
    evidence:
      'The published specification cuco-cp7pd:1; firmware 1.1.1. Energy is added up from the watts: 11.1 counts a while and begins again at 0 (ha_xiaomi_home#1502).',
    properties: {
      state: relay(miot(2, 1)),
      ...sockets(3, 2),
      usb: usb(miot(9, 1)),
      power: watts(miot(11, 4), {evidence: '×1 W, 0–10000 in steps of 1 (specification)'}),
      ...light(13, 2, 'specification'),
      power_on_behavior: powerOn(
        2,
        2,
        ['previous', 'on', 'off'],
        '0 default (memory), 1 on, 2 off (specification)',
      ),
      ...faultSensors(2, 3, [2, 3], '0 none, 1 over temperature, 2 overload, 3 overcurrent (specification)'),
      child_lock: childLock(miot(10, 1)),
      ...cycles(3, 2),
      ...usbCycle(14, 1),
    },
  },
  {
    ids: ['cuco.plug.wp12'],
    name: 'Gosund Smart Power Strip WP12, six sockets and USB',
    vendor,
    confidence: 'inferred',
    evidence:
      'Tables made from the specification; a recorded answer of socket 5 in hass-xiaomi-miot#1749, where it fails when asked from two sides at once. Light and faults ' +
      'as on the cp7pd. Energy is added up from the watts: 11.1 begins again at 0 on that one. What 2.2 means is not documented.',
    properties: {
      state: relay(miot(2, 1)),
      ...sockets(3, 6),
      usb: usb(miot(9, 1)),
      power: watts(miot(11, 4), {evidence: '×1 W, 0–10000 in steps of 1 (tables from the specification)'}),
      led: led(miot(13, 1)),
      ...faultSensors(2, 3, [2], '1 over temperature, 2 overload, as wherever such a code is documented'),
      ...cycles(3, 6),
      ...usbCycle(14, 1),
    },
  },
]

/** A wall plug with two or three sockets and without a meter. */
function wallStrip(id: string, count: 2 | 3, sure: Pick<Model, 'confidence' | 'evidence'>): Model {
  return {
    ids: [id],
    name: `Gosund Smart Plug, ${count === 2 ? 'two' : 'three'} sockets`,
    vendor,
    ...sure,
    batch: 1,
    properties: {
      state: relay(miot(2, 1)),
      ...sockets(3, count),
      ...gosundSettings,
      ...cycles(3, count),
    },
  }
}
