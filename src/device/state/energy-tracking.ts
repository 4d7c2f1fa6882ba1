/** Joins the energy meter of one plug with what is kept of it: shows what is written, and writes what was read (contract §3). */
import type {Clock} from '../../common/clock.ts'
import type {Model, Value} from '../../models/model.ts'
import type {State} from '../codec/values.ts'
import {type EnergyMemory, EnergyMeter, type EnergySource, todayOf} from './energy-meter.ts'

/** Where the energy of one plug is kept. */
export interface EnergyStorage {
  /** What was entered last, whether or not it is kept for good by now: where a meter that is made anew goes on. */
  pending(): EnergyMemory | undefined
  /** What is kept for good: no crash takes it away, so it may be shown. */
  persisted(): EnergyMemory | undefined
  /** Keeps it for good, soon. */
  record(memory: EnergyMemory): void
}

export interface EnergyTrackingOptions {
  book: EnergyStorage
  /** Watts that were told further apart than this are not joined, milliseconds. */
  gap: (model: Model) => number
  /** What counts, where somebody decided that. */
  source?: EnergySource | undefined
}

/** What the bridge works out, whatever the plug said. */
export const METERED: ReadonlySet<string> = new Set(['energy', 'energy_today'])

export class EnergyTracking {
  readonly #options: EnergyTrackingOptions
  readonly #model: Model
  readonly #clock: Clock
  /** Made with the first reading: only a plug that answered is known well enough to have something remembered of it. */
  #meter: EnergyMeter | undefined
  #entered: EnergyMemory | undefined

  constructor(model: Model, clock: Clock, options: EnergyTrackingOptions) {
    this.#model = model
    this.#clock = clock
    this.#options = options
  }

  get source(): EnergySource {
    return this.#meter?.source ?? (this.#step() === undefined ? 'integrated' : 'plug')
  }

  /**
   * Takes what was told. What comes of it is shown with a later reading, once it is written.
   * @returns what there is to show, and whether the plug's own counter turned out not to count just now
   */
  read({power, energy}: State): {shown: State; stuck: boolean} {
    const {book} = this.#options
    this.#meter ??= this.#make()
    const date = this.#clock.date()
    const stuck = this.#meter.read({
      watts: numberOf(power),
      counter: numberOf(energy),
      now: this.#clock.now(),
      date,
    })
    const {memory, known} = this.#meter
    if (memory && memory !== this.#entered) book.record(memory)
    this.#entered = memory
    const written = book.persisted()
    return {
      shown: {
        energy: written && known ? written.total : null,
        energy_today: written ? todayOf(written, date) : null,
      },
      stuck,
    }
  }

  #make(): EnergyMeter {
    const {book, gap, source} = this.#options
    this.#entered = book.pending()
    const options = {step: this.#step(), trusted: source === 'plug', gap: gap(this.#model)}
    return new EnergyMeter(options, this.#entered)
  }

  #step(): number | undefined {
    const {energy} = this.#model.properties
    const counts = energy && energy.address.via !== 'bridge' && this.#options.source !== 'integrated'
    return counts && 'scale' in energy ? energy.scale : undefined
  }
}

/** A sentence about the plug `device`, without its subject. */
export function stuckCounterWarning(device: string): string {
  const override = `devices.${device}.properties.energy.source`
  return `uses power, but its own counter of kWh does not count: its watts are added up from now on. If the counter is right, set ${override} to plug`
}

/** `undefined` for what was not asked. */
function numberOf(value: Value | undefined): number | null | undefined {
  return value === undefined || typeof value === 'number' ? value : null
}
