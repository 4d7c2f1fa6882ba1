import {execFile} from 'node:child_process'
import {promisify} from 'node:util'
import {describe, expect, it, vi} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient, commandsIn, withoutSignal} from '../support/command-client.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {mosquittoPub, Watcher} from '../support/mqtt-user.ts'
import {randomBytes} from '../support/seeds.ts'
import {until} from '../support/wait.ts'

const run = promisify(execFile)
/** So long that no poll happens in a test after the first one: whatever a plug receives was asked for. */
const RARELY = {interval: '1h', slow_interval: '1h'}
const ONLINE = '{"state":"online"}'

/** Contract §4, without `internal`: that would be a mistake of ours. */
const CODES: Readonly<Record<string, readonly unknown[]>> = {
  ok: [undefined],
  error: [
    'timeout',
    'bad_token',
    'unreachable',
    'refused',
    'invalid_payload',
    'unknown_property',
    'not_writable',
    'out_of_range',
    'superseded',
    'queue_full',
    'expired',
    'disabled',
  ],
}

interface Answer {
  payload: string
  properties: Record<string, unknown>
}

/** `mosquitto_rr`: a command with an MQTT 5 response topic, and what is answered there. */
async function requestResponse(broker: Mosquitto, topic: string, ...args: string[]): Promise<Answer> {
  const place = ['-h', broker.host, '-p', String(broker.port), '-t', topic, '-W', '60', '-F', '%j']
  const {stdout} = await run('mosquitto_rr', [...place, ...args])
  return JSON.parse(stdout)
}

