/** Messages that look like commands and are not carried out. */
import {beforeEach, describe, expect, it} from 'vitest'
import {Commands} from '../../../../src/bridge/commands/commands.ts'
import {MisplacedCommands, RetainedCommands} from '../../../../src/bridge/commands/misplaced-commands.ts'
import type {BridgeContext} from '../../../../src/bridge/component.ts'
import {RememberingLog} from '../../../support/remembering-log.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {MINUTE, RememberingPublisher, StagedPlug, testContext, topics} from '../stage.ts'

let clock: VirtualClock
let publisher: RememberingPublisher
let log: RememberingLog
let plugs: Map<string, StagedPlug>
let context: BridgeContext
let stopping: AbortController
let deliver: (topic: string, payload: string, retained?: boolean) => void

beforeEach(() => {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  log = new RememberingLog()
  plugs = new Map([['office/desk', new StagedPlug(clock, {name: 'office/desk'})]])
  stopping = new AbortController()
  context = testContext(clock, {publisher, log, plugs, stopping: stopping.signal})
  const states = {publishState: () => {}}
  const parts = [
    new RetainedCommands(context),
    new Commands(context, {plugStates: states, groupStates: states}),
    new MisplacedCommands(context),
  ]
  deliver = (topic, payload, retained = false) => {
    const message = {topic, payload: Buffer.from(payload), retained}
    parts.some((part) => part.handle(message, topics.parse(topic)))
  }
})

describe('a retained command', () => {
  it('is not carried out, and causes one warning until it is cleared', () => {
    for (let times = 0; times < 3; times++) deliver('miio2mqtt/office/desk/set', 'ON', true)
    const warning =
      'ignored a retained message on miio2mqtt/office/desk/set: a retained command would be repeated at every start'
    expect(log.messages('warn')).toEqual([warning])
    deliver('miio2mqtt/office/desk/set', '', true)
    deliver('miio2mqtt/office/desk/set', 'ON', true)
    expect(log.messages('warn')).toEqual([warning, warning])
    expect(publisher.messages).toEqual([])
    expect(plugs.get('office/desk')?.scripted.calls).toEqual([])
  })

  it('on a topic that the bridge does not use is ignored', () => {
    deliver('miio2mqtt/office', 'ON', true)
    expect(log.messages('warn')).toEqual([])
  })
})

describe('while the bridge stops', () => {
  beforeEach(() => stopping.abort())

  it('no command is carried out: its one result is `expired`, and there is a line at debug', () => {
    deliver('miio2mqtt/office/desk/set', '{"state":"ON","transaction":7}')
    deliver('miio2mqtt/office/desk/get', '')
    const results = publisher.messages.map(({topic, payload}) => ({topic, ...JSON.parse(payload)}))
    const expired = {code: 'expired', message: 'the bridge is stopping'}
    expect(results).toMatchObject([
      {topic: 'miio2mqtt/office/desk/response', status: 'error', error: expired, transaction: 7},
      {topic: 'miio2mqtt/office/desk/response', status: 'error', error: expired},
    ])
    expect(log.messages('debug')).toEqual([
      'office/desk: state ON over MQTT → expired in 0 ms: the bridge is stopping',
      'office/desk: get over MQTT → expired in 0 ms: the bridge is stopping',
    ])
    expect(plugs.get('office/desk')?.scripted.calls).toEqual([])
  })

  it('there is no warning about other messages', () => {
    for (const topic of ['miio2mqtt/desk/set', 'miio2mqtt/desk']) deliver(topic, 'ON')
    expect(log.lines).toEqual([])
    expect(publisher.messages).toEqual([])
  })
})

describe('a command to a name that does not exist', () => {
  const to = (name: string) => deliver(`miio2mqtt/${name}/set`, 'ON')

  it.each([
    ['desk', /^no plug or group is called desk: known are office\/desk, did you mean office\/desk\?$/],
    ['Office/Desk', /did you mean office\/desk\?$/],
    ['office', /did you mean office\/desk\?$/],
    ['a/b/c/d', /^no plug or group is called a\/b\/c\/d: known are office\/desk$/],
  ])('%s causes one warning with the names that exist', (name, expected) => {
    for (let times = 0; times < 3; times++) to(name)
    expect(log.messages('warn')).toEqual([expect.stringMatching(expected)])
    expect(publisher.messages).toEqual([])
  })

  it('gets the new name of a plug that was renamed, however often', () => {
    context.names.recordRename('desk', 'table')
    context.names.recordRename('table', 'office/desk')
    to('desk')
    to('table')
    for (const warning of log.messages('warn')) expect(warning).toMatch(/; it was renamed to office\/desk$/)
    expect(log.messages('warn')).toHaveLength(2)
  })

  it('does not mention a new name that does not exist, or renames in a circle', () => {
    context.names.recordRename('a', 'b')
    context.names.recordRename('b', 'a')
    to('a')
    expect(log.messages('warn')[0]).not.toMatch(/renamed/)
  })
})

