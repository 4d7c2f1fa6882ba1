import {inspect} from 'node:util'

export const MASK = '***'

/** Members of what plugs say that are nobody else's business: keys, the Wi-Fi and the account (docs/protocol.md §4). */
const SECRET_MEMBER =
  /(?:token|ssid|passwd|password|passphrase|passcode|pwd|psk|secret|(?<!by)pass|(?:bind|auth|private|local|device|aes|app|wifi|wpa|beacon|mesh|net|session|share|access|api|cloud|encrypt|encryption|ltm)key|ltmk)$|^(?:uid|userid|ownerid)$/

/** Whether `key`, in whatever spelling, names a member that is masked wherever something a plug said is shown. */
export function isSecretMember(key: string): boolean {
  return SECRET_MEMBER.test(key.toLowerCase().replace(/[^a-z0-9]/g, ''))
}

/** A token or password that cannot print itself: every accidental way out (JSON, templates, `console`) shows a mask. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The secret itself. Call it only where the secret is put to its use. */
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
