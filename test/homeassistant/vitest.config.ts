import {defineConfig} from 'vitest/config'

/** Tests with Home Assistant from PyPI: too slow for every run of the tests, so they have a command of their own. */
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
