import {execFile} from 'node:child_process'
import {mkdtemp, rm} from 'node:fs/promises'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {Aedes} from 'aedes'
import {connectAsync} from 'mqtt'
import {afterAll, describe, expect, it} from 'vitest'
import {parseConfig} from '../../src/config/config.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {configText, startBridge, startPlug, type TestBridge} from '../support/bridge.ts'
import {CommandClient, commandsIn, withoutSignal} from '../support/command-client.ts'
import {MessageRecorder} from '../support/message-recorder.ts'
import {freePort, Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {acceptingOnlyMqtt311} from '../support/mqtt-311-broker.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

const run = promisify(execFile)
const ONLINE = '{"state":"online"}'
const OFFLINE = '{"state":"offline"}'
const watchers: Watcher[] = []
const ends: (() => Promise<unknown>)[] = []

afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

async function watch(broker: Mosquitto): Promise<Watcher> {
  const watcher = await Watcher.open(broker)
  watchers.push(watcher)
  return watcher
}

/** The bridge says it itself, now: what lies on the broker may be old. */
function saysOnline(user: Watcher, base = 'miio2mqtt') {
  return user.waitFor(`${base}/bridge/state`, ({payload, retain}) => payload === ONLINE && !retain)
}

const warnings = (bridge: TestBridge) =>
  bridge.log.filter(({level}) => level === 'warn').map(({message}) => String(message))

const connects = (bridge: TestBridge) =>
  bridge.log.filter(({message}) => String(message).startsWith('connected to')).length

function keysOf(retained: Map<string, string>): string[] {
  return [...retained.keys()].sort()
}

/** Nothing in these may differ before and after: only times and counters do. */
function lasting(retained: Map<string, string>): [string, string][] {
  const kept = [...retained].filter(([topic]) => !/\/bridge\/(health|info)$/.test(topic))
  return kept
    .map(([topic, payload]): [string, string] => [topic, payload.replace(/"last_seen":"[^"]+"/, '')])
    .sort()
}

describe('a bridge whose broker is not there at the start', async () => {
  const broker = new Mosquitto(await freePort(), [])
  const desk = await startPlug({address: loopback(1, 1)})
  const bridge = await startBridge({broker, plugs: {desk}})

  it('A bridge that starts without a broker waits for it, and is online within 10 s after the broker has started.', async () => {
    // It reads its plugs already, and has tried often enough to wait its longest between two tries.
    await until(() => desk.received.length > 8, {what: 'polls'})
    expect(warnings(bridge)).toEqual([expect.stringContaining('ECONNREFUSED')])
    await broker.start()
    const user = await watch(broker)
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
    const retained = await user.retained()
    expect(retained.get('miio2mqtt/desk/availability')).toBe(ONLINE)
    expect(JSON.parse(retained.get('miio2mqtt/desk') ?? '{}')).toMatchObject({state: 'OFF'})
    expect(keysOf(retained)).toContain(`homeassistant/device/miio2mqtt_${desk.did}/config`)
    const home = new CommandClient(broker, user)
    expect(await home.mosquittoPub('desk', 'set', 'ON')).toMatchObject({status: 'ok'})
  })
})

describe('a bridge of five plugs, whose broker is killed and comes back empty', async () => {
  const broker = await startMosquitto()
  const user = await watch(broker)
  const recorder = await MessageRecorder.open(broker)
  const home = new CommandClient(broker, user)
  const plugs = {
    desk: await startPlug({address: loopback(2, 1)}),
    'kitchen/kettle': await startPlug({address: loopback(2, 2), model: 'chuangmi.plug.v3'}),
    'Küche/Lampe 1': await startPlug({address: loopback(2, 3), model: 'chuangmi.plug.v1'}),
    silent: await startPlug({address: loopback(2, 4), faults: {silence: true}}),
    disabled: await startPlug({address: loopback(2, 5)}),
  }
  const names = Object.keys(plugs)
  const {desk} = plugs
  const bridge = await startBridge({
    broker,
    plugs,
    devices: {
      silent: {id: plugs.silent.did, model: 'chuangmi.plug.m1', poll: {interval: '1h'}},
      disabled: {disabled: true},
    },
  })
  await saysOnline(user)

  it('After the start B/bridge/state is retained and online, and only after every configured plug has a retained availability.', async () => {
    await until(() => recorder.on('miio2mqtt/bridge/state').length > 0, {
      what: 'the recorder, a client of its own, has it too',
    })
    expect(recorder.on('miio2mqtt/bridge/state')).toMatchObject([{payload: ONLINE, retain: true}])
    const before = recorder.messages.slice(
      0,
      recorder.messages.findIndex(({topic}) => topic === 'miio2mqtt/bridge/state'),
    )
    for (const name of names)
      expect(before).toContainEqual(
        expect.objectContaining({topic: `miio2mqtt/${name}/availability`, retain: true}),
      )
    const retained = await user.retained()
    expect(retained.get('miio2mqtt/bridge/state')).toBe(ONLINE)
    for (const name of names) expect(retained.has(`miio2mqtt/${name}/availability`)).toBe(true)
  })

  it('A broker that lost its retained messages has all of them again within 10 s, without a request.', async () => {
    await user.waitFor('miio2mqtt/bridge/health')
    // The data that a plug has reported about itself are in the list a second later.
    await until(async () => (await user.retained()).get('miio2mqtt/bridge/devices')?.includes('"timeout"'), {
      what: 'the list of devices is complete',
    })
    const before = await user.retained()
    await broker.kill()
    user.forget()
    await broker.start()
    let after = new Map<string, string>()
    await until(
      async () => {
        after = await user.retained()
        return after.size === before.size
      },
      {
        what: () => `${keysOf(before).join(', ')}; there are: ${keysOf(after).join(', ')}`,
      },
    )
    await saysOnline(user)
    expect(keysOf(after)).toEqual(keysOf(before))
    expect(lasting(after)).toEqual(lasting(before))
    expect(after.get('miio2mqtt/bridge/state')).toBe(ONLINE)
  })

  it('says `online` again only after the availability of every plug', () => {
    const order = user.messages.filter(({retain}) => !retain).map(({topic}) => topic)
    const online = order.lastIndexOf('miio2mqtt/bridge/state')
    for (const name of names)
      expect(order.lastIndexOf(`miio2mqtt/${name}/availability`, online)).toBeGreaterThan(
        order.indexOf('miio2mqtt/bridge/state'),
      )
  })

  it('takes commands again', async () => {
    expect(await home.mosquittoPub('desk', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(await home.mosquittoPub('Küche/Lampe 1', 'set/usb', 'ON')).toMatchObject({status: 'ok'})
  })

  it('A plug that changes 100 times while the broker is offline has its newest state published once when the broker is back.', async () => {
    await broker.kill()
    for (let change = 1; change <= 100; change++) {
      desk.state['temperature'] = 100 + change
      desk.state['state'] = change % 2 === 0 ? 'ON' : 'OFF'
      // A plug is polled once a second at most: so that the bridge sees several of the changes, it is after every 33rd.
      const asked = desk.received.length
      if (change % 33 === 0) await until(() => desk.received.length > asked, {what: 'a poll in between'})
    }
    desk.state['led'] = 'ON'
    // Temperature and LED are read by slow polls only, in this order: by one that began after the last change.
    const changed = desk.received.length
    const askedFor = (name: string, from: number) =>
      desk.received.findIndex(({params}, index) => index >= from && params.includes(name))
    const isReadAnew = () => {
      const temperature = askedFor('temperature', changed)
      return temperature >= 0 && askedFor('wifi_led', temperature) > 0
    }
    await until(isReadAnew, {what: 'a slow poll'})
    user.forget()
    await broker.start()
    await saysOnline(user)
    const polls = desk.received.length
    await until(() => desk.received.length > polls + 2, {what: 'two more polls'})
    expect(user.on('miio2mqtt/desk').map(({payload}) => withoutSignal(JSON.parse(payload)))).toEqual([
      {state: 'ON', temperature: 200, led: 'ON'},
    ])
  })

  it('logs no other warning', () => {
    expect(bridge.log.filter(({level}) => level === 'error')).toEqual([])
    expect(connects(bridge)).toBe(3)
  })
})

describe('a broker that freezes for longer than the keepalive', async () => {
  const broker = await startMosquitto()
  const user = await watch(broker)
  const home = new CommandClient(broker, user)
  const desk = await startPlug({address: loopback(3, 1), faults: {delay: {fromMs: 200, toMs: 200}}})
  const bridge = await startBridge({
    broker,
    plugs: {desk},
    config: {mqtt: {url: broker.url, keepalive: '1s'}},
  })
  await saysOnline(user)

  it('is left after the keepalive, and gets the current state afterwards; no command is carried out late or twice', async () => {
    await user.publish('miio2mqtt/desk/set', 'ON', {qos: 1})
    await until(() => commandsIn(desk.received).length > 0, {what: 'the command'})
    broker.freeze()
    // It waits in the socket of the broker until then.
    const stale = user.publish('miio2mqtt/desk/set/led', 'ON', {qos: 0})
    await until(() => warnings(bridge).some((text) => text.includes('lost the connection')), {
      what: 'the bridge notices',
    })
    desk.state['temperature'] = 77
    const polls = desk.received.length
    await until(() => desk.received.length > polls + 2, {what: 'a poll meanwhile'})
    user.forget()
    broker.thaw()
    await stale
    await saysOnline(user)
    expect(await home.publish('desk', 'get', '')).toBeDefined()
    const retained = await user.retained()
    expect(retained.get('miio2mqtt/bridge/state')).toBe(ONLINE)
    expect(withoutSignal(JSON.parse(retained.get('miio2mqtt/desk') ?? '{}'))).toEqual({
      state: 'ON',
      temperature: 77,
      led: 'OFF',
    })
    expect(commandsIn(desk.received)).toEqual(['set_power on'])
    expect(connects(bridge)).toBe(2)
  })

  it('takes commands again', async () => {
    await user.publish('miio2mqtt/desk/set', 'OFF', {qos: 1})
    await until(() => desk.state['state'] === 'OFF', {what: 'the relay is off'})
  })
})

describe('a broker that refuses the password', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  ends.push(() => rm(folder, {recursive: true, force: true}))
  const passwords = join(folder, 'passwords')
  await run('mosquitto_passwd', ['-b', '-c', passwords, 'plugs', 'the-right-one'])
  const strict = await startMosquitto({config: [`password_file ${passwords}`]})
  const desk = await startPlug({address: loopback(4, 1)})
  const bridge = await startBridge({
    broker: strict,
    plugs: {desk},
    config: {mqtt: {url: strict.url, username: 'plugs', password: 'the-wrong-one'}},
  })

  it('causes one warning, however often it refuses; the plugs are polled all the same', async () => {
    const refusals = () => strict.log.match(/not authori[sz]ed/gi)?.length ?? 0
    await until(() => refusals() >= 3, {what: () => `three refusals; its log: ${strict.log}`})
    expect(warnings(bridge)).toEqual([expect.stringMatching(/cannot use the broker .*authori[sz]ed/i)])
    expect(JSON.stringify(bridge.log)).not.toContain('the-wrong-one')
    expect(desk.received.length).toBeGreaterThan(0)
  })

  it('is used as soon as it accepts the password', async () => {
    await strict.stop()
    const lenient = await startMosquitto({port: strict.port})
    const user = await watch(lenient)
    await saysOnline(user, 'miio2mqtt')
    expect(await new CommandClient(lenient, user).mosquittoPub('desk', 'set', 'ON')).toMatchObject({
      status: 'ok',
    })
  })
})

describe('two bridges on one broker', async () => {
  const broker = await startMosquitto()
  const user = await watch(broker)
  const cellar = await startPlug({address: loopback(5, 1)})
  const attic = await startPlug({address: loopback(5, 2)})
  // A second between two signs of life in place of a minute.
  const config = (base: string) => ({mqtt: {url: broker.url, base_topic: base, keepalive: '1s'}})
  const below = await startBridge({broker, plugs: {lamp: cellar}, config: config('plugs/cellar')})
  const above = await startBridge({broker, plugs: {lamp: attic}, config: config('plugs/attic')})
  await saysOnline(user, 'plugs/cellar')
  await saysOnline(user, 'plugs/attic')
  const toBelow = new CommandClient(broker, user, 'plugs/cellar')
  const toAbove = new CommandClient(broker, user, 'plugs/attic')

  it('each switches its own plug, also when both have the same name', async () => {
    expect(await toBelow.mosquittoPub('lamp', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect([cellar.state['state'], attic.state['state']]).toEqual(['ON', 'OFF'])
    expect(await toAbove.mosquittoPub('lamp', 'set', 'TOGGLE')).toMatchObject({status: 'ok'})
    expect(commandsIn(cellar.received)).toEqual(['set_power on'])
    expect(commandsIn(attic.received)).toEqual(['set_power on'])
  })

  it('each is a device of its own in Home Assistant', async () => {
    const configs = keysOf(await user.retained()).filter((topic) => topic.startsWith('homeassistant/'))
    expect(configs).toEqual([
      `homeassistant/device/miio2mqtt_${cellar.did}/config`,
      `homeassistant/device/miio2mqtt_${attic.did}/config`,
      expect.stringContaining('/miio2mqtt_bridge_plugs_attic'),
      expect.stringContaining('/miio2mqtt_bridge_plugs_cellar'),
    ])
  })

  it('Two bridges with default settings and different base topics stay connected side by side.', async () => {
    /** Of each client, how often it asked the broker whether it is still there. */
    const pings = () => {
      const count = new Map<string, number>()
      for (const [, client = ''] of broker.log.matchAll(/Received PINGREQ from (\S+)/g))
        count.set(client, (count.get(client) ?? 0) + 1)
      return [...count.values()]
    }
    await until(() => pings().filter((count) => count >= 5).length === 2, {what: 'five minutes, shortened'})
    for (const base of ['plugs/cellar', 'plugs/attic'])
      expect(user.on(`${base}/bridge/state`).map(({payload}) => payload)).toEqual([ONLINE])
    expect([connects(below), connects(above)]).toEqual([1, 1])
    expect(broker.log).not.toContain('already connected')
    expect([...warnings(below), ...warnings(above)]).toEqual([])
  })

  it('one that stops leaves the messages of the other as they are', async () => {
    await below.stop()
    await user.waitFor('plugs/cellar/bridge/state', ({payload}) => payload === OFFLINE)
    expect(await toAbove.mosquittoPub('lamp', 'set', 'OFF')).toMatchObject({status: 'ok'})
    expect((await user.retained()).get('plugs/attic/bridge/state')).toBe(ONLINE)
    expect(user.on('plugs/attic/bridge/state').map(({payload}) => payload)).toEqual([ONLINE])
    expect(connects(above)).toBe(1)
  })
})

describe('plugs of any name', async () => {
  const names = [
    'Küche/Lampe 1',
    'лампа',
    '台灯/🔌',
    'SYS/$broker',
    'a/b/c/d',
    `"d'or" {{ 100% }} \\`,
    'x'.repeat(200),
    'constructor',
  ]
  const broker = await startMosquitto()
  const user = await watch(broker)
  const home = new CommandClient(broker, user)
  const plugs: Record<string, SimulatedPlug> = {}
  for (const [index, name] of names.entries())
    plugs[name] = await startPlug({address: loopback(7, index + 1)})
  const mqtt = {url: broker.url, output: 'attribute_and_json'}
  const choice = {broker, plugs, config: {mqtt, groups: {'все/台': {members: names}}}}
  await startBridge(choice)
  await saysOnline(user)

  it('are switched by their names, each and all together', async () => {
    for (const name of names) expect(await home.publish(name, 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(await home.publish('все/台', 'set', 'OFF')).toMatchObject({status: 'ok'})
    for (const name of names) await user.waitFor(`miio2mqtt/${name}/state`, ({payload}) => payload === 'OFF')
  })

  it.each(['+', 'a+b', '#', 'a/#', '', '/a', 'a/', 'a//b', 'a\u0000b', 'a\nb', 'a\u007fb', 'a\u0085b'])(
    'are none of the name %j: the configuration is refused',
    (name) => {
      const plug = plugs['constructor']
      if (!plug) expect.fail()
      const text = configText({broker, plugs: {[name]: plug}})
      expect(() => parseConfig(text, {file: 'config.yaml', env: {}})).toThrow(/devices/)
    },
  )
})

describe('a broker that supports MQTT 3.1.1 only', async () => {
  const broker = await startMosquitto() // not used: the bridge has another in its configuration
  const aedes = await Aedes.createBroker()
  const server = createServer(acceptingOnlyMqtt311(aedes.handle))
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  ends.push(async () => {
    await new Promise<void>((resolve) => aedes.close(resolve))
    server.close()
  })
  const desk = await startPlug({address: loopback(6, 1)})
  const url = `mqtt://127.0.0.1:${port}`
  const user = await connectAsync(url)
  ends.push(() => user.endAsync(true))
  await user.publishAsync('miio2mqtt/desk/set/led', 'ON', {qos: 1, retain: true})
  const bridge = await startBridge({broker, plugs: {desk}, config: {mqtt: {url}}})
  const came = new Map<string, string[]>()
  user.on('message', (topic, payload) => {
    came.set(topic, [...(came.get(topic) ?? []), payload.toString()])
  })
  await user.subscribeAsync('#', {qos: 1})

  it('is used with 3.1.1, without a warning, and does the same', async () => {
    expect(bridge.log.find(({mqtt}) => mqtt !== undefined)).toMatchObject({mqtt: '3.1.1'})
    await until(() => came.get('miio2mqtt/bridge/state')?.includes(ONLINE), {what: 'online'})
    await user.publishAsync('miio2mqtt/desk/set', '{"state":"ON","transaction":"3.1.1"}', {qos: 1})
    const results = await until(() => came.get('miio2mqtt/desk/response'), {what: 'the result'})
    expect(results.map((result) => JSON.parse(result))).toMatchObject([{status: 'ok', transaction: '3.1.1'}])
    expect(JSON.parse(came.get('miio2mqtt/desk')?.at(-1) ?? '{}')).toMatchObject({state: 'ON'})
    expect(commandsIn(desk.received)).toEqual(['set_power on'])
    expect(warnings(bridge)).toEqual([
      expect.stringContaining('ignored a retained message on miio2mqtt/desk/set/led:'),
    ])
  })
})

describe('all brokers', () => {
  it('No topic has +, #, an empty level or a control character, whatever the name of a plug.', () => {
    const topics = new Set(watchers.flatMap(({messages}) => messages.map(({topic}) => topic)))
    expect(topics.size).toBeGreaterThan(100)
    expect([...topics].filter((topic) => /[+#\p{Cc}]|^\/|\/\/|\/$|^$/u.test(topic))).toEqual([])
  })
})
