import {beforeEach, describe, expect, it, vi} from 'vitest'
import {Commands} from '../../../src/bridge/commands/commands.ts'
import type {Group, GroupSettings} from '../../../src/bridge/group.ts'
import {groupDiscovery, groupId} from '../../../src/bridge/homeassistant/bridge-discovery.ts'
import {HomeAssistant} from '../../../src/bridge/homeassistant/homeassistant.ts'
import {GroupStates, PlugStates} from '../../../src/bridge/status/states.ts'
import {Topics} from '../../../src/mqtt/topics.ts'
import type {Result} from '../../support/command-client.ts'
import {messageProblems} from '../../support/discovery-validator.ts'
import {forceAvailability} from '../../support/force-availability.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {CallFailed} from '../../support/scripted-plug.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {
  HOUR,
  MINUTE,
  RememberingPublisher,
  replaceGroups,
  SECOND,
  StagedPlug,
  testContext,
  topics,
} from './stage.ts'

const EVENING = {evening: {members: ['desk', 'kitchen/kettle']}}
const TOPIC = `homeassistant/device/${groupId('evening', topics)}/config`

let clock: VirtualClock
let publisher: RememberingPublisher
let desk: StagedPlug
let kettle: StagedPlug
let plugs: Map<string, StagedPlug>
let groups: Map<string, Group>
let groupStates: GroupStates
let homeAssistant: HomeAssistant
let commands: Commands
let log: RememberingLog

function stage({unplugged = false, attributes = false} = {}): void {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  log = new RememberingLog()
  desk = new StagedPlug(clock, {name: 'desk'})
  kettle = new StagedPlug(clock, {name: 'kitchen/kettle', did: 4712, disabled: unplugged})
  plugs = new Map([desk, kettle].map((plug) => [plug.name, plug]))
  groups = new Map()
  const context = testContext(clock, {publisher, log, plugs, groups})
  const options = {qos: 1, retain: true, attributes} as const
  groupStates = new GroupStates(context, options)
  const plugStates = new PlugStates(context, options)
  commands = new Commands(context, {plugStates, groupStates})
  const store = {discovery: undefined, rememberDiscovery: () => {}}
  homeAssistant = new HomeAssistant(context, {prefix: 'homeassistant', version: '1.2.3', store})
  for (const plug of plugs.values()) {
    plug.addTo(groupStates)
    if (!plug.disabled) plug.poller.start()
  }
  if (unplugged) kettle.device.tracker.suspend('disabled')
  reload(EVENING)
}

/** Takes over which groups there are, as the bridge does. */
function reload(settings: Readonly<Record<string, GroupSettings>>): void {
  replaceGroups(groups, settings, plugs)
  groupStates.reloaded()
  homeAssistant.reloaded([])
}

beforeEach(() => stage())

const payloads = (topic: string) => publisher.on(topic).map(({payload}) => JSON.parse(payload))
const states = () => payloads('miio2mqtt/evening').map(({state}) => state)
const results = (): Result[] => payloads('miio2mqtt/evening/response')

/** Sends a command and does not wait. */
function send(payload: string, kind: 'set' | 'get' = 'set', property?: string): void {
  const command = {kind, name: 'evening', ...(property === undefined ? {} : {property})}
  const topic = `miio2mqtt/evening/${kind}`
  commands.handle({topic, payload: Buffer.from(payload), retained: false}, command)
}

async function resultOf(payload: string, kind: 'set' | 'get' = 'set', property?: string): Promise<Result> {
  const before = results().length
  send(payload, kind, property)
  await clock.advance(15 * SECOND)
  expect(results()).toHaveLength(before + 1)
  return results()[before] ?? expect.fail('no result')
}

