import {describe, expect, it} from 'vitest'
import {plugDiscovery} from '../../../../src/bridge/homeassistant/plug-discovery.ts'
import {parseDefinition} from '../../../../src/config/definitions/definition.ts'
import {applyOverrides} from '../../../../src/device/codec/model-overrides.ts'
import {fromUser} from '../../../../src/device/codec/validation.ts'
import {roundTrip, settable, toFirmware} from '../../../../src/device/codec/values.ts'
import {miot, mode, relay, wattsSetting} from '../../../../src/models/builders.ts'
import {Catalogue} from '../../../../src/models/catalogue.ts'
import type {Model, Property} from '../../../../src/models/model.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {VirtualHome} from '../../../support/virtual-home.ts'
import {StagedPlug, topics} from '../../bridge/stage.ts'

type NumberProperty = Extract<Property, {kind: 'number'}>

const number = (options: Partial<NumberProperty>) => {
  const property = wattsSetting('Limit', miot(3, 1), {min: 0, max: 100, step: 1, ...options})
  if (property.kind !== 'number') throw new Error('expected a number')
  return property
}
/** What becomes of a number that a user sends: the value in the result, and the value that is sent to the plug. */
const sent = (property: Property, value: unknown) => {
  const wanted = fromUser('limit', property, value)
  if (wanted === 'TOGGLE') throw new Error('expected a value')
  return [roundTrip(property, wanted), toFirmware(property, wanted)]
}

describe('a number with steps', () => {
  it.each([
    [{min: 1, max: 1443, step: 5}, 1, 1],
    [{min: 1, max: 1443, step: 5}, 3, 1],
    [{min: 1, max: 1443, step: 5}, 4, 6],
    [{min: 1, max: 1443, step: 5}, 6, 6],
    [{min: 1, max: 1443, step: 5}, 1443, 1441],
    [{min: 1, max: 1443, step: 5}, 1442, 1441],
    [{min: 0, max: 1443, step: 5}, 1443, 1440],
    [{min: 50, max: 2200, step: 100}, 2200, 2150],
    [{min: 50, max: 2200, step: 100}, 99, 50],
    [{min: -10, max: 10, step: 4}, 0, 2],
    [{min: -10, max: 10, step: 4}, -9, -10],
    [{min: 3, max: 5, step: 10}, 5, 3],
  ])('%j has its steps from the least on: %s is %s', (range, value, step) => {
    expect(sent(number(range), value)).toEqual([step, step])
    expect(sent(number(range), String(value))).toEqual([step, step])
  })

  it.each([
    [{min: 0, max: 1, step: 0.1, scale: 0.1}, 0.3, 0.3, 3],
    [{min: 0.1, max: 0.7, step: 0.2, scale: 0.1}, 0.7, 0.7, 7],
    [{min: 0.1, max: 100, step: 0.1, scale: 0.1}, 70.7, 70.7, 707],
    [{min: 0.05, max: 1, step: 0.05, scale: 0.01}, 0.15, 0.15, 15],
    [{min: 0, max: 0.3, step: 0.1, scale: 0.1}, 0.3, 0.3, 3],
    [{min: 0.001, max: 9, step: 0.001, scale: 0.001}, 8.999, 8.999, 8999],
  ])('%j has no noise in its fractions: %s is %s', (range, value, shown, raw) => {
    expect(sent(number(range), value)).toEqual([shown, raw])
  })

  it('refuses what is outside of its limits', () => {
    const property = number({min: 1, max: 1443, step: 5})
    for (const value of [0, 1444, -1]) expect(() => sent(property, value)).toThrow(/expected 1 to 1443 W/)
  })
})

describe('a number that the firmware counts in other units', () => {
  it.each([
    [{scale: 60, min: 1, max: 300}, 100, 120, 2],
    [{scale: 60, min: 1, max: 300}, 300, 300, 5],
    [{scale: 60, min: 1, max: 290}, 290, 240, 4],
    [{scale: 60, min: 1, max: 300}, 1, 60, 1],
    [{scale: 60, min: 1, max: 300}, 29, 60, 1],
    [{scale: 60, min: 0, max: 300}, 29, 0, 0],
    [{scale: 60, min: 0, max: 300, step: 50}, 100, 120, 2],
    [{scale: 10, min: 0, max: 100, offset: 5}, 42, 45, 4],
    [{scale: 10, min: 0, max: 100, offset: 5}, 0, 5, 0],
    [{scale: -1, min: 0, max: 100, offset: 100}, 30, 30, 70],
    [{scale: -60, min: 1, max: 300, offset: 300}, 1, 60, 4],
    [{scale: 1 / 60, min: 0, max: 10}, 7, 7, 420],
    [{scale: 3, min: 0, max: 100}, 100, 99, 33],
  ])('%j: %s is shown as what was sent, %s (raw %s)', (options, value, shown, raw) => {
    expect(sent(number(options), value)).toEqual([shown, raw])
  })

  it('refuses a value where the firmware has none between the limits', () => {
    expect(() => sent(number({scale: 60, min: 1, max: 30}), 20)).toThrow(/no value/)
  })

  it('is announced with the steps and limits that can be had', () => {
    expect(settable(number({scale: 60, min: 1, max: 300}))).toEqual({min: 60, max: 300, step: 60})
    expect(settable(number({scale: 0.1, min: 0.5, max: 9.9, step: 0.5}))).toEqual({
      min: 0.5,
      max: 9.5,
      step: 0.5,
    })
    expect(settable(number({min: 1, max: 1443, step: 5}))).toEqual({min: 1, max: 1441, step: 5})
    expect(settable(number({scale: -60, min: 1, max: 290, offset: 300}))).toEqual({
      min: 60,
      max: 240,
      step: 60,
    })
  })
})

