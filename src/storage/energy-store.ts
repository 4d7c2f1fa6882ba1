/**
 * What the plugs have used so far, over restarts, crashes and kill -9: `energy.json` in the state folder. A value may be shown
 * once it is written, and not before, so that no later run can know less than anybody was told.
 */
import {z} from 'zod'
import type {EnergyMemory} from '../device/state/energy-meter.ts'
import {
  isDid,
  JsonFile,
  type JsonFileDependencies,
  type Mapping,
  membersOf,
  type ReportDropped,
  readJsonFile,
} from './json-file.ts'

const FILE = 'energy.json'
/** One write for all plugs: oftener would wear out a memory card. */
const WRITE_AFTER_MS = 60_000
/** A plug that was never written has nothing to show until it is. */
const FIRST_AFTER_MS = 2_000

const kilowattHours = z.number().nonnegative()

const memorySchema = z.object({
  total: kilowattHours,
  today: kilowattHours,
  day: z.string().max(20),
  earlier: z.record(z.string().max(20), kilowattHours).optional().catch(undefined),
  moved: z.number(),
  stuck: z.literal(true).optional().catch(undefined),
})

/** Kilowatt-hours are their owner's history: those of plugs that are gone are kept, up to so many plugs in all. */
const MOST_PLUGS = 20_000

export class EnergyStore {
  readonly #file: JsonFile
  /** By did: as it should be in the file. */
  readonly #entries: Map<number, EnergyMemory>
  /** By did: as it is in the file. */
  #written: ReadonlyMap<number, EnergyMemory>

  private constructor(
    folder: string,
    entries: Map<number, EnergyMemory>,
    surroundings: JsonFileDependencies,
  ) {
    this.#entries = entries
    this.#written = new Map(entries)
    this.#file = new JsonFile({
      ...surroundings,
      folder,
      name: FILE,
      snapshot: () => this.#snapshot(),
      loss: 'energy stays as it was last written, since nothing is shown that the next start could not know',
    })
  }

  /**
   * Reads what `folder` holds. An entry that makes no sense is forgotten, with one warning; all others stay.
   * @throws StateUnreadable for a file that is there and cannot be read
   */
  static async open(folder: string, surroundings: JsonFileDependencies): Promise<EnergyStore> {
    const entries = (await readJsonFile(folder, FILE, understood, surroundings)) ?? []
    return new EnergyStore(folder, new Map(entries.slice(-MOST_PLUGS)), surroundings)
  }

  /** What was entered of this plug last: it may not be in the file yet. */
  pending(did: number): EnergyMemory | undefined {
    return this.#entries.get(did)
  }

  /** What is in the file of this plug, and so may be shown. */
  persisted(did: number): EnergyMemory | undefined {
    return this.#written.get(did)
  }

  /** Writes `memory` within a minute, the first of a plug within seconds. */
  record(did: number, memory: EnergyMemory): void {
    if (!isDid(String(did))) return
    this.#file.writeWithin(this.#entries.has(did) ? WRITE_AFTER_MS : FIRST_AFTER_MS)
    // The first of the map is the one that was entered longest ago.
    this.#entries.delete(did)
    this.#entries.set(did, memory)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > MOST_PLUGS && oldest !== undefined) this.#entries.delete(oldest)
  }

  /** Writes what changed, now. Never throws: a failure is logged once, and tried again every minute. */
  save(): Promise<void> {
    return this.#file.save()
  }

  /** Saves for the last time: no timer is left afterwards. */
  close(): Promise<void> {
    return this.#file.close()
  }

  #snapshot() {
    const entries = new Map(this.#entries)
    const text = JSON.stringify({version: 1, plugs: Object.fromEntries(entries)}, null, 1)
    return {
      text,
      written: () => {
        this.#written = entries
      },
    }
  }
}

/** Those that changed longest ago come first. */
function understood({plugs}: Mapping, forget: ReportDropped): [number, EnergyMemory][] {
  const entry = {key: isDid, schema: memorySchema, expected: 'kilowatt-hours of a plug, by its device id'}
  return membersOf('plugs', plugs, entry, forget)
    .map(([did, memory]): [number, EnergyMemory] => [Number(did), memory])
    .sort(([, a], [, b]) => a.moved - b.moved)
}
