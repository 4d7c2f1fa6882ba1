/** The meaning of a MIoT property depends on its service: specifications are imported by both names, in any order and vendor spelling. */
import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {formatDefinition} from '../../../../src/config/definitions/definition.ts'
import {parseDefinitions} from '../../../../src/config/definitions/definition-files.ts'
import type {MiotProperty} from '../../../../src/models/import/miot-rules.ts'
import {definitionFrom, type MiotService} from '../../../../src/models/import/miot-spec.ts'
import type {Model} from '../../../../src/models/model.ts'
import {checkProperty} from '../../../support/seeds.ts'

function service(iid: number, name: string, description: string, ...properties: MiotProperty[]): MiotService {
  return {iid, type: `urn:miot-spec-v2:service:${name}:0000780C:acme-one:1`, description, properties}
}

/** A service in the name space of the vendor. */
function own(iid: number, name: string, description: string, ...properties: MiotProperty[]): MiotService {
  return {iid, type: `urn:acme-spec:service:${name}:00007801:acme-one:1`, description, properties}
}

function property(iid: number, name: string, more: Partial<MiotProperty> = {}): MiotProperty {
  const type = `urn:acme-spec:property:${name}:00000001:acme-one:1`
  return {iid, type, description: '', format: 'bool', access: ['read', 'write'], ...more}
}

const on = property(1, 'on')
const words = (...list: string[]) => ({list: list.map((description, value) => ({value, description}))})
const mode = (iid: number, more: Partial<MiotProperty> = {}) =>
  property(iid, 'mode', {format: 'uint8', ...words('Balanced', 'C1'), ...more})
const duration = (iid: number, more: Partial<MiotProperty> = {}) =>
  property(iid, 'duration', {format: 'uint16', unit: 'minutes', range: [0, 1439, 1], ...more})
const main = service(2, 'switch', 'Switch', on)

const imported = (...services: MiotService[]) =>
  definitionFrom(
    {type: 'urn:miot-spec-v2:device:outlet:0000A002:acme-one:1', description: 'Outlet', services},
    'acme.plug.one',
  )

/** The address of each property: `{state: '2.1'}`. */
function places({properties}: Model): Record<string, string> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, {address}]) => [
      name,
      address.via === 'miot' ? `${address.siid}.${address.piid}` : address.via,
    ]),
  )
}
const placesIn = (...services: MiotService[]) => places(imported(...services).model)

