/** A process that logs more than is read: its argument is the number of lines. On stderr it reports its progress. */
import {createLog} from '../../../src/log/logger.ts'

const lines = Number(process.argv[2])
const log = createLog()
let turns = 0
const turn = setInterval(() => {
  for (let line = 0; line < lines / 20; line++) log.info('x'.repeat(200), {turns})
  if (++turns < 20) return
  clearInterval(turn)
  log.info('the last line')
  process.stderr.write(`${turns} turns\n`)
  process.exit(0)
}, 1)
