/** Definitions of Xiaomi's later plugs, MIoT; those whose models are called cuco are made by Gosund (docs/protocol.md §3.3). */
import {
  celsius,
  childLock,
  countdown,
  led,
  minutes,
  minutesSetting,
  miot,
  relay,
  setting,
  watts,
  wattsSetting,
} from '../builders.ts'
import type {Model, Property} from '../model.ts'
import {cycle, faultSensors, night, powerOn} from '../property-sets.ts'

const vendor = 'Xiaomi'
const faultCodes = '0 none, 1 over temperature, 2 overload (specification)'

export const mijia: readonly Model[] = [
  {
    ids: ['cuco.plug.v3'],
    name: 'Mijia Smart Plug 3',
    vendor,
    confidence: 'hardware',
    evidence:
      'The published specification cuco-v3:2; a C++ project reports that its own plug has every property of it. Energy is added up from the power: the counter (11.1) ' +
      'stays at 0 or 1 (ha_xiaomi_home#164, #996, #1479). 14.x and 15.1 have the meaning of 4.x and 9.2 and wider ranges, in newer firmware; which of them have effect ' +
      'is documented nowhere, so they are left out. The toggle action is reported to be unstable and is not used. A legacy method fails with -9999 ' +
      '"undefined command" (python-miio#1865).',
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(11, 2), {
        evidence:
          '×1 W (specification; no report of a scale): a whole number such as 52 or 508, although its format in the specification is float',
      }),
      temperature: celsius(miot(12, 2), {
        evidence: '×1 °C, 0–150 (specification; 46 in hass-xiaomi-miot#1564)',
      }),
      led: led(miot(13, 1)),
      power_on_behavior: cucoPowerOn('the comment in the specification'),
      ...faultSensors(2, 3, [2], faultCodes),
      child_lock: childLock(miot(7, 1)),
      ...night(3, 2, 'specification; 1320 and 600 in hass-xiaomi-miot#1564'),
      ...chargingProtection(10, 10, 'specification'),
      ...cycle(5, 1),
      countdown: countdown(miot(8, 2), {evidence: '0–1440 minutes (specification)'}),
      countdown_active: setting('Countdown active', miot(8, 1)),
      countdown_left: minutes('Countdown left', miot(8, 3)),
      ...powerLimit(1500, 2500, 'specification'),
    },
  },
  {
    ids: ['cuco.plug.v2eur'],
    name: 'Xiaomi Smart Plug 2 (EU)',
    vendor,
    confidence: 'hardware',
    evidence:
      'openHAB, whose contributor compared all but 11.1 and 2.3 with the app (openhab-addons#16079); sergey-brutsky/mi-home on firmware 1.0.6. Energy is added up ' +
      'from the power: the counter (11.1) stays at 0 or 1 (hass-xiaomi-miot#1347, #2759), and sources disagree on its scale. Whether it has the services 12 and 15 of the ' +
      'related v3 is unknown.',
    // openHAB requests one value at a time, another client four. There is no report of more.
    batch: 4,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(11, 2), {evidence: '×1 W, 0–5000 (openHAB, compared with the app)'}),
      led: led(miot(13, 1)),
      power_on_behavior: cucoPowerOn(
        'sergey-brutsky/mi-home; a Python project has other values, but contradicts both other sources in other places, too',
      ),
      ...faultSensors(2, 3, [2], '0 none, 1 over temperature, 2 overload (openHAB)'),
      child_lock: childLock(miot(7, 1)),
      ...chargingProtection(1200, 300, 'openHAB'),
      ...cycle(5, 1),
      countdown: countdown(miot(14, 2), {
        scale: 1 / 60,
        evidence:
          'seconds, 0–86400 (openHAB, where it works; in sergey-brutsky/mi-home it has no effect on 1.0.6)',
      }),
      countdown_active: setting('Countdown active', miot(14, 1)),
      countdown_left: minutes('Countdown left', miot(14, 3), {scale: 1 / 60, evidence: 'seconds (openHAB)'}),
      ...powerLimit(300, 3600, 'openHAB'),
    },
  },
  {
    ids: ['xiaomi.plug.04'],
    name: 'Xiaomi Smart Plug (04)',
    vendor,
    confidence: 'vendor',
    evidence:
      'The published specification xiaomi-04:1, a test fixture of hass-xiaomi-miot, which uses the plug on the LAN. Energy is added up from the power: ' +
      'hass-xiaomi-miot does not poll the counter (11.1), and no report shows that it is a total. Services 3 to 10 are protection, timers and delays that are not ' +
      'documented.',
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(11, 2), {evidence: '×1 W, 0–10000 (specification)'}),
      power_on_behavior: powerOn(
        2,
        2,
        ['previous', 'off', 'on'],
        '0 default (memory), 1 off, 2 on (specification): different from cuco plugs',
      ),
      ...faultSensors(2, 3, [2], faultCodes),
    },
  },
]

function cucoPowerOn(evidence: string): Property {
  return powerOn(2, 2, ['previous', 'on', 'off'], `0 as before, 1 on, 2 off (${evidence})`)
}

function chargingProtection(maxWatts: number, maxMinutes: number, source: string): Model['properties'] {
  return {
    charging_protection: setting('Charging protection', miot(4, 1)),
    charging_protection_power: wattsSetting('Charging protection power', miot(4, 2), {
      min: 2,
      max: maxWatts,
      evidence: `2–${maxWatts} W (${source})`,
    }),
    charging_protection_time: minutesSetting('Charging protection time', miot(4, 3), {
      min: 1,
      max: maxMinutes,
      evidence: `1–${maxMinutes} minutes (${source})`,
    }),
  }
}

function powerLimit(min: number, max: number, source: string): Model['properties'] {
  return {
    power_limit: setting('Power limit', miot(9, 1)),
    power_limit_power: wattsSetting('Power limit power', miot(9, 2), {
      min,
      max,
      step: 100,
      evidence: `${min}–${max} W in steps of 100 (${source})`,
    }),
  }
}