describe('a property in the service of a switch belongs to that switch', () => {
  const usb = (...more: MiotProperty[]) => service(7, 'switch', 'USB Switch Status', on, ...more)

  it('the mode of the USB ports is their mode, and the mode of the relay is that of the plug', () => {
    const relay = service(2, 'switch', 'Switch', on, mode(3))
    expect(placesIn(main, usb(mode(5)))).toEqual({state: '2.1', usb: '7.1', usb_mode: '7.5'})
    expect(placesIn(usb(mode(5)), relay)).toEqual({state: '2.1', usb: '7.1', mode: '2.3', usb_mode: '7.5'})
    expect(placesIn(relay, usb())).toEqual({state: '2.1', usb: '7.1', mode: '2.3'})
  })

  it('a mode with the name of the USB ports is that of the ports in any service', () => {
    expect(placesIn(service(2, 'switch', 'Switch', on, property(3, 'usb-mode', words('A', 'C'))))).toEqual({
      state: '2.1',
      usb_mode: '2.3',
    })
    expect(placesIn(service(2, 'switch', 'Switch', on, mode(3, {description: 'USB mode'})))).toEqual({
      state: '2.1',
      usb_mode: '2.3',
    })
  })

  it('of several USB switches the first has the name, and a mode of its own only', () => {
    const second = service(8, 'switch', 'USB 2', on, mode(5))
    expect(placesIn(main, usb(), second)).toEqual({state: '2.1', usb: '7.1'})
    expect(placesIn(main, second, usb(mode(5)))).toEqual({state: '2.1', usb: '7.1', usb_mode: '7.5'})
    expect(imported(main, usb(), second).notes).toEqual([
      '8.5 mode is left out: it belongs to another switch, not to the whole plug',
      'left out, since no known property matches: 8.1 USB 2: on',
    ])
  })

  it.each([
    ['mode', mode(2)],
    ['fault', property(2, 'fault', words('No', 'Over temperature', 'Overload'))],
    ['default-power-on-state', property(2, 'default-power-on-state', words('Off', 'On', 'Memory'))],
    ['electric-power', property(2, 'electric-power', {unit: 'watt'})],
    ['voltage', property(2, 'voltage', {unit: 'volt'})],
    ['electric-current', property(2, 'electric-current', {unit: 'mA'})],
    ['temperature', property(2, 'temperature', {unit: 'celsius'})],
    ['working-time', property(2, 'working-time', {unit: 'minutes'})],
    ['countdown-time', property(2, 'countdown-time', {unit: 'minutes'})],
  ])('%s of a socket is not that of the plug', (name, its) => {
    const {model, notes} = imported(main, service(3, 'switch', 'Socket 1', on, its))
    expect(places(model)).toEqual({state: '2.1', state_1: '3.1'})
    expect(notes).toEqual([`3.2 ${name} is left out: it belongs to socket 1, not to the whole plug`])
  })

  it('a value that the USB ports measure is not that of the plug', () => {
    const meter = service(9, 'power-consumption', 'USB meter', property(1, 'electric-power', {unit: 'watt'}))
    const {model, notes} = imported(main, usb(), meter)
    expect(places(model)).toEqual({state: '2.1', usb: '7.1'})
    expect(notes).toEqual([
      '9.1 electric-power is left out: it belongs to the USB ports, not to the whole plug',
    ])
  })

  it('a temperature measured around the plug is not its own temperature', () => {
    const outside = service(
      9,
      'temperature-humidity-sensor',
      '',
      property(1, 'temperature', {unit: 'celsius'}),
    )
    expect(placesIn(main, outside)).toEqual({state: '2.1'})
  })

  it.each([
    ['led-switch', ''],
    ['indicator_light_switch', ''],
    ['childLockSwitch', ''],
    ['countdown-switch', ''],
    ['cycle-switch', ''],
    ['power-limit-switch', ''],
    ['switch', 'Indicator Light Switch'],
    ['switch', 'LED'],
    ['switch', 'Child lock'],
    ['switch', 'Countdown'],
  ])('service %s %j switches no socket', (name, description) => {
    expect(placesIn(own(3, name, description, on), main)).toMatchObject({state: '2.1'})
    expect(placesIn(own(3, name, description, on), main)).not.toHaveProperty('state_1')
  })

  it.each([
    'outlet',
    'Outlet',
    'relay',
    'switch-status',
    'SwitchService',
    'outlet_2',
    'socket3',
    'left-switch',
  ])('service %s is one that switches', (name) => {
    expect(placesIn(own(3, name, '', on), main)).toEqual({state: '2.1', state_1: '3.1'})
  })

  it('the description of a relay may mention other parts', () => {
    expect(placesIn(service(2, 'outlet', 'Outlet with LED', on))).toEqual({state: '2.1'})
  })
})

