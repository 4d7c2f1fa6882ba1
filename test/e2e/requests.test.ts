import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {parseConfig} from '../../src/config/config.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {startPlug, TOKEN} from '../support/bridge.ts'
import {CommandClient, commandsIn} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Program} from '../support/program.ts'
import {until} from '../support/wait.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-requests-'))
const file = join(folder, 'config.yaml')
const broker = await startMosquitto()
const user = await Watcher.open(broker)
const home = new CommandClient(broker, user)
let program: Program
let desk: SimulatedPlug
let lamp: SimulatedPlug
let requests = 0

const text = (host: string) => `# of the whole house
mqtt:
  url: ${broker.url}   # beside the router
network: {broadcast: []}
state_dir: ${folder}/state
allow_raw_calls: true
devices:
  # where I work
  desk:
    host: ${host}
    token: !secret desk_token   # as in the app
    poll: {interval: 1s}
`

async function request(verb: string, payload: unknown = {}) {
  const transaction = ++requests
  await user.publish(`miio2mqtt/bridge/request/${verb}`, JSON.stringify({...Object(payload), transaction}))
  const {payload: answer} = await user.waitFor(`miio2mqtt/bridge/response/${verb}`, ({payload}) =>
    payload.includes(`"transaction":${transaction}`),
  )
  return JSON.parse(answer)
}

/** Waits until nothing that is called so lies on the broker. */
const isGone = async (part: string) => {
  let left: string[] = []
  const look = async () => {
    left = [...(await user.retained())].flatMap(([topic, payload]) =>
      topic.includes(part) && payload !== '' ? [topic] : [],
    )
    return left.length === 0
  }
  await until(look, {what: () => `nothing of ${part}; there is ${left.join(', ')}`})
}

