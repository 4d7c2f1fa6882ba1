import {beforeEach, describe, expect, it, test} from 'vitest'
import {Commands} from '../../../../src/bridge/commands/commands.ts'
import {Results} from '../../../../src/bridge/commands/results.ts'
import {Requests} from '../../../../src/bridge/requests/requests.ts'
import {GroupStates, PlugStates} from '../../../../src/bridge/status/states.ts'
import type {IncomingMessage} from '../../../../src/mqtt/connection.ts'
import {RememberingLog} from '../../../support/remembering-log.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {RememberingPublisher, StagedPlug, testContext} from '../stage.ts'

let clock: VirtualClock
let publisher: RememberingPublisher
let log: RememberingLog
let plugs: Map<string, StagedPlug>
let commands: Commands
let requests: Requests

beforeEach(() => {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  log = new RememberingLog()
  plugs = new Map([['office/desk', new StagedPlug(clock, {name: 'office/desk'})]])
  const context = testContext(clock, {publisher, log, plugs})
  const options = {qos: 1, retain: true, attributes: false} as const
  const plugStates = new PlugStates(context, options)
  const groupStates = new GroupStates(context, options)
  commands = new Commands(context, {plugStates, groupStates})
  const actions = {
    info: () => ({}),
    health: () => ({}),
    setLogLevel: () => {},
    reload: async () => undefined,
    edit: async () => undefined,
    allowsRawCalls: () => false,
    warnings: () => [],
    discover: async () => [],
  }
  requests = new Requests(context, actions)
})

const incoming = (topic: string, payload: string, more: Partial<IncomingMessage> = {}): IncomingMessage => ({
  topic,
  payload: Buffer.from(payload),
  retained: false,
  ...more,
})

async function command(more: Partial<IncomingMessage>) {
  const message = incoming('miio2mqtt/office/desk/set', 'sideways', more)
  commands.handle(message, {kind: 'set', name: 'office/desk'})
  await clock.advance(20_000)
  return publisher.messages.filter(({payload}) => payload.includes('"status"'))
}

test('a command is sent to the plug before its message is acknowledged, which is as soon as the handler returns', async () => {
  const {scripted} = plugs.get('office/desk') ?? expect.unreachable()
  commands.handle(incoming('miio2mqtt/office/desk/set', 'ON'), {kind: 'set', name: 'office/desk'})
  expect(scripted.calls).toMatchObject([{method: 'set_power', params: ['on']}])
  await clock.advance(20_000)
})

describe('a result', () => {
  it('to a response topic carries its correlation data, and is marked as one on a topic that a client has chosen', async () => {
    const correlationData = Buffer.from([0, 255])
    expect(await command({responseTopic: 'my/results', correlationData})).toMatchObject([
      {topic: 'my/results', correlationData, fallbackTopic: 'miio2mqtt/office/desk/response', retain: false},
    ])
    await requests.request(
      'info',
      incoming('miio2mqtt/bridge/request/info', '', {responseTopic: 'my/results'}),
    )
    expect(publisher.on('my/results')).toHaveLength(2)
    expect(publisher.on('my/results')[1]).toMatchObject({fallbackTopic: 'miio2mqtt/bridge/response/info'})
  })

  it.each([
    'zigbee2mqtt/x/set',
    'homeassistant/device/x/config',
    'miio2mqtt/bridge/state',
    `${'l/'.repeat(220)}l`,
  ])('does not go to %.40s, but to the usual topic, with one warning', async (responseTopic) => {
    const [first, ...others] = await command({responseTopic, correlationData: Buffer.from('x')})
    expect(first).toMatchObject({topic: 'miio2mqtt/office/desk/response'})
    expect(first?.fallbackTopic).toBeUndefined()
    expect(first?.correlationData).toBeUndefined()
    expect(others).toEqual([])
    await command({responseTopic})
    await requests.request('info', incoming('miio2mqtt/bridge/request/info', '', {responseTopic}))
    expect(publisher.messages.at(-1)?.topic).toBe('miio2mqtt/bridge/response/info')
    const warnings = log.messages('warn').filter((warning) => warning.includes('has the response topic'))
    expect(warnings).toHaveLength(1) // commands and requests share it
    expect(warnings[0]).toMatch(
      /^a message on miio2mqtt\/office\/desk\/set has the response topic ".*", which .*: the response goes to the usual topic$/,
    )
  })

  it('on the usual topic has no fallback topic', async () => {
    expect((await command({})).map(({fallbackTopic}) => fallbackTopic)).toEqual([undefined])
  })
})

describe('the size of a response', () => {
  it('is in bytes', () => {
    const message = incoming('miio2mqtt/bridge/request/info', '')
    const size = new Results(testContext(clock, {publisher})).publish(message, {name: '桌燈'}, 'miio2mqtt/x')
    expect(size).toBe(Buffer.byteLength('{"name":"桌燈"}'))
  })
})

describe('keys of a prototype in a payload', () => {
  it.each([
    '{"__proto__":"ON"}',
    '{"__proto__":{"state":"ON"}}',
    '{"constructor":"ON"}',
    '{"state":{"__proto__":1}}',
    '{"toString":"ON"}',
    '{"hasOwnProperty":"ON"}',
  ])('%s are refused with a message, and switch nothing', async (payload) => {
    const message = incoming('miio2mqtt/office/desk/set', payload)
    commands.handle(message, {kind: 'set', name: 'office/desk'})
    await clock.advance(20_000)
    const result = JSON.parse(publisher.on('miio2mqtt/office/desk/response')[0]?.payload ?? '')
    expect(result).toMatchObject({status: 'error', error: {message: expect.stringMatching(/expected/)}})
    expect(plugs.get('office/desk')?.scripted.commands).toEqual([])
    expect(log.messages('error')).toEqual([])
  })

  it.each(['{"__proto__":{"x":1}}', '{"transaction":{"__proto__":1},"colour":1}', '{"constructor":1}'])(
    '%s of a request are refused with a message',
    async (payload) => {
      await requests.request('info', incoming('miio2mqtt/bridge/request/info', payload))
      expect(JSON.parse(publisher.messages[0]?.payload ?? '')).toMatchObject({
        status: 'error',
        error: {code: 'invalid_payload'},
      })
    },
  )
})
