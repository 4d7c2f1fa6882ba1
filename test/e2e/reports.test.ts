import {execFileSync} from 'node:child_process'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {version} from '../../src/app/version.ts'
import {parseConfig} from '../../src/config/config.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {configText, inReachOfBroadcasts, startBridge, startPlug, TOKEN} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {leaks} from '../support/secret-leaks.ts'
import {SteadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

const PASSWORD = 'a long/word, with+signs'
/** What happens once a minute happens every three seconds. */
const clock = new SteadyClock(20)
const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-reports-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const passwords = join(folder, 'passwords')
execFileSync('mosquitto_passwd', ['-b', '-c', passwords, 'plugs', PASSWORD], {stdio: 'ignore'})

describe.concurrent('what the bridge tells of itself', async () => {
  it('B/bridge/info has the version, the start and the configuration in use, with every secret masked.', async () => {
    // A client without a user name is accepted, and one with a user name needs the password.
    const broker = await startMosquitto({config: ['allow_anonymous true', `password_file ${passwords}`]})
    const user = await Watcher.open(broker)
    const desk = await startPlug({address: loopback(2, 1)})
    const info = async () => (await user.retained()).get('miio2mqtt/bridge/info') ?? '{}'
    const bridgeInfo = async () => JSON.parse(await info())
    const inUrl = `mqtt://plugs:${encodeURIComponent(PASSWORD)}@${broker.host}:${broker.port}`
    for (const mqtt of [{url: inUrl}, {url: broker.url, username: 'plugs', password: PASSWORD}]) {
      const choice = {broker, plugs: {desk}, config: {mqtt, poll: {interval: '7s'}}}
      const earliest = new Date().toISOString()
      user.forget()
      const bridge = await startBridge(choice)
      await user.waitFor('miio2mqtt/desk/availability', ({payload}) => payload.includes('online'))
      const {started, node, ...more} = await bridgeInfo()
      expect(new Date(started).toISOString()).toBe(started)
      expect(started >= earliest && started <= new Date().toISOString()).toBe(true)
      expect(node).toBe(process.version)
      expect(more).toMatchObject({
        version,
        broker: broker.url,
        log_level: 'debug',
        devices: 1,
        groups: 0,
        config: {
          mqtt: {username: 'plugs', password: '***', base_topic: 'miio2mqtt'},
          poll: {interval: '7s', slow_interval: '1m'}, // one as it is written, one as it is by default
          devices: {desk: {host: loopback(2, 1), token: '***'}},
        },
      })
      const edited = {...choice, devices: {desk: {area: 'Office'}}}
      const {state_dir} = bridge.config
      await bridge.daemon.reload({
        ...parseConfig(configText(edited), {file: 'config.yaml', env: {}}),
        state_dir,
      })
      expect((await bridgeInfo()).config.devices.desk.area).toBe('Office')
      for (const secret of [TOKEN, PASSWORD]) expect(leaks(Buffer.from(await info()), secret)).toEqual([])
      await bridge.stop()
    }
  })

  it('B/bridge/devices lists every plug with everything known about it, and again when any of it changes.', async () => {
    const broker = await startMosquitto()
    const user = await Watcher.open(broker)
    const desk = await startPlug({address: loopback(2, 2), clock})
    const kettle = await startPlug({address: loopback(2, 3), clock, model: 'chuangmi.plug.v3'})
    await inReachOfBroadcasts([desk])
    // They share a token, so an address alone does not tell which is which.
    const devices = {desk: {id: desk.did}, kettle: {id: kettle.did, filtered: ['led']}}
    const config = {network: {broadcast: [BROADCAST]}, poll: {offline_after: 2, interval: '5s'}}
    const choice = {broker, plugs: {desk, kettle}, config, devices}
    const bridge = await startBridge({...choice, clock})
    const listed = async (): Promise<Record<string, unknown>[]> =>
      JSON.parse((await user.retained()).get('miio2mqtt/bridge/devices') ?? '[]')
    const isListed = (what: Record<string, unknown>) =>
      until(
        async () => {
          expect(await listed()).toContainEqual(expect.objectContaining(what))
          return true
        },
        {what: () => `${JSON.stringify(what)} in the list of devices`},
      )
    await isListed({name: 'desk', firmware: expect.any(String)})
    await isListed({name: 'kettle', firmware: expect.any(String), availability: {state: 'online'}})
    const [first, second] = await listed()
    expect(first).toEqual({
      name: 'desk',
      did: desk.did,
      model: 'chuangmi.plug.m1',
      vendor: 'Xiaomi',
      description: expect.stringContaining('Plug'),
      firmware: expect.stringMatching(/^\d/),
      mac: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
      address: loopback(2, 2),
      availability: {state: 'online'},
      properties: [
        {name: 'state', kind: 'switch', values: ['ON', 'OFF'], access: 'read_write'},
        {name: 'temperature', kind: 'sensor', unit: '°C', access: 'read'},
        {name: 'led', kind: 'switch', values: ['ON', 'OFF'], access: 'read_write'},
        {name: 'rssi', kind: 'sensor', unit: 'dBm', access: 'read'},
        {name: 'last_seen', kind: 'sensor', access: 'read'},
      ],
      filtered: [],
      left_out: [],
      implausible: [],
    })
    expect(second).toMatchObject({name: 'kettle', model: 'chuangmi.plug.v3', filtered: ['led']})

    kettle.setFaults({silence: true})
    await isListed({
      name: 'kettle',
      availability: {
        state: 'offline',
        reason: 'timeout',
        since: expect.any(String),
        message: expect.stringMatching(/^no answer from /),
      },
    })
    kettle.setFaults({})
    await isListed({name: 'kettle', availability: {state: 'online'}})
    Object.assign(kettle.state, {state: 'OFF', usb: 'OFF', power: 480})
    await isListed({name: 'kettle', implausible: [expect.objectContaining({property: 'power'})]})
    await desk.moveTo(loopback(2, 4))
    await isListed({name: 'desk', address: loopback(2, 4)})
    const edited = {...choice, devices: {...devices, desk: {...devices.desk, description: 'by the window'}}}
    const {state_dir} = bridge.config
    await bridge.daemon.reload({
      ...parseConfig(configText(edited), {file: 'config.yaml', env: {}}),
      state_dir,
    })
    await isListed({name: 'desk', description: 'by the window'})
  })

  it('B/bridge/health comes within 10 s of the start with counters of the broker, of every plug and of their queues.', async () => {
    const broker = await startMosquitto()
    const user = await Watcher.open(broker)
    const desk = await startPlug({address: loopback(2, 5), clock})
    const dead = await startPlug({address: loopback(2, 6), clock, faults: {silence: true}})
    const devices = {dead: {id: dead.did, model: dead.modelId, poll: {command_timeout: '5m'}}}
    await startBridge({broker, plugs: {desk, dead}, devices, clock})
    const {payload} = await user.waitFor('miio2mqtt/bridge/health')
    expect(JSON.parse(payload).uptime).toBeLessThanOrEqual(10)
    const counters = {
      requests: expect.any(Number),
      timeouts: expect.any(Number),
      retries: expect.any(Number),
      queue: expect.any(Number),
    }
    expect(JSON.parse(payload)).toMatchObject({
      uptime: expect.any(Number),
      memory: {rss: expect.any(Number), heap_used: expect.any(Number)},
      event_loop_delay_ms: {p99: expect.any(Number), max: expect.any(Number)},
      mqtt: {connects: 1, published: expect.any(Number), received: expect.any(Number)},
      devices: {desk: counters, dead: counters},
    })

    // Then every minute: with what has happened, and what waits, until then.
    desk.next({loseResponse: true})
    await user.publish('miio2mqtt/desk/get', '')
    for (const property of ['state', 'led', 'state'])
      await user.publish(`miio2mqtt/dead/set/${property}`, 'ON')
    await user.waitFor('miio2mqtt/desk/response')
    const later = await user.waitFor('miio2mqtt/bridge/health', (message) => {
      const {desk, dead} = JSON.parse(message.payload).devices
      return desk.timeouts > 0 && dead.queue > 0
    })
    const {mqtt, ...now} = JSON.parse(later.payload)
    expect(mqtt.published).toBeGreaterThan(5)
    expect(mqtt.received).toBeGreaterThanOrEqual(4)
    expect(now.devices.desk).toMatchObject({
      queue: expect.any(Number),
      latency_p50: expect.any(Number),
      latency_p95: expect.any(Number),
      last_seen: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
    expect(now.devices.desk.requests).toBeGreaterThan(3)
    expect(now.devices.dead.timeouts).toBeGreaterThan(0)
    expect(now.devices.dead.last_seen).toBe(null)
    expect((await user.retained()).get('miio2mqtt/bridge/health')).toContain('"desk"')
  })
})
