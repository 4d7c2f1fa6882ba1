import {systemClock} from '../../src/common/clock.ts'
import {parseConfig} from '../../src/config/config.ts'
import {seeded} from './virtual-clock.ts'

/** The options of `editConfig` for a bridge that has no plugs yet. */
export const editOptions = {
  running: parseConfig('', {file: 'config.yaml', env: {}}),
  clock: systemClock,
  random: seeded(1),
  env: {},
}
