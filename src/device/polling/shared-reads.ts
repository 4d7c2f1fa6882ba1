/** Shares reads between callers: a caller that asks for what is being read already gets the same answer. At most 32 callers wait. */
import type {Clock} from '../../common/clock.ts'
import {isSilence} from '../command-error.ts'
import {expired, MOST_WAITING, type RequestQueue, tooMany} from '../request-queue.ts'

/** A caller that joins a read older than this may find that the read has used up its tries. */
const LATE_MS = 500

/** @param deadline until when a request is worth sending, in ms of the clock: called when its turn has come */
export type SharedRead = (deadline: () => number) => Promise<void>

interface ReadUnderWay {
  begun: number
  /** The latest deadline of its callers. */
  deadline: number
  /** The deadline that its last request was sent with. */
  used: number
  end: Promise<void>
}

export class SharedReads {
  readonly #clock: Clock
  readonly #queue: RequestQueue
  /** What the user called the plug, for messages. */
  readonly #name: string
  /** By key. */
  readonly #underWay = new Map<string, ReadUnderWay>()
  #waiting = 0

  constructor(clock: Clock, queue: RequestQueue, name: string) {
    this.#clock = clock
    this.#queue = queue
    this.#name = name
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Waits for the read under way with this key, or begins `read`. A deadline ends the waiting of its caller and of no other. When a
   * read fails, a caller that had more time than the read, or joined it late, has it begun anew.
   * @param deadline in ms of the clock; none when left out
   * @throws CommandError `queue_full`, `expired` when the deadline has passed already, `timeout` when it passes; what `read` fails with
   */
  async join(key: string, deadline: number | undefined, read: SharedRead): Promise<void> {
    if (this.#waiting >= MOST_WAITING) throw tooMany('reads')
    const until = deadline ?? Number.POSITIVE_INFINITY
    if (until <= this.#clock.now()) throw expired()
    this.#waiting++
    try {
      while (!(await this.#isDone(key, until, read)));
    } finally {
      this.#waiting--
    }
  }

  /** @returns `false` when the read failed, and another may succeed */
  async #isDone(key: string, until: number, read: SharedRead): Promise<boolean> {
    const joined = this.#clock.now()
    const shared = this.#underWay.get(key) ?? this.#begin(key, until, read)
    shared.deadline = Math.max(shared.deadline, until)
    try {
      await this.#queue.answerBy(until, shared.end, `no answer from ${this.#name} in time`)
      return true
    } catch (error) {
      const hadLess = shared.used < until || joined - shared.begun > LATE_MS
      if (!isSilence(error) || !hadLess || until <= this.#clock.now()) throw error
      return false
    }
  }

  #begin(key: string, until: number, read: SharedRead): ReadUnderWay {
    const deadline = () => {
      shared.used = shared.deadline
      return shared.used
    }
    const shared = {begun: this.#clock.now(), deadline: until, used: until, end: Promise.resolve()}
    shared.end = read(deadline).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, shared)
    return shared
  }
}
