/** Reads a parsed YAML file as texts, lists and mappings, and records the place of each. The schema gives the texts a meaning. */
import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml'
import {DOUBLE_QUOTES, SINGLE_QUOTES} from '../../common/text.ts'
import type {ProblemPlace} from '../config-error.ts'
import {
  isRawMapping,
  type RawMapping,
  type RawYaml,
  type YamlFile,
  type YamlPath,
  type YamlPlaces,
} from './yaml.ts'
import {NO_ANCHOR, NOT_QUOTES, TAGS, type Tag, UNKNOWN_TAG} from './yaml-errors.ts'

interface ReadYamlOptions {
  /** Filled by the reader. */
  places: YamlPlaces
  /** The text that a tag stands for. A resolver that finds none reports that itself, and returns any text. */
  resolve: (tag: Tag, text: string, path: YamlPath) => string
  /**
   * What an empty or `null` value stands for; nothing by default.
   * @param isCommented whether the value is empty because a `#` with text right behind it begins a comment
   */
  empty?: (path: YamlPath, isCommented: boolean) => RawYaml | undefined
  report: (path: YamlPath, message: string) => void
  /** Whether any text is likely at `path`, as in a password: there a `&` at the beginning is hardly an anchor. */
  isAnyText?: (path: YamlPath) => boolean
}

/** Values read through aliases: twenty for each of 10,000 plugs. A file that multiplies itself has more, and takes seconds to read. */
const MOST_ALIASED_VALUES = 200_000

/** Reads a parsed file as texts, lists and mappings. `undefined` for an empty file. */
export function readYaml(yaml: YamlFile, options: ReadYamlOptions): RawYaml | undefined {
  options.places.set([], yaml.place(0))
  return new YamlReader(yaml, options).read(yaml.document.contents, [])
}

/** Our tags, those of plain YAML (YAML 1.2 §10.1), and "!" alone, which `scalarError` reports. */
const KNOWN_TAGS: ReadonlySet<string> = new Set([
  ...TAGS,
  ...['str', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
  '!',
])

class YamlReader {
  readonly #yaml: YamlFile
  readonly #options: ReadYamlOptions
  /** The collections around the node that is being read: an alias for one of them would never end. */
  readonly #ancestors = new Set<Node>()
  #anchors: ReadonlyMap<Alias, Node> | undefined
  /** How many aliases are around the node that is being read. */
  #aliasDepth = 0
  /** How many values were read within any alias. */
  #aliasedValues = 0

  constructor(yaml: YamlFile, options: ReadYamlOptions) {
    this.#yaml = yaml
    this.#options = options
  }

  read(node: unknown, path: YamlPath): RawYaml | undefined {
    if (this.#aliasDepth > 0 && ++this.#aliasedValues > MOST_ALIASED_VALUES) {
      // Reported at the first value that is too much, and not at those after it.
      if (this.#aliasedValues === MOST_ALIASED_VALUES + 1)
        this.#options.report(path, 'expected a file of finite size: its aliases make too much of it')
      return undefined
    }
    if (isAlias(node)) return this.#alias(node, path)
    if (isNode(node) && node.tag !== undefined && !KNOWN_TAGS.has(node.tag)) {
      this.#options.report(path, UNKNOWN_TAG)
      return ''
    }
    if (isScalar(node)) return this.#scalar(node, path)
    return isCollection(node) ? this.#collection(node, path) : undefined
  }

  #alias(alias: Alias, path: YamlPath): RawYaml | undefined {
    const node = this.#anchored.get(alias)
    if (!node || this.#ancestors.has(node)) {
      const endless = 'expected a file of finite size: this alias contains itself'
      this.#options.report(path, node ? endless : NO_ANCHOR)
      return undefined
    }
    this.#aliasDepth++
    const value = this.read(node, path)
    this.#aliasDepth--
    return value
  }

  /** What each alias stands for. Found for all at once: the library searches the whole file for each. */
  get #anchored(): ReadonlyMap<Alias, Node> {
    this.#anchors ??= anchoredNodes(this.#yaml.document)
    return this.#anchors
  }

  #scalar(scalar: Scalar, path: YamlPath): string | undefined {
    const source = scalar.source ?? ''
    const isFaulty = this.#reportScalarError(scalar, path)
    const tag = TAGS.find((known) => known === scalar.tag)
    if (tag && !isFaulty) return this.#options.resolve(tag, source, path)
    return isNull(scalar) ? undefined : source
  }

  /** Reports a text that is valid YAML and hardly what its writer meant. @returns whether it is one */
  #reportScalarError(scalar: Scalar, path: YamlPath): boolean {
    const isAnyText = this.#options.isAnyText?.(path) ?? false
    const isAnchor = () => (!isNull(scalar) && !isAnyText) || [...this.#anchored.values()].includes(scalar)
    const error = scalarError(scalar, this.#yaml.text, isAnyText, isAnchor)
    if (error !== undefined) this.#options.report(path, error)
    return error !== undefined
  }

  #collection(node: Node, path: YamlPath): RawYaml | undefined {
    this.#ancestors.add(node)
    let value: RawYaml | undefined
    if (isSeq(node)) value = this.#list(node.items, path)
    else if (isMap(node)) value = this.#mapping(node, path)
    this.#ancestors.delete(node)
    return value
  }

  #list(items: unknown[], path: YamlPath): RawYaml[] {
    return items.map((item, index) => {
      const own = [...path, index]
      if (isNode(item)) this.#options.places.set(own, this.#placeOf(item))
      return this.read(item, own) ?? ''
    })
  }

  /** Merged mappings (`<<`) come first, the last of them before the others: a key of the mapping itself wins. */
  #mapping(map: YAMLMap, path: YamlPath): RawMapping {
    const value: RawMapping = Object.create(null)
    const merges = map.items.filter(isMerge).flatMap(({value: merged}) => this.#merged(merged, path))
    for (const source of merges.reverse()) Object.assign(value, source)
    const names = new Set<string>()
    for (const pair of map.items) if (!isMerge(pair)) this.#pair(pair, path, value, names)
    return value
  }

  #merged(node: unknown, path: YamlPath): RawMapping[] {
    if (isSeq(node)) return node.items.flatMap((item) => this.#merged(item, path))
    const value = this.read(node, path)
    if (isRawMapping(value)) return [value]
    if (isAlias(node) && !this.#anchored.has(node)) return []
    this.#options.report(path, 'expected a mapping after "<<"')
    return []
  }

  #pair({key, value}: Pair, path: YamlPath, mapping: RawMapping, names: Set<string>): void {
    const name = isScalar(key) ? (key.source ?? '') : ''
    const own = [...path, name]
    if (isScalar(key)) {
      this.#options.places.set(own, this.#placeOf(key))
      this.#reportScalarError(key, own)
    }
    if (names.has(name)) this.#options.report(own, 'this key was written before in the same mapping')
    names.add(name)
    const read = this.read(value, own) ?? this.#options.empty?.(own, isCommented(value, this.#yaml.text))
    if (name === '__proto__') this.#options.report(own, 'unknown key')
    else if (read === undefined) delete mapping[name]
    else mapping[name] = read
  }

  #placeOf(node: Node): ProblemPlace {
    return this.#yaml.place(node.range?.[0] ?? 0)
  }
}