const written = () => readFile(file, 'utf8')
const comments = async () => Array.from((await written()).matchAll(/#.*$/gm), ([comment]) => comment)
const COMMENTS = ['# of the whole house', '# beside the router', '# where I work', '# as in the app']

beforeAll(async () => {
  desk = await startPlug({address: loopback(1, 1)})
  lamp = await startPlug({address: loopback(1, 2)})
  await writeFile(join(folder, 'secrets.yaml'), `desk_token: ${TOKEN}\n`)
  await writeFile(file, text(desk.address), {mode: 0o640})
  program = new Program(['run', '--config', file])
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload.includes('online'))
})

afterAll(async () => {
  program.signal('SIGTERM')
  await program.waitForEnd()
  await rm(folder, {recursive: true, force: true})
})

describe('a request that changes the plugs', () => {
  it('adds one to the file, where comments, order and rights stay, and to the bridge', async () => {
    const lampSettings = {name: 'hall/lamp', host: lamp.address, token: TOKEN, poll: {interval: '1s'}}
    expect(await request('device/add', lampSettings)).toMatchObject({status: 'ok', data: {name: 'hall/lamp'}})
    await home.waitForAvailability('hall/lamp', 'online')
    expect(await home.mosquittoPub('hall/lamp', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(await comments()).toEqual(COMMENTS)
    expect((await stat(file)).mode & 0o777).toBe(0o640)
    expect(Object.keys(devicesIn(await written()))).toEqual(['desk', 'hall/lamp'])
  })

  it('changes the settings of a plug, and removes those that are null', async () => {
    expect(
      await request('device/options', {name: 'hall/lamp', options: {area: 'Hall', icon: 'mdi:lamp'}}),
    ).toMatchObject({status: 'ok'})
    expect(devicesIn(await written())['hall/lamp']).toMatchObject({area: 'Hall', icon: 'mdi:lamp'})
    await request('device/options', {name: 'hall/lamp', options: {icon: null}})
    expect(devicesIn(await written())['hall/lamp']).not.toHaveProperty('icon')
    await home.waitForAvailability('hall/lamp', 'online')
  })

  it('says in its answer what is ignored of a change, or needs a look', async () => {
    const warningsAfter = async (options: object) =>
      (await request('device/options', {name: 'hall/lamp', options})).data.warnings
    expect(await warningsAfter({filtered: ['rsi']})).toEqual([
      expect.stringMatching(
        /^devices\.hall\/lamp: ignored filtered: rsi: .* has only .*, did you mean rssi\?$/,
      ),
    ])
    expect(await warningsAfter({area: 'Hall'})).toBeUndefined()
    expect(await warningsAfter({filtered: null})).toBeUndefined()
    const example = {
      name: 'porch',
      host: lamp.address,
      port: 54_322,
      token: '00112233445566778899aabbccddeeff',
    }
    expect((await request('device/add', example)).data).toEqual({
      name: 'porch',
      warnings: [expect.stringMatching(/^devices\.porch\.token: .*, got that of an example/)],
    })
    expect(await request('device/remove', {name: 'porch'})).toMatchObject({data: {name: 'porch'}})
    await home.waitForAvailability('hall/lamp', 'online')
  })

  it('makes a group of them, and changes who is in it', async () => {
    const evening = {name: 'evening', members: ['desk', 'hall/lamp']}
    expect(await request('group/add', evening)).toMatchObject({status: 'ok', data: evening})
    expect((await home.mosquittoPub('evening', 'set', 'ON')).status).toBe('ok')
    expect([desk.state['state'], lamp.state['state']]).toEqual(['ON', 'ON'])
    const fewer = {name: 'evening', remove: ['desk']}
    expect(await request('group/members', fewer)).toMatchObject({data: {members: ['hall/lamp']}})
    expect(await request('group/members', {name: 'evening', add: ['fan']})).toMatchObject({
      status: 'error',
      error: {message: expect.stringContaining('groups.evening.members')},
    })
  })

  it('does what several ask for at once as if one had waited for the other', async () => {
    const [more, fewer] = await Promise.all([
      request('group/members', {name: 'evening', add: ['desk']}),
      request('group/members', {name: 'evening', remove: ['desk']}),
    ])
    expect([more, fewer]).toMatchObject([
      {status: 'ok', data: {members: ['hall/lamp', 'desk']}},
      {status: 'ok', data: {members: ['hall/lamp']}},
    ])
    const night = {name: 'night', members: ['desk']}
    const twice = await Promise.all([request('group/add', night), request('group/add', night)])
    expect(twice).toMatchObject([{status: 'ok'}, {error: {message: 'night is configured already'}}])
    expect(await request('group/remove', {name: 'night'})).toMatchObject({status: 'ok'})
  })

  it('renames one, which goes on under the new name and leaves nothing under the old', async () => {
    expect(await request('device/rename', {from: 'hall/lamp', to: 'office/lamp'})).toMatchObject({
      status: 'ok',
    })
    await home.waitForAvailability('office/lamp', 'online')
    await isGone('hall/lamp')
    expect(await home.mosquittoPub('office/lamp', 'set', 'OFF')).toMatchObject({status: 'ok'})
  })

  it('has renamed it in its group, too, which then goes', async () => {
    const {payload} = await user.waitFor('miio2mqtt/bridge/groups', ({payload}) =>
      payload.includes('office/lamp'),
    )
    expect(JSON.parse(payload)).toMatchObject([{name: 'evening', members: ['office/lamp']}])
    expect(await request('group/remove', {name: 'evening'})).toMatchObject({status: 'ok'})
    await isGone('evening')
  })

  it('removes one: from the file, the bridge and the broker', async () => {
    expect(await request('device/remove', {name: 'office/lamp'})).toMatchObject({status: 'ok'})
    await isGone('lamp')
    expect(await written()).toBe(text(desk.address).replaceAll(/(\S) +#/g, '$1 #'))
  })

  it.each([
    ['device/add', {name: 'desk', host: '192.168.254.9', token: TOKEN}, /desk is configured already/],
    ['device/add', {name: 'fan', token: TOKEN}, /config\.yaml:\d+:\d+ devices\.fan: /],
    ['device/add', {name: 'a+b', host: '192.168.254.9', token: TOKEN}, /devices\.a\+b/],
    [
      'device/add',
      {name: 'fan', host: '192.168.254.9', token: 'short'},
      /devices\.fan\.token: expected 32 hex digits/,
    ],
    [
      'device/add',
      {name: 'fan', host: '192.168.254.9', token: TOKEN, colour: 'red'},
      /devices\.fan\.colour: unknown key/,
    ],
    [
      'device/add',
      {name: 'fan', host: '8.8.8.8', token: TOKEN},
      /host: expected an address of a private network, got "8/,
    ],
    [
      'device/options',
      {name: 'desk', options: {host: '93.184.216.34'}},
      /host: expected an address of a private/,
    ],
    ['device/add', {host: '192.168.254.9'}, /^name: /],
    ['device/remove', {name: 'fan'}, /no plug is called "fan": known are desk/],
    ['device/rename', {from: 'desk', to: 'bridge'}, /devices\.bridge/],
    ['device/rename', {from: 'fan', to: 'desk'}, /no plug is called "fan"/],
    ['device/options', {name: 'desk', options: {poll: {interval: 'often'}}}, /poll\.interval/],
    ['device/call', {name: 'desk', method: 'miIO.ota'}, /never sent/],
    ['device/poll', {name: 'desk', now: true}, /"now"/],
  ])('%s %j is refused with what is wrong, and the file stays as it was', async (verb, payload, expected) => {
    const before = await written()
    expect(await request(verb, payload)).toMatchObject({
      status: 'error',
      error: {message: expect.stringMatching(expected)},
    })
    expect(await written()).toBe(before)
  })
})

describe('a request about one plug', () => {
  it('polls it now', async () => {
    desk.state['temperature'] = 33
    expect(await request('device/poll', {name: 'desk'})).toMatchObject({
      status: 'ok',
      data: {temperature: 33},
    })
  })

  it('asks who it is, and keeps its token to itself', async () => {
    const {data} = await request('device/info', {name: 'desk'})
    expect(data).toMatchObject({
      name: 'desk',
      did: desk.did,
      address: desk.address,
      model: 'chuangmi.plug.m1',
    })
    expect(JSON.stringify(data)).not.toContain(TOKEN)
  })

  it('sends it anything, once', async () => {
    const before = commandsIn(desk.received).length
    expect(await request('device/call', {name: 'desk', method: 'set_power', params: ['on']})).toMatchObject({
      status: 'ok',
      data: {result: ['ok']},
    })
    expect(commandsIn(desk.received).slice(before)).toEqual(['set_power on'])
    expect(await request('device/call', {name: 'desk', method: 'get_nonsense'})).toMatchObject({
      status: 'error',
      error: {code: 'refused'},
    })
  })

  it('sends nothing unless the configuration allows it', async () => {
    await writeFile(file, text(desk.address).replace('allow_raw_calls: true\n', ''))
    expect(await request('reload')).toMatchObject({status: 'ok'})
    expect(await request('device/call', {name: 'desk', method: 'get_prop', params: ['power']})).toMatchObject(
      {
        error: {code: 'refused', message: expect.stringContaining('allow_raw_calls')},
      },
    )
  })
})

function devicesIn(yaml: string): Record<string, unknown> {
  const readFile = () => `desk_token: ${TOKEN}`
  return parseConfig(yaml, {file, env: {}, readFile}).devices
}
