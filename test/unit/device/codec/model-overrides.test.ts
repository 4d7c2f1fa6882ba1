import {describe, expect, it} from 'vitest'
import {applyOverrides, type PropertyOverrides} from '../../../../src/device/codec/model-overrides.ts'
import {fromFirmware, toFirmware} from '../../../../src/device/codec/values.ts'
import {
  complete,
  kilowattHours,
  method,
  miot,
  prop,
  relay,
  volts,
  watts,
  wattsSetting,
} from '../../../../src/models/builders.ts'
import type {Model, Property} from '../../../../src/models/model.ts'

const common = {ids: [], name: 'Plug 1', vendor: 'none', confidence: 'inferred', evidence: ''} as const
const model = complete({
  ...common,
  properties: {
    state: relay(miot(2, 1)),
    power: watts(miot(3, 2), {scale: 0.01}),
    voltage: volts(miot(3, 3), {offset: 5}),
    limit: wattsSetting('Limit', miot(4, 1)),
    energy: kilowattHours(miot(3, 1), {scale: 0.001}),
  },
})
const v3 = complete({...common, properties: {state: relay(prop('on')), power: watts(method('get_power'))}})

function property(name: string, overrides: PropertyOverrides, from: Model = model): Property {
  const {model: adjusted, problems} = applyOverrides(from, overrides)
  expect(problems).toEqual([])
  const found = adjusted.properties[name]
  if (!found) throw new Error(`expected ${name}`)
  return found
}

describe('a model as its owner corrects it', () => {
  it('has another scale, and as many digits as that', () => {
    expect(property('power', {power: {scale: 0.1}})).toMatchObject({scale: 0.1, precision: 1})
    expect(fromFirmware(property('power', {power: {scale: 0.1}}), 783)).toBe(78.3)
  })

  it('has another offset, or the one it had', () => {
    expect(fromFirmware(property('voltage', {voltage: {offset: -1}}), 230)).toBe(229)
    expect(fromFirmware(property('voltage', {voltage: {scale: 0.1}}), 2300)).toBe(235)
  })

  it('writes with the same scale as it reads', () => {
    const limit = property('limit', {limit: {scale: 0.1, offset: 2}})
    expect(toFirmware(limit, fromFirmware(limit, 10_000))).toBe(10_000)
    expect(limit).toMatchObject({min: 0, max: 3600})
  })

  it('adds up energy in place of asking for it, and leaves everything else where it was', () => {
    const adjusted = applyOverrides(model, {energy: {source: 'integrated'}}).model
    expect(adjusted.properties['energy']).toMatchObject({
      address: {via: 'bridge'},
      label: 'Energy',
      unit: 'kWh',
    })
    expect(Object.keys(adjusted.properties)).toEqual(Object.keys(model.properties))
    expect({...adjusted.properties, energy: 0}).toEqual({...model.properties, energy: 0})
    expect(model.properties['energy']).toMatchObject({address: {via: 'miot'}})
  })

  it('asks for energy all the same when it can only be asked for everything', () => {
    const strict = {...model, exactList: true} as const
    const energy = kilowattHours(prop('kwh'))
    const all = {...strict, properties: {...strict.properties, energy}}
    expect(property('energy', {energy: {source: 'integrated'}}, all)).toEqual(energy)
  })

  it('counts with its own counter, when configured so', () => {
    expect(property('energy', {energy: {source: 'plug', scale: 0.01}})).toMatchObject({scale: 0.01})
    expect(property('energy', {energy: {source: 'plug'}})).toBe(model.properties['energy'])
  })

  it.each<[string, PropertyOverrides, Model, string]>([
    [
      'is not there',
      {powr: {scale: 1}},
      v3,
      'powr: Plug 1 has no such property; it has state, power, energy, energy_today, rssi, last_seen',
    ],
    [
      'is only inherited',
      {constructor: {scale: 1}},
      v3,
      'constructor: Plug 1 has no such property; it has state, power, energy, energy_today, rssi, last_seen',
    ],
    ['is no number', {state: {scale: 1}}, model, 'state: it is no number'],
    ['is worked out', {energy_today: {scale: 1}}, model, 'energy_today: it is no number of the plug'],
    ['is not counted', {energy: {source: 'plug'}}, v3, 'energy: the plug has no counter of its own'],
    [
      'has no watts behind it',
      {energy: {source: 'integrated'}},
      complete({...common, properties: {state: relay(miot(2, 1)), energy: kilowattHours(miot(3, 1))}}),
      'energy: the plug measures no watts that could be added up',
    ],
  ])('leaves a property alone that %s, and says so', (_, overrides, from, problem) => {
    const adjusted = applyOverrides(from, overrides)
    expect(adjusted.problems).toEqual([problem])
    expect(adjusted.model.properties).toEqual(from.properties)
  })
})
