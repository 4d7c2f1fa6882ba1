/** A configuration that is JSON, which is YAML, too: an edit leaves it one. */
import {type Document, isMap, isScalar, isSeq, type Node, type Scalar} from 'yaml'

export function isJson(text: string): boolean {
  try {
    JSON.parse(text.replace(/^\ufeff/, ''))
    return true
  } catch {
    return false
  }
}

/**
 * The document as JSON. What stood on one line in `text` still does.
 * @param isBare whether a scalar that is not from `text` is a number, `true` or `false`
 */
export function jsonText(
  document: Document.Parsed,
  text: string,
  isBare: (scalar: Scalar) => boolean,
): string {
  const indent = /^([ \t]+)"/m.exec(text)?.[1] ?? '  '
  const isSpread = text.trimEnd().includes('\n')
  const mark = text.startsWith('\ufeff') ? '\ufeff' : ''
  const end = /\s*$/.exec(text)?.[0] ?? ''
  return `${mark}${written(document.contents, 0)}${end}`

  function written(node: unknown, depth: number): string {
    if (isScalar(node))
      return node.type === 'PLAIN' || isBare(node) ? String(node.value) : JSON.stringify(node.value)
    if (isSeq(node))
      return around(
        '[]',
        node.items.map((item) => written(item, depth + 1)),
        isLong(node),
        depth,
      )
    if (!isMap(node)) return 'null'
    const members = node.items.map(({key, value}) => `${nameOf(key)}: ${written(value, depth + 1)}`)
    return around('{}', members, isLong(node), depth)
  }

  function isLong(node: Node): boolean {
    return node.range ? text.slice(node.range[0], node.range[1]).includes('\n') : isSpread && isMap(node)
  }

  function around(brackets: string, members: readonly string[], isLong: boolean, depth: number): string {
    const [open, close] = brackets
    if (members.length === 0 || !isLong) return `${open}${members.join(', ')}${close}`
    const inside = `\n${indent.repeat(depth + 1)}`
    return `${open}${inside}${members.join(`,${inside}`)}\n${indent.repeat(depth)}${close}`
  }
}

function nameOf(key: unknown): string {
  return JSON.stringify(isScalar(key) ? String(key.value) : '')
}
