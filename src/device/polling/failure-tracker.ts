/**
 * What one plug failed at lately, while it answered everything else. Who is to blame shows when it goes on: bad Wi-Fi passes, the
 * firmware's limits stay (batch-reader.ts). Forgotten at a restart, unlike what it leads to (firmware-capabilities.ts).
 */
import type {PollTier} from '../../models/model.ts'

/** In so many questions in a row, each with proof that the network was well. Two of them came by chance. */
export const STRIKES = 3

export class FailureTracker {
  /** Most plugs are never suspected: they need no maps. */
  #strikes: Map<string, number> | undefined
  #tooLong: Map<number, number> | undefined

  /** It failed alone, and nothing else did. @returns whether it did so often enough to be sure */
  strike(name: string): boolean {
    this.#strikes ??= new Map()
    return count(this.#strikes, name) >= STRIKES
  }

  /** A request for so many values failed, and every one of them was answered in smaller ones. @returns as `strike` */
  strikeSize(size: number): boolean {
    this.#tooLong ??= new Map()
    return count(this.#tooLong, size) >= STRIKES
  }

  /** It was answered, or is out: nothing is left to suspect. */
  clear(name: string): void {
    this.#strikes?.delete(name)
  }

  /** A request for so many values was answered. */
  fits(size: number): void {
    for (const suspected of this.#tooLong?.keys() ?? [])
      if (suspected <= size) this.#tooLong?.delete(suspected)
  }

  /** It was out, and somebody wants to know it all the same: its next failure is its last. */
  giveAnotherChance(name: string): void {
    this.#strikes ??= new Map()
    this.#strikes.set(name, STRIKES - 1)
  }

  /** Whether it must be asked alone, so that it spoils nothing else. */
  has(name: string): boolean {
    return this.#strikes?.has(name) ?? false
  }

  /**
   * What a poll asks for: what is under suspicion at once, until it is clear; what goes on failing though it was answered once,
   * and so is never left out, hardly ever.
   * @param names what is due in `lane`
   */
  due(names: readonly string[], lane: PollTier): readonly string[] {
    if (lane === 'rare' || !this.#strikes?.size) return names
    const open = [...this.#strikes].filter(([, strikes]) => strikes < STRIKES).map(([name]) => name)
    return [...new Set([...this.without(names), ...open])]
  }

  /** What can be asked for without waiting in vain. */
  without(names: readonly string[]): readonly string[] {
    if (!this.#strikes?.size) return names
    return names.filter((name) => !this.has(name))
  }
}

function count<K>(strikes: Map<K, number>, about: K): number {
  const sofar = (strikes.get(about) ?? 0) + 1
  strikes.set(about, sofar)
  return sofar
}
