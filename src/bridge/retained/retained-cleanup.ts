/**
 * What lies on the broker of plugs that are not configured any more: it is cleared, also when they were removed or renamed while
 * the bridge was down, while there was no broker, or when nothing is remembered of it (contract §6, §7). Before a message to Home
 * Assistant is cleared it is looked at: other software's are never touched, nor those of a bridge that has the plug now.
 */
import type {Clock, Timer} from '../../common/clock.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import {Topics, topicProblem} from '../../mqtt/topics.ts'
import {discoveryTopic, isDiscoveryTopic} from '../homeassistant/discovery-message.ts'
import type {Plug} from '../plug.ts'
import {listedNames, ownStateTopic} from './discovery-ownership.ts'
import {ExpectedTopics, type ExpectedTopicsOptions} from './expected-topics.ts'
import type {RetainedTopics} from './retained-topics.ts'

/** What lies on the broker, as remembered over restarts. */
export interface RetainedTopicsRecord {
  /** The base topics that the bridge had meanwhile. */
  bases: readonly string[]
  topics: readonly string[]
  /** Whether this is all: the broker was asked, once, what else lies there. */
  isAll: boolean
}

export interface RetainedCleanupOptions extends ExpectedTopicsOptions {
  kept: RetainedTopics
  clock: Clock
  isConnected: () => boolean
  /** What it wants to hear has changed: see `filters`. */
  listen: () => void
  /** By earlier runs. */
  published: RetainedTopicsRecord | undefined
  /** Whenever `published` would say something else than before. */
  remember: (published: () => RetainedTopicsRecord) => void
}

/** So long the broker may take to show what lies there. */
const LOOKING_MS = 2000
/**
 * So long Home Assistant may still listen on the old topics of a plug, and would log an error for each template that finds nothing
 * there: until it was told of the plug's new name, 2 s after anything else it was told of it (sent-discovery.ts), and took that in.
 */
const FORGETTING_MS = 5000
/** To look for more than this, everything is looked at. */
const MOST_FILTERS = 100
/** Anybody who may publish can make the broker show a list: no more topics than those of ten thousand plugs and their groups are taken from it. */
const MOST_RECALLED = 40_000
/** A bridge that moves forgets the base topic it had within seconds. */
const MOST_BASES = 20

export class RetainedCleanup {
  readonly #options: RetainedCleanupOptions
  readonly #inventory: ExpectedTopics
  #bases: readonly string[]
  #isAll: boolean
  #isLooking: boolean
  /** The announcements that the broker showed us, and whether they were ours. */
  readonly #seen = new Map<string, boolean>()
  #next: Timer | undefined
  /** A plug told something of itself while the last sweep was under way. */
  #isStale = false
  #recalled = 0

