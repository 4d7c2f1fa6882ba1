/**
 * The line in front of one plug: one question at a time, commands before reads before polls. Every command that enters is
 * answered: carried out, refused, superseded by a newer one, expired, or turned away because too many wait (contract §4).
 */
import PQueue from 'p-queue'
import {type Clock, type Timer, within} from '../common/clock.ts'
import {CommandError} from './command-error.ts'

/** Higher goes first. */
const PRIORITY = {command: 2, read: 1, poll: 0} as const
/** More waiting commands, or callers that wait for a read, are a flow running wild. */
export const MOST_WAITING = 32
/** With less time than this left nothing is sent any more: the command has expired, and the plug never heard of it. */
const SHORTEST_TURN_MS = 25
/** So long after a deadline the transport has given up by itself, and its error says better why. */
export const LAST_WORD_MS = 50
/**
 * A request of which nothing was heard by then, from its start or its deadline, is one that the transport has lost. Three tries
 * of 2 s with their pauses, behind three others, take a third of that.
 */
const LONGEST_REQUEST_MS = 60_000

interface Command<T> {
  run: () => Promise<T>
  deadline: number
  expiry: Timer
  resolve: (value: T) => void
  reject: (error: unknown) => void
}

/** A place in the line. It is empty when its command was answered before its turn. */
interface Place<T> {
  about: string
  command: Command<T> | undefined
}

export class RequestQueue<T> {
  readonly #clock: Clock
  /** p-queue's own timeout would let the next question out beside the one under way: deadlines live inside the jobs. */
  readonly #line = new PQueue({concurrency: 1})
  readonly #places = new Set<Place<T>>()
  #waiting = 0
  #executing = false
  #stopped = false
  /** When the first request that has not ended had to end, while none has ended since. */
  #endsBy: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Commands and reads that wait for their turn. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * How many milliseconds ago the request under way had to end: 0 unless the transport has lost it. It grows until another
   * request ends.
   */
  overdue(): number {
    return this.#endsBy === undefined ? 0 : Math.max(0, this.#clock.now() - this.#endsBy)
  }

  /** A question nobody waits for in person. */
  poll<A>(question: () => Promise<A>): Promise<A> {
    return this.#line.add(() => this.#run(question), {priority: PRIORITY.poll})
  }

  /** A question somebody waits for: before all polls. */
  read<A>(question: () => Promise<A>): Promise<A> {
    return this.#line.add(() => this.#run(question), {priority: PRIORITY.read})
  }

  /**
   * A command, before everything else.
   * @param about what it changes. A newer absolute command takes the place of those that wait to change the same.
   * @param absolute false for a command that depends on the ones before it: it replaces nothing and waits behind them
   * @param deadline on the clock: a command whose turn has not come by then is answered and gone
   * @throws CommandError `superseded`, `expired` or `queue_full`, or whatever `run` fails with
   */
  command(about: string, absolute: boolean, deadline: number, run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return reject(new CommandError('expired', 'the bridge is stopping'))
      const place = this.#placeFor(about, absolute)
      if (this.#waiting >= MOST_WAITING) return reject(tooMany())
      const expiry = this.#clock.after(deadline - this.#clock.now(), () =>
        this.#take(place)?.reject(expired()),
      )
      place.command = {run, deadline, expiry, resolve, reject}
      this.#waiting++
      if (this.#places.has(place)) return
      this.#places.add(place)
      void this.#line.add(() => this.#turn(place), {priority: PRIORITY.command})
    })
  }

  /** Answers what waits, and gives a command under way `grace` milliseconds to end. */
  async stop(grace: number): Promise<void> {
    this.#stopped = true
    for (const place of this.#places)
      this.#take(place)?.reject(new CommandError('expired', 'the bridge stopped before its turn came'))
    if (this.#executing) await within(this.#clock, this.#clock.now() + grace, this.#line.onIdle())
  }

  #placeFor(about: string, absolute: boolean): Place<T> {
    const same = [...this.#places].filter((place) => place.about === about)
    const last = same.at(-1)
    if (!absolute || !last) return {about, command: undefined}
    for (const place of same)
      this.#take(place)?.reject(new CommandError('superseded', `a newer value for ${about} took its place`))
    return last
  }

  /** Takes a command out of its place: whoever takes it must answer it. */
  #take(place: Place<T>): Command<T> | undefined {
    const {command} = place
    if (!command) return undefined
    place.command = undefined
    command.expiry.cancel()
    this.#waiting--
    return command
  }

  /** Never rejects: the line must go on. */
  async #turn(place: Place<T>): Promise<void> {
    this.#places.delete(place)
    const command = this.#take(place)
    if (!command) return
    const {run, deadline} = command
    const now = this.#clock.now()
    if (deadline - now < SHORTEST_TURN_MS) return command.reject(expired())
    const lost = this.#clock.after(deadline - now + LAST_WORD_MS, () =>
      command.reject(new CommandError('timeout', 'its request did not end in time')),
    )
    this.#executing = true
    try {
      command.resolve(await this.#run(run, deadline))
    } catch (error) {
      command.reject(error)
    } finally {
      lost.cancel()
      this.#executing = false
    }
  }

  /** Gives up a request that does not end, so that the line goes on. @param from what its longest time is counted from */
  async #run<A>(request: () => Promise<A>, from = this.#clock.now()): Promise<A> {
    const endsBy = from + LONGEST_REQUEST_MS
    this.#endsBy ??= endsBy
    const settled = request().then(
      (value) => ({value}),
      (error: unknown) => ({error}),
    )
    const end = await within(this.#clock, endsBy, settled)
    if (!end) throw new CommandError('timeout', 'the request was given up: it did not end')
    this.#endsBy = undefined
    if ('error' in end) throw end.error
    return end.value
  }
}

export function tooMany(what = 'commands'): CommandError {
  return new CommandError('queue_full', `${MOST_WAITING} ${what} wait already`)
}

export function expired(): CommandError {
  return new CommandError('expired', 'its time was over before its turn came')
}
