/** What is made of a plug's answers: its state, its energy, and what of it cannot be true. */
import type {Clock} from '../../common/clock.ts'
import type {Model, Value} from '../../models/model.ts'
import type {State} from '../codec/values.ts'
import type {EnergySource} from './energy-meter.ts'
import {EnergyTracking, type EnergyTrackingOptions, METERED, stuckCounterWarning} from './energy-tracking.ts'
import {KnownValues, type ReadResult, type StateChange} from './known-values.ts'
import {type ImplausibleValue, implausibleWarning, Plausibility} from './plausibility.ts'

export interface DeviceStateOptions {
  /** What the plug is called in the configuration. */
  name: string
  clock: Clock
  /** How its energy is kept. Without, its own counter is shown as it is, and nothing is added up. */
  energy: EnergyTrackingOptions | undefined
}

/** What there is to tell others. */
export interface StateUpdate {
  /** The state is another than before. */
  changed: boolean
  /** There is something else to tell of the properties than before, beside their values. */
  described: boolean
  /** For a person to know: sentences about the plug, without their subject. */
  warnings: readonly string[]
}

/** A model that nobody has described yet has nothing to be known. */
const nothing: Model['properties'] = {}

export class DeviceState {
  readonly #options: DeviceStateOptions
  readonly #knowledge = new KnownValues()
  #properties = nothing
  /** Of a plug that measures, where its energy is kept. */
  #metering: EnergyTracking | undefined
  #plausibility: Plausibility | undefined
  #heardAt: Date | undefined

  constructor(options: DeviceStateOptions) {
    this.#options = options
  }

  /** The plug is of this model: nothing is known of it yet. */
  setModel(model: Model): void {
    const {energy, clock} = this.#options
    const metered = energy !== undefined && 'energy_today' in model.properties
    this.#properties = model.properties
    this.#knowledge.startWith(model, metered ? METERED : undefined)
    this.#metering = metered ? new EnergyTracking(model, clock, energy) : undefined
    this.#plausibility = new Plausibility(model)
  }

  /** Every property of the model, in the order of its definition; `null` is unknown. */
  get state(): Readonly<State> {
    const {state} = this.#knowledge
    return 'last_seen' in state ? {...state, last_seen: this.#heardAt?.toISOString() ?? null} : state
  }

  /** Whether anything was ever heard since the start. */
  get known(): boolean {
    return this.#knowledge.known
  }

  /** What was commanded and not yet read back. */
  get unconfirmed(): readonly string[] {
    return this.#knowledge.unconfirmed
  }

  /** Where the energy comes from. `undefined` for a plug that measures nothing. */
  get energySource(): EnergySource | undefined {
    const {energy} = this.#properties
    return this.#metering?.source ?? (energy && (energy.address.via === 'bridge' ? 'integrated' : 'plug'))
  }

  /** Values that cannot be true. */
  get implausible(): readonly ImplausibleValue[] {
    return this.#plausibility?.flagged ?? []
  }

  /** Numbers a request that is about to be sent. */
  nextRequest(): number {
    return this.#knowledge.nextRequest()
  }

  /** The plug answered, whatever it said. */
  markSeen(): void {
    this.#heardAt = this.#options.clock.date()
  }

  /** A command for a property is about to be sent. */
  beginWrite(name: string): void {
    this.#knowledge.beginWrite(name)
  }

  /** The plug said ok to it. */
  confirmWrite(name: string, value: Value): StateUpdate {
    return news(this.#knowledge.confirmWrite(name, value))
  }

  /**
   * Takes what the plug told.
   * @param judged whether the answers are those of one poll, told together
   */
  applyReadings(answers: readonly ReadResult[], judged: boolean): StateUpdate {
    const {told, raw, ...learnt} = this.#knowledge.applyReadings(answers)
    const metered = this.#metering?.read(told)
    const showsMore = metered ? this.#knowledge.show(metered.shown) : false
    const judgement = judged ? this.#plausibility?.judge(told, raw) : undefined
    const {name} = this.#options
    return news(
      {...learnt, changed: learnt.changed || showsMore},
      (metered?.stuck ?? false) || (judgement?.changed ?? false),
      [
        ...(metered?.stuck ? [stuckCounterWarning(name)] : []),
        ...(judgement?.news ?? []).map((found) => implausibleWarning(name, found)),
      ],
    )
  }

  /** What was asked for and is in no answer: unknown. */
  missingValues(names: readonly string[], answers: readonly ReadResult[]): ReadResult {
    const told = new Set(answers.flatMap(({values}) => Object.keys(values)))
    const silent = names.filter((name) => !told.has(name) && this.#knowledge.isAsked(name))
    return {asked: this.nextRequest(), values: Object.fromEntries(silent.map((name) => [name, null]))}
  }
}

function news(
  {changed, contradictions}: StateChange,
  described = false,
  warnings: readonly string[] = [],
): StateUpdate {
  return {changed, described, warnings: [...contradictions, ...warnings]}
}
