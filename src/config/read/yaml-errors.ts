/** What is wrong with a text as YAML, said to who wrote it: the parser speaks to programmers, and quotes passwords. */
import {
  type Document,
  isCollection,
  isNode,
  isPair,
  isScalar,
  type Scalar,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import {TAGS} from './tags.ts'
import {YamlLines} from './yaml-lines.ts'

export interface YamlError {
  /** Where in the text, from 0. */
  offset: number
  message: string
}

type Complaint = Document.Parsed['errors'][number] | Document.Parsed['warnings'][number]

/** Mistakes after which the rest of the file can still be understood. */
const HARMLESS = new Set(['TAG_RESOLVE_FAILED', 'BAD_COLLECTION_TYPE'])

export const NO_ANCHOR = 'no anchor of this name before; text that starts with "*" needs quotes'
export const UNKNOWN_TAG = `unknown tag, expected ${TAGS.join(', ')}; text that starts with "!" needs quotes`
const UNCLOSED_QUOTE = 'a quote that begins here is never closed'
const NOT_QUOTES = '“ and ” are not quotes in YAML: use " or \''
const AFTER_QUOTE =
  "text after the closing quote: put all of it in one pair of quotes, with '' for a ' within '…'"
const COMMA_AFTER = 'a comma behind the value: take it away, as YAML has none at the end of a line'
const FURTHER = 'indented further than the line above: begin both in the same column'
const NOT_FIRST = 'indented, although nothing is around it: begin at the very beginning of the line'
const AMONG_SETTINGS = '"- " begins an entry of a list, but the lines above are "name: value"'
const AMONG_ENTRIES = 'expected "- " at the beginning, as in the lines above, or fewer spaces'
const COMMENTED_NAME = '" #" begins a comment: put the name in quotes'
const COMMENTED_TEXT = '" #" begins a comment: put the text in quotes'

/** By the parser's code. A code that is not here keeps the parser's own message, which then quotes nothing. */
const WORDS = new Map([
  ['TAB_AS_INDENT', 'a tab cannot indent: use spaces'],
  ['BAD_INDENT', 'wrong indentation, or a bracket above that is not closed'],
  ['MULTILINE_IMPLICIT_KEY', 'expected "name: value", with a space after the colon'],
  ['BLOCK_AS_IMPLICIT_KEY', 'text with ": " in it needs quotes'],
  ['MISSING_CHAR', 'expected "name: value", with a space after the colon'],
  ['TAG_RESOLVE_FAILED', UNKNOWN_TAG],
  ['BAD_COLLECTION_TYPE', `a tag stands before a single value only`],
  ['BAD_ALIAS', NO_ANCHOR],
  ['BAD_SCALAR_START', 'text that starts like this needs quotes'],
  ['BAD_DQ_ESCAPE', 'no such escape in double quotes; in single quotes a backslash is itself'],
  ['BAD_DIRECTIVE', 'unknown directive; text that starts with "%" needs quotes'],
  ['UNEXPECTED_TOKEN', 'unexpected here; look at the quotes, brackets and the indentation'],
  ['RESOURCE_EXHAUSTION', 'expected fewer brackets within brackets, or lines indented less deep'],
  ['BLOCK_IN_FLOW', 'expected a comma between entries within brackets; text with ": " in it needs quotes'],
  ['NON_STRING_KEY', 'expected text as a key, without a tag or brackets'],
])

/** Nobody reads more, and each is looked for in the whole file. */
const MOST_EXPLAINED = 20

const CR_ALONE =
  'expected line breaks of Unix or Windows, got those of old Macs (CR alone): save the file with others'
const NOT_UTF8 = 'expected UTF-8 text, got NUL characters, as in UTF-16: save the file as UTF-8'

/** What makes another text of the whole file, and so the only thing to be said of it. */
export function wholeFileErrors(document: Document.Parsed, text: string): YamlError[] {
  if (/^.?\0/s.test(text)) return [{offset: 0, message: NOT_UTF8}]
  if (/\r./s.test(text) && !text.includes('\n')) return [{offset: 0, message: CR_ALONE}]
  return isReadable(document) ? oddIndentation(document, text) : []
}

/** Everything that the parser did not like, once: what it stumbles over because of an earlier mistake is left out. */
export function yamlErrors(document: Document.Parsed, text: string): YamlError[] {
  const all: Complaint[] = [...document.errors, ...document.warnings]
  // The reader says with its path what it comes to.
  const complaints = isReadable(document) ? all.filter((each) => !isUnknownTag(each)) : all
  if (complaints.length === 0) return []
  complaints.sort((a, b) => a.pos[0] - b.pos[0])
  const [first, ...others] = complaints
  const own = [first, ...others.filter((complaint) => !isEcho(complaint))].filter(
    (each) => each !== undefined,
  )
  const unexplained = own.slice(MOST_EXPLAINED).map(({code, message, pos: [offset]}) => ({
    offset,
    message: WORDS.get(code) ?? message,
  }))
  return [...explainedOnce(own.slice(0, MOST_EXPLAINED), document, new YamlLines(text)), ...unexplained]
}

function isUnknownTag({code, message}: Complaint): boolean {
  return code === 'TAG_RESOLVE_FAILED' && message.startsWith('Unresolved tag')
}

/** Whether a complaint only says that the parser has lost its way before. */
function isEcho({code, message}: Complaint): boolean {
  return code === 'UNEXPECTED_TOKEN'
    ? message.includes('in YAML stream')
    : message.startsWith('Missing directives-end')
}

function explainedOnce(
  complaints: readonly Complaint[],
  document: Document.Parsed,
  lines: YamlLines,
): YamlError[] {
  const told: YamlError[] = []
  const seen = new Set<number>()
  let bracket = -1
  let blockEnd = -1
  for (const complaint of complaints) {
    const at = lines.at(complaint.pos[0])
    if (seen.has(at) || (complaint.code === 'BAD_INDENT' && at < blockEnd)) continue
    const mistake = explained(complaint, document, lines)
    const line = lines.at(mistake.offset)
    // What is around a bracket that is not closed is not closed, either.
    const isAround = complaint.message.startsWith('Flow ') && mistake.offset <= bracket
    if (complaint.message.startsWith('Flow ')) bracket = Math.max(bracket, mistake.offset)
    if (!seen.has(line) && !isAround) told.push(mistake)
    seen.add(at).add(line)
    blockEnd = Math.max(blockEnd, lines.endOfBlock(at))
  }
  return told
}

/** Whether what was written still says something, in spite of its mistakes. */
export function isReadable({errors, warnings}: Document.Parsed): boolean {
  return [...errors, ...warnings].every(({code}) => HARMLESS.has(code))
}

function explained(complaint: Complaint, document: Document.Parsed, lines: YamlLines): YamlError {
  const {code, message, pos} = complaint
  const [offset] = pos
  const at = lines.at(offset)
  const stray = strayIn(at, lines)
  if (stray) return stray
  const commented = commentedName(at, lines)
  if (commented !== undefined) return {offset: commented, message: COMMENTED_NAME}
  switch (code) {
    case 'BAD_INDENT':
      return message.startsWith('Flow ') ? unclosed(document, lines, offset) : misplaced(at, lines)
    case 'BLOCK_AS_IMPLICIT_KEY':
      return blockAsKey(complaint, at, lines)
    case 'MULTILINE_IMPLICIT_KEY':
      return {offset, message: nameAlone(at, lines)}
    case 'MISSING_CHAR':
      return missing(complaint, document, lines)
    case 'UNEXPECTED_TOKEN':
      return unexpected(complaint, at, lines)
    case 'MULTIPLE_DOCS':
      return {offset, message: /^\.\.\./m.test(lines.slice(0, offset)) ? ENDED : ONE_DOCUMENT}
    default:
      return {offset, message: WORDS.get(code) ?? message}
  }
}

const ONE_DOCUMENT = 'expected one document: take out the line "---"'
const ENDED = 'a line "..." above ends the document: take it out'

const OTHER_SPACE =
  'a space of another kind, or a character that is not seen, at the beginning of the line: use plain spaces'

/** Lines that are no YAML, and what to say of them. The parser stumbles there, or in the line below. */
const STRAY: readonly [looks: RegExp, message: string][] = [
  [/^ *(?! )[\p{Zs}\p{Cf}]/u, OTHER_SPACE],
  [
    /(?<=^\s*[\w-]+:)(?! )[\p{Zs}\p{Cf}]/u,
    'a space of another kind, or a character that is not seen, after the colon: use a plain space',
  ],
  [
    /^(?:<{7}|\|{7}|={7}|>{7})(?: |$)/,
    'a conflict that git left: keep one of the two sides, and no line of marks',
  ],
  [/^\s*(?:```|~~~|\$ |<\/?[a-z]+>)/, 'this line belongs to the page that it was copied from: take it out'],
  [/(?<=^\s*[[{]?\s*)\/\//, '"//" begins no comment: use "#"'],
]

function strayIn(at: number, lines: YamlLines): YamlError | undefined {
  for (const line of [at, lines.before(at)]) {
    const text = line === undefined ? '' : lines.text(line).slice(0, LONGEST_NAMED)
    for (const [looks, message] of STRAY) {
      const found = looks.exec(text)
      if (line !== undefined && found) return {offset: lines.start(line) + found.index, message}
    }
  }
  return undefined
}

/** Keys that begin with a space of another kind: their lines belong elsewhere, and so does all that follows. */
function oddIndentation(document: Document.Parsed, text: string): YamlError[] {
  if (!/^ *(?! )[\p{Zs}\p{Cf}]/mu.test(text)) return []
  const found: YamlError[] = []
  visit(document, {
    Pair: (_, {key}) => {
      if (isScalar(key) && key.type === 'PLAIN' && key.range && /^[\p{Zs}\p{Cf}]/u.test(key.source ?? ''))
        found.push({offset: text.lastIndexOf('\n', key.range[0] - 1) + 1, message: OTHER_SPACE})
    },
  })
  return found
}

/** Characters of a line that begins with a name; on longer ones no pattern is tried. */
const LONGEST_NAMED = 500

/** Where ` #` cuts a name from its colon, in the line or the one before: the parser only stumbles over what comes next. */
function commentedName(at: number, lines: YamlLines): number | undefined {
  for (const line of [at, lines.before(at)]) {
    if (line === undefined || lines.text(line).length > LONGEST_NAMED) continue
    const [, name = '', comment = ''] =
      /^(\s*(?:- +)?[^\s"'[\]{}#&*!|>@%`,][^#]*?\s+)(#.*)$/u.exec(lines.text(line)) ?? []
    if (comment.includes(':') && !/:(?:\s|$)/.test(name)) return lines.start(line) + name.length
  }
  return undefined
}

/** A line among others that begin in another column, or that are of another kind. */
function misplaced(at: number, lines: YamlLines): YamlError {
  const offset = lines.start(at) + lines.indent(at)
  const above = lines.before(at)
  if (above !== undefined && lines.indent(at) > lines.indent(above)) return {offset, message: FURTHER}
  const around = lines.columnsAbove(at)
  if (around.includes(lines.indent(at)))
    return {offset, message: lines.isEntry(at) ? AMONG_SETTINGS : AMONG_ENTRIES}
  const expected = around.join(', ').replace(/, (\d+)$/, ' or $1')
  return {
    offset,
    message: `indented by ${spaces(lines.indent(at))}, expected ${expected}, as the lines above that it belongs to`,
  }
}

function spaces(count: number): string {
  return count === 1 ? '1 space' : `${count} spaces`
}

/** A mapping or list where the text of a name, or of a value, was expected. */
function blockAsKey({message, pos: [offset]}: Complaint, at: number, lines: YamlLines): YamlError {
  if (message.startsWith('A block sequence')) return misplaced(at, lines)
  const value = lines.textFrom(offset)
  for (const text of [value, lines.text(at).trimStart()])
    if (startsTypographic(text))
      return {offset: lines.start(at) + lines.text(at).indexOf(text), message: NOT_QUOTES}
  const next = lines.after(at)
  if (!/:(?:\s|$)/.test(value) && next !== undefined && !/^[?]/.test(value)) return misplaced(next, lines)
  const why = value.startsWith('?') ? 'that starts with "?"' : 'with ": " in it'
  return {offset, message: `text ${why} needs quotes: put the ${lines.key(at) ?? 'text'} in single quotes`}
}

/** A line that should have said `name: value`. */
function nameAlone(at: number, lines: YamlLines): string {
  const line = lines.text(at)
  if (/^\s*[^\s:]+\s*=/.test(line)) return 'expected "name: value", got "=" in place of ":"'
  if (/：/u.test(line)) return 'expected "name: value", got a colon of another kind: use ":"'
  if (!line.includes(':')) return 'expected ":" after the name'
  return 'expected "name: value", with a space after the colon'
}

function missing(
  {message, pos: [offset]}: Complaint,
  document: Document.Parsed,
  lines: YamlLines,
): YamlError {
  if (message.startsWith('Flow ')) return unclosed(document, lines, offset)
  if (message.startsWith('Missing ,'))
    return {offset, message: 'expected a comma between entries within brackets'}
  if (message.endsWith('quote')) return {offset: lastQuote(document) ?? offset, message: UNCLOSED_QUOTE}
  if (message.startsWith('Implicit map keys')) return {offset, message: nameAlone(lines.at(offset), lines)}
  return {offset, message: WORDS.get('MISSING_CHAR') ?? message}
}

function unexpected({message, pos: [offset]}: Complaint, at: number, lines: YamlLines): YamlError {
  const quoted = (start: string) => ({offset, message: `text that starts with ${start} needs quotes`})
  if (message.startsWith('Block scalar header')) return quoted('"|" or ">"')
  if (message.startsWith('Unexpected block-seq-ind'))
    return {offset, message: 'a list begins on a line of its own; text that starts with "- " needs quotes'}
  if (/flow-(map|seq)-end/.test(message))
    return {
      offset,
      message: 'a bracket that nothing opens: take it out; text that starts with it needs quotes',
    }
  if (message.startsWith('Unexpected , in')) return {offset, message: 'a comma too many: take it out'}
  const first = lines.after(-1)
  if (first !== undefined && lines.indent(first) > 0 && lines.indent(at) === 0 && first < at)
    return {offset: lines.start(first) + lines.indent(first), message: NOT_FIRST}
  const before = lines.textBefore(offset).trimEnd()
  if (/^,\s*(?:#.*)?$/.test(lines.textFrom(offset))) return {offset, message: COMMA_AFTER}
  if (/["']$/.test(before)) return {offset, message: AFTER_QUOTE}
  if (/[\]}]$/.test(before)) return quoted('"[" or "{"')
  return {offset, message: WORDS.get('UNEXPECTED_TOKEN') ?? message}
}

/** The bracket that is not closed before `end`, or the comment that hides what would have closed it. */
function unclosed(document: Document.Parsed, lines: YamlLines, end: number): YamlError {
  let open: number | undefined
  visit(document, {
    Node: (_key, node) => {
      if (!isCollection(node) || !node.flow || !node.range) return
      const [start, last, until] = node.range
      const behind = lines.slice(endOfLast(node) ?? start + 1, last).replaceAll(/\s#.*$/gm, '')
      if (start < end && until >= end && !/[\]}]/.test(behind)) open = start
    },
  })
  if (open === undefined) return misplaced(lines.at(end), lines)
  for (let line = lines.at(open); line <= lines.at(end - 1); line++) {
    const hash = /(?<=\s)#/.exec(lines.text(line))
    const comment = lines.start(line) + (hash?.index ?? 0)
    if (hash && comment > open && /[\]}:]/.test(lines.textFrom(comment)))
      return {offset: comment, message: COMMENTED_TEXT}
  }
  const bracket = lines.slice(open, open + 1)
  return {
    offset: open,
    message: `the bracket "${bracket}" that opens here is never closed; text that starts with it needs quotes`,
  }
}

/** Where the last entry of a collection ends. */
function endOfLast({items}: YAMLMap | YAMLSeq): number | undefined {
  const last = items.at(-1)
  const nodes = isPair(last) ? [last.value, last.key] : [last]
  return nodes.find((node) => isNode(node))?.range?.[1]
}

/** A quote that is not closed reaches to the end of the file, where the parser reports it: nothing comes after it. */
function lastQuote(document: Document.Parsed): number | undefined {
  let last: number | undefined
  visit(document, {
    Scalar: (_key, {type, range}) => {
      if (type?.startsWith('QUOTE') && range) last = range[0]
    },
  })
  return last
}

const DOUBLE = '“”„‟«»〝〞'
const SINGLE = '‘’‚‛‹›'

/** Whether text without quotes was meant to be in some: it begins, or ends, with those of a text processor. */
function isInTypographicQuotes(text: string): boolean {
  const [first, last] = [text.charAt(0), text.slice(-1)]
  if (text === '') return false
  if (SINGLE.includes(first)) return text.length > 1 && (SINGLE + DOUBLE).includes(last)
  return DOUBLE.includes(first) || (DOUBLE.includes(last) && !/[“”„‟«»〝〞]/u.test(text.slice(0, -1)))
}

function startsTypographic(text: string): boolean {
  return text !== '' && (DOUBLE + SINGLE).includes(text.charAt(0))
}

/** A space that YAML does not take for one, or a character that is not seen, where a person sees the end of a text. */
const UNSEEN = /^[\p{Zs}\p{Cf}]|[\p{Zs}\p{Cf}]$|^[\w-]+:[\p{Zs}\p{Cf}]/u

/**
 * What is wrong with a text that is valid YAML, but hardly what its writer meant.
 * @param text of the file
 * @param isAnyText whether no text is unlikely, as in a password
 * @param isMeant whether the anchor of the scalar is one
 */
export function valueSlip(
  {type, source = '', tag, anchor, range}: Scalar,
  text: string,
  isAnyText: boolean,
  isMeant: () => boolean,
): string | undefined {
  if (anchor !== undefined && !isMeant()) return 'text that starts with "&" needs quotes'
  if (type !== 'PLAIN') return undefined
  if (tag === '!') return 'text that starts with "!" needs quotes'
  if (isInTypographicQuotes(source)) return NOT_QUOTES
  if (UNSEEN.test(source))
    return 'a space of another kind, or a character that is not seen, is at an end of this text: type it anew'
  const isContinued =
    range && source.includes(' ') && (isAnyText ? /\n/ : /\n\s*- /).test(text.slice(range[0], range[1]))
  return isContinued
    ? 'the line below is indented further and belongs to this text: begin both in the same column'
    : undefined
}
