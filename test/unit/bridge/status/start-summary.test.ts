import {beforeEach, describe, expect, it} from 'vitest'
import {Group} from '../../../../src/bridge/group.ts'
import type {Plug} from '../../../../src/bridge/plug.ts'
import {StartSummary} from '../../../../src/bridge/status/start-summary.ts'
import type {Availability, OfflineReason} from '../../../../src/device/polling/availability.ts'
import {forceAvailability} from '../../../support/force-availability.ts'
import {RememberingLog} from '../../../support/remembering-log.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {HOUR, MINUTE, SECOND, StagedPlug} from '../stage.ts'

let clock: VirtualClock
let log: RememberingLog
let plugs: Map<string, StagedPlug>
let groups: Map<string, Group>
let announced: Set<Plug>
let isConnected: boolean
let summary: StartSummary
/** The states of the bridge. */
let published: string[]

const named = (name: string) => plugs.get(name) ?? expect.fail(`no plug ${name}`)
const desk = (index: number) => plugs.get(`desk ${index}`) ?? expect.fail(`no desk ${index}`)

function add(...names: string[]): void {
  for (const name of names) {
    const plug = new StagedPlug(clock, {name})
    plugs.set(name, plug)
    plug.addTo(summary)
  }
}

/** Plugs that have not responded yet. */
function stage(count: number, homeAssistant = true): void {
  clock = new VirtualClock()
  log = new RememberingLog()
  plugs = new Map()
  groups = new Map()
  announced = new Set()
  isConnected = true
  published = []
  const connection = {
    get connected() {
      return isConnected
    },
    resubscribe: () => Promise.resolve(),
  }
  summary = new StartSummary(
    {clock, log, plugs, groups, connection},
    {state: (state) => published.push(state)},
    homeAssistant ? {prefix: 'homeassistant', wasAnnounced: (plug) => announced.has(plug)} : undefined,
  )
  add(...Array.from({length: count}, (_, index) => `desk ${index}`))
}

/** The lines logged within this time. */
async function loggedWithin(ms: number): Promise<string[]> {
  const before = log.messages('info').length
  await clock.advance(ms)
  return log.messages('info').slice(before)
}

const set = (plug: StagedPlug, availability: Availability) => forceAvailability(plug.device, availability)
const answers = (...answering: StagedPlug[]) => {
  for (const plug of answering) {
    announced.add(plug)
    set(plug, {state: 'online'})
  }
}
/** The first poll of each begins now, and never ends. */
const areSilent = (...silent: StagedPlug[]) => {
  for (const plug of silent) {
    plug.scripted.call = () => new Promise(() => {})
    plug.poller.start()
  }
}
const goesOffline = (plug: StagedPlug, reason: OfflineReason) =>
  set(plug, {state: 'offline', reason, since: clock.date()})

