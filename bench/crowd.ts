/** Many plugs on one bridge at default intervals: what that costs, and whether each of them is served. */
import {type Daemon, startDaemon} from './daemon.ts'
import {type Health, Observer} from './observer.ts'
import {pause} from './program.ts'
import {startSimulator} from './simulator.ts'
import {ms, type Row, thousands} from './table.ts'

export interface CrowdChoice {
  count: number
  /** How long it is measured, once the availability of all plugs is known. */
  seconds: number
  brokerUrl: string
  firstAddress: string
  profileInto?: string | undefined
  heapLimit?: number | undefined
}

export interface CrowdResult {
  plugs: number
  /** Number of plugs that were online. */
  online: number
  /** Number of plugs whose state was published. */
  states: number
  /** Every `offline` that was published for a plug. */
  offline: readonly string[]
  /** CPU time over time, of one core, while measured. */
  cpuShare: number
  /** The highest 99th percentile of all minutes, milliseconds. */
  eventLoopP99: number
  /** MB: at the end, and at any time. */
  rss: number
  peakRss: number
  requestsPerSecond: number
  timeouts: number
  stateMessagesPerSecond: number
  /** CPU time for each request and all that belongs to it, microseconds. */
  perRequest: number
  /** From the start of the process until the availability of every plug was known, seconds. */
  startSeconds: number
}

/** First polls are up to 5 ms apart, and a fresh process has to read its configuration. */
const startLimit = (count: number) => 60_000 + 10 * count

export function measureCrowd(choice: CrowdChoice): Promise<CrowdResult> {
  return withCrowd(choice, async (daemon, observer, _names, startSeconds) => ({
    ...(await measure(choice, daemon, observer)),
    startSeconds,
  }))
}

/** Runs a bridge with many plugs, and calls `use` once all of them are known to be online or not. */
export async function withCrowd<T>(
  choice: CrowdChoice,
  use: (daemon: Daemon, observer: Observer, names: readonly string[], startSeconds: number) => Promise<T>,
): Promise<T> {
  const simulator = await startSimulator(choice.count, choice.firstAddress)
  try {
    const plugs = new Map(simulator.plugs.map((plug, index) => [`room ${index % 100}/plug ${index}`, plug]))
    const observer = await Observer.open(choice.brokerUrl, plugs.keys())
    await observer.clear()
    const began = performance.now()
    const daemon = await startDaemon({...choice, plugs})
    try {
      await observer.until('all plugs answered', () => observer.bridge === 'online', startLimit(choice.count))
      return await use(daemon, observer, [...plugs.keys()], (performance.now() - began) / 1000)
    } finally {
      await daemon.stop()
      await observer.stop()
    }
  } finally {
    await simulator.stop()
  }
}

async function measure({count, seconds}: CrowdChoice, {program}: Daemon, observer: Observer) {
  const before = {...totals(await observer.health()), cpu: program.cpuMs(), messages: observer.stateMessages}
  const began = performance.now()
  observer.forgetDelays()
  await pause(seconds * 1000)
  const elapsed = performance.now() - began
  const cpu = program.cpuMs() - before.cpu
  const messages = observer.stateMessages - before.messages
  const after = totals(await observer.health())
  const requests = after.requests - before.requests
  const {rss, peak} = program.memory()
  return {
    plugs: count,
    online: observer.online.size,
    states: observer.states.size,
    offline: observer.offline,
    cpuShare: cpu / elapsed,
    eventLoopP99: Math.max(...observer.delays.map(({p99}) => p99)),
    rss,
    peakRss: peak,
    requestsPerSecond: (1000 * requests) / elapsed,
    timeouts: after.timeouts,
    stateMessagesPerSecond: (1000 * messages) / elapsed,
    perRequest: (1000 * cpu) / requests,
  }
}

function totals({devices}: Health): {requests: number; timeouts: number} {
  const all = Object.values(devices)
  const sum = (key: 'requests' | 'timeouts') => all.reduce((total, device) => total + device[key], 0)
  return {requests: sum('requests'), timeouts: sum('timeouts')}
}

export function crowdRows(result: CrowdResult): Row[] {
  const {plugs, online, offline, states, timeouts} = result
  return [
    {what: `${thousands(plugs)} plugs at default intervals`, value: `${online} online, ${states} with state`},
    {what: 'wrongly offline, requests without answer (goal 0)', value: `${offline.length}, ${timeouts}`},
    {what: 'CPU share of one core (goal 18 %)', value: `${(100 * result.cpuShare).toFixed(1)} %`},
    {what: 'CPU time per request', value: `${Math.round(result.perRequest)} µs`},
    {what: 'requests', value: `${result.requestsPerSecond.toFixed(0)}/s`},
    {what: 'event-loop delay p99 (goal 15 ms)', value: ms(result.eventLoopP99)},
    {
      what: 'resident memory, and its peak (goals 220 and 280 MB)',
      value: `${result.rss} MB, ${result.peakRss} MB`,
    },
    {what: 'from start until all plugs are known', value: `${result.startSeconds.toFixed(1)} s`},
  ]
}
