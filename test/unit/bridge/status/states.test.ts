import {beforeEach, describe, expect, it} from 'vitest'
import {Group} from '../../../../src/bridge/group.ts'
import type {DisplayOptions, Plug} from '../../../../src/bridge/plug.ts'
import {GroupStates, PlugStates} from '../../../../src/bridge/status/states.ts'
import {CallFailed} from '../../../support/scripted-plug.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {HOUR, MINUTE, RememberingPublisher, SECOND, StagedPlug, topics} from '../stage.ts'

let clock: VirtualClock
let publisher: RememberingPublisher
let plug: StagedPlug
let states: PlugStates
let plugs: Map<string, Plug>

function stage(appearance: DisplayOptions = {}, attributes = false): void {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  plug = new StagedPlug(clock, {appearance})
  plugs = new Map([[plug.name, plug]])
  states = new PlugStates({publisher, topics, plugs}, {qos: 1, retain: true, attributes})
  plug.addTo(states)
  plug.poller.start()
}

beforeEach(() => stage())

const payloads = (topic: string) => publisher.on(topic).map(({payload}) => JSON.parse(payload))

describe('the state of a plug', () => {
  it('is published once, retained, and before its availability', async () => {
    await clock.advance(10 * SECOND)
    expect(publisher.topics).toEqual(['miio2mqtt/desk', 'miio2mqtt/desk/availability'])
    expect(publisher.messages.every(({retain, qos}) => retain && qos === 1)).toBe(true)
  })

  it('has every property of the model, in its order, with null for what the plug did not report', async () => {
    plug.scripted.values['temperature'] = 'hot'
    await clock.advance(10 * SECOND)
    expect(publisher.on('miio2mqtt/desk')[0]?.payload).toMatch(
      /^{"state":"OFF","temperature":null,"led":"ON","rssi":null,"last_seen":"[^"]+"}$/,
    )
  })

  it('is not published again by polls that change nothing', async () => {
    await clock.advance(HOUR)
    expect(plug.scripted.polls().length).toBeGreaterThan(200)
    expect(publisher.on('miio2mqtt/desk')).toHaveLength(1)
  })

  it('is published once for each change', async () => {
    await clock.advance(MINUTE)
    plug.scripted.values['power'] = 'on'
    await clock.advance(MINUTE)
    expect(payloads('miio2mqtt/desk').map(({state}) => state)).toEqual(['OFF', 'ON'])
  })

  it('is not published before the plug was read', () => {
    states.connected()
    expect(publisher.messages).toEqual([])
  })
})

describe('what is filtered', () => {
  beforeEach(() => stage({filtered: ['led', 'rssi']}))

  it('is not in the state, and its changes publish nothing', async () => {
    await clock.advance(MINUTE)
    plug.scripted.values['wifi_led'] = 'off'
    await clock.advance(5 * MINUTE)
    expect(plug.device.state['led']).toBe('OFF')
    expect(payloads('miio2mqtt/desk').map((state) => Object.keys(state))).toEqual([
      ['state', 'temperature', 'last_seen'],
    ])
  })

  it('does not hide changes of other properties', async () => {
    await clock.advance(MINUTE)
    plug.scripted.values['power'] = 'on'
    await clock.advance(MINUTE)
    expect(payloads('miio2mqtt/desk').map(({state}) => state)).toEqual(['OFF', 'ON'])
  })

  it('can still be set', async () => {
    await clock.advance(MINUTE)
    const set = plug.device.set('led', 'OFF', clock.now() + SECOND)
    await clock.advance(MINUTE)
    expect(await set).toBe('OFF')
  })
})

