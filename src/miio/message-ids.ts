import type {Random} from '../common/clock.ts'

/** Five digits at least: other clients of the same plug count from 1, and an m1 remembers answers by the id alone (§1.7). */
const FIRST = 10_000
const LAST = 999_999_999

/** Ids that are never 0 (such a request is carried out and not answered) and come again only after all the others. */
export class MessageIds {
  /** The id the next request will have: start here again after a restart. */
  upcoming: number

  /** @param remembered where an earlier run stopped; without it, anywhere. */
  constructor(random: Random, remembered?: number) {
    this.upcoming =
      remembered !== undefined && isMessageId(remembered)
        ? remembered
        : FIRST + Math.floor(random() * (LAST - FIRST + 1))
  }

  next(): number {
    const id = this.upcoming
    this.upcoming = id === LAST ? FIRST : id + 1
    return id
  }
}

function isMessageId(id: number): boolean {
  return Number.isInteger(id) && id >= FIRST && id <= LAST
}
