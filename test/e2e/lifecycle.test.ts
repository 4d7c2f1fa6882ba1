import {mkdtemp, readdir, readFile, readlink, rm, writeFile} from 'node:fs/promises'
import {createConnection} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, expect, it, onTestFinished} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {freeAddress, loopback} from '../support/addresses.ts'
import {configText, startPlug} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Program} from '../support/program.ts'
import {until} from '../support/wait.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-lifecycle-'))
afterAll(() => rm(folder, {recursive: true, force: true}))
const broker = await startMosquitto()
const user = await Watcher.open(broker)
let count = 0

/** The program with one plug, `desk`, and a base topic of its own, online. */
async function start(
  plugs: Record<string, SimulatedPlug>,
  config: Record<string, unknown> = {},
  env: Record<string, string> = {},
) {
  const base = `life${++count}`
  const text = (more: Record<string, unknown> = {}) =>
    configText({broker, plugs, config: {mqtt: {url: broker.url, base_topic: base}, ...config, ...more}})
  const file = join(folder, `${base}.yaml`)
  await writeFile(file, text())
  const program = new Program(['run', '--config', file], {env})
  onTestFinished(async () => {
    if (!program.isOver) await program.abandon()
  })
  await user.waitFor(`${base}/bridge/state`, ({payload}) => payload === '{"state":"online"}')
  return {program, base, file, text}
}

type House = Awaited<ReturnType<typeof start>>

const states = ({base}: House) =>
  user.on(`${base}/bridge/state`).map(({payload}) => JSON.parse(payload).state)

async function assertExecutes({base}: House, value: string): Promise<void> {
  const transaction = ++count
  await user.publish(`${base}/desk/set`, JSON.stringify({state: value, transaction}))
  const {payload} = await user.waitFor(`${base}/desk/response`, ({payload}) =>
    payload.includes(`"transaction":${transaction}`),
  )
  expect(JSON.parse(payload)).toMatchObject({status: 'ok', data: {state: value}})
}

/** Waits until the program has logged nothing for 5 s: nothing can be under way any more. */
async function untilQuiet(program: Program): Promise<void> {
  let last = ''
  let since = performance.now()
  const look = () => {
    if (program.stdout !== last) since = performance.now()
    last = program.stdout
    return performance.now() - since > 5000
  }
  await until(look, {what: 'a program that logs nothing'})
}

/** How many UDP sockets the process has open, as Linux shows them. */
async function udpSockets({pid}: Program): Promise<number> {
  const table = await readFile(`/proc/${pid}/net/udp`, 'utf8')
  const inodes = new Set(table.split('\n').map((line) => line.trim().split(/\s+/)[9]))
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  )
  return links.filter((link) => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? 'none')).length
}

it('Restarts and reloads in quick succession, by request and by signal, leave one bridge.', async () => {
  const desk = await startPlug({address: freeAddress()})
  const house = await start({desk})
  const {program, base, file, text} = house
  for (let round = 1; round <= 3; round++) {
    await writeFile(file, text({network: {broadcast: [loopback(255, round)]}}))
    for (let twice = 0; twice < 2; twice++) {
      await user.publish(`${base}/bridge/request/restart`, '')
      program.signal('SIGHUP')
    }
    await user.publish(`${base}/bridge/request/reload`, '')
  }
  await writeFile(file, text({network: {broadcast: [loopback(255, 99)]}}))
  program.signal('SIGHUP')
  await untilQuiet(program)
  await user.publish(`${base}/bridge/request/info`, '')
  const {payload} = await user.waitFor(`${base}/bridge/response/info`)
  expect(payload).toContain(loopback(255, 99))
  await assertExecutes(house, 'ON')
  expect(await udpSockets(program)).toBe(1)
  program.signal('SIGTERM')
  const {code, stdout} = await program.waitForEnd()
  expect(code).toBe(0)
  expect(stdout).not.toMatch(/took over the connection|ends every connection/)
  // One connection after the other: each ended before the next one began.
  const connections = broker.log.match(/already connected, closing old connection/g) ?? []
  expect(connections).toEqual([])
})

it('A reload whose new bridge cannot start leaves the old one running.', async () => {
  const desk = await startPlug({address: freeAddress()})
  const house = await start({desk})
  const {program, file, text, base} = house
  await writeFile(file, text({network: {bind: '192.0.2.1', broadcast: []}}))
  program.signal('SIGHUP')
  await program.waitForOutput(/network\.bind: cannot open a UDP socket on 192\.0\.2\.1: .*EADDRNOTAVAIL/)
  await assertExecutes(house, 'ON')
  await user.publish(`${base}/bridge/request/restart`, '')
  const {payload} = await user.waitFor(`${base}/bridge/response/restart`)
  expect(JSON.parse(payload)).toMatchObject({
    status: 'error',
    error: {code: 'refused', message: expect.stringContaining('network.bind')},
  })
  await assertExecutes(house, 'OFF')
  expect(states(house)).toEqual(['online'])
  await writeFile(file, text())
  program.signal('SIGHUP')
  await program.waitForOutput(/applied the configuration: nothing changed/)
})