/** An anchor counts from its own place to the next anchor of the same name (YAML 1.2 §3.2.2.2). */
function anchoredNodes(document: Document.Parsed): Map<Alias, Node> {
  const anchors = new Map<string, Node>()
  const anchored = new Map<Alias, Node>()
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) {
        const target = anchors.get(node.source)
        if (target) anchored.set(node, target)
      } else if (node.anchor) anchors.set(node.anchor, node)
    },
  })
  return anchored
}

/** Whether a scalar has no value: empty, `~` or `null`. */
export function isNull({type, source = '', tag}: Scalar): boolean {
  return type === 'PLAIN' && tag === undefined && /^(?:~|null|Null|NULL)?$/.test(source)
}

/** Whether a value is empty because `#` begins a comment. @param text of the whole file */
function isCommented(value: unknown, text: string): boolean {
  if (!isScalar(value) || !value.range) return false
  return /^[ \t]*#[^\s#]/.test(text.slice(value.range[0], value.range[2]))
}

function isMerge({key}: Pair): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.source === '<<'
}

const DOUBLE_QUOTE = new RegExp(`[${DOUBLE_QUOTES}]`)

/** Whether a text without YAML quotes begins, or ends, with the quotes of a text processor. */
function isInTypographicQuotes(text: string): boolean {
  const [first, last] = [text.charAt(0), text.slice(-1)]
  if (text === '') return false
  if (SINGLE_QUOTES.includes(first)) return text.length > 1 && (SINGLE_QUOTES + DOUBLE_QUOTES).includes(last)
  return (
    DOUBLE_QUOTES.includes(first) || (DOUBLE_QUOTES.includes(last) && !DOUBLE_QUOTE.test(text.slice(0, -1)))
  )
}

/** A space that YAML does not take for one, or an invisible character, at the beginning or end of a text. */
const INVISIBLE_END = /^[\p{Zs}\p{Cf}]|[\p{Zs}\p{Cf}]$|^[\w-]+:[\p{Zs}\p{Cf}]/u

/**
 * What is wrong with a text that is valid YAML, but hardly what its writer meant.
 * @param text of the whole file
 * @param isAnyText whether no text is unlikely here, as in a password
 * @param isAnchor whether the `&` before the scalar begins an anchor and not the text
 */
function scalarError(
  {type, source = '', tag, anchor, range}: Scalar,
  text: string,
  isAnyText: boolean,
  isAnchor: () => boolean,
): string | undefined {
  if (anchor !== undefined && !isAnchor()) return 'text that starts with "&" needs quotes'
  if (type !== 'PLAIN') return undefined
  if (tag === '!') return 'text that starts with "!" needs quotes'
  if (isInTypographicQuotes(source)) return NOT_QUOTES
  if (INVISIBLE_END.test(source))
    return 'a non-breaking space or an invisible character is at an end of this text: type it again'
  const isContinued =
    range && source.includes(' ') && (isAnyText ? /\n/ : /\n\s*- /).test(text.slice(range[0], range[1]))
  return isContinued
    ? 'the line below is indented further and belongs to this text: begin both in the same column'
    : undefined
}
