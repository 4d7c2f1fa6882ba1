/** What the bridge remembers over restarts: which plug is which, and what it learnt about each. */
import {createHash} from 'node:crypto'
import {stat} from 'node:fs/promises'
import {z} from 'zod'
import {type Clock, isPlausibleDate} from '../common/clock.ts'
import type {Secret} from '../common/secret.ts'
import type {Log} from '../log/logger.ts'
import {isPublishedUnder, topicProblem} from '../mqtt/topics.ts'
import {
  isDid,
  isMapping,
  JsonFile,
  type JsonFileDependencies,
  type Mapping,
  membersOf,
  type ReportDropped,
  randomHex,
  readJsonFile,
} from './json-file.ts'

const FILE = 'state.json'
/** Things are learnt in bursts: one write for all of them. */
const WRITE_AFTER_MS = 2_000
/** Message ids change with every request: written as often as anything else, they would wear out a memory card. */
const WRITE_MESSAGE_IDS_AFTER_MS = 300_000

/** A plug that is configured no more is remembered for so long, in case it comes back, and so many of them at most. */
const UNUSED_MS = 90 * 24 * 3_600_000
const MOST_UNUSED = 500
/** Every firmware of every model that is described, many times over. */
const MOST_FIRMWARES = 1_000
/** Ten thousand plugs with each value on a topic of its own have some 200,000. */
const MOST_TOPICS = 500_000
const MOST_BASES = 100
const MOST_ANNOUNCED = 20_000
const LONGEST_CLIENT_ID_BYTES = 65_535

const text = z
  .string()
  .max(1_000)
  .regex(/^\P{Cc}*$/u)
  .optional()
  .catch(undefined)
const number = z.number().int().nonnegative().optional().catch(undefined)
const names = z.array(z.string().max(100)).max(1_000).optional().catch(undefined)

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

/** `unusedSince`: when it was first found not to be configured any more. */
const entrySchema = memorySchema.extend({
  fingerprint: z.string().max(100),
  unusedSince: z.iso.datetime().optional().catch(undefined),
})

const toleratedSchema = z.object({
  batch: z.number().int().positive().optional().catch(undefined),
  left_out: names,
  answered: names,
  dialect: text,
})

const platformsSchema = z.record(z.string().regex(/^\w+$/), z.string().regex(/^[a-z_]+$/))

/** What is known of a plug. `host` and `port`: where it last answered; `configuredHost`: what the
 * configuration said then; `messageId`: the last one used. */
export type PlugMemory = z.output<typeof memorySchema>
export type RememberedPlug = {did: number} & PlugMemory
/** What the firmware of a model puts up with, as it was found out (device/tolerance.ts). */
export type RememberedCapabilities = z.output<typeof toleratedSchema>
export interface RememberedTopics {
  bases: readonly string[]
  topics: readonly string[]
  isAll: boolean
}
export interface RememberedDiscovery {
  devices: Record<string, string>
  sets: Record<string, Record<string, string>>
}
type Entry = z.output<typeof entrySchema>

/** What makes sense of the file. */
interface Content {
  clientId: string | undefined
  firmwares: [string, RememberedCapabilities][]
  published: RememberedTopics | undefined
  announced: RememberedDiscovery | undefined
  plugs: [string, Entry][]
}

/** What the configuration says of a plug. */
export interface PlugQuery {
  id?: number | undefined
  token: Secret
  host?: string | undefined
}

/** Everything is kept in memory; the file follows, and the bridge works on when it cannot. */
export class StateStore {
  readonly clientId: string
  readonly #clock: Clock
  readonly #file: JsonFile
  readonly #plugs = new Map<number, Entry>()
  readonly #didByFingerprint = new Map<string, number>()
  readonly #firmwares: Map<string, RememberedCapabilities>
  #published: () => RememberedTopics | undefined
  #announced: RememberedDiscovery | undefined

  private constructor(folder: string, content: Content | undefined, surroundings: JsonFileDependencies) {
    this.#clock = surroundings.clock
    this.#file = new JsonFile({
      ...surroundings,
      folder,
      name: FILE,
      snapshot: () => ({text: this.#text()}),
      loss: 'what is learnt now is lost at the next restart',
    })
    this.clientId = content?.clientId ?? `miio2mqtt_${randomHex(surroundings.random)}`
    const published = content?.published
    this.#published = () => published
    this.#announced = content?.announced
    this.#firmwares = new Map(content?.firmwares)
    for (const [did, entry] of content?.plugs ?? []) this.#keep(Number(did), entry)
  }

