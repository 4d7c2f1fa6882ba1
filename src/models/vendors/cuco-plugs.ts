/**
 * Definitions of single plugs of Gosund, whose models are called cuco: MIoT. How many values one request may have: docs/protocol.md
 * §3.3, "Small chips".
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
/** The chips are small: with our names in it, a response with two values is always whole, and one with three may be cut off. */
const batch = 2
const clearedByReading =
  'Its energy counter, voltage and current are not read: hass-xiaomi-miot leaves these three out, because on related models reading them reset the energy ' +
  'that the app shows, and restarted the plug (hass-xiaomi-miot#763, #936).'
const tenths = '×0.1 V (hass-xiaomi-miot, ha_xiaomi_home)'
const milliamperes = '×0.001 A: the firmware reports mA (hass-xiaomi-miot, ha_xiaomi_home)'

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
    evidence:
      'hass-xiaomi-miot lists it as reachable on the LAN and treats it like the co1; no specification was found.',
    batch,
    properties: wallPlug,
  },
  {
    ids: ['cuco.plug.cp1'],
    name: 'Gosund Smart Plug',
    vendor,
    confidence: 'hardware',
    evidence:
      'python-miio#1933 (2.0.1_0013, esp8285), homebridge-miot, openHAB. Some units do not respond to a request that contains 3.1 (homebridge-miot#750).',
    batch,
    properties: {state: relay(miot(2, 1)), led: led(miot(3, 1))},
  },
  {
    ids: ['cuco.plug.cp1d'],
    name: 'Gosund Smart Plug',
    vendor,
    confidence: 'inferred',
    evidence: 'Like the cp1; hass-xiaomi-miot leaves out its LED.',
    batch,
    properties: {state: relay(miot(2, 1))},
  },
  {
    ids: ['cuco.plug.cp1m'],
    name: 'Gosund CP1-AM with meter',
    vendor,
    confidence: 'vendor',
    evidence: `homebridge-miot from the specification cuco-cp1m:2; hass-xiaomi-miot. A request for all of its 15 values restarted it (homebridge-miot#263); since then, homebridge-miot requests three at once. ${clearedByReading} Energy is added up from the power.`,
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(4, 1), {
        scale: 0.1,
        evidence:
          '×0.1 W, although the specification says watt: the value is ten times that of the app on 2.1.3_0001 (ha_xiaomi_home#1760); hass-xiaomi-miot has this scale, too',
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
      'hass-xiaomi-miot (#869, #1190, from an owner); voltage and current also in ha_xiaomi_home. Energy is added up from the power: no client reads the counter ' +
      '(2.2) on the LAN.',
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(4, 2), {
        evidence:
          '×1 W at 4.2, as an owner configured it (hass-xiaomi-miot#1190); on the cp1m the power is 4.1, and 4.2 is the counter',
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
      'homebridge-miot from the specification cuco-cp2:2, hass-xiaomi-miot; values compared with the app in ha_xiaomi_home#912. Energy is added up from the power: the ' +
      'values of the counter (2.2) that were compared with the app came from the cloud (hass-xiaomi-miot#756), not from the plug.',
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 2), {
        scale: 0.1,
        evidence: '×0.1 W, although the specification says watt (ha_xiaomi_home#912, hass-xiaomi-miot)',
      }),
      voltage: volts(miot(2, 3), {
        scale: 0.1,
        evidence: `${tenths}; 2345 in a recorded response of such a plug (xiaomi_miot_raw#2)`,
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
    evidence: `Tables made from the specification cuco-cp2d:1. It responds to a request for ten values with JSON that python-miio cannot read (hass-xiaomi-miot#926). ${clearedByReading} Its counter is also reported to be wrong (ha_xiaomi_home#1279). Energy is added up from the power.`,
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 4), {
        evidence:
          '×1 W (specification); ha_xiaomi_home and hass-xiaomi-miot apply no scale, and the owner who corrected the current did not correct the power ' +
          '(ha_xiaomi_home#1279). The cp2 reports tenths of a watt, as another property',
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
      'Tables made from the specification; scales of hass-xiaomi-miot. It measures power, but the address is documented nowhere. No report shows that its ' +
      'counter (2.2) is a total, so it is left out: no energy is better than a wrong one.',
    batch,
    properties: {
      state: relay(miot(2, 1)),
      voltage: volts(miot(2, 3), {scale: 0.1, evidence: '×0.1 V (hass-xiaomi-miot)'}),
      current: amperes(miot(2, 4), {
        scale: 0.001,
        evidence: '×0.001 A: the firmware reports mA (hass-xiaomi-miot)',
      }),
    },
  },
  {
    ids: ['cuco.plug.co3d'],
    name: 'Gosund Smart Wall Plug with meter',
    vendor,
    confidence: 'inferred',
    evidence:
      'Values read on the LAN in hass-xiaomi-miot#2511. Energy is added up from the power: the counter (8.1) was 0.0005 kWh, an interval rather than a total. ' +
      'It has a child lock, an LED and a cycle, but their addresses are documented nowhere.',
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(8, 4), {
        evidence: '×1 W, inferred from its name electric-power; 0 was read (hass-xiaomi-miot#2511)',
      }),
      voltage: volts(miot(8, 3), {
        precision: 4,
        evidence:
          '×1 V: 223.6492 was read (hass-xiaomi-miot#2511); its address 8.3 is inferred: the only free one between 8.2 and 8.4',
      }),
    },
  },
  {
    ids: ['cuco.plug.wp5m'],
    name: 'Gosund Smart Plug WP5 with meter',
    vendor,
    confidence: 'inferred',
    evidence:
      'Tables made from the specification; hass-xiaomi-miot#1310. Energy is added up from the power: hass-xiaomi-miot reads the counter (3.1) from the cloud only.',
    batch,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 2), {evidence: '×1 W (specification; hass-xiaomi-miot applies no scale)'}),
    },
  },
]
