/**
 * Keeps everything but energy over restarts: `state.json` in the state folder, with the MQTT client id, the plugs, what their
 * firmware supports, the retained topics and the discovery messages that were published. state-format.ts has the format.
 */
import {createHash} from 'node:crypto'
import {stat} from 'node:fs/promises'
import {type Clock, isPlausibleDate, randomHex} from '../common/clock.ts'
import type {Secret} from '../common/secret.ts'
import {FirmwareCapabilities} from '../device/polling/firmware-capabilities.ts'
import type {Log} from '../log/logger.ts'
import {JsonFile, type JsonFileDependencies} from './json-file.ts'
import {isDid, readJsonFile} from './json-reader.ts'
import {
  MAX_FIRMWARES,
  type PlugEntry,
  type PlugMemory,
  parseState,
  type RememberedCapabilities,
  type RememberedDiscovery,
  type RememberedTopics,
  type StateContent,
} from './state-format.ts'

const FILE = 'state.json'
/** Changes come in bursts: one write for all of them. */
const WRITE_AFTER_MS = 2_000
/** Message ids change with every request: written as often as the rest, they would wear out a memory card. */
const WRITE_MESSAGE_IDS_AFTER_MS = 300_000

/** A plug that is not configured any more stays for so long, in case it comes back; and so many such plugs at most. */
const UNUSED_MS = 90 * 24 * 3_600_000
const MAX_UNUSED = 500

type RememberedPlug = {did: number} & PlugMemory

/** What the configuration says about a plug. */
interface PlugQuery {
  id?: number | undefined
  token: Secret
  host?: string | undefined
}

/** Everything is in memory. The file follows, and the bridge works on while it cannot be written. */
export class StateStore {
  readonly clientId: string
  readonly #clock: Clock
  readonly #file: JsonFile
  /** By did. */
  readonly #plugs = new Map<number, PlugEntry>()
  readonly #didByFingerprint = new Map<string, number>()
  readonly #capabilities: Map<string, RememberedCapabilities>
  #published: () => RememberedTopics | undefined
  #discovery: RememberedDiscovery | undefined

  private constructor(folder: string, content: StateContent | undefined, dependencies: JsonFileDependencies) {
    this.#clock = dependencies.clock
    this.#file = new JsonFile({
      ...dependencies,
      folder,
      name: FILE,
      snapshot: () => ({text: this.#text()}),
      loss: 'state that changes now is lost at the next restart',
    })
    this.clientId = content?.clientId ?? `miio2mqtt_${randomHex(dependencies.random)}`
    const published = content?.published
    this.#published = () => published
    this.#discovery = content?.announced
    this.#capabilities = new Map(content?.firmwares)
    for (const [did, entry] of content?.plugs ?? []) this.#setPlug(did, entry)
  }

  /**
   * Reads `state.json` in `folder`. What makes no sense in it is dropped, with one warning.
   * @throws StateUnreadable for a file that exists and cannot be read
   */
  static async open(folder: string, dependencies: JsonFileDependencies): Promise<StateStore> {
    const content = await readJsonFile(folder, FILE, parseState, dependencies)
    const store = new StateStore(folder, content, dependencies)
    await warnOfOtherWriters(folder, dependencies.log)
    if (content?.clientId === undefined) store.#file.writeWithin(0)
    await store.save()
    return store
  }

