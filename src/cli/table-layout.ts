/** Lays out the table of `status` so that it fits the terminal, however long the names of plugs are. */
import {displayWidth, padded, truncated} from '../common/terminal-text.ts'
import {printable, type Terminal} from './terminal.ts'

const GAP = 2
/** Where there is too little room, the second column is cut first, and left out below its width here; then the first column is cut. */
const MIN_WIDTH = {first: 10, second: 6}

/**
 * @param rows each with a cell for each column; or with two cells, the second of which reaches to the end of the line
 * @param width of a line, in columns: by default that of the terminal; unlimited for a pipe or a file
 */
export function fitTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  terminal: Pick<Terminal, 'paint'>,
  width = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
): string {
  const cells = rows.map((row) => row.map(printable))
  const fullRows = [
    head.map((title) => title.toUpperCase()),
    ...cells.filter((row) => row.length === head.length),
  ]
  const widest = head.map((_, column) => Math.max(...fullRows.map((row) => displayWidth(row[column] ?? ''))))
  widest[0] = Math.max(displayWidth(head[0] ?? ''), ...cells.map(([first = '']) => displayWidth(first)))
  const widths = narrowed(widest, width - 1) // a character in the last column of a terminal may break the line
  const draw = (row: readonly string[]) => truncated(drawn(row, widths, width - 1), width - 1)
  const [title = [], ...others] = [fullRows[0], ...cells]
  return [terminal.paint('bold', draw(title)), ...others.map((row) => draw(row ?? []))].join('\n')
}

/** Widths that fit into `width`, as far as the first two columns can be cut; 0 for a column that is left out. */
function narrowed(widest: readonly number[], width: number): number[] {
  const [first = 0, second = 0, ...others] = widest
  const room = width - others.reduce((sum, each) => sum + GAP + each, 0)
  const rest = room - first - GAP
  if (rest < Math.min(second, MIN_WIDTH.second))
    return [Math.min(first, Math.max(MIN_WIDTH.first, room)), 0, ...others]
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
