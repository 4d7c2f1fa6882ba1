/** A process that changes and saves its state without a pause, for tests that kill it: `state-writer.ts <folder> <plugs>`. */
import {systemClock} from '../../../src/common/clock.ts'
import {Secret} from '../../../src/common/secret.ts'
import {createLog} from '../../../src/log/logger.ts'
import {StateStore} from '../../../src/storage/state-store.ts'
import {seeded} from '../../support/virtual-clock.ts'

const [folder = '', plugs = '200', rounds = 'Infinity'] = process.argv.slice(2)
const log = createLog({destination: 'stderr'})
const store = await StateStore.open(folder, {clock: systemClock, log, random: seeded(1)})
for (let round = 0; round < Number(rounds); round++) {
  for (let did = 1; did <= Number(plugs); did++)
    store.remember(did, new Secret(did.toString(16).padStart(32, '0')), {
      name: `plug ${did}`,
      messageId: round,
    })
  await store.save()
  if (round === 0) process.stdout.write('saved\n')
}
await store.close()
