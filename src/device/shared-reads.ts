/** Reads that callers wait for. Who asks for what is being read already gets the same answer, and only so many may wait. */
import {type Clock, within} from '../clock.ts'
import {CommandError, isSilence} from './errors.ts'
import {expired, LAST_WORD_MS, MOST_WAITING, tooMany} from './queue.ts'

/** Who joins a read that is older than this may find that it has used up its tries: then it is not the caller's fault, nor the plug's. */
const LATE_MS = 500

interface Shared {
  begun: number
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
   * Waits for the read `key` that is under way, or else for `read`, which is begun. A deadline ends the caller's waiting and not
   * the read: another caller may have more time, and the plug more to say. Who joined late has a read begun anew when it fails.
   * @param deadline on the clock
   * @throws CommandError `queue_full`, `expired` when the deadline has passed already, `timeout` when it passes; what `read` fails with
   */
  async join(key: string, deadline: number | undefined, read: () => Promise<void>): Promise<void> {
    if (this.#waiting >= MOST_WAITING) throw tooMany('reads')
    const joined = this.#clock.now()
    if (isOver(deadline, joined)) throw expired()
    this.#waiting++
    try {
      const {begun, end} = this.#shared(key, read)
      await inTime(this.#clock, deadline, end, this.#name).catch((error: unknown) => {
        const isLate = joined - begun > LATE_MS
        if (!isLate || !isSilence(error) || isOver(deadline, this.#clock.now())) throw error
        return inTime(this.#clock, deadline, this.#shared(key, read).end, this.#name)
      })
    } finally {
      this.#waiting--
    }
  }

  #shared(key: string, read: () => Promise<void>): Shared {
    const underWay = this.#underWay.get(key)
    if (underWay) return underWay
    const shared = {begun: this.#clock.now(), end: read().finally(() => this.#underWay.delete(key))}
    this.#underWay.set(key, shared)
    return shared
  }
}

function isOver(deadline: number | undefined, now: number): boolean {
  return deadline !== undefined && deadline <= now
}

/** What `work` comes to, if it does so by the deadline. @param name what is asked, for the message. @throws CommandError `timeout` */
export async function inTime<A>(
  clock: Clock,
  deadline: number | undefined,
  work: Promise<A>,
  name: string,
): Promise<A> {
  if (deadline === undefined) return work
  const ended = await within(
    clock,
    deadline + LAST_WORD_MS,
    work.then((value) => ({value})),
  )
  if (!ended) throw new CommandError('timeout', `no answer from ${name} in time`)
  return ended.value
}
