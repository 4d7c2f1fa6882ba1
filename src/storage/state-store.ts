/**
 * Keeps everything but energy over restarts: `state.json` in the state folder, with the MQTT client id, the plugs, what their
 * firmware supports, the retained topics and the discovery messages that were published. state-format.ts has the format.
 */
import {createHash} from 'node:crypto'
import {stat} from 'node:fs/promises'
import type {DiscoveredComponents} from '../bridge/homeassistant/sent-discovery.ts'
import type {RetainedTopicsRecord} from '../bridge/retained-cleanup.ts'
import {type Clock, isPlausibleDate, randomHex} from '../common/clock.ts'
import type {Secret} from '../common/secret.ts'
import {FirmwareCapabilities, type StoredCapabilities} from '../device/polling/firmware-capabilities.ts'
import type {Log} from '../log/logger.ts'
import {JsonFile, type JsonFileDependencies, readJsonFile, type Snapshot} from './json-file.ts'
import {
  isDid,
  MAX_FIRMWARES,
  type PlugEntry,
  type PlugMemory,
  parseState,
  type StateContent,
} from './state-format.ts'

const FILE = 'state.json'
/** Changes come in bursts: one write for all of them. 1 ms for each plug, since all of them are written, and at least this. */
const WRITE_AFTER_MS = 2_000
/** Message ids change with every request: written as often as the rest, they would wear out a memory card. */
const WRITE_MESSAGE_IDS_AFTER_MS = 300_000

/** A plug that is not configured any more stays for so long, in case it comes back; and so many such plugs at most. */
const UNUSED_MS = 90 * 24 * 3_600_000
const MAX_UNUSED = 500

/** What the configuration says about a plug. */
interface PlugQuery {
  id?: number | undefined
  token: Secret
  host?: string | undefined
}

/** Everything is in memory. The file follows, and the bridge works on while it cannot be written. */
export class StateStore extends JsonFile {
  readonly clientId: string
  readonly #clock: Clock
  /** By did. */
  readonly #plugs = new Map<number, PlugEntry>()
  readonly #didByFingerprint = new Map<string, number>()
  readonly #capabilities: Map<string, StoredCapabilities>
  #published: () => RetainedTopicsRecord | undefined
  #discovery: DiscoveredComponents | undefined

  private constructor(folder: string, content: StateContent | undefined, dependencies: JsonFileDependencies) {
    const loss = 'state that changes now is lost at the next restart'
    super({...dependencies, folder, name: FILE, loss})
    this.#clock = dependencies.clock
    this.clientId = content?.clientId ?? `miio2mqtt_${randomHex(dependencies.random)}`
    const published = content?.published
    this.#published = () => published
    this.#discovery = content?.announced
    this.#capabilities = new Map(content?.firmwares)
    for (const [did, entry] of content?.plugs ?? []) this.#setPlug(did, entry)
  }

  /**
   * Reads `state.json` in `folder`. Invalid parts of it are dropped, with one warning.
   * @throws StateFolderError for a file that exists and cannot be read
   */
  static async open(folder: string, dependencies: JsonFileDependencies): Promise<StateStore> {
    const content = await readJsonFile(folder, FILE, parseState, dependencies)
    const store = new StateStore(folder, content, dependencies)
    await warnOfOtherWriters(folder, dependencies.log)
    if (content?.clientId === undefined) store.writeWithin(0)
    await store.save()
    return store
  }

  /** The plug with this id; without an id the one that had this token at this configured address. */
  find({id, token, host}: PlugQuery): ({did: number} & PlugMemory) | undefined {
    const did = id ?? this.#didByFingerprint.get(fingerprintOf(token, host))
    const entry = did === undefined ? undefined : this.#plugs.get(did)
    if (did === undefined || !entry) return undefined
    const {fingerprint: _, unusedSince: __, ...memory} = entry
    return {did, ...memory}
  }

