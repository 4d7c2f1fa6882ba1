/**
 * Chuangmi, the maker of Xiaomi's own first plugs. Legacy miIO: `get_prop` by position, on/off as text.
 * Sources are those of docs/protocol.md §3.1; what is contested between them says so here.
 */
import type {Model} from './model.ts'
import {celsius, led, method, prop, relay, usb, watts} from './vocabulary.ts'

const vendor = 'Xiaomi'

export const chuangmi: readonly Model[] = [
  {
    ids: ['chuangmi.plug.v1'],
    name: 'Mi Smart Plug with USB',
    vendor,
    confidence: 'hardware',
    evidence: 'python-miio, hass-xiaomi-miot',
    properties: {
      // Its on/off values are JSON booleans, and there is a method for each direction: `set_power` is not documented for it.
      state: relay(prop('on', {on: 'set_on', off: 'set_off'}), {raw: 'boolean'}),
      usb: usb(prop('usb_on', {on: 'set_usb_on', off: 'set_usb_off'}), {raw: 'boolean'}),
      temperature: celsius(prop('temperature')),
      // No LED: one source writes it (`set_wifi_led`), none reads it, so nothing could be shown.
    },
  },
  {
    ids: ['chuangmi.plug.v3'],
    name: 'Mi Smart Plug, enhanced, two USB ports',
    vendor,
    confidence: 'hardware',
    evidence: 'python-miio, hass-xiaomi-miot, openHAB',
    // Another list makes it answer -30001 "Resp invalid json." after a while (syssi/xiaomiplug#11).
    exactList: true,
    properties: {
      // `on` is a boolean in old firmware and text in 2.0.4_0026: ["off",true,32,"on"] (home-assistant/core#31653).
      state: relay(prop('on', 'set_power')),
      usb: usb(prop('usb_on', {on: 'set_usb_on', off: 'set_usb_off'}), {raw: 'boolean'}),
      temperature: celsius(prop('temperature')),
      led: led(prop('wifi_led', 'set_wifi_led')),
      power: watts(method('get_power'), {scale: 0.01}), // [300] is 3.00 W
    },
  },
  {
    ids: ['chuangmi.plug.m1', 'chuangmi.plug.m3'],
    name: 'Mi Smart Plug',
    vendor,
    confidence: 'hardware',
    evidence: 'python-miio, hass-xiaomi-miot',
    properties: {
      state: relay(prop('power', 'set_power')),
      temperature: celsius(prop('temperature')),
      // In the m1's firmware itself; for the m3 three sources have it and one denies it. Asked alone: it can harm nothing.
      led: led(prop('wifi_led', 'set_wifi_led'), {alone: true}),
    },
  },
  {
    ids: ['chuangmi.plug.v2', 'chuangmi.plug.hmi205', 'chuangmi.plug.hmi206'],
    name: 'Mi Smart Plug',
    vendor,
    confidence: 'hardware',
    evidence: 'python-miio, hass-xiaomi-miot',
    properties: {
      // One source gives the hmi206 a USB port and an LED; two, and its box, do not.
      state: relay(prop('power', 'set_power')),
      temperature: celsius(prop('temperature')),
    },
  },
  {
    ids: ['chuangmi.plug.hmi208'],
    name: 'Mi Smart Plug with USB, Bluetooth gateway',
    vendor,
    confidence: 'hardware',
    evidence: 'python-miio, hass-xiaomi-miot',
    properties: {
      state: relay(prop('power', 'set_power')),
      usb: usb(prop('usb_on', {on: 'set_usb_on', off: 'set_usb_off'}), {raw: 'boolean'}),
      temperature: celsius(prop('temperature')),
    },
  },
]
