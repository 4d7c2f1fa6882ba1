import {basename} from 'node:path'
import {BaseSequencer, type TestSpecification} from 'vitest/node'

/** The files of more than half a minute, the longest first: started last, they would run alone at the end. */
const LONG = [
  'operations',
  'several-plugs',
  'cli',
  'screens',
  'process',
  'secrets',
  'faults',
  'lifecycle',
  'wire',
]

/** Long files first, then those that wait for processes and sockets, then those that only compute. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

function rank({moduleId}: TestSpecification): number {
  const place = LONG.indexOf(basename(moduleId, '.test.ts'))
  if (place >= 0) return place
  return moduleId.includes('/test/unit/') ? LONG.length + 1 : LONG.length
}
