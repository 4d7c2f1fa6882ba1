/**
 * RequestQueue: the requests of one plug, one at a time, commands before reads before polls. Every command that enters gets its one
 * result by its deadline: executed, refused, superseded by a newer one, expired, or `queue_full` (docs/promises.md 23, 27).
 * SharedReads: callers that wait for the same read, each until its own deadline.
 */
import PQueue from 'p-queue'
import {type Clock, type Timer, within} from '../common/clock.ts'
import {CommandError, isSilence, isUnsent} from './command-error.ts'

/** Higher runs first. */
const PRIORITY = {command: 2, read: 1, poll: 0} as const
/** More waiting commands, or more callers that wait for a read, are a flood. */
export const MOST_WAITING = 32
/** With less time than this left nothing is sent any more: the command has expired, and the plug never gets it. */
const SHORTEST_TURN_MS = 25
/** So long after a deadline the transport has given up by itself, and its error has the better reason. */
const GRACE_MS = 50
/**
 * A request without a deadline that has not ended after twice this time is lost in the transport. Three tries, each of at most 2 s for
 * the hello and 8 s for the response, take half of that.
 */
const LONGEST_REQUEST_MS = 30_000

interface Command {
  /** What the command changes. */
  key: string
  deadline: number
  /** Runs the request and settles the caller's promise. Resolves when the request has ended. */
  run: () => Promise<void>
  reject: (error: CommandError) => void
  /** Of a command that has to wait. */
  expiry?: Timer
}

/** The queue of one plug: one request at a time. */
export class RequestQueue {
  readonly #clock: Clock
  /**
   * The requests that wait. Without the timeout of p-queue: it would start the next request while the one before is still under way.
   * Most plugs of ten thousand are only polled, one request at a time: they need no queue.
   */
  #queue: PQueue | undefined
  /** Whether a request is under way that did not have to wait. The queue is paused meanwhile. */
  #isDirect = false
  /** The commands that wait for their turn, in the order of their turns. */
  #commands: Command[] = []
  /** The command under way. */
  #executing: Promise<void> | undefined
  #isStopped = false
  /** When the first of the requests was given up that the transport has lost; `undefined` once the transport has sent one since. */
  #lostSince: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many commands wait for their turn. */
  get waiting(): number {
    return this.#commands.length
  }

  /**
   * How many milliseconds ago a request was given up: 0 unless the transport has lost it. It grows until that request ends, or another
   * that was sent.
   */
  overdue(): number {
    return this.#lostSince === undefined ? 0 : this.#clock.now() - this.#lostSince
  }

  /** Runs a request that no caller waits for. */
  poll<T>(request: () => Promise<T>): Promise<T> {
    return this.#enter(() => this.#run(request), PRIORITY.poll)
  }

  /** Runs a request that a caller waits for: before all polls. */
  read<T>(request: () => Promise<T>): Promise<T> {
    return this.#enter(() => this.#run(request), PRIORITY.read)
  }

  /**
   * Runs a command, before everything else.
   * @param key what the command changes. A newer absolute command supersedes the waiting commands with the same key, and takes the
   *   place of the last of them
   * @param isAbsolute false for a command that depends on those before it: it supersedes none and waits behind them
   * @param deadline in ms of the clock: a command whose turn has not come by then is rejected, and never run
   * @throws CommandError `superseded`, `expired`, `queue_full` or `timeout`, or what `request` fails with
   */
  command<T>(key: string, isAbsolute: boolean, deadline: number, request: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isStopped) return reject(new CommandError('expired', 'the bridge is stopping'))
      const superseded = isAbsolute ? this.#commands.filter((older) => older.key === key) : []
      const last = superseded.at(-1)
      if (this.#commands.length - superseded.length >= MOST_WAITING) return reject(tooMany())
      const left = () => deadline - this.#clock.now()
      const message = 'its request did not end in time'
      const command: Command = {
        key,
        deadline,
        run: async () => {
          // In two steps: in a process that was suspended the first is late, and the transport has the second to end its request.
          let late = this.#clock.after(left(), () => {
            late = this.#clock.after(GRACE_MS, () => reject(new CommandError('timeout', message)))
          })
          await this.#run(request, left() + LONGEST_REQUEST_MS).then(resolve, reject)
          late.cancel()
        },
        reject,
      }
      this.#commands.splice(last ? this.#commands.indexOf(last) : this.#commands.length, 0, command)
      for (const older of superseded)
        this.#reject(older, new CommandError('superseded', `a newer value for ${key} replaced it`))
      // The turns of superseded commands are enough for the one that replaces them.
      if (!last) void this.#enter(() => this.#turn(), PRIORITY.command)
      if (this.#commands.includes(command))
        command.expiry = this.#clock.after(left(), () => this.#reject(command, expired()))
    })
  }

  /** Rejects the commands that wait, and gives one under way `grace` milliseconds to end. */
  async stop(grace: number): Promise<void> {
    this.#isStopped = true
    for (const command of [...this.#commands])
      this.#reject(command, new CommandError('expired', 'the bridge stopped before its turn came'))
    if (this.#executing) await within(this.#clock, this.#clock.now() + grace, this.#executing)
  }

  /** Runs `run` at once when nothing else runs or waits, else in its turn. */
  #enter<T>(run: () => Promise<T>, priority: number): Promise<T> {
    const isFree = !this.#isDirect && !this.#queue?.pending && !this.#queue?.size
    if (!isFree) {
      this.#queue ??= new PQueue({concurrency: 1, autoStart: false})
      return this.#queue.add(run, {priority})
    }
    this.#isDirect = true
    this.#queue?.pause()
    return run().finally(() => {
      this.#isDirect = false
      this.#queue?.start()
    })
  }

  #reject(command: Command, error: CommandError): void {
    this.#commands = this.#commands.filter((each) => each !== command)
    command.expiry?.cancel()
    command.reject(error)
  }

  /** Runs the next command, unless those that waited were rejected. Never rejects: the queue must go on. */
  async #turn(): Promise<void> {
    const command = this.#commands[0]
    if (!command) return
    if (command.deadline - this.#clock.now() < SHORTEST_TURN_MS) return this.#reject(command, expired())
    this.#commands.shift()
    command.expiry?.cancel()
    this.#executing = command.run()
    await this.#executing
    this.#executing = undefined
  }

  /**
   * Runs a request, and gives up one that does not end within `ms` and `LONGEST_REQUEST_MS`, so that the queue goes on. In two steps, as
   * the deadline of a command.
   */
  #run<T>(request: () => Promise<T>, ms = LONGEST_REQUEST_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#lostSince ??= this.#clock.now()
        isLost = true
        reject(new CommandError('timeout', 'the request was cancelled: it did not end'))
      }
      let isLost = false
      let timer = this.#clock.after(ms, () => {
        timer = this.#clock.after(LONGEST_REQUEST_MS, giveUp)
      })
      const ended = (wasSent: boolean) => {
        timer.cancel()
        if (wasSent || isLost) this.#lostSince = undefined
      }
      request().then(
        (value) => {
          ended(true)
          resolve(value)
        },
        (error: unknown) => {
          // The client refuses every request while it has a lost one: that shows nothing.
          ended(!isUnsent(error))
          reject(error)
        },
      )
    })
  }
}

