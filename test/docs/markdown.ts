/** Parses the Markdown documents of the project into prose, code blocks, code spans and headings. */
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

export interface Block {
  /** The language after the opening fence; empty for plain text. */
  language: string
  text: string
  /** File and line, for the message of a failing test: `docs/topics.md:12`. */
  at: string
}

export interface Document {
  path: string
  /** The text without the blocks. */
  prose: string
  blocks: readonly Block[]
  /** The code spans (between backticks) of the prose. */
  spans: readonly string[]
  /** The anchors of its headings. */
  anchors: ReadonlySet<string>
}

const FENCED = /^( *)```(\w*)\n([\s\S]*?)^ *```$/gm

/** Every document in the root folder and in docs/. */
export const documents: readonly Document[] = [...markdownIn('.'), ...markdownIn('docs')].map((path) =>
  document(path, readFileSync(path, 'utf8')),
)

/** @throws Error for a document that does not exist */
export function documentAt(path: string): Document {
  const found = documents.find((each) => each.path === path)
  if (!found) throw new Error(`there is no document ${path}`)
  return found
}

export function document(path: string, text: string): Document {
  const prose = text.replace(FENCED, '')
  return {
    path,
    prose,
    blocks: Array.from(text.matchAll(FENCED), ([, indent = '', language = '', content = '']) => ({
      language,
      text: content.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      at: `${path}:${lineOf(text, content)}`,
    })),
    spans: Array.from(prose.matchAll(/`([^`\n]+)`/g), ([, span = '']) => span),
    anchors: new Set(Array.from(prose.matchAll(/^#+ (.*)$/gm), ([, heading = '']) => anchor(heading))),
  }
}

/** Every command of the `sh` blocks, continued lines joined. */
export function commandLines({blocks}: Document): {line: string; at: string}[] {
  return blocks
    .filter(({language}) => language === 'sh')
    .flatMap(({text, at}) => {
      const lines = text.replaceAll('\\\n', ' ').split('\n')
      return lines.filter((line) => line.trim() !== '' && !line.startsWith('#')).map((line) => ({line, at}))
    })
}

/** The arguments of a command as a shell would split it, without comments. */
export function words(line: string): string[] {
  const all = line.matchAll(/(?:[^\s"'#]|'[^']*'|"[^"]*"|(?<=\S)#)+|#.*/g)
  return Array.from(all, ([word]) => word)
    .filter((word) => !word.startsWith('#'))
    .map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
}

/** The cells of the table whose first line starts with `head`, row by row; the head itself first. @throws Error without one */
export function table({prose, path}: Document, head: string): string[][] {
  const from = prose.indexOf(`\n${head}`)
  if (from < 0) throw new Error(`${path} has no table ${head}`)
  const lines =
    prose
      .slice(from + 1)
      .split(/\n(?!\|)/)[0]
      ?.split('\n') ?? []
  const rows = lines.filter((line) => !line.startsWith('|---'))
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** The first cells below the head of a table. */
export function firstColumn(of: Document, head: string): string[] {
  return table(of, head)
    .slice(1)
    .map(([first = '']) => first)
}

/** The first code span of a cell. */
export function code(cell: string): string {
  return /`([^`]+)`/.exec(cell)?.[1] ?? ''
}

/** The anchor that GitHub makes for a heading. */
function anchor(heading: string): string {
  const plain = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
  return plain.trim().replaceAll(/\s/g, '-')
}

function lineOf(text: string, content: string): number {
  return text.slice(0, text.indexOf(content)).split('\n').length
}

function markdownIn(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.md'))
  return files.sort().map((name) => join(folder, name))
}
