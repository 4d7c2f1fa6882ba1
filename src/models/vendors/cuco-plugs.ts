/**
 * Definitions of single plugs of Gosund, whose models are called cuco: MIoT (docs/protocol.md §3.3). Small chips with old firmware that
 * omits the commas between several values of an answer, so each request is for one value (python-miio#1933, ha0y/xiaomi_miot_raw#2).
 */

import {
  amperes,
  celsius,
  childLock,
  countdown,
  led,
  miot,
  overload,
  overTemperature,
  relay,
  volts,
  watts,
} from '../builders.ts'
import type {Model} from '../model.ts'
import {cycle, gosundSettings} from '../property-sets.ts'

const vendor = 'Gosund'
const batch = 1
const clearedByReading =
  'Its counter, voltage and current are not asked for: hass-xiaomi-miot leaves these three out, for reading them made its siblings lose what they had counted ' +
  'for the app, and restart (hass-xiaomi-miot#763, #936).'
const tenths = '×0.1 V (hass-xiaomi-miot, ha_xiaomi_home)'
const milliamperes = '×0.001 A: the firmware counts mA (hass-xiaomi-miot, ha_xiaomi_home)'

const wallPlug = {state: relay(miot(2, 1)), ...gosundSettings, ...cycle(8, 1)}

