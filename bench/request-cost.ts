/**
 * CPU time of a request and of a poll, beside the least that could do it and beside the library that most programs use. Each client is
 * a process of its own, and only its own time counts: the simulated plugs are in another one.
 */
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {fileURLToPath} from 'node:url'
import {installedFromNpm} from '../test/support/npm-package.ts'
import type {Plan} from './clients/pace.ts'
import {startSimulator} from './simulator.ts'
import {median} from './statistics.ts'
import {micros, type Row} from './table.ts'

/** The newest. */
const NPM_MIIO = '0.15.6'
const PLUGS = 200
const WARM_UP = 30
/** How many of the plugs get requests that are measured: a process that is busy, and one that is idle most of the time. */
const MEASURED = [200, 10]
const REQUESTS = 60
/** The clients take turns, so that whatever else this machine does falls on all of them. */
const ROUNDS = 3

/** File in bench/clients, and what it is called in the table. The first one is the floor. */
const CLIENTS = {
  floor: 'a request by a bare script (dgram, crypto, JSON)',
  'npm-miio': `a request by npm's miio ${NPM_MIIO}`,
  'miio-client': 'a request by MiioClient.call (goal 1.3)',
  device: 'a whole poll by Device.poll, one request (goal 1.6)',
}

/** @returns rows for a process that is busy with many plugs, whose code and data stay in the caches of the processor, and for an idle one */
export async function measureRequestCost(firstAddress: string): Promise<Row[]> {
  const npmMiio = await installedFromNpm('miio', NPM_MIIO)
  const simulator = await startSimulator(PLUGS, firstAddress, ['chuangmi.plug.m1'])
  try {
    const rows: Row[] = []
    for (const measured of MEASURED) {
      const plan = {plugs: simulator.plugs, warmUp: WARM_UP, measured, requests: REQUESTS}
      const costs = await costsOf(plan, npmMiio)
      for (const [client, what] of Object.entries(CLIENTS)) {
        const all = costs.get(client) ?? []
        const ratios = all.map((cost, round) => cost / (costs.get('floor')?.[round] ?? Number.NaN))
        rows.push({what: `${measured} plugs: ${what}`, value: micros(median(all)), ratio: median(ratios)})
      }
    }
    return rows
  } finally {
    await simulator.stop()
  }
}

/** @returns microseconds of CPU time for one request, of every round, by client */
async function costsOf(plan: Plan, npmMiio: string): Promise<Map<string, number[]>> {
  const costs = new Map<string, number[]>()
  for (let round = 0; round < ROUNDS; round++)
    for (const client of Object.keys(CLIENTS)) {
      const cost = await costOf(client, npmMiio, plan)
      costs.set(client, [...(costs.get(client) ?? []), cost])
    }
  return costs
}

/** @returns microseconds of CPU time for one request */
async function costOf(client: string, npmMiio: string, plan: Plan): Promise<number> {
  const file = fileURLToPath(new URL(`./clients/${client}.js`, import.meta.url))
  const child = spawn(process.execPath, [file, npmMiio], {stdio: ['pipe', 'pipe', 'inherit']})
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stdin.end(JSON.stringify(plan))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`bench/clients/${client}.ts ended with ${code}`)
  return Number(output)
}
