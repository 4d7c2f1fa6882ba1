/**
 * Many plugs on a machine that is too slow for them: the bridge gets half of a core, then a tenth, and another process keeps one busy. No healthy plug
 * may be called offline, commands have to stay quick, and afterwards polls have to come back to their interval.
 */
import {type CrowdChoice, withCrowd} from './crowd.ts'
import type {Health, Observer} from './observer.ts'
import {Program, pause} from './program.ts'
import {percentile} from './statistics.ts'
import {ms, type Row, seconds, thousands} from './table.ts'

/** The bridge runs for so long, and then stands still, in turns, as `cpulimit` does it. */
const RUN_MS = 25
/** At the end the bridge gets a tenth of a core for so long, which is too little for ten thousand plugs: the recovery is measured from an overload. */
const HARD_SECONDS = 45
/** After so long what follows a start is over: discovery messages, the first lists, the search for stale topics. */
const SETTLE_MS = 20_000
/** Between two commands, each to another plug. */
const COMMAND_EVERY_MS = 500
/** The default of `poll.interval`, with its jitter, and the time that a poll takes. Some models are polled less often. */
const INTERVAL_MS = 17_500
/** So many of the plugs that were polled within the interval before the load are polled within it again; two models in a hundred have longer ones. */
const RECOVERED = 0.95
/** Between two readings of the health, which costs the bridge a tenth of a second with ten thousand plugs. */
const HEALTH_EVERY_MS = 3000
/** After so long without a recovery it is not awaited any more. */
const LONGEST_RECOVERY_MS = 120_000

/** @returns rows with what the bridge promises of a machine that cannot keep up */
export async function measurePressure(choice: CrowdChoice): Promise<Row[]> {
  return await withCrowd(choice, async ({program}, observer, names) => {
    await pause(SETTLE_MS)
    const neighbour = new Program(process.execPath, ['-e', 'for (;;);'])
    const offlineBefore = observer.offline.length
    const before = await observer.health()
    const usual = recentlyPolled(before)
    const half = throttled(program, 1 / 2)
    const {delays, failures} = await underLoad(observer, names, choice.seconds)
    await half.stop()
    const tenth = throttled(program, 1 / 10)
    const hard = await underLoad(observer, names, HARD_SECONDS)
    await tenth.stop()
    await neighbour.stop()
    const recovery = await recover(observer, RECOVERED * usual)
    const after = await observer.health()
    const warnings = observer.warnings.filter((text) => text.startsWith('cannot keep up'))
    return [
      {
        what: `${thousands(names.length)} plugs, half a core, a busy neighbour: wrongly offline (goal 0)`,
        value: String(observer.offline.length - offlineBefore),
      },
      {
        what: `commands meanwhile: ${delays.length}, median and worst (goal 2 s)`,
        value: `${ms(percentile(delays, 0.5))}, ${ms(Math.max(...delays))}`,
      },
      {
        what: `then a tenth of a core: ${hard.delays.length} commands, median and worst`,
        value: `${ms(percentile(hard.delays, 0.5))}, ${ms(Math.max(...hard.delays))}`,
      },
      {what: 'commands that failed (goal 0)', value: String(failures + hard.failures)},
      {what: 'tries without an answer', value: String(totalTimeouts(after) - totalTimeouts(before))},
      {what: 'factor of poll intervals, at most', value: observer.mostPollFactor.toFixed(1)},
      {
        what: 'warnings about it (goal: one, if the factor was more than 1)',
        value: String(warnings.length),
      },
      {
        what: 'after the load, until the factor was 1',
        value: recovery.factorMs === undefined ? 'never' : seconds(recovery.factorMs),
      },
      {
        what: `until all plugs were polled at their interval again (goal ${seconds(2 * INTERVAL_MS)})`,
        value: recovery.pollsMs === undefined ? 'never' : seconds(recovery.pollsMs),
      },
    ]
  })
}

/** Sends commands, one after the other, for so many seconds. */
async function underLoad(observer: Observer, names: readonly string[], duration: number) {
  const delays: number[] = []
  let failures = 0
  const end = performance.now() + 1000 * duration
  for (let index = 0; performance.now() < end; index++) {
    const began = performance.now()
    const isOk = await observer.command(names[(index * 7919) % names.length] ?? '', index % 2 ? 'OFF' : 'ON')
    if (!isOk) failures++
    delays.push(performance.now() - began)
    await pause(COMMAND_EVERY_MS)
  }
  return {delays, failures}
}

/**
 * Waits until the factor is 1 again, and then until so many plugs have answered within one interval as before the load.
 * @returns milliseconds until then; `undefined` for what did not happen
 */
async function recover(observer: Observer, usual: number): Promise<{factorMs?: number; pollsMs?: number}> {
  const began = performance.now()
  const elapsed = () => performance.now() - began
  while (observer.pollFactor !== 1) {
    if (elapsed() > LONGEST_RECOVERY_MS) return {}
    await pause(100)
  }
  const factorMs = elapsed()
  while (elapsed() < LONGEST_RECOVERY_MS) {
    if (recentlyPolled(await observer.health()) >= usual) return {factorMs, pollsMs: elapsed()}
    await pause(HEALTH_EVERY_MS)
  }
  return {factorMs}
}

/** How many plugs have responded within one interval. */
function recentlyPolled({devices}: Health): number {
  const since = Date.now() - INTERVAL_MS
  return Object.values(devices).filter(({last_seen}) => Date.parse(last_seen ?? '') > since).length
}

function totalTimeouts({devices}: Health): number {
  return Object.values(devices).reduce((sum, {timeouts}) => sum + timeouts, 0)
}

/**
 * Stops and continues the bridge in turns, so that it has this share of a core. A process of its own does that: this one, which observes
 * ten thousand plugs, would leave the bridge stopped for longer.
 */
function throttled(program: Program, share: number): {stop(): Promise<void>} {
  const {pid} = program
  const stopMs = RUN_MS / share - RUN_MS
  const code = `const stop = () => { process.kill(${pid}, 'SIGSTOP'); setTimeout(go, ${stopMs}) }; const go = () => { process.kill(${pid}, 'SIGCONT'); setTimeout(stop, ${RUN_MS}) }; stop()`
  const throttle = new Program(process.execPath, ['-e', code])
  return {
    stop: async () => {
      await throttle.stop()
      program.signal('SIGCONT')
    },
  }
}
