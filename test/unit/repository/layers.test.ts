/** The import table: which folder of `src` may import what, and which folders may not reach for time and chance themselves. */
import {readdirSync, readFileSync} from 'node:fs'
import {dirname, join, normalize} from 'node:path'
import {describe, expect, it} from 'vitest'
import {withoutComments} from '../../support/typescript-tokens.ts'

/** What each folder may import, besides itself: packages, and files or folders below `src/`. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  common: ['node:*', 'zod'],
  models: [],
  miio: ['node:*'],
  mqtt: ['mqtt', 'node:*'],
  device: ['node:*', 'p-queue', 'models/'],
  bridge: ['device/', 'models/', 'mqtt/', 'zod', 'node:*'],
  simulator: ['node:*', 'miio/packet.ts', 'models/'],
}
/** What every folder may import. */
const COMMON = ['common/']
/** What every folder may import the types of. */
const COMMON_TYPES = ['log/logger.ts']

/** Time and randomness that code of these folders takes from the runtime, and not from its constructor: it could not be tested. */
const DIRECT_TIME_AND_RANDOMNESS =
  /(?<![.\w])(?:setTimeout|setInterval|randomBytes|randomInt|randomUUID)\s*\(|Date\.now|Math\.random|performance\.now|process\.(?:hrtime|uptime)|new Date\(\s*\)|node:timers/g

interface Import {
  /** As written. */
  from: string
  typeOnly: boolean
}

const files = readdirSync('src', {recursive: true, encoding: 'utf8'}).filter((file) => file.endsWith('.ts'))
const sources = new Map(files.map((file) => [file, withoutComments(readFileSync(join('src', file), 'utf8'))]))
const filesInTable = files.filter((file) => Object.hasOwn(MAY_IMPORT, folderOf(file)))

describe('the folders of src', () => {
  it.each(Object.keys(MAY_IMPORT))('%s/ imports only what its row of the table allows', (folder) => {
    const forbidden = filesInTable.filter((file) => folderOf(file) === folder).flatMap(forbiddenImports)
    expect(forbidden).toEqual([])
  })

  it('below the command line know nothing of it', () => {
    const below = files.filter((file) => file.includes('/') && folderOf(file) !== 'cli')
    const upwards = below.flatMap((file) =>
      importedFiles(file).filter((target) => folderOf(target) === 'cli'),
    )
    expect(upwards).toEqual([])
  })

  it('have no cycle of imports between their files', () => {
    expect(files.flatMap((file) => cycleFrom(file) ?? [])).toEqual([])
  })

  it('get time and randomness through constructors only', () => {
    const direct = filesInTable
      .filter((file) => file !== 'common/clock.ts')
      .flatMap((file) => directUses(sourceOf(file)).map((what) => `${file}: ${what}`))
    expect(direct).toEqual([])
  })

  it('load the broker of the demo only when the demo asks for it', () => {
    const always = files.filter((file) => /^(import|export)\b[^()]*'aedes'/m.test(sourceOf(file)))
    expect(always).toEqual([])
  })

  it('load nothing while the bridge runs: an update of the package has replaced the files by then', () => {
    const later = files.filter((file) => /\bimport\(/.test(sourceOf(file)))
    expect(later.toSorted()).toEqual(['cli/commands/demo.ts', 'cli/program.ts', 'main.ts'])
  })
})

describe('the test of the import table', () => {
  it('sees every form of an import', () => {
    const text = `import 'a'
import b from 'b'
import {
  c,
} from 'c'
import type {D} from 'd'
export * from 'e'
export type {F} from 'f'
export type Word = 'from' | 'to'
export interface Sentence {
  from: 'here'
}
const g = await import('g')
`
    const seen = imports(text).map(({from, typeOnly}) => (typeOnly ? `type ${from}` : from))
    expect(seen.sort()).toEqual(['a', 'b', 'c', 'e', 'g', 'type d', 'type f'])
  })

  it('allows what the table allows, refuses everything else, and allows some imports as types only', () => {
    const allowed = (file: string, from: string, typeOnly = false) => isAllowed(file, {from, typeOnly})
    expect(allowed('models/index.ts', './chuangmi.ts')).toBe(true)
    expect(allowed('models/index.ts', 'node:fs')).toBe(false)
    expect(allowed('device/device.ts', '../models/model.ts')).toBe(true)
    expect(allowed('device/device.ts', '../miio/errors.ts', true)).toBe(false)
    expect(allowed('simulator/plug.ts', '../miio/packet.ts')).toBe(true)
    expect(allowed('simulator/plug.ts', '../miio/client.ts')).toBe(false)
    expect(allowed('bridge/states.ts', 'mqtt')).toBe(false)
    expect(allowed('miio/client.ts', '../common/clock.ts')).toBe(true)
    expect(allowed('miio/client.ts', '../log/logger.ts', true)).toBe(true)
    expect(allowed('miio/client.ts', '../log/logger.ts')).toBe(false)
  })

  it('sees time and randomness in code, not in comments', () => {
    const text = `// setTimeout(f) fires at once
/** like Math.random */
const url = 'mqtt://localhost'; setTimeout(f, Date.now())
clock.setTimeout(f); new Date( ); new Date(0)`
    expect(directUses(withoutComments(text))).toEqual(['setTimeout(', 'Date.now', 'new Date( )'])
  })
})

function forbiddenImports(file: string): string[] {
  const forbidden = imports(sourceOf(file)).filter((found) => !isAllowed(file, found))
  return forbidden.map(({from, typeOnly}) => `${file} imports ${typeOnly ? 'types of ' : ''}${from}`)
}

function isAllowed(file: string, {from, typeOnly}: Import): boolean {
  const target = from.startsWith('.') ? resolveImport(file, from) : from
  const own = folderOf(file)
  const allowed = [`${own}/`, ...(MAY_IMPORT[own] ?? []), ...COMMON, ...(typeOnly ? COMMON_TYPES : [])]
  return allowed.some(
    (rule) => target === rule || (/[/*]$/.test(rule) && target.startsWith(rule.replace('*', ''))),
  )
}

function imports(text: string): Import[] {
  const statements = text.matchAll(
    /^(?:import|export)\b(\s+type\b)?(?:[^'"()=;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm,
  )
  const dynamic = text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)
  return [
    ...Array.from(statements, ([, type, from = '']) => ({from, typeOnly: type !== undefined})),
    ...Array.from(dynamic, ([, from = '']) => ({from, typeOnly: false})),
  ]
}

/** The files of a cycle that `file` is part of. Types count too: two files that need each other's types belong in one file. */
function cycleFrom(file: string): string | undefined {
  const seen = new Set<string>()
  const walk = (at: string, path: readonly string[]): string | undefined => {
    for (const next of importedFiles(at)) {
      if (next === file) return [...path, at, file].join(' → ')
      if (seen.has(next)) continue
      seen.add(next)
      const cycle = walk(next, [...path, at])
      if (cycle) return cycle
    }
    return undefined
  }
  return walk(file, [])
}

function importedFiles(file: string): string[] {
  const local = imports(sourceOf(file)).filter(({from}) => from.startsWith('.'))
  return local.map(({from}) => resolveImport(file, from)).filter((target) => sources.has(target))
}

function directUses(text: string): string[] {
  return text.match(DIRECT_TIME_AND_RANDOMNESS) ?? []
}

/** A relative import as a path below `src/`. */
function resolveImport(file: string, from: string): string {
  return normalize(join(dirname(file), from))
}

function folderOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : ''
}

function sourceOf(file: string): string {
  return sources.get(file) ?? ''
}
