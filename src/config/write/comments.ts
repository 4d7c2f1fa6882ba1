/**
 * Moves comments in a parsed document to the place where their writer sees them. The parser gives every comment below the last entry of
 * a section to the innermost part of that entry, however far left the comment is: the heading of the next section would be removed
 * together with the last plug.
 */
import {type Document, isMap, isNode, isPair, isSeq, type Node, type YAMLMap, type YAMLSeq} from 'yaml'

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
export function keepSeparateComments(removed: Node, next: Node | undefined, block: Block): void {
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
