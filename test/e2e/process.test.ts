import {execFile} from 'node:child_process'
import {createSocket} from 'node:dgram'
import {once} from 'node:events'
import {watch} from 'node:fs'
import {chmod, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {createServer, type Socket} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {afterAll, describe, expect, it, onTestFinished} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {configText, inReachOfBroadcasts, startPlug, TOKEN} from '../support/bridge.ts'
import {freePort, type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {type Ending, miio2mqtt, Program} from '../support/program.ts'
import {until} from '../support/wait.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-process-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const broker = await startMosquitto()
const user = await Watcher.open(broker)

let files = 0

/** An option of Node: the program runs `code` at SIGUSR2. */
const atSignal = (code: string) =>
  `--import=data:text/javascript,${encodeURIComponent(`process.on('SIGUSR2', () => { ${code} })`)}`

/**
 * No timer of a poll (1.6 s give or take a tenth) ends any more; when the last one has, time passes ten times as fast: slowly enough to be
 * no pause of the process.
 */
const STANDSTILL = `
  const {setTimeout} = globalThis
  globalThis.setTimeout = (run, ms, ...rest) => setTimeout(run, ms > 1400 && ms < 1800 ? 1e9 : ms, ...rest)
  setTimeout(() => {
    const now = performance.now.bind(performance)
    const from = now()
    performance.now = () => from + 10 * (now() - from)
  }, 1900)`

async function configFile(text: string): Promise<string> {
  const file = join(folder, `${++files}.yaml`)
  await writeFile(file, text)
  return file
}

interface Choice {
  broker?: Pick<Mosquitto, 'url'>
  config?: Record<string, unknown>
  devices?: Record<string, Record<string, unknown>>
  env?: Record<string, string>
}

/** The program with a base topic of its own: what one test leaves on the broker is not seen by the next. */
async function run(plugs: Record<string, SimulatedPlug>, choice: Choice = {}) {
  const base = `house${++files}`
  const text = (config: Record<string, unknown> = {}) => {
    const {mqtt, ...rest} = {...choice.config, ...config}
    const settings = {mqtt: {url: (choice.broker ?? broker).url, base_topic: base, ...Object(mqtt)}, ...rest}
    return configText({broker, plugs, config: settings, devices: choice.devices ?? {}})
  }
  const file = await configFile(text())
  const program = new Program(['run', '--config', file], {env: choice.env ?? {}})
  onTestFinished(async () => {
    if (!program.isOver) await program.abandon()
  })
  return {program, base, file, text}
}

type House = Awaited<ReturnType<typeof run>>

const online = ({base}: House) =>
  user.waitFor(`${base}/bridge/state`, ({payload}) => payload.includes('online'))

async function start(plugs: Record<string, SimulatedPlug>, choice?: Choice): Promise<House> {
  const house = await run(plugs, choice)
  await online(house)
  return house
}

/** The response to a request. The bridge has received everything that was published before it. */
async function request({base}: House, verb: string, payload: unknown = {}, by = user) {
  const transaction = ++files
  await by.publish(`${base}/bridge/request/${verb}`, JSON.stringify({...Object(payload), transaction}))
  const {payload: text} = await by.waitFor(`${base}/bridge/response/${verb}`, ({payload}) =>
    payload.includes(`"transaction":${transaction}`),
  )
  return JSON.parse(text)
}

/** No poll delays a command, and a command to a silent plug has a longer timeout than a test. */
const rarelyPolled = {config: {poll: {interval: '60s', command_timeout: '5m'}}}

/** From now on the plug executes commands and sends no response; it was just switched on. */
async function loseResponses({base}: House, plug: SimulatedPlug): Promise<void> {
  await user.publish(`${base}/desk/get`, '')
  await user.waitFor(`${base}/desk/response`)
  user.forget()
  plug.next(...Array.from({length: 50}, () => ({loseResponse: true})))
  await user.publish(`${base}/desk/set`, 'ON')
  await until(() => plug.received.some(({method}) => method === 'set_power'), {
    what: 'the command at the plug',
  })
}

/** Ends the program. */
function end(program: Program, signal: NodeJS.Signals): Promise<Ending> {
  program.signal(signal)
  return program.waitForEnd()
}

const states = ({base}: House) =>
  user.on(`${base}/bridge/state`).map(({payload}) => JSON.parse(payload).state)
const published = (topic: string) => user.on(topic).map(({payload}) => JSON.parse(payload))

describe('the end of the bridge', () => {
  /** How often the bridge itself published its state; the will is not among these. */
  const statesPublished = ({base}: House) =>
    broker.log
      .split('\n')
      .filter((line) => /Received PUBLISH/.test(line) && line.includes(`'${base}/bridge/state'`)).length

  it('A bridge that is stopped publishes offline itself, and ends with exit code 0 within 5 s, even if no plug answers.', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const desk = await startPlug({address: loopback(1, ++files)})
      const kettle = await startPlug({address: loopback(1, ++files)})
      const house = await start({desk, kettle}, rarelyPolled)
      await loseResponses(house, desk)
      for (const plug of [desk, kettle]) plug.setFaults({silence: true})
      for (const to of ['desk/set/led', 'kettle/set']) await user.publish(`${house.base}/${to}`, 'ON')
      await request(house, 'info')
      expect(published(`${house.base}/desk/response`)).toEqual([])

      const {code, stdout} = await end(house.program, signal)
      expect(code).toBe(0)
      expect(statesPublished(house)).toBe(2)
      expect((await user.retained()).get(`${house.base}/bridge/state`)).toBe('{"state":"offline"}')
      // Every command that waited has a result.
      expect(published(`${house.base}/desk/response`).map(({status}) => status)).toEqual(['error', 'error'])
      expect(published(`${house.base}/kettle/response`).map(({status}) => status)).toEqual(['error'])
      expect(stdout).toMatch(/ INFO {2}stopped\n$/)
    }
  })

  it('is immediate at the second signal', async () => {
    const desk = await startPlug({address: loopback(2, 1)})
    const house = await start({desk}, rarelyPolled)
    await loseResponses(house, desk)
    house.program.signal('SIGTERM')
    await house.program.waitForOutput(/SIGTERM: stopping/)
    expect(await end(house.program, 'SIGTERM')).toMatchObject({code: null, signal: 'SIGTERM'})
    await user.waitFor(`${house.base}/bridge/state`, ({payload}) => payload === '{"state":"offline"}')
  })

  it('When the bridge is killed, the broker publishes offline on B/bridge/state.', async () => {
    const house = await start({desk: await startPlug({address: loopback(2, 2)})})
    expect(await end(house.program, 'SIGKILL')).toMatchObject({code: null, signal: 'SIGKILL'})
    await user.waitFor(`${house.base}/bridge/state`, ({payload}) => payload === '{"state":"offline"}')
    expect(statesPublished(house)).toBe(1)
    expect((await user.retained()).get(`${house.base}/bridge/state`)).toBe('{"state":"offline"}')
  })

  it('has the exit code 0 in time also while the broker is frozen', async () => {
    const frozen = await startMosquitto()
    const other = await Watcher.open(frozen)
    const desk = await startPlug({address: loopback(2, 4)})
    const {program, base} = await run({desk}, {broker: frozen})
    await other.waitFor(`${base}/bridge/state`)
    desk.setFaults({silence: true})
    frozen.freeze()
    const {code} = await end(program, 'SIGTERM')
    expect(code).toBe(0)
  })

  it('has the exit code 0 in time also while the broker takes connections and sends nothing', async () => {
    const held = new Set<Socket>()
    const silent = createServer((socket) => held.add(socket.on('error', () => {}))).listen(0, '127.0.0.1')
    onTestFinished(() => {
      for (const socket of held) socket.destroy()
      silent.close()
    })
    await once(silent, 'listening')
    const address = silent.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const desk = await startPlug({address: loopback(2, 3)})
    const {program} = await run({desk}, {broker: {url: `mqtt://127.0.0.1:${port}`}})
    await until(() => held.size > 0, {what: 'the bridge to try the broker'})
    const {code} = await end(program, 'SIGTERM')
    expect(code).toBe(0)
  })
})

