import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterEach, describe, expect, it, vi} from 'vitest'
import chooseSeed from '../../setup/seed.ts'
import {checkProperty, FIXED_SEEDS, INPUT_FACTOR, SEEDS} from '../../support/seeds.ts'

describe('a property', () => {
  const tried = (numRuns: number) => {
    const inputs: number[] = []
    checkProperty(
      fc.property(fc.integer(), (input) => {
        inputs.push(input)
      }),
      {numRuns},
    )
    return inputs
  }

  it('is tried with inputs of every seed, the same ones each time', () => {
    expect(tried(50)).toHaveLength(50 * INPUT_FACTOR)
    expect(tried(50)).toEqual(tried(50))
    const ofSeed = (seed: number) => fc.sample(fc.integer(), {seed, numRuns: 5 * INPUT_FACTOR})
    expect(tried(50)).toEqual(SEEDS.flatMap(ofSeed))
  })

  it('that fails names its seed, and waits for its promises', async () => {
    expect(() => checkProperty(fc.property(fc.integer(), () => false))).toThrow(`seed: ${FIXED_SEEDS[0]},`)
    const never = fc.asyncProperty(fc.integer(), () => Promise.resolve(false))
    await expect(checkProperty(never)).rejects.toThrow(`seed: ${FIXED_SEEDS[0]},`)
  })
})

describe('the seed of a run', () => {
  const project = {provide: vi.fn()}
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {})
  const choose = (wanted: string | undefined) => {
    vi.stubEnv('TEST_SEED', wanted)
    chooseSeed(project)
    return project.provide.mock.lastCall
  }
  afterEach(() => vi.unstubAllEnvs())

  it('is that of the environment, and printed', () => {
    expect(choose('4711')).toEqual(['seed', 4711])
    expect(printed).toHaveBeenLastCalledWith(expect.stringContaining('TEST_SEED=4711 '))
  })

  it('is any other without it', () => {
    expect(choose(undefined)).toEqual(['seed', expect.any(Number)])
    expect(choose(undefined)).not.toEqual(choose(undefined))
  })

  it.each(['', 'x', '1.5', '-1', '2147483648'])('is an error when it is "%s"', (wanted) => {
    expect(() => choose(wanted)).toThrow(
      `TEST_SEED: expected a whole number from 0 to 2147483647, got "${wanted}"`,
    )
  })
})

/** What brings inputs that no seed repeats. */
const UNSEEDED = /\bMath\s*\.\s*random\b|\bfc\s*\.\s*(?:assert|check|sample)\b/g
const FROM_CRYPTO = /\b(?:random(?:Bytes|Int|UUID|Fill|FillSync)|getRandomValues)\b/g

function unseeded(text: string): string[] {
  return [...(text.match(UNSEEDED) ?? []), ...((/\bcrypto\b/.test(text) && text.match(FROM_CRYPTO)) || [])]
}

/** With the reason. */
const ALLOWED: Readonly<Record<string, string>> = {
  'setup/seed.ts': 'draws the seed of the run',
  'support/seeds.ts': 'passes seeds to fast-check',
  'unit/support/seeds.test.ts': 'tests that',
  'unit/repository/layers.test.ts': 'names what src must not use',
  'unit/storage/state-lock-holder.ts': 'two processes must not draw the same names',
}

it('no test has chance of another kind', () => {
  const files = readdirSync('test', {recursive: true, encoding: 'utf8'}).filter((file) =>
    /\.m?[tj]s$/.test(file),
  )
  expect(files).toEqual(expect.arrayContaining(Object.keys(ALLOWED)))
  const found = files
    .filter((file) => !(file in ALLOWED))
    .flatMap((file) => unseeded(readFileSync(join('test', file), 'utf8')).map((each) => `${file}: ${each}`))
  expect(found, 'take it from test/support/seeds.ts').toEqual([])
})
