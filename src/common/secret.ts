/** Secrets that cannot print themselves, and the names of JSON members that hold secrets. */
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
