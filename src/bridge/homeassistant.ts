/** When Home Assistant is told of plugs: at every connect, at its own birth, and when a plug tells something new of itself. */
import {type Clock, type Random, sleep, type Timer} from '../clock.ts'
import type {Topics} from '../mqtt/topics.ts'
import {
  bridgeDiscovery,
  bridgeId,
  deviceId,
  digest,
  discoveryTopic,
  isAnnounced,
  type Platforms,
  platformsOf,
  plugDiscovery,
  usualPlatforms,
  withoutVanished,
} from './discovery.ts'
import type {Plug} from './plug.ts'
import {type Publisher, retained} from './publisher.ts'

export interface HomeAssistantOptions {
  publisher: Publisher
  topics: Topics
  prefix: string
  version: string
  clock: Clock
  random: Random
  /** Publishes availability and state of everything, once Home Assistant has had time to subscribe. */
  announce: () => void
  /** Sends what else Home Assistant is told of, when it is told of all plugs. */
  alsoDiscover?: () => void
  plugs: ReadonlyMap<string, Plug>
}

/** Two different messages for one device within 2 s make Home Assistant drop part of the second; a margin for the way there. */
const APART_MS = 2100
/** Everybody answers Home Assistant's birth: not all at once. */
const BIRTH_DELAY_MS = {least: 500, most: 3000}
/** What was just discovered is subscribed to a moment later. */
const SUBSCRIBE_MS = 1000

export class HomeAssistant {
  readonly #options: HomeAssistantOptions
  /** What was sent last, by device: payloads themselves would be megabytes. */
  readonly #sent = new Map<string, {digest: string; at: number; platforms: Platforms}>()
  readonly #delayed = new Map<string, Timer>()
  #birth: AbortController | undefined

  constructor(options: HomeAssistantOptions) {
    this.#options = options
  }

  /** From now on what the plug tells of itself is passed on. */
  follow(plug: Plug): void {
    plug.device.on('identified', () => this.#discover(plug, 'news'))
  }

  stop(): void {
    this.#birth?.abort()
    for (const timer of this.#delayed.values()) timer.cancel()
  }

  /** Everything, whether or not it was sent before: the broker may have forgotten, or Home Assistant may be new. */
  discoverAll(): void {
    const {publisher, prefix, topics, plugs} = this.#options
    publisher.publish(retained(discoveryTopic(prefix, bridgeId(topics.base)), bridgeDiscovery(this.#options)))
    for (const plug of plugs.values()) this.#discover(plug, 'anyway')
    this.#options.alsoDiscover?.()
  }

  /** This plug, unless it was told just so. */
  discover(plug: Plug): void {
    this.#discover(plug, 'news')
  }

  /** The plug is not configured any more, or as another. */
  forget({did}: Plug): void {
    if (did === undefined) return
    const id = deviceId(did)
    this.#delayed.get(id)?.cancel()
    this.#delayed.delete(id)
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

  /** One plug, as soon as its identity and its model are known. */
  #discover(plug: Plug, when: 'news' | 'anyway'): void {
    const {did} = plug
    const {model} = plug.device
    if (did === undefined || !model || !isAnnounced(plug)) return
    const id = deviceId(did)
    const message = plugDiscovery(plug, did, model, this.#options)
    const before = this.#sent.get(id)
    const farewell = withoutVanished(before?.platforms ?? usualPlatforms(model), message)
    const payload = JSON.stringify(farewell ?? message)
    const isNews = before?.digest !== digest(payload)
    this.#delayed.get(id)?.cancel()
    this.#delayed.delete(id)
    if (!isNews && when === 'news') return
    const wait = before && isNews ? before.at + APART_MS - this.#options.clock.now() : 0
    if (wait > 0) this.#delay(plug, id, wait)
    else {
      this.#send(id, payload, platformsOf(message))
      if (farewell) this.#delay(plug, id, APART_MS)
    }
  }

  #delay(plug: Plug, id: string, ms: number): void {
    this.#delayed.set(
      id,
      this.#options.clock.after(ms, () => this.#discover(plug, 'news')),
    )
  }

  #send(id: string, payload: string, platforms: Platforms): void {
    const {publisher, prefix, clock} = this.#options
    this.#sent.set(id, {digest: digest(payload), at: clock.now(), platforms})
    const topic = discoveryTopic(prefix, id)
    publisher.publish({topic, payload, contentType: 'application/json', retain: true, qos: 1})
  }
}