describe('the state of a group', () => {
  it('is published once every member has responded, before the availability of the group, both retained', async () => {
    await clock.advance(10 * SECOND)
    expect(states()).toEqual(['OFF'])
    expect(payloads('miio2mqtt/evening/availability')).toEqual([{state: 'online'}])
    const published = publisher.messages.filter(({topic}) => topic.startsWith('miio2mqtt/evening'))
    expect(published.every(({retain, qos}) => retain && qos === 1)).toBe(true)
  })

  it('is ON when any member is on, and OFF when all are off', async () => {
    await clock.advance(MINUTE)
    for (const power of ['on', 'off']) {
      kettle.scripted.values['power'] = power
      await clock.advance(MINUTE)
    }
    expect(states()).toEqual(['OFF', 'ON', 'OFF'])
  })

  it('is null when a member does not report it, and the others are off: not on is not off', async () => {
    kettle.scripted.values['power'] = 'broken'
    await clock.advance(MINUTE)
    expect(states()).toEqual([null])
  })

  it('is null when a member is offline, whatever its last state, and ON when another member is on', async () => {
    await clock.advance(MINUTE)
    kettle.scripted.failure = new CallFailed('timeout')
    await clock.advance(5 * MINUTE)
    desk.scripted.values['power'] = 'on'
    await clock.advance(MINUTE)
    expect(states()).toEqual(['OFF', null, 'ON'])
  })

  it('does not count what is disabled', async () => {
    stage({unplugged: true})
    await clock.advance(MINUTE)
    expect(states()).toEqual(['OFF'])
  })

  it('is not repeated by polls that change nothing, nor by other changes of a member', async () => {
    await clock.advance(MINUTE)
    kettle.scripted.values['temperature'] = 50
    await clock.advance(HOUR)
    expect(states()).toEqual(['OFF'])
  })

  it('follows a member that was switched while there was no group, and was switched back', async () => {
    await clock.advance(MINUTE)
    reload({})
    kettle.scripted.values['power'] = 'on'
    await clock.advance(MINUTE)
    reload(EVENING)
    kettle.scripted.values['power'] = 'off'
    await clock.advance(MINUTE)
    expect(states()).toEqual(['OFF', 'ON', 'OFF'])
  })

  it('is published again when the broker may have lost it', async () => {
    await clock.advance(MINUTE)
    publisher.messages.length = 0
    groupStates.connected()
    expect(publisher.topics).toEqual([
      'miio2mqtt/bridge/groups',
      'miio2mqtt/evening/availability',
      'miio2mqtt/evening',
    ])
  })
})

describe('the availability of a group', () => {
  it('is online as long as any member is, and then has the time at which the last of them went offline', async () => {
    await clock.advance(MINUTE)
    desk.scripted.failure = new CallFailed('timeout')
    await clock.advance(10 * MINUTE)
    kettle.scripted.failure = new CallFailed('timeout')
    await clock.advance(10 * MINUTE)
    expect(payloads('miio2mqtt/evening/availability')).toEqual([
      {state: 'online'},
      {state: 'offline', reason: 'timeout', since: expect.stringMatching(/T00:1[12]:/)},
    ])
  })

  it.each([
    ['bad_token', 'bad_token', 'bad_token'],
    ['bad_token', 'unreachable', 'timeout'],
    ['disabled', 'unreachable', 'unreachable'],
    ['disabled', 'disabled', 'disabled'],
  ] as const)('has the reason its members share: %s and %s are %s', (first, second, together) => {
    const since = clock.date()
    const [one, two] = [first, second].map(
      (reason, did) => new StagedPlug(clock, {name: `plug ${did}`, did, disabled: reason === 'disabled'}),
    )
    if (!one || !two) expect.fail('two plugs')
    const plugs = new Map([one, two].map((plug) => [plug.name, plug]))
    forceAvailability(one.device, {state: 'offline', reason: first, since})
    forceAvailability(two.device, {state: 'offline', reason: second, since})
    const groups = new Map<string, Group>()
    replaceGroups(groups, {pair: {members: [...plugs.keys()]}}, plugs)
    const context = testContext(clock, {publisher, plugs, groups})
    new GroupStates(context, {qos: 1, retain: true, attributes: false}).start()
    expect(payloads('miio2mqtt/pair/availability')).toMatchObject([{state: 'offline', reason: together}])
  })
})

