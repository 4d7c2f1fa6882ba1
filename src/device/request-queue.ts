/**
 * RequestQueue: the requests of one plug, one at a time, commands before reads before polls. Every command that enters is answered by
 * its deadline: executed, refused, superseded by a newer one, expired, or turned away because too many wait (docs/promises.md 23, 27).
 * SharedReads: callers that wait for the same read, each until its own deadline.
 */
import PQueue from 'p-queue'
import {type Clock, type Timer, within} from '../common/clock.ts'
import {CommandError, isSilence} from './command-error.ts'

/** Higher runs first. */
const PRIORITY = {command: 2, read: 1, poll: 0} as const
/** More waiting commands, or more callers that wait for a read, are a flood. */
export const MOST_WAITING = 32
/** With less time than this left nothing is sent any more: the command has expired, and the plug never gets it. */
const SHORTEST_TURN_MS = 25
/** So long after a deadline the transport has given up by itself, and its error says better why. */
const GRACE_MS = 50
/**
 * A request that has not ended so long after its start, or after its deadline, is lost in the transport. Three tries, each of at most
 * 2 s for the hello and 8 s for the answer, take half of that.
 */
const LONGEST_REQUEST_MS = 60_000
/**
 * The time of a request is counted in such slices. A process that is paused for longer, and then finds all its timers due at once,
 * has used up one slice only, and the transport has time to end its request before the queue gives it up.
 */
const SLICE_MS = 10_000

interface Command {
  /** Runs the request and answers the caller. Resolves when the request has ended. */
  run: () => Promise<void>
  reject: (error: CommandError) => void
  deadline: number
  expiry: Timer
}

/** A place in the queue. It is empty when its command was answered before its turn. */
interface Slot {
  key: string
  command: Command | undefined
}

/** The queue of one plug: one request at a time. */
export class RequestQueue {
  readonly #clock: Clock
  /** p-queue's own timeout would start the next request beside the one under way: deadlines are kept inside the jobs. */
  readonly #queue = new PQueue({concurrency: 1})
  /** The slots of commands, in the order in which they entered. */
  readonly #slots = new Set<Slot>()
  #waiting = 0
  #isExecuting = false
  #isStopped = false
  /** When the oldest request that has not ended should have ended; `undefined` once one has ended since. */
  #endsBy: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many commands wait for their turn. */
  get waiting(): number {
    return this.#waiting
  }

  /** How many milliseconds ago a request should have ended: 0 unless the transport has lost it. It grows until another request ends. */
  overdue(): number {
    return this.#endsBy === undefined ? 0 : Math.max(0, this.#clock.now() - this.#endsBy)
  }

  /** Runs a request that no caller waits for. */
  poll<T>(request: () => Promise<T>): Promise<T> {
    return this.#queue.add(() => this.#send(request), {priority: PRIORITY.poll})
  }

  /** Runs a request that a caller waits for: before all polls. */
  read<T>(request: () => Promise<T>): Promise<T> {
    return this.#queue.add(() => this.#send(request), {priority: PRIORITY.read})
  }

