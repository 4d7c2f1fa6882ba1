/**
 * What the bridge costs, as ratios where there is something to compare with: absolute figures are this machine's. Everything that
 * is compared is measured in one run. `npm run bench -- --help` lists the options.
 */
import {parseArgs} from 'node:util'
import {claimNetwork, Ports} from '../test/support/loopback.ts'
import {type Broker, startBroker, USUAL_PROGRAM} from './broker.ts'
import {measureCodec} from './codec.ts'
import {type CrowdChoice, crowdRows, measureCrowd} from './crowd.ts'
import {measureLatency} from './latency.ts'
import {measurePolls} from './poll-cost.ts'
import {measurePollRequests} from './poll-requests.ts'
import {measurePressure} from './pressure.ts'
import {Refusal} from './refusal.ts'
import {measureRequestCost} from './request-cost.ts'
import {measureStart} from './start.ts'
import {ms, print, type Row, thousands} from './table.ts'

const HELP = `npm run bench -- [options]
  --plugs <number>     plugs of polls, crowd and pressure (10000)
  --seconds <number>   how long the crowd is measured (60)
  --rounds <number>    commands whose latency is measured (200)
  --only <part>        codec, requests, start, latency, polls, crowd, pressure; may be repeated
  --heap <MB>          limit the bridge's heap as NODE_OPTIONS=--max-old-space-size=<MB> does
  --profile <folder>   write a CPU profile of the crowd's bridge there
  --mosquitto <path>   the broker (${USUAL_PROGRAM})`

const network = await claimNetwork()
/** The first of many. */
const ADDRESSES = {
  crowd: `127.${network}.0.1`,
  polls: `127.${network}.64.1`,
  latency: `127.${network}.128.1`,
  requests: `127.${network}.192.1`,
  start: `127.${network}.200.1`,
}
const FEW = 10
const MANY = 1000

interface Options {
  plugs: number
  seconds: number
  rounds: number
  heap: number | undefined
  profile: string | undefined
}

interface Part {
  needsBroker: boolean
  measure: (options: Options, broker: Broker) => Promise<Row[]>
}

const parts = new Map<string, Part>([
  ['codec', {needsBroker: false, measure: codec}],
  ['requests', {needsBroker: false, measure: requests}],
  ['start', {needsBroker: true, measure: start}],
  ['latency', {needsBroker: true, measure: latency}],
  ['polls', {needsBroker: false, measure: polls}],
  ['crowd', {needsBroker: true, measure: crowd}],
  ['pressure', {needsBroker: true, measure: pressure}],
])
const NO_BROKER: Broker = {url: '', stop: () => Promise.resolve()}

await main().catch((error: unknown) => {
  if (!(error instanceof Refusal)) throw error
  console.error(error.message)
  process.exitCode = 1
})

/** @throws Refusal for options that are wrong, and when the broker is missing */
async function main(): Promise<void> {
  const values = readOptions()
  if (values.help) return console.log(HELP)
  const options = {
    plugs: whole('plugs', values.plugs),
    seconds: whole('seconds', values.seconds),
    rounds: whole('rounds', values.rounds),
    heap: values.heap === undefined ? undefined : whole('heap', values.heap),
    profile: values.profile,
  }
  const unknown = values.only.filter((name) => !parts.has(name))
  if (unknown.length > 0)
    throw new Refusal(`--only: expected ${[...parts.keys()].join(', ')}, got ${unknown.join(', ')}`)
  const chosen = [...parts].filter(([name]) => values.only.includes(name))
  const broker = chosen.some(([, {needsBroker}]) => needsBroker)
    ? await startBroker(values.mosquitto, await new Ports(network).next())
    : NO_BROKER
  try {
    const rows: Row[] = []
    for (const [name, {measure}] of chosen) {
      process.stderr.write(`measuring ${name} …\n`)
      rows.push(...(await measure(options, broker)))
    }
    print(rows)
  } finally {
    await broker.stop()
  }
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        plugs: {type: 'string', default: '10000'},
        seconds: {type: 'string', default: '60'},
        rounds: {type: 'string', default: '200'},
        only: {type: 'string', multiple: true, default: [...parts.keys()]},
        heap: {type: 'string'},
        profile: {type: 'string'},
        mosquitto: {type: 'string', default: USUAL_PROGRAM},
        help: {type: 'boolean', default: false},
      },
    }).values
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : error}\n${HELP}`)
  }
}

async function codec(): Promise<Row[]> {
  const {packets, bare} = measureCodec(6)
  return [
    {what: 'codec: packets sealed and opened', value: `${thousands(packets)}/s`},
    {what: 'bare node:crypto calls', value: `${thousands(bare)}/s`, ratio: packets / bare},
  ]
}

async function requests(): Promise<Row[]> {
  return [
    ...(await measureRequestCost(ADDRESSES.requests)),
    ...(await measurePollRequests(ADDRESSES.requests)),
  ]
}

function start({seconds}: Options, broker: Broker): Promise<Row[]> {
  return measureStart({brokerUrl: broker.url, firstAddress: ADDRESSES.start, settle: seconds})
}

async function latency({rounds}: Options, broker: Broker): Promise<Row[]> {
  const {bridge, bare} = await measureLatency({
    brokerUrl: broker.url,
    rounds,
    firstAddress: ADDRESSES.latency,
  })
  return [
    {
      what: 'command to state: the bridge (goal 1.25)',
      value: `${ms(bridge.p50)} median, ${ms(bridge.p95)} p95`,
      ratio: bridge.p50 / bare.p50,
    },
    {what: 'command to state: a bare script', value: `${ms(bare.p50)} median, ${ms(bare.p95)} p95`, ratio: 1},
  ]
}

async function polls({plugs}: Options): Promise<Row[]> {
  const counts = [...new Set([FEW, MANY, plugs])].sort((a, b) => a - b)
  const costs = [...(await measurePolls(counts, ADDRESSES.polls))]
  const least = costs[0]?.[1] ?? Number.NaN
  return costs.map(([count, cost]) => ({
    what: `CPU time of a poll among ${thousands(count)} plugs`,
    value: `${Math.round(cost)} µs`,
    ratio: cost / least,
  }))
}

async function crowd(options: Options, broker: Broker): Promise<Row[]> {
  return crowdRows(await measureCrowd(crowdOf(options, broker)))
}

function pressure(options: Options, broker: Broker): Promise<Row[]> {
  return measurePressure(crowdOf(options, broker))
}

function crowdOf({plugs, seconds, profile, heap}: Options, broker: Broker): CrowdChoice {
  return {
    count: plugs,
    seconds,
    brokerUrl: broker.url,
    firstAddress: ADDRESSES.crowd,
    profileInto: profile,
    heapLimit: heap,
  }
}

function whole(option: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1)
    throw new Refusal(`--${option}: expected a whole number from 1, got ${text}`)
  return number
}
