/** The log lines about commands and requests, and about plugs at `debug`. */
import {beforeEach, describe, expect, it} from 'vitest'
import {Commands} from '../../../../src/bridge/commands/commands.ts'
import type {Group} from '../../../../src/bridge/group.ts'
import type {Plug} from '../../../../src/bridge/plug.ts'
import type {BridgeActions} from '../../../../src/bridge/requests/bridge-actions.ts'
import {Requests} from '../../../../src/bridge/requests/requests.ts'
import {PlugLog} from '../../../../src/bridge/status/plug-log.ts'
import {GroupStates, PlugStates} from '../../../../src/bridge/status/states.ts'
import {createLog} from '../../../../src/log/logger.ts'
import {RememberingLog} from '../../../support/remembering-log.ts'
import {CallFailed} from '../../../support/scripted-plug.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {HOUR, MINUTE, RememberingPublisher, replaceGroups, StagedPlug, testContext, topics} from '../stage.ts'

let clock: VirtualClock
let log: RememberingLog
let desk: StagedPlug
let fan: StagedPlug
let commands: Commands
let requests: Requests

const TOKEN = '00112233445566778899aabbccddeeff'

const actions: BridgeActions = {
  info: () => ({}),
  health: () => ({}),
  setLogLevel: () => {},
  reload: async () => 'config.yaml:1:1 devices: expected a mapping',
  edit: async (edits) => {
    edits()
    return 'config.yaml:9:5 devices.fan.token: expected 32 hex digits, got 4\nconfig.yaml:9:6 devices.fan.x: unknown key'
  },
  allowsRawCalls: () => false,
  warnings: () => [],
  discover: async () => [],
}

beforeEach(async () => {
  clock = new VirtualClock()
  log = new RememberingLog()
  desk = new StagedPlug(clock)
  fan = new StagedPlug(clock, {name: 'fan', did: 4712, disabled: true})
  const plugs = new Map<string, Plug>([
    ['desk', desk],
    ['fan', fan],
  ])
  const publisher = new RememberingPublisher(clock)
  const groups = new Map<string, Group>()
  replaceGroups(groups, {evening: {members: ['desk']}}, plugs)
  const context = testContext(clock, {plugs, groups, publisher, log})
  const options = {qos: 1, retain: true, attributes: false} as const
  const plugStates = new PlugStates(context, options)
  const groupStates = new GroupStates(context, options)
  commands = new Commands(context, {plugStates, groupStates})
  requests = new Requests(context, actions)
  desk.poller.start()
  await clock.advance(1000)
})

async function command(name: string, below: string, payload: string, ms = 3000): Promise<void> {
  const [kind = 'set', property] = below.split('/')
  const topic = `miio2mqtt/${name}/${below}`
  const target = {kind: kind === 'get' ? ('get' as const) : ('set' as const), name}
  const parsed = property === undefined ? target : {...target, property}
  commands.handle({topic, payload: Buffer.from(payload), retained: false}, parsed)
  await clock.advance(ms)
}

async function request(verb: string, payload: unknown = {}): Promise<void> {
  const topic = topics.request(verb)
  const handled = requests.request(verb, {
    topic,
    payload: Buffer.from(JSON.stringify(payload)),
    retained: false,
  })
  await clock.advance(3000)
  await handled
}

describe('a refused command', () => {
  it.each([
    [
      'desk',
      'set',
      'maybe',
      'desk: refused state maybe on miio2mqtt/desk/set: state: expected ON, OFF or TOGGLE, got "maybe" (invalid_payload)',
    ],
    [
      'desk',
      'set/led',
      'blue',
      'desk: refused led blue on miio2mqtt/desk/set/led: led: expected ON, OFF or TOGGLE, got "blue" (invalid_payload)',
    ],
    [
      'desk',
      'set',
      '{"State":"ON"}',
      /^desk: refused State ON on miio2mqtt\/desk\/set: expected one of .*, got "State", did you mean state\? \(unknown_property\)$/,
    ],
    [
      'desk',
      'set/temperature',
      '5',
      'desk: refused temperature 5 on miio2mqtt/desk/set/temperature: temperature can only be read (not_writable)',
    ],
    [
      'desk',
      'get/Power',
      '',
      /^desk: refused get Power on miio2mqtt\/desk\/get\/Power: expected one of .*got Power.* \(unknown_property\)$/,
    ],
    [
      'desk',
      'set',
      '{"state":',
      /^desk: refused a set on miio2mqtt\/desk\/set: expected JSON, got .* \(invalid_payload\)$/,
    ],
    [
      'desk',
      'set',
      '',
      'desk: refused a set on miio2mqtt/desk/set: expected a value such as ON, got nothing (invalid_payload)',
    ],
    [
      'fan',
      'set',
      'ON',
      'fan: refused state ON on miio2mqtt/fan/set: fan is disabled in the configuration (disabled)',
    ],
    [
      'evening',
      'set',
      '{"led":"x"}',
      'evening: refused led x on miio2mqtt/evening/set: 1 of 1 members failed: desk (invalid_payload): led: expected ON, OFF or TOGGLE, got "x" (invalid_payload)',
    ],
  ])('to %s on %s with %s is one warning with command and reason', async (name, below, payload, expected) => {
    for (let times = 0; times < 3; times++) await command(name, below, payload)
    const warnings = log.lines.filter(({level}) => level === 'warn')
    expect(warnings).toHaveLength(1)
    if (typeof expected === 'string') expect(warnings[0]?.message).toBe(expected)
    else expect(warnings[0]?.message).toMatch(expected)
    expect(warnings[0]?.fields).toMatchObject({device: name, topic: `miio2mqtt/${name}/${below}`})
  })

  it('causes another warning for another mistake, and for the same an hour later', async () => {
    for (const payload of ['maybe', 'maybe', 'perhaps']) await command('desk', 'set', payload)
    expect(log.messages('warn')).toHaveLength(2)
    await clock.advance(HOUR)
    await command('desk', 'set', 'maybe')
    expect(log.messages('warn')).toHaveLength(3)
  })

  it('five hundred times is thirty warnings and a count', async () => {
    for (let at = 0; at < 500; at++) await command('desk', 'set', `word${at}`, 0)
    await clock.advance(MINUTE)
    expect(log.messages('warn')).toHaveLength(31)
    expect(log.messages('warn').at(-1)).toMatch(/^470 more messages like these in the last minute/)
  })

  it.each([
    `{"state":"${TOKEN}"}`,
    `{"${TOKEN}":"ON"}`,
    TOKEN,
    `{"state":{"token":"${TOKEN}"}}`,
    `{"token":"${TOKEN}" `,
  ])('%s is named without the token, and shortened', async (payload) => {
    await command('desk', 'set', payload)
    await command('desk', 'set', `${payload}${'x'.repeat(10_000)}`)
    for (const {message} of log.lines) {
      expect(message).not.toMatch(/[0-9a-f]{12}/)
      expect(message.length).toBeLessThan(700)
    }
  })
})

