/**
 * CPU time of a request and of a poll, beside the least that could do it and beside the library that most programs use. Each client is
 * a process of its own, and only its own time counts: the simulated plugs are in another one.
 */
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {fileURLToPath} from 'node:url'
import {installedFromNpm} from '../test/support/npm-package.ts'
import {type PlugRow, startSimulator} from './simulator.ts'
import {median} from './statistics.ts'
import {micros, type Row} from './table.ts'

/** The newest. */
const NPM_MIIO = '0.15.6'
const PLUGS = 10
const WARM_UP = 60
const REQUESTS = 60
/** The clients take turns, so that whatever else this machine does falls on all of them. */
const ROUNDS = 5

/** File in bench/clients, and what it is called in the table. The first one is the floor. */
const CLIENTS = {
  floor: 'a request: a bare script (dgram, crypto, JSON)',
  'npm-miio': `a request: npm's miio ${NPM_MIIO}`,
  'miio-client': 'a request: MiioClient.call',
  device: 'a whole poll: Device.poll, one request',
}

export async function measureRequestCost(firstAddress: string): Promise<Row[]> {
  const npmMiio = await installedFromNpm('miio', NPM_MIIO)
  const simulator = await startSimulator(PLUGS, firstAddress, ['chuangmi.plug.m1'])
  try {
    const costs = new Map<string, number[]>()
    for (let round = 0; round < ROUNDS; round++)
      for (const client of Object.keys(CLIENTS)) {
        const cost = await costOf(client, npmMiio, simulator.plugs)
        costs.set(client, [...(costs.get(client) ?? []), cost])
      }
    const floor = costs.get('floor') ?? []
    return Object.entries(CLIENTS).map(([client, what]) => {
      const all = costs.get(client) ?? []
      const ratios = all.map((cost, round) => cost / (floor[round] ?? Number.NaN))
      return {what, value: micros(median(all)), ratio: median(ratios)}
    })
  } finally {
    await simulator.stop()
  }
}

/** @returns microseconds of CPU time for one request */
async function costOf(client: string, npmMiio: string, plugs: readonly PlugRow[]): Promise<number> {
  const file = fileURLToPath(new URL(`./clients/${client}.js`, import.meta.url))
  const child = spawn(process.execPath, [file, npmMiio], {stdio: ['pipe', 'pipe', 'inherit']})
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stdin.end(JSON.stringify({plugs, warmUp: WARM_UP, requests: REQUESTS}))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`bench/clients/${client}.ts ended with ${code}`)
  return Number(output)
}
