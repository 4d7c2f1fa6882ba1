/**
 * A process that counts energy without a pause, and prints what is persisted, for tests that kill it.
 * `energy-store-writer.ts <folder> <plugs>`; a line on standard output is the least total of all plugs that is written.
 */
import {systemClock} from '../../../src/common/clock.ts'
import {createLog} from '../../../src/log/logger.ts'
import {EnergyStore} from '../../../src/storage/energy-store.ts'
import {seeded} from '../../support/virtual-clock.ts'

const [folder = '', plugs = '100'] = process.argv.slice(2)
const dids = Array.from({length: Number(plugs)}, (_, index) => index + 1)
const log = createLog({destination: 'stderr'})
const store = await EnergyStore.open(folder, {clock: systemClock, log, random: seeded(1)})
for (let total = store.persisted(1)?.total ?? 0; ; total++) {
  for (const did of dids) store.record(did, {total, today: 0, day: '2026-01-31', moved: total})
  await store.save()
  process.stdout.write(`${Math.min(...dids.map((did) => store.persisted(did)?.total ?? -1))}\n`)
}
