/** Parses a YAML file. Its problems are in plain words, and every value has a line and column (yaml-reader.ts reads the values). */
import {Composer, type CST, type Document, Lexer, LineCounter, Parser, YAMLParseError} from 'yaml'
import type {Problem, ProblemPlace} from '../config-error.ts'
import {isReadable, NESTED_TOO_DEEP, TAGS, wholeFileErrors, yamlErrors} from './yaml-errors.ts'

/** A value of a file. Every single value is a text here, also `5` and `true`. */
export type RawYaml = string | RawYaml[] | RawMapping
/** Without a prototype: no key of a file can be mistaken for an inherited one. */
export interface RawMapping {
  [key: string]: RawYaml
}

export type YamlPath = readonly (string | number)[]

/** Whether a value is a mapping, and so neither a single value nor a list. */
export function isRawMapping<T>(value: T): value is Exclude<Extract<T, object>, readonly unknown[]> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands at `path` in `value`; `undefined` where nothing does. */
export function valueAt(value: RawYaml | undefined, path: YamlPath): RawYaml | undefined {
  return path.reduce((parent, key) => {
    if (typeof parent !== 'object') return undefined
    if (Array.isArray(parent)) return typeof key === 'number' ? parent[key] : undefined
    return Object.hasOwn(parent, key) ? parent[key] : undefined
  }, value)
}

/** The mapping at `path` in `value`; an empty one where there is none. */
export function mappingAt(value: RawYaml | undefined, path: YamlPath): RawMapping {
  const found = valueAt(value, path)
  return isRawMapping(found) ? found : Object.create(null)
}

/** The text at `path` in `value`; `undefined` where there is none. */
export function textAt(value: RawYaml | undefined, path: YamlPath): string | undefined {
  const found = valueAt(value, path)
  return typeof found === 'string' ? found : undefined
}

/** A parsed file. */
export interface YamlFile {
  file: string
  text: string
  document: Document.Parsed
  /** The line and column of an offset in `text`. */
  place: (offset: number) => ProblemPlace
  problems: Problem[]
  /** Whether the file can still be read in spite of its problems. */
  readable: boolean
}

/** Levels of brackets or of indentation. No configuration has more than eight. */
const DEEPEST = 100
const OPENING = new Set(['[', '{'])
const CLOSING = new Set([']', '}'])

class NestedTooDeep extends Error {
  readonly offset: number

  constructor(offset: number) {
    super(NESTED_TOO_DEEP)
    this.offset = offset
  }
}

/** Never throws: what is wrong with the text is in `problems`. */
export function parseYaml(text: string, file: string): YamlFile {
  const lineCounter = new LineCounter()
  const place = (offset: number): ProblemPlace => {
    const {line, col} = lineCounter.linePos(offset)
    return {file, line: Math.max(1, line), column: Math.max(1, col)}
  }
  try {
    const document = parseDocument(text, lineCounter)
    const fatal = wholeFileErrors(document, text)
    const errors = fatal.length > 0 ? fatal : yamlErrors(document, text)
    // The parser reports each of several nested brackets that are not closed, all at the end of the file.
    const distinct = new Map(errors.map((error) => [`${error.offset} ${error.message}`, error]))
    const problems = [...distinct.values()].map(({offset, message}) => ({
      ...place(offset),
      path: '',
      message,
    }))
    return {file, text, document, place, problems, readable: isReadable(document) && fatal.length === 0}
  } catch (error) {
    if (!(error instanceof NestedTooDeep)) throw error
    const problems = [{...place(error.offset), path: '', message: error.message}]
    return {file, text, document: parseDocument('', new LineCounter()), place, problems, readable: false}
  }
}

/**
 * The first document of the text. Nesting is bounded before it is composed: the composer recurses, and a used-up stack would end the
 * process.
 * @throws NestedTooDeep
 */
function parseDocument(text: string, lineCounter: LineCounter): Document.Parsed {
  const composer = new Composer({
    schema: 'failsafe',
    resolveKnownTags: false,
    stringKeys: true,
    // YamlReader finds repeated keys: the library compares each with each, half a second for ten thousand plugs.
    uniqueKeys: false,
    logLevel: 'error',
    customTags: TAGS.map((tag) => ({tag, resolve: (source: string) => source})),
  })
  const [document, second] = composer.compose(boundedTokens(text, lineCounter), true, text.length)
  if (!document) throw new Error('the composer made no document')
  if (second)
    document.errors.push(
      new YAMLParseError([second.range[0], second.range[1]], 'MULTIPLE_DOCS', 'several documents'),
    )
  return document
}

/** The tokens of the text. Brackets within quotes and comments do not count: they are no lexemes of their own. @throws NestedTooDeep */
function* boundedTokens(text: string, lineCounter: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lineCounter.addNewLine)
  lineCounter.addNewLine(0)
  const indented = tooManyIndentsAt(text)
  if (indented !== undefined) {
    for (const {index} of text.matchAll(/\n/g)) lineCounter.addNewLine(index + 1)
    throw new NestedTooDeep(indented)
  }
  let depth = 0
  for (const lexeme of new Lexer().lex(text)) {
    if (OPENING.has(lexeme) && ++depth > DEEPEST) throw new NestedTooDeep(parser.offset)
    if (CLOSING.has(lexeme)) depth = Math.max(0, depth - 1)
    yield* parser.next(lexeme)
  }
  yield* parser.end()
}

function tooManyIndentsAt(text: string): number | undefined {
  const columns: number[] = []
  for (const line of text.matchAll(/^([ ]*(?:[-?:] +)*)[^\s#]/gm)) {
    const [, lead = ''] = line
    while (columns.length > 0 && (columns.at(-1) ?? 0) >= lead.length) columns.pop()
    // `- - a` is one level for each of its dashes.
    for (const {index} of lead.matchAll(/[-?:]/g)) if (index > (columns.at(-1) ?? -1)) columns.push(index)
    columns.push(lead.length)
    if (columns.length > DEEPEST) return line.index
  }
  return undefined
}

/** The line of every value, by its path. */
export class YamlPlaces {
  readonly #places = new Map<string, ProblemPlace>()

  set(path: YamlPath, place: ProblemPlace): void {
    this.#places.set(JSON.stringify(path), place)
  }

  /** Gives `path` another place, and forgets the places of all values within it. */
  replace(path: YamlPath, place: ProblemPlace): void {
    const inside = `${JSON.stringify(path).slice(0, -1)},`
    for (const key of this.#places.keys()) if (key.startsWith(inside)) this.#places.delete(key)
    this.set(path, place)
  }

  has(path: YamlPath): boolean {
    return this.#places.has(JSON.stringify(path))
  }

  /** The place of `path`, or else of the nearest value around it. */
  find(path: YamlPath): ProblemPlace | undefined {
    return (
      this.#places.get(JSON.stringify(path)) ?? (path.length > 0 ? this.find(path.slice(0, -1)) : undefined)
    )
  }
}
