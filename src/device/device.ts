/**
 * The running protocol session of one plug: its model, state and availability, and the queue of its requests.
 * A command: Device.write, RequestQueue, CommandWriter, property-codec.ts, Transport. A poll: Poller, Device.poll, property-reader.ts,
 * RequestQueue, Transport, property-codec.ts, DeviceState. A value is shown only after the plug has reported or accepted it.
 */
import {type Clock, sleep} from '../common/clock.ts'
import type {Model, PollTier, Value} from '../models/model.ts'
import {buildRead, propertiesInTier} from './codec/property-codec.ts'
import {validateCommand} from './codec/validation.ts'
import type {CommandValue, State} from './codec/values.ts'
import {CommandError, isCallFailure, isSilence, toCommandError} from './command-error.ts'
import {CommandWriter} from './command-writer.ts'
import {diagnoseFailure, type FailureContext} from './diagnosis.ts'
import type {Emitter} from './emitter.ts'
import {type Identity, type IdentityEvents, type ModelOptions, ModelResolver} from './model-resolver.ts'
import {type Availability, type AvailabilityEvents, AvailabilityTracker} from './polling/availability.ts'
import {FailureTracker} from './polling/firmware-capabilities.ts'
import {type DeviceParts, pollProperties, readProperties} from './polling/property-reader.ts'
import {RequestQueue, SharedReads} from './request-queue.ts'
import {DeviceState, type StateEvents} from './state/device-state.ts'
import type {EnergySource} from './state/energy-meter.ts'
import type {EnergyTrackingOptions} from './state/energy-tracking.ts'
import type {ImplausibleValue} from './state/plausibility.ts'
import {type CallOptions, ONCE, type Transport} from './transport.ts'

interface DeviceEvents extends StateEvents, AvailabilityEvents, IdentityEvents {}

/** Gets the events of a device: one method for each event that it needs, called at once. */
export type DeviceListener = {[Event in keyof DeviceEvents]?: (...args: DeviceEvents[Event]) => void}

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

const NOTHING_KNOWN = (): FailureContext => ({})

/** AbortControllers of polls that ended uninterrupted, as most do, for later polls: making one costs as much as all other bookkeeping of a poll. */
const idleInterrupts: AbortController[] = []

/** One plug as the bridge uses it: state, availability, reads and commands. */
export class Device implements Emitter<DeviceEvents> {
  readonly name: string
  /** Gets the events, until the device is stopped. */
  listener: DeviceListener = {}
  /** Decides whether the plug is online. `availability` is its result. */
  readonly tracker: AvailabilityTracker
  readonly #parts: DeviceParts
  /** Made with the first command: most of ten thousand plugs never get one. */
  #writer: CommandWriter | undefined
  readonly #reads: SharedReads
  readonly #failureContext: () => FailureContext
  /** When the first poll began, in ms of the clock. */
  #firstPollAt: number | undefined
  /** Interrupts the poll under way. */
  #poll: AbortController | undefined

