/** Parts of messages: counts with their noun, lists and texts that are cut short, escapes; and what an unknown error or value is. */

/** `1 plug`, `2 plugs`. @param noun one whose plural ends in s */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** `a, b and 3 more`. @param most how many of `texts` are named */
export function listFirst(texts: readonly string[], most: number): string {
  const first = texts.slice(0, most).join(', ')
  return texts.length > most ? `${first} and ${texts.length - most} more` : first
}

/** The first `max` characters of a text, and `…` if there are more. */
export function shortened(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max)}…` : text
}

/** The quotes of text processors, with which YAML does nothing. */
export const DOUBLE_QUOTES = '“”„‟«»〝〞'
export const SINGLE_QUOTES = '‘’‚‛‹›'

/** `\u001b`: the JSON escape of one UTF-16 code unit. */
export function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** A pattern for a regular expression that matches exactly this text. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The code of a system error, such as `ENOENT`; `undefined` for any other error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** Whether a JSON value is an object: neither a list nor `null`. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
