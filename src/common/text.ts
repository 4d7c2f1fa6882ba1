/** Parts of messages: counts with their noun, lists that are cut short, escapes; and what unknown values are. */

/** `1 plug`, `2 plugs`. @param noun one whose plural ends in s */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** `a, b and 3 more`. @param most how many of `texts` are named */
export function listFirst(texts: readonly string[], most: number): string {
  const first = texts.slice(0, most).join(', ')
  return texts.length > most ? `${first} and ${texts.length - most} more` : first
}

/** `\u001b`: the JSON escape of one UTF-16 code unit. */
export function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Whether a JSON value is an object: neither a list nor `null`. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
