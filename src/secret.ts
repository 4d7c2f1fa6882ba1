import {inspect} from 'node:util'

export const MASK = '***'

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