describe('whatever is announced to Home Assistant', () => {
  const model: Model = {
    ids: ['test.plug.numbers'],
    name: 'Numbers',
    vendor: 'Test',
    confidence: 'inferred',
    evidence: 'made up',
    properties: {
      state: relay(miot(2, 1)),
      minutes: number({scale: 60, min: 1, max: 290}),
      steps: number({min: 3, max: 1443, step: 7}),
      tenths: number({scale: 0.1, min: 0.1, max: 5.05, step: 0.3}),
    },
  }

  it('can be set, step by step, and is read back unchanged', () => {
    const {components} = plugDiscovery(new StagedPlug(new VirtualClock()), 1, model, {topics, version: '1'})
    for (const name of ['minutes', 'steps', 'tenths']) {
      const {min = 0, max = 0, step = 1} = Object(components[name])
      const property = model.properties[name]
      if (!property) throw new Error(`expected ${name}`)
      for (let count = 0; min + count * step <= max + step / 1000; count++) {
        const value = Number((min + count * step).toFixed(6))
        expect([name, sent(property, value)[0]]).toEqual([name, value])
      }
    }
  })
})

describe('a scale that the owner corrects', () => {
  it('has the same care', () => {
    const model: Model = {
      ids: ['test.plug.one'],
      name: 'One',
      vendor: 'Test',
      confidence: 'inferred',
      evidence: 'made up',
      properties: {state: relay(miot(2, 1)), limit: number({min: 1, max: 300})},
    }
    const {limit} = applyOverrides(model, {limit: {scale: 60}}).model.properties
    expect(limit && sent(limit, 100)).toEqual([120, 2])
  })

  it('is read from an own definition with the same care', () => {
    const read = {
      ids: ['test.plug.own'],
      name: 'Own',
      vendor: 'Test',
      properties: {
        state: {miot: '2.1'},
        countdown: {miot: '3.1', scale: '60', min: '1', max: '300', step: '5'},
      },
    }
    const own = parseDefinition(read, 'own')
    const countdown = 'value' in own ? own.value.properties['countdown'] : expect.fail(JSON.stringify(own))
    expect(countdown && sent(countdown, 100)).toEqual([120, 2])
  })
})

describe('a command whose value the firmware rounds', () => {
  const model: Model = {
    ids: ['test.plug.rounds'],
    name: 'Rounds',
    vendor: 'Test',
    confidence: 'inferred',
    evidence: 'made up',
    properties: {
      state: relay(miot(2, 1)),
      countdown: {...number({scale: 60, min: 1, max: 300}), lane: 'fast'},
      usb_mode: {
        ...mode(
          miot(4, 1),
          [
            [1, 'slow'],
            [1, 'normal'],
            [2, 'quick'],
          ],
          {label: 'Mode'},
        ),
        lane: 'fast',
      },
    },
  }

  it.each([
    ['countdown', 100, 120],
    ['countdown', 1, 60],
    ['usb_mode', 'normal', 'slow'],
    ['usb_mode', 'quick', 'quick'],
  ])(
    '%s %s is shown as %s: in the result, in the state, and when it is read back',
    async (name, value, shown) => {
      const home = new VirtualHome({
        model,
        known: new Catalogue([model]),
        state: {state: 'ON', countdown: 240, usb_mode: 'quick'},
      })
      await home.poll('rare')
      const states: unknown[] = []
      home.device.listener = {
        ...home.device.listener,
        stateChanged: () => states.push(home.device.state[name]),
      }
      const result = await home.after(300, home.device.set(name, value, home.clock.now() + 10_000))
      expect(result).toBe(shown)
      expect(home.device.state[name]).toBe(shown)
      await home.clock.advance(5000)
      expect(home.warnings).toEqual([])
      expect(home.device.state[name]).toBe(shown)
      expect(states.filter((seen) => seen !== shown)).toEqual([])
    },
  )

  it('causes no warning for counting down by a step of its own', async () => {
    const home = new VirtualHome({model, known: new Catalogue([model]), state: {state: 'ON', countdown: 240}})
    await home.poll('rare')
    await home.after(100, home.device.set('countdown', 100, home.clock.now() + 10_000))
    home.plug.state['countdown'] = 60
    await home.clock.advance(5000)
    expect(home.device.state['countdown']).toBe(60)
    expect(home.warnings).toEqual([])
  })
})
