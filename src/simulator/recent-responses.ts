const KEPT_MS = 2000
const MOST_KEPT = 6

/**
 * The last few answers, by request id. An m1 keeps six of them for two seconds, and looks at nothing but the id: two clients
 * that use the same one get each other's answers (docs/protocol.md §1.7).
 */
export class RecentResponses {
  #kept: {id: number; reply: string; until: number}[] = []

  keep(id: number, reply: string, now: number): void {
    if (this.#kept.length === MOST_KEPT) this.#kept.shift()
    this.#kept.push({id, reply, until: now + KEPT_MS})
  }

  find(id: number, now: number): string | undefined {
    return this.#kept.find((kept) => kept.id === id && now < kept.until)?.reply
  }

  forget(): void {
    this.#kept = []
  }
}
