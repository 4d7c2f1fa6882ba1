/**
 * Clears retained messages that no longer belong to any configured plug or group: also when plugs were removed or renamed while the bridge
 * was down or the broker was away, and when the state folder was lost (docs/promises.md, 48, 49 and 51). Several bridges and much other
 * software may share a broker: a discovery message is read before it is cleared, and left alone if other software or another bridge sent it.
 */
import * as z from 'zod'
import type {Timer} from '../common/clock.ts'
import type {IncomingMessage} from '../mqtt/connection.ts'
import {isDiscoveryTopic, Topics, topicProblem} from '../mqtt/topics.ts'
import type {BridgeContext, Component, RetainedSource} from './component.ts'
import {bridgeId, discoveryTopic} from './homeassistant/discovery-message.ts'
import {isAnnounced} from './homeassistant/plug-discovery.ts'
import type {RetainedTopics} from './publisher.ts'

/** The record of our retained messages, as it is stored over restarts. */
export interface RetainedTopicsRecord {
  /** The base topics that the bridge has had since the last complete cleanup. */
  bases: readonly string[]
  topics: readonly string[]
  /** Whether the record is complete: the broker was searched once for retained messages of ours. */
  isAll: boolean
}

/** Where the record is stored. */
export interface RetainedTopicsStore {
  /** That of earlier runs; `undefined` when nothing is stored. */
  readonly publishedTopics: RetainedTopicsRecord | undefined
  /** @param record called whenever the file is written */
  rememberPublishedTopics(record: () => RetainedTopicsRecord): void
}

interface RetainedCleanupOptions {
  retainedTopics: RetainedTopics
  /** The parts of the bridge that list the topics on which they have retained messages now. Recorded topics that none lists are stale. */
  sources: readonly RetainedSource[]
  /** The discovery prefix of Home Assistant; `undefined` when Home Assistant is disabled. */
  prefix: string | undefined
  store: RetainedTopicsStore
}

/** How long the broker may take to deliver its retained messages. */
const SCAN_MS = 2000
/**
 * How long Home Assistant may still be subscribed to the old topics of a plug; it would log an error for each template that finds nothing
 * there. It unsubscribes when it has processed the plug's new discovery message, which may come 2 s after an earlier one (sent-discovery.ts).
 */
const UNSUBSCRIBE_MS = 5000
/** To read more topics than these, one filter with a wildcard is used. */
const MAX_FILTERS = 100
/**
 * Any client that may publish can put a list of plugs on the broker: no more topics than those of ten thousand plugs and their groups are
 * taken from it.
 */
const MAX_FOUND = 40_000
/** A bridge whose base topic was changed forgets the old one within seconds. */
const MAX_BASES = 20

/** Clears stale retained messages after each connect, reload and new identity. */
export class RetainedCleanup implements Component {
  readonly #context: BridgeContext
  readonly #options: RetainedCleanupOptions
  #bases: readonly string[]
  #isComplete: boolean
  /** Whether retained messages are being read from the broker: see `subscriptions`. */
  #isScanning: boolean
  /** The recorded discovery topics that the broker delivered in this scan, and whether the message is ours. */
  readonly #delivered = new Map<string, boolean>()
  #stepTimer: Timer | undefined
  /** A plug reported a new identity during the present sweep. */
  #needsAnotherSweep = false
  #found = 0

