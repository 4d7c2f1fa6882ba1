/** The energy of one configured plug in `energy.json`: found by its device id, once that is known. */
import {type PollSettings, pollIntervals} from '../device/polling/poller.ts'
import type {EnergyMemory, EnergySource} from '../device/state/energy-meter.ts'
import type {EnergyTrackingOptions} from '../device/state/energy-tracking.ts'
import type {Model} from '../models/model.ts'
import type {EnergyStore} from '../storage/energy-store.ts'

/** Between two power readings that are further apart than so many polls, the power may have had any value: no energy is counted. */
const MOST_POLLS_APART = 3

/** Where the energy of one plug is stored: by its device id, once that is known. */
export class PlugEnergy implements EnergyTrackingOptions {
  readonly source: EnergySource | undefined
  readonly #plug: {readonly did: number | undefined}
  readonly #store: EnergyStore
  readonly #settings: PollSettings

  constructor(
    plug: {readonly did: number | undefined},
    store: EnergyStore,
    settings: PollSettings,
    source: EnergySource | undefined,
  ) {
    this.#plug = plug
    this.#store = store
    this.#settings = settings
    this.source = source
  }

  pending(): EnergyMemory | undefined {
    const {did} = this.#plug
    return did === undefined ? undefined : this.#store.pending(did)
  }

  persisted(): EnergyMemory | undefined {
    const {did} = this.#plug
    return did === undefined ? undefined : this.#store.persisted(did)
  }

  record(memory: EnergyMemory): void {
    const {did} = this.#plug
    if (did !== undefined) this.#store.record(did, memory)
  }

  gap(model: Model): number {
    return MOST_POLLS_APART * pollIntervals(this.#settings, model)[model.properties['power']?.lane ?? 'fast']
  }
}
