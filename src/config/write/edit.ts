/** Changes to config.yaml that leave everything else as somebody wrote it: comments, order, tags (contract §2). Pure. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  Pair,
  Scalar,
  YAMLMap,
  YAMLSeq,
} from 'yaml'
import type {ConfigEdit, ConfigValue} from '../../bridge/requests/bridge-actions.ts'
import {ConfigError, quoted} from '../config-error.ts'
import {parseYaml, type YamlFile} from '../read/yaml.ts'
import {isPlainText} from '../validate/names.ts'
import {keepSeparateComments, reattachComments} from './comments.ts'
import {isJson, jsonText} from './json-config.ts'
import {dataAfterEdit, isSameData, plainDataOf} from './meaning.ts'

/**
 * `text` with `edits` made one after the other. What comes back was read again, and says what `text` said but for the edits: no
 * text in them is taken for a tag, another key or a comment.
 * @param file what to call the text in an error
 * @throws ConfigError when the text is no YAML, a key to rename is not there, a text of an edit is none, or the edit would change
 * more than it names: what is written once and meant in several places (`&` and `*`)
 */
export function editYaml(text: string, file: string, edits: readonly ConfigEdit[]): string {
  return editConfigText(text, file, edits).text
}

/** The same, with the text as it was read again. @throws ConfigError as `edited` */
export function editConfigText(
  text: string,
  file: string,
  edits: readonly ConfigEdit[],
): {text: string; yaml: YamlFile} {
  const refuse = (path: string, message: string): never => {
    throw new ConfigError([{file, path, message}])
  }
  const yaml = parseYaml(text, file)
  if (!yaml.readable) throw new ConfigError(yaml.problems)
  const wanted = edits.reduce(dataAfterEdit, plainDataOf(yaml))
  const {document} = yaml
  reattachComments(document, text)
  for (const edit of edits) {
    const wrong = textProblem(edit)
    if (wrong !== undefined) refuse('', wrong)
    const message = made(document, edit)
    if (message !== undefined) refuse(edit.path.join('.'), message)
  }
  const about = edits.map(({path}) => path.join('.')).join(', ')
  const after = isJson(text)
    ? jsonText(document, text, (scalar) => BARE.has(scalar))
    : (written(document, indentOf(text)) ?? refuse(about, SHARED))
  const reread = parseYaml(after, file)
  if (!reread.readable || !isSameData(plainDataOf(reread), wanted)) refuse(about, SHARED)
  return {text: after, yaml: reread}
}

const SHARED =
  'expected a change of this alone, but it would change something else, too, or not be read back as it was asked for: what has "&", "*" or "<<" in the file is to be changed by hand'

/** `undefined` when something is gone that a `*` refers to. */
function written(document: Document, indent: number): string | undefined {
  try {
    return document.toString({lineWidth: 0, flowCollectionPadding: false, indent})
  } catch {
    return undefined
  }
}

/** Why something in the edit cannot be written as text: then nothing of it is repeated. */
function textProblem({path, ...change}: ConfigEdit): string | undefined {
  const texts = [...path, ...('put' in change ? textsIn(change.put) : Object.values(change).map(String))]
  return texts.some((text) => !isPlainText(text))
    ? `expected text without control characters and halves of characters, for ${quoted(path.slice(0, 2).join('.'))}`
    : undefined
}

function textsIn(value: ConfigValue): string[] {
  if (typeof value !== 'object') return [String(value)]
  return isList(value)
    ? value.flatMap(textsIn)
    : Object.entries(value).flatMap(([key, member]) => [key, ...textsIn(member)])
}

/** Makes the edit, or says why that cannot be. */
function made(document: Document, edit: ConfigEdit): string | undefined {
  if ('put' in edit) return put(document, edit.path, edit.put)
  return 'drop' in edit ? drop(document, edit.path) : rename(document, edit.path, edit.rename)
}

function put(document: Document, path: readonly string[], value: ConfigValue): string | undefined {
  document.contents ??= new YAMLMap()
  let around: unknown = document.contents
  for (const [depth, key] of path.entries()) {
    if (!isMap(around)) return 'expected a mapping, got something else, which is to be changed by hand'
    const pair: Pair = findPair(around, key) ?? added(around, key)
    const isLast = depth === path.length - 1
    if (isLast) pair.value = inPlaceOf(pair.value, value)
    else if (!isMap(pair.value) && !isAlias(pair.value)) pair.value = inPlaceOf(pair.value, {})
    around = pair.value
  }
  return undefined
}

/** A section that has nothing left in it, not even a comment, goes with the last that was in it. */
function drop(document: Document, path: readonly string[]): string | undefined {
  const parents = path.slice(0, -1)
  const around = document.getIn(parents, true)
  if (isAlias(around)) return 'expected a mapping, got one that is written elsewhere: change it there'
  if (!isMap(around)) return undefined
  takeOut(around, path.at(-1))
  const section = pairAt(document, parents)
  const isSaid = [section?.key, around].some((node) => isNode(node) && (node.comment || node.commentBefore))
  if (parents.length === 1 && section && around.items.length === 0 && !isSaid) document.deleteIn(parents)
  return undefined
}

