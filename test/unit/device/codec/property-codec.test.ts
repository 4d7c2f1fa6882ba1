import {describe, expect, it} from 'vitest'
import {
  buildRead,
  buildReads,
  buildWrite,
  decodeResponse,
  expectOk,
  propertiesInTier,
  propertyOf,
} from '../../../../src/device/codec/property-codec.ts'
import {fromUser} from '../../../../src/device/codec/validation.ts'
import {FirmwareCapabilities} from '../../../../src/device/polling/firmware-capabilities.ts'

import {
  action,
  button,
  celsius,
  childLock,
  complete,
  led,
  method,
  minutesSetting,
  miot,
  overload,
  overTemperature,
  powerOnBehavior,
  prop,
  relay,
  usb,
  watts,
} from '../../../../src/models/builders.ts'
import type {Model} from '../../../../src/models/model.ts'
import {eight} from '../../../support/virtual-home.ts'

const full: Model = complete({
  ...eight,
  properties: {
    state: relay(miot(2, 1)),
    power: watts(miot(11, 2), {scale: 0.01}),
    led: led(miot(13, 1)),
    over_temperature: overTemperature(miot(2, 3), {on: [1]}),
    overload: overload(miot(2, 3), {on: [2, 3]}),
    child_lock: childLock(miot(7, 1)),
    power_on_behavior: powerOnBehavior(miot(2, 2), [
      [0, 'previous'],
      [1, 'on'],
      [2, 'off'],
    ]),
    delay: minutesSetting('Delay', miot(8, 2), {min: 1, max: 60}),
    reset: button('Reset', action(15, 1)),
  },
})
const legacy: Model = complete({
  ...eight,
  properties: {
    state: relay(prop('on', 'set_power')),
    usb: usb(prop('usb_on', {on: 'set_usb_on', off: 'set_usb_off'})),
    temperature: celsius(prop('temperature')),
    power: watts(method('get_power'), {scale: 0.01}),
  },
})
const item = (did: string, siid: number, piid: number, rest: object) => ({did, siid, piid, ...rest})

describe('read requests', () => {
  const asked = (model: Model, names: readonly string[], most?: number) =>
    buildReads(model, names, most).map(({method, properties}) => [method, ...properties])

  it('read MIoT properties together, risky ones alone, and what every plug has by miIO.info', () => {
    expect(asked(full, propertiesInTier(full, 'rare'))).toEqual([
      ['get_properties', 'state', 'power', 'led', 'over_temperature', 'overload', 'power_on_behavior'],
      ['get_properties', 'child_lock'],
      ['get_properties', 'delay'],
      ['miIO.info', 'rssi'],
    ])
  })

  it('read two properties of one value once', () => {
    expect(buildReads(full, ['over_temperature', 'overload'])).toEqual([
      {
        method: 'get_properties',
        params: [{did: 'overload', siid: 2, piid: 3}],
        properties: ['over_temperature', 'overload'],
      },
    ])
  })

  it('have no more values than the model takes, or than was found out', () => {
    expect(asked({...full, batch: 2}, ['state', 'power', 'led'])).toEqual([
      ['get_properties', 'state', 'power'],
      ['get_properties', 'led'],
    ])
    expect(asked({...full, batch: 2}, ['state', 'power'], 1)).toHaveLength(2)
    expect(asked({...full, batch: 1}, ['state', 'over_temperature', 'overload'])).toEqual([
      ['get_properties', 'state'],
      ['get_properties', 'over_temperature', 'overload'],
    ])
    expect(asked({...full, batch: 2}, ['state', 'power', 'led'], 8)).toHaveLength(2)
  })

  it('of an exact list have all of it, or nothing', () => {
    const exact: Model = {...legacy, exactList: true}
    expect(asked(exact, ['state'], 1)).toEqual([['get_prop', 'state', 'usb', 'temperature']])
    expect(asked(exact, ['power'])).toEqual([['get_power', 'power']])
  })

  it('never have what the bridge computes, or a button', () => {
    expect(asked(full, ['energy', 'last_seen', 'reset'])).toEqual([])
    expect(() => buildRead(full, 'reset')).toThrow('reset is not asked from the plug')
    expect(() => propertyOf(full, 'constructor')).toThrow('has no property "constructor"')
  })

  it('of a tier are computed once, and again for another limit', () => {
    const names = propertiesInTier(full, 'slow')
    expect(propertiesInTier(full, 'slow')).toBe(names)
    const capabilities = new FirmwareCapabilities()
    const reads = capabilities.planReads(full, names)
    expect(capabilities.planReads(full, names)).toBe(reads)
    expect(reads).toEqual(buildReads(full, names))
    capabilities.limitBatch(2)
    const smaller = capabilities.planReads(full, names)
    expect(smaller.length).toBeGreaterThan(reads.length)
    expect(smaller).toEqual(buildReads(full, names, 2))
    expect(buildReads({...full, batch: 1}, names).length).toBeGreaterThan(smaller.length)
    capabilities.markUnsupported('led')
    expect(capabilities.planReads(full, names)).toEqual(
      buildReads(
        full,
        names.filter((name) => name !== 'led'),
        2,
      ),
    )
  })
})

