/** Parts of sentences: counts with their noun, and lists that are cut short. */

/** `1 plug`, `2 plugs`. @param noun one whose plural ends in s */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** `a, b and 3 more`. @param most how many of `texts` are named */
export function listFirst(texts: readonly string[], most: number): string {
  const first = texts.slice(0, most).join(', ')
  return texts.length > most ? `${first} and ${texts.length - most} more` : first
}