describe('attributes', () => {
  const attributes = () =>
    publisher.messages
      .filter(({topic}) => /^miio2mqtt\/desk\/(?!availability)/.test(topic))
      .map(({topic, payload}) => [topic.slice('miio2mqtt/desk/'.length), payload])

  it('are all published at first, bare and as text, with None for what the plug did not report', async () => {
    stage({}, true)
    await clock.advance(10 * SECOND)
    expect(attributes()).toEqual([
      ['state', 'OFF'],
      ['temperature', '32'],
      ['led', 'ON'],
      ['rssi', 'None'],
      ['last_seen', expect.stringMatching(/^2026-01-01T/)],
    ])
    expect(publisher.on('miio2mqtt/desk/state')).toMatchObject([
      {retain: true, qos: 1, contentType: 'text/plain'},
    ])
  })

  it('are published again when they changed, and only those', async () => {
    stage({}, true)
    await clock.advance(MINUTE)
    publisher.messages.length = 0
    plug.scripted.values['power'] = 'on'
    await clock.advance(MINUTE)
    expect(attributes().map(([name]) => name)).toEqual(['state', 'last_seen'])
  })

  it('are all published again when everything is', async () => {
    stage({filtered: ['rssi']}, true)
    await clock.advance(MINUTE)
    publisher.messages.length = 0
    states.publishState(plug)
    expect(attributes().map(([name]) => name)).toEqual(['state', 'temperature', 'led', 'last_seen'])
  })
})

describe('quality of service and retention', () => {
  it('are those of the plug where it has some, and do not apply to its availability', async () => {
    stage({qos: 0, retain: false})
    await clock.advance(10 * SECOND)
    expect(publisher.on('miio2mqtt/desk').at(-1)).toMatchObject({qos: 0, retain: false})
    expect(publisher.on('miio2mqtt/desk/availability').at(-1)).toMatchObject({qos: 1, retain: true})
  })
})

describe('the availability of a plug', () => {
  it('changes only when it really does, and then names the reason and since when', async () => {
    await clock.advance(MINUTE)
    plug.scripted.failure = new CallFailed('timeout')
    await clock.advance(HOUR)
    plug.scripted.failure = undefined
    await clock.advance(2 * MINUTE)
    expect(payloads('miio2mqtt/desk/availability')).toEqual([
      {state: 'online'},
      {
        state: 'offline',
        reason: 'timeout',
        since: expect.stringMatching(/^2026-01-01T00:0[12]:\d\d\.\d{3}Z$/),
        message: expect.stringMatching(/^no answer from /),
      },
      {state: 'online'},
    ])
  })

  it('is online again after a fresh state was published', async () => {
    await clock.advance(MINUTE)
    plug.scripted.failure = new CallFailed('timeout')
    await clock.advance(HOUR)
    publisher.messages.length = 0
    plug.scripted.values['power'] = 'on'
    plug.scripted.failure = undefined
    await clock.advance(2 * MINUTE)
    expect(publisher.topics).toEqual(['miio2mqtt/desk', 'miio2mqtt/desk/availability'])
    expect(payloads('miio2mqtt/desk')[0]).toMatchObject({state: 'ON'})
  })
})

describe('a get that ends after a reload', () => {
  it('publishes no state of a plug that was removed', async () => {
    await clock.advance(10 * SECOND)
    plugs.clear()
    publisher.messages.length = 0
    states.publishState(plug)
    expect(publisher.messages).toEqual([])
  })

  it('publishes no state of the plug that had the name before', async () => {
    await clock.advance(10 * SECOND)
    plugs.set('desk', new StagedPlug(clock, {}))
    publisher.messages.length = 0
    states.publishState(plug)
    expect(publisher.messages).toEqual([])
  })

  it('publishes no state of a group that was removed, nor of the one that had the name before', async () => {
    await clock.advance(10 * SECOND)
    const settings = {members: ['desk']}
    const [removed, replaced] = [new Group('gone', settings, plugs), new Group('evening', settings, plugs)]
    const groups = new Map([['evening', new Group('evening', settings, plugs)]])
    const groupStates = new GroupStates({publisher, topics, groups}, {qos: 1, retain: true, attributes: true})
    publisher.messages.length = 0
    for (const group of [removed, replaced]) groupStates.publishState(group)
    expect(publisher.messages).toEqual([])
  })
})
