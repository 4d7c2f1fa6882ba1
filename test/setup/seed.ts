import type {TestProject} from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The seed of all random inputs of this run: `test/support/seeds.ts`. */
    seed: number
  }
}

/** Chooses the seed of this run, or takes that of `TEST_SEED`, and prints it. @throws Error for one that is no whole number below 2³¹ */
export default function setup(project: Pick<TestProject, 'provide'>): void {
  const {TEST_SEED: wanted} = process.env
  const seed = wanted === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(wanted)
  if (wanted === '' || !Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31)
    throw new Error(`TEST_SEED: expected a whole number from 0 to ${2 ** 31 - 1}, got "${wanted}"`)
  console.log(`TEST_SEED=${seed} repeats the random inputs of this run.`)
  project.provide('seed', seed)
}
