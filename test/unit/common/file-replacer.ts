/** Replaces a file, once or so many times, and prints a dot each time it begins. */
import {writeFileAtomically} from '../../../src/common/atomic-write.ts'

const [file = '', mode = '600', times = '1'] = process.argv.slice(2)
for (let time = 0; time < Number(times); time++) {
  process.stdout.write('.')
  await writeFileAtomically(
    file,
    'x'.repeat(1_000_000),
    time.toString(16).padStart(8, '0'),
    Number.parseInt(mode, 8),
  )
}
