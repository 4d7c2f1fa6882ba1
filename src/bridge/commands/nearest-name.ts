/** Which plug or group somebody probably meant. */
import {closestBy, editDistance, normalizedWord} from '../../common/suggestion.ts'

const LONGEST = 64

/**
 * The one of `known` that is nearest to `name`: in other case, with other spaces, "-" or "_", without its room or with one (`desk`,
 * `office/desk`), or with a slip for every three letters. Of a room in which there is one alone, that one.
 */
export function closestName(name: string, known: Iterable<string>): string | undefined {
  if (name.length > LONGEST) return undefined
  const wanted = normalizedWord(name)
  const names = [...known]
  const near = closestBy((candidate) => slipsInName(wanted, normalizedWord(candidate)), names)
  return near?.candidate ?? onlyOneIn(wanted, names)
}

function onlyOneIn(room: string, names: readonly string[]): string | undefined {
  const inside = names.filter((name) => normalizedWord(name).startsWith(`${room}/`))
  return inside.length === 1 ? inside[0] : undefined
}

/** A room more or less counts as a slip. */
function slipsInName(a: string, b: string): number {
  const hasOneRoom = a.includes('/') !== b.includes('/')
  const bare = hasOneRoom ? 1 + editDistance(lastLevel(a), lastLevel(b)) : Number.POSITIVE_INFINITY
  return Math.min(editDistance(a, b), bare)
}

function lastLevel(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}
