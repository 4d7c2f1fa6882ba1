/** Before the first test: installs Home Assistant. After the last one: prints a summary of its logs, in one line. */
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {TestProject} from 'vitest/node'
import {type Python, pythonWithHomeAssistant} from './python.ts'

/** The result of one Home Assistant. */
export interface HassResult {
  /** Entities of MQTT, including those that were removed again. */
  entities: number
  /** Warnings and errors in its log. */
  warnings: number
}

declare module 'vitest' {
  interface ProvidedContext {
    python: Python
    /** A file for the results, a line of JSON each. */
    results: string
  }
}

/** @throws Error that names what is missing, and how to install it */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const python = await pythonWithHomeAssistant()
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-results-'))
  const results = join(folder, 'results.jsonl')
  await writeFile(results, '')
  project.provide('python', python)
  project.provide('results', results)
  const start = performance.now()
  return async () => {
    const lines = (await readFile(results, 'utf8')).split('\n').filter((line) => line !== '')
    await rm(folder, {recursive: true, force: true})
    console.log(
      transcript(
        python,
        lines.map((line) => JSON.parse(line)),
        performance.now() - start,
      ),
    )
  }
}

function transcript(
  {homeAssistant, version}: Python,
  results: readonly HassResult[],
  milliseconds: number,
): string {
  const all = (what: keyof HassResult) => results.reduce((sum, result) => sum + result[what], 0)
  const took = `${Math.round(milliseconds / 1000)} s`
  const summary = `${all('entities')} entities in ${results.length} installations, ${all('warnings')} warnings`
  return `Home Assistant ${homeAssistant} on Python ${version}: ${summary}, ${took}`
}
