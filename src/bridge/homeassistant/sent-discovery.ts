/**
 * What was sent to Home Assistant, and when: `DiscoveryThrottle` keeps the messages for one device apart, and `DiscoveryHistory` remembers
 * the announced components over restarts, so that those a plug no longer has can be removed (docs/home-assistant.md, docs/promises.md 50).
 */
import type {Timer} from '../../common/clock.ts'
import type {BridgeContext} from '../component.ts'
import {retained} from '../publisher.ts'
import {type DiscoveryPayload, digest, type Platforms} from './discovery-message.ts'

/** Composes the message at the moment it is sent, from what is true of the device then. */
type ComposeDiscovery = () => {
  discovery: DiscoveryPayload
  /** Called when the message was sent. */
  onSent?: () => void
}

/** Of two messages for a device within 2 s, Home Assistant drops a part of the second. A margin for the network is added. */
const APART_MS = 2100

/** Sends at most one changed discovery message per device in 2.1 s. */
export class DiscoveryThrottle {
  readonly #context: Pick<BridgeContext, 'clock' | 'publisher' | 'log'>
  /** The last message by topic. The payloads themselves would be megabytes. */
  readonly #sent = new Map<string, {digest: string; at: number}>()
  /** What follows 2.1 s after the last message on a topic: a delayed message, or the removal from `#sent`. */
  readonly #timers = new Map<string, Timer>()

  constructor(context: Pick<BridgeContext, 'clock' | 'publisher' | 'log'>) {
    this.#context = context
  }

  /** @param force whether a message that is identical to the last one is sent, too */
  send(topic: string, compose: ComposeDiscovery, {force}: {force: boolean}): void {
    const {clock, publisher, log} = this.#context
    const {discovery, onSent} = compose()
    const message = retained(topic, discovery)
    const next = {digest: digest(message.payload), at: clock.now()}
    const last = this.#sent.get(topic)
    const isDifferent = last?.digest !== next.digest
    this.#cancel(topic)
    if (!isDifferent && !force) return
    const wait = last && isDifferent ? last.at + APART_MS - next.at : 0
    if (wait > 0) this.#after(wait, topic, () => this.send(topic, compose, {force}))
    else {
      this.#sent.set(topic, next)
      publisher.publish(message)
      log.debug(() => `announced to Home Assistant: ${topic}`)
      onSent?.()
    }
  }

  /** Cancels a delayed message. The next message on the topic is sent even if it is identical to the last one. */
  forget(topic: string): void {
    this.#cancel(topic)
    const last = this.#sent.get(topic)
    const wait = last ? last.at + APART_MS - this.#context.clock.now() : 0
    if (last && wait > 0) {
      last.digest = ''
      this.#after(wait, topic, () => this.#sent.delete(topic))
    } else this.#sent.delete(topic)
  }

  /** Cancels all delayed messages, and the removals of records. */
  stop(): void {
    for (const topic of [...this.#timers.keys()]) this.#cancel(topic)
  }

  #after(ms: number, topic: string, action: () => void): void {
    this.#timers.set(
      topic,
      this.#context.clock.after(ms, () => {
        this.#timers.delete(topic)
        action()
      }),
    )
  }

  #cancel(topic: string): void {
    this.#timers.get(topic)?.cancel()
    this.#timers.delete(topic)
  }
}

/** The announced components, as they are stored. Many plugs have the same components: each set of them is stored once. */
export interface DiscoveredComponents {
  /** The key of a set, by the id of the device in Home Assistant. */
  devices: Record<string, string>
  sets: Record<string, Platforms>
}

/** Where the announced components are stored over restarts. */
export interface DiscoveryStore {
  /** Those of earlier runs; `undefined` when nothing is stored. */
  readonly discovery: DiscoveredComponents | undefined
  rememberDiscovery(announced: DiscoveredComponents): void
}

/** The components that were announced to Home Assistant, by device, over restarts. */
export class DiscoveryHistory {
  readonly #announced: DiscoveredComponents
  readonly #store: DiscoveryStore

  constructor(store: DiscoveryStore) {
    this.#store = store
    this.#announced = store.discovery ?? {devices: {}, sets: {}}
    const used = new Set(Object.values(this.#announced.devices))
    for (const key of Object.keys(this.#announced.sets)) if (!used.has(key)) delete this.#announced.sets[key]
  }

  /** The components that Home Assistant has of the device; `undefined` when none are recorded. */
  get(id: string): Platforms | undefined {
    const {devices, sets} = this.#announced
    return sets[devices[id] ?? '']
  }

  set(id: string, platforms: Platforms): void {
    const {devices, sets} = this.#announced
    const key = digest(JSON.stringify(platforms)).slice(0, 8)
    if (devices[id] === key) return
    devices[id] = key
    sets[key] = platforms
    this.#store.rememberDiscovery(this.#announced)
  }

  /** The device was removed from Home Assistant. */
  delete(id: string): void {
    if (this.#announced.devices[id] === undefined) return
    delete this.#announced.devices[id]
    this.#store.rememberDiscovery(this.#announced)
  }
}
