/** Text on a terminal: its width in columns, where lines break, and whether the terminal shows colours. */

/** What a terminal can do. */
export interface TerminalFeatures {
  /** Columns of a line. Changes with the window. */
  readonly columns: number
  /** Whether colours are wanted and can be shown: neither `NO_COLOR` nor `TERM=dumb`. */
  readonly coloured: boolean
  /** Whether a line can be overwritten: not on `TERM=dumb`. */
  readonly rewritable: boolean
}

/** Moves to the beginning of the line, and clears it. */
export const CLEAR_LINE = '\r\u001b[K'

/** The part of a stream that is read here. `columns` is missing, or 0, where a terminal does not know its size. */
interface TerminalStream {
  isTTY?: boolean | undefined
  columns?: number | undefined
}

const DEFAULT_COLUMNS = 80
/** Indented text keeps at least so many columns. */
const MIN_TEXT_COLUMNS = 20

/** The features of the terminal behind `stream`; `undefined` for a pipe or a file. */
export function terminalFeatures(
  stream: TerminalStream,
  env: NodeJS.ProcessEnv,
): TerminalFeatures | undefined {
  if (stream.isTTY !== true) return undefined
  const isDumb = env['TERM'] === 'dumb'
  return {
    get columns() {
      return stream.columns || DEFAULT_COLUMNS
    },
    coloured: !env['NO_COLOR'] && !isDumb, // https://no-color.org: present and not empty
    rewritable: !isDumb,
  }
}

/** Combining marks and joiners. */
const ZERO_WIDTH = /[\p{M}\u200b-\u200d]/u
/** Characters of East Asian scripts, and emoji, are two columns wide (Unicode Standard Annex 11). */
const TWO_COLUMNS =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u

/** How many columns one line of text takes. Escape sequences for colours and bold take none. */
export function displayWidth(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length
  let width = 0
  const [plain = '', ...styled] = text.split('\u001b')
  const withoutStyles = plain + styled.map((part) => part.replace(/^\[\d+m/, '')).join('')
  for (const character of withoutStyles) width += widthOfCharacter(character)
  return width
}

function widthOfCharacter(character: string): number {
  if (ZERO_WIDTH.test(character)) return 0
  return TWO_COLUMNS.test(character) ? 2 : 1
}

/** `text` padded with spaces to `width` columns. */
export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

/** One line of text, without colours, cut to `width` columns with `…` at its end. */
export function truncated(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let shown = ''
  let left = width - 1
  for (const character of text) {
    left -= widthOfCharacter(character)
    if (left < 0) break
    shown += character
  }
  return `${shown.trimEnd()}…`
}

/**
 * `text` wrapped at spaces, so that no line is wider than `width` columns, as far as its words allow. Continuation lines are indented
 * by `indent` columns: by default like the line itself, or like the second column of a table row. A comment (`# …`) is continued as a
 * comment.
 */
export function wrapped(text: string, width: number, indent?: number): string {
  return brokenLines(text, width, (line) =>
    ' '.repeat(Math.max(0, Math.min(indent ?? indentOf(line), width - MIN_TEXT_COLUMNS))),
  )
}

/** The same for YAML. Its meaning stays, since a continuation line is indented more than the key. */
export function wrappedYaml(text: string, width: number): string {
  return brokenLines(text, width, (line) => `${/^ */.exec(line)?.[0]}  `)
}

function brokenLines(text: string, width: number, marginOf: (line: string) => string): string {
  const broken = (line: string) => {
    if (displayWidth(line) <= width) return line
    return brokenLine(line, width, /^ *# /.exec(line)?.[0] ?? marginOf(line))
  }
  return text.split('\n').map(broken).join('\n')
}

function brokenLine(line: string, width: number, margin: string): string {
  const lines: string[] = []
  let current = ''
  for (const word of line.match(/ *[^ ]+/g) ?? []) {
    if (current.trim() === '' || displayWidth(current + word) <= width) current += word
    else {
      lines.push(current)
      current = margin + word.trimStart()
    }
  }
  return [...lines, current].join('\n')
}

/** Columns of a table are separated by two spaces or more. */
function indentOf(line: string): number {
  return displayWidth(/^ *(?:[^ ]+(?: [^ ]+)* {2,})?/.exec(line)?.[0] ?? '')
}
