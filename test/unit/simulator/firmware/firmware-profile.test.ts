import {describe, expect, it} from 'vitest'
import {parseResponse} from '../../../../src/miio/json-repair.ts'
import {
  action,
  button,
  miot,
  overload,
  overTemperature,
  prop,
  relay,
  watts,
} from '../../../../src/models/builders.ts'
import type {Model} from '../../../../src/models/model.ts'
import {firmwareOf} from '../../../../src/simulator/firmware/firmware.ts'
import {
  type FirmwareResponse,
  formatResponse,
  tailOf,
} from '../../../../src/simulator/firmware/firmware-messages.ts'
import {
  ACK_TIMEOUT,
  type FirmwareProfile,
  firmwareProfileOf,
  INVALID_JSON,
} from '../../../../src/simulator/firmware/firmware-profile.ts'
import {eight, readings, VirtualHome} from '../../../support/virtual-home.ts'

const model: Model = {
  ...eight,
  ids: ['test.plug.quirks'],
  properties: {
    state: relay(miot(2, 1)),
    power: watts(miot(11, 2)),
    over_temperature: overTemperature(miot(2, 3), {on: [1]}),
    overload: overload(miot(2, 3), {on: [2]}),
    reset: button('Reset', action(15, 1)),
  },
}
const on = {did: 'state', siid: 2, piid: 1}
const power = {did: 'power', siid: 11, piid: 2}

function plugIn(profile: Partial<FirmwareProfile> = {}, described = model) {
  const state = {state: 'ON', power: 42, overload: 'ON', over_temperature: 'OFF'} as const
  const plug = {
    modelId: 'test.plug.quirks',
    did: 1,
    token: Buffer.alloc(16),
    address: '192.0.2.9',
    uptimeS: 1,
    rssi: -50,
    profile: {...firmwareProfileOf('test.plug.quirks'), ...profile},
    state: {...state},
  }
  const firmware = firmwareOf(described)
  return {
    state: plug.state,
    call: (method: string, params: unknown) => firmware.respond({id: 1, method, params}, plug),
    text: (method: string, params: unknown) => {
      const answer = firmware.respond({id: 1, method, params}, plug)
      return answer && formatResponse(1, answer, plug.profile, 90)
    },
  }
}

describe('MIoT responses of real plugs', () => {
  it('have an item for each item of the request, in its order, with its did', () => {
    expect(plugIn({exeTime: true}).text('get_properties', [on, power])).toBe(
      '{"id":1,"result":[{"did":"state","siid":2,"piid":1,"code":0,"value":true},{"did":"power","siid":11,"piid":2,"code":0,"value":42}],"exe_time":90}',
    )
  })

  it('have a code and no value for a write, and for an unknown property', () => {
    const {call, state} = plugIn()
    expect(call('set_properties', [{...on, value: false}])).toEqual({result: [{...on, code: 0}]})
    expect(state.state).toBe('OFF')
    expect(call('set_properties', [{...on, value: 'off'}])).toEqual({result: [{...on, code: -4005}]})
    expect(call('set_properties', [{...power, value: 1}])).toEqual({result: [{...power, code: -4002}]})
    expect(call('get_properties', [{did: 'x', siid: 99, piid: 1}])).toMatchObject({result: [{code: -4003}]})
  })

  it('are an object for an action', () => {
    const {call} = plugIn()
    const reset = {did: 'reset', siid: 15, aiid: 1}
    expect(call('action', {...reset, in: []})).toEqual({result: {...reset, code: 0, out: []}})
    expect(call('action', {...reset, aiid: 2, in: []})).toMatchObject({result: {code: -4003}})
  })

  it('have one fault code for several sensors', () => {
    const fault = {did: 'overload', siid: 2, piid: 3}
    expect(plugIn().call('get_properties', [fault])).toEqual({result: [{...fault, code: 0, value: 2}]})
  })

  it('do not exist for get_prop', () => {
    expect(plugIn().call('get_prop', ['power'])).toMatchObject({error: {code: -32601}})
  })
})

