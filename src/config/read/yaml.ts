/** YAML to plain text values that know where they were written. What they mean is the schema's business. */
import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml'
import type {Problem, ProblemPlace} from '../config-error.ts'
import {TAGS, type Tag} from './tags.ts'
import {tooDeepAt} from './yaml-depth.ts'
import {isReadable, NO_ANCHOR, UNKNOWN_TAG, valueSlip, wholeFileErrors, yamlErrors} from './yaml-errors.ts'

export type RawYaml = string | RawYaml[] | RawMapping
/** Without a prototype: no key in it can be mistaken for something inherited. */
export interface RawMapping {
  [key: string]: RawYaml
}

export type YamlPath = readonly (string | number)[]

/** A file that was parsed, with the places of its nodes. */
export interface YamlFile {
  file: string
  text: string
  document: Document.Parsed
  place: (offset: number) => ProblemPlace
  problems: Problem[]
  /** Whether what was written still says something, in spite of the problems. */
  readable: boolean
}

const TOO_DEEP = 'expected fewer brackets within brackets, or lines indented less deep'

/** Never throws: what is wrong with the text is in `problems`. */
export function parseYaml(text: string, file: string): YamlFile {
  const lineCounter = new LineCounter()
  const customTags = TAGS.map((tag) => ({tag, resolve: (written: string) => written}))
  // The reader finds repeated keys itself: the parser compares each with each, half a second for ten thousand plugs.
  const reading = {schema: 'failsafe', resolveKnownTags: false, stringKeys: true, uniqueKeys: false} as const
  const reporting = {prettyErrors: false, lineCounter, logLevel: 'error'} as const
  const tooDeep = tooDeepAt(text)
  const document = parseDocument(tooDeep === undefined ? text : '', {...reading, ...reporting, customTags})
  if (tooDeep !== undefined) for (const {index} of text.matchAll(/\n/g)) lineCounter.addNewLine(index + 1)
  const place = (offset: number): ProblemPlace => {
    const {line, col} = lineCounter.linePos(offset)
    return {file, line: Math.max(1, line), column: Math.max(1, col)}
  }
  const throughout =
    tooDeep === undefined ? wholeFileErrors(document, text) : [{offset: tooDeep, message: TOO_DEEP}]
  const mistakes = throughout.length > 0 ? throughout : yamlErrors(document, text)
  // The parser says of brackets within brackets that none of them is closed, each at the end of the file.
  const once = new Map(mistakes.map((mistake) => [`${mistake.offset} ${mistake.message}`, mistake]))
  const problems = [...once.values()].map(({offset, message}) => ({...place(offset), path: '', message}))
  return {file, text, document, place, problems, readable: isReadable(document) && throughout.length === 0}
}

/** Where values were written. */
export class YamlPlaces {
  readonly #places = new Map<string, ProblemPlace>()

  set(path: YamlPath, place: ProblemPlace): void {
    this.#places.set(JSON.stringify(path), place)
  }

