/** Publishes `B/bridge/groups`, and the state and the availability of every group, retained (docs/topics.md, "Groups"). */
import type {OutgoingMessage} from '../../mqtt/outgoing-message.ts'
import type {BridgeContext, Component, RetainedSource} from '../component.ts'
import {type Group, relayState} from '../group.ts'
import type {Plug} from '../plug.ts'
import {json, plainText, retained} from '../publisher.ts'
import type {StateOptions} from './plug-states.ts'

/** Publishes the groups, their states and their availability. */
export class GroupStates implements Component, RetainedSource {
  readonly #context: Pick<BridgeContext, 'publisher' | 'topics' | 'groups'>
  readonly #options: StateOptions
  /** The last payload by topic: an identical one is not published again without need. */
  readonly #published = new Map<string, string>()
  /** Names of the groups whose payloads are in `#published`. */
  #names: ReadonlySet<string> = new Set()

  constructor(context: Pick<BridgeContext, 'publisher' | 'topics' | 'groups'>, options: StateOptions) {
    this.#context = context
    this.#options = options
  }

  start(): void {
    this.reloaded()
  }

  /** Publishes the groups of the plug whenever its relay or its availability changes. */
  plugAdded(plug: Plug): void {
    let before = ''
    const update = () => {
      // Watts change all the time, and a group may have thousands of members.
      const now = JSON.stringify([relayState(plug), plug.device.availability])
      if (now === before) return
      before = now
      for (const group of this.#context.groups.values())
        if (group.settings.members.includes(plug.name)) this.#publishGroup(group)
    }
    plug.device.on('change', update)
    plug.device.on('availability', update)
  }

  /** Everything, also what was published before: the broker may have lost it. */
  connected(): void {
    this.#publishAll()
  }

  homeAssistantStarted(): void {
    this.#publishAll()
  }

  /** Publishes what a new configuration has changed. The topics of removed groups are for retained-cleanup.ts to clear. */
  reloaded(): void {
    const {groups} = this.#context
    for (const name of this.#names) if (!groups.has(name)) this.#forget(name)
    this.#names = new Set(groups.keys())
    this.#publishList({force: false})
    for (const group of groups.values()) this.#publishGroup(group)
  }

  /** @param force also when the state was published before */
  publishState(group: Group, {force} = {force: true}): void {
    const {topics} = this.#context
    const {qos, retain, attributes} = this.#options
    const {name, state} = group
    if (!group.isSettled) return
    this.#publish({...json(topics.state(name), {state}), qos, retain}, force)
    if (attributes) this.#publish({...plainText(topics.attribute(name, 'state'), state), qos, retain}, force)
  }

  retainedTopics(): readonly string[] {
    const {topics, groups} = this.#context
    const {retain, attributes} = this.#options
    return [...groups.keys()].flatMap((name) => [
      topics.availability(name),
      ...(retain ? [topics.state(name)] : []),
      ...(retain && attributes ? [topics.attribute(name, 'state')] : []),
    ])
  }

  #publishAll(): void {
    this.#publishList({force: true})
    for (const group of this.#context.groups.values()) {
      this.#publishAvailability(group, {force: true})
      this.publishState(group)
    }
  }

  /** The state before the availability: a group that comes online has its state by then. */
  #publishGroup(group: Group): void {
    this.publishState(group, {force: false})
    this.#publishAvailability(group, {force: false})
  }

  #publishAvailability({name, availability}: Group, {force}: {force: boolean}): void {
    if (availability.state !== 'unknown')
      this.#publish(retained(this.#context.topics.availability(name), availability), force)
  }

  #publishList({force}: {force: boolean}): void {
    const {topics, groups} = this.#context
    const list = Array.from(groups.values(), ({name, settings: {members, description}}) => ({
      name,
      members,
      ...(description === undefined ? {} : {description}),
    }))
    this.#publish(retained(topics.bridge('groups'), list), force)
  }

  #publish(message: OutgoingMessage, force: boolean): void {
    const {topic, payload} = message
    if (!force && this.#published.get(topic) === payload) return
    this.#published.set(topic, payload)
    this.#context.publisher.publish(message)
  }

  #forget(name: string): void {
    const {topics} = this.#context
    this.#published.delete(topics.state(name))
    this.#published.delete(topics.attribute(name, 'state'))
    this.#published.delete(topics.availability(name))
  }
}
