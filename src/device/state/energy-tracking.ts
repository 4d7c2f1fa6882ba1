/** Connects the energy meter of one plug with its storage: shows only what is stored for good (docs/promises.md 18 and 61). */
import type {Clock} from '../../common/clock.ts'
import type {Model, Value} from '../../models/model.ts'
import type {State} from '../codec/values.ts'
import {type EnergyMemory, EnergyMeter, type EnergySource, todayOf} from './energy-meter.ts'

/** Where the energy of one plug is stored. */
interface EnergyStorage {
  /** What was recorded last, written to disk or not: where a new meter goes on. */
  pending(): EnergyMemory | undefined
  /** What is written to disk: a crash cannot lose it, so it may be shown. */
  persisted(): EnergyMemory | undefined
  /** Writes it to disk soon. */
  record(memory: EnergyMemory): void
}

export interface EnergyTrackingOptions extends EnergyStorage {
  /** Power readings further apart than this are not joined, milliseconds. */
  gap(model: Model): number
  /** The source that the user configured. */
  source?: EnergySource | undefined
}

/** What a reading did to the energy of a plug. */
interface EnergyUpdate {
  /** `energy` and `energy_today` as the bridge shows them, whatever the plug reports. */
  values: State
  /** Whether the plug's own counter was found to be stuck just now. */
  isStuck: boolean
}

/** The energy of one plug, from its readings to what may be published. */
export class EnergyTracking {
  readonly #options: EnergyTrackingOptions
  readonly #model: Model
  readonly #clock: Clock
  /** Made with the first reading: stored energy is found by the device id, which a plug proves with its first response. */
  #meter: EnergyMeter | undefined
  #recorded: EnergyMemory | undefined

  constructor(model: Model, clock: Clock, options: EnergyTrackingOptions) {
    this.#model = model
    this.#clock = clock
    this.#options = options
  }

  get source(): EnergySource {
    return this.#meter?.source ?? (this.#counterStep() === undefined ? 'integrated' : 'plug')
  }

  /** Takes the values that were read. Their energy is shown with a later reading, once it is written to disk. */
  read({power, energy}: State): EnergyUpdate {
    this.#meter ??= this.#createMeter()
    const date = this.#clock.date()
    const isStuck = this.#meter.read({
      watts: numberOf(power),
      counter: numberOf(energy),
      now: this.#clock.now(),
      date,
    })
    const {memory, isTotalKnown} = this.#meter
    if (memory && memory !== this.#recorded) this.#options.record(memory)
    this.#recorded = memory
    const persisted = this.#options.persisted()
    return {
      values: {
        energy: persisted && isTotalKnown ? persisted.total : null,
        energy_today: persisted ? todayOf(persisted, date) : null,
      },
      isStuck,
    }
  }

  /** The next poll comes so many milliseconds later than it was due. */
  pollPostponed(ms: number): void {
    this.#meter?.pollPostponed(ms)
  }

  pollFailed(): void {
    this.#meter?.pollFailed()
  }

  #createMeter(): EnergyMeter {
    const {source} = this.#options
    this.#recorded = this.#options.pending()
    const counterStep = this.#counterStep()
    const options = {counterStep, isCounterTrusted: source === 'plug', gap: this.#options.gap(this.#model)}
    return new EnergyMeter(options, this.#recorded)
  }

  /** kWh per step of the plug's own counter, if that is used. */
  #counterStep(): number | undefined {
    const {energy} = this.#model.properties
    const counts = energy && energy.address.via !== 'bridge' && this.#options.source !== 'integrated'
    return counts && 'scale' in energy ? energy.scale : undefined
  }
}

/** The warning about the plug `device`, to follow its name and address. */
export function stuckCounterWarning(device: string): string {
  const override = `devices.${device}.properties.energy.source`
  return `the plug uses power, but its own energy counter does not count: the bridge counts its energy from now on. If the counter is right, set ${override} to plug`
}

/** `null` for an unknown value, `undefined` for a property that was not requested. */
function numberOf(value: Value | undefined): number | null | undefined {
  return value === undefined || typeof value === 'number' ? value : null
}
