import {describe, expect, it} from 'vitest'
import {unknownDisplayProperties} from '../../../src/bridge/plug.ts'
import {builtIn} from '../../../src/models/catalogue.ts'

const m1 = builtIn.find('chuangmi.plug.m1') ?? expect.fail('no such model')
const HAS = 'Mi Smart Plug has only state, temperature, led, rssi, last_seen'

describe('properties that the model does not have', () => {
  it('cause no warning where only its own are named', () => {
    const entities = {state: {device_class: 'switch'}, rssi: {enabled: true}} as const
    expect(
      unknownDisplayProperties({filtered: ['led'], homeassistant: {enabled: true, entities}}, m1),
    ).toEqual([])
    expect(unknownDisplayProperties({}, m1)).toEqual([])
  })

  it('cause one warning with all settings', () => {
    const entities = {voltage: {name: 'U'}, constructor: {name: 'C', device_class: 'outlet'}} as const
    expect(
      unknownDisplayProperties({filtered: ['power', 'led'], homeassistant: {enabled: true, entities}}, m1),
    ).toEqual([`filtered: power, homeassistant.entities.voltage, homeassistant.entities.constructor: ${HAS}`])
  })

  it.each([
    ['rsi', 'rssi'],
    ['RSSI', 'rssi'],
    ['temp', 'temperature'],
    ['lastseen', 'last_seen'],
  ])('causes a warning that suggests what %s probably stands for', (name, meant) => {
    expect(unknownDisplayProperties({filtered: [name]}, m1)).toEqual([
      `filtered: ${name}: ${HAS}, did you mean ${meant}?`,
    ])
    expect(unknownDisplayProperties({homeassistant: {enabled: true, entities: {[name]: {}}}}, m1)).toEqual([
      `homeassistant.entities.${name}: ${HAS}, did you mean ${meant}?`,
    ])
  })

  it('cause a warning about the class of a switch on another kind', () => {
    const entities = {temperature: {device_class: 'outlet'}} as const
    expect(unknownDisplayProperties({homeassistant: {enabled: true, entities}}, m1)).toEqual([
      'homeassistant.entities.temperature.device_class: it is no switch',
    ])
  })
})
