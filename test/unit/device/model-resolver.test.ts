import {describe, expect, it} from 'vitest'
import {onOff, prop, relay} from '../../../src/models/builders.ts'
import {Catalogue} from '../../../src/models/catalogue.ts'
import type {Model} from '../../../src/models/model.ts'
import {eight, VirtualHome} from '../../support/virtual-home.ts'

const nothing = new Catalogue()
const legacy: Model = {
  ...eight,
  ids: ['test.plug.legacy'],
  properties: {state: relay(prop('power', 'set_power'))},
}
const likeV3: Model = {
  ...eight,
  ids: ['chuangmi.plug.v9'],
  properties: {state: relay(prop('on', 'set_power'))},
}
const foreign: Model = {
  ...eight,
  ids: ['test.lamp.none'],
  properties: {state: onOff('Lamp', prop('lamp', 'set_lamp'))},
}
const stranger = {known: nothing, introduced: false, state: {state: 'ON'}} as const

function methods(home: VirtualHome, from = 0): string[] {
  return home.plug.received.slice(from).map(({method}) => method)
}

describe('a plug without a definition', () => {
  it.each([
    ['MIoT', eight, ['miIO.info', 'get_properties']],
    ['miIO', legacy, ['miIO.info', 'get_properties', 'get_prop']],
    ['miIO, of a maker of miIO plugs only', likeV3, ['miIO.info', 'get_prop', 'get_prop']],
  ])('and speaks %s is asked once how, then switches', async (_name, model, probing) => {
    const home = new VirtualHome({model, ...stranger})
    await home.poll('fast')
    expect(methods(home)).toEqual([...probing, probing.at(-1)])
    expect(home.device.state['state']).toBe('ON')
    await home.after(2000, home.device.set('state', 'OFF', home.clock.now() + 2000))
    expect(home.plug.state['state']).toBe('OFF')
    expect(home.device.state['state']).toBe('OFF')
  })

  it('is not asked how after a restart', async () => {
    const home = new VirtualHome({model: eight, known: nothing, state: {state: 'ON'}})
    await home.poll('fast')
    home.restart()
    const before = home.plug.received.length
    await home.poll('fast')
    expect(methods(home, before)).toEqual(['get_properties'])
  })

  it('and has no known dialect gets each request once', async () => {
    const home = new VirtualHome({model: foreign, ...stranger})
    for (let poll = 0; poll < 5; poll++) await expect(home.poll()).rejects.toMatchObject({code: 'refused'})
    expect(methods(home)).toEqual(['miIO.info', 'get_properties', 'get_prop', 'get_prop'])
  })

  it('and does not respond to unknown requests is asked three times', async () => {
    const home = new VirtualHome({model: foreign, ...stranger, profile: {unknownMethod: 'silence'}})
    for (let poll = 0; poll < 2; poll++) await expect(home.poll()).rejects.toMatchObject({code: 'timeout'})
    for (let poll = 0; poll < 5; poll++) await expect(home.poll()).rejects.toMatchObject({code: 'refused'})
    const round = ['miIO.info', 'get_properties', 'get_prop', 'get_prop']
    expect(methods(home)).toEqual([...round, ...round, ...round])
  })

  it('whose response was lost is asked again, and not taken for one without a known dialect', async () => {
    const home = new VirtualHome({model: eight, ...stranger})
    home.plug.next({}, {loseResponse: true})
    await expect(home.poll()).rejects.toMatchObject({code: 'timeout'})
    await home.poll()
    expect(home.device.state['state']).toBe('ON')
  })

  it('and is unreachable is not asked in any dialect', async () => {
    const home = new VirtualHome({model: eight, ...stranger, faults: {silence: true}})
    await expect(home.poll()).rejects.toMatchObject({code: 'timeout', stage: 'hello'})
    home.plug.setFaults({})
    await home.poll('fast')
    expect(methods(home)).toEqual(['miIO.info', 'get_properties', 'get_properties'])
  })
})
