/**
 * The state of one plug: the value of each property as last read or written, its energy, and its implausible values.
 * A response to a request that was sent before a command never undoes the command (docs/promises.md 25).
 */
import type {Clock} from '../../common/clock.ts'
import type {Model, Value} from '../../models/model.ts'
import {isReadFromPlug} from '../codec/property-codec.ts'
import type {State} from '../codec/values.ts'
import type {Emitter} from '../emitter.ts'
import type {EnergySource} from './energy-meter.ts'
import {EnergyTracking, type EnergyTrackingOptions, stuckCounterWarning} from './energy-tracking.ts'
import {type ImplausibleValue, implausibleWarning, Plausibility} from './plausibility.ts'

export interface StateEvents {
  /** The state is another than before, or known for the first time. */
  stateChanged: []
  /** Something about the properties changed beside their values: the energy source, implausible values, properties left out. */
  metadataChanged: []
  /** The plug behaves wrongly: a sentence for the log, without its subject. */
  warning: [string]
}

interface DeviceStateOptions {
  /** What the user called the plug. */
  name: string
  clock: Clock
  /** How energy is added up. Without it, the plug's own counter is shown unchanged, and nothing is added up. */
  energy?: EnergyTrackingOptions | undefined
  events: Emitter<StateEvents>
}

/** The decoded response to one request. */
export interface ReadResult {
  /** The number of the request, from `nextRequest()`. */
  request: number
  values: State
  /** The firmware's values, before they were scaled. */
  raw?: Readonly<Record<string, unknown>>
}

/** A property that a command has set. */
interface WrittenProperty {
  /** The number of the command's request: a response to an earlier request does not count. */
  request: number
  /** The value that the plug accepted and that was not read back yet. */
  unconfirmed?: Value | undefined
}

/** The values of one plug. Emits `stateChanged`, `metadataChanged` and `warning`. */
export class DeviceState {
  /** Whether the plug was read or written since the start. Before that there is no state to publish. */
  isKnown = false
  readonly #options: DeviceStateOptions
  #values: State = {}
  #properties: Model['properties'] = {}
  /** For a plug that measures power or energy, where energy is added up. */
  #energy: EnergyTracking | undefined
  #plausibility: Plausibility | undefined
  #requests = 0
  /** By property. Most of ten thousand plugs never get a command: they need no map. */
  #written: Map<string, WrittenProperty> | undefined
  /** Milliseconds since 1970. */
  #lastSeen: number | undefined

  constructor(options: DeviceStateOptions) {
    this.#options = options
  }

  /** The plug has this model. All values are unknown until they are read. */
  setModel(model: Model): void {
    const {energy, clock} = this.#options
    const isMetered = energy !== undefined && 'energy_today' in model.properties
    this.#properties = model.properties
    const withValue = Object.entries(model.properties).filter(([, {kind}]) => kind !== 'button')
    this.#values = Object.fromEntries(withValue.map(([name]) => [name, null]))
    this.#energy = isMetered ? new EnergyTracking(model, clock, energy) : undefined
    this.#plausibility = new Plausibility(model)
  }

