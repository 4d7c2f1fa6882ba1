import {beforeEach, describe, expect, it} from 'vitest'
import {States} from '../../../src/bridge/states.ts'
import {CallFailed} from '../../support/scripted-plug.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {HOUR, MINUTE, RememberingPublisher, SECOND, StagedPlug, topics} from './stage.ts'

let clock: VirtualClock
let publisher: RememberingPublisher
let plug: StagedPlug
let states: States

beforeEach(() => {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  plug = new StagedPlug(clock)
  states = new States({publisher, topics, qos: 1, retain: true})
  states.follow(plug)
  plug.poller.start()
})

const payloads = (topic: string) => publisher.on(topic).map(({payload}) => JSON.parse(payload))

describe('the state of a plug', () => {
  it('is published once, retained and before it is said to be online', async () => {
    await clock.advance(10 * SECOND)
    expect(publisher.topics).toEqual(['miio2mqtt/desk', 'miio2mqtt/desk/availability'])
    expect(publisher.messages.every(({retain, qos}) => retain && qos === 1)).toBe(true)
  })

  it('has every property of the model, in its order, with null for what the plug did not tell', async () => {
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

  it('is not invented before the plug was ever read', () => {
    states.publishState(plug)
    states.publishAvailability(plug)
    expect(publisher.messages).toEqual([])
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
      },
      {state: 'online'},
    ])
  })

  it('comes back after the state that the plug has by then', async () => {
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