describe('the state of a group', () => {
  it('is also published as a bare value where that is configured, and listed as a retained topic', async () => {
    stage({attributes: true})
    await clock.advance(10 * SECOND)
    await resultOf('ON')
    expect(publisher.on('miio2mqtt/evening/state').map(({payload, retain}) => [payload, retain])).toEqual([
      ['OFF', true],
      ['ON', true],
    ])
    expect(groupStates.retainedTopics()).toContain('miio2mqtt/evening/state')
    stage()
    await clock.advance(10 * SECOND)
    expect(publisher.on('miio2mqtt/evening/state')).toEqual([])
    expect(groupStates.retainedTopics()).not.toContain('miio2mqtt/evening/state')
  })
})

describe('a command to a group', () => {
  beforeEach(() => clock.advance(10 * SECOND))

  it('reaches all members at the same time, and its one result lists the outcome of each', async () => {
    const result = await resultOf('{"state":"ON","transaction":7}')
    expect(result).toEqual({
      status: 'ok',
      request: {set: {state: 'ON'}},
      data: {
        members: {
          desk: {status: 'ok', data: {state: 'ON'}},
          'kitchen/kettle': {status: 'ok', data: {state: 'ON'}},
        },
      },
      transaction: 7,
      elapsed_ms: expect.any(Number),
    })
    expect([desk, kettle].map(({scripted}) => scripted.commands)).toEqual([
      ['set_power on'],
      ['set_power on'],
    ])
    expect(states()).toEqual(['OFF', 'ON'])
  })

  it('switches the others at once when a member does not respond; only the result waits for that', async () => {
    kettle.scripted.failure = new CallFailed('timeout')
    send('ON')
    await clock.advance(SECOND)
    expect(desk.scripted.commands).toEqual(['set_power on'])
    expect(results()).toEqual([])
    await clock.advance(15 * SECOND)
    expect(results()).toMatchObject([
      {
        status: 'error',
        data: {
          members: {
            desk: {status: 'ok', data: {state: 'ON'}},
            'kitchen/kettle': {status: 'error', error: {code: 'timeout'}},
          },
        },
        error: {code: 'timeout', message: '1 of 2 members failed: kitchen/kettle (timeout)'},
      },
    ])
    expect(results()[0]?.elapsed_ms).toBeLessThanOrEqual(10_100)
  })

  it.each([
    ['off', 'off', 'on'],
    ['on', 'off', 'off'],
    ['off', 'on', 'off'],
    ['on', 'on', 'off'],
  ])('TOGGLE of %s and %s brings both to %s, from what they say now', async (first, second, then) => {
    desk.scripted.values['power'] = first // and no poll since
    kettle.scripted.values['power'] = second
    expect(await resultOf('TOGGLE')).toMatchObject({status: 'ok', request: {set: {state: 'TOGGLE'}}})
    expect([desk, kettle].map(({scripted}) => scripted.commands)).toEqual([
      [`set_power ${then}`],
      [`set_power ${then}`],
    ])
  })

  it('TOGGLE switches a member that cannot be read like the others, and does not wait for one that is offline', async () => {
    kettle.scripted.failing.set('get_prop', new CallFailed('timeout'))
    await clock.advance(5 * MINUTE)
    send('TOGGLE')
    await clock.advance(SECOND)
    expect(desk.scripted.commands).toEqual(['set_power on'])
    await clock.advance(10 * SECOND)
    expect(kettle.scripted.commands).toEqual(['set_power on'])
    expect(results()).toMatchObject([{status: 'ok'}])
  })

  it('TOGGLE switches no member when none reports its state', async () => {
    for (const {scripted} of [desk, kettle]) scripted.values['power'] = 'broken'
    expect(await resultOf('TOGGLE')).toMatchObject({
      status: 'error',
      error: {code: 'refused'},
      data: {members: {desk: {error: {code: 'refused'}}, 'kitchen/kettle': {error: {code: 'refused'}}}},
    })
    expect([...desk.scripted.commands, ...kettle.scripted.commands]).toEqual([])
  })

  it('TOGGLE twice restores the state, and later commands do not overtake it', async () => {
    for (const payload of ['TOGGLE', 'TOGGLE', 'TOGGLE', 'OFF']) send(payload)
    await clock.advance(15 * SECOND)
    expect(results()).toHaveLength(4)
    for (const {scripted} of [desk, kettle]) {
      expect(scripted.commands.slice(0, 2)).toEqual(['set_power on', 'set_power off'])
      expect(scripted.commands.at(-1)).toBe('set_power off')
    }
  })

  it('TOGGLE many times while no member responds: each has its result in time, and no member is switched late', async () => {
    for (const {scripted} of [desk, kettle]) scripted.failure = new CallFailed('timeout')
    for (let n = 0; n < 50; n++) send('TOGGLE')
    await clock.advance(11 * SECOND)
    const codes = results().map(({error}) => error?.code)
    expect(codes).toHaveLength(50)
    expect(codes.filter((code) => code === 'queue_full')).toHaveLength(18)
    expect(new Set(codes)).toEqual(new Set(['queue_full', 'timeout', 'expired']))
    for (const {scripted} of [desk, kettle]) scripted.failure = undefined
    await clock.advance(MINUTE)
    expect([...desk.scripted.commands, ...kettle.scripted.commands]).toEqual([])
  })

  it('for a property that not all members have works for those that have it', async () => {
    const result = await resultOf('{"usb":"ON"}')
    expect(result).toMatchObject({status: 'error', error: {code: 'unknown_property'}})
    expect(await resultOf('{"led":"OFF"}')).toMatchObject({status: 'ok'})
  })

  it.each([
    ['{"state":', 'set'],
    ['', 'set'],
    ['{"transaction":', 'get'],
  ] as const)(
    'that is not understood (%j to %s) has its result, and reaches no member',
    async (payload, kind) => {
      const {data, error} = await resultOf(payload, kind)
      expect(error).toMatchObject({code: 'invalid_payload'})
      expect(data).toBeUndefined()
      expect([...desk.scripted.commands, ...kettle.scripted.commands]).toEqual([])
    },
  )

  it('that fails because of a bug is one error in the log', async () => {
    vi.spyOn(desk.device, 'write').mockRejectedValue(new TypeError('a bug'))
    const {error} = await resultOf('ON')
    expect(error?.code).toBe('internal')
    expect(log.messages('error')).toHaveLength(1)
  })

  it('fails at a disabled member, and switches the others', async () => {
    stage({unplugged: true})
    await clock.advance(10 * SECOND)
    expect(await resultOf('ON')).toMatchObject({
      status: 'error',
      data: {members: {desk: {status: 'ok'}, 'kitchen/kettle': {status: 'error', error: {code: 'disabled'}}}},
      error: {code: 'disabled'},
    })
    expect(kettle.scripted.calls).toEqual([])
  })

  it('get reads every member now, and publishes their states and that of the group, changed or not', async () => {
    publisher.messages.length = 0
    const result = await resultOf('{"transaction":"a"}', 'get', 'state')
    expect(result).toMatchObject({
      status: 'ok',
      request: {get: 'state'},
      data: {members: {desk: {status: 'ok', data: {state: 'OFF'}}}},
      transaction: 'a',
    })
    expect(publisher.topics.slice(0, 3).sort()).toEqual([
      'miio2mqtt/desk',
      'miio2mqtt/evening',
      'miio2mqtt/kitchen/kettle',
    ])
  })

  it('expires with its message', async () => {
    desk.scripted.failure = new CallFailed('timeout')
    commands.handle(
      {topic: 'miio2mqtt/evening/set', payload: Buffer.from('ON'), retained: false, expiresIn: SECOND},
      {kind: 'set', name: 'evening'},
    )
    await clock.advance(2 * SECOND)
    expect(results()).toMatchObject([{status: 'error', data: {members: {'kitchen/kettle': {status: 'ok'}}}}])
  })
})

