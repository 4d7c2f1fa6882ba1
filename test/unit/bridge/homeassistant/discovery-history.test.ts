import {beforeEach, describe, expect, it} from 'vitest'
import {HomeAssistant} from '../../../../src/bridge/homeassistant/homeassistant.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {StagedPlug, testContext} from '../stage.ts'

let plugs: Map<string, StagedPlug>
let isConnected: boolean
let homeAssistant: HomeAssistant

const plug = (name: string) => plugs.get(name) ?? expect.fail(`no plug ${name}`)
const announced = () =>
  [...plugs.values()].filter((each) => homeAssistant.wasAnnounced(each)).map(({name}) => name)

beforeEach(() => {
  const clock = new VirtualClock()
  plugs = new Map([
    ['desk', new StagedPlug(clock, {name: 'desk', did: 1})],
    ['lamp', new StagedPlug(clock, {name: 'lamp', did: 2})],
    ['new', new StagedPlug(clock, {name: 'new', did: null})],
    [
      'hidden',
      new StagedPlug(clock, {name: 'hidden', did: 3, appearance: {homeassistant: {enabled: false}}}),
    ],
  ])
  isConnected = true
  const connection = {
    get connected() {
      return isConnected
    },
    resubscribe: () => Promise.resolve(),
  }
  const store = {discovery: undefined, rememberDiscovery: () => {}}
  const options = {prefix: 'homeassistant', version: '1.2.3', store}
  homeAssistant = new HomeAssistant(testContext(clock, {plugs, connection}), options)
})

describe('plugs that were announced over this connection', () => {
  it('are none before anything was sent', () => {
    expect(announced()).toEqual([])
  })

  it('are those whose message was sent, and not one that never answered or is excluded', () => {
    homeAssistant.connected()
    expect(announced()).toEqual(['desk', 'lamp'])
  })

  it('are not those announced over an earlier connection', () => {
    homeAssistant.connected()
    isConnected = false
    homeAssistant.connected()
    expect(announced()).toEqual([])
  })

  it('are only those that are still configured', () => {
    homeAssistant.connected()
    const removed = plug('lamp')
    plugs.delete('lamp')
    homeAssistant.plugRemoved(removed)
    expect(homeAssistant.wasAnnounced(removed)).toBe(false)
    expect(announced()).toEqual(['desk'])
  })
})
