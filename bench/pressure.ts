/**
 * Many plugs on a machine that is too slow for them: the bridge gets half of a core, and another process keeps one busy. No healthy plug
 * may be called offline, commands have to stay quick, and afterwards polls have to come back to their interval.
 */
import {type CrowdChoice, withCrowd} from './crowd.ts'
import {Program, pause} from './program.ts'
import {percentile} from './statistics.ts'
import {ms, type Row, thousands} from './table.ts'

/** The bridge runs and stands still in turns of this length, as `cpulimit` does it. */
const SLICE_MS = 25
/** Between two commands, each to another plug. */
const COMMAND_EVERY_MS = 500

export async function measurePressure(choice: CrowdChoice): Promise<Row[]> {
  return await withCrowd(choice, async ({program}, observer, names) => {
    const neighbour = new Program(process.execPath, ['-e', 'for (;;);'])
    const offlineBefore = observer.offline.length
    const throttle = halved(program)
    const delays: number[] = []
    const end = performance.now() + 1000 * choice.seconds
    for (let index = 0; performance.now() < end; index++) {
      const name = names[(index * 7919) % names.length] ?? ''
      const began = performance.now()
      await observer.command(name, index % 2 === 0 ? 'ON' : 'OFF')
      delays.push(performance.now() - began)
      await pause(COMMAND_EVERY_MS)
    }
    await throttle.stop()
    await neighbour.stop()
    return [
      {
        what: `${thousands(names.length)} plugs, half a core, a busy neighbour: wrongly offline`,
        value: String(observer.offline.length - offlineBefore),
      },
      {
        what: `commands meanwhile: ${delays.length}, median and worst`,
        value: `${ms(percentile(delays, 0.5))}, ${ms(Math.max(...delays))}`,
      },
    ]
  })
}

function halved(program: Program): {stop(): Promise<void>} {
  let isOver = false
  const turns = (async () => {
    while (!isOver) {
      program.signal('SIGSTOP')
      await pause(SLICE_MS)
      program.signal('SIGCONT')
      await pause(SLICE_MS)
    }
  })()
  return {
    stop: () => {
      isOver = true
      return turns
    },
  }
}
