import {describe, expect, it} from 'vitest'
import {
  amperes,
  celsius,
  childLock,
  countdown,
  led,
  minutes,
  miot,
  mode,
  overload,
  overTemperature,
  powerOnBehavior,
  relay,
  setting,
  socket,
  usb,
  volts,
  watts,
} from '../../../../src/models/builders.ts'
import type {MiotProperty} from '../../../../src/models/import/miot-rules.ts'
import {
  definitionFrom,
  type ImportedDefinition,
  type MiotService,
  type MiotSpec,
  NoPlugError,
} from '../../../../src/models/import/miot-spec.ts'
import type {Model} from '../../../../src/models/model.ts'

/** A made-up device, in the form of published specifications. */
function spec(...services: MiotService[]): MiotSpec {
  return {type: 'urn:miot-spec-v2:device:outlet:0000A002:acme-one:1', description: 'Outlet', services}
}

function service(
  iid: number,
  name: string,
  properties: MiotProperty[],
  {ns = 'miot-spec-v2', description = ''} = {},
) {
  return {iid, type: `urn:${ns}:service:${name}:00007800:acme-one:1`, description, properties}
}

function property(iid: number, name: string, more: Partial<MiotProperty> = {}): MiotProperty {
  const type = `urn:miot-spec-v2:property:${name}:00000000:acme-one:1`
  return {iid, type, description: '', format: 'bool', access: ['read', 'write', 'notify'], ...more}
}

const on = property(1, 'on')
const main = service(2, 'switch', [on])
const readOnly = {access: ['notify', 'read']}
const list = (...words: string[]) => ({list: words.map((description, value) => ({value, description}))})

const imported = (...services: MiotService[]): ImportedDefinition =>
  definitionFrom(spec(...services), 'acme.plug.one')
/** The imported properties without the relay. */
function beside(...services: MiotService[]): Model['properties'] {
  const {state, ...others} = imported(main, ...services).model.properties
  expect(state).toEqual(relay(miot(2, 1)))
  return others
}

describe('a MIoT specification becomes a definition', () => {
  it('of the given model, with the urn as evidence', () => {
    expect(imported(main)).toEqual({
      model: {
        ids: ['acme.plug.one'],
        name: 'acme.plug.one',
        vendor: 'acme',
        confidence: 'vendor',
        evidence: 'MIoT specification urn:miot-spec-v2:device:outlet:0000A002:acme-one:1',
        properties: {state: relay(miot(2, 1))},
      },
      notes: [],
    })
  })

  it('of the model that the urn suggests, with a note that it is derived', () => {
    const {model, notes} = definitionFrom(spec(main))
    expect(model.ids).toEqual(['acme.plug.one'])
    expect(notes).toEqual([expect.stringContaining('compare it with `miio2mqtt info`')])
  })

  it('with every socket and the USB ports, distinguished by service, in any order', () => {
    const sockets = imported(
      service(9, 'switch', [on], {description: 'USB Switch'}),
      service(4, 'switch', [on], {ns: 'acme-spec'}),
      service(3, 'switch', [on], {ns: 'acme-spec'}),
      main,
    )
    expect(sockets.model.properties).toEqual({
      state: relay(miot(2, 1)),
      state_1: socket(1, miot(3, 1)),
      state_2: socket(2, miot(4, 1)),
      usb: usb(miot(9, 1)),
    })
    expect(sockets.notes).toEqual([])
  })

  it('with light and lock, and of two lights the standard one', () => {
    expect(
      beside(
        service(3, 'indicator-light', [on], {ns: 'acme-spec'}),
        service(13, 'indicator-light', [on]),
        service(7, 'physical-controls-locked', [property(1, 'physical-controls-locked')]),
      ),
    ).toEqual({led: led(miot(13, 1)), child_lock: childLock(miot(7, 1))})
  })

  it('with power, although its unit does not prove the scale, and with all other values that have a unit', () => {
    expect(
      beside(
        service(11, 'power-consumption', [
          property(2, 'electric-power', {...readOnly, unit: 'watt', range: [0, 10_000, 1]}),
          property(3, 'voltage', {...readOnly, unit: 'mV'}),
          property(4, 'electric-current', {...readOnly, unit: 'mA'}),
          property(5, 'temperature', {...readOnly, unit: 'celsius'}),
        ]),
      ),
    ).toEqual({
      power: watts(miot(11, 2), {
        evidence: 'the unit is watt in the specification, which does not prove the scale',
      }),
      voltage: volts(miot(11, 3), {scale: 0.001, evidence: 'mV (specification)'}),
      current: amperes(miot(11, 4), {scale: 0.001, evidence: 'mA (specification)'}),
      temperature: celsius(miot(11, 5), {evidence: 'celsius (specification)'}),
    })
  })

  it('with faults, mode and countdown in words and minutes', () => {
    const fault = list('No Faults', 'Over Temperature', 'Overload', 'Overload And Overheat')
    const evidence = '0 No Faults, 1 Over Temperature, 2 Overload, 3 Overload And Overheat (specification)'
    expect(
      beside(
        service(5, 'switch', [
          property(2, 'fault', {...readOnly, ...fault}),
          property(3, 'mode', list('Usual', 'Eco Mode')),
          property(4, 'countdown-time', {unit: 'seconds', range: [0, 86_400, 60]}),
          property(5, 'left-time', {...readOnly, unit: 'minutes'}),
        ]),
        service(8, 'quick-countdown', [on]),
      ),
    ).toEqual({
      over_temperature: overTemperature(miot(5, 2), {on: [1, 3], evidence}),
      overload: overload(miot(5, 2), {on: [2, 3], evidence}),
      mode: mode(
        miot(5, 3),
        [
          [0, 'usual'],
          [1, 'eco_mode'],
        ],
        {evidence: '0 Usual, 1 Eco Mode (specification)'},
      ),
      countdown: countdown(miot(5, 4), {
        scale: 1 / 60,
        evidence: 'seconds (specification)',
        min: 0,
        max: 1440,
      }),
      countdown_left: minutes('Countdown left', miot(5, 5), {evidence: 'minutes (specification)'}),
      countdown_active: setting('Countdown active', miot(8, 1)),
    })
  })
})