describe('a command that was carried out, or that the plug did not respond to', () => {
  it.each([
    ['desk', 'set', 'ON', /^desk: state ON over MQTT → ok in \d+ ms$/],
    ['desk', 'set', '{"state":"OFF","led":"OFF"}', /^desk: state OFF, led OFF over MQTT → ok in \d+ ms$/],
    ['desk', 'get', '', /^desk: get over MQTT → ok in \d+ ms$/],
    ['desk', 'get/led', '', /^desk: get led over MQTT → ok in \d+ ms$/],
    ['evening', 'set', 'TOGGLE', /^evening: state TOGGLE over MQTT → ok in \d+ ms$/],
  ])('to %s on %s with %s is one line at debug', async (name, below, payload, expected) => {
    await command(name, below, payload)
    expect(log.messages('debug')).toEqual([expect.stringMatching(expected)])
    expect(log.messages('warn')).toEqual([])
  })

  it('is no warning when the plug is silent: its availability is logged', async () => {
    desk.scripted.failure = new CallFailed('timeout')
    await command('desk', 'set', 'ON', MINUTE)
    expect(log.messages('debug')).toEqual([
      expect.stringMatching(/^desk: state ON over MQTT → timeout in \d+ ms: /),
    ])
    expect(log.messages('warn')).toEqual([])
  })
})

describe('a request', () => {
  it('that was carried out is a line at debug, with no value that may be secret', async () => {
    await request('options', {log_level: 'debug'})
    await request('discover')
    await request('device/options', {name: 'desk', options: {token: TOKEN}})
    expect(log.messages('debug')).toEqual([
      expect.stringMatching(/^request options: log_level debug over MQTT → ok in \d+ ms$/),
      expect.stringMatching(/^request discover over MQTT → ok in \d+ ms$/),
    ])
    expect(log.messages('warn')).toEqual([
      'request device/options: refused name desk, options on miio2mqtt/bridge/request/device/options: the configuration stays as it is: config.yaml:9:5 devices.fan.token: expected 32 hex digits, got 4; config.yaml:9:6 devices.fan.x: unknown key (refused)',
    ])
  })

  it('that is refused is one warning', async () => {
    for (let times = 0; times < 3; times++) await request('device/rename', {old: 'desk', new: 'tv'})
    expect(log.messages('warn')).toEqual([
      expect.stringMatching(
        /^request device\/rename: refused old, new on miio2mqtt\/bridge\/request\/device\/rename: from: expected the name of a plug, got nothing; .* \(invalid_payload\)$/,
      ),
    ])
  })

  it('for a configuration that is invalid is no second warning: the log has every problem of it', async () => {
    await request('reload')
    expect(log.messages('warn')).toEqual([])
  })
})

describe('a plug in the log at debug', () => {
  beforeEach(() => desk.addTo(new PlugLog({log})))

  it('has a line for each change of its state', async () => {
    await command('desk', 'set', 'ON')
    await command('desk', 'set', 'OFF')
    const changes = log.messages('debug').filter((line) => !line.includes('MQTT'))
    expect(changes).toEqual([
      expect.stringMatching(/^desk: state ON/),
      expect.stringMatching(/^desk: state ON → OFF$/),
    ])
  })

  it('has a line for each poll that failed, and for why it is offline', async () => {
    desk.scripted.failure = new CallFailed('timeout')
    await clock.advance(5 * MINUTE)
    const lines = log.messages('debug')
    expect(
      lines.filter((line) => line.startsWith('desk: a poll or command failed (timeout): ')).length,
    ).toBeGreaterThan(2)
    expect(lines).toContainEqual(expect.stringMatching(/^desk: offline \(timeout\): /))
    desk.scripted.failure = undefined
    await clock.advance(5 * MINUTE)
    expect(log.messages('debug')).toContain('desk: online')
  })
})

describe('a line at debug', () => {
  it('is not composed as long as the level is higher', () => {
    const lines: string[] = []
    const root = createLog({level: 'info', destination: {write: (line) => lines.push(line)}})
    const unused = () => expect.fail('a text that is not logged')
    root.debug(unused)
    root.debug(unused, {a: 1})
    root.setLevel('debug')
    root.debug(() => 'now', {a: 1})
    root.debug(() => undefined)
    expect(lines).toEqual([expect.stringMatching(/DEBUG now a=1/)])
  })
})