describe('commands by hand', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const plugs = {
    desk: await startPlug({address: loopback(1, 1)}),
    heater: await startPlug({address: loopback(1, 2), model: 'chuangmi.plug.v3'}),
    'kitchen/kettle': await startPlug({address: loopback(1, 3), model: 'chuangmi.plug.v1'}),
    'Küche/Lampe 1': await startPlug({address: loopback(1, 4)}),
    shy: await startPlug({address: loopback(1, 5)}),
    dead: await startPlug({address: loopback(1, 6), faults: {silence: true}}),
    stranger: await startPlug({address: loopback(1, 7), faults: {wrongToken: 'nak'}}),
    nowhere: await startPlug({address: loopback(1, 8)}),
    unplugged: await startPlug({address: loopback(1, 9)}),
    busy: await startPlug({address: loopback(1, 10), faults: {delay: {fromMs: 150, toMs: 150}}}),
    crowded: await startPlug({address: loopback(1, 11)}),
    mute: await startPlug({address: loopback(1, 12), faults: {silence: true}}),
    quiet: await startPlug({address: loopback(1, 13)}),
  }
  const {desk, heater, shy, busy, quiet} = plugs
  const known = {model: 'chuangmi.plug.m1'}
  const bridge = await startBridge({
    broker,
    plugs,
    config: {poll: RARELY},
    devices: {
      dead: {...known, poll: {command_timeout: '3s'}},
      stranger: known,
      // Its id is known, its address is not, and there is no search.
      nowhere: {...known, host: undefined, id: 12345},
      unplugged: {disabled: true},
      crowded: {poll: {command_timeout: '2s'}},
      mute: {poll: {command_timeout: '1s'}},
    },
  })
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)

  it('ON, on, JSON and set/state all send the same single command to the plug.', async () => {
    const spellings = [
      ['set', 'ON'],
      ['set', 'on'],
      ['set', ' On '],
      ['set', '{"state":"ON"}'],
      ['set', '{ "state" : "on" }'],
      ['set', '{"state":true}'],
      ['set', 'true'],
      ['set', 'TRUE'],
      ['set', '1'],
      ['set', '"ON"'],
      ['set/state', 'ON'],
      ['set/state', '"on"'],
      ['set/state', 'true'],
      ['set/state', '1'],
    ] as const
    for (const [to, payload] of spellings) {
      desk.state['state'] = 'OFF'
      const before = desk.received.length
      const {status, data} = await home.mosquittoPub('desk', to, payload)
      const sent = commandsIn(desk.received.slice(before))
      expect({to, payload, status, data, sent}).toEqual({
        to,
        payload,
        status: 'ok',
        data: {state: 'ON'},
        sent: ['set_power on'],
      })
      expect(desk.state['state']).toBe('ON')
    }
  })

  it.each(['OFF', 'off', 'false', '0', '{"state":false}', '{"state":0}'])(
    'to set: %s makes the plug receive one set_power off',
    async (payload) => {
      desk.state['state'] = 'ON'
      const before = desk.received.length
      expect(await home.mosquittoPub('desk', 'set', payload)).toMatchObject({
        status: 'ok',
        data: {state: 'OFF'},
      })
      expect(commandsIn(desk.received.slice(before))).toEqual(['set_power off'])
    },
  )

  it('TOGGLE is one command, the opposite of the state just read from the plug, not of the last known state.', async () => {
    const pressed = [
      ['ON', 'OFF', 'set_power off'],
      ['OFF', 'ON', 'set_power on'],
    ] as const
    for (const [real, opposite, sent] of pressed) {
      await home.mosquittoPub('desk', 'set', opposite)
      await home.mosquittoPub('desk', 'get', '')
      expect(home.states('desk').at(-1)).toMatchObject({state: opposite})
      const before = desk.received.length
      desk.state['state'] = real // its button
      expect(await home.mosquittoPub('desk', 'set', 'TOGGLE')).toMatchObject({
        status: 'ok',
        data: {state: opposite},
      })
      const [read] = desk.received.slice(before)
      expect(read).toMatchObject({method: 'get_prop', params: expect.arrayContaining(['power'])})
      expect(commandsIn(desk.received.slice(before))).toEqual([sent])
    }
  })

  it('several properties in one object are each switched, once, and answered together', async () => {
    const before = heater.received.length
    const result = await home.mosquittoPub(
      'heater',
      'set',
      '{"state":"ON","usb":"on","led":"ON","transaction":"t-1"}',
    )
    expect(result).toEqual({
      status: 'ok',
      request: {set: {state: 'ON', usb: 'on', led: 'ON'}},
      data: {state: 'ON', usb: 'ON', led: 'ON'},
      transaction: 't-1',
      elapsed_ms: expect.any(Number),
    })
    expect(commandsIn(heater.received.slice(before)).sort()).toEqual([
      'set_power on',
      'set_usb_on',
      'set_wifi_led on',
    ])
  })

  it('set/usb switches the USB ports of a v3', async () => {
    heater.state['usb'] = 'ON'
    expect(await home.mosquittoPub('heater', 'set/usb', 'off')).toMatchObject({
      status: 'ok',
      data: {usb: 'OFF'},
    })
    expect(heater.state['usb']).toBe('OFF')
    await home.waitForState('heater', ({usb}) => usb === 'OFF')
  })

  it.each(['kitchen/kettle', 'Küche/Lampe 1'] as const)('a plug may be called %s', async (name) => {
    const plug = plugs[name]
    const config = (await user.retained()).get(`homeassistant/device/miio2mqtt_${plug.did}/config`) ?? '{}'
    const {command_topic: topic} = JSON.parse(config).components.state
    expect(topic).toBe(`miio2mqtt/${name}/set/state`)
    expect(await home.mosquittoPub(name, 'set/state', 'ON')).toMatchObject({status: 'ok'})
    expect(plug.state['state']).toBe('ON')
    await home.waitForState(name, ({state}) => state === 'ON')
  })

  it('get reads the plug now, and publishes what it says', async () => {
    heater.state['power'] = 1234.56
    const states = home.states('heater').length
    const result = await home.mosquittoPub('heater', 'get', '')
    expect(result).toMatchObject({status: 'ok', request: {get: null}, data: {power: 1234.56}})
    expect((await home.waitForState('heater', () => true, states))['power']).toBe(1234.56)
  })

  it('get shows what a real v3 answered, in the units of docs/topics.md', async () => {
    const garbled = (result: string) => ({garble: {payload: `{"id":$id,"result":${result}}`}})
    // On a busy machine a request is sent twice, and takes the answer meant for the next one.
    const data = await until(
      async () => {
        heater.next(garbled('["off",true,32,"on"]'), garbled('[300]'))
        const {data} = await home.mosquittoPub('heater', 'get', '')
        return data?.power === 3 ? data : undefined
      },
      {what: 'the answers of a real v3'},
    )
    expect(data).toMatchObject({state: 'OFF', usb: 'ON', temperature: 32, led: 'ON', power: 3})
  })

  it('B/N/get polls once, at once, and publishes even if nothing changed.', async () => {
    await home.mosquittoPub('quiet', 'get', '')
    const known = home.states('quiet').at(-1)
    const states = home.states('quiet').length
    const asked = quiet.received.length
    const result = await home.mosquittoPub('quiet', 'get', '{"transaction":7}')
    expect(result).toMatchObject({status: 'ok', transaction: 7})
    const state = await home.waitForState('quiet', () => true, states)
    expect(withoutSignal(state)).toEqual(withoutSignal(known))
    // The next poll would come in an hour: whatever the plug was asked, it was asked now.
    expect(quiet.received.slice(asked).flatMap(({params}) => params)).toEqual([
      'power',
      'temperature',
      'wifi_led',
    ])
    expect(home.states('quiet').slice(states)).toHaveLength(1)
  })

  it('get/power answers the power alone, and still publishes the whole state', async () => {
    heater.state['power'] = 7.5
    const states = home.states('heater').length
    const result = await home.mosquittoPub('heater', 'get/power', '')
    expect(result).toMatchObject({status: 'ok', request: {get: 'power'}})
    expect(result.data).toEqual({power: 7.5})
    expect(Object.keys(await home.waitForState('heater', () => true, states))).toEqual([
      'state',
      'usb',
      'temperature',
      'led',
      'power',
      'energy',
      'energy_today',
      'rssi',
      'last_seen',
    ])
  })

  it.each([
    [
      'unknown_property',
      'set',
      '{"colour":"red"}',
      /expected one of state, temperature, led, rssi, last_seen, got "colour"/,
    ],
    ['unknown_property', 'set/usb', 'ON', /expected one of state, temperature, led/],
    ['unknown_property', 'get/usb', '', /expected one of state, temperature, led, rssi, last_seen, got usb/],
    ['not_writable', 'set/temperature', '40', /temperature can only be read/],
    ['not_writable', 'set', '{"temperature":40}', /temperature can only be read/],
    ['invalid_payload', 'set', 'maybe', /state: expected ON, OFF or TOGGLE, got "maybe"/],
    ['invalid_payload', 'set/led', '{"led":"ON"}', /expected a bare value for led, got an object/],
    ['invalid_payload', 'set', '{"state":42}', /state: expected ON, OFF or TOGGLE, got 42/],
    ['invalid_payload', 'set', '{"state":null}', /state: expected ON, OFF or TOGGLE, got null/],
    ['invalid_payload', 'set', '{"state":{"state":"ON"}}', /expected ON, OFF or TOGGLE/],
    ['invalid_payload', 'set', '{"state":"ON"', /expected JSON/],
    ['invalid_payload', 'set', '{}', /expected at least one property/],
    ['invalid_payload', 'set', '{"transaction":1}', /expected at least one property/],
    ['invalid_payload', 'set', '', /got nothing/],
    ['invalid_payload', 'set', '   ', /got nothing/],
    ['invalid_payload', 'set', '[]', /expected ON, OFF or TOGGLE/],
    ['invalid_payload', 'set', '["ON"]', /expected ON, OFF or TOGGLE/],
    ['invalid_payload', 'get', '{"transaction":', /expected JSON/],
    ['unknown_property', 'set', '{"__proto__":"ON"}', /expected one of state, temperature, led/],
    ['unknown_property', 'set', '{"state":"ON","constructor":"ON"}', /expected one of/],
    ['unknown_property', 'set/__proto__', 'ON', /expected one of/],
    ['unknown_property', 'get/__proto__', '', /expected one of/],
  ])('%s is the answer to %s %s', async (code, to, payload, message) => {
    const before = quiet.received.length
    const result = await home.mosquittoPub('quiet', to, payload)
    expect(result).toMatchObject({status: 'error', error: {code, message: expect.stringMatching(message)}})
    expect(quiet.received.length).toBe(before)
  })

  it('Invalid payloads and payloads of 1 MB get one error each, and no packet goes to the plug.', async () => {
    const payloads: [string | Buffer, RegExp][] = [
      [Buffer.alloc(1_000_000, 'x'), /at most 16384 bytes, got 1000000/],
      [`{"state":"ON","note":"${'x'.repeat(17 * 1024)}"}`, /at most 16384 bytes/],
      [Buffer.from([0x4f, 0x4e, 0xff, 0xfe]), /expected UTF-8/],
      [Buffer.from([0]), /expected ON, OFF or TOGGLE/],
      ['{"state":42}', /expected ON, OFF or TOGGLE, got 42/],
      ['{"state":"ON"', /expected JSON/],
      ['<state>ON</state>', /expected ON, OFF or TOGGLE/],
      [randomBytes(64), /expected /],
      [`{"state":${'['.repeat(8000)}${']'.repeat(8000)}}`, /levels/],
      [`${'{"a":'.repeat(2700)}1${'}'.repeat(2700)}`, /levels/],
      [`{"state":"ON","transaction":${'['.repeat(8000)}${']'.repeat(8000)}}`, /levels/],
    ]
    const received = vi.spyOn(quiet, 'receive')
    const results = home.results('quiet').length
    for (const [payload, message] of payloads) {
      const {status, error} = await home.publish('quiet', 'set', payload)
      expect(status).toBe('error')
      expect(error).toEqual({code: 'invalid_payload', message: expect.stringMatching(message)})
    }
    expect(received).not.toHaveBeenCalled()
    received.mockRestore()
    expect(await home.publish('quiet', 'get', '')).toMatchObject({status: 'ok'})
    expect(home.results('quiet').slice(results)).toHaveLength(payloads.length + 1)
  })

  it('refused: the code the plug gave is passed on', async () => {
    shy.next({refuse: {code: -5001, message: 'invalid_arg'}})
    const {error} = await home.mosquittoPub('shy', 'set', '{"state":"ON","transaction":"r"}')
    expect(error).toMatchObject({
      code: 'refused',
      device_code: -5001,
      message: expect.stringContaining('invalid_arg'),
    })
    expect(home.states('shy').map(({state}) => state)).not.toContain('ON')
  })

  it('one of two properties refused: the result is an error, and tells which one was done', async () => {
    shy.next({}, {refuse: {code: -5001, message: 'invalid_arg'}})
    const result = await home.mosquittoPub('shy', 'set', '{"state":"ON","led":"ON"}')
    expect(result).toMatchObject({status: 'error', error: {code: 'refused'}})
    expect(result.data).toEqual({state: 'ON'})
  })

  it('timeout: a plug that is silent is tried until the command timeout, then that is the answer', async () => {
    const result = await home.mosquittoPub('dead', 'set', '{"state":"ON","transaction":{"n":1}}')
    expect(result).toMatchObject({
      status: 'error',
      request: {set: {state: 'ON'}},
      error: {code: 'timeout'},
      transaction: {n: 1},
    })
    expect(result.elapsed_ms).toBeGreaterThanOrEqual(2900)
    expect(result.elapsed_ms).toBeLessThan(6000)
    expect(home.states('dead')).toEqual([])
  })

  it.each([
    ['set', 'ON'],
    ['get', ''],
  ])(
    'a plug that has never answered gives a result to %s within the command timeout, too',
    async (to, payload) => {
      const result = await home.mosquittoPub('mute', to, payload)
      expect(result).toMatchObject({status: 'error'})
      expect(['timeout', 'expired']).toContain(result.error?.code)
      expect(result.elapsed_ms).toBeLessThan(1900)
    },
  )

  it.each([
    ['set', 'ON'],
    ['get', ''],
  ])('a message expiry shorter than the command timeout counts for %s', async (to, payload) => {
    const result = await home.mosquittoPub(
      'dead',
      to,
      payload,
      ...['-V', '5', '-D', 'publish', 'message-expiry-interval', '1'],
    )
    expect(['timeout', 'expired']).toContain(result.error?.code)
    expect(result.elapsed_ms).toBeLessThan(1900)
  })

  it('a get that expires soon does not wait as long as one before it that does not', async () => {
    const patient = home.publish('dead', 'get', '{"transaction":"patient"}')
    const hasty = home.publish('dead', 'get', '{"transaction":"hasty"}', {
      properties: {messageExpiryInterval: 1},
    })
    expect((await patient).transaction).toBe('hasty') // the first to end
    expect((await hasty).transaction).toBe('patient')
  })

  it('bad_token: a plug that says its token is another', async () => {
    const {error} = await home.mosquittoPub('stranger', 'set', 'ON')
    expect(error).toMatchObject({code: 'bad_token', message: expect.stringContaining('set up again')})
    expect(plugs.stranger.received).toEqual([])
  })

  it('unreachable: a plug whose address is not known', async () => {
    const {error} = await home.mosquittoPub('nowhere', 'set', 'ON')
    expect(error).toMatchObject({code: 'unreachable', message: expect.stringContaining('12345')})
  })

  it('disabled: a plug that is to be left alone', async () => {
    const {error} = await home.mosquittoPub('unplugged', 'set', 'ON')
    expect(error).toMatchObject({code: 'disabled', message: expect.stringContaining('unplugged')})
    expect(plugs.unplugged.received).toEqual([])
    expect(home.availabilities('unplugged')).toEqual(['disabled'])
    const announced = [...(await user.retained()).keys()].join()
    expect(announced).toContain(`miio2mqtt_${desk.did}/config`)
    expect(announced).not.toContain(`miio2mqtt_${plugs.unplugged.did}/config`)
  })

  it('superseded: a newer value takes the place of one that waits', async () => {
    const before = busy.received.length
    const answers = ['ON', 'OFF', 'ON'].map((state, n) =>
      home.publish('busy', 'set', JSON.stringify({state, transaction: n})),
    )
    const results = await Promise.all(answers)
    const codes = new Map(results.map(({transaction, error}) => [transaction, error?.code ?? 'ok']))
    expect(codes).toEqual(
      new Map([
        [0, 'ok'],
        [1, 'superseded'],
        [2, 'ok'],
      ]),
    )
    expect(commandsIn(busy.received.slice(before))).toEqual(['set_power on', 'set_power on'])
  })

  it('Of 20 commands in a second never two are in flight, and the plug ends in the state of the last one.', async () => {
    const before = busy.received.length
    const answers = Array.from({length: 20}, (_, n) =>
      home.publish('busy', 'set', JSON.stringify({state: n % 2 === 0 ? 'ON' : 'OFF', transaction: n})),
    )
    const results = await Promise.all(answers)
    expect(results.map(({transaction}) => transaction).sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({length: 20}, (_, n) => n),
    )
    expect(results.find(({transaction}) => transaction === 19)).toMatchObject({status: 'ok'})
    expect(commandsIn(busy.received.slice(before)).at(-1)).toBe('set_power off')
    expect(busy.maxInFlight).toBe(1)
    expect(busy.state['state']).toBe('OFF')
    await until(() => home.states('busy').at(-1)?.['state'] === 'OFF', {what: 'the last value is shown'})
  })

  it('20 TOGGLEs in a second are 20 changes, one after the other', async () => {
    const before = busy.received.length
    const answers = Array.from({length: 20}, () => home.publish('busy', 'set', 'TOGGLE'))
    for (const answer of answers) expect(await answer).toMatchObject({status: 'ok'})
    expect(commandsIn(busy.received.slice(before))).toEqual(
      Array.from({length: 20}, (_, n) => (n % 2 === 0 ? 'set_power on' : 'set_power off')),
    )
    expect(busy.maxInFlight).toBe(1)
  })

  it('queue_full and expired: 32 commands wait, more are turned away at once, and none is carried out late', async () => {
    const {crowded} = plugs
    crowded.setFaults({silence: true})
    const before = crowded.received.length
    const results = await Promise.all(
      Array.from({length: 40}, () => home.publish('crowded', 'set', 'TOGGLE')),
    )
    const codes = results.map(({error}) => error?.code)
    expect(codes.slice(0, 7)).toEqual(Array(7).fill('queue_full'))
    expect(new Set(codes.slice(7))).toEqual(new Set(['expired', 'timeout']))
    crowded.setFaults({})
    expect(await home.publish('crowded', 'get', '')).toMatchObject({status: 'ok'})
    expect(commandsIn(crowded.received.slice(before))).toEqual([])
  })

  it('A plug that does not answer delays a command to another plug by less than 100 ms.', async () => {
    /** How long the bridge takes for a command, milliseconds: the best of ten. */
    const fastest = async () => {
      const times: number[] = []
      for (let turn = 0; turn < 10; turn++) {
        const state = turn % 2 === 0 ? 'ON' : 'OFF'
        const result = await home.publish('desk', 'set', state)
        expect(result).toMatchObject({status: 'ok', data: {state}})
        times.push(result.elapsed_ms)
      }
      return Math.min(...times)
    }
    const usual = await fastest()
    const results = home.results('dead').length
    const dead = home.publish('dead', 'set', 'ON')
    const meanwhile = await fastest()
    expect(home.results('dead').length).toBe(results)
    expect(meanwhile - usual).toBeLessThan(100)
    expect(await dead).toMatchObject({error: {code: 'timeout'}})
  })

  it('a command with a response topic is answered there instead, with its correlation data', async () => {
    const before = home.results('desk').length
    const {payload, properties} = await requestResponse(
      broker,
      'miio2mqtt/desk/set',
      ...['-e', 'my/answers', '-m', 'OFF', '-D', 'publish', 'correlation-data', 'abc'],
    )
    expect(JSON.parse(payload)).toMatchObject({status: 'ok', data: {state: 'OFF'}})
    expect(properties).toMatchObject({'correlation-data': 'abc'})
    await home.mosquittoPub('desk', 'get', '')
    expect(home.results('desk').slice(before)).toMatchObject([{request: {get: null}}])
  })

  it.each(['a/#', 'a/+/b', 'a//b', '$SYS/answers'])(
    'a response topic that is not allowed (%s) is not used: the result is on the usual topic',
    async (responseTopic) => {
      const result = await home.publish('desk', 'set', 'ON', {properties: {responseTopic}})
      expect(result).toMatchObject({status: 'ok', data: {state: 'ON'}})
    },
  )

  it('a plug that does not exist is worth one warning, however often it is commanded', async () => {
    for (let times = 0; times < 3; times++) await mosquittoPub(broker, '-t', 'miio2mqtt/desc/set', '-m', 'ON')
    await home.publish('desk', 'get', '')
    const warnings = home.warnings().filter((text) => text.includes('desc'))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/no plug or group is called desc: known are desk, heater/)
  })

  it('Every command gets exactly one result, with a code if it failed, and the transaction of its sender.', async () => {
    const commands = [
      ['desk', 'set', '{"state":"OFF","transaction":"t"}', 'ok', 't'],
      ['desk', 'get', '{"transaction":[1,{"two":null}]}', 'ok', [1, {two: null}]],
      ['desk', 'set', '{"state":"maybe","transaction":0}', 'invalid_payload', 0],
      ['desk', 'set', '{"colour":"red","transaction":false}', 'unknown_property', false],
      ['desk', 'set', '{"temperature":1,"transaction":""}', 'not_writable', ''],
      ['nowhere', 'set', '{"state":"ON","transaction":{"n":1}}', 'unreachable', {n: 1}],
      ['unplugged', 'get', '{"transaction":"left alone"}', 'disabled', 'left alone'],
      ['dead', 'set', '{"state":"ON","transaction":"silence"}', 'timeout', 'silence'],
      ['desk', 'set', 'OFF', 'ok', undefined],
    ] as const
    for (const [name, to, payload, outcome, transaction] of commands) {
      const result = await home.mosquittoPub(name, to, payload)
      expect({payload, outcome: result.error?.code ?? result.status}).toEqual({payload, outcome})
      expect(result.transaction).toEqual(transaction)
    }
    // Of all commands in this file so far.
    for (const {name, commands, results} of home.balance()) {
      expect({name, results}).toEqual({name, results: commands})
      for (const {status, error} of home.results(name)) expect(CODES[status]).toContain(error?.code)
    }
    expect(bridge.log.filter(({level}) => level === 'error')).toEqual([])
  })
})

