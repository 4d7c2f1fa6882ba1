/**
 * Definitions of Chuangmi plugs, Xiaomi's first ones: legacy miIO, `get_prop` by position, on/off as text; and one MIoT plug.
 * The sources are those of docs/protocol.md §3.1; where they contradict each other, the evidence names both.
 */
import {
  celsius,
  countdown,
  led,
  method,
  minutes,
  miot,
  prop,
  relay,
  setting,
  usb,
  volts,
  watts,
  wattsSetting,
} from '../builders.ts'
import type {Model} from '../model.ts'

const vendor = 'Xiaomi'
const usbPort = usb(prop('usb_on', {on: 'set_usb_on', off: 'set_usb_off'}), {
  raw: 'boolean',
  evidence:
    'true or false in every recorded response; written by two methods without parameters (python-miio)',
})

export const chuangmi: readonly Model[] = [
  {
    ids: ['chuangmi.plug.v1'],
    name: 'Mi Smart Plug with USB',
    vendor,
    confidence: 'hardware',
    evidence:
      'python-miio, hass-xiaomi-miot, openHAB. The LED is left out: one source writes it (set_wifi_led), none reads it, so its state would be unknown.',
    properties: {
      state: relay(prop('on', {on: 'set_on', off: 'set_off'}), {
        raw: 'boolean',
        evidence:
          'true or false; written by two methods without parameters, since set_power is not documented for it (python-miio)',
      }),
      usb: usbPort,
      temperature: celsius(prop('temperature')),
    },
  },
  {
    ids: ['chuangmi.plug.v3'],
    name: 'Mi Smart Plug, enhanced, two USB ports',
    vendor,
    confidence: 'hardware',
    evidence:
      'python-miio, hass-xiaomi-miot, openHAB. A request must have all four names: with another list the response is -30001 after a while (syssi/xiaomiplug#11).',
    exactList: true,
    properties: {
      state: relay(prop('on', 'set_power'), {
        evidence:
          'a boolean in old firmware, text in 2.0.4_0026: ["off",true,32,"on"] (home-assistant/core#31653); both forms are read',
      }),
      usb: usbPort,
      temperature: celsius(prop('temperature')),
      led: led(prop('wifi_led', 'set_wifi_led')),
      power: watts(method('get_power'), {
        scale: 0.01,
        evidence: '×0.01 W: [300] is 3.00 W (python-miio#338, openHAB)',
      }),
    },
  },
  {
    ids: ['chuangmi.plug.m1', 'chuangmi.plug.m3'],
    name: 'Mi Smart Plug',
    vendor,
    confidence: 'hardware',
    evidence: 'python-miio, hass-xiaomi-miot, openHAB; for the m1 also a flash dump of its firmware.',
    properties: {
      state: relay(prop('power', 'set_power')),
      temperature: celsius(prop('temperature')),
      led: led(prop('wifi_led', 'set_wifi_led'), {
        alone: true,
        evidence:
          'in the firmware of the m1; three sources list it for the m3, homebridge-miot denies it. It is read alone, so that nothing else fails without it',
      }),
    },
  },
  {
    ids: ['chuangmi.plug.v2', 'chuangmi.plug.hmi205', 'chuangmi.plug.hmi206'],
    name: 'Mi Smart Plug',
    vendor,
    confidence: 'hardware',
    evidence:
      'python-miio, hass-xiaomi-miot. openHAB lists a USB port and an LED for the hmi206; two other sources and its packaging do not.',
    properties: {
      state: relay(prop('power', 'set_power')),
      temperature: celsius(prop('temperature')),
    },
  },
  {
    ids: ['chuangmi.plug.hmi208'],
    name: 'Mi Smart Plug with USB, Bluetooth gateway',
    vendor,
    confidence: 'hardware',
    evidence: 'python-miio#616 and #693, hass-xiaomi-miot.',
    properties: {
      state: relay(prop('power', 'set_power')),
      usb: usbPort,
      temperature: celsius(prop('temperature')),
    },
  },
  {
    ids: ['chuangmi.plug.212a01'],
    name: 'Mi Smart Plug 2, Bluetooth gateway',
    vendor,
    confidence: 'hardware',
    evidence:
      'Specification in python-miio#844; homebridge-miot, openHAB, hass-xiaomi-miot. Its energy counter (5.1) holds only the last ten minutes (ha_xiaomi_home#788) or ' +
      'stays at 100 (hass-xiaomi-miot#118, #753), so energy is added up from the power. Its current (5.2) stays at 5 ' +
      '(2.1.8_0032, hass-xiaomi-miot#118, #758) and is left out. So is 4.6, which toggles on every write, whatever the value.',
    // A larger request fails with -9999 "user ack timeout". hass-xiaomi-miot requests seven values at once, openHAB one.
    batch: 7,
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(5, 6), {
        scale: 0.01,
        evidence:
          '×0.01 W: a measured load of 78.25 W was read as 7825 on the LAN (hass-xiaomi-miot#118). In the specification and in the cloud it is whole watts',
      }),
      voltage: volts(miot(5, 3), {evidence: '×1 V: 220 read in syssi/xiaomi_raw#6'}),
      temperature: celsius(miot(2, 6)),
      led: led(miot(3, 1)),
      working_time: minutes('Working time', miot(2, 7)),
      countdown: countdown(miot(4, 3), {
        scale: 1 / 60,
        max: 1441,
        evidence: 'seconds, 0–86500 (specification); no report shows whether writing it starts the countdown',
      }),
      power_limit: setting('Power limit', miot(7, 1)),
      power_limit_power: wattsSetting('Power limit power', miot(7, 2), {
        max: 65_525,
        evidence: '×1 W, 0–65525 (sergey-brutsky/mi-home)',
      }),
    },
  },
]