  /**
   * Runs a command, before everything else.
   * @param key what the command changes. A newer absolute command supersedes the waiting commands with the same key
   * @param isAbsolute false for a command that depends on those before it: it supersedes none and waits behind them
   * @param deadline in ms of the clock: a command whose turn has not come by then is answered, and never run
   * @throws CommandError `superseded`, `expired`, `queue_full` or `timeout`, or what `request` fails with
   */
  command<T>(key: string, isAbsolute: boolean, deadline: number, request: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isStopped) return reject(new CommandError('expired', 'the bridge is stopping'))
      const slot = this.#slotFor(key, isAbsolute)
      if (this.#waiting >= MOST_WAITING) return reject(tooMany())
      const expiry = this.#clock.after(deadline - this.#clock.now(), () =>
        this.#take(slot)?.reject(expired()),
      )
      const run = async () => {
        const end = this.#send(request, deadline)
        resolve(this.answerBy(deadline, end, 'its request did not end in time'))
        await end.catch(() => {}) // the caller gets the error
      }
      slot.command = {run, reject, deadline, expiry}
      this.#waiting++
      if (this.#slots.has(slot)) return
      this.#slots.add(slot)
      void this.#queue.add(() => this.#turn(slot), {priority: PRIORITY.command})
    })
  }

  /**
   * Answers a caller by its deadline, whatever becomes of its request: settles as `work` does, if that is in time. The transport ends
   * a request at the same deadline, and its error says better why, so it gets 50 ms more.
   * @param deadline in ms of the clock; none when left out
   * @param message of the error
   * @throws CommandError `timeout`
   */
  async answerBy<T>(deadline: number | undefined, work: Promise<T>, message: string): Promise<T> {
    const until = (deadline ?? Number.POSITIVE_INFINITY) + GRACE_MS
    const answer = await within(
      this.#clock,
      until,
      work.then((value) => ({value})),
    )
    if (!answer) throw new CommandError('timeout', message)
    return answer.value
  }

  /** Answers the commands that wait, and gives one under way `grace` milliseconds to end. */
  async stop(grace: number): Promise<void> {
    this.#isStopped = true
    for (const slot of this.#slots)
      this.#take(slot)?.reject(new CommandError('expired', 'the bridge stopped before its turn came'))
    if (this.#isExecuting) await within(this.#clock, this.#clock.now() + grace, this.#queue.onIdle())
  }

  /** A new slot, or, for an absolute command, the last slot with its key: the commands with that key are superseded. */
  #slotFor(key: string, isAbsolute: boolean): Slot {
    const same = [...this.#slots].filter((slot) => slot.key === key)
    const last = same.at(-1)
    if (!isAbsolute || !last) return {key, command: undefined}
    for (const slot of same)
      this.#take(slot)?.reject(new CommandError('superseded', `a newer value for ${key} replaced it`))
    return last
  }

  /** Takes a command out of its slot, to be run or rejected. */
  #take(slot: Slot): Command | undefined {
    const {command} = slot
    if (!command) return undefined
    slot.command = undefined
    command.expiry.cancel()
    this.#waiting--
    return command
  }

  /** Never rejects: the queue must go on. */
  async #turn(slot: Slot): Promise<void> {
    this.#slots.delete(slot)
    const command = this.#take(slot)
    if (!command) return
    if (command.deadline - this.#clock.now() < SHORTEST_TURN_MS) return command.reject(expired())
    this.#isExecuting = true
    await command.run()
    this.#isExecuting = false
  }

  /** Runs a request, and gives up one that does not end, so that the queue goes on. @param from the time is counted from here */
  async #send<T>(request: () => Promise<T>, from = this.#clock.now()): Promise<T> {
    const endsBy = from + LONGEST_REQUEST_MS
    this.#endsBy ??= endsBy
    const settled = request().then(
      (value) => ({value}),
      (error: unknown) => ({error}),
    )
    for (let left = endsBy - this.#clock.now(); left > 0; left -= SLICE_MS) {
      const end = await within(this.#clock, this.#clock.now() + Math.min(left, SLICE_MS), settled)
      if (!end) continue
      this.#endsBy = undefined
      if ('error' in end) throw end.error
      return end.value
    }
    throw new CommandError('timeout', 'the request was cancelled: it did not end')
  }
}

/** A caller that joins a read older than this may find that the read has used up its tries. */
const LATE_MS = 500

/** @param deadline until when a request is worth sending, in ms of the clock: called when its turn has come */
type SharedRead = (deadline: () => number) => Promise<void>

interface ReadUnderWay {
  begun: number
  /** The latest deadline of its callers. */
  deadline: number
  /** The deadline that its last request was sent with. */
  used: number
  end: Promise<void>
}

/** Reads that callers share: a caller that asks for what is being read already gets the same answer. At most 32 callers wait. */
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

/** @returns the CommandError `queue_full`. @param what waits */
export function tooMany(what = 'commands'): CommandError {
  return new CommandError('queue_full', `${MOST_WAITING} ${what} are waiting already`)
}

/** @returns the CommandError `expired` of a command whose turn did not come in time */
export function expired(): CommandError {
  return new CommandError('expired', 'its deadline passed before it could be sent')
}