it('A file that an editor has emptied and not written yet removes no plug.', async () => {
  const desk = await startPlug({address: freeAddress()})
  const house = await start({desk})
  const {program, file, text, base} = house
  const {mqtt, network, poll, devices} = JSON.parse(text())
  const lines = Object.entries({mqtt, network, poll}).map(
    ([key, value]) => `${key}: ${JSON.stringify(value)}\n`,
  )
  const before = lines.join('')
  for (const part of ['', lines[0] ?? '', before, `${before}devices:\n`]) {
    await writeFile(file, part)
    program.signal('SIGHUP')
    await user.publish(`${base}/bridge/request/reload`, '')
    const {payload} = await user.waitFor(`${base}/bridge/response/reload`)
    user.forget()
    expect(JSON.parse(payload)).toMatchObject({status: 'error', error: {code: 'refused'}})
    expect(payload).toContain('expected `devices`')
  }
  await writeFile(file, `${before}devices: ${JSON.stringify(devices)}\n`)
  program.signal('SIGHUP')
  await program.waitForOutput(/applied the configuration: nothing changed/)
  await assertExecutes(house, 'ON')
  expect((await user.retained()).get(`${base}/desk/availability`)).toBe('{"state":"online"}')
  await writeFile(file, `${before}devices: {}\n`)
  program.signal('SIGHUP')
  await program.waitForOutput(/applied the configuration: removed desk/)
})

it('A command that arrives while the process is paused is not carried out when the process continues.', async () => {
  const desk = await startPlug({address: freeAddress()})
  const house = await start(
    {desk},
    {mqtt: {url: broker.url, base_topic: `life${count + 1}`, keepalive: '60s'}},
  )
  await assertExecutes(house, 'ON')
  const writes = () => desk.received.filter(({method}) => method === 'set_power').length
  const before = writes()
  house.program.signal('SIGSTOP')
  await user.publish(`${house.base}/desk/set`, 'OFF')
  // The pause itself is tested: the shortest that is detected, and a little more.
  await new Promise((resolve) => setTimeout(resolve, 17_000))
  house.program.signal('SIGCONT')
  await house.program.waitForOutput(/the process was paused for \d+ s/)
  await until(() => (house.program.stdout.match(/connected to/g) ?? []).length === 2, {
    what: 'a new connection',
  })
  await assertExecutes(house, 'ON')
  expect(
    desk.received.filter(({method}) => method === 'set_power').map(({params}) => params),
  ).not.toContainEqual(['off'])
  expect(writes()).toBe(before + 1)
})

it('What is remembered is saved before the broker is waited for, and a stop with thousands of waiting messages ends with 0.', async () => {
  const desk = await startPlug({address: freeAddress()})
  const off = Object.fromEntries(
    Array.from({length: 2000}, (_, n) => [
      `off${n}`,
      {host: `10.1.${n >> 8}.${n & 255}`, token: '0123456789abcdef0123456789abcdef', disabled: true},
    ]),
  )
  const {program, file, base} = await start({desk})
  const text = configText({
    broker,
    plugs: {desk},
    config: {mqtt: {url: broker.url, base_topic: base}},
    devices: off,
  })
  await writeFile(file, text)
  await user.publish(`${base}/bridge/request/restart`, '')
  await until(() => (program.stdout.match(/connected to/g) ?? []).length === 2, {
    what: 'the bridge with all plugs',
  })
  broker.freeze()
  program.signal('SIGTERM')
  const ending = program.waitForEnd(60_000)
  await until(() => program.isOver, {what: 'the end', within: 60_000}).finally(() => broker.thaw())
  const {code, stdout} = await ending
  expect(code).toBe(0)
  expect(stdout).toMatch(/stopped\n$/)
  expect(stdout).not.toContain('unexpected')
})

it('SIGHUP ends the process at no time, also before it has read its configuration.', async () => {
  const plugs = {desk: await startPlug({address: freeAddress()})}
  // The signal is sent by the process itself, right after its handlers are there.
  const atOnce = `--import=data:text/javascript,${encodeURIComponent(`
    const {on} = process
    process.on = function (name, handler) {
      on.call(process, name, handler)
      if (name === 'SIGHUP') process.kill(process.pid, 'SIGHUP')
      return process
    }`)}`
  const house = await start(plugs, {}, {NODE_OPTIONS: atOnce})
  await house.program.waitForOutput(/applied the configuration: nothing changed/)
  await assertExecutes(house, 'ON')
})

it('SIGUSR1 opens no debugger.', async () => {
  const desk = await startPlug({address: freeAddress()})
  const house = await start({desk})
  house.program.signal('SIGUSR1')
  await assertExecutes(house, 'ON')
  const refused = await new Promise((resolve) => {
    createConnection(9229, '127.0.0.1')
      .once('error', () => resolve(true))
      .once('connect', () => resolve(false))
  })
  expect(refused).toBe(true)
  expect(house.program.stderr).toBe('')
})

it('A command that fails ends the process, whatever it has left open.', async () => {
  const leftOpen = `--import=data:text/javascript,${encodeURIComponent('setInterval(() => {}, 1000)')}`
  for (const args of [['check', '--config', 'none.yaml'], ['run', '--config', 'none.yaml'], ['nonsense']]) {
    const {code, stderr} = await new Program(args, {env: {NODE_OPTIONS: leftOpen}}).waitForEnd()
    expect(code).toBe(args.length === 1 ? 64 : 78)
    expect(stderr).not.toBe('')
  }
})

it('A long result reaches a slow reader whole before the process ends.', async () => {
  const {stdout, code} = await new Program(['--json', 'models']).waitForEnd()
  expect(code).toBe(0)
  expect(JSON.parse(stdout).length).toBeGreaterThan(40)
})
