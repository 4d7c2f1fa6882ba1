/**
 * The vocabulary of `src`: every exported name and every file name means one thing, comments refer only to what exists in this repository,
 * and comments and texts for users are written in plain English. So are the comments and the names of tests in `test` and `bench`.
 */
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {basename, join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {document} from '../../docs/markdown.ts'
import {type Token, type TokenKind, tokensOf} from '../../support/typescript-tokens.ts'

/**
 * Words that do not say who does what, and that are not terms of MQTT or miIO. In identifiers every camelCase part counts. Use "reports",
 * "answers", "receives", "the bridge", "a client".
 */
const FORBIDDEN = ['told', 'heard', 'said', 'somebody', 'nobody', 'whoever', 'anybody'] as const

/** Folders of this repository whose files a comment may name; without `dist` and `node_modules`. */
const FOLDERS = ['src', 'test', 'bench', 'docs', 'examples', 'scripts', 'systemd', '.github']

interface SourceFile {
  path: string
  tokens: readonly Token[]
}

const sources = sourcesBelow('src')
/** Without the file that has the forbidden words as data. */
const tests = ['test', 'bench']
  .flatMap(sourcesBelow)
  .filter(({path}) => !path.endsWith('/vocabulary.test.ts'))

const filesOfRepository: readonly string[] = [
  ...readdirSync('.', {withFileTypes: true}).flatMap((entry) => (entry.isFile() ? [entry.name] : [])),
  ...FOLDERS.filter(existsSync).flatMap(filesBelow),
]

describe('the names in src', () => {
  it('are exported by one file each', () => {
    const all = sources.flatMap(({path, tokens}) => exportedNames(tokens).map((name) => ({name, path})))
    expect(all.length).toBeGreaterThan(300)
    expect(sharedBy(all)).toEqual([])
  })

  it('of files are different in every folder', () => {
    expect(sharedBy(sources.map(({path}) => ({name: basename(path), path})))).toEqual([])
  })
})

describe('comments, texts and identifiers in src', () => {
  const findings = sources.map(({path, tokens}) => ({
    path,
    lines: tokens.flatMap((token) => [...danglingReferences(token), ...forbiddenWords(token)]),
  }))

  it('are in plain English, and comments refer only to what exists in this repository', () => {
    const unclean = findings.filter(({lines}) => lines.length > 0)
    expect(unclean.flatMap(({path, lines}) => lines.map((line) => `${path}:${line}`))).toEqual([])
  })
})

describe('comments and names of tests in test and bench', () => {
  it('are in plain English', () => {
    const found = tests.flatMap(({path, tokens}) =>
      proseOfTests(tokens)
        .flatMap(forbiddenWords)
        .map((line) => `${path}:${line}`),
    )
    expect(found).toEqual([])
  })
})

describe('comments in src', () => {
  it('stand before every exported class and function', () => {
    const missing = sources.flatMap(({path}) => {
      const lines = readFileSync(path, 'utf8').split('\n')
      return lines.flatMap((line, index) => {
        const name = /^export (?:async )?(?:abstract )?(?:class|function\*?) (\w+)/.exec(line)?.[1]
        return name === undefined || lines[index - 1]?.endsWith('*/') ? [] : [`${path}:${index + 1} ${name}`]
      })
    })
    expect(missing).toEqual([])
  })

  it('name headings that exist in the documents', () => {
    const named = sources.flatMap(({path, tokens}) =>
      tokens
        .filter(({kind}) => kind === 'comment')
        .flatMap(({text}) => headingsNamedIn(text).map((heading) => ({path, ...heading}))),
    )
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter(({page, heading}) => !headingsOf(page).includes(heading))).toEqual([])
  })
})

/** `docs/topics.md, "Results" and "Groups"`, also over line breaks of a comment. */
function headingsNamedIn(comment: string): {page: string; heading: string}[] {
  const text = comment.replace(/\s*\n\s*\*?\s*/g, ' ')
  return Array.from(text.matchAll(/(docs\/[\w-]+\.md), ("[^"]+"(?:(?:,| and) "[^"]+")*)/g)).flatMap(
    ([, page = '', quoted = '']) =>
      Array.from(quoted.matchAll(/"([^"]+)"/g), ([, heading = '']) => ({page, heading})),
  )
}

