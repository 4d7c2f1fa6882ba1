import {createSocket, type RemoteInfo, type Socket} from 'node:dgram'
import {once} from 'node:events'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {MIIO_PORT, parsePacket} from '../../src/miio/packet.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {inReachOfBroadcasts, startBridge, startPlug, TOKEN} from '../support/bridge.ts'
import {CommandClient, commandsIn} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {randomBytes} from '../support/seeds.ts'
import {seeded} from '../support/virtual-clock.ts'
import {until} from '../support/wait.ts'

/** No poll takes a mishap that is meant for a command. */
const RARELY = {poll: {interval: '1h', slow_interval: '1h'}}
const AT_ONCE = {poll: {interval: '1s', slow_interval: '1h', offline_after: 1}}
const ABSENT_TIMEOUT_MS = 3000
const ONLINE = '{"state":"online"}'
const OTHER_TOKEN = Buffer.from('00112233445566778899aabbccddeeff', 'hex')

const sockets = new Set<Socket>()
afterAll(() => {
  for (const socket of sockets) socket.close()
})

/** A host on the network that is no plug, and sends from the port of a plug. */
async function intruder(address: string): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(MIIO_PORT, address)
  await once(socket, 'listening')
  sockets.add(socket)
  return socket
}

interface SeenRequest {
  id: number
  method: string
  params: unknown[]
}

/** Calls `run` with every request of the bridge, just before the plug hears it. */
function onRequest(plug: SimulatedPlug, run: (request: SeenRequest, from: RemoteInfo) => void): void {
  const receive = plug.receive.bind(plug)
  plug.receive = (datagram, from) => {
    const packet = parsePacket(datagram)
    if (packet.kind === 'message')
      run(JSON.parse(plug.cipher.open(packet).toString().replace(/\0$/, '')), from)
    receive(datagram, from)
  }
}

/** Where the bridge hears: the port from which it asks `plug`. */
async function earOf(home: CommandClient, name: string, plug: SimulatedPlug): Promise<RemoteInfo> {
  const sender = new Promise<RemoteInfo>((resolve) => onRequest(plug, (_, from) => resolve(from)))
  await home.publish(name, 'get', '')
  return sender
}

/** A reply under the right token, as only the plug itself should know it. */
function reply(plug: SimulatedPlug, id: number, result: unknown, did = plug.did): Buffer {
  return plug.cipher.seal(did, plug.uptimeS, Buffer.from(`${JSON.stringify({id, result})}\0`))
}

/** What no JSON parser takes, or takes for something else than an answer. */
function malformed(id: number): string[] {
  return [
    `{"id":${id},"result":["on",99`,
    `{"id":${id},"result":[on,99]}`,
    `{"id":${id},"result"`,
    `{"id":${id}`,
    '{"id":',
    '{',
    '',
    '\0',
    'null',
    '[]',
    '"on"',
    '['.repeat(1000),
    `{"id":"${id}","result":["on",99]}`,
  ]
}

