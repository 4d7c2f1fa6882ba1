import {beforeEach, describe, expect, it} from 'vitest'
import type {State} from '../../../../src/device/codec/values.ts'
import {implausibleWarning, Plausibility} from '../../../../src/device/state/plausibility.ts'
import {amperes, prop, relay, socket, usb, volts, watts} from '../../../../src/models/builders.ts'
import type {Model} from '../../../../src/models/model.ts'

const common = {ids: [], name: 'made up', vendor: 'none', confidence: 'inferred', evidence: ''} as const
const measures = {voltage: volts(prop('v')), current: amperes(prop('a')), power: watts(prop('w'))}
const plug: Model = {...common, properties: {state: relay(prop('on')), ...measures}}
const sockets = {state_1: socket(1, prop('on1')), usb: usb(prop('usb'))}
const strip: Model = {...common, properties: {state: relay(prop('on')), ...sockets, ...measures}}
const inMilliamperes: Model = {
  ...common,
  properties: {...plug.properties, current: amperes(prop('a'), {unit: 'mA'})},
}

let plausibility: Plausibility
beforeEach(() => {
  plausibility = new Plausibility(plug)
})

/** Twice the same, as in two polls. @returns what is not believed, and why */
function twice(values: State, raw: Record<string, unknown> = {}) {
  plausibility.check(values, raw)
  plausibility.check(values, raw)
  return plausibility.flagged.map(({property, why}) => `${property}: ${why}`)
}

describe('values that are flagged', () => {
  it.each<[string, Model, State, string]>([
    ['volts of a tenth', plug, {voltage: 23.1}, 'voltage: mains has 80 to 280 V'],
    ['volts times ten', plug, {voltage: 2310}, 'voltage: mains has 80 to 280 V'],
    [
      'watts far above volts times amperes',
      plug,
      {state: 'ON', power: 780, voltage: 230, current: 0.34},
      'power: 230 V × 0.34 A are 78 W',
    ],
    [
      'the same with mA',
      inMilliamperes,
      {state: 'ON', power: 780, voltage: 230, current: 340},
      'power: 230 V × 0.34 A are 78 W',
    ],
    ['more watts than a plug can carry', plug, {power: 7825}, 'power: no plug carries more than 5000 W'],
    ['watts of a plug that is off', plug, {state: 'OFF', power: 40}, 'power: it is switched off'],
    [
      'watts of a strip that is off altogether',
      strip,
      {state: 'OFF', state_1: 'OFF', usb: 'OFF', power: 40},
      'power: it is switched off',
    ],
  ])('are %s', (_, model, values, why) => {
    plausibility = new Plausibility(model)
    expect(twice(values)).toEqual([why])
  })

  it.each<[string, Model, State]>([
    ['usual values', plug, {state: 'ON', power: 78, voltage: 230, current: 0.34}],
    ['mains of 110 V', plug, {voltage: 108}],
    ['a current that is too small to say anything', plug, {power: 8, voltage: 230, current: 0.01}],
    ['what the plug itself takes', plug, {state: 'OFF', power: 1.2}],
    ['watts that go to a socket', strip, {state: 'OFF', state_1: 'ON', usb: 'OFF', power: 40}],
    ['watts that may go to a USB port', strip, {state: 'OFF', state_1: 'OFF', usb: null, power: 40}],
    ['watts of a plug whose relay is unknown', plug, {state: null, power: 40}],
    ['nothing that was read', plug, {state: null, power: null, voltage: null, current: null}],
    ['watts with volts and amperes of another poll', plug, {power: 780}],
  ])('are not %s', (_, model, values) => {
    plausibility = new Plausibility(model)
    expect(twice(values)).toEqual([])
  })

  it('is a value in two polls in a row, not one between others', () => {
    for (const voltage of [2310, 231, 2310, 231, 2310]) plausibility.check({voltage}, {})
    expect(plausibility.flagged).toEqual([])
  })

  it('is reported with the value and the firmware’s value, and once', () => {
    const values = [1, 2, 3].map(() => plausibility.check({voltage: 2310}, {voltage: 2310}).found)
    const found = {property: 'voltage', value: 2310, raw: 2310, why: 'mains has 80 to 280 V'}
    expect(values).toEqual([[], [found], []])
    expect(implausibleWarning('desk', found)).toBe(
      'voltage 2310 (raw 2310) cannot be right: mains has 80 to 280 V; it is published unchanged. If its scale is wrong, set devices.desk.properties.voltage.scale',
    )
  })

  it('is no longer flagged with the first value that can be true, and flagged again without another report', () => {
    twice({voltage: 2310})
    expect(plausibility.check({power: 3}, {}).isChanged).toBe(false)
    expect(plausibility.check({voltage: 231}, {}).isChanged).toBe(true)
    expect(plausibility.flagged).toEqual([])
    plausibility.check({voltage: 2310}, {})
    expect(plausibility.check({voltage: 2310}, {})).toEqual({found: [], isChanged: true})
    expect(plausibility.flagged).toHaveLength(1)
  })
})
