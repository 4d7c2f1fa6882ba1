import {randomBytes} from 'node:crypto'
import {createSocket, type RemoteInfo, type Socket} from 'node:dgram'
import {once} from 'node:events'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {MIIO_PORT, parsePacket} from '../../src/miio/packet.ts'
import {LOOPBACK_BROADCAST} from '../../src/simulator/neighbourhood.ts'
import type {SimulatedPlug} from '../../src/simulator/plug.ts'
import {inReachOfBroadcasts, startBridge, startPlug, TOKEN} from '../support/bridge.ts'
import {Conversation, commandsIn} from '../support/conversation.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

/** No poll takes a mishap that is meant for a command. */
const RARELY = {poll: {interval: '1h', slow_interval: '1h'}}
const AT_ONCE = {poll: {interval: '1s', slow_interval: '1h', offline_after: 1}}
const ONLINE = '{"state":"online"}'
const OTHER_TOKEN = Buffer.from('00112233445566778899aabbccddeeff', 'hex')

const sockets = new Set<Socket>()
afterAll(() => {
  for (const socket of sockets) socket.close()
})

/** Somebody on the LAN who is no plug, but speaks from the port of one. */
async function intruder(address: string): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(MIIO_PORT, address)
  await once(socket, 'listening')
  sockets.add(socket)
  return socket
}

interface Overheard {
  id: number
  method: string
}

/** Calls `run` with every request of the bridge, just before the plug hears it. */
function overhear(plug: SimulatedPlug, run: (request: Overheard, from: RemoteInfo) => void): void {
  const hear = plug.hear.bind(plug)
  plug.hear = (datagram, from) => {
    const packet = parsePacket(datagram)
    if (packet.kind === 'message')
      run(JSON.parse(plug.cipher.open(packet).toString().replace(/\0$/, '')), from)
    hear(datagram, from)
  }
}

/** Where the bridge hears: the port from which it asks `plug`. */
async function earOf(home: Conversation, name: string, plug: SimulatedPlug): Promise<RemoteInfo> {
  const heard = new Promise<RemoteInfo>((resolve) => overhear(plug, (_, from) => resolve(from)))
  await home.say(name, 'get', '')
  return heard
}

/** A reply under the right token, as only the plug itself should know it. */
function reply(plug: SimulatedPlug, id: number, result: unknown, did = plug.did): Buffer {
  return plug.cipher.seal(did, plug.uptimeS, Buffer.from(`${JSON.stringify({id, result})}\0`))
}