  /**
   * Reads what `folder` holds. What makes no sense there is forgotten, with one warning.
   * @throws StateUnreadable for a file that is there and cannot be read
   */
  static async open(folder: string, surroundings: JsonFileDependencies): Promise<StateStore> {
    const content = await readJsonFile(folder, FILE, understood, surroundings)
    const store = new StateStore(folder, content, surroundings)
    await warnOfOthers(folder, surroundings.log)
    if (content?.clientId === undefined) store.#file.writeWithin(0)
    await store.save()
    return store
  }

  /** All plugs ever remembered, configured or not. */
  all(): RememberedPlug[] {
    return Array.from(this.#plugs, ([did, entry]) => remembered(did, entry))
  }

  /** The plug with this id; when the id is not given, the one that had this token at this configured address. */
  find({id, token, host}: PlugQuery): RememberedPlug | undefined {
    const did = id ?? this.#didByFingerprint.get(fingerprint(token, host))
    const entry = did === undefined ? undefined : this.#plugs.get(did)
    return did === undefined || !entry ? undefined : remembered(did, entry)
  }

  /**
   * Adds `patch` to what is known of a plug; `undefined` in it says nothing. The file follows within seconds, within minutes
   * when only `messageId` changed.
   */
  remember(did: number, token: Secret, patch: Partial<PlugMemory>): void {
    if (!isDid(String(did))) return
    const before = this.#plugs.get(did)
    const told = {...before, ...definedOnly(patch)}
    const after = {...told, unusedSince: undefined, fingerprint: fingerprint(token, told.configuredHost)}
    const changes = changedKeys(before, after)
    if (changes.length === 0) return
    this.#keep(did, after)
    const little = changes.every((key) => key === 'messageId')
    this.#file.writeWithin(little ? WRITE_MESSAGE_IDS_AFTER_MS : WRITE_AFTER_MS)
  }

  /** What the plugs of a model and firmware put up with, as far as one of them was asked. */
  tolerated(model: string, firmware: string): RememberedCapabilities | undefined {
    return this.#firmwares.get(`${model} ${firmware}`)
  }

  rememberTolerated(model: string, firmware: string, tolerated: RememberedCapabilities): void {
    this.#firmwares.set(`${model} ${firmware}`, tolerated)
    keepNewest(this.#firmwares, MOST_FIRMWARES)
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  /** What lies on the broker, so that it can be cleared when it is not to be there any more (bridge/leftovers.ts). */
  get published(): RememberedTopics | undefined {
    return this.#published()
  }

  /** @param published asked when the file is written */
  rememberPublished(published: () => RememberedTopics): void {
    this.#published = published
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  /** What Home Assistant was told of each plug, so that it can be taken back (bridge/announced.ts). */
  get announced(): RememberedDiscovery | undefined {
    return this.#announced
  }

  rememberAnnounced(announced: RememberedDiscovery): void {
    this.#announced = announced
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  /**
   * Plugs of these ids are configured now. Every other one is forgotten 90 days after it was first missing here, and sooner
   * when there are too many of them: those that are missing for longest go first.
   */
  configured(dids: ReadonlySet<number>): void {
    const now = this.#clock.date()
    if (!isPlausibleDate(now)) return
    for (const [did, {unusedSince, ...entry}] of this.#plugs) {
      if (dids.has(did) === (unusedSince === undefined)) continue
      this.#plugs.set(did, dids.has(did) ? entry : {...entry, unusedSince: now.toISOString()})
      this.#file.writeWithin(WRITE_AFTER_MS)
    }
    const unused = [...this.#plugs]
      .flatMap(([did, {unusedSince}]) => (unusedSince === undefined ? [] : [{did, unusedSince}]))
      .sort((a, b) => (a.unusedSince < b.unusedSince ? -1 : 1))
    const isOld = ({unusedSince}: {unusedSince: string}) =>
      now.getTime() - Date.parse(unusedSince) > UNUSED_MS
    for (const [index, one] of unused.entries())
      if (unused.length - index > MOST_UNUSED || isOld(one)) this.forget(one.did)
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
    const content = {
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

const WRITABLE_BY_OTHERS = 0o022

/** Whoever may write in the folder may put another file in the place of one of ours. */
async function warnOfOthers(folder: string, log: Log): Promise<void> {
  const mode = await stat(folder).then(
    (stats) => (stats.isDirectory() ? stats.mode & 0o777 : 0),
    () => 0, // there is none yet
  )
  if ((mode & WRITABLE_BY_OTHERS) !== 0)
    log.warn(
      `the state folder ${folder} can be written by other users (mode ${mode.toString(8)}): \`chmod 700 ${folder}\``,
    )
}

/** Every part of the file by itself: one that makes no sense takes no other with it. */
function understood(content: Mapping, forget: ReportDropped): Content {
  const entries = {key: isDid, schema: entrySchema, expected: 'a plug, by its device id'}
  const tolerated = {key: () => true, schema: toleratedSchema, expected: 'what a firmware puts up with'}
  return {
    clientId: clientIdIn(content, forget),
    firmwares: membersOf('firmwares', content['firmwares'], tolerated, forget).slice(-MOST_FIRMWARES),
    published: publishedIn(content, forget),
    announced: announcedIn(content, forget),
    plugs: membersOf('plugs', content['plugs'], entries, forget),
  }
}

/** MQTT takes up to 65,535 bytes (MQTT 5, 1.5.4); brokers hang up at control characters. */
function clientIdIn({client_id: id}: Mapping, forget: ReportDropped): string | undefined {
  const isGood =
    typeof id === 'string' &&
    /^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u.test(id) &&
    Buffer.byteLength(id) <= LONGEST_CLIENT_ID_BYTES
  if (isGood) return id
  forget('client_id', 'a name that a broker takes: a new one is made up')
  return undefined
}

/** Only what a bridge may have published is ever cleared, so nothing else is believed to lie on the broker. */
function publishedIn({published}: Mapping, forget: ReportDropped): RememberedTopics | undefined {
  if (published === undefined) return undefined
  if (!isMapping(published) || !Array.isArray(published['topics'])) {
    forget('published', 'topics that were published')
    return undefined
  }
  const believed = (key: string, most: number, isGood: (topic: string) => boolean) => {
    const listed: unknown[] = Array.isArray(published[key]) ? published[key] : []
    const good = listed.filter((topic): topic is string => {
      if (typeof topic === 'string' && isGood(topic)) return true
      forget(`published.${key} ${JSON.stringify(topic)}`, 'a topic of this bridge')
      return false
    })
    return good.slice(0, most)
  }
  const bases = believed('bases', MOST_BASES, (base) => topicProblem(base) === undefined)
  const topics = believed('topics', MOST_TOPICS, (topic) => isPublishedUnder(bases, topic))
  return {bases, topics, isAll: published['isAll'] === true}
}

function announcedIn({announced}: Mapping, forget: ReportDropped): RememberedDiscovery | undefined {
  if (announced === undefined) return undefined
  if (!isMapping(announced)) {
    forget('announced', 'what Home Assistant was told')
    return undefined
  }
  const isDevice = (key: string) => /^miio2mqtt_[1-9]\d*$/.test(key)
  const key = z.string().max(100)
  const devices = {key: isDevice, schema: key, expected: 'the name of a set, by device'}
  const sets = {key: () => true, schema: platformsSchema, expected: 'platforms by component'}
  return {
    devices: newest(membersOf('announced.devices', announced['devices'], devices, forget), MOST_ANNOUNCED),
    sets: newest(membersOf('announced.sets', announced['sets'], sets, forget), MOST_FIRMWARES),
  }
}

/** The last, and so newest, members. */
function newest<T>(members: readonly (readonly [string, T])[], most: number): Record<string, T> {
  return Object.fromEntries(members.slice(-most))
}

/** Drops the first, and so oldest, members. */
function keepNewest<K>(map: Map<K, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return
    map.delete(key)
  }
}

/** Recognises a token without holding it. With the address, since somebody may have copied one token to several plugs. */
function fingerprint(token: Secret, host = ''): string {
  return createHash('sha256').update(`${token.reveal().toLowerCase()} ${host}`).digest('hex').slice(0, 16)
}

function remembered(did: number, {fingerprint: _, unusedSince: __, ...memory}: Entry): RememberedPlug {
  return {did, ...memory}
}

function changedKeys(before: Entry | undefined, after: Entry): string[] {
  const known = new Map(Object.entries(before ?? {}))
  return Object.entries(after).flatMap(([key, value]) => (known.get(key) === value ? [] : [key]))
}

function definedOnly(patch: Partial<PlugMemory>): Partial<PlugMemory> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
}
