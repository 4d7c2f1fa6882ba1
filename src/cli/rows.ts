/** A table that fits the terminal, whatever plugs are called. */
import {printable, type Terminal} from './terminal.ts'

const GAP = 2
/** The columns that give way where there is too little room: the second first, which is left out when it is narrower than this. */
const LEAST = {first: 10, second: 6}
/** Letters of East Asian scripts and pictures take the room of two. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u

/**
 * @param rows each either with a cell for each column, or with two, the second of which reaches from there to the end of the line
 * @param width of a line, in characters: that of the terminal, and no limit where nobody watches
 */
export function fitted(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  terminal: Pick<Terminal, 'paint'>,
  width = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
): string {
  const cells = rows.map((row) => row.map(printable))
  const whole = [
    head.map((title) => title.toUpperCase()),
    ...cells.filter((row) => row.length === head.length),
  ]
  const widest = head.map((_, column) => Math.max(...whole.map((row) => room(row[column] ?? ''))))
  widest[0] = Math.max(room(head[0] ?? ''), ...cells.map(([first = '']) => room(first)))
  const widths = narrowed(widest, width - 1) // the last column of a terminal may break the line
  const draw = (row: readonly string[]) => cut(drawn(row, widths, width - 1), width - 1)
  const [title = [], ...others] = [whole[0], ...cells]
  return [terminal.paint('bold', draw(title)), ...others.map((row) => draw(row ?? []))].join('\n')
}

/** Widths that fit `width`, as far as the first two columns can give way; 0 for a column that is left out. */
function narrowed(widest: readonly number[], width: number): number[] {
  const [first = 0, second = 0, ...others] = widest
  const left = width - others.reduce((sum, each) => sum + GAP + each, 0)
  const rest = left - first - GAP
  if (rest < Math.min(second, LEAST.second))
    return [Math.min(first, Math.max(LEAST.first, left)), 0, ...others]
  return [first, Math.min(second, rest), ...others]
}

function drawn(row: readonly string[], widths: readonly number[], width: number): string {
  const [first = '', second = ''] = row
  const name = padded(first, widths[0] ?? 0)
  if (row.length === 2) return `${name}${' '.repeat(GAP)}${cut(second, width - room(name) - GAP)}`
  const others = row.slice(1).flatMap((cell, index) => {
    const own = widths[index + 1] ?? 0
    return own === 0 ? [] : [padded(cell, own)]
  })
  return [name, ...others].join(' '.repeat(GAP)).trimEnd()
}

function padded(text: string, width: number): string {
  const shown = cut(text, width)
  return shown + ' '.repeat(Math.max(0, width - room(shown)))
}

function cut(text: string, width: number): string {
  if (room(text) <= width) return text
  let shown = ''
  for (const letter of text) {
    if (room(shown) + room(letter) >= width) break
    shown += letter
  }
  return `${shown}…`
}

/** How many columns of a terminal the text takes. */
function room(text: string): number {
  return [...text].reduce((sum, letter) => sum + (WIDE.test(letter) ? 2 : 1), 0)
}
