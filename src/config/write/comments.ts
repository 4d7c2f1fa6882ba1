/**
 * Comments where whoever wrote them meant them to be. The parser hands all that stand below the last entry of a section to that
 * entry's innermost part, however far left they are: the heading of the next section would go with the last plug.
 */
import {type Document, isMap, isNode, isPair, isSeq, type Node, type YAMLMap, type YAMLSeq} from 'yaml'

type Block = YAMLMap | YAMLSeq

/** A section around something, seen from there. */
interface Around {
  block: Block
  column: number
  /** What comes after it in the section. */
  next: Node | undefined
}

/** Gives every comment below a section to the section that begins in its column, or to what follows there. @param text as parsed */
export function reattachComments(document: Document, text: string): void {
  visit(document.contents, [])

  function visit(node: unknown, around: readonly Around[]): void {
    if (!isBlock(node) || !node.range) return
    const [start, , end] = node.range
    const column = start - (text.lastIndexOf('\n', start - 1) + 1)
    const below = linesOf(text.slice(node.range[1], end))
    if (node.comment && said(below.map(({comment}) => comment)) === said(node.comment.split('\n')))
      sortOut(node, column, below, around)
    for (const [index, item] of node.items.entries()) {
      const next = headOf(node.items[index + 1])
      visit(isPair(item) ? item.value : item, [...around, {block: node, column, next}])
    }
  }
}

/** What stood above something that goes, with a blank line between, was not said of that alone: it stays, above what follows. */
export function keepSeparateComments(gone: Node, next: Node | undefined, block: Block): void {
  const lines = gone.commentBefore?.split('\n') ?? []
  const apart = lines.slice(0, lines.lastIndexOf('') + 1)
  if (apart.length > 0) putBefore([...(gone.spaceBefore ? [''] : []), ...apart], next, block)
}

function sortOut(block: Block, column: number, lines: readonly Line[], around: readonly Around[]): void {
  const homes: Around[] = [{block, column, next: undefined}, ...around.toReversed()]
  const moved = homes.map((): string[] => [])
  let home = 0
  let blank: string[] = []
  for (const {comment, indent} of lines) {
    if (comment === '') {
      blank.push('')
      continue
    }
    // What stands below something is never further in than that.
    const own = homes.findIndex((each) => each.column <= indent)
    home = Math.max(home, own === -1 ? homes.length - 1 : own)
    moved[home]?.push(...blank, comment)
    blank = []
  }
  moved[home]?.push(...blank)
  block.comment = null
  for (const [index, {block: its, next}] of homes.entries()) putBefore(moved[index] ?? [], next, its)
}

/** Above `next`, or at the end of the section when there is nothing more. */
function putBefore(lines: readonly string[], next: Node | undefined, block: Block): void {
  const first = lines.findIndex((line) => line !== '')
  if (first === -1) return
  if (!next) block.comment = withoutLast(joined(lines.join('\n'), block.comment))
  else {
    next.commentBefore = joined(lines.slice(first).join('\n'), next.commentBefore)
    if (first > 0) next.spaceBefore = true
  }
}

/** Without the line breaks at its end. A pattern would look from each of them to the end. */
function withoutLast(text: string): string {
  let end = text.length
  while (text[end - 1] === '\n') end--
  return text.slice(0, end)
}

function joined(first: string, second: string | null | undefined): string {
  return second ? `${first}\n${second}` : first
}

interface Line {
  /** Without its `#`; empty for a blank line, a space for a `#` alone. */
  comment: string
  indent: number
}

function linesOf(text: string): Line[] {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  return lines.map((line) => {
    const written = line.trim()
    return {comment: written && (written.slice(1) || ' '), indent: line.length - line.trimStart().length}
  })
}

/** What stands in the lines, but for their spaces. */
function said(lines: readonly string[]): string {
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