export const cucoPlugs: readonly Model[] = [
  {
    ids: ['cuco.plug.co1'],
    name: 'Gosund Smart Wall Plug',
    vendor,
    confidence: 'vendor',
    evidence: 'homebridge-miot from the specification cuco-co1:2; hass-xiaomi-miot.',
    batch,
    properties: wallPlug,
  },
  {
    ids: ['cuco.plug.co1d'],
    name: 'Gosund Smart Wall Plug',
    vendor,
    confidence: 'inferred',
    evidence: 'hass-xiaomi-miot has it on its LAN list and treats it as the co1; no specification was found.',
    batch,
    properties: wallPlug,
  },
  {
    ids: ['cuco.plug.cp1'],
    name: 'Gosund Smart Plug',
    vendor,
    confidence: 'hardware',
    evidence:
      'python-miio#1933 (2.0.1_0013, esp8285), homebridge-miot, openHAB. Some units answer a request with 3.1 in it not at all (homebridge-miot#750).',
    batch,
    properties: {state: relay(miot(2, 1)), led: led(miot(3, 1))},
  },
  {
    ids: ['cuco.plug.cp1d'],
    name: 'Gosund Smart Plug',
    vendor,
    confidence: 'inferred',
    evidence: 'As the cp1; hass-xiaomi-miot leaves its light out.',
    batch,
    properties: {state: relay(miot(2, 1))},
  },
  {
    ids: ['cuco.plug.cp1m'],
    name: 'Gosund CP1-AM with meter',
    vendor,
    confidence: 'vendor',
    evidence: `homebridge-miot from the specification cuco-cp1m:2; hass-xiaomi-miot. ${clearedByReading} Energy is added up from the watts.`,
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(4, 1), {
        scale: 0.1,
        evidence:
          '×0.1 W, though its unit is watt: ten times what the app shows on 2.1.3_0001 (ha_xiaomi_home#1760); also hass-xiaomi-miot',
      }),
      ...gosundSettings,
      ...cycle(8, 1),
    },
  },
  {
    ids: ['cuco.plug.cp1md'],
    name: 'Gosund CP1-AM with meter',
    vendor,
    confidence: 'inferred',
    evidence:
      'hass-xiaomi-miot (#869, #1190, from an owner); volts and mA also ha_xiaomi_home. Energy is added up from the watts: no client reads 2.2 on the LAN.',
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(4, 2), {
        evidence:
          '×1 W at 4.2, set so by an owner (hass-xiaomi-miot#1190); on the cp1m power is 4.1, and 4.2 the counter',
      }),
      voltage: volts(miot(2, 3), {scale: 0.1, evidence: tenths}),
      current: amperes(miot(2, 4), {scale: 0.001, evidence: milliamperes}),
      child_lock: childLock(miot(6, 1)),
    },
  },
  {
    ids: ['cuco.plug.cp2'],
    name: 'Gosund Smart Socket with meter',
    vendor,
    confidence: 'hardware',
    evidence:
      'homebridge-miot from the specification cuco-cp2:2, hass-xiaomi-miot; values compared with the app in ha_xiaomi_home#912. Energy is added up from the watts: what ' +
      'was compared with the app under the name of 2.2 came from the cloud (hass-xiaomi-miot#756), not from the plug.',
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 2), {
        scale: 0.1,
        evidence: '×0.1 W, though its unit is watt (ha_xiaomi_home#912, hass-xiaomi-miot)',
      }),
      voltage: volts(miot(2, 3), {
        scale: 0.1,
        evidence: `${tenths}; 2345 in a recorded reply of such a plug (xiaomi_miot_raw#2)`,
      }),
      current: amperes(miot(2, 4), {scale: 0.001, evidence: milliamperes}),
      led: led(miot(3, 1)),
      over_temperature: overTemperature(miot(3, 4)),
      countdown: countdown(miot(2, 5), {
        evidence: '0–1440 minutes (specification); no report of its use',
      }),
    },
  },
  {
    ids: ['cuco.plug.cp2d'],
    name: 'Gosund Smart Socket with meter',
    vendor,
    confidence: 'inferred',
    evidence: `Tables made from the specification cuco-cp2d:1 (hass-xiaomi-miot#926). ${clearedByReading} Its counter is wrong besides (ha_xiaomi_home#1279). Energy is added up from the watts.`,
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 4), {
        evidence:
          '×1 W as the specification says; ha_xiaomi_home and hass-xiaomi-miot scale it nowhere, and the owner who corrected the current found nothing ' +
          'wrong with it (ha_xiaomi_home#1279). The cp2 counts tenths under another name',
      }),
      temperature: celsius(miot(6, 2)),
      over_temperature: overTemperature(miot(6, 1)),
      overload: overload(miot(6, 3)),
      led: led(miot(4, 1)),
      child_lock: childLock(miot(5, 1)),
    },
  },
  {
    ids: ['cuco.plug.cp4', 'cuco.plug.cp4m', 'cuco.plug.cp4am'],
    name: 'Gosund Smart Plug CP4 with meter',
    vendor,
    confidence: 'inferred',
    evidence:
      'Tables made from the specification; scales of hass-xiaomi-miot. It measures watts, but where is documented nowhere. No report shows that its counter (2.2) ' +
      'is a total, so it is left out: there are no kWh rather than wrong ones.',
    batch,
    properties: {
      state: relay(miot(2, 1)),
      voltage: volts(miot(2, 3), {scale: 0.1, evidence: '×0.1 V (hass-xiaomi-miot)'}),
      current: amperes(miot(2, 4), {
        scale: 0.001,
        evidence: '×0.001 A: the firmware counts mA (hass-xiaomi-miot)',
      }),
    },
  },
  {
    ids: ['cuco.plug.co3d'],
    name: 'Gosund Smart Wall Plug with meter',
    vendor,
    confidence: 'inferred',
    evidence:
      'Values read on the LAN in hass-xiaomi-miot#2511. Energy is added up from the watts: 8.1 read 0.0005 kWh, an interval rather than a total. Lock, light and cycle ' +
      'exist, but where is documented nowhere.',
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(8, 4), {
        evidence: '×1 W by its name, electric-power; 0 read (hass-xiaomi-miot#2511)',
      }),
      voltage: volts(miot(8, 3), {
        precision: 4,
        evidence:
          '×1 V: 223.6492 read (hass-xiaomi-miot#2511); its place, 8.3, is inferred: the only one free between 8.2 and 8.4',
      }),
    },
  },
  {
    ids: ['cuco.plug.wp5m'],
    name: 'Gosund Smart Plug WP5 with meter',
    vendor,
    confidence: 'inferred',
    evidence:
      'Tables made from the specification; hass-xiaomi-miot#1310. Energy is added up from the watts: hass-xiaomi-miot takes 3.1 from the cloud.',
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 2), {evidence: '×1 W (specification; hass-xiaomi-miot scales it nowhere)'}),
    },
  },
]
