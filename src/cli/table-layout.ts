/** A table that fits the terminal, whatever plugs are called. */
import {displayWidth, padded, truncated} from '../common/terminal-text.ts'
import {printable, type Terminal} from './terminal.ts'

const GAP = 2
/** The columns that give way where there is too little room: the second first, which is left out when it is narrower than this. */
const LEAST = {first: 10, second: 6}

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
  const widest = head.map((_, column) => Math.max(...whole.map((row) => displayWidth(row[column] ?? ''))))
  widest[0] = Math.max(displayWidth(head[0] ?? ''), ...cells.map(([first = '']) => displayWidth(first)))
  const widths = narrowed(widest, width - 1) // the last column of a terminal may break the line
  const draw = (row: readonly string[]) => truncated(drawn(row, widths, width - 1), width - 1)
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
  const name = cell(first, widths[0] ?? 0)
  if (row.length === 2)
    return `${name}${' '.repeat(GAP)}${truncated(second, width - displayWidth(name) - GAP)}`
  const others = row.slice(1).flatMap((text, index) => {
    const own = widths[index + 1] ?? 0
    return own === 0 ? [] : [cell(text, own)]
  })
  return [name, ...others].join(' '.repeat(GAP)).trimEnd()
}

function cell(text: string, width: number): string {
  return padded(truncated(text, width), width)
}
