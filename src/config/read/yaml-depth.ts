/** How deep a YAML text is nested, found without recursion: the parser recurses, and ends the process when its stack is used up. */
import {Lexer} from 'yaml'

/** No configuration has more than eight levels. */
const DEEPEST = 100
const OPENING = new Set(['[', '{'])
const CLOSING = new Set([']', '}'])

/** Where the text has too many levels within one another; `undefined` when it has not. */
export function tooDeepAt(text: string): number | undefined {
  return tooManyBracketsAt(text) ?? tooManyIndentsAt(text)
}

function tooManyBracketsAt(text: string): number | undefined {
  // Few texts have so many brackets at all: only those are read token by token, where brackets within quotes do not count.
  if ((text.match(/[[{]/g)?.length ?? 0) <= DEEPEST) return undefined
  let depth = 0
  let offset = 0
  for (const token of new Lexer().lex(text)) {
    if (OPENING.has(token) && ++depth > DEEPEST) return offset
    if (CLOSING.has(token)) depth = Math.max(0, depth - 1)
    if (!MARKS.has(token)) offset += token.length
  }
  return undefined
}

/** What the lexer says besides the text itself: beginning of a document, of a flow end, of a plain text. */
const MARKS = new Set(['\u0002', '\u0018', '\u001f'])

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
