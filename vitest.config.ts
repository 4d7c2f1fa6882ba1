import {existsSync} from 'node:fs'
import {availableParallelism} from 'node:os'
import {configDefaults, defineConfig} from 'vitest/config'
import LongestFirst from './test/setup/longest-first.ts'

/** There is no broker, and this user cannot install one: test/setup/debian-packages.ts prints what is skipped, and fails in CI. */
const brokerless = !existsSync('/usr/sbin/mosquitto') && process.getuid?.() !== 0

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Home Assistant itself is `npm run test:homeassistant`.
    exclude: [
      ...configDefaults.exclude,
      'test/homeassistant/**',
      ...(brokerless ? ['test/e2e/**', 'test/unit/mqtt/**'] : []),
    ],
    globalSetup: ['test/setup/seed.ts', 'test/setup/debian-packages.ts'],
    pool: 'forks',
    // Most tests wait for processes and sockets: more of them than cores.
    maxWorkers: Math.max(6, availableParallelism()),
    sequence: {sequencer: LongestFirst},
    // Long enough for a busy machine: tests assert what happens and in which order, not how fast.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    reporters: ['default'],
    // `npm run coverage`. It counts what runs in the processes of the tests; a program that a test starts is not counted.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
      reportOnFailure: true,
    },
  },
})
