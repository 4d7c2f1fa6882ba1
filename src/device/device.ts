/**
 * One running plug: a model, and something that answers calls. It shows a value only after the plug said so, and never lets
 * an answer that is older than a command undo it.
 */
import {EventEmitter} from 'node:events'
import {type Clock, sleep} from '../common/clock.ts'
import type {Model, PollTier, Value} from '../models/model.ts'
import {buildRead, propertiesInTier, propertyOf} from './codec/property-codec.ts'
import {notWritable, unknownProperty} from './codec/unknown-property.ts'
import {type CommandValue, excerpt, fromUser, isWritable, type State} from './codec/values.ts'
import {CommandError, isCallFailure, isRefusal, isSilence, toCommandError} from './command-error.ts'
import {CommandWriter} from './command-writer.ts'
import {type Diagnosis, diagnoseFailure, type FailureContext} from './diagnosis.ts'
import type {Identity} from './model/identity.ts'
import {ModelResolver} from './model/model-resolver.ts'
import type {Availability} from './polling/availability.ts'
import {FailureTracker} from './polling/failure-tracker.ts'
import {FirmwareCapabilities} from './polling/firmware-capabilities.ts'
import {PropertyReader} from './polling/property-reader.ts'
import {inTime, SharedReads} from './polling/shared-reads.ts'
import {expired, RequestQueue} from './request-queue.ts'
import {DeviceState, type StateUpdate} from './state/device-state.ts'
import type {EnergySource} from './state/energy-meter.ts'
import type {EnergyTrackingOptions} from './state/energy-tracking.ts'
import type {ImplausibleValue} from './state/plausibility.ts'
import {type CallOptions, READ_TRIES, type Transport} from './transport.ts'

interface DeviceEvents {
  /** The state is another than before. */
  change: []
  availability: [Availability]
  /** A poll under way got an answer about the relay of a plug that was not known to be there. */
  firstResponse: []
  /** The plug told its model and firmware. */
  identified: [Identity]
  /** There is something else to tell of its properties than before, beside their values. */
  metadataChanged: []
  /** Beside the polls: the plug answered (`undefined`), or failed to although it had as much time as for a poll. */
  requestFinished: [unknown]
  /** A poll or a command found nobody home: the plug may have moved. */
  pollFailed: [unknown]
  /** The plug does not do what it said: for a person to know. */
  warning: [string]
}

export interface DeviceOptions {
  name: string
  transport: Transport
  clock: Clock
  /** What is known of the plug beforehand, its model above all. What is missing the plug is asked. */
  identity?: Identity
  findModel: (id: string) => Model | undefined
  /** What is known of all plugs of a model and firmware; nothing unless told. */
  toleranceOf?: (model: string, firmware: string | undefined) => FirmwareCapabilities
  /** The model as its owner corrects it. */
  adjust?: (model: Model) => Model
  /** What is known around a failed call; nothing unless told. */
  circumstances?: () => FailureContext
  /** How its energy is kept. Without, its own counter is shown as it is, and nothing is added up. */
  energy?: EnergyTrackingOptions
}

/** Silence that ended sooner says nothing of the plug: its caller had no more time, or asked only once. */
const FAIR_MS = 4000
/** A poll gave way to a command: neither a success nor a failure. */
export class PollPreempted extends Error {
  override readonly name = 'Yielded'
}

export class Device extends EventEmitter<DeviceEvents> {
  readonly name: string
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #queue: RequestQueue<Value>
  readonly #perception: DeviceState
  readonly #recognition: ModelResolver
  readonly #suspicion = new FailureTracker()
  readonly #questions: PropertyReader
  readonly #switching: CommandWriter
  readonly #reads: SharedReads
  readonly #circumstances: () => FailureContext
  #availability: Availability = {state: 'unknown'}
  #poll: AbortController | undefined
  #readingBack: Promise<void> | undefined
  /** Whether there was a command since the last reading back began. */
  #isReadBackDue = false