function headingsOf(page: string): string[] {
  return Array.from(readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm), ([, heading = '']) => heading)
}

describe('the test of the vocabulary', () => {
  it('sees every form of an export', () => {
    const source = `export const A = 1, notThis = 2
export const {B, c: C, ...D} = f()
export let e: string
export function f() {}
export async function* g() {}
export class H {}
export abstract class I {}
export default class J {}
export interface K<T> {}
export type L = 'export const x'
export declare const M: 1
export {N, o as O, type P}
export {q} from './q.ts'
import x, {type y} from './y.ts'
export {x, y}
export * from './r.ts'
export type {S} from './s.ts'
// export const t = 1
const u = 1
export const [V, , W] = [1, 2, 3]
`
    expect(exportedNames(tokensOf(source)).join('')).toBe('ABCDefgHIJKLMNOPVW')
  })

  it('sees references to what does not exist', () => {
    const dangling = (comment: string) => danglingReferences({kind: 'comment', text: comment, line: 1})
    expect(dangling('// docs/protocol.md §1.6, docs/protocol.md §1 and docs/promises.md 12')).toEqual([])
    expect(dangling('// docs/protocol.md §9.9')).toEqual(['1: docs/protocol.md §9.9'])
    expect(dangling('// docs/protocol.md §1.2 and §9.8')).toEqual(['1: docs/protocol.md §9.8'])
    expect(dangling('// docs/promises.md 2, 9999')).toEqual(['1: docs/promises.md 9999'])
    expect(dangling('// docs/promises.md 2; 5 s later')).toEqual([])
    expect(dangling('// layers.test.ts, src/main.ts, docs/topics.md#events, and config/own.ts')).toEqual([
      '1: config/own.ts',
    ])
    expect(dangling('// docs/topics.md#nowhere')).toEqual(['1: docs/topics.md#nowhere'])
    expect(dangling('// docs/no.md §1')).toEqual(['1: docs/no.md'])
    expect(dangling('/* as the contract\n * says: issue 3, #4, and (#5) */')).toEqual([
      '1: contract',
      '2: issue 3',
      '2: #4',
      '2: #5',
    ])
    expect(dangling('// python-miio#861, #862 and #863, syssi/xiaomiplug#11, "#", RFC 8259 §7')).toEqual([])
  })

  it('sees comments and the names of tests', () => {
    const source = `// A
describe('B', () => f('no'))
it.each([['no'], \`no \${f({no})}\`] as const)("C %s", () => /x/.test('no'))
test.skipIf(no).for([1])(\`D \${no}\`, () => {})
it(no, {it: 'no'})
`
    expect(proseOfTests(tokensOf(source)).map(({text}) => text)).toEqual([
      '// A',
      "'B'",
      '"C %s"',
      '`D ${',
      'no',
    ])
  })

  it('sees forbidden words in comments, in texts and in parts of identifiers', () => {
    const found = (source: string) => tokensOf(source).flatMap(forbiddenWords)
    expect(
      found(`// It is told.\nthis.#heardNow(toldstory, SAID_SO, "told", \`said\${anybodyElse}\`)`),
    ).toEqual(['1: told', '2: #heardNow', '2: SAID_SO', '2: told', '2: said', '2: anybodyElse'])
  })
})

function sourcesBelow(folder: string): SourceFile[] {
  return filesBelow(folder)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({path, tokens: tokensOf(readFileSync(path, 'utf8'))}))
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, {recursive: true, withFileTypes: true}).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  )
}

/** Names that several paths have, with these. */
function sharedBy(all: readonly {name: string; path: string}[]): string[] {
  const paths = new Map<string, string[]>()
  for (const {name, path} of all) paths.set(name, [...(paths.get(name) ?? []), path])
  return [...paths].flatMap(([name, owners]) => (owners.length > 1 ? [`${name}: ${owners.join(', ')}`] : []))
}

