/**
 * What lies on the broker of plugs that are not configured any more: it is cleared, also when they were removed or renamed while
 * the bridge was down, while there was no broker, or when nothing is remembered of it (contract §6, §7). Before a message to Home
 * Assistant is cleared it is looked at: other software's are never touched, nor those of a bridge that has the plug now.
 */
import {isDeepStrictEqual} from 'node:util'
import type {Clock, Timer} from '../clock.ts'
import type {Incoming} from '../mqtt/connection.ts'
import {Topics} from '../mqtt/topics.ts'
import {bridgeId, discoveryTopic} from './discovery.ts'
import {Inventory, type InventoryOptions, type Item, type PublishedOf} from './inventory.ts'
import {namesIn, ownName} from './ownership.ts'
import type {Plug} from './plug.ts'
import type {Publisher} from './publisher.ts'

export interface LeftoverOptions extends InventoryOptions {
  publisher: Publisher
  clock: Clock
  isConnected: () => boolean
  /** What it wants to hear has changed: see `filters`. */
  listen: () => void
  /** By earlier runs. */
  published: PublishedOf | undefined
  remember: (published: PublishedOf) => void
}

/** So long the broker may take to show what lies there. */
const LOOKING_MS = 2000
/**
 * So long Home Assistant may still listen on the old topics of a plug, and would log an error for each template that finds nothing
 * there: until it was told of the plug's new name, 2 s after anything else it was told of it (homeassistant.ts), and took that in.
 */
const FORGETTING_MS = 5000
/** To look for more than this, everything is looked at. */
const MOST_FILTERS = 100
/** What is retained of the bridge itself (contract §3). */
const BRIDGE_LEAVES = ['state', 'info', 'devices', 'groups', 'health'] as const

export class Leftovers {
  readonly #options: LeftoverOptions
  readonly #inventory: Inventory
  #published: PublishedOf
  #isLooking: boolean
  /** The devices that Home Assistant was told of, and whether it was us who told. */
  readonly #seen = new Map<string, boolean>()
  #clearing: Timer | undefined

  constructor(options: LeftoverOptions) {
    const {topics, prefix, published} = options
    this.#options = options
    this.#inventory = new Inventory(options)
    this.#published = published ?? {base: topics.base, prefix, devices: {}, attributes: {}, isAll: false}
    this.#isLooking = !this.#published.isAll
  }

