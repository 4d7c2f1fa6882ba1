import {beforeEach, describe, expect, it} from 'vitest'
import {HomeAssistant} from '../../../../src/bridge/homeassistant/homeassistant.ts'
import {seeded, VirtualClock} from '../../../support/virtual-clock.ts'
import {RememberingPublisher, StagedPlug, topics} from '../stage.ts'

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
  homeAssistant = new HomeAssistant({
    publisher: new RememberingPublisher(clock),
    topics,
    prefix: 'homeassistant',
    version: '1.2.3',
    clock,
    random: seeded(1),
    isConnected: () => isConnected,
    announce: () => {},
    plugs,
    announced: undefined,
    remember: () => {},
  })
})

describe('Home Assistant was told', () => {
  it('of no plug before anything was sent', () => {
    expect(told()).toEqual([])
  })

  it('of the plugs whose message was sent, and not of one that never answered or is kept from it', () => {
    homeAssistant.discoverAll()
    expect(told()).toEqual(['desk', 'lamp'])
  })

  it('over this connection: what was sent over an earlier one does not count', () => {
    homeAssistant.discoverAll()
    isConnected = false
    homeAssistant.discoverAll()
    expect(told()).toEqual([])
  })

  it('of a plug only as long as it is configured', () => {
    homeAssistant.discoverAll()
    const gone = plug('lamp')
    plugs.delete('lamp')
    homeAssistant.forget(gone)
    expect(homeAssistant.wasAnnounced(gone)).toBe(false)
    expect(told()).toEqual(['desk'])
  })
})