describe('commands that lie on the broker', async () => {
  const broker = await startMosquitto()
  await mosquittoPub(broker, '-r', '-t', 'miio2mqtt/desk/set', '-m', 'ON')
  await mosquittoPub(broker, '-r', '-t', 'miio2mqtt/bridge/request/restart', '-m', '{}')
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const desk = await startPlug({address: loopback(2, 1)})
  const bridge = await startBridge({
    broker,
    plugs: {desk},
    config: {mqtt: {url: broker.url, client_id: 'the-bridge'}, poll: RARELY},
  })
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
  const about = (topic: string, warnings = home.warnings()) =>
    warnings.filter((text) => text.includes(`${topic}:`))
  const warned = async (topic: string) => {
    await until(() => about(topic).length > 0, {
      what: () => `a warning about ${topic}; there were: ${home.warnings().join('; ')}`,
    })
    await home.publish('desk', 'get/led', '') // a second one would be there by now
    return about(topic)
  }
  await warned('miio2mqtt/desk/set')
  const atTheStart = home.warnings()

  it('A retained command never reaches a plug, and one warning on B/bridge/logging names its topic.', async () => {
    expect(about('miio2mqtt/desk/set', atTheStart)).toHaveLength(1)
    await user.publish('miio2mqtt/desk/set/led', 'ON', {retain: true}) // the bridge is there, and sees the flag
    expect(await warned('miio2mqtt/desk/set/led')).toHaveLength(1)
    await putWhileTheBridgeIsAway('miio2mqtt/desk/set/state', 'ON')
    expect(await warned('miio2mqtt/desk/set/state')).toHaveLength(1)
    // The broker has shown the others again meanwhile.
    expect(about('miio2mqtt/desk/set')).toHaveLength(1)
    expect(about('miio2mqtt/desk/set/led')).toHaveLength(1)
    expect(home.results('desk').filter(({request}) => 'set' in request)).toEqual([])
    expect(await home.publish('desk', 'get', '')).toMatchObject({
      status: 'ok',
      data: {state: 'OFF', led: 'OFF'},
    })
    expect(commandsIn(desk.received)).toEqual([])
  })

  it('A retained bridge request is ignored, and one warning on B/bridge/logging names its topic.', async () => {
    expect(about('miio2mqtt/bridge/request/restart', atTheStart)).toHaveLength(1)
    await putWhileTheBridgeIsAway('miio2mqtt/bridge/request/options', '{"log_level":"error"}')
    expect(await warned('miio2mqtt/bridge/request/options')).toHaveLength(1)
    await home.publish('desk', 'get', '')
    expect(bridge.restarts).toBe(0)
    const info = JSON.parse((await user.retained()).get('miio2mqtt/bridge/info') ?? '{}')
    expect(info.log_level).toBe('debug')
    expect(user.messages.filter(({topic}) => topic.includes('/bridge/response/'))).toEqual([])
  })

  /** A second client of the same name throws the bridge out; the bridge comes back a second later. */
  const putWhileTheBridgeIsAway = (topic: string, payload: string) =>
    mosquittoPub(broker, '-i', 'the-bridge', '-r', '-t', topic, '-m', payload)
})
