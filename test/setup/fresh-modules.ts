/**
 * Runs before each file of test/unit. One process runs many of them (vitest.config.ts), and each finds what a new process has: modules
 * of its own, so that a sequence of random numbers begins anew, and nothing replaced. A file that changes anything else of its
 * process changes it back.
 */
import {vi} from 'vitest'

vi.resetModules()
vi.restoreAllMocks()
vi.unstubAllEnvs()
vi.useRealTimers()
// Each file that starts programs adds a listener (test/support/on-process-exit.ts).
process.setMaxListeners(0)