describe.concurrent('a network that loses, delays and invents', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const at = (host: number, more: Partial<Parameters<typeof startPlug>[0]> = {}) =>
    startPlug({address: loopback(1, host), ...more})
  const plugs = {
    lossy: await at(1),
    late: await at(2),
    double: await at(3),
    deaf: await at(4),
    rebooted: await at(5),
    renewed: await at(6),
    secretive: await at(7, {token: OTHER_TOKEN, profile: {wrongToken: 'silent'}}),
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
    silent: await at(18, {faults: {silence: true}}),
    revived: await at(19),
    unlucky: await at(20, {random: seeded(4)}),
    pressed: await at(21),
    polled: await at(22, {faults: {delay: {fromMs: 300, toMs: 300}}}),
    short: await at(23),
    senseless: await at(26),
    measuring: await at(27, {model: 'cuco.plug.v3'}),
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
      absent: {poll: {...RARELY.poll, command_timeout: `${ABSENT_TIMEOUT_MS}ms`}},
      announced: {...AT_ONCE, id: plugs.announced.did, model},
      silent: AT_ONCE,
      revived: {poll: {...AT_ONCE.poll, command_timeout: '2s'}},
      unlucky: {poll: {...RARELY.poll, command_timeout: '2m'}},
      polled: {poll: {interval: '1s', slow_interval: '1s'}},
    },
  })
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)

  it('After a lost reply the same absolute value is sent again under another message id.', async () => {
    const {lossy} = plugs
    let losses = 0
    onRequest(lossy, ({method}) =>
      lossy.next(method === 'set_power' && losses-- > 0 ? {loseResponse: true} : {}),
    )
    for (const [payload, state] of [
      ['ON', 'ON'],
      ['TOGGLE', 'OFF'], // it would be on again if it were repeated as it is
    ] as const) {
      losses = 1
      const from = lossy.received.length
      expect(await home.mosquittoPub('lossy', 'set', payload)).toMatchObject({status: 'ok', data: {state}})
      const sent = lossy.received.slice(from).filter(({method}) => method === 'set_power')
      expect(sent.map(({params}) => params)).toEqual([[state.toLowerCase()], [state.toLowerCase()]])
      expect(sent[0]?.id).not.toBe(sent[1]?.id)
      expect(lossy.state['state']).toBe(state)
    }
    expect(home.results('lossy')).toHaveLength(2)
  })

  it('reply late: it still counts when it comes during the next try', async () => {
    plugs.late.next({delayMs: 2300}, {loseResponse: true})
    const result = await home.mosquittoPub('late', 'set', 'ON')
    expect(result).toMatchObject({status: 'ok', data: {state: 'ON'}})
    expect(commandsIn(plugs.late.received)).toEqual(['set_power on', 'set_power on'])
    expect(await home.mosquittoPub('late', 'get', '')).toMatchObject({data: {state: 'ON'}})
  })

  it('reply twice: it is worth one result, and does not answer the next question', async () => {
    plugs.double.next({copies: 3}, {copies: 3, delayMs: 100})
    expect(await home.mosquittoPub('double', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(await home.mosquittoPub('double', 'set', 'OFF')).toMatchObject({
      status: 'ok',
      data: {state: 'OFF'},
    })
    expect(commandsIn(plugs.double.received)).toEqual(['set_power on', 'set_power off'])
    expect(home.results('double')).toHaveLength(2)
    expect(await home.mosquittoPub('double', 'get', '')).toMatchObject({
      data: {state: 'OFF', temperature: 24},
    })
  })

  it('request lost: it is sent again, and carried out once', async () => {
    plugs.deaf.next({loseRequest: true})
    expect(await home.mosquittoPub('deaf', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(commandsIn(plugs.deaf.received)).toEqual(['set_power on'])
  })

  it('stamp reset by a reboot: the plug is greeted anew, the command carried out, and an event tells of the reboot', async () => {
    plugs.rebooted.powerCycle(100)
    expect(await home.mosquittoPub('rebooted', 'set', 'ON')).toMatchObject({
      status: 'ok',
      data: {state: 'ON'},
    })
    expect(commandsIn(plugs.rebooted.received)).toEqual(['set_power on'])
    expect(home.events('device_rebooted')).toEqual([{name: 'rebooted', did: plugs.rebooted.did}])
    expect(home.availabilities('rebooted')).toEqual(['online'])
  })

  it('A wrong token makes the plug offline with the reason bad_token and one log line, without the token in it.', async () => {
    const {renewed} = plugs
    renewed.changeToken(OTHER_TOKEN)
    await home.waitForAvailability('renewed', 'bad_token')
    const before = renewed.received.length
    expect(await home.mosquittoPub('renewed', 'set', 'ON')).toMatchObject({error: {code: 'bad_token'}})
    expect(await home.mosquittoPub('renewed', 'get', '')).toMatchObject({error: {code: 'bad_token'}})
    expect(renewed.received.length).toBe(before)
    const lines = bridge.log.filter(({device, level}) => device === 'renewed' && level !== 'debug')
    expect(lines.map(({level, message}) => `${level}: ${message}`)).toEqual([
      expect.stringMatching(/^warn: renewed \(127\.[\d.]+\) is offline: token wrong: /),
    ])
    const everything = JSON.stringify([bridge.log, user.messages])
    for (const token of [TOKEN, OTHER_TOKEN.toString('hex')]) expect(everything).not.toContain(token)
    renewed.changeToken(Buffer.from(TOKEN, 'hex'))
    await home.waitForAvailability('renewed', 'online')
    expect(home.availabilities('renewed')).toEqual(['online', 'bad_token', 'online'])
    expect(await home.mosquittoPub('renewed', 'set', 'ON')).toMatchObject({status: 'ok'})
  })

  it('wrong token, and a plug that is silent about it: offline with the reason bad_token, and a timeout whose message names the token', async () => {
    await home.waitForAvailability('secretive', 'bad_token')
    const {error} = await home.mosquittoPub('secretive', 'set', 'ON')
    expect(error).toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(/answered the hello but .* token is wrong/),
    })
    expect(plugs.secretive.received).toEqual([])
  })

  it('a plug that sends nothing and one that replies to hellos only differ in the log, their availability and the list of devices', async () => {
    const messages = {
      secretive: `token wrong (probably): the plug at ${plugs.secretive.address} answers a hello, but ignores requests that are encrypted with this token`,
      silent: `no answer from ${plugs.silent.address}: is the plug powered, in Wi-Fi range, and still at this address?`,
    }
    await home.waitForAvailability('secretive', 'bad_token')
    await home.waitForAvailability('silent', 'timeout')
    for (const [name, words] of Object.entries(messages)) {
      const {address} = name === 'secretive' ? plugs.secretive : plugs.silent
      const messages = bridge.log.filter(({device}) => device === name).map(({message}) => message)
      expect(messages).toContain(`${name} (${address}) is offline: ${words}`)
      const availability = JSON.parse((await user.retained()).get(`miio2mqtt/${name}/availability`) ?? '{}')
      expect(availability).toMatchObject({state: 'offline', message: words})
      await user.waitFor('miio2mqtt/bridge/devices', ({payload}) => {
        const devices: {name: string; availability: unknown}[] = JSON.parse(payload)
        const listed = devices.find((device) => device.name === name)?.availability
        return JSON.stringify(listed) === JSON.stringify(availability)
      })
    }
  })

  it.each(['not_json', 'truncated_json', 'random_bytes', 'bad_checksum'] as const)(
    'garbage (%s) in place of an answer is asked again',
    async (garble) => {
      // One plug for all of them: they take turns.
      plugs.garbled.next({garble})
      expect(
        await home.publish('garbled', 'set', JSON.stringify({state: 'TOGGLE', transaction: garble})),
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
    expect(await home.mosquittoPub('illegible', 'get', '')).toMatchObject({error: {code: 'timeout'}})
    expect(home.states('illegible')).toEqual(states)
    expect(await home.mosquittoPub('illegible', 'get', '')).toMatchObject({data: {state: 'ON'}})
  })

  it('an answer with fewer values than names is asked for in parts, never guessed', async () => {
    plugs.short.next({garble: {payload: '{"id":$id,"result":["on"]}'}})
    const {data} = await home.mosquittoPub('short', 'get', '')
    expect(data).toMatchObject({state: 'OFF', temperature: 24, led: 'OFF'})
  })

  it('A value that a plug leaves out, reports as null or garbles is null or the last known one, never an invented one.', async () => {
    const {senseless, measuring} = plugs
    const truths: Record<string, Record<string, unknown>> = {
      senseless: {state: 'ON', temperature: 31, led: 'ON'},
      measuring: {state: 'ON', power: 42, temperature: 37},
    }
    Object.assign(senseless.state, truths['senseless'])
    Object.assign(measuring.state, truths['measuring'])
    const from: Record<string, number> = {}
    for (const name of Object.keys(truths)) {
      expect((await home.mosquittoPub(name, 'get', '')).status).toBe('ok')
      from[name] = home.states(name).length
    }

    const listed = [
      '',
      '"on"',
      '"on",',
      'null,null',
      '"on","warm"',
      '"",""',
      '[],{}',
      '"on",NaN',
      '"on","31"',
    ]
    for (const values of listed) {
      senseless.next({garble: {payload: `{"id":$id,"result":[${values}]}`}})
      await home.publish('senseless', 'get', '')
    }
    let previous: string | undefined
    onRequest(measuring, ({method, params}) => {
      const items = params.map((item) => JSON.stringify(item).replace('}', `,"code":0${previous}}`))
      const isSpoiled = previous !== undefined && method === 'get_properties'
      measuring.next(isSpoiled ? {garble: {payload: `{"id":$id,"result":[${items.join()}]}`}} : {})
    })
    for (const value of ['', 'null', '"warm"', '""', '[42]', '"42"', 'NaN', '{}']) {
      previous = value && `,"value":${value}`
      await home.publish('measuring', 'get', '')
    }
    previous = undefined

    for (const [name, truth] of Object.entries(truths)) {
      const shown = home.states(name).slice(from[name])
      expect(shown.some((state) => Object.keys(truth).some((property) => state[property] === null))).toBe(
        true,
      )
      for (const state of shown)
        for (const [property, value] of Object.entries(truth))
          expect([name, property, state[property] ?? value]).toEqual([name, property, value])
      expect((await home.mosquittoPub(name, 'get', '')).data).toMatchObject(truth)
    }
  })

  it('Random datagrams, and malformed JSON in correctly encrypted packets, change nothing on MQTT.', async () => {
    const {flooded} = plugs
    const ear = await earOf(home, 'flooded', flooded)
    const stranger = await intruder(loopback(9, 1))
    const warnings = () =>
      user.messages
        .filter(({topic, payload}) => /flooded/.test(/(logging|event)$/.test(topic) ? payload : topic))
        .map(({topic}) => topic)
    const before = warnings().length
    const flood = (id: number) => {
      for (const text of malformed(id)) {
        const packet = flooded.cipher.seal(flooded.did, flooded.uptimeS, Buffer.from(text))
        stranger.send(packet, ear.port, ear.address)
        flooded.send(packet, ear)
      }
      for (let length = 0; length < 300; length++) {
        const noise = randomBytes(length)
        if (length % 2 === 0) noise.write('!1', 'latin1') // the magic number: read a little further
        stranger.send(noise, ear.port, ear.address)
        flooded.send(noise, ear)
      }
    }
    flood(1) // while nothing is asked
    flooded.setFaults({delay: {fromMs: 100, toMs: 100}})
    onRequest(flooded, ({id}) => flood(id)) // and before every answer
    expect(await home.mosquittoPub('flooded', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(await home.mosquittoPub('flooded', 'get', '')).toMatchObject({
      status: 'ok',
      data: {state: 'ON', temperature: 24},
    })
    expect(warnings().slice(before)).toEqual([
      'miio2mqtt/flooded/set',
      'miio2mqtt/flooded',
      'miio2mqtt/flooded/response',
      'miio2mqtt/flooded/get',
      'miio2mqtt/flooded',
      'miio2mqtt/flooded/response',
    ])
  })

  it('-9999 now and then is asked again: no command fails, and the plug stays online', async () => {
    plugs.hesitant.setFaults({error: {code: -9999, share: 0.25}})
    for (const state of ['ON', 'OFF', 'ON', 'OFF', 'ON', 'OFF']) {
      expect(await home.mosquittoPub('hesitant', 'set', state)).toMatchObject({status: 'ok', data: {state}})
      expect(plugs.hesitant.state['state']).toBe(state)
    }
    expect(home.availabilities('hesitant')).toEqual(['online'])
  })

  it('a reply with the id of another request does not count', async () => {
    plugs.mistaken.next({wrongId: true})
    const result = await home.mosquittoPub('mistaken', 'set', 'ON')
    expect(result).toMatchObject({status: 'ok'})
    expect(commandsIn(plugs.mistaken.received)).toEqual(['set_power on', 'set_power on'])
  })

  it('A reply of another plug or from another address is ignored.', async () => {
    const {forged, posed} = plugs
    const stranger = await intruder(loopback(9, 2))
    forged.setFaults({delay: {fromMs: 100, toMs: 100}}) // the forgeries come first
    onRequest(forged, ({id}, from) => {
      stranger.send(reply(forged, id, ['on', 99]), from.port, from.address)
      forged.send(reply(forged, id, ['on', 99], forged.did + 1), from)
      forged.send(reply(forged, id + 1, ['on', 99]), from)
    })
    const states = home.states('forged')
    const {data} = await home.mosquittoPub('forged', 'get', '')
    expect(data).toMatchObject({state: 'OFF', temperature: 24, led: 'OFF'})
    expect(home.states('forged').slice(states.length)).toEqual([data])

    // And no other plug answers for a plug that is silent.
    onRequest(posed, ({id}, from) => {
      stranger.send(reply(posed, id, ['on', 99]), from.port, from.address)
      posed.send(reply(posed, id, ['on', 99], forged.did), from)
    })
    posed.next(...Array.from({length: 6}, () => ({loseRequest: true})))
    expect(await home.mosquittoPub('posed', 'get', '')).toMatchObject({error: {code: 'timeout'}})
    expect(home.states('posed').map(({state}) => state)).not.toContain('ON')
  })

  it('A value that a plug did not confirm is never published, and the result is a timeout within the command timeout.', async () => {
    const {absent} = plugs
    const shown = () => home.states('absent').map(({state}) => state)
    absent.setFaults({silence: true})
    const deaf = await home.mosquittoPub('absent', 'set', 'ON')
    // It executes the command, and its response is lost.
    absent.setFaults({})
    absent.next(...Array.from({length: 5}, () => ({loseResponse: true})))
    const mute = await home.mosquittoPub('absent', 'set', 'ON')
    for (const {error, elapsed_ms: elapsed} of [deaf, mute]) {
      expect(error).toMatchObject({code: 'timeout'})
      expect(elapsed).toBeLessThan(ABSENT_TIMEOUT_MS + 500)
    }
    expect(absent.state['state']).toBe('ON')
    expect(shown()).not.toContain('ON')
  })

  it('-30001 to get_power of a v3: the watts are unknown, the relay is not', async () => {
    const {v3} = plugs
    const refuse = {code: -30001, message: 'Resp invalid json.'}
    onRequest(v3, ({method}) => v3.next(method === 'get_power' ? {refuse} : {}))
    expect((await home.mosquittoPub('v3', 'get', '')).data).toMatchObject({state: 'OFF', power: null})
    expect(await home.mosquittoPub('v3', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect((await home.mosquittoPub('v3', 'get', '')).data).toMatchObject({state: 'ON', power: null})
    expect(home.availabilities('v3')).toEqual(['online'])
  })

  it('A plug that is offline at the start is announced as offline, and comes online without a restart.', async () => {
    const discovery = `homeassistant/device/miio2mqtt_${plugs.announced.did}/config`
    expect(JSON.parse((await user.retained()).get(discovery) ?? '{}')).toMatchObject({
      device: {name: 'announced'},
    })
    expect(home.availabilities('announced')).toEqual(['timeout'])
    plugs.announced.state['state'] = 'ON'
    plugs.announced.setFaults({})
    await home.waitForAvailability('announced', 'online')
    await home.waitForState('announced', ({state}) => state === 'ON')
  })

  it('a plug off at the start of which nothing is known is offline, and announced when it comes', async () => {
    const discovery = `homeassistant/device/miio2mqtt_${plugs.silent.did}/config`
    expect(home.availabilities('silent')).toEqual(['timeout'])
    expect((await user.retained()).has(discovery)).toBe(false)
    plugs.silent.setFaults({})
    await home.waitForAvailability('silent', 'online')
    await user.waitFor(discovery)
    expect(await home.mosquittoPub('silent', 'set', 'ON')).toMatchObject({status: 'ok'})
  })

  it('A command to an offline plug fails in time, is not stored, and switches nothing when the plug returns.', async () => {
    const {revived} = plugs
    revived.setFaults({silence: true})
    const fails = async (payload: string) => {
      const result = await home.mosquittoPub('revived', 'set', payload)
      expect(['timeout', 'expired']).toContain(result.error?.code)
      expect(result.elapsed_ms).toBeLessThan(2500) // its command timeout is 2 s
    }
    await fails('ON') // it went silent a moment ago, which is not known yet
    await home.waitForAvailability('revived', 'timeout')
    await fails('{"state":"TOGGLE","led":"ON"}')
    revived.state['temperature'] = 31
    revived.setFaults({})
    await home.waitForAvailability('revived', 'online')
    await home.waitForState('revived', ({temperature}) => temperature === 31)
    // An hour passes for it: a few polls, of which one would bring a command that was kept.
    const polls = revived.received.length
    await until(() => revived.received.length > polls + 3, {what: 'polls after its return'})
    expect(await home.mosquittoPub('revived', 'get', '')).toMatchObject({data: {state: 'OFF', led: 'OFF'}})
    expect(commandsIn(revived.received)).toEqual([])
  })

  it('half of all questions lost, or their answers: every command is carried out all the same, and a TOGGLE changes the relay once', async () => {
    const {unlucky} = plugs
    unlucky.setFaults({loss: 0.3, loseResponses: 0.3}) // on the way there and back: half of them
    expect(await home.publish('unlucky', 'set', 'ON')).toMatchObject({status: 'ok', data: {state: 'ON'}})
    expect(unlucky.state['state']).toBe('ON')
    const before = unlucky.received.length
    expect(await home.publish('unlucky', 'set', 'TOGGLE')).toMatchObject({status: 'ok', data: {state: 'OFF'}})
    expect(unlucky.state['state']).toBe('OFF')
    expect(new Set(commandsIn(unlucky.received.slice(before)))).toEqual(new Set(['set_power off']))
    unlucky.setFaults({})
    expect(home.results('unlucky')).toHaveLength(2)
  })

  it('A value is published after the plug confirmed it and read again within 2 s, and a warning reports a difference.', async () => {
    const {pressed} = plugs
    pressed.state['state'] = 'OFF'
    const states = home.states('pressed').length
    pressed.next({delayMs: 1000}) // switched at once, and confirmed a second later
    const from = pressed.received.length
    const result = home.publish('pressed', 'set', 'ON')
    await until(() => commandsIn(pressed.received.slice(from)).length > 0, {what: 'the command'})
    const {at: switchedAt} = pressed.received.at(-1) ?? expect.fail()
    pressed.state['state'] = 'OFF' // its button, before it is read again
    await user.publish('miio2mqtt/bridge/request/info', '{"transaction":"pressed"}')
    await user.waitFor('miio2mqtt/bridge/response/info', ({payload}) => payload.includes('"pressed"'))
    expect(pressed.inFlight).toBe(1)
    expect(home.states('pressed').slice(states)).toEqual([])
    expect(await result).toMatchObject({status: 'ok', data: {state: 'ON'}})
    await home.waitForState('pressed', ({state}) => state === 'OFF', states)
    const readBack = pressed.received.slice(from).find(({method}) => method === 'get_prop')
    expect((readBack?.at ?? Number.NaN) - (switchedAt + 1000)).toBeLessThan(2000)
    expect(
      home
        .states('pressed')
        .slice(states)
        .map(({state}) => state),
    ).toEqual(['ON', 'OFF'])
    expect(home.warnings().filter((text) => text.startsWith('pressed'))).toEqual([
      expect.stringMatching(
        /^pressed \(127\.[\d.]+\): the plug confirmed state ON, but now reports state OFF$/,
      ),
    ])
  })

  it('A command during a poll never makes the state change to the new value, back, and to the new value again.', async () => {
    const {polled} = plugs
    const states = home.states('polled').length
    const wanted = ['ON', 'OFF', 'ON', 'OFF', 'ON', 'OFF']
    for (const [turn, state] of wanted.entries()) {
      const asked = polled.received.length
      // A poll of its own accord, which gives way, or one that was wanted: it goes on after the command.
      const get = turn % 2 === 0 ? undefined : home.publish('polled', 'get', '')
      await until(() => polled.received.length > asked && polled.inFlight === 1, {what: 'a question'})
      // The answer with the old state is on its way.
      expect(await home.publish('polled', 'set', state)).toMatchObject({status: 'ok'})
      if (get) expect(await get).toMatchObject({status: 'ok'})
    }
    await home.publish('polled', 'get', '')
    const shown = home
      .states('polled')
      .slice(states)
      .map(({state}) => state)
    expect(shown.filter((state, at) => state !== shown[at - 1])).toEqual(wanted)
    expect(polled.maxInFlight).toBe(1)
  })

  it.sequential('every command got exactly one result, there was no internal error, and no token was shown', () => {
    for (const {name, commands, results} of home.balance())
      expect({name, results}).toEqual({name, results: commands})
    expect(bridge.log.filter(({level}) => level === 'error')).toEqual([])
    expect(user.messages.filter(({payload}) => payload.includes(TOKEN))).toEqual([])
  })
})

describe('a plug that gets another address', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  const wanderer = await startPlug({address: loopback(2, 1)})
  const left = await startPlug({address: loopback(2, 3), token: randomBytes(16)})
  const right = await startPlug({address: loopback(2, 4), token: randomBytes(16)})
  const plugs = {wanderer, left, right}
  await inReachOfBroadcasts(Object.values(plugs))
  const hosts: Readonly<Record<string, string>> = {
    wanderer: loopback(2, 1),
    left: loopback(2, 3),
    right: loopback(2, 4),
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
  let bridge = await start([BROADCAST])
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

  it('A plug at a new address works again without an edit, and B/bridge/devices has the address.', async () => {
    await wanderer.moveTo(loopback(2, 2))
    await until(() => home.events('device_moved').length > 0, {what: 'the event'})
    expect(home.events('device_moved')).toEqual([
      {name: 'wanderer', did: wanderer.did, from: loopback(2, 1), to: loopback(2, 2)},
    ])
    expect(await home.mosquittoPub('wanderer', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(wanderer.state['state']).toBe('ON')
    expect(home.availabilities('wanderer')).toEqual(['online'])
    await until(async () => (await addresses())['wanderer'] === loopback(2, 2), {what: 'the new address'})
  })

  it('is found again after a restart, without any broadcast', async () => {
    await bridge.stop()
    user.forget()
    wanderer.state['state'] = 'OFF'
    bridge = await start([])
    await user.waitFor('miio2mqtt/bridge/state', ({payload, retain}) => payload === ONLINE && !retain)
    expect(await home.mosquittoPub('wanderer', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(wanderer.state['state']).toBe('ON')
  })

  it('two plugs that swap their addresses stay who they are, and neither ever does what was meant for the other', async () => {
    await bridge.stop()
    bridge = await start([BROADCAST])
    await home.waitForAvailability('right', 'online')
    await left.moveTo(loopback(2, 5))
    await right.moveTo(loopback(2, 3))
    await left.moveTo(loopback(2, 4))
    await until(
      async () => JSON.stringify(home.events('device_moved')).match(/"left".*"right"|"right".*"left"/),
      {
        what: 'both moved',
      },
    )
    expect(await home.mosquittoPub('left', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(commandsIn(left.received)).toEqual(['set_power on'])
    expect(commandsIn(right.received)).toEqual([])
  })
})

describe('a plug that is off when the bridge starts again', async () => {
  const broker = await startMosquitto()
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  const plug = await startPlug({address: loopback(3, 1)})
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
    plug.setFaults({silence: true})
    const user = await Watcher.open(broker)
    const home = new CommandClient(broker, user)
    bridge = await start()
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
    expect((await user.waitFor(discovery)).payload).toBe(announced)
    expect(home.availabilities('kettle')).toEqual(['timeout'])
    plug.setFaults({})
    await home.waitForAvailability('kettle', 'online')
    await home.waitForState('kettle', ({state}) => state === 'OFF')
  })
})
