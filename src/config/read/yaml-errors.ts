/**
 * Explains YAML syntax errors to the person who wrote the file. The parser's own messages are for programmers, and quote passwords.
 * The parser notices most mistakes a line too late: the functions here look for the real place in the lines around it.
 */
import {type Document, isCollection, isNode, isPair, isScalar, visit, type YAMLError} from 'yaml'
import {joinWithOr} from '../../common/schema-errors.ts'
import {count, DOUBLE_QUOTES, SINGLE_QUOTES} from '../../common/text.ts'
import {YamlLines} from './yaml-lines.ts'

/** The tags of config.yaml. They stand before a single value, and name the source of its text. */
export const TAGS = ['!env', '!file', '!secret'] as const
export type Tag = (typeof TAGS)[number]

interface SyntaxProblem {
  /** Where in the text, from 0. */
  offset: number
  message: string
}

/** Errors of the parser after which the rest of the file can still be read. */
const HARMLESS = new Set(['TAG_RESOLVE_FAILED', 'BAD_COLLECTION_TYPE'])

export const NESTED_TOO_DEEP = 'expected fewer brackets within brackets, or lines indented less deep'
export const NO_ANCHOR = 'no anchor of this name before; text that starts with "*" needs quotes'
export const UNKNOWN_TAG = `unknown tag, expected ${TAGS.join(', ')}; text that starts with "!" needs quotes`
export const NOT_QUOTES = '“ and ” are not quotes in YAML: use " or \''
const NAME_AND_VALUE = 'expected "name: value", with a space after the colon'
const ODD_SPACE =
  'a non-breaking space or an invisible character, at the beginning of the line: use plain spaces'

/** Messages by the parser's error code. A code without one keeps the parser's message, which then quotes nothing. */
const MESSAGES = new Map([
  ['TAB_AS_INDENT', 'a tab cannot indent: use spaces'],
  ['BAD_INDENT', 'wrong indentation, or a bracket above that is not closed'],
  ['MULTILINE_IMPLICIT_KEY', NAME_AND_VALUE],
  ['BLOCK_AS_IMPLICIT_KEY', 'text with ": " in it needs quotes'],
  ['MISSING_CHAR', NAME_AND_VALUE],
  ['TAG_RESOLVE_FAILED', UNKNOWN_TAG],
  ['BAD_COLLECTION_TYPE', `a tag stands before a single value only`],
  ['BAD_ALIAS', NO_ANCHOR],
  ['BAD_SCALAR_START', 'text that starts like this needs quotes'],
  ['BAD_DQ_ESCAPE', 'no such escape in double quotes; in single quotes a backslash is itself'],
  ['BAD_DIRECTIVE', 'unknown directive; text that starts with "%" needs quotes'],
  ['UNEXPECTED_TOKEN', 'unexpected here; look at the quotes, brackets and the indentation'],
  ['RESOURCE_EXHAUSTION', NESTED_TOO_DEEP],
  ['BLOCK_IN_FLOW', 'expected a comma between entries within brackets; text with ": " in it needs quotes'],
  ['NON_STRING_KEY', 'expected text as a key, without a tag or brackets'],
])

/** So many errors are explained; each explanation searches the whole file. Those after them have the message of their code. */
const MOST_EXPLAINED = 20

/** Problems of the file as a whole, beside which no other problem of it counts. */
export function wholeFileErrors(document: Document.Parsed, text: string): SyntaxProblem[] {
  const atStart = (message: string) => [{offset: 0, message}]
  if (/^.?\0/s.test(text))
    return atStart('expected UTF-8 text, got NUL characters, as in UTF-16: save the file as UTF-8')
  if (/\r./s.test(text) && !text.includes('\n'))
    return atStart(
      'expected line breaks of Unix or Windows, got those of old Macs (CR alone): save the file with others',
    )
  return isReadable(document) ? oddIndentation(document, text) : []
}