/** A caller that joined a read so long after its start gets a read of its own when the shared one fails. */
const LATE_MS = 500

/** A read that fails sooner was not sent. */
const MIN_RETRY_MS = 1

/** @param deadline until when a request is worth sending, in ms of the clock: called when its turn has come */
type SharedRead = (deadline: () => number) => Promise<unknown>

interface ReadUnderWay {
  startedAt: number
  /** The latest deadline of its callers. */
  deadline: number
  /** The deadline that its last request was sent with; -∞ before the first. */
  sentWithDeadline: number
  end: Promise<boolean>
}

/** Reads that callers share: a caller that wants what is being read already gets the same response. At most 32 callers wait. */
export class SharedReads {
  readonly #clock: Clock
  /** What the user called the plug, for messages. */
  readonly #name: string
  /** By key. Most plugs are only polled: they need no map. */
  #underWay: Map<string, ReadUnderWay> | undefined
  #waiting = 0

  constructor(clock: Clock, name: string) {
    this.#clock = clock
    this.#name = name
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Waits for the read under way with this key, or starts `read`. A deadline ends the waiting of its caller and of no other. When a
   * read fails by a timeout, a caller that had more time than the read, or joined it late, has it started again.
   * @param deadline in ms of the clock
   * @throws CommandError `queue_full`, `expired` when the deadline has passed already, `timeout` when it passes; what `read` fails with
   */
  async join(key: string, deadline: number, read: SharedRead): Promise<void> {
    if (this.#waiting >= MOST_WAITING) throw tooMany('reads')
    if (deadline <= this.#clock.now()) throw expired()
    this.#waiting++
    try {
      await this.#waitForRead(key, deadline, read)
    } finally {
      this.#waiting--
    }
  }

  async #waitForRead(key: string, deadline: number, read: SharedRead): Promise<void> {
    let failure: unknown
    for (;;) {
      const joinedAt = this.#clock.now()
      const shared = this.#underWay?.get(key) ?? this.#start(key, deadline, read)
      shared.deadline = Math.max(shared.deadline, deadline)
      try {
        // The transport ends a request at the same deadline, and its error has the better reason: it gets a little more time.
        if (await within(this.#clock, deadline + GRACE_MS, shared.end)) return
        // In a process that stood still the deadline is long over, and the response may have arrived before it.
        const now = this.#clock.now()
        if (now > deadline + 2 * GRACE_MS && (await within(this.#clock, now + GRACE_MS, shared.end))) return
        failure ??= new CommandError('timeout', `no answer from ${this.#name} in time`)
      } catch (error) {
        failure = error
      }
      const now = this.#clock.now()
      const mayRetry = shared.sentWithDeadline < deadline || joinedAt - shared.startedAt > LATE_MS
      // A read that fails at once, as of a plug that is stopped, would do so again and again until the deadline, and block the process.
      if (!isSilence(failure) || !mayRetry || now >= deadline || now - joinedAt < MIN_RETRY_MS) throw failure
    }
  }

  #start(key: string, deadline: number, read: SharedRead): ReadUnderWay {
    const shared: ReadUnderWay = {
      startedAt: this.#clock.now(),
      deadline,
      sentWithDeadline: Number.NEGATIVE_INFINITY,
      end: Promise.resolve(true),
    }
    const sendDeadline = () => {
      shared.sentWithDeadline = shared.deadline
      return shared.deadline
    }
    shared.end = read(sendDeadline)
      .then(() => true)
      .finally(() => this.#underWay?.delete(key))
    this.#underWay ??= new Map()
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
