/** Definitions of Qingmi plugs: the first Mi power strip, legacy miIO with a meter, and MIoT strips (docs/protocol.md §3.1, §3.3). */
import {
  amperes,
  celsius,
  childLock,
  countdown,
  leakage,
  led,
  minutes,
  miot,
  mode,
  powerFactor,
  prop,
  relay,
  setting,
  volts,
  watts,
} from '../builders.ts'
import type {Model} from '../model.ts'

const vendor = 'Qingmi'
const milliamperes = '×0.001 A: the firmware reports mA'

/** What the strips psv3 and 2a1c1 have at the same addresses, besides their meters. */
const besidesMeter = {
  temperature: celsius(miot(2, 3), {precision: 1, evidence: '×1 °C in steps of 0.1 (specification)'}),
  led: led(miot(6, 1)),
  buzzer: setting('Buzzer', miot(6, 2)),
  working_time: minutes('Working time', miot(2, 4)),
  ...inSeconds(4, [1, 3, 2]),
}

export const qmi: readonly Model[] = [
  {
    ids: ['qmi.powerstrip.v1'],
    name: 'Mi Power Strip',
    vendor,
    confidence: 'hardware',
    evidence:
      'python-miio#302, #334, openHAB. The strip has one relay. openHAB lists wifi_led and power_price, too, but recorded responses have no value there ' +
      '(python-miio#302). It reports no energy on the LAN.',
    properties: {
      state: relay(prop('power', 'set_power')),
      temperature: celsius(prop('temperature')),
      current: amperes(prop('current'), {
        scale: 0.001,
        evidence:
          '×0.001 A, although python-miio reads it as A: 219.62 V × 0.751 A × 0.899 is 148 W, the power that was read with them (openhab-addons#11056)',
      }),
      mode: mode(
        prop('mode', 'set_power_mode'),
        [
          ['normal', 'normal'],
          ['green', 'green'],
        ],
        {
          evidence:
            '"normal" in python-miio#302; written with set_power_mode (python-miio, aholstenson/miio; only openHAB has set_mode)',
        },
      ),
      power: watts(prop('power_consume_rate'), {evidence: '×1 W (python-miio, openhab-addons#11056)'}),
      voltage: volts(prop('voltage'), {
        scale: 0.01,
        evidence: '×0.01 V: 23057 is 230.57 V (python-miio#302)',
      }),
      power_factor: powerFactor(prop('power_factor'), {
        scale: 0.1,
        evidence: '×0.1 %: 899 was read where voltage, current and power give 0.897 (openhab-addons#11056)',
      }),
      leakage_current: leakage(prop('elec_leakage'), {
        evidence:
          '×1 mA (openHAB): 8 was read from two strips (python-miio#302, openhab-addons#11056), which cannot be A as in python-miio',
      }),
    },
  },
  {
    ids: ['qmi.plug.psv3'],
    name: 'Xiaomi Smart Power Strip 2, 5 sockets',
    vendor,
    confidence: 'vendor',
    evidence:
      'The published specification qmi-psv3:1. Sources disagree on whether it is on the LAN: XiaomiGateway3#770 lists it as a Bluetooth mesh ' +
      'child of a gateway, others see it in their router. Energy is added up from the power: no report shows that the counter (3.1) is a total. Mode (2.2) and loop (5.x) ' +
      'are documented nowhere and left out; service 7 is for calibration and is never used.',
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 2), {precision: 4, evidence: '×1 W, in steps of 0.0001 (specification)'}),
      voltage: volts(miot(3, 3), {
        scale: 0.001,
        evidence: '×0.001 V: 228760 is 228.76 V (hass-xiaomi-miot#1415, ha_xiaomi_home)',
      }),
      current: amperes(miot(3, 4), {
        scale: 0.001,
        evidence: `${milliamperes}; 91 was read at a load of about 20 W (hass-xiaomi-miot#1415, ha_xiaomi_home)`,
      }),
      ...besidesMeter,
    },
  },
  {
    ids: ['qmi.plug.2a1c1'],
    name: 'Mi Power Strip (2a1c1)',
    vendor,
    confidence: 'vendor',
    evidence:
      'Tables made from the specification qmi-2a1c1:1, two of which agree; only the power (3.2) has a unit there (ha_xiaomi_home#196). Energy is added ' +
      'up from the power: no report shows that the counter (3.1) is a total.',
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 2), {precision: 3, evidence: '×1 W, 0–3000 in steps of 0.001 (specification)'}),
      voltage: volts(miot(3, 3), {
        scale: 0.001,
        evidence: '×0.001 V (hass-xiaomi-miot; an owner reads mV, ha_xiaomi_home#196)',
      }),
      current: amperes(miot(3, 4), {scale: 0.001, evidence: `${milliamperes} (hass-xiaomi-miot)`}),
      ...besidesMeter,
    },
  },
  {
    ids: ['qmi.plug.tw02'],
    name: 'Qingmi Smart Plug (tw02)',
    vendor,
    confidence: 'vendor',
    evidence:
      'Tables made from the specification qmi-tw02:1; reading and writing 2.1 was recorded on firmware 1.0.6. Its voltage (4.3) is left out: whole ' +
      'volts in one source, more than 10000 in another (hass-xiaomi-miot#1534). Energy is added up from the power: the counter (4.1) ends at 100 kWh. 8.3 is for ' +
      'calibration and is never used.',
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(4, 4), {precision: 2, evidence: '×1 W in steps of 0.01 (specification)'}),
      current: amperes(miot(4, 2), {
        scale: 0.001,
        evidence: `${milliamperes}; 0.541 A with it in hass-xiaomi-miot#1534`,
      }),
      temperature: celsius(miot(2, 6)),
      led: led(miot(3, 1), {
        evidence: 'the first property of the service indicator-light; no recorded response',
      }),
      child_lock: childLock(miot(5, 1)),
      working_time: minutes('Working time', miot(2, 7)),
      ...inSeconds(6, [2, 1, 3]),
    },
  },
]

/** A countdown in seconds. @param piids of its time, of whether it is active, and of the time that is left */
function inSeconds(
  siid: number,
  [time, active, left]: readonly [number, number, number],
): Model['properties'] {
  const evidence = 'seconds, up to 86400 (specification); no report of its use'
  return {
    countdown: countdown(miot(siid, time), {scale: 1 / 60, evidence}),
    countdown_active: setting('Countdown active', miot(siid, active)),
    countdown_left: minutes('Countdown left', miot(siid, left), {scale: 1 / 60, evidence}),
  }
}
