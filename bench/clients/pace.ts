/** The loop that every client of bench/request-cost.ts runs: the same requests at the same pace, so that only the client differs. */
import {readFileSync} from 'node:fs'
import type {PlugRow} from '../simulator.ts'

/** A plug needs 50 ms between two requests, and every client gives it that: a client that has no rest of its own must not be cheaper for it. */
const REST_MS = 60

/** What a client measures. */
export interface Plan {
  plugs: readonly PlugRow[]
  /** Requests to each plug before the measurement, so that V8 has compiled what it compiles. */
  warmUp: number
  /** How many of the plugs get requests that are measured, and how many each. */
  measured: number
  requests: number
}

/** Standard input has the plan; standard output gets the microseconds of CPU time of this process for one request. */
export async function run(connect: (plug: PlugRow) => Promise<() => Promise<unknown>>): Promise<void> {
  const {plugs, warmUp, measured, requests}: Plan = JSON.parse(readFileSync(0, 'utf8'))
  const senders = await Promise.all(plugs.map(connect))
  await sendAll(senders, warmUp)
  const before = process.cpuUsage()
  await sendAll(senders.slice(0, measured), requests)
  const {user, system} = process.cpuUsage(before)
  process.stdout.write(`${(user + system) / (measured * requests)}\n`)
  process.exit()
}

/** One request at a time to each plug, all plugs side by side. */
async function sendAll(senders: readonly (() => Promise<unknown>)[], count: number): Promise<void> {
  await Promise.all(
    senders.map(async (send) => {
      for (let sent = 0; sent < count; sent++) {
        await send()
        await new Promise((resolve) => setTimeout(resolve, REST_MS))
      }
    }),
  )
}
