/**
 * The running protocol session of one plug: its model, state and availability, and the queue through which it is asked.
 * A command: Device.write, RequestQueue, CommandWriter, property-codec.ts, Transport. A poll: Poller, Device.poll, PropertyReader,
 * RequestQueue, Transport, property-codec.ts, DeviceState. A value is shown only after the plug has reported or accepted it.
 */
import {EventEmitter} from 'node:events'
import {type Clock, sleep} from '../common/clock.ts'
import type {Model, PollTier, Value} from '../models/model.ts'
import {buildRead, propertiesInTier, propertyOf} from './codec/property-codec.ts'
import {notWritable, unknownProperty} from './codec/unknown-property.ts'
import {type CommandValue, excerpt, fromUser, isWritable, type State} from './codec/values.ts'
import {CommandError, isCallFailure, isSilence, toCommandError} from './command-error.ts'
import {CommandWriter} from './command-writer.ts'
import {diagnoseFailure, type FailureContext} from './diagnosis.ts'
import {type Identity, type IdentityEvents, type ModelOptions, ModelResolver} from './model-resolver.ts'
import {type Availability, type AvailabilityEvents, AvailabilityTracker} from './polling/availability.ts'
import {FailureTracker} from './polling/firmware-capabilities.ts'
import {PropertyReader} from './polling/property-reader.ts'
import {RequestQueue, SharedReads} from './request-queue.ts'
import {DeviceState, type StateEvents} from './state/device-state.ts'
import type {EnergySource} from './state/energy-meter.ts'
import type {EnergyTrackingOptions} from './state/energy-tracking.ts'
import type {ImplausibleValue} from './state/plausibility.ts'
import {type CallOptions, ONCE, type Transport} from './transport.ts'

interface DeviceEvents extends StateEvents, AvailabilityEvents, IdentityEvents {}

export interface DeviceOptions extends ModelOptions {
  /** What the user called the plug. */
  name: string
  transport: Transport
  clock: Clock
  /** So many exchanges in a row must fail before a plug that answered counts as offline; 3 by default. */
  offlineAfter?: number
  /** What is known around a failed request; nothing by default. */
  failureContext?: () => FailureContext
  /** How energy is added up. Without it, the plug's own counter is shown unchanged, and nothing is added up. */
  energy?: EnergyTrackingOptions
}

const OFFLINE_AFTER = 3

/** A poll was interrupted by a command or a read: neither a success nor a failure. */
export class PollPreempted extends Error {
  override readonly name = 'PollPreempted'
}

/** One plug as the bridge uses it: state, availability, reads and commands. Emits the events of its parts. */
export class Device extends EventEmitter<DeviceEvents> {
  readonly name: string
  /** Decides whether the plug is online. `availability` is its result. */
  readonly tracker: AvailabilityTracker
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #queue: RequestQueue
  readonly #state: DeviceState
  readonly #resolver: ModelResolver
  readonly #failures = new FailureTracker()
  readonly #reader: PropertyReader
  readonly #writer: CommandWriter
  readonly #reads: SharedReads
  readonly #failureContext: () => FailureContext
  /** Interrupts the poll under way. */
  #poll: AbortController | undefined