  /** All plugs in the file, configured or not. */
  all(): RememberedPlug[] {
    return Array.from(this.#plugs, ([did, entry]) => rememberedPlug(did, entry))
  }

  /** The plug with this id; without an id the one that had this token at this configured address. */
  find({id, token, host}: PlugQuery): RememberedPlug | undefined {
    const did = id ?? this.#didByFingerprint.get(fingerprintOf(token, host))
    const entry = did === undefined ? undefined : this.#plugs.get(did)
    return did === undefined || !entry ? undefined : rememberedPlug(did, entry)
  }

  /**
   * Adds `patch` to what is known about a plug; undefined values in it change nothing. Written within seconds; within minutes
   * when only `messageId` has changed.
   */
  remember(did: number, token: Secret, patch: Partial<PlugMemory>): void {
    if (!isDid(String(did))) return
    const before = this.#plugs.get(did)
    const merged = {...before, ...definedOnly(patch)}
    const fingerprint = fingerprintOf(token, merged.configuredHost)
    const after = {...merged, unusedSince: undefined, fingerprint}
    const changes = changedKeys(before, after)
    if (changes.length === 0) return
    this.#setPlug(did, after)
    const isMessageIdOnly = changes.every((key) => key === 'messageId')
    this.#file.writeWithin(isMessageIdOnly ? WRITE_MESSAGE_IDS_AFTER_MS : WRITE_AFTER_MS)
  }

  /** What this firmware of this model supports, as far as a plug with it has shown. */
  capabilities(model: string, firmware: string): RememberedCapabilities | undefined {
    return this.#capabilities.get(`${model} ${firmware}`)
  }

  rememberCapabilities(model: string, firmware: string, capabilities: RememberedCapabilities): void {
    this.#capabilities.set(`${model} ${firmware}`, capabilities)
    removeOldest(this.#capabilities, MAX_FIRMWARES)
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  /** The retained topics that were published, so that stale ones can be cleared (src/bridge/retained-cleanup.ts). */
  get publishedTopics(): RememberedTopics | undefined {
    return this.#published()
  }

  /** @param published called when the file is written */
  rememberPublishedTopics(published: () => RememberedTopics): void {
    this.#published = published
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  /** The entities that were published for each plug, so that they can be removed (src/bridge/homeassistant/discovery-message.ts). */
  get discovery(): RememberedDiscovery | undefined {
    return this.#discovery
  }

  rememberDiscovery(discovery: RememberedDiscovery): void {
    this.#discovery = discovery
    this.#file.writeWithin(WRITE_AFTER_MS)
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
      this.#file.writeWithin(WRITE_AFTER_MS)
    }
    const unused = [...this.#plugs]
      .flatMap(([did, {unusedSince}]) => (unusedSince === undefined ? [] : [{did, unusedSince}]))
      .sort((a, b) => (a.unusedSince < b.unusedSince ? -1 : 1))
    for (const [index, {did, unusedSince}] of unused.entries()) {
      const isOld = now.getTime() - Date.parse(unusedSince) > UNUSED_MS
      if (isOld || unused.length - index > MAX_UNUSED) this.forget(did)
    }
  }

  forget(did: number): void {
    this.#removeFingerprint(did)
    if (!this.#plugs.delete(did)) return
    this.#file.writeWithin(WRITE_AFTER_MS)
  }

  /** Writes what has changed, now. Never throws: a failure is logged once, and tried again every minute. */
  save(): Promise<void> {
    return this.#file.save()
  }

  /** Saves for the last time. No timer is pending afterwards. */
  close(): Promise<void> {
    return this.#file.close()
  }

  #text(): string {
    const content = {
      version: 1,
      client_id: this.clientId,
      firmwares: Object.fromEntries(this.#capabilities),
      published: this.#published(),
      announced: this.#discovery,
      plugs: Object.fromEntries(this.#plugs),
    }
    return JSON.stringify(content, null, 1)
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
  ownModels: ReadonlySet<string> = new Set(),
): (model: string, firmware: string | undefined) => FirmwareCapabilities {
  const shared = new Map<string, FirmwareCapabilities>()
  return (model, firmware) => {
    if (firmware === undefined) return new FirmwareCapabilities()
    const key = `${model} ${firmware}`
    const known = shared.get(key)
    if (known) return known
    const capabilities = ownModels.has(model) ? new FirmwareCapabilities() : stored(model, firmware)
    if (shared.size < MAX_SHARED) shared.set(key, capabilities)
    return capabilities
  }

  function stored(model: string, firmware: string): FirmwareCapabilities {
    return new FirmwareCapabilities(store.capabilities(model, firmware), (changed) =>
      store.rememberCapabilities(model, firmware, changed),
    )
  }
}

const WRITABLE_BY_OTHERS = 0o022

/** A user who may write in the folder may replace one of our files by another. */
async function warnOfOtherWriters(folder: string, log: Log): Promise<void> {
  const mode = await stat(folder).then(
    (stats) => (stats.isDirectory() ? stats.mode & 0o777 : 0),
    () => 0, // there is no folder yet
  )
  if ((mode & WRITABLE_BY_OTHERS) !== 0)
    log.warn(
      `the state folder ${folder} can be written by other users (mode ${mode.toString(8)}): \`chmod 700 ${folder}\``,
    )
}

/** Removes the oldest members, which are the first ones. */
function removeOldest<K>(map: Map<K, unknown>, max: number): void {
  for (const key of map.keys()) {
    if (map.size <= max) return
    map.delete(key)
  }
}

/** Recognises a token without storing it. The address is part of it, since one token may be configured for several plugs. */
function fingerprintOf(token: Secret, host = ''): string {
  return createHash('sha256').update(`${token.reveal().toLowerCase()} ${host}`).digest('hex').slice(0, 16)
}

function rememberedPlug(
  did: number,
  {fingerprint: _, unusedSince: __, ...memory}: PlugEntry,
): RememberedPlug {
  return {did, ...memory}
}

function changedKeys(before: PlugEntry | undefined, after: PlugEntry): string[] {
  const known = new Map(Object.entries(before ?? {}))
  return Object.entries(after).flatMap(([key, value]) => (known.get(key) === value ? [] : [key]))
}

function definedOnly(patch: Partial<PlugMemory>): Partial<PlugMemory> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
}
