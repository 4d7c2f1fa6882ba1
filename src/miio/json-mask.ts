/** JSON as a plug wrote it, perhaps damaged, without what is nobody else's business. */
import {isSecretMember, MASK} from '../common/secret.ts'

/** A key and its colon. Within JSON that stands as text in other JSON, quotes have backslashes before them: one, three, seven, fifteen. */
const KEY = /(?<!\\)(\\{0,15})"([^"\\]{1,64})\1"\s*:\s*/g

/**
 * `text` with `"***"` in place of the value of every secret member (`isSecretMember`), however deep it lies, also in JSON within a text.
 * Everything else stays as it came. Damaged JSON loses what follows a secret value whose end cannot be found.
 */
export function maskedJson(text: string): string {
  let shown = ''
  let copied = 0
  KEY.lastIndex = 0
  for (let found = KEY.exec(text); found; found = KEY.exec(text)) {
    const [, backslashes = '', key = ''] = found
    if (!isSecretMember(key) || text.startsWith('null', KEY.lastIndex)) continue
    shown += `${text.slice(copied, KEY.lastIndex)}${backslashes}"${MASK}${backslashes}"`
    copied = endOfValue(text, KEY.lastIndex, backslashes.length)
    KEY.lastIndex = copied
  }
  return shown + text.slice(copied)
}

/** @param depth how many backslashes stand before a quote of this JSON */
function endOfValue(text: string, from: number, depth: number): number {
  if (isQuote(text, from + depth, depth)) return endOfText(text, from + depth + 1, depth)
  if (!/[[{]/.test(text[from] ?? '')) return from + text.slice(from).search(/[,}\]\s\\"]|$/)
  let open = 0
  for (let at = from; at < text.length; at++) {
    if (isQuote(text, at, depth)) at = endOfText(text, at + 1, depth) - 1
    else if (/[[{]/.test(text[at] ?? '')) open++
    else if (/[\]}]/.test(text[at] ?? '') && --open === 0) return at + 1
  }
  return text.length
}

/** The place behind the quote that closes a text. */
function endOfText(text: string, from: number, depth: number): number {
  for (let at = from; at < text.length; at++) if (isQuote(text, at, depth)) return at + 1
  return text.length
}

/** Whether a text of this JSON begins or ends at `at`: a quote within a text has more backslashes before it. */
function isQuote(text: string, at: number, depth: number): boolean {
  if (text[at] !== '"') return false
  let backslashes = 0
  while (text[at - 1 - backslashes] === '\\') backslashes++
  return backslashes % (2 * (depth + 1)) === depth
}