describe('the summary of a start', () => {
  it('names every plug that is online, with product and address, and what was announced to Home Assistant', async () => {
    stage(2)
    groups.set('evening', new Group('evening', {members: []}, plugs))
    summary.start(0)
    summary.connected()
    answers(desk(0), desk(1))
    expect(await loggedWithin(5 * SECOND)).toEqual([
      '2 of 2 plugs online: desk 0 (Mi Smart Plug, 192.168.1.40), desk 1 (Mi Smart Plug, 192.168.1.40)',
      'Home Assistant: announced 2 plugs and 1 group on homeassistant/…',
    ])
    expect(await loggedWithin(HOUR)).toEqual([])
  })

  it('waits for the last plug, and gives the reason of each that is offline', async () => {
    stage(3)
    summary.start(0)
    summary.connected()
    answers(desk(0))
    goesOffline(desk(1), 'bad_token')
    expect(await loggedWithin(5 * SECOND)).toEqual([])
    goesOffline(desk(2), 'timeout')
    announced.add(desk(2)) // remembered from an earlier run
    expect(await loggedWithin(5 * SECOND)).toEqual([
      '1 of 3 plugs online: desk 0 (Mi Smart Plug, 192.168.1.40); offline: desk 1 (192.168.1.40, wrong token), desk 2 (192.168.1.40, does not answer)',
      'Home Assistant: announced 2 of 3 plugs on homeassistant/…; after its first answer: desk 1',
    ])
  })

  it('comes after some seconds, also when a plug never responds', async () => {
    stage(1)
    areSilent(desk(0))
    summary.start(3 * SECOND)
    summary.connected()
    expect(await loggedWithin(20 * SECOND)).toEqual([
      '0 of 1 plug online; offline: desk 0 (192.168.1.40, does not answer)',
      'Home Assistant: announced 0 of 1 plug on homeassistant/…; after its first answer: desk 0',
    ])
  })

  it('without any plug is empty: there is a warning about that', async () => {
    stage(0)
    summary.start(0)
    summary.connected()
    expect(await loggedWithin(20 * SECOND)).toEqual([])
  })

  it('says that nothing is announced when Home Assistant is disabled', async () => {
    stage(1, false)
    summary.start(0)
    summary.connected()
    answers(desk(0))
    expect(await loggedWithin(5 * SECOND)).toEqual([
      expect.stringMatching(/^1 of 1 plug online: /),
      'Home Assistant: nothing is announced, since homeassistant.enabled is false',
    ])
  })

  it('covers plugs also without a broker, and Home Assistant when the broker is connected', async () => {
    stage(1)
    isConnected = false
    summary.start(0)
    answers(desk(0))
    expect(await loggedWithin(20 * SECOND)).toEqual([
      expect.stringMatching(/^1 of 1 plug online: /),
      'Home Assistant: nothing is announced yet: the broker is not connected',
    ])
    isConnected = true
    summary.connected()
    expect(await loggedWithin(20 * SECOND)).toEqual([
      expect.stringMatching(/^1 of 1 plug online: /),
      'Home Assistant: announced 1 plug on homeassistant/…',
    ])
  })

  it('of thousands is one line of bounded length', async () => {
    stage(10_000)
    summary.start(50 * SECOND)
    summary.connected()
    const [first, ...others] = [...plugs.values()]
    answers(...others)
    if (first) goesOffline(first, 'timeout')
    expect(await loggedWithin(5 * SECOND)).toEqual([
      '9999 of 10000 plugs online; offline: desk 0 (192.168.1.40, does not answer)',
      'Home Assistant: announced 9999 of 10000 plugs on homeassistant/…; after its first answer: desk 0',
    ])
    for (const plug of others) goesOffline(plug, 'unreachable')
    summary.connected()
    const [line = ''] = await loggedWithin(5 * SECOND)
    expect(line).toMatch(/^0 of 10000 plugs online; offline: desk 0 .* and 9990 more$/)
    expect(line.length).toBeLessThan(500)
  })

  it('does not count disabled plugs, duplicates and excluded plugs as announced', async () => {
    stage(1)
    const disabled = new StagedPlug(clock, {name: 'lamp', disabled: true})
    const hidden = new StagedPlug(clock, {name: 'fan', appearance: {homeassistant: {enabled: false}}})
    for (const plug of [disabled, hidden]) {
      plugs.set(plug.name, plug)
      plug.addTo(summary)
    }
    goesOffline(disabled, 'disabled')
    summary.start(0)
    summary.connected()
    answers(desk(0))
    set(hidden, {state: 'online'})
    expect(await loggedWithin(5 * SECOND)).toEqual([
      expect.stringMatching(/^2 of 3 plugs online: .*; offline: lamp \(192\.168\.1\.40, disabled\)$/),
      'Home Assistant: announced 1 plug on homeassistant/…',
    ])
  })
})