describe('an unexpected error', () => {
  /** An error of the program, at SIGUSR2. */
  const mistake = (code: string) => ({NODE_OPTIONS: atSignal(code)})

  it.each([
    ['thrown', "throw new Error('unforeseen')"],
    ['rejected', "Promise.reject(new Error('unforeseen'))"],
  ])('%s is logged with its stack, and ends the process with 70', async (_, code) => {
    const house = await start({desk: await startPlug({address: loopback(3, ++files)})}, {env: mistake(code)})
    const ending = await end(house.program, 'SIGUSR2')
    expect(ending.code).toBe(70)
    expect(ending.stdout).toMatch(
      /ERROR an unexpected error: this process ends.*unforeseen.*\n {4}.*\n {4} +at /,
    )
    await user.waitFor(`${house.base}/bridge/state`, ({payload}) => payload === '{"state":"offline"}')
  })
})

describe('a new configuration', () => {
  it('A reload adds, changes and removes plugs without touching the connection and the others; an invalid file changes nothing.', async () => {
    const desk = await startPlug({address: loopback(4, 1)})
    const token = Buffer.from('lamp has a token')
    const lamp = await startPlug({address: loopback(4, 2), token})
    const kettle = await startPlug({address: loopback(4, 7)})
    const fan = await startPlug({address: loopback(4, 8)})
    const devices = {desk: {id: desk.did}, kettle: {id: kettle.did}, fan: {id: fan.did}}
    const house = await start({desk, kettle, fan}, {devices})
    const {program, base, file} = house
    const listed = async (): Promise<{name: string; description: string}[]> =>
      JSON.parse((await user.retained()).get(`${base}/bridge/devices`) ?? '[]')
    const identified = () => desk.received.filter(({method}) => method === 'miIO.info').length
    await until(async () => (await listed()).length === 3 && identified() === 2, {what: 'three plugs'})

    const edited = {
      desk: devices.desk,
      kettle: {...devices.kettle, description: 'for tea'},
      lamp: {token: token.toString('hex')},
    }
    const config = {mqtt: {url: broker.url, base_topic: base}}
    await writeFile(file, configText({broker, plugs: {desk, kettle, lamp}, config, devices: edited}))
    program.signal('SIGHUP')
    await program.waitForOutput(
      /applied the configuration: added lamp; changed kettle \(description\); removed fan/,
    )
    await user.waitFor(`${base}/lamp/availability`, ({payload}) => payload.includes('online'))
    await user.publish(`${base}/lamp/set`, 'ON')
    await user.waitFor(`${base}/lamp/response`, ({payload}) => JSON.parse(payload).status === 'ok')
    expect(lamp.state['state']).toBe('ON')
    const after = await until(
      async () => {
        const now = await listed()
        return now.some(({description}) => description === 'for tea') ? now : undefined
      },
      {what: 'the kettle is described'},
    )
    expect(after.map(({name}) => name)).toEqual(['desk', 'kettle', 'lamp'])
    const [pollsOfDesk, pollsOfFan] = [desk, fan].map(({received}) => received.length)
    await until(() => desk.received.length > (pollsOfDesk ?? 0) + 2, {what: 'polls of the desk'})
    expect(fan.received).toHaveLength(pollsOfFan ?? 0)

    await writeFile(file, `mqtt: {url: ftp://x}\npol: {}\ndevices:\n  desk: {host: 1.2.3, token: 12}\n`)
    program.signal('SIGHUP')
    await program.waitForOutput(/the new configuration is refused, the old one stays: 4 problems/)
    await program.waitForOutput(/devices\.desk\.token: /) // the last of the four
    for (const place of ['1:8 mqtt.url', '2:1 pol', '4:10 devices.desk.host', '4:23 devices.desk.token'])
      expect(program.stdout).toContain(`${file}:${place}: `)
    expect((await listed()).map(({name}) => name)).toEqual(['desk', 'kettle', 'lamp'])
    for (const name of ['desk', 'kettle', 'lamp']) {
      user.forget()
      await user.publish(`${base}/${name}/set`, 'OFF')
      await user.waitFor(`${base}/${name}/response`, ({payload}) => JSON.parse(payload).status === 'ok')
    }

    // The plug that neither file changes was not touched, and no plug was ever offline.
    expect(identified()).toBe(2)
    const payloadsOn = (topic: string) =>
      user.messages.flatMap((message) => (message.topic === `${base}/${topic}` ? [message.payload] : []))
    expect(payloadsOn('desk/availability')).toEqual(['{"state":"online"}'])
    expect(payloadsOn('bridge/state')).toEqual(['{"state":"online"}'])
    expect(program.stdout.match(/connected to/g)).toHaveLength(1)
    expect((await end(program, 'SIGTERM')).code).toBe(0)
    expect(states(house).at(-1)).toBe('offline')
  })

  it('with another network restarts the bridge, in the same process', async () => {
    const house = await start({desk: await startPlug({address: loopback(4, 3)})})
    await writeFile(house.file, house.text({network: {broadcast: [loopback(255, 252)]}}))
    house.program.signal('SIGHUP')
    await until(() => states(house).join() === 'online,offline,online', {what: 'it to be back'})
  })

  it('that only changes the log level is applied by the request to reload, without a moment offline', async () => {
    const house = await start({desk: await startPlug({address: loopback(4, 6)})})
    await writeFile(house.file, house.text({log: {level: 'debug'}}))
    expect(await request(house, 'reload')).toMatchObject({status: 'ok'})
    expect(await request(house, 'info')).toMatchObject({data: {log_level: 'debug'}})
    await writeFile(house.file, 'devices: []\n')
    expect(await request(house, 'reload')).toMatchObject({
      status: 'error',
      error: {code: 'refused', message: expect.stringMatching(/devices: expected a mapping/)},
    })
    expect(states(house)).toEqual(['online'])
  })

  it('is applied by the request to restart', async () => {
    const house = await start({desk: await startPlug({address: loopback(4, 4)})})
    const {data: before} = await request(house, 'info')
    await writeFile(house.file, house.text({poll: {interval: '7s'}}))
    expect(await request(house, 'restart')).toMatchObject({status: 'ok'})
    await until(() => states(house).join() === 'online,offline,online', {what: 'it to be back'})
    const {data: after} = await request(house, 'info')
    expect(after.started).not.toBe(before.started)
    expect(after.config.poll.interval).toBe('7s')
  })

  it('that is invalid is refused in the response, and the bridge stays online', async () => {
    const house = await start({desk: await startPlug({address: loopback(4, 5)})})
    await writeFile(house.file, 'devices: []\n')
    expect(await request(house, 'restart')).toMatchObject({
      status: 'error',
      error: {code: 'refused', message: expect.stringContaining('configuration is invalid')},
    })
    expect(states(house)).toEqual(['online'])
  })
})

