/** What the bridge remembers over restarts: which plug is which, and what it learnt about each. */
import {createHash} from 'node:crypto'
import {z} from 'zod'
import {KeptFile, randomHex, readKept, type Surroundings} from './kept-file.ts'
import type {Secret} from './secret.ts'

const FILE = 'state.json'
/** Things are learnt in bursts: one write for all of them. */
const WRITE_AFTER_MS = 2_000
/** Message ids change with every request: written as often as anything else, they would wear out a memory card. */
const WRITE_MESSAGE_IDS_AFTER_MS = 300_000

const text = z.string().optional().catch(undefined)
const number = z.number().int().nonnegative().optional().catch(undefined)

/** What a damaged or foreign field would say is forgotten; the rest stays. */
const memorySchema = z.object({
  name: text,
  model: text,
  firmware: text,
  hardware: text,
  mac: text,
  host: text,
  configuredHost: text,
  port: number,
  messageId: number,
})

const toleratedSchema = z.object({
  batch: z.number().int().positive().optional().catch(undefined),
  left_out: z.array(z.string()).optional().catch(undefined),
  answered: z.array(z.string()).optional().catch(undefined),
  dialect: text,
})

const publishedSchema = z.object({
  bases: z.array(z.string()).readonly(),
  topics: z.array(z.string()).readonly(),
  isAll: z.boolean(),
})

const announcedSchema = z.object({
  devices: z.record(z.string(), z.string()),
  sets: z.record(z.string(), z.record(z.string(), z.string())),
})

const fileSchema = z.object({
  version: z.literal(1),
  client_id: z.string().min(1),
  firmwares: z.record(z.string(), toleratedSchema).optional().catch(undefined),
  published: publishedSchema.optional().catch(undefined),
  announced: announcedSchema.optional().catch(undefined),
  plugs: z.record(z.string().regex(/^[1-9]\d*$/), memorySchema.extend({fingerprint: z.string()})),
})

/** What is known of a plug. `host` and `port`: where it last answered; `configuredHost`: what the
 * configuration said then; `messageId`: the last one used. */
export type PlugMemory = z.output<typeof memorySchema>
export type RememberedPlug = {did: number} & PlugMemory
/** What the firmware of a model puts up with, as it was found out (device/tolerance.ts). */
export type Tolerated = z.output<typeof toleratedSchema>
export type Published = z.output<typeof publishedSchema>
export type Announced = z.output<typeof announcedSchema>
type FileContent = z.output<typeof fileSchema>
type Entry = FileContent['plugs'][string]

/** What the configuration says of a plug. */
export interface Asked {
  id?: number | undefined
  token: Secret
  host?: string | undefined
}

/** Everything is kept in memory; the file follows, and the bridge works on when it cannot. */
export class StateStore {
  readonly clientId: string
  readonly #file: KeptFile
  readonly #plugs = new Map<number, Entry>()
  readonly #didByFingerprint = new Map<string, number>()
  readonly #firmwares: Map<string, Tolerated>
  #published: () => Published | undefined
  #announced: Announced | undefined

  private constructor(folder: string, content: FileContent | undefined, surroundings: Surroundings) {
    this.#file = new KeptFile({
      ...surroundings,
      folder,
      name: FILE,
      snapshot: () => ({text: this.#text()}),
      loss: 'what is learnt now is lost at the next restart',
    })
    this.clientId = content?.client_id ?? `miio2mqtt_${randomHex(surroundings.random)}`
    const published = content?.published
    this.#published = () => published
    this.#announced = content?.announced
    this.#firmwares = new Map(Object.entries(content?.firmwares ?? {}))
    for (const [did, entry] of Object.entries(content?.plugs ?? {})) this.#keep(Number(did), entry)
  }

  /** Reads what `folder` holds. Never throws: without a readable file everything starts anew, with one warning. */
  static async open(folder: string, surroundings: Surroundings): Promise<StateStore> {
    const content = await readKept(folder, FILE, fileSchema, surroundings)
    const store = new StateStore(folder, content, surroundings)
    if (!content) store.#file.writeWithin(0)
    await store.save()
    return store
  }