describe('firmware quirks', () => {
  it('no comma between items, and no did: cuco.plug.cp1', () => {
    const text = plugIn(firmwareProfileOf('cuco.plug.cp1')).text('get_properties', [on, power])
    expect(text).toBe(
      '{"id":1,"result":[{"siid":2,"piid":1,"code":0,"value":true}{"siid":11,"piid":2,"code":0,"value":42}]}',
    )
    expect(parseResponse(Buffer.from(text ?? '')).repairs).toEqual(['missing_comma'])
  })

  it('a buffer of 231 characters: three items fit, of four the last is cut off', () => {
    const home = new VirtualHome({profile: firmwareProfileOf('cuco.plug.cp2')})
    const items = Object.keys(eight.properties).map((did, piid) => ({did, siid: 2, piid}))
    const asked = (count: number) =>
      formatResponse(
        4,
        {result: items.slice(0, count).map((item) => ({...item, code: 0, value: 2345}))},
        home.plug.profile,
        20,
      )
    expect(asked(3)).toMatch(/\]}$/)
    expect(asked(4)).toHaveLength(231)
    expect(asked(4)).toMatch(/[^\]]}$/)
  })

  it('empty slots in place of unknown values: Qingmi strip', () => {
    const answer: FirmwareResponse = {result: ['off', 50, null, null, 23057]}
    expect(formatResponse(1, answer, firmwareProfileOf('qmi.powerstrip.v1'), 20)).toBe(
      '{"id":1,"result":["off",50,,,23057]}',
    )
    expect(formatResponse(1, {result: null}, firmwareProfileOf('qmi.powerstrip.v1'), 20)).toBe(
      '{"id":1,"result":null}',
    )
  })

  it.each([
    [undefined, '\0'],
    ['none', ''],
    ['nuls', '\0\0\0'],
    ['text', '\0k'],
  ] as const)('tail %s', (tail, bytes) => {
    expect(tailOf(tail ? {tail} : {})).toBe(bytes)
  })

  it.each([
    ['boolean', true],
    ['text', 'on'],
    ['number', 1],
  ] as const)('on and off as %s', (switching, value) => {
    expect(plugIn({switching}).call('get_properties', [on])).toMatchObject({result: [{value}]})
  })

  it.each([
    ['silence', undefined],
    [-9999, {error: ACK_TIMEOUT}],
    [-30001, {error: INVALID_JSON}],
  ] as const)('a failing property, and a batch that is too large, end in %s', (failure, response) => {
    const failing = plugIn({failingProperties: {power: failure}})
    expect(failing.call('get_properties', [on, power])).toEqual(response)
    expect(failing.call('get_properties', [on])).toMatchObject({result: [{value: true}]})
    const small = plugIn({batch: {most: 1, failure}})
    expect(small.call('get_properties', [on, power])).toEqual(response)
    expect(small.call('get_properties', [power])).toMatchObject({result: [{value: 42}]})
  })

  it('a failing property makes a legacy list fail, and a method of its own, too', () => {
    const legacy: Model = {
      ...eight,
      properties: {
        state: relay(prop('power', 'set_power')),
        power: watts({via: 'method', method: 'get_power'}),
      },
    }
    expect(plugIn({failingProperties: {state: -30001}}, legacy).call('get_prop', ['power'])).toEqual({
      error: INVALID_JSON,
    })
    expect(plugIn({failingProperties: {power: -30001}}, legacy).call('get_power', [])).toEqual({
      error: INVALID_JSON,
    })
    expect(plugIn({failingProperties: {power: -30001}}, legacy).call('get_prop', ['power'])).toEqual({
      result: ['on'],
    })
  })

  it('items with a code only, fewer than requested, in reverse order, only accepted', () => {
    expect(plugIn({codes: {power: -4004}}).call('get_properties', [on, power])).toMatchObject({
      result: [{code: 0}, {...power, code: -4004}],
    })
    expect(plugIn({maxItems: 1}).call('get_properties', [on, power])).toMatchObject({result: [on]})
    expect(plugIn({reversed: true}).call('get_properties', [on, power])).toMatchObject({result: [power, on]})
    expect(plugIn({reportsAccepted: true}).call('set_properties', [{...on, value: true}])).toEqual({
      result: [{...on, code: 1}],
    })
  })

  it('cuco.plug.v3 refuses legacy requests as undefined', () => {
    expect(plugIn(firmwareProfileOf('cuco.plug.v3')).call('get_prop', [])).toEqual({
      error: {code: -9999, message: 'undefined command'},
    })
  })
})

describe('responses with firmware quirks', () => {
  it.each<[string, Partial<FirmwareProfile>]>([
    ['missing commas', {missingComma: true}],
    ['no did', {withoutDid: true}],
    ['another order', {reversed: true}],
    ['text after the NUL', {tail: 'text'}],
    ['many NULs', {tail: 'nuls'}],
    ['no NUL', {tail: 'none'}],
    ['exe_time', {exeTime: true}],
    ['on and off as text', {switching: 'text'}],
    ['on and off as numbers', {switching: 'number'}],
    ['one item of many', {maxItems: 1}],
    ['a short buffer', {cutAt: 231}],
    ['little at once', {batch: {most: 3, failure: 'silence'}}],
    [
      'all of it',
      {missingComma: true, withoutDid: true, reversed: true, tail: 'text', switching: 'number', cutAt: 231},
    ],
  ])('the bridge reads every value: %s', async (_name, profile) => {
    const home = new VirtualHome({profile})
    await home.poll()
    expect(home.device.state).toMatchObject(readings)
  })
})

it('a request for too much makes the plug reboot: it does not respond, and every socket has the opposite state', async () => {
  const home = new VirtualHome({profile: {batch: {most: 7, failure: 'reboot'}}})
  const poll = home.device.poll('slow')
  await home.clock.advance(100)
  expect(home.plug.state).toMatchObject({state: 'OFF', state_1: 'OFF', usb: 'OFF'})
  expect(home.plug.uptimeS).toBeLessThan(0)
  await home.after(30_000, poll)
})

describe('a plug that is polled too often', () => {
  it('does not respond, reboots, and every socket has the opposite state', async () => {
    const home = new VirtualHome({profile: {overPolled: {most: 3, withinMs: 10_000}}})
    for (let poll = 0; poll < 3; poll++) await home.poll()
    expect(home.plug.state).toMatchObject({state: 'ON', state_1: 'ON', usb: 'OFF'})
    await expect(home.poll()).rejects.toMatchObject({code: 'timeout'})
    await home.clock.advance(10_000)
    await home.poll()
    expect(home.plug.state).toMatchObject({state: 'OFF', state_1: 'OFF', usb: 'OFF'})
    expect(home.plug.uptimeS).toBeLessThan(20)
  })
})

it('a quirk can be set and removed while the plug runs', () => {
  const {plug} = new VirtualHome()
  plug.setFaults({missingComma: true})
  expect(plug.profile.missingComma).toBe(true)
  plug.setFaults({})
  expect(plug.profile.missingComma).toBeUndefined()
})