describe('requests to the bridge', async () => {
  const desk = await startPlug({address: loopback(5, 1)})
  await inReachOfBroadcasts([desk])
  const network = {broadcast: [BROADCAST]}

  it('A request for another log level takes effect at once, is answered, and shows in B/bridge/info.', async () => {
    const house = await start({desk})
    const info = `${house.base}/bridge/info`
    const level = async () => JSON.parse((await user.retained()).get(info) ?? '').log_level
    expect(await level()).toBe('info')
    expect(house.program.stdout).not.toContain(' TRACE ')
    expect(await request(house, 'options', {log_level: 'trace'})).toMatchObject({
      status: 'ok',
      data: {log_level: 'trace'},
    })
    expect(await level()).toBe('trace')
    await house.program.waitForOutput(new RegExp(` TRACE .*-> ${desk.address}:54321 message`))
    await request(house, 'options', {log_level: 'error'})
    expect(await level()).toBe('error')
    expect((await end(house.program, 'SIGTERM')).stdout).not.toContain('stopped')
  })

  it('scan the LAN for plugs that reply to a hello, with the names of those that are configured', async () => {
    const house = await start({desk}, {config: {network}})
    const known = {did: desk.did, address: desk.address, uptime: expect.any(Number), name: 'desk'}
    await until(
      async () => {
        const {status, data} = await request(house, 'discover', {timeout: 0.5})
        expect(status).toBe('ok')
        expect(data).toContainEqual(known)
        return true
      },
      {what: 'the desk among the plugs found'},
    )
  })

  it.each([
    ['selfdestruct', {}, /^expected one of health_check, .*, got selfdestruct$/],
    ['info', {verbose: true}, /"verbose"/],
    ['options', {log_level: 'loud'}, /^log_level: .*"debug"/],
    ['options', {log_level: 3}, /^log_level: .*"debug"/],
    ['options', {}, /^log_level: /],
    ['discover', {timeout: 'long'}, /^timeout: expected a number/],
    ['discover', {timeout: 3600}, /^timeout: .*60/],
  ])('that are wrong (%s %j) are answered with what was expected', async (verb, payload, expected) => {
    const house = await start({desk})
    expect(await request(house, verb, payload)).toMatchObject({
      status: 'error',
      error: {code: 'invalid_payload', message: expect.stringMatching(expected)},
    })
  })
})