  /** All plugs ever remembered, configured or not. */
  all(): RememberedPlug[] {
    return Array.from(this.#plugs, ([did, entry]) => remembered(did, entry))
  }

  /** The plug with this id; when the id is not given, the one that had this token at this configured address. */
  find({id, token, host}: Asked): RememberedPlug | undefined {
    const did = id ?? this.#didByFingerprint.get(fingerprint(token, host))
    const entry = did === undefined ? undefined : this.#plugs.get(did)
    return did === undefined || !entry ? undefined : remembered(did, entry)
  }

  /**
   * Adds `patch` to what is known of a plug; `undefined` in it says nothing. The file follows within seconds, within minutes
   * when only `messageId` changed.
   */
  remember(did: number, token: Secret, patch: Partial<PlugMemory>): void {
    const before = this.#plugs.get(did)
    const told = {...before, ...definedOnly(patch)}
    const after = {...told, fingerprint: fingerprint(token, told.configuredHost)}
    const changes = changedKeys(before, after)
    if (changes.length === 0) return
    this.#keep(did, after)
    const little = changes.every((key) => key === 'messageId')
    this.#file.writeWithin(little ? WRITE_MESSAGE_IDS_AFTER_MS : WRITE_AFTER_MS)
  }

  /** What the plugs of a model and firmware put up with, as far as one of them was asked. */
  tolerated(model: string, firmware: string): Tolerated | undefined {
    return this.#firmwares.get(`${model} ${firmware}`)
  }

  rememberTolerated(model: string, firmware: string, tolerated: Tolerated): void {
    this.#firmwares.set(`${model} ${firmware}`, tolerated)
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  /** What lies on the broker, so that it can be cleared when it is not to be there any more (bridge/leftovers.ts). */
  get published(): Published | undefined {
    return this.#published()
  }

  /** @param published asked when the file is written */
  rememberPublished(published: () => Published): void {
    this.#published = published
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  /** What Home Assistant was told of each plug, so that it can be taken back (bridge/announced.ts). */
  get announced(): Announced | undefined {
    return this.#announced
  }

  rememberAnnounced(announced: Announced): void {
    this.#announced = announced
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  forget(did: number): void {
    this.#forgetFingerprint(did)
    if (!this.#plugs.delete(did)) return
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  /** Writes what changed, now. Never throws: a failure is logged once, and tried again every minute. */
  save(): Promise<void> {
    return this.#file.save()
  }

  /** Saves for the last time: no timer is left afterwards. */
  close(): Promise<void> {
    return this.#file.close()
  }

  #text(): string {
    const content: FileContent = {
      version: 1,
      client_id: this.clientId,
      firmwares: Object.fromEntries(this.#firmwares),
      published: this.#published(),
      announced: this.#announced,
      plugs: Object.fromEntries(this.#plugs),
    }
    return JSON.stringify(content, null, 1)
  }

  #keep(did: number, entry: Entry): void {
    this.#forgetFingerprint(did)
    this.#plugs.set(did, entry)
    this.#didByFingerprint.set(entry.fingerprint, did)
  }

  #forgetFingerprint(did: number): void {
    const print = this.#plugs.get(did)?.fingerprint
    if (print !== undefined && this.#didByFingerprint.get(print) === did) this.#didByFingerprint.delete(print)
  }
}

/** Recognises a token without holding it. With the address, since somebody may have copied one token to several plugs. */
function fingerprint(token: Secret, host = ''): string {
  return createHash('sha256').update(`${token.reveal().toLowerCase()} ${host}`).digest('hex').slice(0, 16)
}

function remembered(did: number, {fingerprint: _, ...memory}: Entry): RememberedPlug {
  return {did, ...memory}
}

function changedKeys(before: Entry | undefined, after: Entry): string[] {
  const known = new Map(Object.entries(before ?? {}))
  return Object.entries(after).flatMap(([key, value]) => (known.get(key) === value ? [] : [key]))
}

function definedOnly(patch: Partial<PlugMemory>): Partial<PlugMemory> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
}
