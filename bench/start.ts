/** Time until a command ends and until the bridge is online, and its memory, beside Node.js alone. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {startDaemon} from './daemon.ts'
import {Observer} from './observer.ts'
import {Program, pause} from './program.ts'
import {type PlugRow, startSimulator} from './simulator.ts'
import {median} from './statistics.ts'
import {type Row, seconds} from './table.ts'

export interface StartChoice {
  brokerUrl: string
  firstAddress: string
  /** After so many seconds the memory of the bridge is read. */
  settle: number
}

const PLUGS = 6
const ROUNDS = 7
const NOTHING = ['-e', '0']

export async function measureStart(choice: StartChoice): Promise<Row[]> {
  const simulator = await startSimulator(PLUGS, choice.firstAddress)
  const plugs = new Map(simulator.plugs.map((plug, index) => [`plug ${index}`, plug]))
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-bench-'))
  try {
    const file = join(folder, 'config.yaml')
    await writeFile(file, JSON.stringify({devices: devicesOf(plugs)}))
    const commands = {
      'Node.js alone: node -e 0': () => new Program(process.execPath, NOTHING),
      'miio2mqtt --version (goal 0.12 s)': () => Program.miio2mqtt(['--version']),
      [`miio2mqtt check, ${PLUGS} plugs (goal 0.25 s)`]: () => Program.miio2mqtt(['check', file]),
    }
    const times = await timesOf(commands)
    const bare = Object.values(times)[0] ?? Number.NaN
    const rows: Row[] = Object.entries(times).map(([what, time]) => ({
      what,
      value: seconds(time),
      ratio: time / bare,
    }))
    const bridge = await measureBridge(choice, plugs)
    return [
      ...rows,
      {
        what: `from start to online, ${PLUGS} plugs (goal 0.45 s)`,
        value: seconds(bridge.online),
        ratio: bridge.online / bare,
      },
      {
        what: `resident memory, ${PLUGS} plugs, after ${choice.settle} s (goal 65 MB)`,
        value: `${bridge.rss} MB`,
      },
    ]
  } finally {
    await simulator.stop()
    await rm(folder, {recursive: true, force: true})
  }
}

/** In turns. @returns milliseconds until the program has ended, the median of all rounds */
async function timesOf(commands: Record<string, () => Program>): Promise<Record<string, number>> {
  const times = new Map<string, number[]>()
  for (let round = 0; round < ROUNDS; round++)
    for (const [what, start] of Object.entries(commands)) {
      const began = performance.now()
      await start().end()
      times.set(what, [...(times.get(what) ?? []), performance.now() - began])
    }
  return Object.fromEntries(Array.from(times, ([what, all]) => [what, median(all)]))
}

async function measureBridge({brokerUrl, settle}: StartChoice, plugs: ReadonlyMap<string, PlugRow>) {
  const times: number[] = []
  for (let round = 1; ; round++) {
    const observer = await Observer.open(brokerUrl, plugs.keys())
    await observer.clear()
    const began = performance.now()
    const daemon = await startDaemon({brokerUrl, plugs})
    try {
      await observer.until('the bridge is online', () => observer.bridge === 'online', 60_000)
      times.push(performance.now() - began)
      if (round < ROUNDS) continue
      await pause(1000 * settle)
      return {online: median(times), rss: daemon.program.memory().rss}
    } finally {
      await daemon.stop()
      await observer.stop()
    }
  }
}

function devicesOf(plugs: ReadonlyMap<string, PlugRow>) {
  return Object.fromEntries(Array.from(plugs, ([name, {address, token}]) => [name, {host: address, token}]))
}
