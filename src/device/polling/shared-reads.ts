/** Reads that callers wait for. Who asks for what is being read already gets the same answer, and only so many may wait. */
import {type Clock, within} from '../../common/clock.ts'
import {CommandError, isSilence} from '../command-error.ts'
import {expired, LAST_WORD_MS, MOST_WAITING, tooMany} from '../request-queue.ts'

/** Who joins a read that is older than this may find that it has used up its tries. */
const LATE_MS = 500

/** @param deadline tells for how long a request is worth sending, on the clock: to be asked when its turn has come */
export type SharedRead = (deadline: () => number) => Promise<void>

interface Shared {
  begun: number
  /** The latest of those who wait. */
  deadline: number
  /** The one its last request was sent with. */
  used: number
  end: Promise<void>
}

export class SharedReads {
  readonly #clock: Clock
  /** What answers, for messages. */
  readonly #name: string
  readonly #underWay = new Map<string, Shared>()
  #waiting = 0

  constructor(clock: Clock, name: string) {
    this.#clock = clock
    this.#name = name
  }

  /** Callers that wait. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Waits for the read `key` that is under way, or else for `read`, which is begun. A deadline ends the caller's waiting and no
   * other's: who has more time than a read that fails had, or joined it late, has it begun anew.
   * @param deadline on the clock
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

  /** @returns `false` when the read failed, and another may do better */
  async #isDone(key: string, until: number, read: SharedRead): Promise<boolean> {
    const joined = this.#clock.now()
    const shared = this.#underWay.get(key) ?? this.#begin(key, until, read)
    shared.deadline = Math.max(shared.deadline, until)
    try {
      await inTime(this.#clock, until, shared.end, this.#name)
      return true
    } catch (error) {
      const hadLess = shared.used < until || joined - shared.begun > LATE_MS
      if (!isSilence(error) || !hadLess || until <= this.#clock.now()) throw error
      return false
    }
  }

  #begin(key: string, until: number, read: SharedRead): Shared {
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

/** What `work` comes to, if it does so by the deadline. @param name what is asked, for the message. @throws CommandError `timeout` */
export async function inTime<A>(
  clock: Clock,
  deadline: number | undefined,
  work: Promise<A>,
  name: string,
): Promise<A> {
  if (deadline === undefined || deadline === Number.POSITIVE_INFINITY) return work
  const ended = await within(
    clock,
    deadline + LAST_WORD_MS,
    work.then((value) => ({value})),
  )
  if (!ended) throw new CommandError('timeout', `no answer from ${name} in time`)
  return ended.value
}