describe("a vendor's spelling", () => {
  it.each([
    'on',
    'On',
    'on-off',
    'on_off',
    'OnOff',
    'onOff',
    'onoff',
    'ON_OFF',
    'switch-status',
    'SwitchStatus',
    'switch_status',
    'switch-state',
    'switch',
    'relay-status',
    'outlet-on-off',
  ])('of on is understood in every service that has one: %s', (name) => {
    const its = property(1, name)
    expect(
      placesIn(
        own(3, 'indicator-light', '', its),
        own(4, 'quick-countdown', '', its, duration(2)),
        own(5, 'USB_Switch', '', its),
        own(6, 'outlet-2', '', its),
        own(2, 'switch', '', its),
      ),
    ).toEqual({
      ...{state: '2.1', state_1: '6.1', usb: '5.1', led: '3.1'},
      ...{countdown: '4.2', countdown_active: '4.1'},
    })
  })

  it.each([
    ['electric-power', 'power', {unit: 'watt'}],
    ['electric-current', 'current', {unit: 'mA'}],
    ['working-time', 'working_time', {unit: 'minutes'}],
    ['physical-controls-locked', 'child_lock', {}],
    ['child-lock', 'child_lock', {}],
    ['default-power-on-state', 'power_on_behavior', words('Off', 'On')],
    ['power-on-state', 'power_on_behavior', words('Off', 'On')],
  ])('of %s is understood with any hyphens and capitals', (name, meant, more) => {
    const parts = name.split('-')
    const pascal = parts.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join('')
    for (const spelled of [
      name,
      parts.join('_'),
      parts.join(''),
      pascal,
      pascal.charAt(0).toLowerCase() + pascal.slice(1),
      name.toUpperCase(),
    ])
      expect(placesIn(main, own(9, 'vendor', '', property(4, spelled, more)))).toEqual({
        state: '2.1',
        [meant]: '9.4',
      })
  })

  it('of a bool counts for no other format', () => {
    const number = property(2, 'switch-status', {format: 'uint8'})
    expect(placesIn(main, own(3, 'switch', '', number))).toEqual({state: '2.1'})
  })

  it('beside the standard one is no second switch', () => {
    const both = service(2, 'switch', '', property(1, 'switch-status'), property(2, 'on'))
    expect(placesIn(both)).toEqual({state: '2.2'})
    expect(placesIn(service(2, 'switch', '', property(1, 'on-off'), property(2, 'switch-status')))).toEqual({
      state: '2.1',
    })
  })

  it('of the USB ports in the service of the relay is that of the ports', () => {
    expect(placesIn(service(2, 'switch', '', property(1, 'on-off'), property(2, 'usb_switch')))).toEqual({
      state: '2.1',
      usb: '2.2',
    })
  })
})

describe('a countdown is imported with its time and its start, or not at all', () => {
  const left = property(3, 'left-time', {format: 'uint16', access: ['read'], unit: 'minutes'})
  const starts = property(1, 'on-off')

  it.each([
    ['both', [starts, duration(2)], ['countdown', 'countdown_active']],
    [
      'both, and what is left',
      [starts, duration(2), left],
      ['countdown', 'countdown_active', 'countdown_left'],
    ],
    ['seconds', [starts, duration(2, {unit: 's', range: [0, 86_400, 1]})], ['countdown', 'countdown_active']],
    ['no start', [duration(2), left], []],
    ['no time', [starts, left], []],
    ['a time in no unit', [starts, duration(2, {unit: 'none'}), left], []],
    ['a time that cannot be set', [starts, duration(2, {access: ['read']}), left], []],
    ['a start that cannot be read', [{...starts, access: ['write']}, duration(2), left], []],
    ['a start that is a number', [property(1, 'enable', {format: 'uint8'}), duration(2)], []],
    ['nothing but what is left', [left], []],
  ])('%s', (_, its, names) => {
    const {model, notes} = imported(main, own(8, 'quick-countdown', 'quick-countdown', ...its))
    expect(
      Object.keys(model.properties)
        .filter((name) => name !== 'state')
        .sort(),
    ).toEqual(names)
    expect(notes).toHaveLength(its.length - names.length)
    for (const note of notes) expect(note).toMatch(/^8\.\d \S+ is left out: /)
  })

  it('is never made from two countdowns', () => {
    expect(placesIn(main, own(8, 'delay', '', starts), own(9, 'countdown', '', duration(2)))).toEqual({
      state: '2.1',
    })
    expect(
      placesIn(
        main,
        own(8, 'countdown', '', starts, duration(2, {unit: 'none'}), left),
        own(9, 'countdown', '', starts, duration(2), left),
      ),
    ).toEqual({state: '2.1', countdown: '9.2', countdown_active: '9.1', countdown_left: '9.3'})
  })
})

