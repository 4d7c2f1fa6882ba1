import {describe, expect, it} from 'vitest'
import {builtIn} from '../../../../src/models/catalogue.ts'
import type {Value} from '../../../../src/models/model.ts'
import {firmwareOf} from '../../../../src/simulator/firmware/firmware.ts'
import {parseFirmwareRequest} from '../../../../src/simulator/firmware/firmware-messages.ts'
import {
  type FirmwareContext,
  type FirmwareProfile,
  firmwareProfileOf,
} from '../../../../src/simulator/firmware/firmware-profile.ts'

function plugIn(id: string, state: Record<string, Value> = {}, profile: Partial<FirmwareProfile> = {}) {
  const model = builtIn.find(id)
  if (!model) throw new Error(`no model ${id}`)
  const firmware = firmwareOf(model)
  const plug: FirmwareContext = {
    modelId: id,
    did: 0x0f1e2d3c,
    token: Buffer.from('5a3c1f0e9d8b7a695847362514039281', 'hex'),
    address: '192.0.2.60',
    uptimeS: 123456,
    rssi: -52,
    profile: {...firmwareProfileOf(id), ...profile},
    state: {...state},
  }
  const call = (method: string, params: readonly unknown[] = []) =>
    firmware.respond({id: 1, method, params}, plug)
  return {call, state: plug.state}
}

describe('the documented responses of a model', () => {
  it('m1: on as text, temperature as a number', () => {
    const {call} = plugIn('chuangmi.plug.m1', {state: 'ON', temperature: 32})
    expect(call('get_prop', ['power', 'temperature'])).toEqual({result: ['on', 32]})
  })

  it('v1: on/off as booleans', () => {
    const {call} = plugIn('chuangmi.plug.v1', {state: 'ON', usb: 'OFF', temperature: 41})
    expect(call('get_prop', ['on', 'usb_on', 'temperature'])).toEqual({result: [true, false, 41]})
  })

  const v3 = {state: 'OFF', usb: 'ON', temperature: 32, led: 'ON', power: 3} as const
  const v3List = ['on', 'usb_on', 'temperature', 'wifi_led']

  it('v3 with new firmware: the relay as text, USB as a boolean', () => {
    expect(plugIn('chuangmi.plug.v3', v3).call('get_prop', v3List)).toEqual({result: ['off', true, 32, 'on']})
  })

  it('v3 with old firmware: the relay as a boolean', () => {
    const {call} = plugIn('chuangmi.plug.v3', v3, {generation: 'old'})
    expect(call('get_prop', v3List)).toEqual({result: [false, true, 32, 'on']})
  })

  it('v3: 3 W are 300 hundredths', () => {
    expect(plugIn('chuangmi.plug.v3', v3).call('get_power')).toEqual({result: [300]})
    expect(plugIn('chuangmi.plug.v3', {power: 12.34}).call('get_power')).toEqual({result: [1234]})
  })

  it('v3: any other list than its own is an invalid-JSON error', () => {
    const {call} = plugIn('chuangmi.plug.v3', v3)
    const invalid = {error: {code: -30001, message: 'Resp invalid json.'}}
    expect(call('get_prop', ['on'])).toEqual(invalid)
    expect(call('get_prop', [...v3List].reverse())).toEqual(invalid)
  })

  it('an unknown name is null in its place, and so is a missing value', () => {
    const {call} = plugIn('chuangmi.plug.m1', {state: 'ON', temperature: null})
    expect(call('get_prop', ['voltage', 'power', 'temperature'])).toEqual({result: [null, 'on', null]})
  })

  it.each([
    ['chuangmi.plug.m1', -32601],
    ['chuangmi.plug.v1', -10000],
    ['chuangmi.plug.v3', -30001],
    ['chuangmi.plug.hmi205', -30000],
  ])('%s answers a MIoT request with %i', (id, code) => {
    expect(plugIn(id).call('get_properties')).toMatchObject({error: {code}})
  })

  it('a v1 has no set_power', () => {
    const {call, state} = plugIn('chuangmi.plug.v1', {state: 'OFF'})
    expect(call('set_power', ['on'])).toMatchObject({error: {code: -10000}})
    expect(state['state']).toBe('OFF')
  })
})

describe('every definition', () => {
  const ids = [...builtIn.models]

  it.each(ids)('%s: a written value is read back at the address of the definition', (id, model) => {
    const {call} = plugIn(id)
    const properties = Object.values(model.properties)
    const names = properties.flatMap(({address}) => (address.via === 'get_prop' ? [address.name] : []))
    for (const {address, kind} of properties) {
      if (kind !== 'switch' || address.via !== 'get_prop' || !address.write) continue
      for (const word of ['on', 'off'] as const) {
        const {write} = address
        expect('method' in write ? call(write.method, [word]) : call(write[word])).toEqual({result: ['ok']})
        const answer = call('get_prop', names)
        const read = answer && 'result' in answer && Array.isArray(answer.result) ? answer.result : []
        expect([word, word === 'on']).toContain(read[names.indexOf(address.name)])
      }
    }
  })

  it.each(ids)('%s: reports its model in miIO.info, and not its token', (id) => {
    const answer = plugIn(id).call('miIO.info')
    expect(answer).toMatchObject({
      result: {
        life: 123456,
        model: id,
        fw_ver: expect.any(String),
        hw_ver: expect.any(String),
        mac: '28:6C:07:1E:2D:3C',
        ap: {ssid: 'simulated', rssi: -52},
        netif: {localIp: '192.0.2.60'},
        mmfree: expect.any(Number),
      },
    })
    expect(JSON.stringify(answer)).not.toContain('5a3c1f0e')
  })
})

describe('the m1', () => {
  it('responds "ok" to invalid parameters, and does nothing', () => {
    const {call, state} = plugIn('chuangmi.plug.m1', {state: 'ON'})
    expect(call('set_power', ['bogus', 7, null])).toEqual({result: ['ok']})
    expect(call('set_power', [])).toEqual({result: ['ok']})
    expect(state['state']).toBe('ON')
  })

  it('acts on every parameter in turn', () => {
    const {call, state} = plugIn('chuangmi.plug.m1', {state: 'OFF'})
    expect(call('set_power', ['on', 'offline'])).toEqual({result: ['ok']})
    expect(state['state']).toBe('OFF')
  })
})

it('firmware that leaks its token does so in miIO.info', () => {
  const {call} = plugIn('chuangmi.plug.m1', {}, {infoShowsToken: true})
  expect(call('miIO.info')).toMatchObject({result: {token: '5a3c1f0e9d8b7a695847362514039281'}})
})

describe('reading a request', () => {
  const read = (text: string) => parseFirmwareRequest(Buffer.from(text))

  it('ends at the first NUL, or without one', () => {
    const request = {id: 7, method: 'get_power', params: []}
    expect(read('{"id":7,"method":"get_power"}')).toEqual(request)
    expect(read('{"id": 7, "method": "get_power", "params": []}\0k')).toEqual(request)
  })

  it('a missing id is 0', () => {
    expect(read('{"method":"set_on","params":[]}')).toMatchObject({id: 0})
  })

  it.each(['', '\0', 'null', '[1]', '{"id":1', '{"id":1}', '{"id":1,"method":5}'])('drops %j', (text) => {
    expect(read(text)).toBeUndefined()
  })
})