describe('a message on a topic for no command', () => {
  it.each([
    ['miio2mqtt/lamp', 'ON', /no plug or group is called lamp/],
    ['miio2mqtt/lamp', '"toggle"', /no plug or group is called lamp/],
    ['miio2mqtt/lamp/command', '{"state":"ON"}', /no plug or group is called lamp/],
  ])('%s %s causes a warning', (topic, payload, expected) => {
    for (let times = 0; times < 3; times++) deliver(topic, payload)
    expect(log.messages('warn')).toEqual([expect.stringMatching(expected)])
  })

  it('causes a warning with the command topic of an existing plug', () => {
    const desk = plugs.get('office/desk')
    if (desk) plugs.set('desk', desk)
    deliver('miio2mqtt/desk', 'ON')
    deliver('miio2mqtt/desk/command', 'ON')
    expect(log.messages('warn')).toEqual([
      'no command can be given on miio2mqtt/desk: send commands for desk to miio2mqtt/desk/set',
      'no command can be given on miio2mqtt/desk/command: send commands for desk to miio2mqtt/desk/set',
    ])
  })

  it.each([
    'miio2mqtt/bridge/set',
    'miio2mqtt/bridge/get',
    'miio2mqtt/bridge/set/log_level',
    'miio2mqtt/bridge/config/log_level',
    'miio2mqtt/bridge/requests/info',
  ])('%s causes a warning with the topic of requests', (topic) => {
    deliver(topic, 'ON')
    expect(log.messages('warn')).toEqual([
      `no command can be given on ${topic}: send commands for the bridge to miio2mqtt/bridge/request/<verb>`,
    ])
  })

  it.each([
    ['miio2mqtt/office/desk', 'ON', 'miio2mqtt/office/desk/set'],
    ['miio2mqtt/office/desk/command', 'ON', 'miio2mqtt/office/desk/set'],
    ['miio2mqtt/office/desk/switch', 'ON', 'miio2mqtt/office/desk/set'],
    ['miio2mqtt/office/desk/led', 'ON', 'miio2mqtt/office/desk/set/led'],
    ['miio2mqtt/office/desk/set/usb/x', 'ON', 'miio2mqtt/office/desk/set'],
    ['miio2mqtt/office/desk/cmnd/POWER', 'ON', 'miio2mqtt/office/desk/set'],
    ['miio2mqtt/office/desk/Set/state', 'ON', 'miio2mqtt/office/desk/set'],
  ])('%s %s of a plug with a room causes a warning with the right topic', (topic, payload, right) => {
    deliver(topic, payload)
    expect(log.messages('warn')).toEqual([
      `no command can be given on ${topic}: send commands for office/desk to ${right}`,
    ])
  })

  it.each([
    ['office/desk/led', 'set', 'set/led'],
    ['office/desk/led', 'get', 'get/led'],
    ['office/desk/switch', 'set', 'set'],
    ['office/desk/relay/0', 'set', 'set'],
  ] as const)(
    'the topic of %s below which one can %s causes a warning with the right one',
    (name, kind, right) => {
      const topic = `miio2mqtt/${name}/${kind}`
      deliver(topic, 'ON')
      expect(log.messages('warn')).toEqual([
        `no command can be given on ${topic}: send commands for office/desk to miio2mqtt/office/desk/${right}`,
      ])
    },
  )

  it.each([
    ['miio2mqtt/desk', '{"state":"ON"}'],
    ['miio2mqtt/desk', ''],
    ['miio2mqtt/desk/availability', '{"state":"online"}'],
    ['miio2mqtt/bridge/devices', '[]'],
    ['homeassistant/device/x/config', '{}'],
  ])('%s %s is published by the bridge itself, and causes no warning', (topic, payload) => {
    deliver(topic, payload)
    expect(log.messages('warn')).toEqual([])
  })
})

describe('mistakes of several kinds', () => {
  it('have a limit each: many of one kind do not hide another', async () => {
    for (let at = 0; at < 40; at++) deliver('miio2mqtt/office/desk/set', `word${at}`)
    for (let at = 0; at < 40; at++) deliver(`miio2mqtt/unknown${at}/set`, 'ON')
    deliver('miio2mqtt/office/desk/set', 'ON', true)
    await clock.advance(MINUTE)
    const warnings = log.messages('warn')
    const starting = (text: string) => warnings.filter((warning) => warning.startsWith(text)).length
    expect(starting('office/desk: refused')).toBe(30)
    expect(starting('no plug or group is called')).toBe(30)
    expect(starting('ignored a retained message')).toBe(1)
    expect(starting('10 more messages like these')).toBe(2)
    expect(warnings).toHaveLength(63)
  })
})
