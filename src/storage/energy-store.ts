/**
 * Keeps the kilowatt-hours of the plugs over restarts, crashes and kill -9: `energy.json` in the state folder. A value may be
 * published only once it is in the file: after a restart no value may be lower than the one published before.
 */
import type {EnergyMemory} from '../device/state/energy-meter.ts'
import {JsonFile, type JsonFileDependencies, readJsonFile, type Snapshot} from './json-file.ts'
import {isDid, parseEnergy} from './state-format.ts'

const FILE = 'energy.json'
/** One write for all plugs: more often would wear out a memory card. */
const WRITE_AFTER_MS = 60_000
/** A plug that was never written has no energy to publish until it is. */
const FIRST_WRITE_AFTER_MS = 2_000
/** Kilowatt-hours are the user's history: plugs that are no longer configured stay, up to so many plugs in all. */
const MAX_PLUGS = 20_000

/** The kWh of all plugs, by device id: what is pending, and what is on disk. */
export class EnergyStore extends JsonFile {
  /** By did: as it should be in the file. The entry that was recorded longest ago comes first. */
  readonly #pending: Map<number, EnergyMemory>
  /** By did: as it is in the file. */
  #persisted: ReadonlyMap<number, EnergyMemory>

  private constructor(
    folder: string,
    entries: readonly [number, EnergyMemory][],
    dependencies: JsonFileDependencies,
  ) {
    const loss =
      'energy stays at the last saved value, since a value that is not saved would be lost at the next start'
    super({...dependencies, folder, name: FILE, loss})
    this.#pending = new Map(entries)
    this.#persisted = new Map(entries)
  }

  /**
   * Reads `energy.json` in `folder`. An invalid entry is dropped, with one warning; all others stay.
   * @throws StateFolderError for a file that exists and cannot be read
   */
  static async open(folder: string, dependencies: JsonFileDependencies): Promise<EnergyStore> {
    const entries = (await readJsonFile(folder, FILE, parseEnergy, dependencies)) ?? []
    return new EnergyStore(folder, entries.slice(-MAX_PLUGS), dependencies)
  }

  /** What was last recorded for this plug. It may not be in the file yet. */
  pending(did: number): EnergyMemory | undefined {
    return this.#pending.get(did)
  }

  /** What is in the file for this plug, and so may be published. */
  persisted(did: number): EnergyMemory | undefined {
    return this.#persisted.get(did)
  }

  /** Writes `memory` within a minute; the first entry of a plug within two seconds. */
  record(did: number, memory: EnergyMemory): void {
    if (!isDid(String(did))) return
    this.writeWithin(this.#pending.has(did) ? WRITE_AFTER_MS : FIRST_WRITE_AFTER_MS)
    this.#pending.delete(did)
    this.#pending.set(did, memory)
    const [oldest] = this.#pending.keys()
    if (this.#pending.size > MAX_PLUGS && oldest !== undefined) this.#pending.delete(oldest)
  }

  protected snapshot(): Snapshot {
    const entries = new Map(this.#pending)
    const onWritten = () => {
      this.#persisted = entries
    }
    return {content: {plugs: Object.fromEntries(entries)}, onWritten}
  }
}
