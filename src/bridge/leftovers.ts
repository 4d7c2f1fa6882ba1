/**
 * What lies on the broker of plugs that are not configured any more: it is cleared, also when they were removed or renamed while
 * the bridge was down, or while there was no broker (contract §6). Other software's topics are never touched.
 */
import {isDeepStrictEqual} from 'node:util'
import type {Clock, Timer} from '../clock.ts'
import {Topics} from '../mqtt/topics.ts'
import {deviceId, discoveryTopic, isAnnounced} from './discovery.ts'
import type {Groups} from './groups.ts'
import type {Plug} from './plug.ts'
import type {Publisher} from './publisher.ts'

/** What was published of plugs, as remembered over restarts. */
export interface PublishedOf {
  base: string
  /** Where Home Assistant was told of them; empty when it was not. */
  prefix: string
  /** By name, the id they had in Home Assistant; empty when it was never told. */
  devices: Record<string, string>
  /** By name, the properties that lie on topics of their own; of plugs that have any. */
  attributes: Record<string, readonly string[]>
}

export interface LeftoverOptions {
  publisher: Publisher
  topics: Topics
  prefix: string
  plugs: ReadonlyMap<string, Plug>
  attributesOf: (plug: Plug) => readonly string[]
  clock: Clock
  isConnected: () => boolean
  groups: Pick<Groups, 'ids'>
  /** By earlier runs. */
  published: PublishedOf | undefined
  remember: (published: PublishedOf) => void
}

/**
 * So long Home Assistant may still listen on the old topics of a plug, and would log an error for each template that finds nothing
 * there: until it was told of the plug's new name, 2 s after anything else it was told of it (homeassistant.ts), and took that in.
 */
const FORGETTING_MS = 5000

export class Leftovers {
  readonly #options: LeftoverOptions
  #published: PublishedOf
  #clearing: Timer | undefined

  constructor(options: LeftoverOptions) {
    const {topics, prefix, published} = options
    this.#options = options
    this.#published = published ?? {base: topics.base, prefix, devices: {}, attributes: {}}
  }

  /** From now on it is known under which id Home Assistant knows this plug. */
  follow(plug: Plug): void {
    plug.device.on('identified', () => this.#note(plug))
  }

  stop(): void {
    this.#clearing?.cancel()
  }

  /**
   * Clears what is gone: first what Home Assistant was told, and a little later, when it listens there no more, the rest. Call
   * it with a broker only. What is not cleared in the end stays remembered.
   */
  sweep(): void {
    this.#clearing?.cancel()
    const {prefix, devices} = this.#published
    const now = this.#now()
    const ids = new Set(Object.values(now.devices))
    for (const [name, id] of Object.entries(devices)) {
      if (id === '' || (prefix === now.prefix && ids.has(id))) continue
      this.#clear(discoveryTopic(prefix, id))
      devices[name] = '' // once: a device that Home Assistant does not know is worth a warning to it
    }
    this.#options.remember(this.#published)
    this.#clearAttributes(now)
    if (this.#gone(now).length === 0) this.#finish(now)
    else this.#clearing = this.#options.clock.after(FORGETTING_MS, () => this.#clearTopics())
  }

  #clearTopics(): void {
    if (!this.#options.isConnected()) return
    const topics = new Topics(this.#published.base)
    const now = this.#now()
    for (const name of this.#gone(now)) {
      this.#clear(topics.availability(name))
      this.#clear(topics.state(name))
    }
    this.#finish(now)
  }

  /** At once: Home Assistant does not listen there. */
  #clearAttributes(now: PublishedOf): void {
    const {base, attributes} = this.#published
    const topics = new Topics(base)
    const isElsewhere = base !== now.base
    for (const [name, properties] of Object.entries(attributes))
      for (const property of properties) {
        const isThere =
          now.attributes[name]?.includes(property) || Object.hasOwn(now.devices, `${name}/${property}`)
        if (isElsewhere || !isThere) this.#clear(topics.attribute(name, property))
      }
  }

  /** Names of which something lies on the broker, and that nothing has now. */
  #gone(now: PublishedOf): string[] {
    const names = Object.keys(this.#published.devices)
    return this.#published.base === now.base
      ? names.filter((name) => !Object.hasOwn(now.devices, name))
      : names
  }

  #finish(now: PublishedOf): void {
    this.#published = now
    this.#options.remember(now)
  }

  #note(plug: Plug): void {
    const {topics, prefix, remember} = this.#options
    const {base, prefix: before, devices, attributes} = this.#published
    if (base !== topics.base || prefix !== before) return // what is still to be cleared stays remembered
    const [id, values] = [this.#idOf(plug), this.#attributesOf(plug)]
    if (devices[plug.name] === id && isDeepStrictEqual(attributes[plug.name] ?? [], values)) return
    devices[plug.name] = id
    if (values.length > 0) attributes[plug.name] = values
    remember(this.#published)
  }

  #now(): PublishedOf {
    const {topics, prefix, plugs, groups} = this.#options
    const devices = [...[...plugs.values()].map((plug) => [plug.name, this.#idOf(plug)]), ...groups.ids]
    const attributes = [...plugs.values()].flatMap((plug) => {
      const values = this.#attributesOf(plug)
      return values.length > 0 ? [[plug.name, values] as const] : []
    })
    return {
      base: topics.base,
      prefix,
      devices: Object.fromEntries(devices),
      attributes: Object.fromEntries(attributes),
    }
  }

  /** Of a plug that did not tell its model yet, those it had before. */
  #attributesOf(plug: Plug): readonly string[] {
    if (!plug.device.model) return this.#published.attributes[plug.name] ?? []
    return this.#options.attributesOf(plug)
  }

  /** Home Assistant is not told of a plug that is disabled, and forgets one that was. */
  #idOf(plug: Plug): string {
    const {did} = plug
    return did === undefined || !isAnnounced(plug) || this.#options.prefix === '' ? '' : deviceId(did)
  }

  #clear(topic: string): void {
    this.#options.publisher.publish({topic, payload: '', retain: true, qos: 1})
  }
}
