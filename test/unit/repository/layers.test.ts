import {readdirSync, readFileSync} from 'node:fs'
import {dirname, join, normalize} from 'node:path'
import {describe, expect, it} from 'vitest'

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

/** Time and chance come in through constructors below the edges; these reach past them. */
const UNDER_THE_COUNTER =
  /(?<![.\w])(?:setTimeout|setInterval|randomBytes|randomInt|randomUUID)\s*\(|Date\.now|Math\.random|performance\.now|process\.(?:hrtime|uptime)|new Date\(\s*\)|node:timers/g

interface Import {
  /** As written. */
  from: string
  typeOnly: boolean
}

const files = readdirSync('src', {recursive: true, encoding: 'utf8'}).filter((file) => file.endsWith('.ts'))
const listing = new Map(files.map((file) => [file, withoutComments(readFileSync(join('src', file), 'utf8'))]))
const layers = files.filter((file) => Object.hasOwn(MAY_IMPORT, folder(file)))

describe('the layers', () => {
  it.each(Object.keys(MAY_IMPORT))('%s/ imports only what its row of the table allows', (layer) => {
    const forbidden = layers.filter((file) => folder(file) === layer).flatMap(forbiddenImports)
    expect(forbidden).toEqual([])
  })

  it('have no cycle of imports between their files', () => {
    expect(files.flatMap((file) => cycleFrom(file) ?? [])).toEqual([])
  })

  it('take time and chance from their constructors only', () => {
    const reaching = layers
      .filter((file) => file !== 'common/clock.ts')
      .flatMap((file) => counterDeals(textOf(file)).map((what) => `${file}: ${what}`))
    expect(reaching).toEqual([])
  })

  it('load the broker of the demo only when the demo asks for it', () => {
    const always = files.filter((file) => /^(import|export)\b[^()]*'aedes'/m.test(textOf(file)))
    expect(always).toEqual([])
  })
})

describe('the judge of the layers', () => {
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

  it('knows the table: what is allowed, what is not, and what only as a type', () => {
    const judged = (file: string, from: string, typeOnly = false) => isAllowed(file, {from, typeOnly})
    expect(judged('models/index.ts', './chuangmi.ts')).toBe(true)
    expect(judged('models/index.ts', 'node:fs')).toBe(false)
    expect(judged('device/device.ts', '../models/model.ts')).toBe(true)
    expect(judged('device/device.ts', '../miio/errors.ts', true)).toBe(false)
    expect(judged('simulator/plug.ts', '../miio/packet.ts')).toBe(true)
    expect(judged('simulator/plug.ts', '../miio/client.ts')).toBe(false)
    expect(judged('bridge/states.ts', 'mqtt')).toBe(false)
    expect(judged('miio/client.ts', '../common/clock.ts')).toBe(true)
    expect(judged('miio/client.ts', '../log/logger.ts', true)).toBe(true)
    expect(judged('miio/client.ts', '../log/logger.ts')).toBe(false)
  })

  it('sees time and chance in code, not in comments', () => {
    const text = `// setTimeout(f) fires at once
/** like Math.random */
const url = 'mqtt://localhost'; setTimeout(f, Date.now())
clock.setTimeout(f); new Date( ); new Date(0)`
    expect(counterDeals(withoutComments(text))).toEqual(['setTimeout(', 'Date.now', 'new Date( )'])
  })
})

function forbiddenImports(file: string): string[] {
  const forbidden = imports(textOf(file)).filter((found) => !isAllowed(file, found))
  return forbidden.map(({from, typeOnly}) => `${file} imports ${typeOnly ? 'types of ' : ''}${from}`)
}

function isAllowed(file: string, {from, typeOnly}: Import): boolean {
  const target = from.startsWith('.') ? below(file, from) : from
  const own = folder(file)
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

/** The files of a cycle that `file` is part of. Types count too: two files that need each other's words are one file. */
function cycleFrom(file: string): string | undefined {
  const seen = new Set<string>()
  const walk = (at: string, path: readonly string[]): string | undefined => {
    for (const next of neighbours(at)) {
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

function neighbours(file: string): string[] {
  const local = imports(textOf(file)).filter(({from}) => from.startsWith('.'))
  return local.map(({from}) => below(file, from)).filter((target) => listing.has(target))
}

function counterDeals(text: string): string[] {
  return text.match(UNDER_THE_COUNTER) ?? []
}

/** A relative import as a path below `src/`. */
function below(file: string, from: string): string {
  return normalize(join(dirname(file), from))
}

function folder(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : ''
}

function textOf(file: string): string {
  return listing.get(file) ?? ''
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}