  constructor(options: RetainedCleanupOptions) {
    const {topics, published, kept} = options
    this.#options = options
    this.#inventory = new ExpectedTopics(options)
    this.#bases = basesIn([topics.base, ...(published?.bases ?? [])])
    for (const topic of kept.topics) if (!this.#isOurs(topic)) kept.forget(topic)
    this.#isAll = published?.isAll ?? false
    this.#isLooking = !this.#isAll
    kept.onChange(() => this.#remember())
  }

  /** What is to be listened to, to see what lies there: nothing most of the time. */
  get filters(): string[] {
    if (!this.#isLooking) return []
    const announcements = this.#gone().filter((topic) => this.#isAnnouncement(topic))
    const all = new Set(announcements.map((topic) => topic.replace(/[^/]+(?=\/config$)/, '+')))
    if (this.#isAll) return announcements.length > MOST_FILTERS ? [...all] : announcements
    const {prefix} = this.#options
    if (prefix !== '') all.add(discoveryTopic(prefix, '+'))
    return [...this.#lists, ...all]
  }

  /** From now on it is seen to it that nothing lies there of what the plug is not any more. */
  follow(plug: Plug): void {
    plug.device.on('identified', () => {
      if (this.#next) this.#isStale = true
      else this.#later(FORGETTING_MS, () => this.sweep())
    })
  }

  stop(): void {
    this.#rest()
  }

  /**
   * Clears what is gone: first what Home Assistant was told, and a little later, when it listens there no more, the rest. Call
   * it with a broker only. What is not cleared in the end stays remembered.
   */
  sweep(): void {
    this.#isStale = false
    this.#seen.clear()
    const gone = this.#gone()
    this.#isLooking = !this.#isAll || gone.some((topic) => this.#isAnnouncement(topic))
    if (this.#isLooking) {
      this.#options.listen()
      this.#later(LOOKING_MS, () => this.#clearAnnouncements())
    } else if (gone.length > 0) this.#later(FORGETTING_MS, () => this.#clearTopics())
    else this.#rest()
  }

  /** @returns whether `incoming` is what was looked for */
  handle({topic, payload, retained}: IncomingMessage): boolean {
    if (!this.#isLooking || !retained || payload.length === 0) return false
    if (this.#lists.includes(topic)) this.#recall(topic, payload)
    else if (isDiscoveryTopic(topic)) this.#lookAt(topic, payload)
    else return false
    return true
  }

  /** The plugs and groups that a bridge of ours listed. */
  #recall(list: string, payload: Buffer): void {
    const base = this.#bases.find((each) => list.startsWith(`${each}/bridge/`))
    if (base === undefined || this.#isAll) return
    const topics = new Topics(base)
    for (const name of listedNames(payload))
      if (topics.isName(name)) {
        this.#note(topics.state(name))
        this.#note(topics.availability(name))
      }
  }

  #lookAt(topic: string, payload: Buffer): void {
    const [own] = this.#bases.flatMap((base) => ownStateTopic(payload, base) ?? [])
    if (own !== undefined && !this.#isAll && !this.#inventory.isUnknown(own)) this.#note(topic)
    if (this.#options.kept.topics.has(topic)) this.#seen.set(topic, own !== undefined) // the others may be any number
  }

  /** What the broker tells is ours. */
  #note(topic: string): void {
    if (this.#recalled >= MOST_RECALLED) return
    this.#recalled++
    this.#options.kept.note(topic)
  }

  /** What nobody shows us is cleared, too: at worst Home Assistant warns, once, of a device that it does not know. */
  #clearAnnouncements(): void {
    const {kept} = this.#options
    for (const topic of this.#gone())
      if (this.#isAnnouncement(topic)) {
        if (this.#seen.get(topic) === false) kept.forget(topic)
        else kept.clear(topic)
      }
    this.#stopLooking()
    this.#later(FORGETTING_MS, () => this.#clearTopics())
  }

  #clearTopics(): void {
    const gone = this.#gone()
    for (const topic of gone) if (!this.#isAnnouncement(topic)) this.#options.kept.clear(topic)
    this.#later(FORGETTING_MS, () => this.#forget(gone))
  }

  /** The broker had the time to clear them. */
  #forget(topics: readonly string[]): void {
    const gone = new Set(this.#gone())
    for (const topic of topics) if (gone.has(topic)) this.#options.kept.forget(topic)
    this.#isAll = true
    this.#bases = [this.#options.topics.base]
    this.#remember()
    if (this.#isStale) this.sweep()
  }

  #rest(): void {
    this.#next?.cancel()
    this.#next = undefined
  }

  /** Without a broker it is for the sweep after the next connect to do. */
  #later(ms: number, run: () => void): void {
    this.#rest()
    this.#next = this.#options.clock.after(ms, () => {
      this.#next = undefined
      if (this.#options.isConnected()) run()
    })
  }

  /** Topics on which something of ours lies, and is not to. */
  #gone(): string[] {
    const wanted = this.#inventory.topics()
    const undecided = this.#inventory.undecided()
    return [...this.#options.kept.topics].filter(
      (topic) =>
        this.#isOurs(topic) && !wanted.has(topic) && !undecided.some((start) => topic.startsWith(start)),
    )
  }

  #isAnnouncement(topic: string): boolean {
    return !this.#isBelowBase(topic)
  }

  #isBelowBase(topic: string): boolean {
    return this.#bases.some((base) => topic.startsWith(`${base}/`))
  }

  /** Nothing else is ever cleared, whatever a file or the broker says of it. */
  #isOurs(topic: string): boolean {
    return this.#isBelowBase(topic) || isDiscoveryTopic(topic)
  }

  /** Where the bridge listed its plugs and groups. */
  get #lists(): string[] {
    return this.#bases
      .map((base) => new Topics(base))
      .flatMap((topics) => [topics.bridge('devices'), topics.bridge('groups')])
  }

  #stopLooking(): void {
    this.#isLooking = false
    this.#options.listen()
  }

  #remember(): void {
    const {kept, remember} = this.#options
    remember(() => ({bases: this.#bases, topics: [...kept.topics], isAll: this.#isAll}))
  }
}

/** Those below which something can lie, each once. */
function basesIn(told: readonly string[]): readonly string[] {
  return [...new Set(told)].filter((base) => topicProblem(base) === undefined).slice(0, MOST_BASES)
}