describe('after the start', () => {
  beforeEach(async () => {
    stage(2)
    summary.start(0)
    summary.connected()
    answers(desk(0), desk(1))
    await clock.advance(HOUR)
  })

  it('has no line about plugs that go offline and come back: another part logs those', async () => {
    goesOffline(desk(0), 'timeout')
    answers(desk(0))
    expect(await loggedWithin(HOUR)).toEqual([])
  })

  it('is logged again after the broker comes back', async () => {
    goesOffline(desk(1), 'unreachable')
    isConnected = false
    await clock.advance(HOUR)
    isConnected = true
    summary.connected()
    expect(await loggedWithin(5 * SECOND)).toEqual([
      '1 of 2 plugs online: desk 0 (Mi Smart Plug, 192.168.1.40); offline: desk 1 (192.168.1.40, cannot be reached)',
      'Home Assistant: announced 2 plugs on homeassistant/…',
    ])
  })

  it('is logged once for several connections within seconds', async () => {
    for (let time = 0; time < 5; time++) {
      summary.connected()
      await clock.advance(SECOND)
    }
    expect(await loggedWithin(HOUR)).toHaveLength(2)
  })

  it('of a reload covers the plugs that it added or changed', async () => {
    plugs.delete('desk 0')
    add('lamp')
    summary.reloaded([named('lamp')])
    answers(plugs.get('lamp') ?? expect.fail())
    expect(await loggedWithin(5 * SECOND)).toEqual([
      'added or changed: 1 of 1 plug online: lamp (Mi Smart Plug, 192.168.1.40)',
      'Home Assistant: announced 1 plug on homeassistant/…',
    ])
  })

  it('of a reload does not wait longer for a plug that does not respond', async () => {
    add('lamp')
    summary.reloaded([named('lamp')])
    expect(await loggedWithin(20 * SECOND)).toEqual([
      'added or changed: 0 of 1 plug online; offline: lamp (192.168.1.40, no answer yet)',
      expect.stringMatching(/^Home Assistant/),
    ])
  })

  it('is not logged after a reload that changes no plug', async () => {
    plugs.delete('desk 0')
    summary.reloaded([])
    expect(await loggedWithin(HOUR)).toEqual([])
  })

  it('does not wait for a plug that was added and removed before it responded', async () => {
    add('lamp', 'fan')
    summary.reloaded([named('lamp'), named('fan')])
    const lamp = named('lamp')
    plugs.delete('lamp')
    summary.plugRemoved(lamp)
    answers(named('fan'))
    summary.reloaded([])
    expect(await loggedWithin(5 * SECOND)).toEqual([
      'added or changed: 1 of 1 plug online: fan (Mi Smart Plug, 192.168.1.40)',
      expect.stringMatching(/^Home Assistant/),
    ])
  })

  it('is not logged once it is stopped, and no timer is left', async () => {
    add('lamp')
    summary.reloaded([named('lamp')])
    summary.connected()
    summary.stop()
    answers(plugs.get('lamp') ?? expect.fail())
    expect(clock.pending).toBe(0)
    expect(await loggedWithin(HOUR)).toEqual([])
  })
})

describe('that the bridge is online', () => {
  it('is published when the last plug has an availability', async () => {
    stage(2)
    summary.start(0)
    summary.connected()
    answers(desk(0))
    expect(published).toEqual([])
    goesOffline(desk(1), 'timeout')
    expect(published).toEqual(['online'])
  })

  it('is published 8 s after the last of the first polls begins, whether or not the plugs answer', async () => {
    stage(2)
    areSilent(desk(0), desk(1))
    summary.start(3 * SECOND)
    summary.connected()
    await clock.advance(11 * SECOND)
    expect(published).toEqual([])
    await clock.advance(SECOND)
    expect(published).toEqual(['online'])
    expect(desk(0).device.availability).toMatchObject({state: 'offline', reason: 'timeout'})
  })

  it('waits for a plug whose first poll begins late, since the machine is busy', async () => {
    stage(2)
    areSilent(desk(0))
    summary.start(3 * SECOND)
    summary.connected()
    await clock.advance(MINUTE)
    expect(desk(0).device.availability.state).toBe('offline')
    expect([desk(1).device.availability.state, published]).toEqual(['unknown', []])
    desk(1).poller.start()
    await clock.advance(SECOND)
    expect([desk(1).device.availability.state, published]).toEqual(['online', ['online']])
  })

  it('does not take a plug for offline whose response arrived while the process stood still', async () => {
    stage(1)
    summary.start(0)
    desk(0).poller.start()
    await clock.advance(1)
    await clock.jump(20 * SECOND)
    await clock.advance(SECOND)
    expect(desk(0).device.availability).toEqual({state: 'online'})
  })

  it('is published once for each connection, and not without one', async () => {
    stage(1)
    isConnected = false
    summary.start(0)
    answers(desk(0))
    expect(published).toEqual([])
    isConnected = true
    summary.connected()
    goesOffline(desk(0), 'timeout')
    expect(published).toEqual(['online'])
    summary.disconnected()
    summary.connected()
    expect(published).toEqual(['online', 'online'])
  })

  it('is not published any more once the bridge stops', async () => {
    stage(1)
    summary.start(0)
    summary.connected()
    summary.stop()
    answers(desk(0))
    expect(published).toEqual([])
  })
})
