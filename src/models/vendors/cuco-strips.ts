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
const rare = {lane: 'rare', alone: true, disabledByDefault: true} as const
/** Whether many values or many requests restart them is not known: one value in a request, as hass-xiaomi-miot reads it, and few requests. */
const slowPolling = {batch: 1, interval: 120_000, pause: 2000} as const

const fourSocketsAndUsb = {state: relay(miot(2, 1)), ...sockets(3, 4), usb: usb(miot(7, 1))}

export const cucoStrips: readonly Model[] = [
  wallStrip('cuco.plug.cp2a', 2, {
    confidence: 'vendor',
    evidence:
      'homebridge-miot from the specification cuco-cp2a:2; hass-xiaomi-miot. homebridge-miot requested its 13 values at once, and it "works fine" (homebridge-miot#263).',
  }),
  wallStrip('cuco.plug.cp3a', 3, {
    confidence: 'vendor',
    evidence:
      'homebridge-miot from the specification cuco-cp3a:2; it requests the relay, the sockets and the lock at once.',
  }),
  wallStrip('cuco.plug.cp2ad', 2, {
    confidence: 'inferred',
    evidence:
      'hass-xiaomi-miot lists it beside the cp2a as reachable on the LAN; no specification was found.',
  }),
  wallStrip('cuco.plug.cp3ad', 3, {
    confidence: 'inferred',
    evidence:
      'hass-xiaomi-miot lists it beside the cp3a as reachable on the LAN; no specification was found.',
  }),
  {
    ids: ['cuco.plug.cp5'],
    name: 'Gosund Smart Power Strip, four sockets and USB',
    vendor,
    confidence: 'vendor',
    evidence: 'homebridge-miot from the specification cuco-cp5:1; it requests eight values at once.',
    batch: 8,
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
      'homebridge-miot from the specification cuco-sp5:3. Large or frequent requests restart it and switch its relays (hass-xiaomi-miot#335, #381, #415 on ' +
      '2.1.3_0013). Service 9 and the LED schedule are left out, as in hass-xiaomi-miot.',
    ...slowPolling,
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
      'hass-xiaomi-miot reads services 2 to 7 like those of the sp5, and as slowly; 10.x in hass-xiaomi-miot#836. That service 7 is USB is inferred from the sp5.',
    ...slowPolling,
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
      'homebridge-miot from the specification cuco-cp5pro:2. Its meter (service 10, also the power) is not read: reading it resets the energy that the app ' +
      'shows, and restarts the strip (hass-xiaomi-miot#763, 2.1.8_0007). The two temperature alarms and service 9 are documented nowhere.',
    // homebridge-miot requested nine values at once, as of a cp5: "it's perfect" (homebridge-miot#263).
    batch: 9,
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
          ...rare,
          label: 'USB mode',
          evidence: 'the port that has priority: 0 balanced, 1 C1, 2 C2, 3 none (homebridge-miot)',
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
      'hass-xiaomi-miot (#1218, #1318) and tables made from the specification cuco-cp5prd:1, with the addresses of the cp5pro. Of its meter only the power is read, as in ' +
      'hass-xiaomi-miot: reading the rest resets the energy of the cp5pro and restarts it (#763). Energy is added up from the power.',
    batch: 9, // as the cp5pro
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
      'The published specification cuco-cp7pd:1; firmware 1.1.1. Energy is added up from the power: after a while the counter (11.1) restarts at 0 (ha_xiaomi_home#1502).',
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
      'Tables made from the specification; a recorded response of socket 5 in hass-xiaomi-miot#1749, where it fails when two clients read at once. LED and faults ' +
      'as on the cp7pd. Energy is added up from the power: on the cp7pd the counter (11.1) restarts at 0. The meaning of 2.2 is not documented.',
    properties: {
      state: relay(miot(2, 1)),
      ...sockets(3, 6),
      usb: usb(miot(9, 1)),
      power: watts(miot(11, 4), {evidence: '×1 W, 0–10000 in steps of 1 (tables from the specification)'}),
      led: led(miot(13, 1)),
      ...faultSensors(
        2,
        3,
        [2],
        '1 over temperature, 2 overload, as on every model that documents such a code',
      ),
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
    properties: {
      state: relay(miot(2, 1)),
      ...sockets(3, count),
      ...gosundSettings,
      ...cycles(3, count),
    },
  }
}