/** The names that a file declares and exports, or exports by a list; not those it passes on from another file. */
function exportedNames(tokens: readonly Token[]): string[] {
  const code = tokens.filter(({kind}) => kind !== 'comment')
  const statements = (keyword: string) =>
    code.flatMap(({kind, text}, at) =>
      kind === 'identifier' && text === keyword && code[at - 1]?.text !== '.'
        ? [code.slice(at + 1, at + 200)]
        : [],
    )
  const imported = statements('import')
    .flatMap((statement) => before(statement, ({kind}) => kind === 'string'))
    .map(({text}) => text)
  return statements('export')
    .flatMap(namesExportedBy)
    .filter((name) => !imported.includes(name))
}

const MODIFIERS: ReadonlySet<string> = new Set(['default', 'declare', 'abstract', 'async'])
const DECLARATORS: ReadonlySet<string> = new Set([
  'const',
  'let',
  'var',
  'function',
  'class',
  'interface',
  'type',
  'enum',
])

function namesExportedBy(statement: readonly Token[]): string[] {
  const [first, second, ...rest] = statement.slice(statement.findIndex(({text}) => !MODIFIERS.has(text)))
  if (first === undefined || second === undefined) return []
  if (first.text === '{') {
    const list = [second, ...rest]
    const end = list.findIndex(({text}) => text === '}')
    return list[end + 1]?.text === 'from' ? [] : boundNames(list.slice(0, end))
  }
  if (!DECLARATORS.has(first.text)) return []
  if (second.text === '*') return rest.slice(0, 1).map(({text}) => text)
  if (/[[{]/.test(second.text) && first.text !== 'type')
    return boundNames(before(rest, ({text}) => /[\]}]/.test(text)))
  return second.kind === 'identifier' ? [second.text] : []
}

/** The tokens before the first one that is an end. */
function before(tokens: readonly Token[], isEnd: (token: Token) => boolean): readonly Token[] {
  return tokens.slice(0, tokens.findIndex(isEnd))
}

/** The names in `a, b as c, d: e, ...f`: the last one before each comma. */
function boundNames(list: readonly Token[]): string[] {
  return list
    .filter(({kind}, at) => kind === 'identifier' && (list[at + 1]?.text ?? ',') === ',')
    .map(({text}) => text)
}

/** References in a comment that lead nowhere, each with its line. Other tokens have none. */
function danglingReferences({kind, text, line}: Token): string[] {
  if (kind !== 'comment') return []
  return text
    .split('\n')
    .flatMap((words, index) =>
      [...missingFiles(words), ...missingSections(words), ...privateReferences(words)].map(
        (reference) => `${line + index}: ${reference}`,
      ),
    )
}

function missingFiles(words: string): string[] {
  const named = Array.from(words.matchAll(/(?<![\w/.-])[\w./-]+\.(?:ts|md|mjs)\b/g), ([path]) => path)
  return named.filter(
    (path) =>
      !filesOfRepository.some((file) => file === path || file.endsWith(`/${path.replace(/^\.*\//, '')}`)),
  )
}

