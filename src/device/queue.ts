/**
 * The line in front of one plug: one question at a time, commands before reads before polls. Every command that enters is
 * answered: carried out, refused, superseded by a newer one, expired, or turned away because too many wait (contract §4).
 */
import PQueue from 'p-queue'
import {type Clock, type Timer, within} from '../clock.ts'
import {CommandError} from './errors.ts'

/** Higher goes first. */
const PRIORITY = {command: 2, read: 1, poll: 0} as const
/** More waiting commands than this are a flow running wild. */
export const MOST_WAITING = 32
/** With less time than this left nothing is sent any more: the command has expired, and the plug never heard of it. */
const SHORTEST_TURN_MS = 25

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

export class PlugQueue<T> {
  readonly #clock: Clock
  /** p-queue's own timeout would let the next question out beside the one under way: deadlines live inside the jobs. */
  readonly #line = new PQueue({concurrency: 1})
  readonly #places = new Set<Place<T>>()
  #waiting = 0
  #executing = false
  #stopped = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Commands and reads that wait for their turn. */
  get waiting(): number {
    return this.#waiting
  }

  /** A question nobody waits for in person. */
  poll<A>(question: () => Promise<A>): Promise<A> {
    return this.#line.add(question, {priority: PRIORITY.poll})
  }

  /** A question somebody waits for: before all polls. It must end by itself. */
  read<A>(question: () => Promise<A>): Promise<A> {
    return this.#line.add(question, {priority: PRIORITY.read})
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
    if (command.deadline - this.#clock.now() < SHORTEST_TURN_MS) return command.reject(expired())
    this.#executing = true
    try {
      command.resolve(await command.run())
    } catch (error) {
      command.reject(error)
    } finally {
      this.#executing = false
    }
  }
}

export function tooMany(): CommandError {
  return new CommandError('queue_full', `${MOST_WAITING} commands wait already`)
}

function expired(): CommandError {
  return new CommandError('expired', 'its time was over before its turn came')
}
