/** Which name somebody probably meant. */

/** Names that differ in more than two letters are others. */
const MOST_EDITS = 2
const LONGEST = 64

/** The one of `known` that is nearest to `name`: in other case, under or without a room (`desk`, `office/desk`), or with a slip or two. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > LONGEST) return undefined
  const wanted = name.toLowerCase()
  let best: {name: string; edits: number} | undefined
  for (const candidate of known) {
    const edits = editsBetween(wanted, candidate.toLowerCase())
    if (edits <= MOST_EDITS && edits < Math.min(candidate.length, name.length) && edits < (best?.edits ?? 3))
      best = {name: candidate, edits}
  }
  return best?.name
}

function editsBetween(a: string, b: string): number {
  if (a === b) return 0
  if (a.endsWith(`/${b}`) || b.endsWith(`/${a}`)) return 1
  if (Math.abs(a.length - b.length) > MOST_EDITS) return Number.POSITIVE_INFINITY
  let row = Array.from({length: b.length + 1}, (_, at) => at)
  for (const [at, letter] of [...a].entries()) {
    const next = [at + 1]
    for (const [column, other] of [...b].entries()) {
      const changed = (row[column] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
