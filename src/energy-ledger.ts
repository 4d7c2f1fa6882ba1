/**
 * What the plugs have used so far, over restarts, crashes and kill -9: `energy.json` in the state folder. A value may be shown
 * once it is written, and not before, so that no later run can know less than anybody was told (issue 3, contract §3).
 */
import {z} from 'zod'
import type {EnergyMemory} from './device/energy.ts'
import {KeptFile, readKept, type Surroundings} from './kept-file.ts'

const FILE = 'energy.json'
/** One write for all plugs: oftener would wear out a memory card. */
const WRITE_AFTER_MS = 60_000
/** A plug that was never written has nothing to show until it is. */
const FIRST_AFTER_MS = 2_000

const kilowattHours = z.number().nonnegative()

const memorySchema = z.object({
  total: kilowattHours,
  today: kilowattHours,
  day: z.string(),
  moved: z.number(),
  stuck: z.literal(true).optional(),
})

/** An entry that makes no sense is forgotten; the rest stays. */
const fileSchema = z.object({
  version: z.literal(1),
  plugs: z.record(z.string().regex(/^[1-9]\d*$/), memorySchema.optional().catch(undefined)),
})

export class EnergyLedger {
  readonly #file: KeptFile
  /** By did: as it should be in the file. */
  readonly #entries: Map<number, EnergyMemory>
  /** By did: as it is in the file. */
  #written: ReadonlyMap<number, EnergyMemory>

  private constructor(folder: string, entries: Map<number, EnergyMemory>, surroundings: Surroundings) {
    this.#entries = entries
    this.#written = new Map(entries)
    this.#file = new KeptFile({
      ...surroundings,
      folder,
      name: FILE,
      snapshot: () => this.#snapshot(),
      loss: 'energy stays as it was last written, since nothing is shown that the next start could not know',
    })
  }

  /** Reads what `folder` holds. Never throws: an unreadable file is put aside, with one warning. */
  static async open(folder: string, surroundings: Surroundings): Promise<EnergyLedger> {
    const {plugs = {}} = (await readKept(folder, FILE, fileSchema, surroundings)) ?? {}
    const entries = Object.entries(plugs).flatMap(([did, memory]) =>
      memory ? [[Number(did), memory] as const] : [],
    )
    return new EnergyLedger(folder, new Map(entries), surroundings)
  }

  /** What was entered of this plug last: it may not be in the file yet. */
  latest(did: number): EnergyMemory | undefined {
    return this.#entries.get(did)
  }

  /** What is in the file of this plug, and so may be shown. */
  written(did: number): EnergyMemory | undefined {
    return this.#written.get(did)
  }

  /** Writes `memory` within a minute, the first of a plug within seconds. */
  enter(did: number, memory: EnergyMemory): void {
    this.#file.writeWithin(this.#entries.has(did) ? WRITE_AFTER_MS : FIRST_AFTER_MS)
    this.#entries.set(did, memory)
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