  constructor(options: DeviceOptions) {
    const {name, transport, clock, energy, offlineAfter = 3, failureContext = NOTHING_KNOWN} = options
    const {identity, findModel, adjust, capabilitiesOf} = options
    this.name = name
    this.tracker = new AvailabilityTracker({clock, offlineAfter, failureContext, events: this})
    const queue = new RequestQueue(clock)
    const state = new DeviceState({name, clock, energy, events: this})
    this.#parts = {
      clock,
      transport,
      queue,
      state,
      // A literal with every field: V8 makes a hidden class of its own for each result of an object spread, which is 400 bytes a plug.
      resolver: new ModelResolver({
        identity,
        findModel,
        adjust,
        capabilitiesOf,
        queue,
        transport,
        state,
        events: this,
      }),
      availability: this.tracker,
      failures: new FailureTracker(),
      events: this,
    }
    this.#reads = new SharedReads(clock, name)
    this.#failureContext = failureContext
  }

  /** What the plug reported of itself, or what is remembered of it. */
  get identity(): Identity {
    return this.#parts.resolver.identity
  }

  get model(): Model | undefined {
    return this.#parts.resolver.model
  }

  /** Properties that its firmware cannot be asked for: found by polls, and remembered. */
  get unsupported(): readonly string[] {
    return this.model ? [...this.#parts.resolver.capabilities.unsupported] : []
  }

  /** Where its energy comes from. `undefined` for a plug that measures nothing. */
  get energySource(): EnergySource | undefined {
    return this.#parts.state.energySource
  }

  /** Values that cannot be true. */
  get implausible(): readonly ImplausibleValue[] {
    return this.#parts.state.implausible
  }

  /** Every property of the model, in the order of its definition; `null` is unknown. */
  get state(): Readonly<State> {
    return this.#parts.state.values
  }

  /** Whether the plug was read or written since the start. Before that there is no state to publish. */
  get isKnown(): boolean {
    return this.#parts.state.isKnown
  }

  get availability(): Availability {
    return this.tracker.current
  }

  /** How many commands wait for their turn, and callers for a read. */
  get waiting(): number {
    return this.#parts.queue.waiting + this.#reads.waiting
  }

  /** How many milliseconds ago a request was given up: 0 unless the transport has lost it. */
  overdue(): number {
    return this.#parts.queue.overdue()
  }

  /** Passes an event of one of its parts on to the listener. */
  emit<Event extends keyof DeviceEvents>(event: Event, ...args: DeviceEvents[Event]): void {
    this.listener[event]?.(...args)
  }

  /**
   * Takes the plug for offline although its first poll has not ended, since the bridge cannot wait longer to be online itself.
   * @param ms how long the first poll must have lasted: one that has not begun, or just now, shows nothing about the plug
   */
  assumeOffline(ms: number): void {
    const {clock} = this.#parts
    if (this.#firstPollAt !== undefined && clock.now() - this.#firstPollAt >= ms) this.tracker.assumeOffline()
  }

  /** The next poll comes `ms` milliseconds later, since this machine cannot keep up: no poll was missed, and energy is counted. */
  pollPostponed(ms: number): void {
    this.#parts.state.pollPostponed(ms)
  }

  /**
   * Reads the properties that are due, and reports the result to the tracker.
   * @returns whether all of them were read: a poll that a command or a read interrupts is neither a success nor a failure
   * @throws the transport's error when the relay could not be read; CommandError for a plug that answers in no dialect
   */
  async poll(tier: PollTier): Promise<boolean> {
    const {resolver, failures, clock} = this.#parts
    this.#firstPollAt ??= clock.now()
    const interrupt = idleInterrupts.pop() ?? new AbortController()
    const {signal} = interrupt
    this.#poll = interrupt
    try {
      const model = resolver.model ?? (await resolver.lookUp())
      await pollProperties(this.#parts, failures.due(propertiesInTier(model, tier), tier), signal)
      this.tracker.pollSucceeded()
      return !signal.aborted
    } catch (error) {
      if (signal.aborted && isSilence(error)) return false
      this.tracker.pollFailed(error)
      this.#parts.state.pollFailed()
      throw error
    } finally {
      this.#poll = undefined
      if (!signal.aborted) idleInterrupts.push(interrupt)
    }
  }

  /**
   * Reads before all polls what slow polls read. Callers that wait for the same get the same response.
   * @param deadline when the caller stops waiting, in ms of the clock
   * @param name a property that is wanted above all, even if it is in no slow poll
   * @throws CommandError
   */
  async read(deadline: number, name?: string): Promise<Readonly<State>> {
    this.#poll?.abort()
    try {
      if (!this.model) await this.#lookUp(deadline)
      if (name === undefined || (this.#slowTierNames().includes(name) && !this.unsupported.includes(name)))
        await this.#reads.join('all', deadline, (until) =>
          readProperties(this.#parts, this.#slowTierNames(), until),
        )
      else await this.#reads.join(`rare ${name}`, deadline, (until) => this.#readRare(name, until))
    } catch (error) {
      this.#throwCommandError(error)
    }
    return this.state
  }

  /**
   * Reads one property only, in one request. A timeout shorter than 4 s does not count for the availability.
   * @param deadline in ms of the clock
   * @throws CommandError
   */
  async readProperty(name: string, deadline: number): Promise<Value> {
    this.#poll?.abort()
    const {properties} = buildRead(this.#parts.resolver.requireModel(), name)
    await this.#reads
      .join(`only ${name}`, deadline, (until) => readProperties(this.#parts, properties, until))
      .catch((error) => this.#throwCommandError(error))
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
  write(name: string, wanted: CommandValue, deadline: number): Promise<Value> {
    this.#poll?.abort()
    const isAbsolute = wanted !== 'TOGGLE' && wanted !== null // a button press is no value that a newer one could replace
    return this.#parts.queue
      .command(name, isAbsolute, deadline, () => {
        this.#writer ??= new CommandWriter(this.#parts)
        return this.#writer.write(name, wanted, deadline)
      })
      .catch((error) => this.#throwCommandError(error))
  }

  /**
   * Sends a raw call once, since it is not known whether it may be repeated.
   * @param deadline in ms of the clock
   * @returns the plug's response, unchecked. @throws CommandError
   */
  rawCall(method: string, params: unknown, deadline: number): Promise<unknown> {
    const {queue, transport} = this.#parts
    this.#poll?.abort()
    return queue
      .command(`call ${method}`, false, deadline, () =>
        this.tracker.track(transport.call(method, params, {deadline, tries: ONCE}), deadline),
      )
      .catch((error) => this.#throwCommandError(error))
  }

  /** The meaning of `sent` for the property `name`. @throws CommandError when the plug has no such property or value */
  validate(name: string, sent: unknown): CommandValue {
    return validateCommand(this.#parts.resolver.requireModel(), name, sent)
  }

  /**
   * Waits until the model is known, by asking the plug if necessary.
   * @throws CommandError, `refused` for a plug that answers in no dialect
   */
  async ready({deadline}: {deadline: number}): Promise<void> {
    if (!this.model) await this.#lookUp(deadline).catch((error) => this.#throwCommandError(error))
  }

  /**
   * Asks the plug for its model and firmware (`miIO.info`), and takes its model where none is configured or remembered.
   * @throws CommandError
   */
  async identify({deadline = Number.POSITIVE_INFINITY, tries}: CallOptions = {}): Promise<Identity> {
    const {clock, queue, transport, resolver} = this.#parts
    await this.#reads
      .join(`identity, ${tries ?? 'all'} tries`, deadline, async (until) => {
        const info = await queue.read(() => {
          const options = {tries, deadline: until()}
          return this.tracker.track(transport.call('miIO.info', [], options), options.deadline)
        })
        resolver.applyInfo(info)
        const {pause} = this.model ?? {}
        if (pause !== undefined) await sleep(clock, pause) // until then, other callers get this response
      })
      .catch((error) => this.#throwCommandError(error))
    return this.identity
  }

  /** Runs a request that does not concern the properties, such as the search at a new address, in its turn before all polls. */
  enqueue<T>(request: () => Promise<T>): Promise<T> {
    return this.#parts.queue.read(request)
  }

  /** Rejects the commands that wait, lets one under way end within `grace` milliseconds, and sends and emits nothing any more. */
  async stop(grace: number): Promise<void> {
    const {queue, transport} = this.#parts
    this.#writer?.stop()
    await queue.stop(grace)
    this.#writer?.stop() // a command under way may have ended
    this.listener = {} // a poll under way may still get a response: another plug may have the name by then
    transport.close()
  }

  /** A caller waits for the model: the lookup is repeated until its deadline. */
  #lookUp(deadline: number): Promise<void> {
    return this.#reads.join('model', deadline, () => this.#parts.resolver.lookUp())
  }

  /** What slow polls read, but for properties that failed lately. */
  #slowTierNames(): readonly string[] {
    const {resolver, failures} = this.#parts
    return failures.without(propertiesInTier(resolver.requireModel(), 'slow'))
  }

  /** All that slow polls read, and `name`, which may have been left out until now. */
  async #readRare(name: string, until: () => number): Promise<void> {
    const {resolver, failures} = this.#parts
    const wasLeftOut = resolver.capabilities.retry(name)
    if (wasLeftOut) failures.retry(name)
    const others = this.#slowTierNames().filter((other) => other !== name)
    await readProperties(this.#parts, [...others, name], until)
    if (wasLeftOut && !this.unsupported.includes(name)) this.emit('metadataChanged')
  }

  /** @throws CommandError with what is known about the failure */
  #throwCommandError(error: unknown): never {
    const failure = toCommandError(error)
    const {code, message, deviceCode, cause} = failure
    const {message: finding, detail} = diagnoseFailure(failure, this.#failureContext())
    if (!isCallFailure(cause) && code === 'timeout') throw new CommandError(code, `${message}: ${finding}`)
    if (!isCallFailure(cause) || detail === undefined) throw failure
    throw new CommandError(code, `${message}; ${detail}`, deviceCode, cause)
  }
}