  /** What is to be listened to, to see what lies there: nothing most of the time. */
  get filters(): string[] {
    if (!this.#isLooking) return []
    const {prefix, isAll} = this.#published
    const gone = this.#goneIds()
    const ids = isAll && gone.length <= MOST_FILTERS ? gone : ['+']
    return [
      ...(isAll ? [] : this.#lists),
      ...(prefix === '' ? [] : ids.map((id) => discoveryTopic(prefix, id))),
    ]
  }

  /** From now on it is known under which id Home Assistant knows this plug. */
  follow(plug: Plug): void {
    plug.device.on('identified', () => this.#note(this.#inventory.plug(plug, this.#published)))
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
    this.#seen.clear()
    const now = this.#now()
    this.#clearAttributes(now)
    for (const group of this.#inventory.groups()) this.#note(group)
    this.#isLooking = !this.#published.isAll || this.#goneIds().length > 0
    if (this.#isLooking) {
      this.#options.listen()
      this.#later(LOOKING_MS, () => this.#clearAnnouncements())
    } else if (this.#isMoved(now) || this.#goneNames(now).length > 0) this.#clearAnnouncements()
    else this.#finish(now)
  }

  /** @returns whether `incoming` is what was looked for */
  hear({topic, payload, retained}: Incoming): boolean {
    if (!this.#isLooking || !retained || payload.length === 0) return false
    const id = this.#idIn(topic)
    if (id !== undefined) this.#lookAt(id, payload)
    else if (this.#lists.includes(topic))
      for (const name of namesIn(payload)) this.#published.devices[name] ??= ''
    else return false
    return true
  }

  #lookAt(id: string, payload: Buffer): void {
    const {base, devices, isAll} = this.#published
    const name = ownName(payload, base)
    this.#seen.set(id, name !== undefined)
    if (name !== undefined && !isAll && !this.#inventory.isUndecided(name)) devices[name] = id
  }

  /** What nobody shows us is cleared, too: at worst Home Assistant warns, once, of a device that it does not know. */
  #clearAnnouncements(): void {
    const {base, prefix, devices} = this.#published
    const gone = new Set(this.#goneIds())
    for (const [name, id] of Object.entries(devices)) {
      if (!gone.has(id)) continue
      if (this.#seen.get(id) !== false) this.#clear(discoveryTopic(prefix, id))
      devices[name] = ''
    }
    if (this.#isMoved(this.#now()) && prefix !== '') this.#clear(discoveryTopic(prefix, bridgeId(base)))
    this.#stopLooking()
    this.#options.remember(this.#published)
    this.#later(FORGETTING_MS, () => this.#clearTopics())
  }

  #clearTopics(): void {
    const {base} = this.#published
    const topics = new Topics(base)
    const now = this.#now()
    for (const name of this.#goneNames(now)) {
      this.#clear(topics.availability(name))
      this.#clear(topics.state(name))
    }
    if (base !== now.base) for (const leaf of BRIDGE_LEAVES) this.#clear(topics.bridge(leaf))
    this.#finish(now)
  }

  /** Without a broker it is for the sweep after the next connect to do. */
  #later(ms: number, clear: () => void): void {
    this.#clearing = this.#options.clock.after(ms, () => {
      if (this.#options.isConnected()) clear()
    })
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
  #goneNames(now: PublishedOf): string[] {
    const names = Object.keys(this.#published.devices)
    return this.#published.base === now.base
      ? names.filter((name) => !Object.hasOwn(now.devices, name))
      : names
  }

  /** Devices that Home Assistant was told of, and that are not here any more. */
  #goneIds(): string[] {
    const {prefix, devices} = this.#published
    const now = this.#now()
    const ids = new Set(prefix === now.prefix ? Object.values(now.devices) : [])
    return [...new Set(Object.values(devices))].filter((id) => id !== '' && !ids.has(id))
  }

  /** The bridge itself was on other topics. */
  #isMoved(now: PublishedOf): boolean {
    return this.#published.base !== now.base || this.#published.prefix !== now.prefix
  }

  #idIn(topic: string): string | undefined {
    const [before = '', after = ''] = discoveryTopic(this.#published.prefix, '+').split('+')
    return topic.startsWith(before) && topic.endsWith(after)
      ? topic.slice(before.length, -after.length)
      : undefined
  }

  /** Where the bridge listed its plugs and groups. */
  get #lists(): string[] {
    const topics = new Topics(this.#published.base)
    return [topics.bridge('devices'), topics.bridge('groups')]
  }

  #stopLooking(): void {
    if (!this.#isLooking) return
    this.#isLooking = false
    this.#options.listen()
  }

  #finish(now: PublishedOf): void {
    this.#published = now
    this.#options.remember(now)
  }

  #note({name, id, attributes: values}: Item): void {
    const {topics, prefix, remember} = this.#options
    const {base, prefix: before, devices, attributes} = this.#published
    if (base !== topics.base || prefix !== before) return // what is still to be cleared stays remembered
    const earlier = devices[name] ?? ''
    if (earlier !== '' && earlier !== id && this.#goneIds().includes(earlier)) return // nor is this cleared yet
    if (devices[name] === id && isDeepStrictEqual(attributes[name] ?? [], values)) return
    devices[name] = id
    if (values.length > 0) attributes[name] = values
    remember(this.#published)
  }

  #now(): PublishedOf {
    return this.#inventory.all(this.#published)
  }

  #clear(topic: string): void {
    this.#options.publisher.publish({topic, payload: '', retain: true, qos: 1})
  }
}
