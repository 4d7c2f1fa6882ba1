/**
 * The state of one plug: the value of each property as last read or written, its energy, and its implausible values.
 * An answer to a request that was sent before a command never undoes the command (docs/promises.md 25).
 */
import type {EventEmitter} from 'node:events'
import type {Clock} from '../../common/clock.ts'
import type {Model, Value} from '../../models/model.ts'
import type {State} from '../codec/values.ts'
import type {EnergySource} from './energy-meter.ts'
import {
  EnergyTracking,
  type EnergyTrackingOptions,
  type EnergyUpdate,
  METERED,
  stuckCounterWarning,
} from './energy-tracking.ts'
import {type ImplausibleValue, implausibleWarning, Plausibility} from './plausibility.ts'

export interface StateEvents {
  /** The state is another than before, or known for the first time. */
  change: []
  /** Something about the properties changed beside their values: the energy source, implausible values, properties left out. */
  metadataChanged: []
  /** The plug behaves wrongly: a sentence for the log, without its subject. */
  warning: [string]
}

export interface DeviceStateOptions {
  /** What the user called the plug. */
  name: string
  clock: Clock
  /** How energy is added up. Without it, the plug's own counter is shown unchanged, and nothing is added up. */
  energy?: EnergyTrackingOptions | undefined
  events: Pick<EventEmitter<StateEvents>, 'emit'>
}

/** The decoded answer to one request. */
export interface ReadResult {
  /** The number of the request, from `nextRequest()`. */
  request: number
  values: State
  /** The firmware's values, before they were scaled. */
  raw?: Readonly<Record<string, unknown>>
}

/** A property that a command has set. */
interface WrittenProperty {
  /** The number of the command's request: an answer to an earlier request does not count. */
  request: number
  /** The value that the plug accepted and that was not read back yet. */
  unconfirmed?: Value | undefined
}

/** The values of one plug. Emits `change`, `metadataChanged` and `warning`. */
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
  #lastSeen: Date | undefined

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
    return {...this.#values, last_seen: this.#lastSeen?.toISOString() ?? null}
  }

  /** The properties that were written and not read back yet. */
  get unconfirmed(): readonly string[] {
    return [...(this.#written ?? [])].flatMap(([name, {unconfirmed}]) =>
      unconfirmed === undefined ? [] : [name],
    )
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

  /** The plug answered a request. */
  markSeen(): void {
    this.#lastSeen = this.#options.clock.date()
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
    if (this.#setValues({[name]: value})) this.#options.events.emit('change')
  }

  /**
   * Takes the values of answers, but for those that a later command has changed.
   * @param results the answers of one exchange, in the order of their requests
   * @param requested the properties that were asked for: those without an answer become unknown
   * @param isPoll whether the values were read together, so that they can be compared with each other
   */
  applyReadings(results: readonly ReadResult[], requested: readonly string[], isPoll: boolean): void {
    const missing = {request: this.nextRequest(), values: this.#missingValues(results, requested)}
    const {values, raw, contradictions} = this.#merge([...results, missing])
    const shown = this.#energy ? withoutMetered(values) : values
    const isChanged = this.#setValues(shown)
    const energy = this.#energy?.read(values)
    const isEnergyChanged = energy !== undefined && this.#setValues(energy.values)
    const judgement = isPoll ? this.#plausibility?.judge(values, raw) : undefined
    this.#report(contradictions, energy, judgement?.found ?? [])
    if (isChanged || isEnergyChanged) this.#options.events.emit('change')
    if (energy?.isStuck || judgement?.isChanged) this.#options.events.emit('metadataChanged')
  }

  #report(
    contradictions: readonly string[],
    energy: EnergyUpdate | undefined,
    found: readonly ImplausibleValue[],
  ): void {
    const {name, events} = this.#options
    for (const contradiction of contradictions) events.emit('warning', contradiction)
    if (energy?.isStuck) events.emit('warning', stuckCounterWarning(name))
    for (const implausible of found) events.emit('warning', implausibleWarning(name, implausible))
  }

  #missingValues(results: readonly ReadResult[], requested: readonly string[]): State {
    const answered = new Set(results.flatMap(({values}) => Object.keys(values)))
    const missing = requested.filter((name) => !answered.has(name) && this.#isReadFromPlug(name))
    return Object.fromEntries(missing.map((name) => [name, null]))
  }

  #isReadFromPlug(name: string): boolean {
    const via = this.#properties[name]?.address.via
    return via !== undefined && via !== 'bridge' && via !== 'action'
  }

  /** The latest value of each property, without those that a command has overtaken. */
  #merge(results: readonly ReadResult[]) {
    const values: State = {}
    const raw: Record<string, unknown> = {}
    const contradictions: string[] = []
    for (const result of results)
      for (const [name, value] of Object.entries(result.values)) {
        if ((this.#written?.get(name)?.request ?? 0) > result.request) continue
        raw[name] = result.raw?.[name]
        contradictions.push(...this.#contradiction(name, value))
        values[name] = value
      }
    return {values, raw, contradictions}
  }

  /** @returns whether the state is another than before, or known for the first time */
  #setValues(values: State): boolean {
    const changed = Object.entries(values).filter(([name, value]) => this.#values[name] !== value)
    if (this.isKnown && changed.length === 0) return false
    this.isKnown = true
    this.#values = {...this.#values, ...Object.fromEntries(changed)}
    return true
  }

  /** Some firmware accepts a value and does not take it over (docs/protocol.md §1.7). */
  #contradiction(name: string, value: Value): string[] {
    const written = this.#written?.get(name)
    const expected = written?.unconfirmed
    if (written) written.unconfirmed = undefined
    if (expected === undefined || this.#agree(name, expected, value)) return []
    return [`the plug confirmed ${name} ${expected}, but now reports ${name} ${value ?? 'unknown'}`]
  }

  /** A countdown may have gone on by a step meanwhile. */
  #agree(name: string, expected: Value, value: Value): boolean {
    const property = this.#properties[name]
    if (property?.kind !== 'number' || typeof expected !== 'number' || typeof value !== 'number')
      return expected === value
    return Math.abs(expected - value) <= Math.max(property.step, Math.abs(property.scale))
  }
}

/** The values without those that the bridge works out itself. */
function withoutMetered(values: State): State {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !METERED.has(name)))
}
