import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll} from 'vitest'
import {Bridge} from '../../src/app/bridge.ts'
import type {Clock} from '../../src/common/clock.ts'
import {Redactor} from '../../src/common/redact.ts'
import {type Config, parseConfig} from '../../src/config/config.ts'
import {createLog, type PinoLog} from '../../src/log/logger.ts'
import {builtIn, type Catalogue} from '../../src/models/catalogue.ts'
import {SimulatedNetwork} from '../../src/simulator/simulated-network.ts'
import {SimulatedPlug, type SimulatedPlugOptions} from '../../src/simulator/simulated-plug.ts'
import {EnergyStore} from '../../src/storage/energy-store.ts'
import {StateStore} from '../../src/storage/state-store.ts'
import {BROADCAST, freeAddress} from './addresses.ts'
import type {Mosquitto} from './mosquitto.ts'
import {random} from './seeds.ts'
import {steadyClock} from './steady-clock.ts'
import {TOKEN} from './token.ts'

export {TOKEN}

const running = new Set<{stop(): Promise<void>}>()
afterAll(async () => {
  for (const each of [...running].reverse()) await each.stop()
})

/** A simulated m1 on an address of this test file's own, started; stopped when the test file ends. */
export async function startPlug(choice: Partial<SimulatedPlugOptions> = {}): Promise<SimulatedPlug> {
  const {address = freeAddress()} = choice
  const did = Number(address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0))
  const plug = new SimulatedPlug({
    model: 'chuangmi.plug.m1',
    did,
    address,
    token: Buffer.from(TOKEN, 'hex'),
    clock: steadyClock,
    random,
    remember: 10_000,
    ...choice,
  })
  await plug.start()
  running.add(plug)
  return plug
}

/** Makes `plugs` (already started) receive hellos that are sent to `BROADCAST`. */
export async function inReachOfBroadcasts(plugs: readonly SimulatedPlug[]): Promise<void> {
  const neighbourhood = new SimulatedNetwork(plugs, {
    clock: steadyClock,
    random,
    broadcast: BROADCAST,
  })
  await neighbourhood.listen()
  running.add(neighbourhood)
}

/** Starts something that is stopped when the test file ends. */
export async function startUntilTheEnd(neighbourhood: SimulatedNetwork): Promise<void> {
  await neighbourhood.start()
  running.add(neighbourhood)
}

export interface TestBridgeOptions {
  broker: Mosquitto
  /** By name. */
  plugs: Readonly<Record<string, SimulatedPlug>>
  /** More of config.yaml, by top-level key. Poll intervals are short by default. */
  config?: Readonly<Record<string, unknown>>
  /** More options of single plugs, by name. */
  devices?: Readonly<Record<string, Record<string, unknown>>>
  /** The state folder; a new empty one by default. */
  folder?: string
  /** The models that the bridge knows; by default those of the program. */
  catalogue?: Catalogue
  /** The one of `startPlug` by default. */
  clock?: Clock
  /** How busy the process is, 0 to 1; by default it is idle, however busy the machine of the test is. */
  utilization?: () => number
}

export interface TestBridge {
  daemon: Bridge
  config: Config
  folder: string
  /** Lines of the log, as JSON. */
  log: Record<string, unknown>[]
  /** The source of those lines: it is used after the end of the bridge, as in a process that restarts it. */
  rootLog: PinoLog
  /** How often a restart was requested. */
  restarts: number
  stop(): Promise<void>
}

/** The whole daemon in this process, on real sockets; stopped when the test file ends. */
export async function startBridge(choice: TestBridgeOptions): Promise<TestBridge> {
  const folder = choice.folder ?? (await mkdtemp(join(tmpdir(), 'miio2mqtt-test-')))
  const config = parseConfig(configText(choice), {file: 'config.yaml', env: {}, readFile: noFile})
  const lines: Record<string, unknown>[] = []
  const log = createLog({
    level: 'debug',
    format: 'json',
    destination: {write: (line) => lines.push(JSON.parse(line))},
  })
  const {clock = steadyClock, utilization = () => 0} = choice
  const store = await StateStore.open(folder, {clock, random, log})
  const energyStore = await EnergyStore.open(folder, {clock, random, log})
  const bridge: TestBridge = {
    config,
    folder,
    log: lines,
    rootLog: log,
    restarts: 0,
    daemon: new Bridge({
      config,
      clock,
      random,
      log,
      redactor: new Redactor(),
      store,
      energyStore,
      catalogue: choice.catalogue ?? builtIn,
      utilization,
      configActions: {
        edit: () => Promise.resolve('this bridge has no file'),
        reload: () => {
          bridge.restarts++
          return Promise.resolve(undefined)
        },
      },
    }),
    stop: async () => {
      if (!running.delete(bridge)) return
      await bridge.daemon.stop()
      await Promise.all([store.close(), energyStore.close()])
      if (choice.folder === undefined) await rm(folder, {recursive: true, force: true})
    },
  }
  running.add(bridge)
  await bridge.daemon.start()
  return bridge
}

/** The same, as text of a config.yaml (JSON is YAML, too): for tests that run the program as a process. */
export function configText({
  broker,
  plugs,
  config = {},
  devices = {},
}: Omit<TestBridgeOptions, 'folder' | 'catalogue'>): string {
  const entries = Object.entries(plugs).map(([name, plug]) => [
    name,
    {host: plug.address, token: TOKEN, ...devices[name]},
  ])
  return JSON.stringify({
    mqtt: {url: broker.url},
    network: {broadcast: []},
    poll: {interval: '1s', slow_interval: '5s'},
    ...config,
    devices: Object.fromEntries(entries),
  })
}

function noFile(path: string): never {
  throw new Error(`this configuration refers to the file ${path}`)
}