  /**
   * Adds `patch` to what is known about a plug; undefined values in it change nothing. Written within seconds; within minutes
   * when only `messageId` has changed.
   */
  remember(did: number, token: Secret, patch: Partial<PlugMemory>): void {
    if (!isDid(String(did))) return
    const before = this.#plugs.get(did)
    const merged = {
      ...before,
      ...Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)),
    }
    const fingerprint = fingerprintOf(token, merged.configuredHost)
    const after = {...merged, unusedSince: undefined, fingerprint}
    const stored = new Map(Object.entries(before ?? {}))
    const changes = Object.entries(after).filter(([key, value]) => stored.get(key) !== value)
    if (changes.length === 0) return
    this.#setPlug(did, after)
    const isMessageIdOnly = changes.every(([key]) => key === 'messageId')
    if (isMessageIdOnly) this.writeWithin(WRITE_MESSAGE_IDS_AFTER_MS)
    else this.#writeSoon()
  }

  /** What this firmware of this model supports, as far as a plug with it has shown. */
  capabilities(model: string, firmware: string): StoredCapabilities | undefined {
    return this.#capabilities.get(`${model} ${firmware}`)
  }

  rememberCapabilities(model: string, firmware: string, capabilities: StoredCapabilities): void {
    this.#capabilities.set(`${model} ${firmware}`, capabilities)
    const [oldest] = this.#capabilities.keys()
    if (this.#capabilities.size > MAX_FIRMWARES && oldest !== undefined) this.#capabilities.delete(oldest)
    this.#writeSoon()
  }

  /** The retained topics that were published, so that stale ones can be cleared. */
  get publishedTopics(): RetainedTopicsRecord | undefined {
    return this.#published()
  }

  /** @param published called when the file is written */
  rememberPublishedTopics(published: () => RetainedTopicsRecord): void {
    this.#published = published
    this.#writeSoon()
  }

  /** The entities that were published for each plug, so that they can be removed. */
  get discovery(): DiscoveredComponents | undefined {
    return this.#discovery
  }

  rememberDiscovery(discovery: DiscoveredComponents): void {
    this.#discovery = discovery
    this.#writeSoon()
  }

  /**
   * Plugs with these ids are configured now. Every other plug is removed 90 days after it was first missing here, and sooner
   * when there are too many of them: those that are missing for longest go first.
   */
  markConfigured(dids: ReadonlySet<number>): void {
    const now = this.#clock.date()
    if (!isPlausibleDate(now)) return
    for (const [did, {unusedSince, ...entry}] of this.#plugs) {
      if (dids.has(did) === (unusedSince === undefined)) continue
      this.#plugs.set(did, dids.has(did) ? entry : {...entry, unusedSince: now.toISOString()})
      this.#writeSoon()
    }
    const unused = [...this.#plugs]
      .flatMap(([did, {unusedSince}]) => (unusedSince === undefined ? [] : [{did, unusedSince}]))
      .sort((a, b) => (a.unusedSince < b.unusedSince ? -1 : 1))
    for (const [index, {did, unusedSince}] of unused.entries()) {
      const isOld = now.getTime() - Date.parse(unusedSince) > UNUSED_MS
      if (!isOld && unused.length - index <= MAX_UNUSED) continue
      this.#removeFingerprint(did)
      this.#plugs.delete(did)
      this.#writeSoon()
    }
  }

  protected snapshot(): Snapshot {
    const content = {
      client_id: this.clientId,
      firmwares: Object.fromEntries(this.#capabilities),
      published: this.#published(),
      announced: this.#discovery,
      plugs: Object.fromEntries(this.#plugs),
    }
    return {content}
  }

  #writeSoon(): void {
    this.writeWithin(Math.max(WRITE_AFTER_MS, this.#plugs.size))
  }

  #setPlug(did: number, entry: PlugEntry): void {
    this.#removeFingerprint(did)
    this.#plugs.set(did, entry)
    this.#didByFingerprint.set(entry.fingerprint, did)
  }

  #removeFingerprint(did: number): void {
    const fingerprint = this.#plugs.get(did)?.fingerprint
    if (fingerprint !== undefined && this.#didByFingerprint.get(fingerprint) === did)
      this.#didByFingerprint.delete(fingerprint)
  }
}

/** A plug that reports another firmware version each time must not fill the memory. */
const MAX_SHARED = 1_000

/**
 * Looks up the capabilities of a firmware: one object for all plugs with the same model and firmware version, kept over
 * restarts. A plug that has not reported its firmware version yet gets an object of its own, which is not kept.
 * @param ownModels models that the user defines. Nothing from earlier runs counts for them: the definition may have changed
 */
export function capabilitiesLookup(
  store: StateStore,
  ownModels: ReadonlySet<string>,
): (model: string, firmware: string | undefined) => FirmwareCapabilities {
  const shared = new Map<string, FirmwareCapabilities>()
  return (model, firmware) => {
    if (firmware === undefined) return new FirmwareCapabilities()
    const key = `${model} ${firmware}`
    const known = shared.get(key)
    if (known) return known
    const capabilities = ownModels.has(model)
      ? new FirmwareCapabilities()
      : new FirmwareCapabilities(store.capabilities(model, firmware), (changed) =>
          store.rememberCapabilities(model, firmware, changed),
        )
    if (shared.size < MAX_SHARED) shared.set(key, capabilities)
    return capabilities
  }
}

const WRITABLE_BY_OTHERS = 0o022

/** A user who may write in the folder may replace one of our files by another. */
async function warnOfOtherWriters(folder: string, log: Log): Promise<void> {
  const stats = await stat(folder).catch(() => undefined) // there is no folder yet
  const mode = stats?.isDirectory() ? stats.mode & 0o777 : 0
  if ((mode & WRITABLE_BY_OTHERS) !== 0)
    log.warn(
      `the state folder ${folder} can be written by other users (mode ${mode.toString(8)}): \`chmod 700 ${folder}\``,
    )
}

/** Recognises a token without storing it. The address is part of it, since one token may be configured for several plugs. */
function fingerprintOf(token: Secret, host = ''): string {
  return createHash('sha256').update(`${token.reveal().toLowerCase()} ${host}`).digest('hex').slice(0, 16)
}
