/** What is wrong with a text as YAML, said to who wrote it: the parser speaks to programmers, and quotes passwords. */
import {type Document, visit} from 'yaml'
import {TAGS} from './tags.ts'

export interface Mistake {
  /** Where in the text, from 0. */
  offset: number
  message: string
}

/** Mistakes after which the rest of the file can still be understood. */
const HARMLESS = new Set(['TAG_RESOLVE_FAILED', 'BAD_COLLECTION_TYPE'])

const UNCLOSED_QUOTE = 'a quote that begins here is never closed'

/** By the parser's code. A code that is not here keeps the parser's own message, which then quotes nothing. */
const WORDS = new Map([
  ['TAB_AS_INDENT', 'a tab cannot indent: use spaces'],
  [
    'BAD_INDENT',
    'expected the indentation of the lines that belong together with this one, or the bracket that closes one above',
  ],
  ['MULTILINE_IMPLICIT_KEY', 'expected "name: value", with a space after the colon'],
  ['BLOCK_AS_IMPLICIT_KEY', 'text with ": " in it needs quotes; or the next line is indented too far'],
  ['MULTIPLE_DOCS', 'expected one document: take out the line "---"'],
  ['TAG_RESOLVE_FAILED', `unknown tag, expected ${TAGS.join(', ')}; text that starts with "!" needs quotes`],
  ['BAD_COLLECTION_TYPE', `a tag stands before a single value only`],
  ['BAD_ALIAS', 'no anchor of this name before; text that starts with "*" needs quotes'],
  ['BAD_SCALAR_START', 'text that starts like this needs quotes'],
  ['BAD_DQ_ESCAPE', 'no such escape in double quotes; in single quotes a backslash is itself'],
  ['BAD_DIRECTIVE', 'unknown directive; text that starts with "%" needs quotes'],
  ['UNEXPECTED_TOKEN', 'unexpected here; look at the quotes, brackets and the indentation'],
  ['RESOURCE_EXHAUSTION', 'expected fewer brackets within brackets, or lines indented less deep'],
  ['NON_STRING_KEY', 'expected text as a key'],
])

/** Everything that the parser did not like. */
export function mistakesIn(document: Document.Parsed): Mistake[] {
  return [...document.errors, ...document.warnings].map(({code, message, pos: [offset]}) =>
    code === 'MISSING_CHAR' && message.endsWith('quote')
      ? {offset: lastQuote(document) ?? offset, message: UNCLOSED_QUOTE}
      : {offset, message: WORDS.get(code) ?? message},
  )
}

/** Whether what was written still says something, in spite of its mistakes. */
export function isReadable({errors, warnings}: Document.Parsed): boolean {
  return [...errors, ...warnings].every(({code}) => HARMLESS.has(code))
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