describe('the start of the bridge', () => {
  it('waits for no broker: the bridge runs, and goes online when one starts', async () => {
    const port = await freePort()
    const house = await run(
      {desk: await startPlug({address: loopback(6, 1)})},
      {broker: {url: `mqtt://127.0.0.1:${port}`}},
    )
    await house.program.waitForOutput(/cannot use the broker mqtt:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/)
    const late = await startMosquitto({port})
    const other = await Watcher.open(late)
    await other.waitFor(`${house.base}/bridge/state`, ({payload}) => payload === '{"state":"online"}')
    expect(house.program.isOver).toBe(false)
  })

  it('A wrong configuration ends the process with all problems and their places, and nothing published.', async () => {
    const file = await configFile(
      [
        `mqtt: {url: "${broker.url}", client_id: mistaken, keepalife: 5s}`,
        'poll: {interval: soon}',
        'devices:',
        '  desk: {host: 192.0.2.62, token: 0011}',
        `  "a+b": {host: ${loopback(6, 3)}, token: ${TOKEN}}`,
        `  lost: {token: ${TOKEN}}`,
      ].join('\n'),
    )
    const places = [
      '1:60 mqtt.keepalife',
      '2:8 poll.interval',
      '4:28 devices.desk.token',
      '5:3 devices.a+b',
      '6:3 devices.lost',
    ]
    for (const command of ['run', 'check']) {
      const {code, stdout, stderr} = await miio2mqtt([command, '--config', file])
      expect(code).toBe(78)
      expect(stdout).toBe('')
      expect(stderr.split('\n').map((line) => line.split(': ')[0])).toEqual([
        ...places.map((place) => `${file}:${place}`),
        '',
      ])
    }
    expect(broker.log).not.toContain('mistaken')
  })

  it('A value from the environment or from a file it names takes precedence over config.yaml, and is never written to it.', async () => {
    const passwords = join(folder, 'passwords')
    await promisify(execFile)('mosquitto_passwd', ['-b', '-c', passwords, 'plugs', 'of the named file'])
    // A client without a user name is accepted; one with a user name needs the password.
    const strict = await startMosquitto({config: ['allow_anonymous true', `password_file ${passwords}`]})
    const other = await Watcher.open(strict)
    const named = join(folder, 'password')
    await writeFile(named, 'of the named file\n')
    const env = {MIIO2MQTT_MQTT_PASSWORD_FILE: named, MIIO2MQTT_POLL_INTERVAL: '7s'}
    const mqtt = {username: 'plugs', password: 'of config.yaml'}
    const config = {mqtt, poll: {interval: '3s', slow_interval: '50s'}}
    const desk = await startPlug({address: loopback(6, 5)})
    const house = await run({desk}, {broker: strict, config, env})
    await other.waitFor(`${house.base}/bridge/state`, ({payload}) => payload === '{"state":"online"}')
    const poll = async () => (await request(house, 'info', {}, other)).data.config.poll
    expect(await poll()).toMatchObject({interval: '7s', slow_interval: '50s'})

    // A change of the file leaves both where they are.
    const area = {name: 'desk', options: {area: 'Office'}}
    expect(await request(house, 'device/options', area, other)).toMatchObject({status: 'ok'})
    expect(await poll()).toMatchObject({interval: '7s', slow_interval: '50s'})
    const written = await readFile(house.file, 'utf8')
    for (const own of ['Office', '3s', '50s', 'of config.yaml']) expect(written).toContain(own)
    for (const foreign of ['7s', 'of the named file', named]) expect(written).not.toContain(foreign)
  })

  it('without a file fails with the name of the missing one, and what to do', async () => {
    for (const command of ['run', 'check']) {
      const {code, stderr} = await miio2mqtt([command, '--config', '/nowhere/config.yaml'])
      expect(code).toBe(78)
      expect(stderr).toMatch(
        /^\/nowhere\/config\.yaml: cannot read the configuration: there is no such file\nCopy /,
      )
    }
  })

  it('on an address of another machine fails with one clear message and the exit code 1', async () => {
    const {program} = await run({}, {config: {network: {bind: '203.0.113.1'}}})
    const {code, stderr} = await program.waitForEnd()
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^network\.bind: cannot open a UDP socket on 203\.0\.113\.1: this machine does not have that address \(EADDRNOTAVAIL\)\n$/,
    )
  })

  it('sends packets to plugs from the address of network.bind', async () => {
    const receiver = createSocket('udp4')
    onTestFinished(() => void receiver.close())
    receiver.bind(54321, loopback(6, 4))
    const received = once(receiver, 'message')
    const devices = {desk: {host: loopback(6, 4), token: TOKEN}}
    const network = {bind: loopback(6, 99), broadcast: []}
    const file = await configFile(JSON.stringify({mqtt: {url: broker.url}, network, devices}))
    const program = new Program(['--config', file])
    const [, {address}] = await received
    expect(address).toBe(loopback(6, 99))
    expect((await end(program, 'SIGTERM')).code).toBe(0)
  })
})

