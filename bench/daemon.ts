/** The bridge under measurement, in a process of its own. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Program} from './program.ts'
import type {PlugRow} from './simulator.ts'

export interface DaemonChoice {
  brokerUrl: string
  /** By name. */
  plugs: ReadonlyMap<string, PlugRow>
  /** A folder for a CPU profile. */
  profileInto?: string | undefined
  /** What NODE_OPTIONS=--max-old-space-size would be, MB. */
  heapLimit?: number | undefined
}

export interface Daemon {
  program: Program
  stop(): Promise<void>
}

/** At default intervals, and knowing of each plug only what a user must write: address and token. */
export async function startDaemon(choice: DaemonChoice): Promise<Daemon> {
  const {brokerUrl, plugs} = choice
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-bench-'))
  const file = join(folder, 'config.yaml')
  const devices = Array.from(plugs, ([name, {address, token}]) => [name, {host: address, token}])
  const config = {
    mqtt: {url: brokerUrl},
    network: {broadcast: []},
    state_dir: join(folder, 'state'),
    devices: Object.fromEntries(devices),
  }
  await writeFile(file, JSON.stringify(config)) // JSON is YAML, too
  const program = Program.miio2mqtt(['--config', file, 'run'], nodeOptions(choice))
  return {
    program,
    stop: async () => {
      await program.stop()
      await rm(folder, {recursive: true, force: true})
    },
  }
}

function nodeOptions({profileInto, heapLimit}: DaemonChoice): string[] {
  return [
    ...(profileInto === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileInto}`]),
    ...(heapLimit === undefined ? [] : [`--max-old-space-size=${heapLimit}`]),
  ]
}