  /** `path` is now written somewhere else, with all that it holds. */
  replace(path: YamlPath, place: ProblemPlace): void {
    const inside = `${JSON.stringify(path).slice(0, -1)},`
    for (const key of this.#places.keys()) if (key.startsWith(inside)) this.#places.delete(key)
    this.set(path, place)
  }

  has(path: YamlPath): boolean {
    return this.#places.has(JSON.stringify(path))
  }

  /** The place of `path`, or of the nearest thing around it that was written. */
  find(path: YamlPath): ProblemPlace | undefined {
    return (
      this.#places.get(JSON.stringify(path)) ?? (path.length > 0 ? this.find(path.slice(0, -1)) : undefined)
    )
  }
}

export interface ReadYamlOptions {
  places: YamlPlaces
  /** The text a tag stands for. Where it stands for none, whoever resolves it reports that, and any text will do. */
  resolve: (tag: Tag, text: string, path: YamlPath) => string
  /**
   * What an empty or `null` value stands for; nothing by default.
   * @param isCommented whether it is empty because a `#` with text right behind it begins a comment
   */
  empty?: (path: YamlPath, isCommented: boolean) => RawYaml | undefined
  report: (path: YamlPath, message: string) => void
  /** Whether any text may stand at `path`, as in a password: it is likelier to begin with `&` than to be meant elsewhere, too. */
  isAnyText?: (path: YamlPath) => boolean
}

/** Twenty values by aliases for each of 10,000 plugs; a file that multiplies itself has more, and takes seconds to read. */
const MOST_REPEATED = 200_000

/** Reads a parsed file as text, lists and mappings. */
export function readYaml(yaml: YamlFile, options: ReadYamlOptions): RawYaml | undefined {
  options.places.set([], yaml.place(0))
  return new Reader(yaml, options).read(yaml.document.contents, [])
}

const ENDLESS = 'expected a file of finite size: this alias contains itself'

/** Ours, those of plain YAML (YAML 1.2 §10.1), and "!" alone, which `slipIn` knows. */
const KNOWN_TAGS: ReadonlySet<string> = new Set([
  ...TAGS,
  ...['str', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
  '!',
])

class Reader {
  readonly #yaml: YamlFile
  readonly #options: ReadYamlOptions
  readonly #around = new Set<Node>()
  /** What each alias stands for, once it is asked for. */
  #found: ReadonlyMap<Alias, Node> | undefined
  /** How many aliases are around what is read, and how many values were read within any. */
  #aliases = 0
  #repeated = 0

  constructor(yaml: YamlFile, options: ReadYamlOptions) {
    this.#yaml = yaml
    this.#options = options
  }

  read(node: Node | null, path: YamlPath): RawYaml | undefined {
    if (this.#aliases > 0 && ++this.#repeated > MOST_REPEATED) return this.#endless(path)
    if (isAlias(node)) return this.#alias(node, path)
    if (node?.tag !== undefined && !KNOWN_TAGS.has(node.tag)) {
      this.#options.report(path, UNKNOWN_TAG)
      return ''
    }
    if (isScalar(node)) return this.#scalar(node, path)
    return isCollection(node) ? this.#collection(node, path) : undefined
  }

  #alias(alias: Alias, path: YamlPath): RawYaml | undefined {
    const node = this.#anchored.get(alias)
    if (!node) this.#options.report(path, NO_ANCHOR)
    else if (this.#around.has(node)) this.#options.report(path, ENDLESS)
    if (!node || this.#around.has(node)) return undefined
    this.#aliases++
    const value = this.read(node, path)
    this.#aliases--
    return value
  }

  /** Found for all at once, since the parser looks through the whole file for each. */
  get #anchored(): ReadonlyMap<Alias, Node> {
    this.#found ??= anchoredIn(this.#yaml.document)
    return this.#found
  }

  /** Said once: whatever follows is too much as well. */
  #endless(path: YamlPath): undefined {
    if (this.#repeated === MOST_REPEATED + 1)
      this.#options.report(path, 'expected a file of finite size: its aliases make too much of it')
  }

  #scalar(scalar: Scalar, path: YamlPath): string | undefined {
    const written = scalar.source ?? ''
    const isMeant = !this.#reportSlip(scalar, path)
    const tag = TAGS.find((known) => known === scalar.tag)
    if (tag && isMeant) return this.#options.resolve(tag, written, path)
    return isNull(scalar) ? undefined : written
  }

  /** What the writer of a text did not mean, although it is YAML. @returns whether there is something */
  #reportSlip(scalar: Scalar, path: YamlPath): boolean {
    const isAnyText = this.#options.isAnyText?.(path) ?? false
    const isMeant = () => (!isNull(scalar) && !isAnyText) || [...this.#anchored.values()].includes(scalar)
    const slip = valueSlip(scalar, this.#yaml.text, isAnyText, isMeant)
    if (slip !== undefined) this.#options.report(path, slip)
    return slip !== undefined
  }

  /** Whether nothing is left of a value because `#` begins a comment. */
  #isCommented(value: Node | null): boolean {
    if (!isScalar(value) || !value.range) return false
    return /^[ \t]*#[^\s#]/.test(this.#yaml.text.slice(value.range[0], value.range[2]))
  }

  #collection(node: Node, path: YamlPath): RawYaml | undefined {
    this.#around.add(node)
    const value = isSeq(node)
      ? this.#list(node.items, path)
      : isMap(node)
        ? this.#mapping(node, path)
        : undefined
    this.#around.delete(node)
    return value
  }

  #list(items: unknown[], path: YamlPath): RawYaml[] {
    return items.map((item, index) => {
      const node = asNode(item)
      const own = [...path, index]
      if (node) this.#options.places.set(own, this.#placeOf(node))
      return this.read(node, own) ?? ''
    })
  }

  /** Merged mappings come first, the last of them before the others, so that what was written nearer wins. */
  #mapping(map: YAMLMap, path: YamlPath): RawMapping {
    const value: RawMapping = Object.create(null)
    const merges = map.items.filter(isMerge).flatMap(({value: merged}) => this.#merged(asNode(merged), path))
    for (const source of merges.reverse()) Object.assign(value, source)
    const names = new Set<string>()
    for (const pair of map.items) if (!isMerge(pair)) this.#pair(pair, path, value, names)
    return value
  }

  #merged(node: Node | null, path: YamlPath): RawMapping[] {
    if (isSeq(node)) return node.items.flatMap((item) => this.#merged(asNode(item), path))
    const value = this.read(node, path)
    if (typeof value === 'object' && !Array.isArray(value)) return [value]
    if (isAlias(node) && !this.#anchored.has(node)) return []
    this.#options.report(path, 'expected a mapping after "<<"')
    return []
  }

  #pair({key, value}: Pair, path: YamlPath, mapping: RawMapping, before: Set<string>): void {
    const name = isScalar(key) ? (key.source ?? '') : ''
    const own = [...path, name]
    if (isScalar(key)) {
      this.#options.places.set(own, this.#placeOf(key))
      this.#reportSlip(key, own)
    }
    if (before.has(name)) this.#options.report(own, 'this key was written before in the same mapping')
    before.add(name)
    const node = asNode(value)
    const read = this.read(node, own) ?? this.#options.empty?.(own, this.#isCommented(node))
    if (name === '__proto__') this.#options.report(own, 'unknown key')
    else if (read === undefined) delete mapping[name]
    else mapping[name] = read
  }

  #placeOf(node: Node): ProblemPlace {
    return this.#yaml.place(node.range?.[0] ?? 0)
  }
}

/** An anchor counts from where it stands to where the next of its name does (YAML 1.2 §3.2.2.2). */
function anchoredIn(document: Document.Parsed): Map<Alias, Node> {
  const anchors = new Map<string, Node>()
  const anchored = new Map<Alias, Node>()
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) {
        const meant = anchors.get(node.source)
        if (meant) anchored.set(node, meant)
      } else if (node.anchor) anchors.set(node.anchor, node)
    },
  })
  return anchored
}

/** Whether it says nothing: empty, `~` or `null`. */
export function isNull({type, source = '', tag}: Scalar): boolean {
  return type === 'PLAIN' && tag === undefined && /^(?:~|null|Null|NULL)?$/.test(source)
}

function isMerge({key}: Pair): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.source === '<<'
}

function asNode(value: unknown): Node | null {
  return isAlias(value) || isScalar(value) || isCollection(value) ? value : null
}
