/**
 * Publishes the states and availabilities of plugs and groups, and the list of groups, all retained (docs/topics.md, "The state of a
 * plug" and "Groups").
 */
import type {State} from '../../device/codec/values.ts'
import type {Availability} from '../../device/polling/availability.ts'
import type {OutgoingMessage} from '../../mqtt/outgoing-message.ts'
import type {BridgeContext, Component, RetainedSource} from '../component.ts'
import {type Group, relayState} from '../group.ts'
import type {Plug} from '../plug.ts'
import {json, plainText, retained} from '../publisher.ts'

/** How states of plugs and groups are published, as far as a plug has no settings of its own. */
export interface StateOptions {
  qos: 0 | 1
  retain: boolean
  /** Whether each value is also published on a topic of its own, beside the JSON state. */
  attributes: boolean
}

/** Changes with every response of the plug. It is published along with other changes, and never causes a message by itself. */
const LAST_SEEN = 'last_seen'

/** Publishes states and availability of plugs. */
export class PlugStates implements Component, RetainedSource {
  readonly #context: Pick<BridgeContext, 'publisher' | 'topics' | 'plugs'>
  readonly #options: StateOptions
  /** The last published state of plugs whose changes have to be compared. Ten thousand other plugs need no copy. */
  readonly #published = new WeakMap<Plug, Readonly<State>>()

  constructor(context: Pick<BridgeContext, 'publisher' | 'topics' | 'plugs'>, options: StateOptions) {
    this.#context = context
    this.#options = options
  }

  /** The whole state, and the topics of the values that changed. A change of a filtered property alone publishes nothing. */
  stateChanged(plug: Plug): void {
    if (!plug.device.isKnown) return
    const state = displayedState(plug)
    const before = this.#published.get(plug)
    const changed = Object.keys(state).filter((name) => !before || before[name] !== state[name])
    if (before && changed.every((name) => name === LAST_SEEN)) return
    this.#publish(plug, state, changed)
  }

  availabilityChanged(plug: Plug): void {
    this.#publishAvailability(plug)
  }

  /** All availabilities first: a client then knows which of the states that follow are current. */
  connected(): void {
    const plugs = [...this.#context.plugs.values()]
    for (const plug of plugs) this.#publishAvailability(plug)
    for (const plug of plugs) this.publishState(plug)
  }

  homeAssistantStarted(): void {
    this.connected()
  }

  /**
   * The whole state, in the order of the model, once something of it is known; `null` is a value that the plug did not report. A `get`
   * may end after a reload: the plug is gone then, or another one has its name, and nothing is published.
   */
  publishState(plug: Plug): void {
    if (this.#context.plugs.get(plug.name) !== plug || !plug.device.isKnown) return
    const state = displayedState(plug)
    this.#publish(plug, state, Object.keys(state))
  }

  #publishAvailability({name, device: {availability}}: Plug): void {
    const {publisher, topics} = this.#context
    if (availability.state === 'unknown') return
    publisher.publish(retained(topics.availability(name), availability))
  }

  retainedTopics(): readonly string[] {
    const {topics, plugs} = this.#context
    const {retain, attributes} = this.#options
    return [...plugs.values()].flatMap((plug) => {
      const {name, display} = plug
      if (!(display.retain ?? retain)) return [topics.availability(name)]
      const properties = attributes ? Object.keys(displayedState(plug)) : []
      return [
        topics.availability(name),
        topics.state(name),
        ...properties.map((property) => topics.attribute(name, property)),
      ]
    })
  }

  #publish(plug: Plug, state: Readonly<State>, changed: readonly string[]): void {
    const {publisher, topics} = this.#context
    const {attributes} = this.#options
    const {qos = this.#options.qos, retain = this.#options.retain, filtered = []} = plug.display
    if (attributes || filtered.length > 0) this.#published.set(plug, state)
    publisher.publish({...json(topics.state(plug.name), state), retain, qos})
    if (!attributes) return
    for (const name of changed)
      publisher.publish({...plainText(topics.attribute(plug.name, name), state[name]), retain, qos})
  }
}

/** The state of a plug without the properties that the configuration filters out. */
export function displayedState({device: {state}, display: {filtered = []}}: Plug): Readonly<State> {
  if (filtered.length === 0) return state
  return Object.fromEntries(Object.entries(state).filter(([name]) => !filtered.includes(name)))
}

/** Publishes the groups, their states and their availability. */
export class GroupStates implements Component, RetainedSource {
  readonly #context: Pick<BridgeContext, 'publisher' | 'topics' | 'groups'>
  readonly #options: StateOptions
  /** The last payload by topic: an identical one is not published again. */
  readonly #published = new Map<string, string>()
  /** Of the plugs that belong to a group: what the state and the availability of the group follow from. Empty after a reload. */
  #members = new WeakMap<Plug, {relay: 'ON' | 'OFF' | null; availability: Availability}>()