  constructor(options: DeviceOptions) {
    super()
    const {
      name,
      transport,
      clock,
      energy,
      offlineAfter = OFFLINE_AFTER,
      failureContext = () => ({}),
    } = options
    this.name = name
    this.#transport = transport
    this.#clock = clock
    this.#failureContext = failureContext
    this.#queue = new RequestQueue(clock)
    this.#reads = new SharedReads(clock, this.#queue, name)
    this.#state = new DeviceState({name, clock, energy, events: this})
    this.tracker = new AvailabilityTracker({clock, offlineAfter, failureContext, events: this})
    const shared = {clock, transport, queue: this.#queue, state: this.#state, events: this}
    this.#resolver = new ModelResolver({...options, ...shared})
    const parts = {
      ...shared,
      resolver: this.#resolver,
      availability: this.tracker,
      failures: this.#failures,
    }
    this.#reader = new PropertyReader(parts)
    this.#writer = new CommandWriter({...parts, reader: this.#reader})
  }

  /** What the plug reported of itself, or what is remembered of it. */
  get identity(): Identity {
    return this.#resolver.identity
  }

  get model(): Model | undefined {
    return this.#resolver.model
  }

  /** Properties that its firmware cannot be asked for: found by polls, and remembered. */
  get unsupported(): readonly string[] {
    return [...this.#resolver.capabilities.unsupported]
  }

  /** Where its energy comes from. `undefined` for a plug that measures nothing. */
  get energySource(): EnergySource | undefined {
    return this.#state.energySource
  }

  /** Values that cannot be true. */
  get implausible(): readonly ImplausibleValue[] {
    return this.#state.implausible
  }

  /** Every property of the model, in the order of its definition; `null` is unknown. */
  get state(): Readonly<State> {
    return this.#state.values
  }

  /** Whether the plug was read or written since the start. Before that there is no state to publish. */
  get isKnown(): boolean {
    return this.#state.isKnown
  }

  get availability(): Availability {
    return this.tracker.current
  }

  /** How many commands wait for their turn, and callers for a read. */
  get waiting(): number {
    return this.#queue.waiting + this.#resolver.waiting + this.#reads.waiting
  }

  /** How many milliseconds ago the request under way should have ended: 0 unless the transport has lost it. */
  overdue(): number {
    return this.#queue.overdue()
  }

  /** Takes the plug for offline although its first poll has not ended, since the bridge cannot wait longer to be online itself. */
  assumeOffline(): void {
    this.tracker.assumeOffline()
  }

  /**
   * Reads the properties that are due, and reports the result to the tracker.
   * @returns whether all of them were read: a poll ends early when a command or a read comes
   * @throws the transport's error when the relay could not be read; CommandError for a plug that answers in no dialect; PollPreempted
   */
  async poll(tier: PollTier): Promise<boolean> {
    this.#poll = new AbortController()
    const {signal} = this.#poll
    try {
      const model = await this.#resolver.ready()
      await this.#reader.poll(this.#failures.due(propertiesInTier(model, tier), tier), signal)
      this.tracker.pollSucceeded()
      return !signal.aborted
    } catch (error) {
      if (signal.aborted && isSilence(error)) throw new PollPreempted('a command came first')
      this.tracker.pollFailed(error)
      throw error
    } finally {
      this.#poll = undefined
    }
  }

  /**
   * Reads before all polls what slow polls read. Callers that wait for the same get the same answer.
   * @param deadline when the caller stops waiting, in ms of the clock
   * @param name a property that is wanted above all, even if it is in no slow poll
   * @throws CommandError
   */
  async read(deadline: number, name?: string): Promise<Readonly<State>> {
    this.#poll?.abort()
    try {
      const model = await this.#ready(deadline)
      if (name === undefined || this.#isReadOften(model, name))
        await this.#reads.join('all', deadline, (until) => this.#reader.read(this.#oftenRead(), until))
      else await this.#reads.join(`rare ${name}`, deadline, (until) => this.#readRare(name, until))
    } catch (error) {
      this.#fail(error)
    }
    return this.state
  }

  /**
   * Reads one property, and no more: the answer comes soon, or never. A plug that is silent meanwhile does not count as away.
   * @param deadline in ms of the clock
   * @throws CommandError
   */
  async ask(name: string, deadline: number): Promise<Value> {
    this.#poll?.abort()
    const {properties} = buildRead(this.#resolver.requireModel(), name)
    await this.#reads
      .join(`only ${name}`, deadline, (until) => this.#reader.read(properties, until))
      .catch((error) => this.#fail(error))
    return this.state[name] ?? null
  }

  /**
   * Validates and writes a value: `validate` and `write` in one.
   * @param sent `ON`, `off`, `true`, `1`, `TOGGLE` … @param deadline in ms of the clock
   * @throws CommandError
   */
  async set(name: string, sent: unknown, deadline: number): Promise<Value> {
    return this.write(name, this.validate(name, sent), deadline)
  }

  /**
   * Writes a value that `validate` returned, and resolves to the written value once the plug has accepted it. A read-back follows.
   * @param deadline in ms of the clock: the command is answered by then, and not sent afterwards
   * @throws CommandError
   */
  async write(name: string, wanted: CommandValue, deadline: number): Promise<Value> {
    this.#poll?.abort()
    const isAbsolute = wanted !== 'TOGGLE' && wanted !== null // a button press is no value that a newer one could replace
    return this.#queue
      .command(name, isAbsolute, deadline, () => this.#writer.write(name, wanted, deadline))
      .catch((error) => this.#fail(error))
  }

  /**
   * Sends a raw call once, since it is not known whether it may be repeated.
   * @param deadline in ms of the clock
   * @returns the plug's answer, unchecked. @throws CommandError
   */
  async call(method: string, params: unknown, deadline: number): Promise<unknown> {
    this.#poll?.abort()
    return this.#queue
      .command(`call ${method}`, false, deadline, () =>
        this.tracker.track(() => this.#transport.call(method, params, {deadline, tries: ONCE})),
      )
      .catch((error) => this.#fail(error))
  }

  /** The meaning of `sent` for the property `name`. @throws CommandError when the plug has no such property or value */
  validate(name: string, sent: unknown): CommandValue {
    const model = this.#resolver.requireModel()
    const known = Object.keys(model.properties)
    const writable = () => known.filter((each) => isWritable(propertyOf(model, each)))
    if (!Object.hasOwn(model.properties, name)) throw unknownProperty(name, known, writable(), excerpt(name))
    const property = propertyOf(model, name)
    if (!isWritable(property)) throw notWritable(name, sent, writable())
    return fromUser(name, property, sent)
  }

  /**
   * Waits until the model is known, by asking the plug if necessary.
   * @throws CommandError, `refused` for a plug that answers in no dialect
   */
  async ready({deadline}: CallOptions): Promise<void> {
    await this.#ready(deadline).catch((error) => this.#fail(error))
  }

  /**
   * Asks the plug for its model and firmware (`miIO.info`), and takes its model where none is configured or remembered.
   * @throws CommandError
   */
  async identify({deadline, tries}: CallOptions = {}): Promise<Identity> {
    await this.#reads
      .join(`identity, ${tries ?? 'all'} tries`, deadline, async (until) => {
        const request = () => this.#transport.call('miIO.info', [], {tries, deadline: until()})
        this.#resolver.applyInfo(await this.#queue.read(() => this.tracker.track(request)))
        const {pause} = this.model ?? {}
        if (pause !== undefined) await sleep(this.#clock, pause) // until then, other callers get this answer
      })
      .catch((error) => this.#fail(error))
    return this.identity
  }

  /** Runs a request that does not concern the properties, such as the search at a new address, in its turn before all polls. */
  enqueue<T>(request: () => Promise<T>): Promise<T> {
    return this.#queue.read(request)
  }

  /** Answers the commands that wait, lets one under way end within `grace` milliseconds, and sends and emits nothing any more. */
  async stop(grace: number): Promise<void> {
    this.#writer.stop()
    await this.#queue.stop(grace)
    this.#writer.stop() // a command under way may have ended
    this.removeAllListeners() // a poll under way may still get an answer: another plug may have the name by then
    this.#transport.close()
  }

  /**
   * A caller waits for the model: until its deadline the lookup is repeated when all its tries were lost. The error of the last
   * lookup says more than that there was no time left.
   */
  async #ready(deadline: number | undefined): Promise<Model> {
    let failure: unknown
    for (;;) {
      const begun = this.#clock.now()
      try {
        const model = this.#resolver.ready()
        return await this.#queue.answerBy(deadline, model, `no answer from ${this.name} in time`)
      } catch (error) {
        const now = this.#clock.now()
        if (failure === undefined || !(error instanceof CommandError)) failure = error
        // A lookup that fails at once, as with a plug that is stopped, would do so again.
        if (deadline === undefined || !isSilence(error) || now >= deadline || now === begun) throw failure
      }
    }
  }

  #isReadOften(model: Model, name: string): boolean {
    const isFailing = this.#resolver.capabilities.unsupported.has(name) || this.#failures.has(name)
    return propertiesInTier(model, 'slow').includes(name) && !isFailing
  }

  #oftenRead(): readonly string[] {
    return this.#failures.without(propertiesInTier(this.#resolver.requireModel(), 'slow'))
  }

  /** All that slow polls read, and `name`, which may have been left out until now. */
  async #readRare(name: string, until: () => number): Promise<void> {
    const wasLeftOut = this.#resolver.capabilities.retry(name)
    if (wasLeftOut) this.#failures.retry(name)
    const others = this.#oftenRead().filter((other) => other !== name)
    await this.#reader.read([...others, name], until)
    if (wasLeftOut && !this.unsupported.includes(name)) this.emit('metadataChanged')
  }

  /** @throws CommandError with what is known about the failure */
  #fail(error: unknown): never {
    const failure = toCommandError(error)
    const {code, message, deviceCode, cause} = failure
    const {remark, words} = diagnoseFailure(failure, this.#failureContext())
    if (!isCallFailure(cause) && code === 'timeout') throw new CommandError(code, `${message}: ${words}`)
    if (!isCallFailure(cause) || remark === undefined) throw failure
    throw new CommandError(code, `${message}; ${remark}`, deviceCode, cause)
  }
}