/** Every error of the parser once, in plain words. Errors that only follow from an earlier one are left out. */
export function yamlErrors(document: Document.Parsed, text: string): SyntaxProblem[] {
  const all: YAMLError[] = [...document.errors, ...document.warnings]
  // YamlReader reports unknown tags with their path, in a file that can be read.
  const isUnknownTag = ({code, message}: YAMLError) =>
    code === 'TAG_RESOLVE_FAILED' && message.startsWith('Unresolved tag')
  const errors = isReadable(document) ? all.filter((error) => !isUnknownTag(error)) : all
  if (errors.length === 0) return []
  const causes = errors
    .sort((a, b) => a.pos[0] - b.pos[0])
    .filter((error, index) => index === 0 || !isConsequence(error))
  const lines = new YamlLines(text)
  const problems: SyntaxProblem[] = []
  const seen = new Set<number>()
  let lastBracket = -1
  let blockEnd = -1
  for (const error of causes.slice(0, MOST_EXPLAINED)) {
    const at = lines.at(error.pos[0])
    if (seen.has(at) || (error.code === 'BAD_INDENT' && at < blockEnd)) continue
    const problem = explain(error, document, lines)
    const line = lines.at(problem.offset)
    // The brackets around a bracket that is not closed are not closed, either.
    const isAround = error.message.startsWith('Flow ') && problem.offset <= lastBracket
    if (error.message.startsWith('Flow ')) lastBracket = Math.max(lastBracket, problem.offset)
    if (!seen.has(line) && !isAround) problems.push(problem)
    seen.add(at).add(line)
    blockEnd = Math.max(blockEnd, lines.endOfBlock(at))
  }
  for (const {code, message, pos} of causes.slice(MOST_EXPLAINED))
    problems.push({offset: pos[0], message: MESSAGES.get(code) ?? message})
  return problems
}

/** Whether an error only shows that the parser got lost before it. */
function isConsequence({code, message}: YAMLError): boolean {
  return code === 'UNEXPECTED_TOKEN'
    ? message.includes('in YAML stream')
    : message.startsWith('Missing directives-end')
}

/** Whether the file can be read in spite of its errors. */
export function isReadable({errors, warnings}: Document.Parsed): boolean {
  return [...errors, ...warnings].every(({code}) => HARMLESS.has(code))
}

/** The problem behind an error of the parser. */
function explain({code, message, pos: [offset]}: YAMLError, document: Document.Parsed, lines: YamlLines) {
  const at = lines.at(offset)
  const nearLines = [at, lines.before(at)].filter((line) => line !== undefined)
  for (const mistakeIn of [foreignLine, commentedName])
    for (const line of nearLines) {
      const problem = mistakeIn(line, lines)
      if (problem) return problem
    }
  const [, , found] = EXPLANATIONS.find(([ofCode, pattern]) => ofCode === code && pattern.test(message)) ?? []
  const explained = typeof found === 'function' ? found(offset, lines, document) : found
  return typeof explained === 'object'
    ? explained
    : {offset, message: explained ?? MESSAGES.get(code) ?? message}
}

/** Looks for the mistake around an error at `offset`. @returns the problem, or its message if it is at `offset` */
type Explanation = (
  offset: number,
  lines: YamlLines,
  document: Document.Parsed,
) => SyntaxProblem | string | undefined

/** Mistakes of which the parser makes one error, by its code and its message. The first that fits counts, or else that of `MESSAGES`. */
const EXPLANATIONS: readonly [code: string, message: RegExp, Explanation | string][] = [
  ['BAD_INDENT', /^Flow /, unclosedBracket],
  ['BAD_INDENT', /^/, misplaced],
  ['BLOCK_AS_IMPLICIT_KEY', /^A block sequence/, misplaced],
  ['BLOCK_AS_IMPLICIT_KEY', /^/, blockAsKey],
  ['MULTILINE_IMPLICIT_KEY', /^/, nameAlone],
  ['MISSING_CHAR', /^Flow /, unclosedBracket],
  ['MISSING_CHAR', /^Missing ,/, 'expected a comma between entries within brackets'],
  ['MISSING_CHAR', /quote$/, unclosedQuote],
  ['MISSING_CHAR', /^Implicit map keys/, nameAlone],
  ['MULTIPLE_DOCS', /^/, severalDocuments],
  ['UNEXPECTED_TOKEN', /^Block scalar header/, 'text that starts with "|" or ">" needs quotes'],
  [
    'UNEXPECTED_TOKEN',
    /^Unexpected block-seq-ind/,
    'a list begins on a line of its own; text that starts with "- " needs quotes',
  ],
  [
    'UNEXPECTED_TOKEN',
    /flow-(map|seq)-end/,
    'a bracket that nothing opens: remove it; text that starts with it needs quotes',
  ],
  ['UNEXPECTED_TOKEN', /^Unexpected , in/, 'a comma too many: remove it'],
  ['UNEXPECTED_TOKEN', /^/, unexpectedToken],
]