describe('responses of MIoT', () => {
  const [read] = buildReads(full, ['state', 'power', 'led'])
  const values = (answer: unknown) => read && decodeResponse(answer, read, full)
  const good = [
    item('state', 2, 1, {code: 0, value: true}),
    item('power', 11, 2, {code: 0, value: 9523}),
    item('led', 13, 1, {code: 0, value: false}),
  ]

  it('are matched by siid and piid, whatever their order, did, and whatever else is in them', () => {
    const expected = {state: 'ON', power: 95.23, led: 'OFF'}
    expect(values(good)?.values).toEqual(expected)
    expect(values([...good].reverse())?.values).toEqual(expected)
    expect(values(good.map(({did: _, ...rest}) => rest))?.values).toEqual(expected)
    expect(values([null, 7, 'x', item('spam', 99, 1, {value: 1}), ...good])?.values).toEqual(expected)
    expect(values(good.map((each) => ({...each, ts: 1611409185, ret: 0})))?.values).toEqual(expected)
    expect(values(good)?.raw).toEqual({state: true, power: 9523, led: false})
  })

  it('without a code are taken, with one are none', () => {
    expect(values([item('state', 2, 1, {value: true})])?.values['state']).toBe('ON')
    const answered = values([item('state', 2, 1, {code: -4004, value: true}), ...good.slice(1)])
    expect(answered?.values['state']).toBe(null)
    expect(answered?.failed).toEqual(new Map([['state', -4004]]))
  })

  it.each([[null], [{}], ['ok'], [[]], [[null]], [0]])('%j has no value', (answer) => {
    expect(values(answer)).toMatchObject({values: {state: null, power: null, led: null}, raw: {}})
    expect(values(answer)?.failed.size).toBe(3)
  })

  it('null is no failure: the plug responded without a value', () => {
    const answered = values(good.map((each) => ({...each, value: null})))
    expect(answered?.values).toEqual({state: null, power: null, led: null})
    expect(answered?.failed.size).toBe(0)
  })

  it.each([
    [0, 'OFF', 'OFF'],
    [1, 'ON', 'OFF'],
    [2, 'OFF', 'ON'],
    [3, 'OFF', 'ON'],
    ['?', null, null],
  ])('one fault code, %j, tells of both alarms', (value, over_temperature, overload) => {
    const fault = buildRead(full, 'overload')
    const both = {...fault, properties: ['over_temperature', 'overload']}
    expect(decodeResponse([item('overload', 2, 3, {code: 0, value})], both, full).values).toEqual({
      over_temperature,
      overload,
    })
  })
})

describe('responses of miIO', () => {
  it('by position count only when they are as long as the request', () => {
    const read = buildRead(legacy, 'state')
    const three = {...read, properties: ['state', 'usb', 'temperature']}
    expect(decodeResponse(['off', true, 32], three, legacy).values).toEqual({
      state: 'OFF',
      usb: 'ON',
      temperature: 32,
    })
    expect(decodeResponse(['off', null, 32], three, legacy).values).toEqual({
      state: 'OFF',
      usb: null,
      temperature: 32,
    })
    expect(decodeResponse(['off', 32], three, legacy).failed.size).toBe(3)
  })

  it('of miIO.info have the signal strength', () => {
    const read = buildRead(legacy, 'rssi')
    expect(decodeResponse({ap: {rssi: -61}}, read, legacy).values).toEqual({rssi: -61})
    expect(decodeResponse({ap: 5}, read, legacy).values).toEqual({rssi: null})
    expect(decodeResponse(null, read, legacy).values).toEqual({rssi: null})
  })
})

describe('write requests', () => {
  const write = (name: string, sent: unknown) => {
    const wanted = fromUser(name, propertyOf(full, name), sent)
    if (wanted === 'TOGGLE') throw new Error('expected a value')
    return buildWrite(name, propertyOf(full, name), wanted)
  }

  it.each([
    ['state', 'on', 2, 1, true],
    ['power_on_behavior', 'Previous', 2, 2, 0],
    ['delay', '30', 8, 2, 30],
  ])('%s %s is one item of set_properties', (name, sent, siid, piid, value) => {
    expect(write(name, sent)).toEqual({method: 'set_properties', params: [{did: name, siid, piid, value}]})
  })

  it('a press is an action, sent once', () => {
    expect(write('reset', 'PRESS')).toEqual({
      method: 'action',
      params: {did: 'reset', siid: 15, aiid: 1, in: []},
      once: true,
    })
  })

  it('a property that is not writable is refused with those that are', () => {
    expect(() => write('delay', 0)).toThrow('delay: expected 1 to 60 min, got 0')
    expect(() => write('delay', 'soon')).toThrow('delay: expected a number of min, got "soon"')
    expect(() => write('power_on_behavior', 'maybe')).toThrow(
      'expected one of previous, on, off, got "maybe"',
    )
    expect(() => write('power', 5)).toThrow('power can only be read')
    expect(() => buildWrite('power', propertyOf(legacy, 'power'), 5)).toThrow(TypeError)
  })

  it.each([
    [['ok']],
    ['OK'],
    [0],
    [[{siid: 2, piid: 1, code: 0}]],
    [[{siid: 2, piid: 1, code: 1}]],
    [{code: 0, out: []}],
  ])('%j is a yes', (answer) => {
    expect(() => expectOk(answer, {method: 'set_properties', params: []})).not.toThrow()
  })

  it.each([
    [[{code: -4002}], -4002, 'it cannot be written'],
    [[{code: -4003}], -4003, 'it has no such property'],
    [[{code: -704042011}], -704042011, 'code -704042011'],
    [{code: -4006}, -4006, 'the input is wrong'],
    [['error'], undefined, '"error"'],
    [[], undefined, '[]'],
    [null, undefined, 'null'],
    [[{siid: 2}], undefined, '{"siid":2}'],
  ])('%j is a no', (answer, deviceCode, because) => {
    const refused = expect.objectContaining({
      code: 'refused',
      deviceCode,
      message: expect.stringContaining(because),
    })
    expect(() => expectOk(answer, {method: 'set_properties', params: []})).toThrow(refused)
  })
})