  constructor(context: BridgeContext, options: RetainedCleanupOptions) {
    const {retainedTopics, store} = options
    const {bases = [], isAll = false} = store.publishedTopics ?? {}
    const validBases = [context.topics.base, ...bases].filter((base) => topicProblem(base) === undefined)
    this.#context = context
    this.#options = options
    this.#bases = [...new Set(validBases)].slice(0, MAX_BASES)
    // No other topic is ever cleared, whatever the stored record lists.
    const isBelowBase = (topic: string) => this.#bases.some((base) => topic.startsWith(`${base}/`))
    for (const topic of retainedTopics.topics)
      if (!isBelowBase(topic) && !isDiscoveryTopic(topic)) retainedTopics.forget(topic)
    this.#isComplete = isAll
    this.#isScanning = !isAll
    retainedTopics.onChange(() => this.#save())
  }

  /** A new identity of a plug may make other topics stale. */
  identified(): void {
    if (this.#stepTimer) this.#needsAnotherSweep = true
    else this.#after(UNSUBSCRIBE_MS, () => this.#sweep())
  }

  connected(): void {
    this.#delivered.clear() // of the connection before: nothing is subscribed on this one
    this.#sweep()
  }

  /** A scan under way goes on with what it knows: the broker does not deliver again what is subscribed already. */
  reloaded(): void {
    if (this.#context.connection.connected) this.#sweep()
  }

  stop(): void {
    this.#stepTimer?.cancel()
  }

  /** Filters of the retained messages that have to be read. None most of the time. */
  subscriptions(): readonly string[] {
    if (!this.#isScanning) return []
    const discovery = this.#staleTopics().filter(isDiscoveryTopic)
    const wildcards = new Set(discovery.map((topic) => topic.replace(/[^/]+(?=\/config$)/, '+')))
    if (this.#isComplete) return discovery.length > MAX_FILTERS ? [...wildcards] : discovery
    const {prefix} = this.#options
    if (prefix !== undefined) wildcards.add(discoveryTopic(prefix, '+'))
    return [...this.#bases.flatMap(listTopics), ...wildcards]
  }

  /** @returns whether the message is one that the scan has asked for */
  handle({topic, payload, retained}: IncomingMessage): boolean {
    if (!this.#isScanning || !retained || payload.length === 0) return false
    const base = this.#bases.find((each) => listTopics(each).includes(topic))
    if (base !== undefined) this.#recordListed(new Topics(base), payload)
    else if (isDiscoveryTopic(topic)) this.#recordDiscovery(topic, payload)
    else return false
    return true
  }

  /**
   * Clears stale topics: first the discovery messages, and a little later, when Home Assistant has unsubscribed from them, the others.
   * Needs a connection to the broker. Topics that cannot be cleared stay recorded.
   */
  #sweep(): void {
    this.#needsAnotherSweep = false
    const stale = this.#staleTopics()
    this.#isScanning = !this.#isComplete || stale.some(isDiscoveryTopic)
    if (this.#isScanning) {
      void this.#context.connection.resubscribe()
      this.#after(SCAN_MS, () => this.#clearDiscovery())
    } else if (stale.length > 0) this.#after(UNSUBSCRIBE_MS, () => this.#clearOthers())
    else this.#cancel()
  }

  /** Records the topics of plugs and groups that a bridge of ours listed. */
  #recordListed(topics: Topics, payload: Buffer): void {
    if (this.#isComplete) return
    for (const name of listedNames(payload))
      if (topics.isName(name)) {
        this.#recordFound(topics.state(name))
        this.#recordFound(topics.availability(name))
      }
  }

  #recordDiscovery(topic: string, payload: Buffer): void {
    const stateTopic = ownStateTopic(payload, this.#bases)
    if (stateTopic !== undefined && !this.#isComplete && !this.#mayBeCurrent(stateTopic))
      this.#recordFound(topic)
    // Only recorded topics are kept: there may be any number of others.
    if (this.#options.retainedTopics.topics.has(topic)) this.#delivered.set(topic, stateTopic !== undefined)
  }

  #recordFound(topic: string): void {
    if (this.#found >= MAX_FOUND) return
    this.#found++
    this.#options.retainedTopics.record(topic)
  }

  /** Also clears what the broker did not deliver: at worst Home Assistant warns once of a device that it does not know. */
  #clearDiscovery(): void {
    const {retainedTopics} = this.#options
    for (const topic of this.#staleTopics().filter(isDiscoveryTopic)) {
      if (this.#delivered.get(topic) === false) retainedTopics.forget(topic)
      else retainedTopics.clear(topic)
    }
    this.#isScanning = false
    this.#delivered.clear()
    void this.#context.connection.resubscribe()
    this.#after(UNSUBSCRIBE_MS, () => this.#clearOthers())
  }

  #clearOthers(): void {
    const stale = this.#staleTopics()
    for (const topic of stale) if (!isDiscoveryTopic(topic)) this.#options.retainedTopics.clear(topic)
    this.#after(UNSUBSCRIBE_MS, () => this.#finish(stale))
  }

  /** Ends the sweep: forgets the topics that were cleared, also those without an acknowledgement of the broker. */
  #finish(cleared: readonly string[]): void {
    for (const topic of cleared) this.#options.retainedTopics.forgetCleared(topic)
    this.#isComplete = true
    this.#bases = [this.#context.topics.base]
    this.#save()
    if (this.#needsAnotherSweep) this.#sweep()
  }

  #cancel(): void {
    this.#stepTimer?.cancel()
    this.#stepTimer = undefined
  }

  /** Without a connection the step is skipped: the next connect begins a new sweep. */
  #after(ms: number, step: () => void): void {
    this.#cancel()
    this.#stepTimer = this.#context.clock.after(ms, () => {
      this.#stepTimer = undefined
      if (this.#context.connection.connected) step()
    })
  }

  /** Recorded topics that no part of the bridge publishes on any more. */
  #staleTopics(): string[] {
    const {retainedTopics, sources} = this.#options
    const {topics, plugs} = this.#context
    const current = new Set(sources.flatMap((source) => source.retainedTopics()))
    // While the model of a plug is not known, it is open which values it has.
    const undecided = [...plugs.values()].flatMap(({name, device}) =>
      device.model ? [] : [`${topics.state(name)}/`],
    )
    return [...retainedTopics.topics].filter(
      (topic) => !current.has(topic) && !undecided.some((start) => topic.startsWith(start)),
    )
  }

  /** Whether the message may be about a configured plug whose device id is not known yet. @param stateTopic the one in the message */
  #mayBeCurrent(stateTopic: string): boolean {
    const {topics, plugs} = this.#context
    const start = topics.state('')
    const plug = stateTopic.startsWith(start) ? plugs.get(stateTopic.slice(start.length)) : undefined
    return plug !== undefined && isAnnounced(plug) && plug.did === undefined
  }

  #save(): void {
    const {retainedTopics, store} = this.#options
    store.rememberPublishedTopics(() => ({
      bases: this.#bases,
      topics: [...retainedTopics.topics],
      isAll: this.#isComplete,
    }))
  }
}

/** The topics on which a bridge lists its plugs and groups. */
function listTopics(base: string): string[] {
  const topics = new Topics(base)
  return [topics.bridge('devices'), topics.bridge('groups')]
}

/** The part of a discovery message that matters here. Messages of other software may have any shape. */
const discoverySchema = z.object({
  device: z.object({identifiers: z.array(z.string())}),
  state_topic: z.string().default(''),
  availability: z.array(z.object({topic: z.string()})).default([]),
})

/** An entry without a name does not invalidate the others. */
const listSchema = z.array(z.object({name: z.string()}).optional().catch(undefined))

/**
 * @param payload of a message on a discovery topic
 * @returns the state topic of the plug or group in the message, if a bridge with one of the base topics sent it; empty for the message of
 * that bridge about itself; `undefined` for a message of any other sender
 */
export function ownStateTopic(payload: Buffer, bases: readonly string[]): string | undefined {
  const message = parsed(payload, discoverySchema)
  const isOurs = bases.some(
    (base) =>
      message?.availability.some(({topic}) => topic === new Topics(base).bridge('state')) ||
      message?.device.identifiers.includes(bridgeId(base)),
  )
  return isOurs ? message?.state_topic : undefined
}

/** The names in a `bridge/devices` or `bridge/groups` message; none when the payload is something else. */
export function listedNames(payload: Buffer): string[] {
  return (parsed(payload, listSchema) ?? []).flatMap((entry) => entry?.name ?? [])
}

/** A JSON message; `undefined` when it is something else. */
function parsed<T>(payload: Buffer, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(payload.toString())).data
  } catch {
    return undefined
  }
}
