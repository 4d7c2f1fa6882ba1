/** Finds the known word that was probably meant by an unknown one, for "did you mean". */

/** Longer words are not typed by hand, and comparing two words takes time proportional to the product of their lengths. */
const MAX_LENGTH = 64
/** With more typos it is another word. */
const MAX_TYPOS = 3
/** One typo is allowed for so many letters: a typo in a word of two letters makes another word. */
const LETTERS_PER_TYPO = 3

const NO_SYNONYMS: ReadonlyMap<string, readonly string[]> = new Map()

/**
 * The known word that is closest to `word`: equal but for case, spaces, "-" and "_"; or a synonym of `word`; or with one typo for
 * every three letters, three at most.
 * @param synonyms words of other programs, in small letters without "-" and "_", and the words of this one (`synonymTable`)
 * @param distance between two words, in typos; infinite for words that have nothing in common
 * @returns `undefined` when none is close, or `word` has more than 64 characters
 */
export function closestWord(
  word: string,
  known: Iterable<string>,
  synonyms = NO_SYNONYMS,
  distance = editDistance,
): string | undefined {
  if (word.length > MAX_LENGTH) return undefined
  const candidates = [...known]
  const letters = normalizedWord(word)
  const synonym = synonyms.get(letters)?.find((other) => candidates.includes(other))
  const best = closestBy((candidate) => distance(letters, normalizedWord(candidate)), candidates)
  return best?.distance === 0 ? best.candidate : (synonym ?? best?.candidate)
}

/** Keys of other programs, by our key that they mean. Which of ours is meant depends on those that are known in the place. */
const OTHER_PROGRAMS = synonymTable({
  host: ['ip', 'address', 'hostname', 'host_name', 'localip', 'local_ip'],
  url: ['hostname', 'host_name', 'host', 'server', 'broker', 'port'],
  username: ['user'],
  password: ['pass'],
  id: ['did'],
  disabled: ['enabled'],
  area: ['room', 'location', 'suggested_area'],
  filtered: ['filtered_attributes'],
  devices: ['plugs', 'switch', 'switches', 'outlets'],
  members: ['plugs', 'devices', 'entities'],
  verify: ['reject_unauthorized', 'rejectunauthorized', 'insecure', 'tls_insecure'],
  cert: ['certificate', 'client_cert', 'certfile'],
  key: ['private_key', 'client_key', 'keyfile'],
  ca: ['cafile', 'ca_certs', 'certificate_authority'],
  log: ['logger', 'logging'],
  homeassistant: ['hass', 'home_assistant'],
  warn: ['warning'],
})

/** `, did you mean "token"?` when one of `known` was probably meant by `word`, else nothing. */
export function suggestion(word: string, known: readonly string[]): string {
  const candidate = intendedKey(word, known)
  return didYouMean(candidate === undefined ? undefined : `"${candidate}"`)
}

/** The one of `known` that was probably meant by `word`. */
export function intendedKey(word: string, known: readonly string[]): string | undefined {
  return keyFromOtherTools(word, known) ?? closestKey(word, known)
}

/** The one of `known` that other programs call `word`, or that alone ends with it: `topic` means `base_topic`. */
export function keyFromOtherTools(word: string, known: readonly string[]): string | undefined {
  const letters = word.toLowerCase()
  const named = OTHER_PROGRAMS.get(letters)?.find((key) => known.includes(key))
  const longer = known.filter((key) => key.toLowerCase().endsWith(`_${letters}`))
  return named ?? (longer.length === 1 ? longer[0] : undefined)
}

/**
 * The closest of `known`. Unlike for `closestWord`, "-" and "_" count, and the length of the key decides how many typos are allowed, at
 * least one: `hosted` is no `host`.
 */
export function closestKey(word: string, known: readonly string[]): string | undefined {
  if (word.length > MAX_LENGTH) return undefined
  const letters = word.toLowerCase()
  const distanceTo = (key: string) => {
    const max = Math.min(MAX_TYPOS, Math.max(1, Math.floor(key.length / LETTERS_PER_TYPO)))
    return Math.abs(key.length - word.length) > max
      ? Number.POSITIVE_INFINITY
      : levenshtein(letters, key.toLowerCase(), max)
  }
  return closestBy(distanceTo, known)?.candidate
}

/** `, did you mean debug?`, or an empty text. */
export function didYouMean(candidate: string | undefined): string {
  return candidate === undefined ? '' : `, did you mean ${candidate}?`
}

/** The words of other programs, each with the words of this one. @param synonyms by word of this program, those of others */
export function synonymTable(
  synonyms: Readonly<Record<string, readonly string[]>>,
): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, string[]>()
  for (const [ours, others] of Object.entries(synonyms))
    for (const other of others) words.set(other, [...(words.get(other) ?? []), ours])
  return words
}

/** The first of the candidates with the smallest distance; `undefined` when all distances are infinite. */
export function closestBy(
  distanceTo: (candidate: string) => number,
  candidates: Iterable<string>,
): {candidate: string; distance: number} | undefined {
  let best: {candidate: string; distance: number} | undefined
  for (const candidate of candidates) {
    const distance = candidate.length > MAX_LENGTH ? Number.POSITIVE_INFINITY : distanceTo(candidate)
    if (distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = {candidate, distance}
  }
  return best
}

/** A word without case, spaces, "-" and "_", which people do not see or do not remember. */
export function normalizedWord(word: string): string {
  return word
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\s_-]+/g, '')
}

/**
 * The distance between two words in typos; infinite when it is more than the typos allowed in a word of that length.
 * @param least typos allowed in a word of any length
 */
export function editDistance(a: string, b: string): number {
  if (a === b) return 0
  const max = Math.min(MAX_TYPOS, Math.floor(Math.max(a.length, b.length) / LETTERS_PER_TYPO))
  if (Math.abs(a.length - b.length) > max) return Number.POSITIVE_INFINITY
  return levenshtein(a, b, max)
}

/**
 * The Damerau-Levenshtein distance: how many letters must be added, removed, changed or swapped with the next to get from `a` to `b`;
 * infinite when there are more than `max`.
 */
export function levenshtein(a: string, b: string, max = Number.POSITIVE_INFINITY): number {
  const [one, other] = withoutCommonEnds(a, b)
  if (one === '' || other === '') return limited(one.length + other.length, max)
  let before: number[] = []
  let row = Array.from({length: other.length + 1}, (_, index) => index)
  for (let at = 0; at < one.length; at++) {
    const next = [at + 1]
    let least = at + 1
    for (let column = 0; column < other.length; column++) {
      const changed = (row[column] ?? 0) + (one[at] === other[column] ? 0 : 1)
      const moved = Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1)
      const isSwapped = one[at] === other[column - 1] && one[at - 1] === other[column]
      const distance = isSwapped ? Math.min(moved, (before[column - 1] ?? 0) + 1) : moved
      next.push(distance)
      if (distance < least) least = distance
    }
    if (least > max) return Number.POSITIVE_INFINITY
    before = row
    row = next
  }
  return limited(row[other.length] ?? 0, max)
}

/** For speed: thousands of similar names may differ in a few letters only. */
function withoutCommonEnds(a: string, b: string): [string, string] {
  const shorter = Math.min(a.length, b.length)
  let start = 0
  while (start < shorter && a[start] === b[start]) start++
  let end = 0
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  return [a.slice(start, a.length - end), b.slice(start, b.length - end)]
}

function limited(distance: number, max: number): number {
  return distance <= max ? distance : Number.POSITIVE_INFINITY
}
