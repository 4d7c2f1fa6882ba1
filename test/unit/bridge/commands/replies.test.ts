import {beforeEach, describe, expect, it} from 'vitest'
import {Commands} from '../../../../src/bridge/commands/commands.ts'
import {Requests} from '../../../../src/bridge/requests/requests.ts'
import {Groups} from '../../../../src/bridge/status/group-states.ts'
import {PlugStates} from '../../../../src/bridge/status/plug-states.ts'
import type {IncomingMessage} from '../../../../src/mqtt/connection.ts'
import {RememberingLog} from '../../../support/remembering-log.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {RememberingPublisher, StagedPlug, topics} from '../stage.ts'

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
  const shared = {publisher, topics, clock, log, plugs}
  const states = new PlugStates({...shared, qos: 1, retain: true, attributes: false})
  const groups = new Groups({...shared, qos: 1, retain: true, attributes: false, homeAssistant: undefined})
  commands = new Commands({...shared, groups, states})
  const controls = {
    info: () => ({}),
    health: () => ({}),
    setLogLevel: () => {},
    renew: async () => undefined,
    edit: async () => undefined,
    allowsRawCalls: () => false,
    discover: async () => [],
  }
  requests = new Requests({...shared, groups, controls})
})

const incoming = (topic: string, payload: string, more: Partial<IncomingMessage> = {}): IncomingMessage => ({
  topic,
  payload: Buffer.from(payload),
  retained: false,
  ...more,
})

async function command(more: Partial<IncomingMessage>) {
  const done = commands.handle(
    {kind: 'set', name: 'office/desk'},
    incoming('miio2mqtt/office/desk/set', 'sideways', more),
  )
  await clock.advance(20_000)
  await done
  return publisher.messages.filter(({payload}) => payload.includes('"status"'))
}

describe('an answer', () => {
  it('to a response topic carries its correlation data, and says that the topic was chosen by somebody else', async () => {
    const correlationData = Buffer.from([0, 255])
    expect(await command({responseTopic: 'my/answers', correlationData})).toMatchObject([
      {topic: 'my/answers', correlationData, foreign: true, retain: false},
    ])
    await requests.handle(
      'info',
      incoming('miio2mqtt/bridge/request/info', '', {responseTopic: 'my/answers'}),
    )
    expect(publisher.on('my/answers')).toHaveLength(2)
    expect(publisher.on('my/answers')[1]).toMatchObject({foreign: true})
  })

  it.each([
    'zigbee2mqtt/x/set',
    'homeassistant/device/x/config',
    'miio2mqtt/bridge/state',
    `${'l/'.repeat(220)}l`,
  ])('does not go to %.40s, but where it always does, with one warning', async (responseTopic) => {
    const [first, ...others] = await command({responseTopic, correlationData: Buffer.from('x')})
    expect(first).toMatchObject({topic: 'miio2mqtt/office/desk/response'})
    expect(first?.foreign).toBeUndefined()
    expect(first?.correlationData).toBeUndefined()
    expect(others).toEqual([])
    await command({responseTopic})
    await requests.handle('info', incoming('miio2mqtt/bridge/request/info', '', {responseTopic}))
    expect(publisher.messages.at(-1)?.topic).toBe('miio2mqtt/bridge/response/info')
    const warnings = log.said('warn').filter((warning) => warning.includes('wants its answer on'))
    expect(warnings).toHaveLength(2) // of the commands, and of the requests
    expect(warnings[0]).toMatch(
      /^a message on miio2mqtt\/office\/desk\/set wants its answer on ".*", which .*: the answer goes where it always does$/,
    )
  })

  it('at home says nothing of a foreign topic', async () => {
    expect((await command({})).map(({foreign}) => foreign)).toEqual([undefined])
  })
})

describe('a command to a name that does not exist', () => {
  const to = (name: string) => commands.handle({kind: 'set', name}, incoming(`miio2mqtt/${name}/set`, 'ON'))

  it.each([
    ['desk', /^no plug or group is called desk: known are office\/desk, did you mean office\/desk\?$/],
    ['Office/Desk', /did you mean office\/desk\?$/],
    ['office', /did you mean office\/desk\?$/],
    ['a/b/c/d', /^no plug or group is called a\/b\/c\/d: known are office\/desk$/],
  ])('%s is worth one warning that says what there is', async (name, expected) => {
    for (let times = 0; times < 3; times++) await to(name)
    expect(log.said('warn')).toEqual([expect.stringMatching(expected)])
    expect(publisher.messages).toEqual([])
  })

  it('says what the plug is called now that was renamed, however often it was', async () => {
    commands.renamed('desk', 'table')
    commands.renamed('table', 'office/desk')
    await to('desk')
    await to('table')
    for (const warning of log.said('warn')) expect(warning).toMatch(/; it was renamed to office\/desk$/)
    expect(log.said('warn')).toHaveLength(2)
  })

  it('says nothing of a new name that is gone, or that leads back', async () => {
    commands.renamed('a', 'b')
    commands.renamed('b', 'a')
    await to('a')
    expect(log.said('warn')[0]).not.toMatch(/renamed/)
  })
})