  /** Every property of the model that has a value, in the order of its definition; `null` is unknown. */
  get values(): Readonly<State> {
    if (!('last_seen' in this.#values)) return this.#values
    return {
      ...this.#values,
      last_seen: this.#lastSeen === undefined ? null : new Date(this.#lastSeen).toISOString(),
    }
  }

  /** The properties that were written and not read back yet. */
  get unconfirmed(): readonly string[] {
    const written = [...(this.#written ?? [])].filter(([, {unconfirmed}]) => unconfirmed !== undefined)
    return written.map(([name]) => name)
  }

  /** Where the energy comes from. `undefined` for a plug that measures nothing. */
  get energySource(): EnergySource | undefined {
    const {energy} = this.#properties
    return this.#energy?.source ?? (energy && (energy.address.via === 'bridge' ? 'integrated' : 'plug'))
  }

  /** Values that cannot be true. */
  get implausible(): readonly ImplausibleValue[] {
    return this.#plausibility?.flagged ?? []
  }

  /** The number of a request that is about to be sent: requests are numbered in the order in which they are sent. */
  nextRequest(): number {
    return ++this.#requests
  }

  /** The next poll comes so many milliseconds later than it was due. */
  pollPostponed(ms: number): void {
    this.#energy?.pollPostponed(ms)
  }

  pollFailed(): void {
    this.#energy?.pollFailed()
  }

  /** The plug answered a request. */
  markSeen(): void {
    this.#lastSeen = this.#options.clock.date().getTime()
  }

  /** A command for a property is about to be sent. */
  beginWrite(name: string): void {
    this.#written ??= new Map()
    this.#written.set(name, {...this.#written.get(name), request: this.nextRequest()})
  }

  /** The plug accepted the value. */
  confirmWrite(name: string, value: Value): void {
    const written = this.#written?.get(name)
    if (written) written.unconfirmed = value
    if (this.#setValues({[name]: value})) this.#options.events.emit('stateChanged')
  }

  /**
   * Takes the values of responses, but for those that a later command has changed.
   * @param results the responses of one exchange, in the order of their requests
   * @param requested the properties that were asked for: those without a response become unknown
   * @param isPoll whether the values were read together, so that they can be compared with each other
   */
  applyReadings(results: readonly ReadResult[], requested: readonly string[], isPoll: boolean): void {
    const {name: plug, events} = this.#options
    const values: State = {}
    const raw: Record<string, unknown> = {}
    const warnings: string[] = []
    const missing = requested.filter((name) => !results.some((result) => Object.hasOwn(result.values, name)))
    for (const result of missing.length > 0 ? [...results, this.#unknown(missing)] : results)
      for (const name of Object.keys(result.values)) {
        if ((this.#written?.get(name)?.request ?? 0) > result.request) continue
        const value = result.values[name] ?? null
        raw[name] = result.raw?.[name]
        values[name] = value
        const contradiction = this.#contradiction(name, value)
        if (contradiction) warnings.push(contradiction)
      }
    const energy = this.#energy?.read(values)
    const isChanged = this.#setValues(Object.assign(values, energy?.values))
    const plausibility = isPoll ? this.#plausibility?.check(values, raw) : undefined
    if (energy?.isStuck) warnings.push(stuckCounterWarning(plug))
    for (const found of plausibility?.found ?? []) warnings.push(implausibleWarning(plug, found))
    for (const warning of warnings) events.emit('warning', warning)
    if (isChanged) events.emit('stateChanged')
    if (energy?.isStuck || plausibility?.isChanged) events.emit('metadataChanged')
  }

  /** Those of `names` that the plug itself has a value for, as unknown. */
  #unknown(names: readonly string[]): ReadResult {
    const values: State = {}
    for (const name of names) {
      const property = this.#properties[name]
      if (property && isReadFromPlug(property)) values[name] = null
    }
    return {request: this.nextRequest(), values}
  }

  /** @returns whether the state is another than before, or known for the first time */
  #setValues(values: Readonly<State>): boolean {
    const isSame = Object.keys(values).every((name) => this.#values[name] === values[name])
    if (this.isKnown && isSame) return false
    this.isKnown = true
    if (!isSame) this.#values = {...this.#values, ...values}
    return true
  }

  /** Some firmware accepts a value and does not take it over (docs/protocol.md §1.7). @returns a warning, if so */
  #contradiction(name: string, value: Value): string | undefined {
    const written = this.#written?.get(name)
    const expected = written?.unconfirmed
    if (written === undefined || expected === undefined) return undefined
    written.unconfirmed = undefined
    if (this.#agree(name, expected, value)) return undefined
    return `the plug confirmed ${name} ${expected}, but now reports ${name} ${value ?? 'unknown'}`
  }

  /** A countdown may have gone on by a step meanwhile. */
  #agree(name: string, expected: Value, value: Value): boolean {
    const property = this.#properties[name]
    if (property?.kind !== 'number' || typeof expected !== 'number' || typeof value !== 'number')
      return expected === value
    return Math.abs(expected - value) <= Math.max(property.step, Math.abs(property.scale))
  }
}
