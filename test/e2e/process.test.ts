import {createSocket} from 'node:dgram'
import {once} from 'node:events'
import {chmod, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {createServer, type Socket} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it, onTestFinished} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/plug.ts'
import {configText, inReachOfBroadcasts, startPlug, TOKEN} from '../support/bridge.ts'
import {type Broker, freePort, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {type Ending, miio2mqtt, Program} from '../support/program.ts'
import {until} from '../support/wait.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-process-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const broker = await startMosquitto()
const user = await Watcher.open(broker)

let files = 0

async function configFile(text: string): Promise<string> {
  const file = join(folder, `${++files}.yaml`)
  await writeFile(file, text)
  return file
}

interface Choice {
  broker?: Pick<Broker, 'url'>
  config?: Record<string, unknown>
  env?: Record<string, string>
}

/** The program with a base topic of its own: what one test leaves on the broker is not seen by the next. */
async function run(plugs: Record<string, SimulatedPlug>, choice: Choice = {}) {
  const base = `house${++files}`
  const text = (config: Record<string, unknown> = {}) => {
    const {mqtt, ...rest} = {...choice.config, ...config}
    const settings = {mqtt: {url: (choice.broker ?? broker).url, base_topic: base, ...Object(mqtt)}, ...rest}
    return configText({broker, plugs, config: settings})
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

/** The answer to a request, and so a sign that the bridge has taken whatever was published before it. */
async function request({base}: House, verb: string, payload: unknown = {}) {
  const transaction = ++files
  await user.publish(`${base}/bridge/request/${verb}`, JSON.stringify({...Object(payload), transaction}))
  const {payload: text} = await user.waitFor(`${base}/bridge/response/${verb}`, ({payload}) =>
    payload.includes(`"transaction":${transaction}`),
  )
  return JSON.parse(text)
}

/** No poll stands before a command. */
const rarelyPolled = {config: {poll: {interval: '60s'}}}

/** From now on the plug carries out what it is told and says nothing; it was just told to switch on. */
async function leaveUnanswered({base}: House, plug: SimulatedPlug): Promise<void> {
  await user.publish(`${base}/desk/get`, '')
  await user.waitFor(`${base}/desk/response`)
  user.forget()
  plug.next(...Array.from({length: 50}, () => ({loseReply: true})))
  await user.publish(`${base}/desk/set`, 'ON')
  await until(() => plug.received.some(({method}) => method === 'set_power'), {
    what: 'the command at the plug',
  })
}

/** Ends it, and says how and after how many milliseconds. */
async function end(program: Program, signal: NodeJS.Signals): Promise<Ending & {ms: number}> {
  const from = performance.now()
  program.signal(signal)
  const ending = await program.ended()
  return {...ending, ms: performance.now() - from}
}

const states = ({base}: House) =>
  user.on(`${base}/bridge/state`).map(({payload}) => JSON.parse(payload).state)
const published = (topic: string) => user.on(topic).map(({payload}) => JSON.parse(payload))

describe('the end of the bridge', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s answers what waits, says offline and is a 0 within 5 s, with every plug silent',
    async (signal) => {
      const desk = await startPlug({address: `127.74.1.${++files}`})
      const kettle = await startPlug({address: `127.74.1.${++files}`})
      const house = await start({desk, kettle}, rarelyPolled)
      await leaveUnanswered(house, desk)
      for (const plug of [desk, kettle]) plug.misbehave({silence: true})
      for (const to of ['desk/set/led', 'kettle/set']) await user.publish(`${house.base}/${to}`, 'ON')
      await request(house, 'info')
      expect(published(`${house.base}/desk/response`)).toEqual([])

      const {code, ms, stdout} = await end(house.program, signal)
      expect(code).toBe(0)
      expect(ms).toBeLessThan(5000)
      expect(published(`${house.base}/desk/response`).map(({status}) => status)).toEqual(['error', 'error'])
      expect(published(`${house.base}/kettle/response`).map(({status}) => status)).toEqual(['error'])
      expect((await user.retained()).get(`${house.base}/bridge/state`)).toBe('{"state":"offline"}')
      expect(stdout).toMatch(/ INFO {2}stopped\n$/)
    },
  )

  it('comes at once at the second signal', async () => {
    const desk = await startPlug({address: '127.74.2.1'})
    const house = await start({desk}, rarelyPolled)
    await leaveUnanswered(house, desk)
    house.program.signal('SIGTERM')
    await house.program.said(/SIGTERM: stopping/)
    expect(await end(house.program, 'SIGTERM')).toMatchObject({code: null, signal: 'SIGTERM'})
    await user.waitFor(`${house.base}/bridge/state`, ({payload}) => payload === '{"state":"offline"}')
  })

  it('by SIGKILL is told by the broker: the will says offline', async () => {
    const house = await start({desk: await startPlug({address: '127.74.2.2'})})
    await end(house.program, 'SIGKILL')
    await user.waitFor(`${house.base}/bridge/state`, ({payload}) => payload === '{"state":"offline"}')
    expect((await user.retained()).get(`${house.base}/bridge/state`)).toBe('{"state":"offline"}')
  })

  it('is a 0 in time also while the broker stands still', async () => {
    const lazy = await startMosquitto()
    const other = await Watcher.open(lazy)
    const desk = await startPlug({address: '127.74.2.4'})
    const {program, base} = await run({desk}, {broker: lazy})
    await other.waitFor(`${base}/bridge/state`)
    desk.misbehave({silence: true})
    lazy.freeze()
    const {code, ms} = await end(program, 'SIGTERM')
    expect(code).toBe(0)
    expect(ms).toBeLessThan(5000)
  })

  it('is a 0 in time also while the broker is a black hole', async () => {
    const held = new Set<Socket>()
    const hole = createServer((socket) => held.add(socket.on('error', () => {}))).listen(0, '127.0.0.1')
    onTestFinished(() => {
      for (const socket of held) socket.destroy()
      hole.close()
    })
    await once(hole, 'listening')
    const address = hole.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const desk = await startPlug({address: '127.74.2.3'})
    const {program} = await run({desk}, {broker: {url: `mqtt://127.0.0.1:${port}`}})
    await until(() => held.size > 0, {what: 'the bridge to try the broker'})
    const {code, ms} = await end(program, 'SIGTERM')
    expect(code).toBe(0)
    expect(ms).toBeLessThan(5000)
  })
})

describe('an unexpected error', () => {
  /** A mistake of ours, at a moment of the test's choice. */
  const mistake = (code: string) => ({
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`process.on('SIGUSR2', () => { ${code} })`)}`,
  })

  it.each([
    ['thrown', "throw new Error('nobody foresaw this')"],
    ['rejected', "Promise.reject(new Error('nobody foresaw this'))"],
  ])('%s is logged with its stack, and ends the process with 70', async (_, code) => {
    const house = await start({desk: await startPlug({address: `127.74.3.${++files}`})}, {env: mistake(code)})
    const ending = await end(house.program, 'SIGUSR2')
    expect(ending.code).toBe(70)
    expect(ending.stdout).toMatch(
      /ERROR an unexpected error: this process ends.*nobody foresaw this.*\n {4}.*\n {4} +at /,
    )
    await user.waitFor(`${house.base}/bridge/state`, ({payload}) => payload === '{"state":"offline"}')
  })
})

describe('a new configuration', () => {
  it('is taken on SIGHUP by the same process: plugs are added, and a later SIGTERM still ends it cleanly', async () => {
    const desk = await startPlug({address: '127.74.4.1'})
    const token = Buffer.from('lamp has a token')
    const lamp = await startPlug({address: '127.74.4.2', token})
    const house = await start({desk})
    const mqtt = {url: broker.url, base_topic: house.base}
    const devices = {lamp: {token: token.toString('hex')}}
    const two = configText({broker, plugs: {desk, lamp}, config: {mqtt}, devices})
    await writeFile(house.file, two)
    house.program.signal('SIGHUP')
    await user.waitFor(`${house.base}/lamp/availability`, ({payload}) => payload.includes('online'))
    await house.program.said(/took over the configuration: 1 added, 0 changed, 0 removed/)
    expect(states(house)).toEqual(['online'])
    await user.publish(`${house.base}/lamp/set`, 'ON')
    await user.waitFor(`${house.base}/lamp/response`, ({payload}) => JSON.parse(payload).status === 'ok')
    expect((await end(house.program, 'SIGTERM')).code).toBe(0)
    expect(states(house).at(-1)).toBe('offline')
  })

  it('that is invalid is refused on SIGHUP: its errors are logged with their places, and the old one stays', async () => {
    const desk = await startPlug({address: '127.74.4.3'})
    const house = await start({desk})
    await writeFile(house.file, `mqtt: {url: ftp://x}\npol: {}\ndevices:\n  desk: {host: 1.2.3, token: 12}\n`)
    house.program.signal('SIGHUP')
    await house.program.said(/the new configuration is refused, the old one stays: 4 problems/)
    await house.program.said(/devices\.desk\.token: /) // the last of the four
    for (const place of ['1:8 mqtt.url', '2:1 pol', '4:10 devices.desk.host', '4:23 devices.desk.token'])
      expect(house.program.stdout).toContain(`${house.file}:${place}: `)
    await user.publish(`${house.base}/desk/set`, 'ON')
    await user.waitFor(`${house.base}/desk/response`, ({payload}) => JSON.parse(payload).status === 'ok')
    expect(states(house)).toEqual(['online'])
    await writeFile(house.file, house.text({network: {broadcast: ['127.255.255.254']}}))
    house.program.signal('SIGHUP')
    await until(() => states(house).join() === 'online,offline,online', {what: 'it to be back'})
  })

  it('that only adds plugs or changes what they say comes with the request to reload, without a moment offline', async () => {
    const house = await start({desk: await startPlug({address: '127.74.4.6'})})
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

  it('comes with the request to restart', async () => {
    const house = await start({desk: await startPlug({address: '127.74.4.4'})})
    const {data: before} = await request(house, 'info')
    await writeFile(house.file, house.text({poll: {interval: '7s'}}))
    expect(await request(house, 'restart')).toMatchObject({status: 'ok'})
    await until(() => states(house).join() === 'online,offline,online', {what: 'it to be back'})
    const {data: after} = await request(house, 'info')
    expect(after.started).not.toBe(before.started)
    expect(after.config.poll.interval).toBe('7s')
  })

  it('that is invalid is refused to whoever requested it, and the bridge goes on', async () => {
    const house = await start({desk: await startPlug({address: '127.74.4.5'})})
    await writeFile(house.file, 'devices: []\n')
    expect(await request(house, 'restart')).toMatchObject({
      status: 'error',
      error: {code: 'refused', message: expect.stringContaining('configuration is invalid')},
    })
    expect(states(house)).toEqual(['online'])
  })
})

describe('requests to the bridge', async () => {
  const desk = await startPlug({address: '127.74.5.1'})
  await inReachOfBroadcasts([desk])
  const network = {broadcast: ['127.255.255.255']}

  it('change the log level at once, answered, and seen in bridge/info', async () => {
    const house = await start({desk})
    const info = `${house.base}/bridge/info`
    expect(await request(house, 'options', {log_level: 'debug'})).toMatchObject({
      status: 'ok',
      data: {log_level: 'debug'},
    })
    expect(JSON.parse((await user.retained()).get(info) ?? '').log_level).toBe('debug')
    await request(house, 'options', {log_level: 'error'})
    expect((await end(house.program, 'SIGTERM')).stdout).not.toContain('stopped')
  })

  it('scan the LAN for what answers a hello, and name what is known', async () => {
    const house = await start({desk}, {config: {network}})
    const {status, data} = await request(house, 'discover', {timeout: 0.5})
    expect(status).toBe('ok')
    expect(data).toContainEqual({
      did: desk.did,
      address: desk.address,
      uptime: expect.any(Number),
      name: 'desk',
    })
  })

  it.each([
    ['selfdestruct', {}, /^expected one of health_check, .*, got selfdestruct$/],
    ['info', {verbose: true}, /"verbose"/],
    ['options', {log_level: 'loud'}, /^log_level: .*"debug"/],
    ['options', {log_level: 3}, /^log_level: .*"debug"/],
    ['options', {}, /^log_level: /],
    ['discover', {timeout: 'long'}, /^timeout: .*expected number/],
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
  it('waits for no broker: it runs, and goes online when one comes', async () => {
    const port = await freePort()
    const house = await run(
      {desk: await startPlug({address: '127.74.6.1'})},
      {broker: {url: `mqtt://127.0.0.1:${port}`}},
    )
    await house.program.said(/cannot use the broker mqtt:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/)
    const late = await startMosquitto({port})
    const other = await Watcher.open(late)
    await other.waitFor(`${house.base}/bridge/state`, ({payload}) => payload === '{"state":"online"}')
    expect(house.program.isOver).toBe(false)
  })

  it('lists all of five mistakes with their places, ends with 78, and has said nothing to the broker', async () => {
    const file = await configFile(
      [
        `mqtt: {url: "${broker.url}", client_id: mistaken, keepalife: 5s}`,
        'poll: {interval: soon}',
        'devices:',
        '  desk: {host: 127.74.6.2, token: 0011}',
        `  "a+b": {host: 127.74.6.3, token: ${TOKEN}}`,
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

  it('without a file says which one is missing, and what to do', async () => {
    for (const command of ['run', 'check']) {
      const {code, stderr} = await miio2mqtt([command, '--config', '/nowhere/config.yaml'])
      expect(code).toBe(78)
      expect(stderr).toMatch(
        /^\/nowhere\/config\.yaml: cannot read the configuration: there is no such file\nCopy /,
      )
    }
  })

  it('on an address that is not ours is one clear message and a 1', async () => {
    const {program} = await run({}, {config: {network: {bind: '203.0.113.1'}}})
    const {code, stderr} = await program.ended()
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^cannot open a UDP socket on 203\.0\.113\.1: this machine does not have that address \(EADDRNOTAVAIL\)\n$/,
    )
  })

  it('asks plugs from the address of network.bind', async () => {
    const ear = createSocket('udp4')
    onTestFinished(() => void ear.close())
    ear.bind(54321, '127.74.6.4')
    const heard = once(ear, 'message')
    const devices = {desk: {host: '127.74.6.4', token: TOKEN}}
    const network = {bind: '127.74.6.99', broadcast: []}
    const file = await configFile(JSON.stringify({mqtt: {url: broker.url}, network, devices}))
    const program = new Program(['--config', file])
    const [, {address}] = await heard
    expect(address).toBe('127.74.6.99')
    expect((await end(program, 'SIGTERM')).code).toBe(0)
  })
})

describe('whoever watches the bridge', () => {
  const healthcheck = (HEALTH_FILE: string) =>
    new Program([], {entry: 'dist/healthcheck.js', env: {HEALTH_FILE}}).ended()

  it('finds a heartbeat in HEALTH_FILE, and the health check believes it', async () => {
    const file = join(folder, 'health')
    expect((await healthcheck(file)).code).toBe(1)
    await start({desk: await startPlug({address: '127.74.7.1'})}, {env: {HEALTH_FILE: file}})
    await until(() => readFile(file, 'utf8'), {what: 'a heartbeat'})
    expect(await healthcheck(file)).toMatchObject({code: 0, stdout: 'the daemon is well\n'})
  })

  it('is told by systemd-notify: ready though the broker is down, reloading on SIGHUP, stopping at the end', async () => {
    const bin = await mkdtemp(join(folder, 'bin-'))
    const told = join(bin, 'told')
    await writeFile(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${told}\n`)
    await chmod(join(bin, 'systemd-notify'), 0o755)
    const url = `mqtt://127.0.0.1:${await freePort()}`
    const env = {NOTIFY_SOCKET: join(bin, 'socket'), PATH: `${bin}:${process.env['PATH']}`}
    const house = await run({desk: await startPlug({address: '127.74.7.2'})}, {broker: {url}, env})
    const words = async () =>
      (await readFile(told, 'utf8')).match(/READY=1|RELOADING=1|STOPPING=1/g)?.join(' ')
    await until(async () => (await words()) === 'READY=1', {what: 'READY'})
    house.program.signal('SIGHUP')
    await until(async () => (await words()) === 'READY=1 RELOADING=1 READY=1', {what: 'READY again'})
    expect((await end(house.program, 'SIGTERM')).code).toBe(0)
    expect(await words()).toBe('READY=1 RELOADING=1 READY=1 STOPPING=1')
    expect(await readFile(told, 'utf8')).toMatch(/STATUS=\d of 1 plugs online, no broker at mqtt:/)
  })
})