describe('a message where no command can be given', () => {
  it.each([
    ['miio2mqtt/lamp', 'ON', /no plug or group is called lamp/],
    ['miio2mqtt/lamp', '"toggle"', /no plug or group is called lamp/],
    ['miio2mqtt/lamp/command', '{"state":"ON"}', /no plug or group is called lamp/],
  ])('%s %s is pointed out', (topic, payload, expected) => {
    for (let times = 0; times < 3; times++) commands.misdirected(incoming(topic, payload))
    expect(log.said('warn')).toEqual([expect.stringMatching(expected)])
  })

  it('names the right topic of a plug that there is', () => {
    const desk = plugs.get('office/desk')
    if (desk) plugs.set('desk', desk)
    commands.misdirected(incoming('miio2mqtt/desk', 'ON'))
    commands.misdirected(incoming('miio2mqtt/desk/command', 'ON'))
    expect(log.said('warn')).toEqual([
      'no command can be given on miio2mqtt/desk: those for desk go to miio2mqtt/desk/set',
      'no command can be given on miio2mqtt/desk/command: those for desk go to miio2mqtt/desk/set',
    ])
  })

  it.each([
    'miio2mqtt/bridge/set',
    'miio2mqtt/bridge/get',
    'miio2mqtt/bridge/set/log_level',
    'miio2mqtt/bridge/config/log_level',
    'miio2mqtt/bridge/requests/info',
  ])('%s is told where requests go', (topic) => {
    commands.misdirected(incoming(topic, 'ON'))
    expect(log.said('warn')).toEqual([
      `no command can be given on ${topic}: those for the bridge go to miio2mqtt/bridge/request/<verb>`,
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
  ])('%s %s of a plug with a room is told the right topic', (topic, payload, right) => {
    commands.misdirected(incoming(topic, payload))
    expect(log.said('warn')).toEqual([
      `no command can be given on ${topic}: those for office/desk go to ${right}`,
    ])
  })

  it.each([
    ['office/desk/led', 'set', 'set/led'],
    ['office/desk/led', 'get', 'get/led'],
    ['office/desk/switch', 'set', 'set'],
    ['office/desk/relay/0', 'set', 'set'],
  ] as const)('the topic of %s below which one can %s is told the right one', async (name, kind, right) => {
    const topic = `miio2mqtt/${name}/${kind}`
    await commands.handle({kind, name}, incoming(topic, 'ON'))
    expect(log.said('warn')).toEqual([
      `no command can be given on ${topic}: those for office/desk go to miio2mqtt/office/desk/${right}`,
    ])
  })

  it.each([
    ['miio2mqtt/desk', '{"state":"ON"}'],
    ['miio2mqtt/desk', ''],
    ['miio2mqtt/desk/availability', '{"state":"online"}'],
    ['miio2mqtt/bridge/devices', '[]'],
    ['homeassistant/device/x/config', '{}'],
  ])('%s %s is what the bridge itself publishes, and no mistake', (topic, payload) => {
    commands.misdirected(incoming(topic, payload))
    expect(log.said('warn')).toEqual([])
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
  ])('%s are refused in words, and switch nothing', async (payload) => {
    const done = commands.handle(
      {kind: 'set', name: 'office/desk'},
      incoming('miio2mqtt/office/desk/set', payload),
    )
    await clock.advance(20_000)
    await done
    const result = JSON.parse(publisher.on('miio2mqtt/office/desk/response')[0]?.payload ?? '')
    expect(result).toMatchObject({status: 'error', error: {message: expect.stringMatching(/expected/)}})
    expect(plugs.get('office/desk')?.scripted.commands).toEqual([])
    expect(log.said('error')).toEqual([])
  })

  it.each(['{"__proto__":{"x":1}}', '{"transaction":{"__proto__":1},"colour":1}', '{"constructor":1}'])(
    '%s of a request are refused in words',
    async (payload) => {
      await requests.handle('info', incoming('miio2mqtt/bridge/request/info', payload))
      expect(JSON.parse(publisher.messages[0]?.payload ?? '')).toMatchObject({
        status: 'error',
        error: {code: 'invalid_payload'},
      })
    },
  )
})
