import {beforeEach, describe, expect, it} from 'vitest'
import {HomeAssistant} from '../../../../src/bridge/homeassistant/homeassistant.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {StagedPlug, testContext} from '../stage.ts'

let plugs: Map<string, StagedPlug>
let isConnected: boolean
let homeAssistant: HomeAssistant

const plug = (name: string) => plugs.get(name) ?? expect.fail(`no plug ${name}`)
const told = () =>
  [...plugs.values()].filter((each) => homeAssistant.wasAnnounced(each)).map(({name}) => name)

beforeEach(() => {
  const clock = new VirtualClock()
  plugs = new Map([
    ['desk', new StagedPlug(clock, {name: 'desk', did: 1})],
    ['lamp', new StagedPlug(clock, {name: 'lamp', did: 2})],
    ['unheard', new StagedPlug(clock, {name: 'unheard', did: null})],
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
  const store = {announced: undefined, rememberAnnounced: () => {}}
  const options = {prefix: 'homeassistant', version: '1.2.3', store}
  homeAssistant = new HomeAssistant(testContext(clock, {plugs, connection}), options)
})

describe('Home Assistant was told', () => {
  it('of no plug before anything was sent', () => {
    expect(told()).toEqual([])
  })

  it('of the plugs whose message was sent, and not of one that never answered or is kept from it', () => {
    homeAssistant.connected()
    expect(told()).toEqual(['desk', 'lamp'])
  })

  it('over this connection: what was sent over an earlier one does not count', () => {
    homeAssistant.connected()
    isConnected = false
    homeAssistant.connected()
    expect(told()).toEqual([])
  })

  it('of a plug only as long as it is configured', () => {
    homeAssistant.connected()
    const gone = plug('lamp')
    plugs.delete('lamp')
    homeAssistant.plugRemoved(gone)
    expect(homeAssistant.wasAnnounced(gone)).toBe(false)
    expect(told()).toEqual(['desk'])
  })
})
