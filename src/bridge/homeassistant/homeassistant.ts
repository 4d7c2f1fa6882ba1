/**
 * Announces plugs, groups and the bridge to Home Assistant with MQTT discovery: at every connect to the broker, when Home Assistant
 * restarts, when a plug reports a new identity, and when the configuration changes (docs/home-assistant.md).
 */
import {EventEmitter} from 'node:events'
import type {Timer} from '../../common/clock.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import type {ParsedTopic} from '../../mqtt/topics.ts'
import type {BridgeContext, Component, RetainedSource} from '../component.ts'
import type {Plug} from '../plug.ts'
import {bridgeDiscovery, groupDiscovery, groupId} from './bridge-discovery.ts'
import {
  bridgeId,
  type DiscoveryContext,
  deviceId,
  discoveryTopic,
  MacOwners,
  platformsOf,
  withRemovedComponents,
} from './discovery-message.ts'
import {defaultPlatforms, isAnnounced, plugDiscovery} from './plug-discovery.ts'
import {DiscoveryHistory, type DiscoveryStore, DiscoveryThrottle} from './sent-discovery.ts'

interface Events {
  /** Home Assistant has restarted, and has had the time to subscribe: states and availabilities can be published. */
  started: []
}

/** All bridges at a broker announce everything after the birth message of Home Assistant: a random delay keeps them apart. */
const BIRTH_DELAY_MS = {least: 500, most: 3000}
/** Home Assistant subscribes to the topics of a discovery message a moment after it. */
const SUBSCRIBE_MS = 1000

/** Announces plugs, groups and the bridge to Home Assistant. Emits `started` when Home Assistant has restarted and subscribed. */
export class HomeAssistant extends EventEmitter<Events> implements Component, RetainedSource {
  /** The topic prefix below which Home Assistant looks for discovery messages. */
  readonly prefix: string
  readonly #context: BridgeContext
  readonly #discovery: DiscoveryContext & {macs: MacOwners}
  readonly #throttle: DiscoveryThrottle
  readonly #history: DiscoveryHistory
  /** Device ids of the plugs that were announced over the present connection to the broker. */
  readonly #announcedIds = new Set<number>()
  /** Names of the groups that were announced. */
  #groupNames: ReadonlySet<string> = new Set()
  /** The next step after a birth message; `undefined` when there is none. */
  #birthTimer: Timer | undefined

  /** @param options `version` of this program */
  constructor(
    context: BridgeContext,
    {prefix, version, store}: {prefix: string; version: string; store: DiscoveryStore},
  ) {
    super()
    this.prefix = prefix
    this.#context = context
    this.#discovery = {topics: context.topics, version, macs: new MacOwners()}
    this.#throttle = new DiscoveryThrottle(context)
    this.#history = new DiscoveryHistory(store)
  }

  identified(plug: Plug): void {
    this.#discoverPlug(plug, {force: false})
  }

  plugRemoved({did}: Plug): void {
    if (did === undefined) return
    const id = deviceId(did)
    this.#throttle.forget(discoveryTopic(this.prefix, id))
    const isStillConfigured = [...this.#context.plugs.values()].some(
      (plug) => plug.did === did && isAnnounced(plug),
    )
    if (isStillConfigured) return
    this.#announcedIds.delete(did)
    this.#history.delete(id)
    this.#discovery.macs.forget(did)
  }

  /** Announces everything, also what was announced before: the broker may have lost it, or Home Assistant may be a new one. */
  connected(): void {
    this.#announcedIds.clear()
    const {topics, plugs} = this.#context
    const topic = discoveryTopic(this.prefix, bridgeId(topics.base))
    this.#throttle.send(topic, () => ({discovery: bridgeDiscovery(this.#discovery)}), {force: true})
    for (const plug of plugs.values()) this.#discoverPlug(plug, {force: true})
    this.#discoverGroups({force: true})
  }

  /** A delayed message would be dropped, but recorded as sent. The next connect announces everything. */
  disconnected(): void {
    this.#throttle.stop()
  }

  reloaded(plugs: readonly Plug[]): void {
    this.#discoverGroups({force: false})
    for (const plug of plugs) this.#discoverPlug(plug, {force: false})
  }

  /** The status topic of Home Assistant. */
  subscriptions(): readonly string[] {
    return this.#context.topics.statusTopics
  }

  /** Takes every message on the status topic of Home Assistant. */
  handle({payload, retained}: IncomingMessage, topic: ParsedTopic | undefined): boolean {
    if (topic?.kind !== 'home_assistant_status') return false
    // A retained birth message is an old one: Home Assistant published it at an earlier start.
    if (payload.toString() === 'online' && !retained && !this.#context.stopping.aborted)
      this.#discoverAfterBirth()
    return true
  }

  stop(): void {
    this.#birthTimer?.cancel()
    this.#throttle.stop()
  }

  /** Whether the plug was announced over the present connection to the broker. */
  wasAnnounced({did}: Plug): boolean {
    return did !== undefined && this.#announcedIds.has(did)
  }

  /** A disabled plug is not listed: its discovery message, if an earlier run sent one, is cleared. */
  retainedTopics(): readonly string[] {
    const {topics, plugs, groups} = this.#context
    const ids = [
      bridgeId(topics.base),
      ...[...plugs.values()].flatMap((plug) =>
        plug.did !== undefined && isAnnounced(plug) ? [deviceId(plug.did)] : [],
      ),
      ...[...groups.keys()].map((name) => groupId(name, topics)),
    ]
    return ids.map((id) => discoveryTopic(this.prefix, id))
  }

  /** Handles one birth message at a time; others meanwhile are ignored. */
  #discoverAfterBirth(): void {
    const {clock, random} = this.#context
    const {least, most} = BIRTH_DELAY_MS
    this.#birthTimer ??= clock.after(least + random() * (most - least), () => {
      this.connected()
      this.#birthTimer = clock.after(SUBSCRIBE_MS, () => {
        this.#birthTimer = undefined
        this.emit('started')
      })
    })
  }

  /** Announces a plug as soon as its identity and its model are known. Without a broker, the next connect does that. */
  #discoverPlug(plug: Plug, {force}: {force: boolean}): void {
    // A message that removes components would be dropped now, but recorded as sent.
    if (!this.#context.connection.connected) return
    const {did, device} = plug
    const {model} = device
    if (did === undefined || !model || !isAnnounced(plug)) return
    const id = deviceId(did)
    const compose = () => {
      const message = plugDiscovery(plug, did, model, this.#discovery)
      const removal = withRemovedComponents(this.#history.get(id) ?? defaultPlatforms(model), message)
      const onSent = () => {
        this.#announcedIds.add(did)
        this.#history.set(id, platformsOf(message))
        if (removal) this.#discoverPlug(plug, {force: false})
      }
      return {discovery: removal ?? message, onSent}
    }
    this.#throttle.send(discoveryTopic(this.prefix, id), compose, {force})
  }

  /** Announces every group. Without a broker, the next connect does that. */
  #discoverGroups({force}: {force: boolean}): void {
    const {groups, connection} = this.#context
    for (const name of this.#groupNames) if (!groups.has(name)) this.#throttle.forget(this.#groupTopic(name))
    this.#groupNames = new Set(groups.keys())
    if (!connection.connected) return
    for (const group of groups.values()) {
      const compose = () => ({discovery: groupDiscovery(group, this.#discovery)})
      this.#throttle.send(this.#groupTopic(group.name), compose, {force})
    }
  }

  #groupTopic(name: string): string {
    return discoveryTopic(this.prefix, groupId(name, this.#context.topics))
  }
}
