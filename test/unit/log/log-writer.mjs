/** A process that logs more than is read: `log-writer.mjs <the compiled logger.js> <lines>`. On stderr it reports its progress. */
const [module = '', lines = '0'] = process.argv.slice(2)
const {createLog} = await import(module)
const log = createLog()
let turns = 0
const turn = setInterval(() => {
  for (let line = 0; line < Number(lines) / 20; line++) log.info('x'.repeat(200), {turns})
  if (++turns < 20) return
  clearInterval(turn)
  log.info('the last line')
  process.stderr.write(`${turns} turns\n`)
  process.exit(0)
}, 1)
