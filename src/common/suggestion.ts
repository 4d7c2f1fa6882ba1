/** What was probably meant by a word that is not known, for "did you mean". */

/** Nobody has a slip in a word that is longer; and comparing two words takes as long as both lengths multiplied. */
const LONGEST = 64
/** With more slips it is another word. */
const MOST_SLIPS = 3
/** A slip in a word of two letters makes another word. */
const LETTERS_A_SLIP = 3

const NO_OTHERS: ReadonlyMap<string, readonly string[]> = new Map()

/**
 * The one of `known` that is nearest to `word`: the same but for case, spaces, "-" and "_"; or what other programs call `word`; or
 * with one slip for every three letters, three at most.
 * @param elsewhere words of other programs, in small letters without "-" and "_", and what they may be here
 * @param slips how far two words are apart, in slips; infinite for words that have nothing to do with each other
 * @returns `undefined` when none is near, or `word` has more than 64 characters
 */
export function closestWord(
  word: string,
  known: Iterable<string>,
  elsewhere = NO_OTHERS,
  slips = editDistance,
): string | undefined {
  if (word.length > LONGEST) return undefined
  const candidates = [...known]
  const letters = normalizedWord(word)
  const meant = elsewhere.get(letters)?.find((other) => candidates.includes(other))
  const best = closestBy((candidate) => slips(letters, normalizedWord(candidate)), candidates)
  return best?.slips === 0 ? best.candidate : (meant ?? best?.candidate)
}

/** `, did you mean debug?`, or nothing. */
export function didYouMean(candidate: string | undefined): string {
  return candidate === undefined ? '' : `, did you mean ${candidate}?`
}

/** The words of others, each with what it may be here. @param synonyms by word of ours, those of others */
export function synonymTable(
  synonyms: Readonly<Record<string, readonly string[]>>,
): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, string[]>()
  for (const [ours, others] of Object.entries(synonyms))
    for (const other of others) words.set(other, [...(words.get(other) ?? []), ours])
  return words
}

/** The first of the candidates with the fewest slips; `undefined` when all have too many. */
export function closestBy(
  slipsOf: (candidate: string) => number,
  candidates: Iterable<string>,
): {candidate: string; slips: number} | undefined {
  let best: {candidate: string; slips: number} | undefined
  for (const candidate of candidates) {
    const slips = candidate.length > LONGEST ? Number.POSITIVE_INFINITY : slipsOf(candidate)
    if (slips < (best?.slips ?? Number.POSITIVE_INFINITY)) best = {candidate, slips}
  }
  return best
}

/** A word without what people do not see or do not remember of it. */
export function normalizedWord(word: string): string {
  return word
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\s_-]+/g, '')
}

/** The distance from `a` to `b`; infinite when that is more than slips in a word of that length. */
export function editDistance(a: string, b: string): number {
  if (a === b) return 0
  const most = Math.min(MOST_SLIPS, Math.floor(Math.max(a.length, b.length) / LETTERS_A_SLIP))
  if (Math.abs(a.length - b.length) > most) return Number.POSITIVE_INFINITY
  return levenshtein(a, b, most)
}

/**
 * How many letters must be added, taken away, changed or swapped with the next to get from `a` to `b`; infinite as soon as they are more
 * than `most`.
 */
export function levenshtein(a: string, b: string, most = Number.POSITIVE_INFINITY): number {
  const [one, other] = withoutCommonEnds(a, b)
  if (one === '' || other === '') return within(one.length + other.length, most)
  let before: number[] = []
  let row = Array.from({length: other.length + 1}, (_, index) => index)
  for (let at = 0; at < one.length; at++) {
    const next = [at + 1]
    let least = at + 1
    for (let column = 0; column < other.length; column++) {
      const changed = (row[column] ?? 0) + (one[at] === other[column] ? 0 : 1)
      const moved = Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1)
      const isSwapped = one[at] === other[column - 1] && one[at - 1] === other[column]
      const slips = isSwapped ? Math.min(moved, (before[column - 1] ?? 0) + 1) : moved
      next.push(slips)
      if (slips < least) least = slips
    }
    if (least > most) return Number.POSITIVE_INFINITY
    before = row
    row = next
  }
  return within(row[other.length] ?? 0, most)
}

/** Thousands of names that are called alike differ in a few letters only. */
function withoutCommonEnds(a: string, b: string): [string, string] {
  const shorter = Math.min(a.length, b.length)
  let start = 0
  while (start < shorter && a[start] === b[start]) start++
  let end = 0
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  return [a.slice(start, a.length - end), b.slice(start, b.length - end)]
}

function within(slips: number, most: number): number {
  return slips <= most ? slips : Number.POSITIVE_INFINITY
}
