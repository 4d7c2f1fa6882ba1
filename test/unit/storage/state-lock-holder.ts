/** Takes the lock of a state folder, prints that or why not, and keeps it until it is killed. */
import {systemClock} from '../../../src/common/clock.ts'
import {createLog} from '../../../src/log/logger.ts'
import {lockStateFolder} from '../../../src/storage/state-lock.ts'

const [folder = ''] = process.argv.slice(2)
try {
  await lockStateFolder(folder, {
    clock: systemClock,
    random: Math.random,
    log: createLog({destination: 'stderr'}),
  })
  process.stdout.write('locked\n')
  setInterval(() => {}, 60_000)
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : error}\n`)
}
