import {defineConfig} from 'vitest/config'

/** Home Assistant itself, from PyPI: too much for every run of the tests, so it has a command of its own. */
export default defineConfig({
  test: {
    include: ['test/homeassistant/*.test.ts'],
    globalSetup: ['test/setup/seed.ts', 'test/setup/debian-packages.ts', 'test/homeassistant/setup.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['verbose'],
  },
})
