/** Makes the edits in a parsed YAML document: puts, drops and renames its nodes, and keeps their comments. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  Pair,
  Scalar,
  YAMLMap,
  YAMLSeq,
} from 'yaml'
import type {ConfigEdit, ConfigValue} from '../../bridge/requests/bridge-actions.ts'
import {quoted} from '../../common/schema-errors.ts'
import {isRawMapping} from '../read/yaml.ts'
import {isPlainText} from '../validate/names.ts'

/** Why the edit has a text that no file can have; `undefined` when it has none. The reason repeats nothing of that text. */
export function invalidTextProblem({path, ...change}: ConfigEdit): string | undefined {
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

/** Makes the edit. @returns why it cannot be made; `undefined` when it is */
export function editDocument(document: Document, edit: ConfigEdit): string | undefined {
  if ('put' in edit) return put(document, edit.path, edit.put)
  return 'drop' in edit ? drop(document, edit.path) : rename(document, edit.path, edit.rename)
}

function put(document: Document, path: readonly string[], value: ConfigValue): string | undefined {
  document.contents ??= new YAMLMap()
  let parent: unknown = document.contents
  for (const [depth, key] of path.entries()) {
    if (!isMap(parent)) return 'expected a mapping, got something else: change it by hand'
    const pair: Pair = findPair(parent, key) ?? addPair(parent, key)
    const isLast = depth === path.length - 1
    if (isLast) pair.value = replacement(pair.value, value)
    else if (!isMap(pair.value) && !isAlias(pair.value)) pair.value = replacement(pair.value, {})
    parent = pair.value
  }
  return undefined
}

/** Removes a key. Its section is removed, too, when it has no other key and no comment. */
function drop(document: Document, path: readonly string[]): string | undefined {
  const parents = path.slice(0, -1)
  const parent = document.getIn(parents, true)
  if (isAlias(parent)) return 'expected a mapping, got one that is written elsewhere: change it there'
  if (!isMap(parent)) return undefined
  removePair(parent, path.at(-1))
  const section = findPairIn(document, parents)
  const isCommented = [section?.key, parent].some(
    (node) => isNode(node) && (node.comment || node.commentBefore),
  )
  if (parents.length === 1 && section && parent.items.length === 0 && !isCommented) document.deleteIn(parents)
  return undefined
}

function rename(document: Document, path: readonly string[], to: string): string | undefined {
  const pair = findPairIn(document, path)
  if (!isNode(pair?.key)) return `expected ${quoted(path.join('.'))} to be there, to be renamed`
  if (to !== path.at(-1) && findPairIn(document, [...path.slice(0, -1), to]))
    return `expected a name that is free, got ${quoted(to)}, which is there already`
  pair.key = withCommentsOf(pair.key, scalarOf(to))
  return undefined
}

function addPair(map: YAMLMap, key: string): Pair {
  // An empty `{}` becomes a block: a longer mapping is going to be there.
  if (map.items.length === 0) map.flow = false
  const pair = new Pair<unknown, unknown>(scalarOf(key))
  map.items.push(pair)
  return pair
}

function removePair(map: YAMLMap, key: string | undefined): void {
  const pair = findPair(map, key)
  if (!pair) return
  const index = map.items.indexOf(pair)
  map.items.splice(index, 1)
  const next = map.items[index]?.key
  if (isNode(pair.key)) keepSeparateComments(pair.key, isNode(next) ? next : undefined, map)
}

/** A node for `value` in the place of `old`. What is in both stays the same node, with its comments. */
function replacement(old: unknown, value: ConfigValue): Node {
  if (isMap(old) && isRawMapping(value)) return updateMap(old, value)
  if (isSeq(old) && isList(value)) return updateList(old, value)
  return withCommentsOf(old, nodeOf(value))
}

function updateMap(map: YAMLMap, value: {readonly [key: string]: ConfigValue}): YAMLMap {
  for (const {key} of [...map.items])
    if (isScalar(key) && typeof key.value === 'string' && !Object.hasOwn(value, key.value))
      removePair(map, key.value)
  for (const [key, member] of Object.entries(value)) {
    const pair = findPair(map, key) ?? addPair(map, key)
    pair.value = replacement(pair.value, member)
  }
  return map
}

/** A member that is in both lists keeps its node. A new one replaces the member at its index, if that is in the old list alone. */
function updateList(list: YAMLSeq, value: readonly ConfigValue[]): YAMLSeq {
  const before = [...list.items]
  const isSame = (item: unknown, member: ConfigValue) =>
    typeof member !== 'object' && isScalar(item) && !item.tag && item.value === String(member)
  list.items = value.map((member, index) => {
    const same = before.find((item) => isSame(item, member))
    if (same !== undefined) return same
    const isReplaced = !value.some((other) => isSame(before[index], other))
    return replacement(isReplaced ? before[index] : undefined, member)
  })
  return list
}

function nodeOf(value: ConfigValue): Node {
  if (isRawMapping(value)) return updateMap(new YAMLMap(), value)
  if (isList(value)) return updateList(new YAMLSeq(), value)
  const scalar = scalarOf(String(value))
  if (typeof value !== 'string') UNQUOTED.add(scalar)
  return scalar
}

const UNQUOTED = new WeakSet<Scalar>()

/** Whether a scalar is a number, `true` or `false` of an edit, which JSON has without quotes. The node itself has only their text. */
export function isUnquoted(scalar: Scalar): boolean {
  return UNQUOTED.has(scalar)
}

/** Words, names, addresses and numbers, which YAML reads as text wherever they stand. Not `null`. */
const PLAIN = /^(?!null$)[.-]?[\p{L}\p{N}_/](?:[\p{L}\p{M}\p{N}_/.-]|[ :](?=[\p{L}\p{N}_/]))*$/iu

/** Everything but the plainest words gets quotes: so YAML reads the text of a request as nothing but text. */
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

function isList(value: ConfigValue): value is readonly ConfigValue[] {
  return Array.isArray(value)
}

function findPairIn(document: Document, path: readonly string[]): Pair | undefined {
  const parent = document.getIn(path.slice(0, -1), true)
  return isMap(parent) ? findPair(parent, path.at(-1)) : undefined
}

function findPair({items}: YAMLMap, key: string | undefined): Pair | undefined {
  return items.find((item) => isScalar(item.key) && item.key.value === key)
}

type Block = YAMLMap | YAMLSeq

/** A block around a node. */
interface Ancestor {
  block: Block
  column: number
  /** The entry of the block after the one with the node. */
  next: Node | undefined
}

/** Gives each comment below a block to the block that begins in its column, or to the entry after it. @param text as parsed */
export function reattachComments(document: Document, text: string): void {
  visit(document.contents, [])

  function visit(node: unknown, ancestors: readonly Ancestor[]): void {
    if (!isBlock(node) || !node.range) return
    const [start, , end] = node.range
    const column = start - (text.lastIndexOf('\n', start - 1) + 1)
    const below = commentLines(text.slice(node.range[1], end))
    if (node.comment && trimmed(below.map(({comment}) => comment)) === trimmed(node.comment.split('\n')))
      distribute(node, column, below, ancestors)
    for (const [index, item] of node.items.entries()) {
      const next = headOf(node.items[index + 1])
      visit(isPair(item) ? item.value : item, [...ancestors, {block: node, column, next}])
    }
  }
}

/** Keeps the comments above a removed node that have a blank line below them: they are not about that node alone. */
function keepSeparateComments(removed: Node, next: Node | undefined, block: Block): void {
  const lines = removed.commentBefore?.split('\n') ?? []
  const separate = lines.slice(0, lines.lastIndexOf('') + 1)
  if (separate.length > 0) putBefore([...(removed.spaceBefore ? [''] : []), ...separate], next, block)
}

/** Gives the comment lines below `block` to the block itself or to one of its ancestors, by their columns. */
function distribute(
  block: Block,
  column: number,
  lines: readonly CommentLine[],
  ancestors: readonly Ancestor[],
): void {
  const owners: Ancestor[] = [{block, column, next: undefined}, ...ancestors.toReversed()]
  const moved = owners.map((): string[] => [])
  let current = 0
  let blank: string[] = []
  for (const {comment, indent} of lines) {
    if (comment === '') {
      blank.push('')
      continue
    }
    // A comment below another one never belongs further in than that one.
    const own = owners.findIndex((owner) => owner.column <= indent)
    current = Math.max(current, own === -1 ? owners.length - 1 : own)
    moved[current]?.push(...blank, comment)
    blank = []
  }
  moved[current]?.push(...blank)
  block.comment = null
  for (const [index, {block: owner, next}] of owners.entries()) putBefore(moved[index] ?? [], next, owner)
}

/** Puts comment lines above `next`, or at the end of the block when it has no more entries. */
function putBefore(lines: readonly string[], next: Node | undefined, block: Block): void {
  const first = lines.findIndex((line) => line !== '')
  if (first === -1) return
  if (!next) block.comment = withoutTrailingNewlines(joined(lines.join('\n'), block.comment))
  else {
    next.commentBefore = joined(lines.slice(first).join('\n'), next.commentBefore)
    if (first > 0) next.spaceBefore = true
  }
}

/** A loop, since a regular expression would search from each line break to the end. */
function withoutTrailingNewlines(text: string): string {
  let end = text.length
  while (text[end - 1] === '\n') end--
  return text.slice(0, end)
}

function joined(first: string, second: string | null | undefined): string {
  return second ? `${first}\n${second}` : first
}

interface CommentLine {
  /** Without its `#`. Empty for a blank line, a space for a `#` alone. */
  comment: string
  indent: number
}

function commentLines(text: string): CommentLine[] {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  return lines.map((line) => {
    const content = line.trim()
    return {comment: content && (content.slice(1) || ' '), indent: line.length - line.trimStart().length}
  })
}

function trimmed(lines: readonly string[]): string {
  return lines
    .map((line) => line.trim())
    .join('\n')
    .trim()
}

function isBlock(node: unknown): node is Block {
  return (isMap(node) || isSeq(node)) && !node.flow
}

function headOf(item: unknown): Node | undefined {
  const head = isPair(item) ? item.key : item
  return isNode(head) ? head : undefined
}
