/** Draws a terminal screen as an SVG picture: a window with a title bar, and one text element for each run of one style. Pure. */

/** Text in one style. */
export interface Run {
  text: string
  /** The first column, from 0. */
  column: number
  /** An ANSI colour from 0 to 15; `undefined` for the default colour. */
  colour?: number
  isBold?: boolean
}

export interface Line {
  runs: readonly Run[]
  /** When the line appears, in seconds after the picture is opened; 0 by default. */
  seconds?: number
}

interface PictureOptions {
  /** In the title bar. */
  title: string
  /** What a screen reader reads in place of the picture. */
  description: string
  columns: number
  lines: readonly Line[]
}

const CELL = {width: 8.4, height: 19}
const MARGIN = 18
const TITLE_BAR = 34
const INK = '#d8dee9'
/** ANSI colours 0 to 15, with enough contrast on the background. */
const PALETTE = [
  '#4c566a',
  '#e06c75',
  '#98c379',
  '#e5c07b',
  '#61afef',
  '#c678dd',
  '#56b6c2',
  INK,
  '#7f8ea3',
  '#f07178',
  '#b5e08f',
  '#ffd580',
  '#7fc1ff',
  '#d99bf0',
  '#7fdbe6',
  '#ffffff',
]

/**
 * The whole picture. It needs no script, font file or other file. Lines that appear later are visible at once where animations are
 * not supported, or not wanted (`prefers-reduced-motion`).
 */
export function terminalSvg({title, description, columns, lines}: PictureOptions): string {
  const width = round(columns * CELL.width + 2 * MARGIN)
  const height = TITLE_BAR + lines.length * CELL.height + MARGIN
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (colour, index) => `<circle cx="${20 + index * 20}" cy="17" r="6" fill="${colour}"/>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(description)}</desc>`,
    '<style>',
    `text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:${INK};white-space:pre}`,
    '.bold{font-weight:700}',
    ...PALETTE.map((colour, index) => `.c${index}{fill:${colour}}`),
    '@media (prefers-reduced-motion:no-preference){.later{animation:appear .2s both}}',
    '@keyframes appear{from{opacity:0}to{opacity:1}}',
    '</style>',
    `<rect width="${width}" height="${height}" rx="10" fill="#1e222a"/>`,
    ...dots,
    `<text x="${width / 2}" y="22" text-anchor="middle" class="c8">${escaped(title)}</text>`,
    ...lines.flatMap((line, index) => drawn(line, TITLE_BAR + (index + 0.75) * CELL.height)),
    '</svg>',
    '',
  ].join('\n')
}

function drawn({runs, seconds = 0}: Line, y: number): string[] {
  if (runs.length === 0) return []
  const texts = runs.map((run) => drawnRun(run, round(y))).join('')
  return [seconds > 0 ? `<g class="later" style="animation-delay:${seconds}s">${texts}</g>` : texts]
}

/** The fixed length keeps columns in line whatever monospace font there is. */
function drawnRun({text, column, colour, isBold}: Run, y: number): string {
  const classes = [...(isBold ? ['bold'] : []), ...(colour === undefined ? [] : [`c${colour}`])].join(' ')
  const x = round(MARGIN + column * CELL.width)
  const length = round(text.length * CELL.width)
  return `<text x="${x}" y="${y}" textLength="${length}"${classes && ` class="${classes}"`}>${escaped(text)}</text>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function round(length: number): number {
  return Math.round(length * 10) / 10
}