function rename(document: Document, path: readonly string[], to: string): string | undefined {
  const pair = pairAt(document, path)
  if (!isNode(pair?.key)) return `expected ${quoted(path.join('.'))} to be there, to be renamed`
  if (to !== path.at(-1) && pairAt(document, [...path.slice(0, -1), to]))
    return `expected a name that is free, got ${quoted(to)}, which is there already`
  pair.key = withCommentsOf(pair.key, scalarOf(to))
  return undefined
}

function added(map: YAMLMap, key: string): Pair {
  // An empty `{}` is where something longer is going to be.
  if (map.items.length === 0) map.flow = false
  const pair = new Pair<unknown, unknown>(scalarOf(key))
  map.items.push(pair)
  return pair
}

function takeOut(map: YAMLMap, key: string | undefined): void {
  const pair = findPair(map, key)
  if (!pair) return
  const index = map.items.indexOf(pair)
  map.items.splice(index, 1)
  const next = map.items[index]?.key
  if (isNode(pair.key)) keepSeparateComments(pair.key, isNode(next) ? next : undefined, map)
}

/** What says `value` in the place of `node`: as far as it says the same, `node` itself, with all the comments in it. */
function inPlaceOf(node: unknown, value: ConfigValue): Node {
  if (isMap(node) && isMapping(value)) return mapOf(node, value)
  if (isSeq(node) && isList(value)) return listOf(node, value)
  return withCommentsOf(node, nodeOf(value))
}

function mapOf(map: YAMLMap, value: {readonly [key: string]: ConfigValue}): YAMLMap {
  for (const {key} of [...map.items])
    if (isScalar(key) && typeof key.value === 'string' && !Object.hasOwn(value, key.value))
      takeOut(map, key.value)
  for (const [key, member] of Object.entries(value)) {
    const pair = findPair(map, key) ?? added(map, key)
    pair.value = inPlaceOf(pair.value, member)
  }
  return map
}

/** A member that is in both stays itself; one that is new takes the place of the one that was there, if that is gone. */
function listOf(list: YAMLSeq, value: readonly ConfigValue[]): YAMLSeq {
  const before = [...list.items]
  const same = (item: unknown, member: ConfigValue) =>
    typeof member !== 'object' && isScalar(item) && !item.tag && item.value === String(member)
  list.items = value.map((member, index) => {
    const itself = before.find((item) => same(item, member))
    if (itself !== undefined) return itself
    const isReplaced = !value.some((other) => same(before[index], other))
    return inPlaceOf(isReplaced ? before[index] : undefined, member)
  })
  return list
}

function nodeOf(value: ConfigValue): Node {
  if (isMapping(value)) return mapOf(new YAMLMap(), value)
  if (isList(value)) return listOf(new YAMLSeq(), value)
  const scalar = scalarOf(String(value))
  if (typeof value !== 'string') BARE.add(scalar)
  return scalar
}

/** Numbers and switches of edits, which JSON has without quotes: a node only knows their text. */
const BARE = new WeakSet<Scalar>()

/** Words, names, addresses and numbers, which YAML reads as they are wherever they stand, but for `null`. */
const PLAIN = /^(?!null$)[.-]?[\p{L}\p{N}_/](?:[\p{L}\p{M}\p{N}_/.-]|[ :](?=[\p{L}\p{N}_/]))*$/iu

/** Everything but the plainest words gets quotes: what somebody sent is never read as anything but text. */
function scalarOf(text: string): Scalar<string> {
  const scalar = new Scalar(text)
  if (!PLAIN.test(text)) scalar.type = Scalar.QUOTE_DOUBLE
  return scalar
}

function withCommentsOf<N extends Node>(old: unknown, node: N): N {
  if (!isNode(old)) return node
  const isLonger = isCollection(node) && !isCollection(old)
  node.commentBefore = isLonger ? (old.comment ?? null) : (old.commentBefore ?? null)
  node.comment = isLonger ? null : (old.comment ?? null)
  if (old.spaceBefore) node.spaceBefore = true
  return node
}

function isMapping(value: ConfigValue): value is {readonly [key: string]: ConfigValue} {
  return typeof value === 'object' && !Array.isArray(value)
}

function isList(value: ConfigValue): value is readonly ConfigValue[] {
  return Array.isArray(value)
}

function pairAt(document: Document, path: readonly string[]): Pair | undefined {
  const around = document.getIn(path.slice(0, -1), true)
  return isMap(around) ? findPair(around, path.at(-1)) : undefined
}

function findPair({items}: YAMLMap, key: string | undefined): Pair | undefined {
  return items.find((item) => isScalar(item.key) && item.key.value === key)
}

/** As the first line that is further in than the one before, two spaces where there is none. */
function indentOf(text: string): number {
  const first = /^( +)[^\s#-]/m.exec(text)
  return first?.[1]?.length ?? 2
}
