/** Work that is done once for all who ask for it at the same time. */
import type {Clock} from '../../common/clock.ts'
import {CommandError} from '../../device/command-error.ts'

export interface SharedWorkOptions<T> {
  clock: Clock
  /** Who may share one piece of work. */
  most: number
  /** So many milliseconds a result is good for those who ask later, too. */
  goodFor?: (result: T) => number
}

export class SharedWork<T> {
  readonly #options: SharedWorkOptions<T>
  #current: {what: string; result: Promise<T>; sharers: number; until: number} | undefined

  constructor(options: SharedWorkOptions<T>) {
    this.#options = options
  }

  /**
   * The result of the work, or of the one that is under way.
   * @param what two are the same work when this is the same
   * @throws CommandError `queue_full` while other work is under way, or when too many share this one
   */
  async run(what: string, work: () => Promise<T>): Promise<T> {
    const {clock, most, goodFor} = this.#options
    const current = this.#current
    if (!current || clock.now() >= current.until) return this.#begin(what, work, goodFor)
    if (current.what !== what || current.sharers >= most)
      throw new CommandError('queue_full', 'one like this is under way: ask again once that is answered')
    current.sharers++
    return current.result
  }

  async #begin(what: string, work: () => Promise<T>, goodFor = (_: T) => 0): Promise<T> {
    const current = {what, result: work(), sharers: 1, until: Number.POSITIVE_INFINITY}
    this.#current = current
    try {
      const result = await current.result
      current.until = this.#options.clock.now() + goodFor(result)
      return result
    } catch (error) {
      current.until = Number.NEGATIVE_INFINITY
      throw error
    }
  }
}
