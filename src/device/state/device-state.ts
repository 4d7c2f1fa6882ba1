/** What is made of a plug's answers: its state, its energy, and what of it cannot be true. */
import type {Clock} from '../../common/clock.ts'
import type {Model, Value} from '../../models/model.ts'
import type {State} from '../codec/values.ts'
import type {EnergySource} from './energy-meter.ts'
import {METERED, Metering, type MeteringOptions, stuckCounter} from './energy-tracking.ts'
import {type Answer, Knowledge, type Learnt} from './known-values.ts'
import {disbelief, type Implausible, Plausibility} from './plausibility.ts'

export interface PerceptionOptions {
  /** What the plug is called in the configuration. */
  name: string
  clock: Clock
  /** How its energy is kept. Without, its own counter is shown as it is, and nothing is added up. */
  energy: MeteringOptions | undefined
}

/** What there is to tell others. */
export interface News {
  /** The state is another than before. */
  changed: boolean
  /** There is something else to tell of the properties than before, beside their values. */
  described: boolean
  /** For a person to know: sentences about the plug, without their subject. */
  warnings: readonly string[]
}

/** A model that nobody has described yet has nothing to be known. */
const nothing: Model['properties'] = {}

export class Perception {
  readonly #options: PerceptionOptions
  readonly #knowledge = new Knowledge()
  #properties = nothing
  /** Of a plug that measures, where its energy is kept. */
  #metering: Metering | undefined
  #plausibility: Plausibility | undefined
  #heardAt: Date | undefined

  constructor(options: PerceptionOptions) {
    this.#options = options
  }

  /** The plug is of this model: nothing is known of it yet. */
  become(model: Model): void {
    const {energy, clock} = this.#options
    const metered = energy !== undefined && 'energy_today' in model.properties
    this.#properties = model.properties
    this.#knowledge.startWith(model, metered ? METERED : undefined)
    this.#metering = metered ? new Metering(model, clock, energy) : undefined
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
  get implausible(): readonly Implausible[] {
    return this.#plausibility?.flagged ?? []
  }

  /** Numbers a request that is about to be sent. */
  asking(): number {
    return this.#knowledge.asking()
  }

  /** The plug answered, whatever it said. */
  heard(): void {
    this.#heardAt = this.#options.clock.date()
  }

  /** A command for a property is about to be sent. */
  commanding(name: string): void {
    this.#knowledge.commanding(name)
  }

  /** The plug said ok to it. */
  commanded(name: string, value: Value): News {
    return news(this.#knowledge.commanded(name, value))
  }

  /**
   * Takes what the plug told.
   * @param judged whether the answers are those of one poll, told together
   */
  learn(answers: readonly Answer[], judged: boolean): News {
    const {told, raw, ...learnt} = this.#knowledge.learn(answers)
    const metered = this.#metering?.read(told)
    const showsMore = metered ? this.#knowledge.show(metered.shown) : false
    const judgement = judged ? this.#plausibility?.judge(told, raw) : undefined
    const {name} = this.#options
    return news(
      {...learnt, changed: learnt.changed || showsMore},
      (metered?.stuck ?? false) || (judgement?.changed ?? false),
      [
        ...(metered?.stuck ? [stuckCounter(name)] : []),
        ...(judgement?.news ?? []).map((found) => disbelief(name, found)),
      ],
    )
  }

  /** What was asked for and is in no answer: unknown. */
  unanswered(names: readonly string[], answers: readonly Answer[]): Answer {
    const told = new Set(answers.flatMap(({values}) => Object.keys(values)))
    const silent = names.filter((name) => !told.has(name) && this.#knowledge.isAsked(name))
    return {asked: this.asking(), values: Object.fromEntries(silent.map((name) => [name, null]))}
  }
}

function news({changed, contradictions}: Learnt, described = false, warnings: readonly string[] = []): News {
  return {changed, described, warnings: [...contradictions, ...warnings]}
}
