/**
 * CPU time of one poll, on the bridge's side alone, among few plugs and among many. It should not matter how many there are.
 * The plugs, and so their half of the work, are in another process.
 */
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {DeviceIdOwners} from '../src/app/device-id-owners.ts'
import {ManagedPlug} from '../src/app/managed-plug.ts'
import {PlugStates} from '../src/bridge/status/states.ts'
import {systemClock} from '../src/common/clock.ts'
import {parseConfig} from '../src/config/config.ts'
import {PollLimit} from '../src/device/polling/poll-limit.ts'
import {createLog} from '../src/log/logger.ts'
import {NetworkDiscovery} from '../src/miio/discovery.ts'
import {MiioSocket} from '../src/miio/socket.ts'
import {builtIn} from '../src/models/catalogue.ts'
import {Topics} from '../src/mqtt/topics.ts'
import {EnergyStore} from '../src/storage/energy-store.ts'
import {capabilitiesLookup, StateStore} from '../src/storage/state-store.ts'
import {pause} from './program.ts'
import {type PlugRow, startSimulator} from './simulator.ts'

/** The same pace among all numbers of plugs: so many at a time, each with a rest that plugs need anyway. */
const AT_A_TIME = 10
const REST_MS = 60
const POLLS = 2000
/** Alternating; the least of each counts, since the first ones pay for the compiler. */
const ROUNDS = 2

/** @returns number of plugs -> microseconds of CPU time per poll */
export async function measurePolls(
  counts: readonly number[],
  firstAddress: string,
): Promise<Map<number, number>> {
  const simulator = await startSimulator(Math.max(...counts), firstAddress, ['chuangmi.plug.m1'])
  try {
    await costAmong(simulator.plugs.slice(0, AT_A_TIME)) // for the compiler, too
    const costs = new Map<number, number>()
    for (const count of Array.from({length: ROUNDS}, () => counts).flat()) {
      const cost = await costAmong(simulator.plugs.slice(0, count))
      costs.set(count, Math.min(cost, costs.get(count) ?? cost))
    }
    return costs
  } finally {
    await simulator.stop()
  }
}

async function costAmong(rows: readonly PlugRow[]): Promise<number> {
  const {plugs, stop} = await makePlugs(rows)
  await Promise.all(lanes(plugs, 200).map((lane) => pollAll(lane)))
  const before = process.cpuUsage()
  await Promise.all(lanes(plugs, AT_A_TIME).map((lane) => pollInTurn(lane)))
  const {user, system} = process.cpuUsage(before)
  await stop()
  return (user + system) / POLLS
}

async function makePlugs(rows: readonly PlugRow[]) {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-bench-'))
  const log = createLog({level: 'error'})
  const shared = {clock: systemClock, random: Math.random, log}
  const store = await StateStore.open(folder, shared)
  const energyStore = await EnergyStore.open(folder, shared)
  const socket = new MiioSocket()
  await socket.open()
  const discovery = new NetworkDiscovery({socket, clock: systemClock, broadcast: []})
  const devices = rows.map(({address, token}, index) => [`plug ${index}`, {host: address, token}])
  const text = JSON.stringify({devices: Object.fromEntries(devices)})
  const config = parseConfig(text, {file: 'config.yaml', env: {}})
  const publisher = {publish: () => {}}
  const topics = new Topics('bench')
  const states = new PlugStates(
    {publisher, topics, plugs: new Map()},
    {qos: 1, retain: true, attributes: false},
  )
  const capabilitiesOf = capabilitiesLookup(store, new Set())
  const owners = new DeviceIdOwners()
  const environment = {
    ...shared,
    socket,
    discovery,
    store,
    energyStore,
    findModel: (id: string) => builtIn.find(id),
    capabilitiesOf,
    owners,
    pollLimit: new PollLimit(systemClock),
    listener: states,
  }
  const plugs = Object.entries(config.devices).map(([name, device]) => {
    const plug = new ManagedPlug({name, config: device, poll: config.poll}, environment, 0)
    plug.device.listener = plug
    return plug
  })
  const stop = async () => {
    await Promise.all(plugs.map((plug) => plug.device.stop(0)))
    await socket.close()
    await Promise.all([store.close(), energyStore.close()])
    await rm(folder, {recursive: true, force: true})
  }
  return {plugs, stop}
}

/** The plugs, dealt out to `count` who poll at the same time. */
function lanes(plugs: readonly ManagedPlug[], count: number): ManagedPlug[][] {
  return Array.from({length: count}, (_, lane) => plugs.filter((_plug, index) => index % count === lane))
}

/** The first time takes a hello and miIO.info, too. */
async function pollAll(plugs: readonly ManagedPlug[]): Promise<void> {
  for (const {device} of plugs) await device.poll('rare')
}

async function pollInTurn(plugs: readonly ManagedPlug[]): Promise<void> {
  for (let poll = 0; poll < POLLS / AT_A_TIME; poll++) {
    await plugs[poll % plugs.length]?.device.poll('fast')
    await pause(REST_MS)
  }
}