describe('the stored state', () => {
  it('A kill at any moment leaves readable state, and unreadable state causes one warning and a normal start.', async () => {
    const state = await mkdtemp(join(folder, 'state-'))
    const desk = await startPlug({address: loopback(8, 1)})
    const live = () => start({desk}, {env: {STATE_DIRECTORY: state}})
    const warnings = ({program}: House) => program.stdout.match(/ WARN .*/g) ?? []
    /** The content of every file but half-written ones, which the next start removes. */
    const readable = async () => {
      const names = (await readdir(state)).filter((name) => name.endsWith('.json'))
      return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(state, name), 'utf8'))))
    }
    // A new file is made, filled, and takes the place of the old one: the kill comes at one of these steps.
    const endings: string[] = []
    for (let moment = 1; moment <= 4; moment++) {
      const house = await live()
      let steps = 0
      const watcher = watch(state, () => {
        if (++steps === moment) house.program.signal('SIGKILL')
      })
      house.program.signal('SIGTERM') // then it writes
      const {signal} = await house.program.waitForEnd()
      watcher.close()
      endings.push(signal ?? 'in time')
      expect(warnings(house)).toEqual([])
      await readable()
    }
    expect(endings).toContain('SIGKILL') // the later ones may come too late
    const house = await live()
    expect((await end(house.program, 'SIGTERM')).code).toBe(0)
    expect(warnings(house)).toEqual([])
    expect(await readable()).toContainEqual(expect.objectContaining({plugs: {[desk.did]: expect.anything()}}))

    await writeFile(join(state, 'state.json'), '{"version":1,"client_id":"miio2mqtt_1","plu')
    const after = await live()
    expect(warnings(after)).toEqual([expect.stringContaining('state.json')])
    await user.publish(`${after.base}/desk/set`, 'ON')
    await user.waitFor(`${after.base}/desk/response`, ({payload}) => JSON.parse(payload).status === 'ok')
    expect((await end(after.program, 'SIGTERM')).code).toBe(0)
    expect(warnings(after)).toHaveLength(1)
  })
})