/** Lines that are not YAML, and a message for each. The parser stumbles over such a line, or over the line below it. */
const FOREIGN_LINES: readonly [pattern: RegExp, message: string][] = [
  [/^ *(?! )[\p{Zs}\p{Cf}]/u, ODD_SPACE],
  [
    /(?<=^\s*[\w-]+:)(?! )[\p{Zs}\p{Cf}]/u,
    'a non-breaking space or an invisible character, after the colon: use a plain space',
  ],
  [
    /^(?:<{7}|\|{7}|={7}|>{7})(?: |$)/,
    'a merge conflict of git: keep one of the two sides, and remove the marker lines',
  ],
  [/^\s*(?:```|~~~|\$ |<\/?[a-z]+>)/, 'this line belongs to the page that it was copied from: remove it'],
  [/(?<=^\s*[[{]?\s*)\/\//, '"//" does not begin a comment: use "#"'],
]

/** Characters of a line that patterns are tried on. */
const LONGEST_LINE = 500

function foreignLine(line: number, lines: YamlLines): SyntaxProblem | undefined {
  const text = lines.text(line).slice(0, LONGEST_LINE)
  for (const [pattern, message] of FOREIGN_LINES) {
    const found = pattern.exec(text)
    if (found) return {offset: lines.start(line) + found.index, message}
  }
  return undefined
}

/** A ` #` that cuts a name from its colon. */
function commentedName(line: number, lines: YamlLines): SyntaxProblem | undefined {
  const text = lines.text(line)
  if (text.length > LONGEST_LINE) return undefined
  const [, name = '', comment = ''] = /^(\s*(?:- +)?[^\s"'[\]{}#&*!|>@%`,][^#]*?\s+)(#.*)$/u.exec(text) ?? []
  if (!comment.includes(':') || /:(?:\s|$)/.test(name)) return undefined
  return {
    offset: lines.start(line) + name.length,
    message: '" #" begins a comment: put the name in quotes',
  }
}

/** Keys that begin with a space of another kind. YAML nests their lines elsewhere, and all lines after them. */
function oddIndentation(document: Document.Parsed, text: string): SyntaxProblem[] {
  if (!/^ *(?! )[\p{Zs}\p{Cf}]/mu.test(text)) return []
  const problems: SyntaxProblem[] = []
  visit(document, {
    Pair: (_, {key}) => {
      if (isScalar(key) && key.type === 'PLAIN' && key.range && /^[\p{Zs}\p{Cf}]/u.test(key.source ?? ''))
        problems.push({offset: text.lastIndexOf('\n', key.range[0] - 1) + 1, message: ODD_SPACE})
    },
  })
  return problems
}

/** A line that begins in another column than the lines above, or is of another kind (list or mapping). */
function misplaced(position: number, lines: YamlLines): SyntaxProblem {
  const at = lines.at(position)
  const indent = lines.indent(at)
  const offset = lines.start(at) + indent
  const above = lines.before(at)
  if (above !== undefined && indent > lines.indent(above))
    return {offset, message: 'indented further than the line above: begin both in the same column'}
  const columns = lines.columnsAbove(at)
  if (columns.includes(indent))
    return {
      offset,
      message: /^ *-(?: |$)/.test(lines.text(at))
        ? '"- " begins an entry of a list, but the lines above are "name: value"'
        : 'expected "- " at the beginning, as in the lines above, or fewer spaces',
    }
  const message = `indented by ${count(indent, 'space')}, expected ${joinWithOr(columns)}, as the lines above that it belongs to`
  return {offset, message}
}

const BEGINS_WITH_QUOTES = new RegExp(`^[${DOUBLE_QUOTES}${SINGLE_QUOTES}]`)

/** A mapping where the text of a name, or of a value, was expected. */
function blockAsKey(offset: number, lines: YamlLines): SyntaxProblem | string {
  const at = lines.at(offset)
  const value = lines.textFrom(offset)
  for (const text of [value, lines.text(at).trimStart()])
    if (BEGINS_WITH_QUOTES.test(text))
      return {offset: lines.start(at) + lines.text(at).indexOf(text), message: NOT_QUOTES}
  const next = lines.after(at)
  if (!/:(?:\s|$)/.test(value) && next !== undefined && !value.startsWith('?'))
    return misplaced(lines.start(next), lines)
  const why = value.startsWith('?') ? 'that starts with "?"' : 'with ": " in it'
  const [, key = 'text'] = /^\s*(?:- +)?([a-z_]{1,40}):/.exec(lines.text(at)) ?? []
  return `text ${why} needs quotes: put the ${key} in single quotes`
}

/** A line that is not `name: value`, although the lines around it are. */
function nameAlone(offset: number, lines: YamlLines): string {
  const line = lines.text(lines.at(offset))
  if (/^\s*[^\s:]+\s*=/.test(line)) return 'expected "name: value", got "=" in place of ":"'
  if (line.includes('：')) return 'expected "name: value", got a full-width colon: use ":"'
  return line.includes(':') ? NAME_AND_VALUE : 'expected ":" after the name'
}

function severalDocuments(offset: number, lines: YamlLines): string {
  return /^\.\.\./m.test(lines.slice(0, offset))
    ? 'a line "..." above ends the document: remove it'
    : 'expected one document: remove the line "---"'
}

function unexpectedToken(offset: number, lines: YamlLines): SyntaxProblem | string | undefined {
  const at = lines.at(offset)
  const first = lines.after(-1)
  if (first !== undefined && lines.indent(first) > 0 && lines.indent(at) === 0 && first < at)
    return {
      offset: lines.start(first) + lines.indent(first),
      message: 'indented, although nothing is around it: begin at the very beginning of the line',
    }
  const before = lines.slice(lines.start(at), offset).trimEnd()
  if (/^,\s*(?:#.*)?$/.test(lines.textFrom(offset)))
    return 'a comma after the value: remove it, as YAML has none at the end of a line'
  if (/["']$/.test(before))
    return "text after the closing quote: put all of it in one pair of quotes, with '' for a ' within '…'"
  return /[\]}]$/.test(before) ? 'text that starts with "[" or "{" needs quotes' : undefined
}

/** The innermost bracket that is not closed before `end`, or the comment that hides its closing bracket. */
function unclosedBracket(end: number, lines: YamlLines, document: Document.Parsed): SyntaxProblem {
  let open: number | undefined
  visit(document, {
    Node: (_key, node) => {
      if (!isCollection(node) || !node.flow || !node.range) return
      const [start, last, until] = node.range
      const item = node.items.at(-1)
      const ends = (isPair(item) ? [item.value, item.key] : [item]).find((each) => isNode(each))?.range
      const behind = lines.slice(ends?.[1] ?? start + 1, last).replaceAll(/\s#.*$/gm, '')
      if (start < end && until >= end && !/[\]}]/.test(behind)) open = start
    },
  })
  if (open === undefined) return misplaced(end, lines)
  for (let line = lines.at(open); line <= lines.at(end - 1); line++) {
    const hash = /(?<=\s)#/.exec(lines.text(line))
    const comment = lines.start(line) + (hash?.index ?? 0)
    if (hash && comment > open && /[\]}:]/.test(lines.textFrom(comment)))
      return {offset: comment, message: '" #" begins a comment: put the text in quotes'}
  }
  const bracket = lines.slice(open, open + 1)
  return {
    offset: open,
    message: `the bracket "${bracket}" that opens here is never closed; text that starts with it needs quotes`,
  }
}

/** The last quoted text: one that is not closed reaches to the end of the file, where the parser reports it. */
function unclosedQuote(end: number, _lines: YamlLines, document: Document.Parsed): SyntaxProblem {
  let offset = end
  visit(document, {
    Scalar: (_key, {type, range}) => {
      if (type?.startsWith('QUOTE') && range) offset = range[0]
    },
  })
  return {offset, message: 'a quote that begins here is never closed'}
}