describe('the power-on behavior', () => {
  const behavior = (...words: string[]) =>
    imported(service(2, 'switch', [on, property(2, 'default-power-on-state', list(...words))]))

  it.each([
    [
      ['Default (memory)', 'On', 'Off'],
      ['previous', 'on', 'off'],
    ],
    [
      ['Default', 'Off', 'On'],
      ['previous', 'off', 'on'],
    ],
    [
      ['Line-On', 'Line-Off', 'Line-Memory'],
      ['on', 'off', 'previous'],
    ],
    [
      ['Restore Last State', 'Open', 'Closed'],
      ['previous', 'on', 'off'],
    ],
    [
      ['off', 'on'],
      ['off', 'on'],
    ],
  ] as const)('is %j: %j', (descriptions, words) => {
    expect(behavior(...descriptions).model.properties['power_on_behavior']).toEqual(
      powerOnBehavior(
        miot(2, 2),
        words.map((word, raw) => [raw, word] as const),
        {
          evidence: expect.stringContaining(`0 ${descriptions[0]}`),
        },
      ),
    )
  })

  it.each([
    [['Keep On', 'Off'], /2\.2 .* is left out: unclear values: 0 Keep On, 1 Off/],
    [['Memory', 'Last', 'On'], /unclear values/],
    [['Mode 1', 'Mode 2'], /does not say what its values mean/],
    [[], /does not say what its values mean/],
  ])('is not guessed from %j', (descriptions, note) => {
    const {model, notes} = behavior(...descriptions)
    expect(model.properties).not.toHaveProperty('power_on_behavior')
    expect(notes).toEqual([expect.stringMatching(note)])
  })
})

describe('left out with a note', () => {
  it.each([
    [
      'an energy counter, which is often stuck',
      property(1, 'power-consumption', {unit: 'kWh'}),
      /often stuck.*energy: \{miot: 11\.1, scale: 0\.01\}/,
    ],
    [
      'watts of another unit',
      property(1, 'electric-power', {unit: 'none'}),
      /its unit is none.*power: \{miot: 11\.1, scale: …\}/,
    ],
    ['watts without a unit', property(1, 'electric-power'), /its unit is missing/],
    [
      'watts that count further than any plug carries',
      property(1, 'electric-power', {unit: 'watt', range: [0, 350_000, 1]}),
      /it goes to 350000/,
    ],
    ['volts without a unit', property(1, 'voltage'), /it has no unit, so its scale is unknown/],
    ['degrees of another unit', property(1, 'temperature', {unit: 'kelvin'}), /its unit is kelvin/],
    ['what cannot be read', property(1, 'temperature', {unit: 'celsius', access: []}), /it cannot be read/],
    ['a lock that cannot be set', property(1, 'physical-controls-locked', readOnly), /it cannot be written/],
    ['faults without names', property(1, 'fault', list('No Faults', 'Leak')), /none of its values/],
    [
      'what no property name fits',
      property(1, 'surge-power', {description: 'Surge'}),
      /no known property matches: 11\.1 power-consumption: Surge/,
    ],
  ])('is %s', (_, left, note) => {
    const {model, notes} = imported(main, service(11, 'power-consumption', [left]))
    expect(Object.keys(model.properties)).toEqual(['state'])
    expect(notes).toEqual([expect.stringMatching(note)])
  })

  it('is a second property of the same meaning', () => {
    const {model, notes} = imported(
      main,
      service(3, 'power-consumption', [property(1, 'temperature', {unit: 'celsius'})]),
      service(4, 'battery', [property(2, 'temperature', {unit: 'celsius'})]),
    )
    expect(model.properties['temperature']?.address).toEqual(miot(3, 1))
    expect(notes).toEqual(['4.2 temperature is left out: temperature is 3.1 already'])
  })

  it('is not the maker, which is left out without a note', () => {
    expect(
      imported(main, service(1, 'device-information', [property(5, 'serial-no', readOnly)])).notes,
    ).toEqual([])
  })
})

describe('a specification of another device than a plug', () => {
  it.each([
    ['has no services', []],
    ['has a service without properties', [service(2, 'switch', [])]],
    ['has a switch that cannot be set', [service(2, 'switch', [property(1, 'on', readOnly)])]],
    ['has a light only', [service(2, 'light', [on])]],
  ])('is refused when it %s', (_, services) => {
    expect(() => definitionFrom(spec(...services))).toThrow(NoPlugError)
  })
})
