/**
 * One running plug: a model, and something that answers calls. It shows a value only after the plug said so, and never lets
 * an answer that is older than a command undo it.
 */
import {EventEmitter} from 'node:events'
import type {Clock, Timer} from '../clock.ts'
import type {Model, Value} from '../models/model.ts'
import {isOk, type Lane, property, type Read, readOf, readsOf, valuesIn, writeOf} from './access.ts'
import type {Availability} from './availability.ts'
import {CommandError, isCallFailure, toCommandError} from './errors.ts'
import {type Identity, identityIn} from './identity.ts'
import {type Answer, Knowledge, type Learnt} from './knowledge.ts'
import {MOST_WAITING, PlugQueue, tooMany} from './queue.ts'
import {excerpt, fromUser, type State, type Wanted} from './values.ts'

/** What a device needs of the way to its plug. */
export interface Transport {
  /** Asks, and asks again when no answer comes. Rejects with an error whose `code` says who must act. */
  call(method: string, params: unknown, options?: CallOptions): Promise<unknown>
  /** Ends what is under way, with an error. */
  close(): void
}

export interface CallOptions {
  /** When to give up, on the clock. */
  deadline?: number
  /** How often to ask. */
  tries?: number
  /** Once aborted, no try follows the one under way. */
  signal?: AbortSignal
}

interface Events {
  /** The state is another than before. */
  change: []
  availability: [Availability]
  /** The plug told its model and firmware. */
  identified: [Identity]
  /** A command or read reached the plug (`undefined`), or why it did not. */
  commanded: [CommandError | undefined]
  /** A poll or a command found nobody home: the plug may have moved. */
  unanswered: [unknown]
  /** The plug does not do what it said: for a person to know. */
  warning: [string]
}

export interface DeviceOptions {
  name: string
  transport: Transport
  clock: Clock
  /** The model as far as known: from the configuration, or remembered. Without it the plug is asked. */
  model?: Model | undefined
  findModel: (id: string) => Model | undefined
}

/** The relay has settled by then, and a person still looks at the switch. The contract (§3) allows 2 s. */
const READ_BACK_MS = 500
const READ_TRIES = 3
/** So much after a deadline the transport has given up by itself, and says better why. */
const LAST_WORD_MS = 50
/** A command is tried for as long as it lives: its deadline ends it. */
const COMMAND_TRIES = Number.POSITIVE_INFINITY

/** A poll gave way to a command: neither a success nor a failure. */
export class Yielded extends Error {
  override readonly name = 'Yielded'
}

export class Device extends EventEmitter<Events> {
  readonly name: string
  /** What the plug told of itself, or what is remembered of it. */
  identity: Identity = {}
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #findModel: DeviceOptions['findModel']
  readonly #queue: PlugQueue<Value>
  readonly #knowledge = new Knowledge()
  #model: Model | undefined
  #availability: Availability = {state: 'unknown'}
  #reading: Promise<void> | undefined
  #identifying: Promise<Identity> | undefined
  #waitingForModel = 0
  #poll: AbortController | undefined
  #readBack: Timer | undefined

  constructor({name, transport, clock, model, findModel}: DeviceOptions) {
    super()
    this.name = name
    this.#transport = transport
    this.#clock = clock
    this.#findModel = findModel
    this.#queue = new PlugQueue(clock)
    this.#become(model)
  }

  get model(): Model | undefined {
    return this.#model
  }

  /** Every property of the model, in the order of its definition; `null` is unknown. */
  get state(): Readonly<State> {
    return this.#knowledge.state
  }

  /** Whether the plug was ever read since the start: before that there is nothing to tell. */
  get known(): boolean {
    return this.#knowledge.known
  }

  get availability(): Availability {
    return this.#availability
  }

  /** Commands that wait for their turn. */
  get waiting(): number {
    return this.#queue.waiting + this.#waitingForModel
  }

  setAvailability(availability: Availability): void {
    this.#availability = availability
    this.emit('availability', availability)
  }