/** `docs/protocol.md §1.6 and §1.7`, `docs/promises.md 12, 13`, `docs/topics.md#events`. */
function missingSections(words: string): string[] {
  return Array.from(
    words.matchAll(
      /(docs\/[\w-]+\.md)(#[\w-]+|(?:(?:,| and)? ?§\d+(?:\.\d+)*)+|(?:(?:,| and)? \d+(?=[,).:;]| and|$))+)?/g,
    ),
  ).flatMap(([, path = '', references = '']) => {
    if (!existsSync(path)) return []
    const known = sectionsOf(path)
    const each = references.startsWith('#') ? [references] : (references.match(/§?\d+(?:\.\d+)*/g) ?? [])
    return each
      .filter((reference) => !known.has(reference))
      .map((reference) => `${path}${reference.startsWith('#') ? '' : ' '}${reference}`)
  })
}

const sections = new Map<string, ReadonlySet<string>>()

/** How a comment may refer to a part of a document: `§1.6` for a heading with this number, `12` for an item of a list, `#anchor`. */
function sectionsOf(path: string): ReadonlySet<string> {
  const known = sections.get(path)
  if (known) return known
  const text = readFileSync(path, 'utf8')
  const numbered = Array.from(text.matchAll(/^#+ (\d+(?:\.\d+)*)\.? /gm), ([, number = '']) => `§${number}`)
  const items = Array.from(text.matchAll(/^(\d+)\. /gm), ([, number = '']) => number)
  const found = new Set([
    ...numbered,
    ...items,
    ...Array.from(document(path, text).anchors, (anchor) => `#${anchor}`),
  ])
  sections.set(path, found)
  return found
}

/** References that a reader cannot follow: to a contract, and to issues without their repository. */
function privateReferences(words: string): string[] {
  return words.replaceAll(PUBLIC_ISSUES, '').match(/\bcontract\b|\bissues? #?\d+|(?<![\w§])#\d+/gi) ?? []
}

/** `syssi/xiaomiplug#11`, `python-miio#302, #334 and #335`. */
const PUBLIC_ISSUES = /[\w/.-]*[\w-](?: PR)?#\d+(?:(?:,| and|, and| or) #\d+)*/g

/** Comments, and texts for users. */
const PROSE: ReadonlySet<TokenKind> = new Set(['comment', 'string', 'template'])

/** Comments, and the names of tests and of groups of tests: the first argument of `it`, `test` and `describe`, and of `it.each(…)`. */
function proseOfTests(tokens: readonly Token[]): Token[] {
  const code = tokens.filter(({kind}) => kind !== 'comment')
  const names = code.flatMap(({text}, at) => {
    if (!['it', 'test', 'describe'].includes(text) || code[at - 1]?.text === '.') return []
    const open = openingsOfCalls(code, at + 1).at(-1)
    const name = open === undefined ? undefined : code[open + 1]
    return name ? [name] : []
  })
  return [...tokens.filter(({kind}) => kind === 'comment'), ...names]
}

/** Where the argument lists begin in `.each(…)(…)`, `.skipIf(…)(…)`, `.sequential(…)` and `(…)`, which start at `from`. */
function openingsOfCalls(code: readonly Token[], from: number): number[] {
  if (code[from]?.text === '.') return openingsOfCalls(code, from + 2)
  if (code[from]?.text !== '(') return []
  return [from, ...openingsOfCalls(code, closingOf(code, from) + 1)]
}

/** The position of the bracket that closes the one at `from`. */
function closingOf(code: readonly Token[], from: number): number {
  let depth = 0
  for (let at = from; at < code.length; at++) {
    const {kind, text} = code[at] ?? {}
    if (kind === 'template') depth += Number(text?.endsWith('${')) - Number(text?.startsWith('}'))
    if (kind !== 'punctuation') continue
    if (/[([{]/.test(text ?? '')) depth++
    else if (/[)\]}]/.test(text ?? '')) depth--
    if (depth === 0) return at
  }
  return code.length
}

function forbiddenWords({kind, text, line}: Token): string[] {
  if (kind === 'identifier') return partsOf(text).some(isForbidden) ? [`${line}: ${text}`] : []
  if (!PROSE.has(kind)) return []
  return text
    .split('\n')
    .flatMap((words, index) =>
      (words.match(/[A-Za-z]+/g) ?? [])
        .filter((word) => isForbidden(word.toLowerCase()))
        .map((word) => `${line + index}: ${word}`),
    )
}

/** `#heardOf` and `HEARD_OF` as `heard` and `of`. */
function partsOf(identifier: string): string[] {
  const words = identifier.replaceAll(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2').split(/[^\p{L}]+/u)
  return words.map((word) => word.toLowerCase())
}

function isForbidden(word: string): boolean {
  return FORBIDDEN.some((each) => each === word)
}