describe('groups that change while the bridge runs', () => {
  it('are listed again, and follow their new members', async () => {
    await clock.advance(MINUTE)
    reload({...EVENING, all: {members: ['kitchen/kettle'], description: 'of it'}})
    kettle.scripted.values['power'] = 'on'
    await clock.advance(MINUTE)
    expect(payloads('miio2mqtt/bridge/groups')).toEqual([
      [{name: 'evening', members: ['desk', 'kitchen/kettle']}],
      [
        {name: 'evening', members: ['desk', 'kitchen/kettle']},
        {name: 'all', members: ['kitchen/kettle'], description: 'of it'},
      ],
    ])
    expect(payloads('miio2mqtt/all')).toEqual([{state: 'OFF'}, {state: 'ON'}])
    expect(states()).toEqual(['OFF', 'ON'])
  })

  it('publish nothing any more once they are removed', async () => {
    await clock.advance(MINUTE)
    reload({})
    kettle.scripted.values['power'] = 'on'
    await clock.advance(MINUTE)
    groupStates.connected()
    expect(states()).toEqual(['OFF'])
    expect(groupStates.retainedTopics()).toEqual([])
    expect(homeAssistant.retainedTopics()).not.toContain(TOPIC)
  })

  it('announce changes to Home Assistant, and never twice within 2 s', async () => {
    expect(publisher.on(TOPIC)).toHaveLength(1)
    reload({evening: {...EVENING.evening, icon: 'mdi:moon'}})
    reload({evening: {...EVENING.evening, icon: 'mdi:sofa'}})
    await clock.advance(MINUTE)
    reload({evening: {...EVENING.evening, icon: 'mdi:sofa'}})
    const icons = publisher
      .on(TOPIC)
      .map(({payload, at}) => [JSON.parse(payload).components.state.icon, Math.floor(at / 100)])
    expect(icons).toEqual([
      [undefined, 0],
      ['mdi:sofa', 21],
    ])
  })

  it('are not announced any more when the bridge stops, or when they are removed', async () => {
    reload({evening: {...EVENING.evening, icon: 'mdi:moon'}})
    reload({})
    await clock.advance(MINUTE)
    expect(publisher.on(TOPIC)).toHaveLength(1)
    reload({evening: {...EVENING.evening, icon: 'mdi:sofa'}})
    reload({evening: {...EVENING.evening, icon: 'mdi:moon'}})
    homeAssistant.stop()
    await clock.advance(MINUTE)
    expect(publisher.on(TOPIC)).toHaveLength(2)
  })
})

describe('the message for a group', () => {
  it.each(['evening', 'Küche/Abend 1', 'вечер', '🔌', 'a'.repeat(200)])(
    'is valid for the name %s',
    (name) => {
      const look = {name, settings: {members: [], area: 'Kitchen', icon: 'mdi:moon'}}
      const payload = JSON.stringify(groupDiscovery(look, {topics, version: '1.2.3'}))
      const topic = `homeassistant/device/${groupId(name, topics)}/config`
      expect(messageProblems({topic, payload, retain: true}, 'homeassistant')).toEqual([])
    },
  )

  it('differs for each name and base topic, however similar they are', () => {
    const bases = ['miio2mqtt', 'a', 'a/b'].map((base) => new Topics(base))
    const ids = bases.flatMap((base) =>
      ['b', 'b/c', 'b_c', 'B', 'вечер', 'утро'].map((name) => groupId(name, base)),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })
})