  /**
   * Reads what is due and shows it.
   * @throws the transport's error when the relay could not be read; CommandError for a model nobody has described; Yielded
   */
  async refresh(lane: Lane): Promise<void> {
    this.#poll = new AbortController()
    const {signal} = this.#poll
    try {
      await this.#refresh(lane, 'poll', {tries: READ_TRIES, signal})
    } catch (error) {
      if (signal.aborted && isCallFailure(error) && error.code === 'timeout')
        throw new Yielded('a command came first')
      throw error
    } finally {
      this.#poll = undefined
    }
  }

  /**
   * Reads everything now, before any poll. Who asks while another waits for the same gets the same answer.
   * @param deadline on the clock. @throws CommandError
   */
  async read(deadline: number): Promise<Readonly<State>> {
    this.#poll?.abort()
    this.#reading ??= this.#refresh('all', 'read', {tries: READ_TRIES, deadline}).finally(() => {
      this.#reading = undefined
    })
    await this.#reported(this.#inTime(deadline, this.#reading))
    return this.state
  }

  /**
   * Brings a property to a value, and resolves with it once the plug said `ok`; a read-back follows.
   * @param sent `ON`, `off`, `true`, `1`, `TOGGLE` … @param deadline on the clock: the command is gone by then
   * @throws CommandError
   */
  async set(name: string, sent: unknown, deadline: number): Promise<Value> {
    const wanted = this.check(name, sent)
    this.#poll?.abort()
    return this.#reported(
      this.#queue.command(name, wanted !== 'TOGGLE', deadline, async () => {
        const value = wanted === 'TOGGLE' ? await this.#opposite(name, deadline) : wanted
        await this.#write(name, value, deadline)
        return value
      }),
    )
  }

  /** What `sent` would mean for the property `name`. @throws CommandError when the plug has no such thing or value */
  check(name: string, sent: unknown): Wanted {
    const model = this.#describedModel()
    if (!Object.hasOwn(model.properties, name)) {
      const known = Object.keys(model.properties).join(', ')
      throw new CommandError('unknown_property', `expected one of ${known}, got ${excerpt(name)}`)
    }
    return fromUser(name, property(model, name), sent)
  }

  /**
   * Sees to it that the model is known, by asking the plug if need be.
   * @throws the transport's error, or CommandError `refused` for a model nobody has described
   */
  async ready(options: CallOptions): Promise<void> {
    if (!this.#model) await this.#inTime(options.deadline, this.#modelTold(options))
    this.#describedModel()
  }

  /** Asks the plug who it is (`miIO.info`), and takes its word for its model where none was given. */
  async identify(options: CallOptions = {}): Promise<Identity> {
    const ask = () => this.#transport.call('miIO.info', [], {tries: READ_TRIES, ...options})
    this.identity = identityIn(await this.#queue.read(ask))
    if (!this.#model && this.identity.model) this.#become(this.#findModel(this.identity.model))
    this.emit('identified', this.identity)
    return this.identity
  }

  /** Answers what waits, lets a command under way end within `grace` milliseconds, and asks nothing any more. */
  async stop(grace: number): Promise<void> {
    this.#readBack?.cancel()
    await this.#queue.stop(grace)
    this.#readBack?.cancel()
    this.#transport.close()
  }

  /** Asked once for all who wait to know it; they are as many as may wait in line afterwards. */
  async #modelTold(options: CallOptions): Promise<void> {
    if (this.#waitingForModel >= MOST_WAITING) throw tooMany()
    this.#waitingForModel++
    this.#identifying ??= this.identify(options).finally(() => {
      this.#identifying = undefined
    })
    await this.#identifying.finally(() => this.#waitingForModel--)
  }

  #become(model: Model | undefined): void {
    this.#model = model
    if (model) this.#knowledge.startWith(model)
  }

  #describedModel(): Model {
    if (this.#model) return this.#model
    throw new CommandError('refused', `no definition for the model ${excerpt(this.identity.model)}`)
  }

  async #refresh(lane: Lane, priority: 'poll' | 'read', options: CallOptions): Promise<void> {
    await this.ready(options)
    const [relay, ...others] = readsOf(this.#describedModel(), lane)
    if (!relay) return
    const answers = [await this.#ask(relay, priority, options)]
    for (const read of others) answers.push(await this.#askOrUnknown(read, priority, options))
    this.#tell(this.#knowledge.learn(answers))
  }

  async #ask(read: Read, priority: 'poll' | 'read', options: CallOptions): Promise<Answer> {
    const model = this.#describedModel()
    return this.#queue[priority](async () => {
      const asked = this.#knowledge.asking()
      const answer = await this.#transport.call(read.method, read.params, options)
      return {asked, values: valuesIn(answer, read, model)}
    })
  }

  /** A plug whose watts cannot be read still switches: only the relay's question decides over a poll. */
  async #askOrUnknown(read: Read, priority: 'poll' | 'read', options: CallOptions): Promise<Answer> {
    try {
      return await this.#ask(read, priority, options)
    } catch (error) {
      if (!isCallFailure(error)) throw error
      const unknown = options.signal?.aborted ? [] : read.properties
      return {
        asked: this.#knowledge.asking(),
        values: Object.fromEntries(unknown.map((name) => [name, null])),
      }
    }
  }

  #tell({changed, contradictions}: Learnt): void {
    for (const contradiction of contradictions) this.emit('warning', contradiction)
    if (changed) this.emit('change')
  }

  /** A TOGGLE is made absolute once, from what the plug says now: a retry then repeats that value (contract §4). */
  async #opposite(name: string, deadline: number): Promise<Value> {
    const model = this.#describedModel()
    const read = readOf(model, name)
    const answer = await this.#transport.call(read.method, read.params, {deadline, tries: COMMAND_TRIES})
    const now = valuesIn(answer, read, model)[name]
    if (now === 'ON') return 'OFF'
    if (now === 'OFF') return 'ON'
    throw new CommandError('refused', `cannot toggle: the plug does not say whether ${name} is on or off`)
  }

  async #write(name: string, value: Value, deadline: number): Promise<void> {
    const {method, params} = writeOf(property(this.#describedModel(), name), value)
    this.#knowledge.commanding(name)
    const answer = await this.#transport.call(method, params, {deadline, tries: COMMAND_TRIES})
    if (!isOk(answer))
      throw new CommandError('refused', `expected ok to ${method}, the plug said ${excerpt(answer)}`)
    this.#tell(this.#knowledge.commanded(name, value))
    this.#readBack?.cancel()
    this.#readBack = this.#clock.after(READ_BACK_MS, () => void this.#readBackNow())
  }

  /** Some firmware says ok and does nothing (docs/protocol.md §1.7). Watts follow the relay, so they are read again too. */
  async #readBackNow(): Promise<void> {
    const model = this.#describedModel()
    const slow = this.#knowledge.unconfirmed.some((name) => property(model, name).lane === 'slow')
    try {
      await this.#refresh(slow ? 'all' : 'fast', 'read', {tries: READ_TRIES})
    } catch (error) {
      if (!isCallFailure(error)) throw error // the next poll reads it back
    }
  }

  /** A question may stand in line behind another, or be shared with somebody who has more time. */
  async #inTime<A>(deadline: number | undefined, work: Promise<A>): Promise<A> {
    if (deadline === undefined) return work
    let late: Timer | undefined
    const tooLate = new Promise<never>((_, reject) => {
      late = this.#clock.after(deadline - this.#clock.now() + LAST_WORD_MS, () =>
        reject(new CommandError('timeout', `no answer from ${this.name} in time`)),
      )
    })
    return Promise.race([work, tooLate]).finally(() => late?.cancel())
  }

  async #reported<A>(work: Promise<A>): Promise<A> {
    try {
      const result = await work
      this.emit('commanded', undefined)
      return result
    } catch (error) {
      const failure = toCommandError(error)
      this.emit('commanded', failure)
      throw failure
    }
  }
}