  constructor(context: Pick<BridgeContext, 'publisher' | 'topics' | 'groups'>, options: StateOptions) {
    this.#context = context
    this.#options = options
  }

  start(): void {
    this.reloaded()
  }

  stateChanged(plug: Plug): void {
    this.#memberChanged(plug)
  }

  availabilityChanged(plug: Plug): void {
    this.#memberChanged(plug)
  }

  /** Publishes the groups of the plug when its relay or its availability is another than before. */
  #memberChanged(plug: Plug): void {
    const {availability} = plug.device
    const before = this.#members.get(plug)
    // Watts change all the time, and a group may have thousands of members.
    if (before && before.relay === relayState(plug) && before.availability === availability) return
    const groups = [...this.#context.groups.values()]
    const own = groups.filter(({settings}) => settings.members.includes(plug.name))
    if (own.length === 0) return
    this.#members.set(plug, {relay: relayState(plug), availability})
    for (const group of own) this.#publishGroup(group)
  }

  /** Everything, also what was published before: the broker may have lost it. */
  connected(): void {
    this.#published.clear()
    this.#publishList()
    for (const group of this.#context.groups.values()) {
      this.#publishAvailability(group)
      this.#publishState(group)
    }
  }

  homeAssistantStarted(): void {
    this.connected()
  }

  /** Publishes what a new configuration has changed. The topics of removed groups are for retained-cleanup.ts to clear. */
  reloaded(): void {
    const {topics, groups} = this.#context
    this.#members = new WeakMap()
    const current = new Set([...groups.keys()].flatMap((name) => this.#topicsOf(name)))
    for (const topic of this.#published.keys())
      if (!current.has(topic) && topic !== topics.bridge('groups')) this.#published.delete(topic)
    this.#publishList()
    for (const group of groups.values()) this.#publishGroup(group)
  }

  /** Publishes the state, also when it has not changed. Nothing for a group of the time before a reload. */
  publishState(group: Group): void {
    const {topics, groups} = this.#context
    if (groups.get(group.name) !== group) return
    this.#published.delete(topics.state(group.name))
    this.#published.delete(topics.attribute(group.name, 'state'))
    this.#publishState(group)
  }

  retainedTopics(): readonly string[] {
    const {retain, attributes} = this.#options
    const perGroup = !retain ? 1 : attributes ? 3 : 2
    return [...this.#context.groups.keys()].flatMap((name) => this.#topicsOf(name).slice(0, perGroup))
  }

  #topicsOf(name: string): string[] {
    const {topics} = this.#context
    return [topics.availability(name), topics.state(name), topics.attribute(name, 'state')]
  }

  /** The state before the availability: a group that comes online has its state by then. */
  #publishGroup(group: Group): void {
    this.#publishState(group)
    this.#publishAvailability(group)
  }

  #publishState(group: Group): void {
    if (!group.isSettled) return
    const {topics} = this.#context
    const {qos, retain, attributes} = this.#options
    const {name, state} = group
    this.#publish({...json(topics.state(name), {state}), qos, retain})
    if (attributes) this.#publish({...plainText(topics.attribute(name, 'state'), state), qos, retain})
  }

  #publishAvailability({name, availability}: Group): void {
    if (availability.state !== 'unknown')
      this.#publish(retained(this.#context.topics.availability(name), availability))
  }

  #publishList(): void {
    const {topics, groups} = this.#context
    const list = Array.from(groups.values(), ({name, settings: {members, description}}) => ({
      name,
      members,
      description,
    }))
    this.#publish(retained(topics.bridge('groups'), list))
  }

  #publish(message: OutgoingMessage): void {
    const {topic, payload} = message
    if (this.#published.get(topic) === payload) return
    this.#published.set(topic, payload)
    this.#context.publisher.publish(message)
  }
}
