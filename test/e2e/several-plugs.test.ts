/** Commands for several plugs, or for one that is not given by its name. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeEach, describe, expect, it, onTestFinished} from 'vitest'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {inReachOfBroadcasts, startPlug, TOKEN} from '../support/bridge.ts'
import {commandsIn} from '../support/command-client.ts'
import {miio2mqtt as run} from '../support/program.ts'
import {TerminalScreen} from '../support/screen.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-several-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const desk = await startPlug({address: loopback(1, 1), model: 'chuangmi.plug.v3'})
const kettle = await startPlug({address: loopback(1, 2)})
const lamp = await startPlug({address: loopback(1, 3)})
await inReachOfBroadcasts([desk, kettle, lamp])
const gone = loopback(9, 9)

async function configured(name: string, config: Record<string, unknown>): Promise<string> {
  const file = join(folder, name)
  const network = {broadcast: [BROADCAST]}
  await writeFile(file, JSON.stringify({network, mqtt: {base_topic: 'home'}, ...config}))
  return file
}

const config = await configured('config.yaml', {
  devices: {
    desk: {host: desk.address, token: TOKEN},
    'kitchen/kettle': {host: kettle.address, token: TOKEN},
    'hall/lamp': {id: lamp.did, token: TOKEN},
    spare: {host: loopback(9, 8), token: TOKEN, disabled: true},
  },
  groups: {
    evening: {members: ['desk', 'hall/lamp', 'spare']},
    'ground/floor': {members: ['desk', 'kitchen/kettle']},
  },
})
const partlyGone = await configured('partly-gone.yaml', {
  devices: {
    desk: {host: desk.address, token: TOKEN},
    attic: {host: gone, token: TOKEN},
    lost: {id: 99, token: TOKEN},
    'a/fan': {host: loopback(9, 1), token: TOKEN, disabled: true},
    'b/fan': {host: loopback(9, 2), token: TOKEN, disabled: true},
  },
  groups: {both: {members: ['attic', 'desk']}, unreachable: {members: ['attic']}},
})

const miio2mqtt = (...args: string[]) => run(args, {cwd: folder})
const lines = (...all: string[]) => `${all.join('\n')}\n`

beforeEach(() => {
  for (const plug of [desk, kettle, lamp]) plug.state['state'] = 'OFF'
})

describe('status without a plug', () => {
  it('is one table of all, each read now', async () => {
    desk.state['state'] = 'ON'
    desk.state['power'] = 41.52
    const {code, stdout, stderr} = await miio2mqtt('status')
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
    expect(rows).toEqual([
      ['NAME', 'PRODUCT', 'STATE', 'POWER', 'ADDRESS', 'SIGNAL', 'ANSWER'],
      ['desk', 'Mi Smart Plug', 'ON', '41.5 W', desk.address, '-52 dBm', expect.stringMatching(/^\d+ ms$/)],
      ['kitchen/kettle', 'Mi Smart Plug', 'OFF', kettle.address, '-52 dBm', expect.stringMatching(/ ms$/)],
      ['hall/lamp', 'Mi Smart Plug', 'OFF', lamp.address, '-52 dBm', expect.stringMatching(/ ms$/)],
      ['spare', expect.stringMatching(/^127\..*: disabled in the configuration, not contacted$/)],
    ])
  })

  it('is a list for programs', async () => {
    const {code, stdout} = await miio2mqtt('status', '--json')
    expect(code).toBe(0)
    const list: {name: string}[] = JSON.parse(stdout)
    expect(list.map(({name}) => name)).toEqual(['desk', 'kitchen/kettle', 'hall/lamp', 'spare'])
    expect(list[0]).toEqual({
      name: 'desk',
      model: 'chuangmi.plug.v3',
      product: 'Mi Smart Plug, enhanced, two USB ports',
      state: 'OFF',
      power: expect.any(Number),
      address: desk.address,
      did: desk.did,
      rssi: -52,
      latency: expect.any(Number),
      error: null,
    })
    expect(list[3]).toMatchObject({error: {code: 'disabled'}, state: null})
  })

  it('gives the reason for each plug that does not respond, and is a 1 then', async () => {
    const {code, stdout, stderr} = await miio2mqtt('status', '-c', partlyGone)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^desk +Mi Smart Plug +OFF /m)
    expect(stdout).toMatch(new RegExp(`^attic +${gone}: no hello: no plug answers at this address$`, 'm'))
    expect(stdout).toMatch(/^lost +no hello: no plug with this device id answers$/m)
    expect(stderr).toBe('2 of 3 plugs failed: see `miio2mqtt status attic`\n')
  })

  it('of no plugs suggests what to do next', async () => {
    const none = await configured('none.yaml', {devices: {}})
    expect(await miio2mqtt('status', '-c', none)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^no plugs are configured yet: `miio2mqtt discover`/),
    })
    expect(await miio2mqtt('status', '-c', none, '--json')).toMatchObject({code: 0, stdout: '[]\n'})
  })

  it('reads many more than are read at once', async () => {
    const plugs = await Promise.all(
      Array.from({length: 150}, (_, at) => startPlug({address: loopback(20, at + 1)})),
    )
    onTestFinished(async () => {
      await Promise.all(plugs.map((plug) => plug.stop()))
    })
    const devices = plugs.map(({address}, at) => [`plug ${at}`, {host: address, token: TOKEN}])
    const many = await configured('many.yaml', {devices: Object.fromEntries(devices)})
    const {code, stdout} = await miio2mqtt('status', '-c', many)
    expect(stdout.match(/^plug \d+ +Mi Smart Plug +OFF /gm)).toHaveLength(150)
    expect(code).toBe(0)
  })

  it.each([80, 110])('is not broken by a terminal of %s columns', async (columns) => {
    const screen = new TerminalScreen(['status', '-c', partlyGone], {columns})
    expect(await screen.ended()).toBe(1)
    const {lines: shown} = screen
    expect(shown[0]).toMatch(/^NAME +PRODUCT +STATE +POWER +ADDRESS +SIGNAL +ANSWER$/)
    expect(shown.slice(1, -1).map((line) => line.split(' ')[0])).toEqual([
      'desk',
      'attic',
      'lost',
      'a/fan',
      'b/fan',
    ])
    expect(shown.at(-1)).toMatch(/^2 of 3 plugs failed/)
  })
})

describe('a group', () => {
  it('is switched, and the result of each of its plugs is shown', async () => {
    const before = lamp.received.length
    expect(await miio2mqtt('on', 'evening')).toEqual({
      code: 0,
      signal: null,
      stderr: '',
      stdout: lines(
        'desk: state is ON',
        'hall/lamp: state is ON',
        'spare: disabled in the configuration, not contacted',
      ),
    })
    expect([desk, lamp, kettle].map(({state}) => state['state'])).toEqual(['ON', 'ON', 'OFF'])
    expect(commandsIn(lamp.received.slice(before))).toEqual(['set_power on'])
    expect(await miio2mqtt('off', 'ground/floor', '--json')).toMatchObject({
      code: 0,
      stdout: lines(
        '[{"name":"desk","state":"OFF","error":null},{"name":"kitchen/kettle","state":"OFF","error":null}]',
      ),
    })
  })

  it('is toggled as one: off when one is on, and then on', async () => {
    kettle.state['state'] = 'ON'
    const floor = (state: string) => lines(`desk: state is ${state}`, `kitchen/kettle: state is ${state}`)
    expect(await miio2mqtt('toggle', 'ground/floor')).toMatchObject({code: 0, stdout: floor('OFF')})
    expect(await miio2mqtt('toggle', 'ground/floor')).toMatchObject({code: 0, stdout: floor('ON')})
    expect([desk, kettle].map(({state}) => state['state'])).toEqual(['ON', 'ON'])
  })

  it('of which one does not respond is switched all the same, and is a 1', async () => {
    for (const [verb, state] of [
      ['on', 'ON'],
      ['toggle', 'OFF'],
    ] as const)
      expect(await miio2mqtt(verb, 'both', '-c', partlyGone)).toMatchObject({
        code: 1,
        stdout: lines('attic: no hello: no plug answers at this address', `desk: state is ${state}`),
        stderr: '1 of 2 plugs failed: see `miio2mqtt status attic`\n',
      })
    expect(await miio2mqtt('toggle', 'unreachable', '-c', partlyGone)).toMatchObject({
      code: 1,
      stdout: 'attic: no hello: no plug answers at this address\n',
    })
  })

  it('has a table of its own', async () => {
    const {code, stdout} = await miio2mqtt('status', 'evening')
    expect(code).toBe(0)
    expect(stdout.match(/^\S+/gm)).toEqual(['NAME', 'desk', 'hall/lamp', 'spare'])
  })

  it.each([
    ['info', 'evening'],
    ['get', 'evening', 'power'],
    ['set', 'evening', 'led', 'on'],
    ['call', 'evening', 'miIO.info'],
    ['probe', 'evening'],
  ])('is not for a command about one plug: %s', async (...args) => {
    expect(await miio2mqtt(...args)).toMatchObject({
      code: 64,
      stderr: `"evening" is a group, and \`${args[0]}\` is for one plug: desk, hall/lamp, spare\n`,
    })
  })
})

describe('a plug is found', () => {
  it.each([
    ['by the end of its name', 'kettle', '{"state":"OFF","temperature":24,"led":"OFF"}'],
    ['by its address', kettle.address, '{"state":"OFF","temperature":24,"led":"OFF"}'],
    ['by its device id', `${lamp.did}`, '{"state":"OFF","temperature":24,"led":"OFF"}'],
    [
      'by an address that the configuration does not have',
      lamp.address,
      '{"state":"OFF","temperature":24,"led":"OFF"}',
    ],
    [
      'by a device id that the configuration does not have',
      `${kettle.did}`,
      '{"state":"OFF","temperature":24,"led":"OFF"}',
    ],
  ])('%s', async (_, word, state) => {
    expect(await miio2mqtt('status', word, '--json')).toMatchObject({code: 0, stdout: `${state}\n`})
  })

  it('for every command, and named in the output', async () => {
    expect(await miio2mqtt('on', 'kettle')).toMatchObject({code: 0, stdout: 'kitchen/kettle: state is ON\n'})
    expect(await miio2mqtt('get', lamp.address, 'state')).toMatchObject({code: 0, stdout: 'OFF\n'})
    expect(await miio2mqtt('on', 'floor')).toMatchObject({
      code: 0,
      stdout: lines('desk: state is ON', 'kitchen/kettle: state is ON'),
    })
  })

  it.each([
    ['Desk', /^no plug is called "Desk", did you mean "desk"\?\n$/],
    ['evenign', /^no plug is called "evenign", did you mean "evening"\?\n$/],
    ['kitchen/kettel', /^no plug is called "kitchen\/kettel", did you mean "kitchen\/kettle"\?\n$/],
    [
      'fridge',
      /^no plug is called "fridge"; there are desk, kitchen\/kettle, hall\/lamp, spare, evening, ground\/floor\n$/,
    ],
    ['1234567', /^no plug is called "1234567"; there are desk, /],
    [
      gone,
      /^no plug of the configuration has the address 127\..*; for one that is not in it: --host 127\.\S+ and --token\n$/,
    ],
  ])('or what was probably meant is named: %s', async (word, message) => {
    for (const verb of ['status', 'off'])
      expect(await miio2mqtt(verb, word)).toMatchObject({
        code: 64,
        stdout: '',
        stderr: expect.stringMatching(message),
      })
  })

  it('or all that a word may mean are named', async () => {
    expect(await miio2mqtt('status', 'fan', '-c', partlyGone)).toMatchObject({
      code: 64,
      stderr: '"fan" may be a/fan, b/fan: give the whole name\n',
    })
  })
})

describe('a value that only the running bridge has', () => {
  it.each(['energy', 'energy_today', 'last_seen'])('is not taken for unknown: %s', async (property) => {
    expect(await miio2mqtt('get', 'desk', property)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `${property} is counted by the running bridge, the plug does not report it\nIt is in the state that the bridge publishes: home/desk\n`,
    })
  })

  it('is named also for a plug that is in no configuration, and for programs', async () => {
    const {code, stderr} = await miio2mqtt(
      'get',
      '--host',
      desk.address,
      '--token',
      TOKEN,
      'energy',
      '--json',
    )
    expect(code).toBe(1)
    expect(JSON.parse(stderr)).toEqual({
      error: {code: 'bridge_only', message: expect.stringContaining('miio2mqtt/<name of the plug>')},
    })
  })

  it('is distinguished from a value of the plug that has not been read yet', async () => {
    expect(await miio2mqtt('get', 'desk', 'rssi')).toMatchObject({code: 0, stdout: '-52\n'})
  })
})

it('a command that needs a plug is a wrong use without one', async () => {
  expect(config).toContain('config.yaml')
  for (const verb of ['on', 'off', 'toggle', 'info', 'get', 'set', 'probe', 'call'])
    expect(await miio2mqtt(verb)).toMatchObject({code: 64, stderr: expect.stringMatching(/^which plug\?/)})
})
