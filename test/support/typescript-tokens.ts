/** A tokenizer for TypeScript source text: it separates comments, strings, templates and regular expressions from code. */

export type TokenKind = 'comment' | 'identifier' | 'number' | 'punctuation' | 'regex' | 'string' | 'template'

export interface Token {
  kind: TokenKind
  /** As written. Of a template it is one piece: up to `${`, between `}` and `${`, or from `}` on. */
  text: string
  /** The first line has number 1. */
  line: number
}

/** After one of these words a `/` begins a regular expression; after any other word it divides. */
const WORDS_BEFORE_REGEX: ReadonlySet<string> = new Set([
  'await',
  'case',
  'delete',
  'do',
  'else',
  'in',
  'instanceof',
  'new',
  'of',
  'return',
  'throw',
  'typeof',
  'void',
  'yield',
])

const SPACE = /\s+/y
const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y
const IDENTIFIER = /#?[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/uy
const NUMBER = /(?:\d|\.\d)[\w.]*/y
const STRING = /'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
/** A piece of a template, behind its backtick or the `}` of an expression. */
const TEMPLATE_PIECE = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y

/**
 * The tokens of `source`, comments included, spaces left out. It does not parse: it assumes that a `/` after `)` or `}`
 * divides.
 * @throws Error with the line of a character that begins no token, such as the quote of a string without an end
 */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = []
  /** For each template that is open, how many braces are open within its expression. */
  const templates: number[] = []
  let at = 0
  let line = 1
  const match = (pattern: RegExp, from = at): string | undefined => {
    pattern.lastIndex = from
    return pattern.exec(source)?.[0]
  }
  const push = (kind: TokenKind, text: string): void => {
    tokens.push({kind, text, line})
    line += text.split('\n').length - 1
    at += text.length
  }
  const pushTemplate = (): void => {
    const piece = match(TEMPLATE_PIECE, at + 1)
    if (piece === undefined) throw new Error(`line ${line}: a template without an end`)
    push('template', source.charAt(at) + piece)
    if (piece.endsWith('${')) templates.push(0)
  }
  while (at < source.length) {
    const space = match(SPACE)
    if (space !== undefined) {
      line += space.split('\n').length - 1
      at += space.length
      continue
    }
    const comment = match(COMMENT)
    const word = match(IDENTIFIER)
    const number = match(NUMBER)
    const string = match(STRING)
    const regex = mayBeginRegex(tokens) ? match(REGEX) : undefined
    const character = source.charAt(at)
    const open = templates.at(-1)
    if (comment !== undefined) push('comment', comment)
    else if (word !== undefined) push('identifier', word)
    else if (number !== undefined) push('number', number)
    else if (string !== undefined) push('string', string)
    else if (regex !== undefined) push('regex', regex)
    else if (character === '`') pushTemplate()
    else if (character === '}' && open === 0) {
      templates.pop()
      pushTemplate()
    } else if (/['"]/.test(character)) throw new Error(`line ${line}: a string without an end`)
    else {
      if (open !== undefined && /[{}]/.test(character))
        templates[templates.length - 1] = open + (character === '{' ? 1 : -1)
      push('punctuation', character)
    }
  }
  if (templates.length > 0) throw new Error(`line ${line}: a template without an end`)
  return tokens
}

/** `source` with every comment replaced by a space, lines kept. */
export function withoutComments(source: string): string {
  let code = ''
  let from = 0
  for (const {kind, text} of tokensOf(source)) {
    const at = source.indexOf(text, from)
    code += source.slice(from, at) + (kind === 'comment' ? text.replaceAll(/[^\n]+/g, ' ') : text)
    from = at + text.length
  }
  return code + source.slice(from)
}

function mayBeginRegex(tokens: readonly Token[]): boolean {
  const before = tokens.findLast(({kind}) => kind !== 'comment')
  if (before === undefined) return true
  if (before.kind === 'identifier') return WORDS_BEFORE_REGEX.has(before.text)
  if (before.kind === 'template') return before.text.endsWith('${')
  return before.kind === 'punctuation' && !/[)\]}]/.test(before.text)
}