describe('the health of the bridge', () => {
  const healthcheck = (HEALTH_FILE: string) =>
    new Program([], {entry: 'dist/app/healthcheck.js', env: {HEALTH_FILE}}).waitForEnd()

  it('is a heartbeat in HEALTH_FILE, which the health check reads', async () => {
    const file = join(folder, 'health')
    expect((await healthcheck(file)).code).toBe(1)
    await start({desk: await startPlug({address: loopback(7, 1)})}, {env: {HEALTH_FILE: file}})
    await until(() => readFile(file, 'utf8'), {what: 'a heartbeat'})
    expect(await healthcheck(file)).toMatchObject({code: 0, stdout: 'healthy\n'})
  })

  it('systemd is notified of readiness after the first connect was tried, and of life only while the polls make progress.', async () => {
    const bin = await mkdtemp(join(folder, 'bin-'))
    const notifications = join(bin, 'notifications')
    await writeFile(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${notifications}\n`)
    await chmod(join(bin, 'systemd-notify'), 0o755)
    const states = async () =>
      (await readFile(notifications, 'utf8')).match(/READY=1|RELOADING=1|STOPPING=1/g)?.join(' ')
    const watchdogs = async () => (await readFile(notifications, 'utf8')).match(/WATCHDOG=1/g)?.length ?? 0

    // A broker that refuses the connection late.
    const held = new Set<Socket>()
    const slow = createServer((socket) => held.add(socket.on('error', () => {}))).listen(0, '127.0.0.1')
    await once(slow, 'listening')
    const address = slow.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const desk = await startPlug({address: loopback(7, 2)})
    const env = {
      NOTIFY_SOCKET: join(bin, 'socket'),
      PATH: `${bin}:${process.env['PATH']}`,
      WATCHDOG_USEC: '400000',
      NODE_OPTIONS: atSignal(STANDSTILL),
    }
    const config = {poll: {interval: '1.6s'}}
    const house = await run({desk}, {broker: {url: `mqtt://127.0.0.1:${port}`}, config, env})
    await until(() => held.size > 0 && desk.received.length > 2, {what: 'polls, while the connect is tried'})
    expect(await states()).toBeUndefined()
    slow.close()
    for (const socket of held) socket.destroy()
    await until(async () => (await states()) === 'READY=1', {what: 'READY'})
    house.program.signal('SIGHUP')
    await until(async () => (await states()) === 'READY=1 RELOADING=1 READY=1', {what: 'READY again'})
    await until(async () => (await watchdogs()) > 2, {what: 'watchdog notifications'})

    house.program.signal('SIGUSR2')
    await until(
      async () => {
        const before = await watchdogs()
        await new Promise((resolve) => setTimeout(resolve, 1000)) // four more would be due
        return (await watchdogs()) === before
      },
      {what: 'no more watchdog notifications', within: 60_000},
    )
    const last = await watchdogs()
    const polls = desk.received.length
    house.program.signal('SIGHUP')
    await until(async () => (await states())?.split(' ').length === 5, {
      what: 'the process still handles signals',
    })
    expect((await end(house.program, 'SIGTERM')).code).toBe(0)
    expect(await states()).toBe('READY=1 RELOADING=1 READY=1 RELOADING=1 READY=1 STOPPING=1')
    expect(await watchdogs()).toBe(last)
    expect(desk.received).toHaveLength(polls)
    expect(await readFile(notifications, 'utf8')).toMatch(/STATUS=\d of 1 plugs online, no broker at mqtt:/)
  })
})
