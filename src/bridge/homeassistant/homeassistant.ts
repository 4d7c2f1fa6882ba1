/** When Home Assistant is told of plugs: at every connect, at its own birth, and when a plug tells something new of itself. */
import {type Clock, type Random, sleep} from '../../common/clock.ts'
import type {Log} from '../../log/logger.ts'
import type {Topics} from '../../mqtt/topics.ts'
import type {Plug} from '../plug.ts'
import {type Publisher, retained} from '../publisher.ts'
import {bridgeDiscovery} from './bridge-discovery.ts'
import {type DiscoveredComponents, DiscoveryHistory} from './discovery-history.ts'
import {
  bridgeId,
  deviceId,
  discoveryTopic,
  MacOwners,
  platformsOf,
  withRemovedComponents,
} from './discovery-message.ts'
import {defaultPlatforms, isAnnounced, plugDiscovery} from './plug-discovery.ts'
import {DiscoveryThrottle} from './sent-discovery.ts'

export interface HomeAssistantOptions {
  publisher: Publisher
  topics: Topics
  prefix: string
  version: string
  clock: Clock
  /** Has a line at `debug` for each announcement; none unless given. */
  log?: Log
  random: Random
  isConnected: () => boolean
  /** Publishes availability and state of everything, once Home Assistant has had time to subscribe. */
  announce: () => void
  /** Sends what else Home Assistant is told of, when it is told of all plugs. */
  alsoDiscover?: () => void
  plugs: ReadonlyMap<string, Plug>
  /** What it was told by earlier runs. */
  announced: DiscoveredComponents | undefined
  remember: (announced: DiscoveredComponents) => void
}

/** Everybody answers Home Assistant's birth: not all at once. */
const BIRTH_DELAY_MS = {least: 500, most: 3000}
/** What was just discovered is subscribed to a moment later. */
const SUBSCRIBE_MS = 1000

export class HomeAssistant {
  readonly #options: HomeAssistantOptions
  readonly #paced: DiscoveryThrottle
  readonly #announced: DiscoveryHistory
  readonly #macs = new MacOwners()
  /** Device ids of plugs that were announced over this connection. */
  readonly #announcedIds = new Set<number>()
  #birth: AbortController | undefined

  constructor(options: HomeAssistantOptions) {
    this.#options = options
    this.#paced = new DiscoveryThrottle(options)
    this.#announced = new DiscoveryHistory(options.announced, options.remember)
  }

  /** From now on what the plug tells of itself is passed on. */
  follow(plug: Plug): void {
    plug.device.on('identified', () => this.#discover(plug, 'news'))
  }

  stop(): void {
    this.#birth?.abort()
    this.#paced.stop()
  }

  /** Everything, whether or not it was sent before: the broker may have forgotten, or Home Assistant may be new. */
  discoverAll(): void {
    this.#announcedIds.clear()
    const {publisher, prefix, topics, plugs} = this.#options
    const topic = discoveryTopic(prefix, bridgeId(topics.base))
    publisher.publish(retained(topic, bridgeDiscovery(this.#options)))
    this.#options.log?.debug(() => `announced to Home Assistant: ${topic}`)
    for (const plug of plugs.values()) this.#discover(plug, 'anyway')
    this.#options.alsoDiscover?.()
  }

  /** Whether the plug was announced over this connection. */
  wasAnnounced({did}: Plug): boolean {
    return did !== undefined && this.#announcedIds.has(did)
  }

  /** This plug, unless it was told just so. */
  discover(plug: Plug): void {
    this.#discover(plug, 'news')
  }

  /** The plug is not configured any more, or as another. */
  forget({did}: Plug): void {
    if (did === undefined) return
    const id = deviceId(did)
    this.#paced.forget(discoveryTopic(this.#options.prefix, id))
    const isStillHere = [...this.#options.plugs.values()].some(
      (plug) => plug.did === did && isAnnounced(plug),
    )
    if (isStillHere) return
    this.#announcedIds.delete(did)
    this.#announced.delete(id)
    this.#macs.forget(did)
  }

  /** A message on Home Assistant's status topic. Ten births in a second are answered once; a retained one is an old one. */
  async born(payload: string, isRetained: boolean): Promise<void> {
    if (payload !== 'online' || isRetained || this.#birth) return
    const birth = new AbortController()
    this.#birth = birth
    const {clock, random, announce} = this.#options
    const {least, most} = BIRTH_DELAY_MS
    await sleep(clock, least + random() * (most - least), birth.signal)
    if (!birth.signal.aborted) this.discoverAll()
    await sleep(clock, SUBSCRIBE_MS, birth.signal)
    if (!birth.signal.aborted) announce()
    this.#birth = undefined
  }

  /** One plug, as soon as its identity and its model are known. Without a broker that comes with the next connect. */
  #discover(plug: Plug, when: 'news' | 'anyway'): void {
    if (!this.#options.isConnected()) return // what is taken back would be lost, and taken for told
    const {did} = plug
    const {model} = plug.device
    if (did === undefined || !model || !isAnnounced(plug)) return
    const id = deviceId(did)
    const compose = () => {
      const message = plugDiscovery(plug, did, model, {...this.#options, macs: this.#macs})
      const farewell = withRemovedComponents(this.#announced.get(id) ?? defaultPlatforms(model), message)
      const sent = () => {
        this.#announcedIds.add(did)
        this.#announced.set(id, platformsOf(message))
        if (farewell) this.#discover(plug, 'news')
      }
      return {discovery: farewell ?? message, sent}
    }
    this.#paced.send(discoveryTopic(this.#options.prefix, id), compose, when)
  }
}
