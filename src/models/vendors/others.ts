/**
 * Definitions of plugs whose makers have one or two models: Zimi's second Mi power strip (legacy miIO) and MIoT wall socket
 * (docs/protocol.md §3.1, §3.3), and MIoT plugs with only the relay documented (docs/protocol.md §3.4).
 */
import {celsius, led, minutes, miot, prop, relay, setting, watts, wattsSetting} from '../builders.ts'
import type {Model} from '../model.ts'

export const others: readonly Model[] = [
  {
    ids: ['zimi.powerstrip.v2'],
    name: 'Mi Smart Power Strip',
    vendor: 'Zimi',
    confidence: 'hardware',
    evidence:
      'python-miio#239, #288: recorded responses of firmware 1.2.4_50. The strip has one relay. Its current is left out: the firmware computes it for 110 V ' +
      '(python-miio#50). So are mode and voltage, which are always null, and the power factor, which is always 0 (#288). Its MIoT specification is for the cloud only ' +
      '(homebridge-miot).',
    properties: {
      state: relay(prop('power', 'set_power')),
      temperature: celsius(prop('temperature'), {
        precision: 2,
        evidence: '×1 °C: 48.7, 53.89 (python-miio#239, #288)',
      }),
      power: watts(prop('power_consume_rate'), {
        precision: 2,
        evidence: '×1 W: 4.09, as in the app (python-miio#117, #239)',
      }),
      led: led(prop('wifi_led', 'set_wifi_led')),
    },
  },
  {
    ids: ['zimi.plug.zncz01'],
    name: 'Mijia Smart Wall Socket',
    vendor: 'Zimi',
    confidence: 'vendor',
    evidence:
      'The published specification zimi-zncz01:3. XiaomiGateway3 (#188) lists it as a Bluetooth mesh child of a gateway; then it has no address of its own and ' +
      'cannot be reached on the LAN. Energy is added up from the power: the counter (3.2) does not change (ha_xiaomi_home wiki, "Wrong power consumption"). 8.x and 10.x ' +
      'are rules for switching off, encoded as numbers, and are left out.',
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 1), {
        scale: 0.01,
        evidence:
          '×0.01 W, although the specification says watt: 9523 is 95.23 W (ha_xiaomi_home#46; #130: 3730 is 37.3 W)',
      }),
      led: led(miot(4, 1)),
      working_time: minutes('Working time', miot(2, 2)),
      power_limit: setting('Power limit', miot(7, 1)),
      power_limit_power: wattsSetting('Power limit power', miot(7, 2), {
        scale: 0.01,
        max: 3500,
        evidence: '×0.01 W (XiaomiGateway3); the maximum is that of the power (3.1), 350000 × 0.01 W',
      }),
    },
  },
  {
    ids: ['iot.plug.socn1'],
    name: 'Smart Plug',
    vendor: 'iot',
    confidence: 'inferred',
    evidence:
      'Its relay (2.1) is in a published mapping for iot-socn1:2; hass-xiaomi-miot lists it as reachable on the LAN.',
    properties: {state: relay(miot(2, 1))},
  },
  {
    ids: ['babai.plug.sk01a'],
    name: 'Smart Plug',
    vendor: 'babai',
    confidence: 'inferred',
    evidence:
      'Its relay (2.1) is in zeusro/miflow for babai-sk01a:1; hass-xiaomi-miot lists it as reachable on the LAN.',
    properties: {state: relay(miot(2, 1))},
  },
]
