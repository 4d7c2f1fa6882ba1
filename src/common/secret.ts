/** Secrets that cannot print themselves, and the masking of secrets in the JSON of a plug: tokens, Wi-Fi names, accounts. */
import {inspect} from 'node:util'

/** What is shown in place of a secret. */
export const MASK = '***'

/** Members of responses of plugs that are secret: keys, the Wi-Fi and the account (docs/protocol.md §4). */
const SECRET_MEMBER =
  /(?:token|ssid|passwd|password|passphrase|passcode|pwd|psk|secret|(?<!by)pass|(?:bind|auth|private|local|device|aes|app|wifi|wpa|beacon|mesh|net|session|share|access|api|cloud|encrypt|encryption|ltm)key|ltmk)$|^(?:uid|userid|ownerid)$/

/** Whether a member called `key`, in any spelling, is masked wherever a response of a plug is shown. */
export function isSecretMember(key: string): boolean {
  return SECRET_MEMBER.test(key.toLowerCase().replace(/[^a-z0-9]/g, ''))
}

/** A token or password that cannot print itself: JSON, template strings and `console` show a mask. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The secret itself. Call it only where the secret is used: to encrypt, or to log in. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  [inspect.custom](): string {
    return MASK
  }
}

/** A key and its colon. Quotes of JSON within a JSON string have backslashes before them: one, three, seven, fifteen. */
const KEY = /(?<!\\)(\\{0,15})"([^"\\]{1,64})\1"\s*:\s*/g

/**
 * `text` with `"***"` in place of the value of every secret member (`isSecretMember`), at any depth, also in JSON within a JSON string.
 * Everything else is left unchanged. Damaged JSON loses what follows a secret value whose end cannot be found.
 */
export function maskedJson(text: string): string {
  let masked = ''
  let copied = 0
  KEY.lastIndex = 0
  for (let found = KEY.exec(text); found; found = KEY.exec(text)) {
    const [, backslashes = '', key = ''] = found
    if (!isSecretMember(key) || text.startsWith('null', KEY.lastIndex)) continue
    masked += `${text.slice(copied, KEY.lastIndex)}${backslashes}"${MASK}${backslashes}"`
    copied = endOfValue(text, KEY.lastIndex, backslashes.length)
    KEY.lastIndex = copied
  }
  return masked + text.slice(copied)
}

/** Where the value ends that begins at `from`. @param depth how many backslashes stand before a quote of this JSON */
function endOfValue(text: string, from: number, depth: number): number {
  if (isQuote(text, from + depth, depth)) return endOfString(text, from + depth + 1, depth)
  if (!/[[{]/.test(text[from] ?? '')) return from + text.slice(from).search(/[,}\]\s\\"]|$/)
  let open = 0
  for (let at = from; at < text.length; at++) {
    if (isQuote(text, at, depth)) at = endOfString(text, at + 1, depth) - 1
    else if (/[[{]/.test(text[at] ?? '')) open++
    else if (/[\]}]/.test(text[at] ?? '') && --open === 0) return at + 1
  }
  return text.length
}

/** The index after the quote that closes a string. */
function endOfString(text: string, from: number, depth: number): number {
  for (let at = from; at < text.length; at++) if (isQuote(text, at, depth)) return at + 1
  return text.length
}

/** Whether a string of this JSON begins or ends at `at`: a quote inside a string has more backslashes before it. */
function isQuote(text: string, at: number, depth: number): boolean {
  if (text[at] !== '"') return false
  let backslashes = 0
  while (text[at - 1 - backslashes] === '\\') backslashes++
  return backslashes % (2 * (depth + 1)) === depth
}
