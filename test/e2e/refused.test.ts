import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, type TestBridge} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

const ONLINE = '{"state":"online"}'
/** For what a busy machine needs. */
const LONG = 60_000

const warnings = (bridge: TestBridge) =>
  bridge.log.filter(({level}) => level === 'warn').map(({message}) => String(message))

const connects = (bridge: TestBridge) =>
  bridge.log.filter(({message}) => String(message).startsWith('connected to')).length

async function saysOnline(user: Watcher): Promise<void> {
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE, LONG)
}

describe('a broker with a limit on the size of messages', async () => {
  const broker = await startMosquitto({config: ['message_size_limit 2048']})
  const user = await Watcher.open(broker)
  const desk = await startPlug({address: loopback(1, 1), model: 'chuangmi.plug.v3'})
  const bridge = await startBridge({broker, plugs: {desk}})
  await saysOnline(user)

  it('A message that the broker refuses causes one warning with topic and reason, and all others are published.', async () => {
    await until(() => warnings(bridge).length > 0, {what: 'the warning'})
    expect(warnings(bridge)).toEqual([
      expect.stringMatching(
        /did not accept .*homeassistant\/device\/miio2mqtt_\d+\/config.*: Packet too large \(.*message_size_limit/,
      ),
    ])
    const retained = await user.retained()
    expect(retained.get('miio2mqtt/desk/availability')).toBe(ONLINE)
    expect([...retained.keys()]).toContain('miio2mqtt/desk')
    expect(connects(bridge)).toBe(1)
  })

  it('gets a result of every command', async () => {
    const home = new CommandClient(broker, user)
    for (let count = 0; count < 5; count++)
      expect(await home.mosquittoPub('desk', 'set', 'TOGGLE')).toMatchObject({status: 'ok'})
    expect(home.results('desk')).toHaveLength(5)
    expect(warnings(bridge)).toHaveLength(1)
  })
})

describe('a broker with a limit that the discovery messages of thirty plugs exceed', async () => {
  const broker = await startMosquitto({config: ['message_size_limit 1400']})
  const user = await Watcher.open(broker)
  const plugs: Record<string, SimulatedPlug> = {}
  for (let number = 1; number <= 30; number++)
    plugs[`plug${number}`] = await startPlug({address: loopback(2, number)})
  const bridge = await startBridge({broker, plugs})
  await saysOnline(user)

  it('gets a result of every command, and causes one warning', async () => {
    const home = new CommandClient(broker, user)
    const results = await Promise.all(
      Object.keys(plugs).map((name) => home.publish(name, 'set', 'ON', {qos: 1})),
    )
    expect(results.map(({status}) => status)).toEqual(Array(30).fill('ok'))
    await until(() => warnings(bridge).length > 0, {within: LONG, what: 'the warning'})
    expect(warnings(bridge)).toEqual([expect.stringMatching(/did not accept .* more: Packet too large/)])
    expect(connects(bridge)).toBe(1)
  })
})

describe('a broker that ends the connection over larger packets', async () => {
  const names = Array.from({length: 12}, (_, index) => `客厅的插座/第${index + 1}号`)

  async function home(subnet: number, version: '5' | '3.1.1', limit: number) {
    const broker = await startMosquitto({config: [`max_packet_size ${limit}`]})
    const user = await Watcher.open(broker)
    const plugs: Record<string, SimulatedPlug> = {}
    for (const [index, name] of names.entries())
      plugs[name] = await startPlug({address: loopback(subnet, index + 1)})
    const bridge = await startBridge({broker, plugs, config: {mqtt: {url: broker.url, version}}})
    await saysOnline(user)
    return {broker, user, bridge}
  }

  it('and states the largest size gets none of those, whatever letters they contain', async () => {
    const {broker, user, bridge} = await home(3, '5', 4500)
    const client = new CommandClient(broker, user)
    for (const name of names.slice(0, 3))
      expect(await client.publish(name, 'set', 'ON')).toMatchObject({status: 'ok'})
    await until(() => warnings(bridge).length > 0, {within: LONG, what: 'the warning'})
    expect(connects(bridge)).toBe(1)
    expect(warnings(bridge)).toEqual([
      expect.stringMatching(
        /^miio2mqtt\/bridge\/devices has \d+ bytes, more than the broker accepts \(4500\)/,
      ),
    ])
  })

  it('and cannot state a size, in MQTT 3.1.1, gets such a packet twice, and all others', async () => {
    const {broker, user, bridge} = await home(4, '3.1.1', 4500)
    await until(() => warnings(bridge).some((text) => text.includes('two connections in a row')), {
      within: LONG,
      what: () => `the warning; there were: ${warnings(bridge).join('; ')}`,
    })
    expect(warnings(bridge).filter((text) => text.includes('two connections in a row'))).toEqual([
      expect.stringContaining(
        'ended when miio2mqtt/bridge/devices was published: it is not published for an hour',
      ),
    ])
    await until(async () => (await user.retained()).get('miio2mqtt/bridge/state') === ONLINE, {
      within: LONG,
      what: 'the bridge to be online',
    })
    const client = new CommandClient(broker, user)
    for (const name of names.slice(0, 3))
      expect(await client.publish(name, 'set', 'ON')).toMatchObject({status: 'ok'})
  })
})

describe('a broker that grants every subscription and delivers nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  afterAll(() => rm(folder, {recursive: true, force: true}))
  const list = join(folder, 'acl')
  await writeFile(list, 'user plugs\ntopic write #\n\nuser home\ntopic readwrite #\n')
  const broker = await startMosquitto({config: [`acl_file ${list}`]})
  const bridge = await startBridge({
    broker,
    plugs: {desk: await startPlug({address: loopback(5, 1)})},
    config: {mqtt: {url: broker.url, username: 'plugs'}},
  })

  it('causes one warning, which names what to check', async () => {
    await until(() => warnings(bridge).length > 0, {within: LONG, what: 'the warning'})
    expect(warnings(bridge)).toEqual([
      expect.stringMatching(/miio2mqtt\/bridge\/request\/.*access list allows the bridge to read/),
    ])
  })
})

describe('the message of the self-test', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const bridge = await startBridge({broker, plugs: {}})
  await saysOnline(user)

  it('gets no response, and is not logged', async () => {
    const topic = 'miio2mqtt/bridge/request/self_test'
    await user.waitFor(topic)
    await user.publish(topic, '{"transaction":1}')
    await user.publish('miio2mqtt/bridge/request/health_check', '')
    await user.waitFor('miio2mqtt/bridge/response/health_check')
    const topics = user.messages.map((message) => message.topic)
    expect(topics.filter((one) => one.startsWith('miio2mqtt/bridge/response/'))).toEqual([
      'miio2mqtt/bridge/response/health_check',
    ])
    expect(warnings(bridge).filter((text) => !text.startsWith('no plugs'))).toEqual([])
    expect([...(await user.retained()).keys()]).not.toContain(topic)
  })
})
