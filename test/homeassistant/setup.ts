/** Before the first test: a Home Assistant to run. After the last one: what it said of everything, in one line. */
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {TestProject} from 'vitest/node'
import {type Python, pythonWithHomeAssistant} from './python.ts'

/** What one Home Assistant had, and held against it. */
export interface Verdict {
  /** Entities made of what came over MQTT, those that were removed again among them. */
  entities: number
  /** Warnings and errors in its log. */
  complaints: number
}

declare module 'vitest' {
  interface ProvidedContext {
    python: Python
    /** A file for verdicts, a line of JSON each. */
    verdicts: string
  }
}

/** @throws Error that says what is missing, and how to get it */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const python = await pythonWithHomeAssistant()
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-verdicts-'))
  const verdicts = join(folder, 'verdicts.jsonl')
  await writeFile(verdicts, '')
  project.provide('python', python)
  project.provide('verdicts', verdicts)
  const start = performance.now()
  return async () => {
    const lines = (await readFile(verdicts, 'utf8')).split('\n').filter((line) => line !== '')
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
  verdicts: readonly Verdict[],
  milliseconds: number,
): string {
  const all = (what: keyof Verdict) => verdicts.reduce((sum, verdict) => sum + verdict[what], 0)
  const took = `${Math.round(milliseconds / 1000)} s`
  const judged = `${all('entities')} entities in ${verdicts.length} households, ${all('complaints')} complaints`
  return `Home Assistant ${homeAssistant} on Python ${version}: ${judged}, ${took}`
}