  constructor(options: DeviceOptions) {
    super()
    const {
      name,
      transport,
      clock,
      identity = {},
      findModel,
      toleranceOf = () => new FirmwareCapabilities(),
    } = options
    this.name = name
    this.#transport = transport
    this.#clock = clock
    this.#circumstances = options.circumstances ?? (() => ({}))
    this.#queue = new RequestQueue(clock)
    this.#reads = new SharedReads(clock, name)
    this.#perception = new DeviceState({name, clock, energy: options.energy})
    this.#recognition = new ModelResolver({
      identity,
      findModel,
      toleranceOf,
      ask: (method, params, tries = READ_TRIES) =>
        this.#queue.read(() => transport.call(method, params, {tries})),
      adjust: options.adjust ?? ((model) => model),
      onModel: (model) => this.#perception.setModel(model),
      onIdentified: (told) => this.emit('identified', told),
    })
    const parts = {
      transport,
      clock,
      queue: this.#queue,
      perception: this.#perception,
      recognition: this.#recognition,
      suspicion: this.#suspicion,
      tell: (news: StateUpdate) => this.#tell(news),
    }
    this.#questions = new PropertyReader(parts, {
      isAwaited: () => this.#availability.state !== 'online',
      onReached: () => this.emit('firstResponse'),
      onLeftOut: (property) => this.#leaveOut(property),
    })
    const told: Transport = {
      call: (method, params, options) => this.#call(method, params, options),
      close: () => transport.close(),
    }
    this.#switching = new CommandWriter({...parts, transport: told}, () => this.#readBack())
  }

  /** What the plug told of itself, or what is remembered of it. */
  get identity(): Identity {
    return this.#recognition.identity
  }

  get model(): Model | undefined {
    return this.#recognition.model
  }

  /** Properties its firmware cannot be asked: found out, and remembered. */
  get unsupported(): readonly string[] {
    return [...this.#recognition.tolerance.unsupported]
  }

  /** Where its energy comes from. `undefined` for a plug that measures nothing. */
  get energySource(): EnergySource | undefined {
    return this.#perception.energySource
  }

  /** Values that cannot be true. */
  get implausible(): readonly ImplausibleValue[] {
    return this.#perception.implausible
  }

  /** Every property of the model, in the order of its definition; `null` is unknown. */
  get state(): Readonly<State> {
    return this.#perception.state
  }

  /** Whether the plug was ever read since the start: before that there is nothing to tell. */
  get isKnown(): boolean {
    return this.#perception.known
  }

  get availability(): Availability {
    return this.#availability
  }

  /** Commands that wait for their turn, and callers that wait for a read. */
  get waiting(): number {
    return this.#queue.waiting + this.#recognition.waiting + this.#reads.waiting
  }

  /** How many milliseconds ago the request under way had to end: 0 unless the transport has lost it. */
  overdue(): number {
    return this.#queue.overdue()
  }

  /** Why a call, poll or command failed, as far as is known. */
  diagnose(error: unknown): Diagnosis {
    return diagnoseFailure(error, this.#circumstances())
  }

  /** Takes the plug for silent, although its first poll has not ended: an availability cannot be waited for any longer. */
  assumeOffline(): void {
    if (this.#availability.state !== 'unknown') return
    const {reason, words: message} = this.diagnose(new CommandError('timeout', 'no answer yet'))
    this.setAvailability({state: 'offline', reason, since: this.#clock.date(), message})
  }

  setAvailability(availability: Availability): void {
    this.#availability = availability
    this.emit('availability', availability)
  }

  /**
   * Reads what is due and shows it.
   * @returns whether it came to everything: it stops when a command waits
   * @throws the transport's error when the relay could not be read; CommandError for a plug that speaks no dialect; Yielded
   */
  async poll(lane: PollTier): Promise<boolean> {
    this.#poll = new AbortController()
    const {signal} = this.#poll
    try {
      const model = await this.#recognition.ready()
      const due = this.#suspicion.due(propertiesInTier(model, lane), lane)
      await this.#questions.ask(due, 'poll', {signal})
      return !signal.aborted
    } catch (error) {
      if (signal.aborted && isCallFailure(error) && error.code === 'timeout')
        throw new PollPreempted('a command came first')
      throw error
    } finally {
      this.#poll = undefined
    }
  }

  /**
   * Reads now, before any poll, all but what is hardly ever read. Who asks while another waits for the same gets the same answer.
   * @param deadline when the caller stops waiting, on the clock
   * @param name what is wanted above all, even if it is never asked otherwise
   * @throws CommandError
   */
  async read(deadline: number, name?: string): Promise<Readonly<State>> {
    this.#poll?.abort()
    try {
      const model = await this.#ready(deadline)
      if (name === undefined || this.#isReadOften(model, name))
        await this.#reads.join('all', deadline, (until) => this.#questioned(this.#oftenRead(), until))
      else await this.#reads.join(`rare ${name}`, deadline, (until) => this.#readRare(name, until))
    } catch (error) {
      this.#fail(error)
    }
    return this.state
  }

  /**
   * Reads one property, and no more: the answer is there soon, or never. Silence says nothing about whether the plug is away.
   * @param deadline on the clock
   * @throws CommandError
   */
  async ask(name: string, deadline: number): Promise<Value> {
    this.#poll?.abort()
    const {properties} = buildRead(this.#recognition.describedModel(), name)
    await this.#reads
      .join(`only ${name}`, deadline, (until) => this.#questioned(properties, until))
      .catch((error) => this.#fail(error))
    return this.state[name] ?? null
  }

  /**
   * Brings a property to a value, and resolves with the one that was written once the plug said `ok`; a read-back follows.
   * @param sent `ON`, `off`, `true`, `1`, `TOGGLE` … @param deadline on the clock: the command is gone by then
   * @throws CommandError
   */
  async set(name: string, sent: unknown, deadline: number): Promise<Value> {
    return this.write(name, this.validate(name, sent), deadline)
  }

  /**
   * Writes a value that `validate` returned, and resolves with the written one once the plug answered `ok`; a read-back follows.
   * @param deadline on the clock: the command is gone by then
   * @throws CommandError
   */
  async write(name: string, wanted: CommandValue, deadline: number): Promise<Value> {
    this.#poll?.abort()
    return this.#switching.set(name, wanted, deadline).catch((error) => this.#fail(error))
  }

  /**
   * A call that nobody described, sent once: nobody knows whether it may be repeated.
   * @param deadline on the clock. @throws CommandError
   */
  async call(method: string, params: unknown, deadline: number): Promise<unknown> {
    this.#poll?.abort()
    return this.#switching.call(method, params, deadline).catch((error) => this.#fail(error))
  }

  /** What `sent` would mean for the property `name`. @throws CommandError when the plug has no such thing or value */
  validate(name: string, sent: unknown): CommandValue {
    const model = this.#recognition.describedModel()
    const known = Object.keys(model.properties)
    const writable = () => known.filter((each) => isWritable(propertyOf(model, each)))
    if (!Object.hasOwn(model.properties, name)) throw unknownProperty(name, known, writable(), excerpt(name))
    const wanted = propertyOf(model, name)
    if (!isWritable(wanted)) throw notWritable(name, sent, writable())
    return fromUser(name, wanted, sent)
  }

  /**
   * Sees to it that the model is known, by asking the plug if need be.
   * @throws CommandError, `refused` for a plug that speaks no dialect
   */
  async ready({deadline}: CallOptions): Promise<void> {
    await this.#ready(deadline).catch((error) => this.#fail(error))
  }

  /**
   * Asks the plug who it is (`miIO.info`), and takes its word for its model where none was given.
   * @throws CommandError
   */
  async identify({deadline, tries = READ_TRIES}: CallOptions = {}): Promise<Identity> {
    await this.#reads
      .join(`identity, ${tries} tries`, deadline, async (until) => {
        const ask = () => this.#call('miIO.info', [], {tries, deadline: until()})
        this.#recognition.learn(await this.#queue.read(ask))
        const {pause} = this.model ?? {}
        if (pause !== undefined) await sleep(this.#clock, pause) // until then, whoever asks gets this answer
      })
      .catch((error) => this.#fail(error))
    return this.identity
  }

  /** Answers what waits, lets a command under way end within `grace` milliseconds, asks nothing any more, and tells nothing. */
  async stop(grace: number): Promise<void> {
    this.#switching.stop()
    await this.#queue.stop(grace)
    this.#switching.stop() // a command under way may have come to its end
    this.removeAllListeners() // a poll under way may still come to something: its name may be somebody else's by then
    this.#transport.close()
  }

  /**
   * Somebody waits for the plug to say what it is: until the deadline it is asked anew when all tries of a question were lost. Why the
   * last of them failed says more than that there was no time left.
   */
  async #ready(deadline: number | undefined): Promise<Model> {
    let failure: unknown
    for (;;) {
      const begun = this.#clock.now()
      try {
        return await inTime(this.#clock, deadline, this.#recognition.ready(), this.name)
      } catch (error) {
        const now = this.#clock.now()
        if (failure === undefined || !(error instanceof CommandError)) failure = error
        // What ends at once, as with a plug that is stopped, would do so again.
        if (deadline === undefined || !isSilence(error) || now >= deadline || now === begun) throw failure
      }
    }
  }

  #isReadOften(model: Model, name: string): boolean {
    const isDoubtful = this.#recognition.tolerance.unsupported.has(name) || this.#suspicion.has(name)
    return propertiesInTier(model, 'slow').includes(name) && !isDoubtful
  }

  #leaveOut(name: string): void {
    this.emit('warning', `cannot be asked for ${name}, and will not be any more: its firmware fails at that`)
    this.emit('metadataChanged')
  }

  #tell({changed, described, warnings}: StateUpdate): void {
    for (const warning of warnings) this.emit('warning', warning)
    if (changed) this.emit('change')
    if (described) this.emit('metadataChanged')
  }

  /** @throws CommandError that says what is known of the failure */
  #fail(error: unknown): never {
    const failure = toCommandError(error)
    const {code, message, deviceCode, cause} = failure
    const {remark, words} = this.diagnose(failure)
    if (!isCallFailure(cause) && code === 'timeout') throw new CommandError(code, `${message}: ${words}`)
    if (!isCallFailure(cause) || remark === undefined) throw failure
    throw new CommandError(code, `${message}; ${remark}`, deviceCode, cause)
  }

  /** All but what is hardly ever read, and `name`, which may have been left out until now. */
  async #readRare(name: string, until: () => number): Promise<void> {
    const wasOut = this.#recognition.tolerance.retry(name)
    if (wasOut) this.#suspicion.giveAnotherChance(name)
    const others = this.#oftenRead().filter((other) => other !== name)
    await this.#questioned([...others, name], until)
    if (wasOut && !this.unsupported.includes(name)) this.emit('metadataChanged')
  }

  #oftenRead(): readonly string[] {
    return this.#suspicion.without(propertiesInTier(this.#recognition.describedModel(), 'slow'))
  }

  /**
   * Some firmware says ok and does nothing (docs/protocol.md §1.7). Watts follow the relay, so they are read again too. While
   * that waits, any number of commands is read back together.
   */
  #readBack(): void {
    this.#isReadBackDue = true
    this.#readingBack ??= this.#readBackAll().finally(() => {
      this.#readingBack = undefined
    })
  }

  async #readBackAll(): Promise<void> {
    while (this.#isReadBackDue) {
      this.#isReadBackDue = false
      const names = new Set([
        ...this.#suspicion.without(propertiesInTier(this.#recognition.describedModel(), 'fast')),
        ...this.#perception.unconfirmed,
      ])
      try {
        await this.#questioned([...names])
      } catch (error) {
        if (!isCallFailure(error) && !(error instanceof CommandError)) throw error // the next poll reads it back
      }
    }
  }

  /** A reading is one exchange, however many requests it takes. @param until when to give up, on the clock */
  async #questioned(names: readonly string[], until = () => Number.POSITIVE_INFINITY): Promise<void> {
    let begun: number | undefined
    const deadline = () => {
      const now = this.#clock.now()
      if (begun === undefined && until() <= now) throw expired()
      begun ??= now
      return until()
    }
    try {
      await this.#questions.ask(names, 'read', {deadline})
    } catch (error) {
      if (!isRefusal(error)) this.#failed(error, begun)
      throw error
    }
    this.emit('requestFinished', undefined)
  }

  /** A call that is an exchange of its own. To refuse it is to answer. */
  async #call(method: string, params: unknown, options?: CallOptions): Promise<unknown> {
    const begun = this.#clock.now()
    try {
      const answer = await this.#transport.call(method, params, options)
      this.emit('requestFinished', undefined)
      return answer
    } catch (error) {
      if (isRefusal(error)) this.emit('requestFinished', undefined)
      else this.#failed(error, begun)
      throw error
    }
  }

  /** @param begun when the plug was first asked, on the clock */
  #failed(error: unknown, begun = this.#clock.now()): void {
    const isCutShort = isSilence(error) && this.#clock.now() - begun < FAIR_MS
    if (!isCutShort) this.emit('requestFinished', error)
  }
}