/** The same chances in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe.concurrent('a network that loses, delays and invents', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new Conversation(broker, user)
  const at = (host: number, more: Partial<Parameters<typeof startPlug>[0]> = {}) =>
    startPlug({address: `127.72.1.${host}`, ...more})
  const plugs = {
    lossy: await at(1),
    late: await at(2),
    double: await at(3),
    deaf: await at(4),
    rebooted: await at(5),
    renewed: await at(6),
    secretive: await at(7, {token: OTHER_TOKEN, habits: {wrongToken: 'silent'}}),
    garbled: await at(8),
    illegible: await at(9),
    flooded: await at(10),
    hesitant: await at(11),
    mistaken: await at(12),
    forged: await at(13),
    posed: await at(14),
    absent: await at(15),
    v3: await at(16, {model: 'chuangmi.plug.v3'}),
    announced: await at(17, {faults: {silence: true}}),
    unheard: await at(18, {faults: {silence: true}}),
    revived: await at(19),
    unlucky: await at(20, {random: seeded(4)}),
    pressed: await at(21),
    polled: await at(22, {faults: {delay: {fromMs: 300, toMs: 300}}}),
    short: await at(23),
    senseless: await at(26),
    shortcircuited: await at(24),
    drowsy: await at(25),
  }
  const model = 'chuangmi.plug.m1'
  const bridge = await startBridge({
    broker,
    plugs,
    devices: {
      ...Object.fromEntries(Object.keys(plugs).map((name) => [name, RARELY])),
      renewed: AT_ONCE,
      secretive: {model, poll: {...RARELY.poll, command_timeout: '3s'}},
      hesitant: {poll: {interval: '1s', slow_interval: '1s'}},
      absent: {poll: {...RARELY.poll, command_timeout: '3s'}},
      announced: {...AT_ONCE, id: plugs.announced.did, model},
      unheard: AT_ONCE,
      revived: {poll: {...AT_ONCE.poll, command_timeout: '2s'}},
      unlucky: {poll: {...RARELY.poll, command_timeout: '2m'}},
      polled: {poll: {interval: '1s', slow_interval: '1s'}},
      drowsy: {poll: {interval: '1s', slow_interval: '1h'}},
    },
  })
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE, 20_000)

  it('reply lost: the command is repeated under another id, with the same value, and answered once', async () => {
    const {lossy} = plugs
    lossy.next({loseReply: true})
    expect(await home.type('lossy', 'set', 'ON')).toMatchObject({status: 'ok', data: {state: 'ON'}})
    const sent = lossy.received.filter(({method}) => method === 'set_power')
    expect(sent.map(({params}) => params)).toEqual([['on'], ['on']])
    expect(sent[0]?.id).not.toBe(sent[1]?.id)
    expect(home.results('lossy')).toHaveLength(1)
  })

  it('a TOGGLE whose reply is lost does not switch back', async () => {
    const {shortcircuited: plug} = plugs
    plug.next({}, {loseReply: true}) // the relay is read first
    expect(await home.type('shortcircuited', 'set', 'TOGGLE')).toMatchObject({data: {state: 'ON'}})
    expect(commandsIn(plug.received)).toEqual(['set_power on', 'set_power on'])
    expect(plug.state['state']).toBe('ON')
  })

  it('reply late: it still counts when it comes during the next try', async () => {
    plugs.late.next({delayMs: 2300}, {loseReply: true})
    const result = await home.type('late', 'set', 'ON')
    expect(result).toMatchObject({status: 'ok', data: {state: 'ON'}})
    expect(commandsIn(plugs.late.received)).toEqual(['set_power on', 'set_power on'])
    expect(await home.type('late', 'get', '')).toMatchObject({data: {state: 'ON'}})
  })

  it('reply twice: it is worth one result, and does not answer the next question', async () => {
    plugs.double.next({copies: 3}, {copies: 3, delayMs: 100})
    expect(await home.type('double', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(await home.type('double', 'set', 'OFF')).toMatchObject({status: 'ok', data: {state: 'OFF'}})
    expect(commandsIn(plugs.double.received)).toEqual(['set_power on', 'set_power off'])
    expect(home.results('double')).toHaveLength(2)
    expect(await home.type('double', 'get', '')).toMatchObject({data: {state: 'OFF', temperature: 24}})
  })

  it('request lost: it is sent again, and carried out once', async () => {
    plugs.deaf.next({loseRequest: true})
    expect(await home.type('deaf', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(commandsIn(plugs.deaf.received)).toEqual(['set_power on'])
  })

  it('stamp reset by a reboot: the plug is greeted anew, the command carried out, and an event tells of the reboot', async () => {
    plugs.rebooted.powerCycle(100)
    expect(await home.type('rebooted', 'set', 'ON')).toMatchObject({status: 'ok', data: {state: 'ON'}})
    expect(commandsIn(plugs.rebooted.received)).toEqual(['set_power on'])
    expect(home.events('device_rebooted')).toEqual([{name: 'rebooted', did: plugs.rebooted.did}])
    expect(home.availabilities('rebooted')).toEqual(['online'])
  })

  it('token changed while the bridge runs: offline because of it, one warning, and back as soon as it is right again', async () => {
    const {renewed} = plugs
    renewed.changeToken(OTHER_TOKEN)
    await home.isNow('renewed', 'bad_token')
    const before = renewed.received.length
    expect(await home.type('renewed', 'set', 'ON')).toMatchObject({error: {code: 'bad_token'}})
    expect(await home.type('renewed', 'get', '')).toMatchObject({error: {code: 'bad_token'}})
    expect(renewed.received.length).toBe(before)
    expect(home.warnings().filter((text) => text.includes('renewed'))).toEqual([
      expect.stringMatching(/renewed is offline: the token is wrong/),
    ])
    renewed.changeToken(Buffer.from(TOKEN, 'hex'))
    await home.isNow('renewed', 'online')
    expect(home.availabilities('renewed')).toEqual(['online', 'bad_token', 'online'])
    expect(await home.type('renewed', 'set', 'ON')).toMatchObject({status: 'ok'})
  })

  it('wrong token, and a plug that is silent about it: a timeout whose message names the token', async () => {
    expect(home.availabilities('secretive')).toEqual(['timeout'])
    const {error} = await home.type('secretive', 'set', 'ON')
    expect(error).toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(/answered the hello but .* token is wrong/),
    })
    expect(plugs.secretive.received).toEqual([])
  })

  it.each(['not_json', 'truncated_json', 'random_bytes', 'bad_checksum'] as const)(
    'garbage (%s) in place of an answer is asked again',
    async (garble) => {
      // One plug for all of them: they take turns.
      plugs.garbled.next({garble})
      expect(
        await home.say('garbled', 'set', JSON.stringify({state: 'TOGGLE', transaction: garble})),
      ).toMatchObject({
        status: 'ok',
      })
    },
  )

  it('nothing but garbage: an error, and what was known stays as it was', async () => {
    plugs.illegible.state['state'] = 'ON'
    const states = home.states('illegible')
    const garbled = [{garble: 'not_json'}, {garble: 'bad_checksum'}, {garble: 'truncated_json'}] as const
    plugs.illegible.next(...garbled, ...garbled) // the question, and the relay alone
    expect(await home.type('illegible', 'get', '')).toMatchObject({error: {code: 'timeout'}})
    expect(home.states('illegible')).toEqual(states)
    expect(await home.type('illegible', 'get', '')).toMatchObject({data: {state: 'ON'}})
  })

  it('an answer with fewer values than names is asked for in parts, never guessed', async () => {
    plugs.short.next({garble: {payload: '{"id":$id,"result":["on"]}'}})
    const {data} = await home.type('short', 'get', '')
    expect(data).toMatchObject({state: 'OFF', temperature: 24, led: 'OFF'})
  })

  it('a value that makes no sense is unknown, never guessed', async () => {
    plugs.senseless.next({garble: {payload: '{"id":$id,"result":["on","warm"]}'}})
    const {data} = await home.type('senseless', 'get', '')
    expect(data).toMatchObject({state: 'ON', temperature: null, led: 'OFF'})
  })

  it('random datagrams change nothing, wherever they come from', async () => {
    const {flooded} = plugs
    const bridgeEar = await earOf(home, 'flooded', flooded)
    const stranger = await intruder('127.72.9.1')
    const states = home.states('flooded')
    for (let n = 0; n < 300; n++) {
      const noise = randomBytes(n)
      if (n % 2 === 0) noise.write('!1', 'latin1') // the magic number: read a little further
      stranger.send(noise, bridgeEar.port, bridgeEar.address)
      flooded.send(noise, bridgeEar)
    }
    expect(await home.type('flooded', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(home.states('flooded').slice(states.length)).toMatchObject([{state: 'ON'}])
    expect(home.availabilities('flooded')).toEqual(['online'])
  })

  it('-9999 now and then is asked again: no command fails, and the plug stays online', async () => {
    plugs.hesitant.misbehave({error: {code: -9999, share: 0.25}})
    for (const state of ['ON', 'OFF', 'ON', 'OFF', 'ON', 'OFF']) {
      expect(await home.type('hesitant', 'set', state)).toMatchObject({status: 'ok', data: {state}})
      expect(plugs.hesitant.state['state']).toBe(state)
    }
    expect(home.availabilities('hesitant')).toEqual(['online'])
  })

  it('a reply with the id of another request does not count', async () => {
    plugs.mistaken.next({wrongId: true})
    const result = await home.type('mistaken', 'set', 'ON')
    expect(result).toMatchObject({status: 'ok'})
    expect(commandsIn(plugs.mistaken.received)).toEqual(['set_power on', 'set_power on'])
  })

  it('forged replies do not count: not from another address, not from another device', async () => {
    const {forged} = plugs
    const stranger = await intruder('127.72.9.2')
    forged.misbehave({delay: {fromMs: 100, toMs: 100}}) // the forgeries come first
    overhear(forged, ({id}, from) => {
      stranger.send(reply(forged, id, ['on', 99]), from.port, from.address)
      forged.send(reply(forged, id, ['on', 99], forged.did + 1), from)
      forged.send(reply(forged, id + 1, ['on', 99]), from)
    })
    const states = home.states('forged')
    const {data} = await home.type('forged', 'get', '')
    expect(data).toMatchObject({state: 'OFF', temperature: 24, led: 'OFF'})
    expect(home.states('forged').slice(states.length)).toEqual([data])
  })

  it('nobody else can answer for a plug that is silent', async () => {
    const {posed} = plugs
    const stranger = await intruder('127.72.9.3')
    overhear(posed, ({id}, from) => stranger.send(reply(posed, id, ['ok']), from.port, from.address))
    posed.next(...Array.from({length: 6}, () => ({loseRequest: true})))
    expect(await home.type('posed', 'get', '')).toMatchObject({error: {code: 'timeout'}})
    expect(home.states('posed').map(({state}) => state)).not.toContain('ON')
  })

  it('without an answer the value asked for is never shown, and the result is a timeout', async () => {
    plugs.absent.misbehave({silence: true})
    expect(await home.type('absent', 'set', 'ON')).toMatchObject({error: {code: 'timeout'}})
    expect(home.states('absent').map(({state}) => state)).not.toContain('ON')
  })

  it('-30001 to get_power of a v3: the watts are unknown, the relay is not', async () => {
    const {v3} = plugs
    const refuse = {code: -30001, message: 'Resp invalid json.'}
    overhear(v3, ({method}) => v3.next(method === 'get_power' ? {refuse} : {}))
    expect((await home.type('v3', 'get', '')).data).toMatchObject({state: 'OFF', power: null})
    expect(await home.type('v3', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect((await home.type('v3', 'get', '')).data).toMatchObject({state: 'ON', power: null})
    expect(home.availabilities('v3')).toEqual(['online'])
  })

  it('a plug off at the start is announced when its id and model are configured, and comes online without a restart', async () => {
    const discovery = `homeassistant/device/miio2mqtt_${plugs.announced.did}/config`
    expect(JSON.parse((await user.retained()).get(discovery) ?? '{}')).toMatchObject({
      device: {name: 'announced'},
    })
    expect(home.availabilities('announced')).toEqual(['timeout'])
    plugs.announced.state['state'] = 'ON'
    plugs.announced.misbehave({})
    await home.isNow('announced', 'online', 40_000)
    await home.stateOf('announced', ({state}) => state === 'ON')
  }, 60_000)

  it('a plug off at the start of which nothing is known is offline, and announced when it comes', async () => {
    const discovery = `homeassistant/device/miio2mqtt_${plugs.unheard.did}/config`
    expect(home.availabilities('unheard')).toEqual(['timeout'])
    expect((await user.retained()).has(discovery)).toBe(false)
    plugs.unheard.misbehave({})
    await home.isNow('unheard', 'online', 40_000)
    await user.waitFor(discovery)
    expect(await home.type('unheard', 'set', 'ON')).toMatchObject({status: 'ok'})
  }, 60_000)

  it('a command to a dead plug is over when it is answered: it switches nothing when the plug comes back', async () => {
    const {revived} = plugs
    revived.misbehave({silence: true})
    const result = await home.type('revived', 'set', 'ON')
    expect(result).toMatchObject({error: {code: 'timeout'}})
    expect(result.elapsed_ms).toBeLessThan(4000)
    await home.isNow('revived', 'timeout')
    revived.state['temperature'] = 31
    revived.misbehave({})
    await home.isNow('revived', 'online')
    await home.stateOf('revived', ({temperature}) => temperature === 31)
    expect(await home.type('revived', 'get', '')).toMatchObject({data: {state: 'OFF'}})
    expect(commandsIn(revived.received)).toEqual([])
  })

  it('half of all questions lost, or their answers: every command is carried out all the same, and a TOGGLE changes the relay once', async () => {
    const {unlucky} = plugs
    unlucky.misbehave({loss: 0.3, loseReplies: 0.3}) // on the way there and back: half of them
    expect(await home.say('unlucky', 'set', 'ON')).toMatchObject({status: 'ok', data: {state: 'ON'}})
    expect(unlucky.state['state']).toBe('ON')
    const before = unlucky.received.length
    expect(await home.say('unlucky', 'set', 'TOGGLE')).toMatchObject({status: 'ok', data: {state: 'OFF'}})
    expect(unlucky.state['state']).toBe('OFF')
    expect(new Set(commandsIn(unlucky.received.slice(before)))).toEqual(new Set(['set_power off']))
    unlucky.misbehave({})
    expect(home.results('unlucky')).toHaveLength(2)
  }, 120_000)

  it('two polls in vain do not make a plug offline', async () => {
    const {drowsy} = plugs
    const hear = drowsy.hear.bind(drowsy)
    const triesInVain = 2 * 3
    let tries = 0
    drowsy.hear = (datagram, from) => {
      if (++tries > triesInVain) drowsy.misbehave({})
      hear(datagram, from)
    }
    drowsy.misbehave({silence: true})
    drowsy.state['state'] = 'ON'
    await home.stateOf('drowsy', ({state}) => state === 'ON', 0, 25_000)
    expect(tries).toBeGreaterThan(triesInVain)
    expect(home.availabilities('drowsy')).toEqual(['online'])
  }, 40_000)

  it('a button pressed right after a set: the plug has the last word, and a warning tells', async () => {
    const {pressed} = plugs
    pressed.state['state'] = 'OFF'
    const states = home.states('pressed').length
    expect(await home.say('pressed', 'set', 'ON')).toMatchObject({status: 'ok'})
    pressed.state['state'] = 'OFF'
    await home.stateOf('pressed', ({state}) => state === 'OFF', states)
    expect(
      home
        .states('pressed')
        .slice(states)
        .map(({state}) => state),
    ).toEqual(['ON', 'OFF'])
    expect(home.warnings().filter((text) => text.startsWith('pressed'))).toEqual([
      'pressed: the plug said ok to state ON, but now says state is OFF',
    ])
  })

  it('commands amid slow polls: the state goes where it was told to, never back and forth', async () => {
    const states = home.states('polled').length
    const wanted = Array.from({length: 8}, (_, n) => (n % 2 === 0 ? 'ON' : 'OFF'))
    for (const state of wanted) expect(await home.say('polled', 'set', state)).toMatchObject({status: 'ok'})
    await home.say('polled', 'get', '')
    const shown = home
      .states('polled')
      .slice(states, -1)
      .map(({state}) => state)
    expect(shown).toEqual(wanted)
    expect(plugs.polled.maxInFlight).toBe(1)
  })

  it.sequential('every command got exactly one result, nothing unforeseen happened, and no token was told', () => {
    for (const {name, commands, results} of home.balance())
      expect({name, results}).toEqual({name, results: commands})
    expect(bridge.log.filter(({level}) => level === 'error')).toEqual([])
    expect(user.messages.filter(({payload}) => payload.includes(TOKEN))).toEqual([])
  })
})

describe('a plug that gets another address', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new Conversation(broker, user)
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  const wanderer = await startPlug({address: '127.72.2.1'})
  const left = await startPlug({address: '127.72.2.3', token: randomBytes(16)})
  const right = await startPlug({address: '127.72.2.4', token: randomBytes(16)})
  const plugs = {wanderer, left, right}
  await inReachOfBroadcasts(Object.values(plugs))
  const hosts: Readonly<Record<string, string>> = {
    wanderer: '127.72.2.1',
    left: '127.72.2.3',
    right: '127.72.2.4',
  }
  /** The file stays as it is: whatever address is new was found by the bridge itself. */
  const devices = Object.fromEntries(
    Object.entries(plugs).map(([name, {token}]) => [
      name,
      {host: hosts[name], token: token.toString('hex'), poll: {command_timeout: '2s'}},
    ]),
  )
  const start = (broadcast: string[]) =>
    startBridge({broker, plugs, folder, devices, config: {network: {broadcast}, poll: {interval: '1s'}}})
  let bridge = await start([LOOPBACK_BROADCAST])
  afterAll(async () => {
    await bridge.stop()
    await rm(folder, {recursive: true})
  })
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
  const addresses = async () => {
    const devicesNow: {name: string; address: string}[] = JSON.parse(
      (await user.retained()).get('miio2mqtt/bridge/devices') ?? '[]',
    )
    return Object.fromEntries(devicesNow.map(({name, address}) => [name, address]))
  }

  it('is found there, and goes on without any edit', async () => {
    await wanderer.moveTo('127.72.2.2')
    await until(() => home.events('device_moved').length > 0, {within: 20_000, what: 'the event'})
    expect(home.events('device_moved')).toEqual([
      {name: 'wanderer', did: wanderer.did, from: '127.72.2.1', to: '127.72.2.2'},
    ])
    expect(await home.type('wanderer', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(wanderer.state['state']).toBe('ON')
    expect(home.availabilities('wanderer')).toEqual(['online'])
  }, 40_000)

  it('has its new address in bridge/devices', async () => {
    await until(async () => (await addresses())['wanderer'] === '127.72.2.2', {what: 'the new address'})
  })

  it('is found again after a restart, without any broadcast', async () => {
    await bridge.stop()
    user.forget()
    wanderer.state['state'] = 'OFF'
    bridge = await start([])
    await user.waitFor('miio2mqtt/bridge/state', ({payload, retain}) => payload === ONLINE && !retain)
    expect(await home.type('wanderer', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(wanderer.state['state']).toBe('ON')
  })

  it('two plugs that swap their addresses stay who they are, and neither ever does what was meant for the other', async () => {
    await bridge.stop()
    bridge = await start([LOOPBACK_BROADCAST])
    await home.isNow('right', 'online')
    await left.moveTo('127.72.2.5')
    await right.moveTo('127.72.2.3')
    await left.moveTo('127.72.2.4')
    await until(
      async () => JSON.stringify(home.events('device_moved')).match(/"left".*"right"|"right".*"left"/),
      {
        within: 25_000,
        what: 'both moved',
      },
    )
    expect(await home.type('left', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(commandsIn(left.received)).toEqual(['set_power on'])
    expect(commandsIn(right.received)).toEqual([])
  }, 60_000)
})

describe('a plug that is off when the bridge starts again', async () => {
  const broker = await startMosquitto()
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  const plug = await startPlug({address: '127.72.3.1'})
  const start = () => startBridge({broker, plugs: {kettle: plug}, folder})
  let bridge = await start()
  afterAll(async () => {
    await bridge.stop()
    await rm(folder, {recursive: true})
  })
  const before = await Watcher.open(broker)
  await before.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
  const discovery = `homeassistant/device/miio2mqtt_${plug.did}/config`
  const announced = (await before.waitFor(discovery)).payload
  await bridge.stop()
  await before.stop()
  await broker.restart()

  it('is remembered and announced as it was, offline, and comes online without a restart', async () => {
    plug.misbehave({silence: true})
    const user = await Watcher.open(broker)
    const home = new Conversation(broker, user)
    bridge = await start()
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE, 15_000)
    expect((await user.waitFor(discovery)).payload).toBe(announced)
    expect(home.availabilities('kettle')).toEqual(['timeout'])
    plug.misbehave({})
    await home.isNow('kettle', 'online', 30_000)
    await home.stateOf('kettle', ({state}) => state === 'OFF')
  }, 60_000)
})
