import {existsSync} from 'node:fs'
import {availableParallelism} from 'node:os'
import {configDefaults, defineConfig} from 'vitest/config'
import LongestFirst from './test/setup/longest-first.ts'

/** There is no broker, and this user cannot install one: test/setup/debian-packages.ts prints what is skipped, and fails in CI. */
const brokerless = !existsSync('/usr/sbin/mosquitto') && process.getuid?.() !== 0

const everyTest = {
  pool: 'forks',
  exclude: [...configDefaults.exclude, ...(brokerless ? ['test/e2e/**', 'test/unit/mqtt/**'] : [])],
  // Long enough for a busy machine: tests assert what happens and in which order, not how fast.
  testTimeout: 120_000,
  hookTimeout: 180_000,
} as const

/** `npm run test:long` is this in mode `long`: the same tests, with five times as many random inputs and operations. */
export default defineConfig(({mode}) => ({
  test: {
    // Home Assistant itself is `npm run test:homeassistant`.
    projects: [
      {
        test: {
          ...everyTest,
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // One process runs many files: a third less CPU time than a process for each. Their modules are not shared.
          isolate: false,
          setupFiles: ['test/setup/fresh-modules.ts'],
        },
      },
      {test: {...everyTest, name: 'system', include: ['test/{docs,e2e,integration}/**/*.test.ts']}},
    ],
    globalSetup: ['test/setup/seed.ts', 'test/setup/debian-packages.ts'],
    provide: {inputFactor: mode === 'long' ? 5 : 1},
    // The tests of a whole bridge wait for processes and sockets twice as long as they compute: more of them than cores.
    maxWorkers: Math.max(8, availableParallelism()),
    sequence: {sequencer: LongestFirst},
    reporters: ['default'],
    // `npm run coverage`. It counts what runs in the processes of the tests. Most tests of src/cli start the built program, which is a
    // process of its own and is not counted: hence a threshold for everything else, and one for src/cli.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
      reportOnFailure: true,
      thresholds: {
        'src/!(cli)/**': {lines: 98, branches: 93},
        'src/cli/**': {lines: 30},
      },
    },
  },
}))
