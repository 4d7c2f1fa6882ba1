/**
 * The seeds of random inputs: fixed ones, and one that is new in each run. The run prints that one at its start;
 * `TEST_SEED=<number> npm test` repeats it.
 */
import fc from 'fast-check'
import {afterEach, inject} from 'vitest'
import {seeded} from './virtual-clock.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** `INPUT_FACTOR` */
    inputFactor: number
  }
}

export const FIXED_SEEDS = [1, 2, 3, 5, 8, 13, 21, 34, 55]
/** The seed of this run. */
export const TEST_SEED = inject('seed')
export const SEEDS = [...FIXED_SEEDS, TEST_SEED]

/** In place of `Math.random`. */
export const random = seeded(TEST_SEED)

afterEach(({task}) => {
  if (task.result?.state === 'fail')
    console.error(`TEST_SEED=${TEST_SEED} repeats the random inputs of this run.`)
})

/** In place of `crypto.randomBytes`. */
export function randomBytes(length: number): Buffer {
  return Buffer.from(Array.from({length}, () => Math.floor(256 * random())))
}

/** How many times as many random inputs as in `npm test` are tried: 1, and 5 in `npm run test:long`. */
export const INPUT_FACTOR = inject('inputFactor')

/**
 * Like `fc.assert`, with inputs from each of the seeds.
 * @param numRuns how many inputs `npm test` tries, from all seeds together
 * @throws Error that names the seed, and the smallest input that fails
 */
export function checkProperty<T>(property: fc.IAsyncProperty<T>, options?: {numRuns: number}): Promise<void>
export function checkProperty<T>(property: fc.IProperty<T>, options?: {numRuns: number}): void
export function checkProperty<T>(property: fc.IRawProperty<T>, {numRuns = 100} = {}): Promise<void> | void {
  const perSeed = Math.ceil((INPUT_FACTOR * numRuns) / SEEDS.length)
  const choices = SEEDS.map((seed) => ({seed, numRuns: perSeed}))
  if (property.isAsync()) return inTurn(choices, (choice) => fc.assert(property, choice))
  for (const choice of choices) fc.assert(property, choice)
}

async function inTurn<T>(all: readonly T[], run: (each: T) => Promise<void> | void): Promise<void> {
  for (const each of all) await run(each)
}