it('any services in any order give no property twice, no half of a pair, and no mode of another switch', () => {
  const spelling = fc.constantFrom('on', 'on-off', 'on_off', 'OnOff', 'switch-status', 'SwitchStatus')
  const access = fc.constantFrom(['read', 'write'], ['read', 'write', 'notify'], ['read'], ['write'])
  const unit = fc.constantFrom('minutes', 'seconds', 'none', undefined)
  const switching = fc
    .record({
      name: fc.constantFrom('switch', 'outlet', 'usb-switch', 'UsbSwitch', 'switch_2'),
      description: fc.constantFrom('', 'Switch', 'USB Switch Status', 'Left'),
      on: fc.option(spelling, {freq: 5}),
      hasMode: fc.boolean(),
    })
    .map(({name, description, on: spelled, hasMode}) => ({
      name,
      description,
      properties: [...(spelled ? [property(1, spelled)] : []), ...(hasMode ? [mode(5)] : [])],
    }))
  const countdown = fc
    .record({
      name: fc.constantFrom('quick-countdown', 'countdown', 'CountDown', 'count_down', 'delay'),
      starts: fc.option(fc.oneof(spelling, fc.constantFrom('enable', 'Enabled'))),
      time: fc.option(fc.constantFrom('duration', 'countdown-time', 'CountdownTime', 'delay_time')),
      left: fc.option(fc.constantFrom('left-time', 'LeftTime', 'remain_time')),
      access,
      unit,
    })
    .map(({name, starts, time, left, unit: its, access: may}) => ({
      name,
      description: name,
      properties: [
        ...(starts ? [property(1, starts, {access: may})] : []),
        ...(time ? [property(2, time, {format: 'uint16', unit: its})] : []),
        ...(left ? [property(3, left, {format: 'uint16', unit: 'minutes'})] : []),
      ],
    }))
  const services = fc.tuple(
    fc.shuffledSubarray(
      Array.from({length: 20}, (_, index) => index + 2),
      {minLength: 20},
    ),
    fc.array(fc.oneof(switching, countdown), {minLength: 1, maxLength: 8}),
    fc.array(fc.boolean(), {minLength: 8, maxLength: 8}),
  )
  const taken = {pairs: 0, modes: 0, usbModes: 0}
  checkProperty(
    fc.property(services, ([iids, shapes, standard]) => {
      const made = shapes.map(({name, description, properties}, index) =>
        (standard[index] ? service : own)(iids[index] ?? 0, name, description, ...properties),
      )
      const {model} = imported(service(99, 'switch', 'Switch', on), ...made)
      const at = places(model)
      const siid = (name: string) => at[name]?.split('.')[0]
      expect(new Set(Object.values(at)).size).toBe(Object.keys(at).length)
      expect(siid('countdown')).toBe(siid('countdown_active'))
      if (at['countdown_left']) expect(siid('countdown_left')).toBe(siid('countdown'))
      const whole = made.some(
        ({properties}) =>
          properties.length >= 2 && placesIn(main, {...service(8, 'countdown', ''), properties})['countdown'],
      )
      if (whole && made.every(({type}) => /count|delay/i.test(type))) expect(at).toHaveProperty('countdown')
      const switches = (id: string | undefined) =>
        made.some(({iid, properties}) => String(iid) === id && properties.some((each) => each.iid === 1))
      if (switches(siid('mode'))) expect(siid('mode')).toBe(siid('state'))
      if (switches(siid('usb_mode'))) expect(siid('usb_mode')).toBe(siid('usb'))
      const back = parseDefinitions([{file: 'own.yaml', content: formatDefinition(model)}])
      expect(back).toMatchObject({problems: [], models: [model]})
      taken.pairs += Number('countdown' in at)
      taken.modes += Number('mode' in at)
      taken.usbModes += Number('usb_mode' in at)
    }),
    {numRuns: 200},
  )
  for (const count of Object.values(taken)) expect(count).toBeGreaterThan(5)
})
