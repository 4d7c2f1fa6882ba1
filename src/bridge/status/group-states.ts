/** Groups on MQTT: `B/bridge/groups`, and for each its state, its availability and its switch in Home Assistant (contract §3, §7). */
import type {Clock} from '../../common/clock.ts'
import type {Log} from '../../log/logger.ts'
import type {OutgoingMessage} from '../../mqtt/outbox.ts'
import type {Topics} from '../../mqtt/topics.ts'
import {Group, type GroupSettings, relayState} from '../group.ts'
import {discoveryTopic} from '../homeassistant/discovery-message.ts'
import {groupDiscovery, groupId} from '../homeassistant/group-discovery.ts'
import {DiscoveryThrottle} from '../homeassistant/sent-discovery.ts'
import type {Plug} from '../plug.ts'
import {json, type Publisher, plainText, retained} from '../publisher.ts'

export interface GroupsOptions {
  publisher: Publisher
  topics: Topics
  clock: Clock
  /** Has a line at `debug` for each announcement; none unless given. */
  log?: Log
  plugs: ReadonlyMap<string, Plug>
  qos: 0 | 1
  retain: boolean
  /** Whether the state is published on a topic of its own, too, beside the JSON. */
  attributes: boolean
  /** Where Home Assistant looks, and what the bridge calls itself there; `undefined` when it is not told. */
  homeAssistant: {prefix: string; version: string} | undefined
}

export class Groups {
  readonly #options: GroupsOptions
  readonly #groups = new Map<string, Group>()
  /** What was said last, by topic: it is not repeated without need. */
  readonly #said = new Map<string, string>()
  readonly #paced: DiscoveryThrottle

  constructor(options: GroupsOptions) {
    this.#options = options
    this.#paced = new DiscoveryThrottle(options)
  }

  /** By name, in the order of the configuration. The same map as long as the bridge runs. */
  get all(): ReadonlyMap<string, Group> {
    return this.#groups
  }

  /** Where something of them lies on the broker. */
  get topics(): string[] {
    const {topics, retain, attributes, homeAssistant} = this.#options
    return [...this.#groups.keys()].flatMap((name) => [
      topics.availability(name),
      ...(retain ? [topics.state(name)] : []),
      ...(retain && attributes ? [topics.attribute(name, 'state')] : []),
      ...(homeAssistant ? [discoveryTopic(homeAssistant.prefix, groupId(name, topics))] : []),
    ])
  }

  /** From now on its groups follow this plug. */
  follow(plug: Plug): void {
    let before = ''
    const look = () => {
      // Watts change all the time, and a group may have thousands of members.
      const now = JSON.stringify([relayState(plug), plug.device.availability])
      if (now === before) return
      before = now
      for (const group of this.#groups.values())
        if (group.settings.members.includes(plug.name)) this.#tell(group)
    }
    plug.device.on('change', look)
    plug.device.on('availability', look)
  }

  /**
   * Takes over which groups there are, and tells what is new. Call it when the plugs are those of the same configuration. What
   * lies on the broker of groups that are gone is for retained-cleanup.ts to clear.
   */
  replace(settings: Readonly<Record<string, GroupSettings>>): void {
    const gone = [...this.#groups.keys()].filter((name) => !Object.hasOwn(settings, name))
    for (const name of gone) this.#forget(name)
    this.#groups.clear()
    for (const [name, own] of Object.entries(settings))
      this.#groups.set(name, new Group(name, own, this.#options.plugs))
    this.#list('news')
    for (const group of this.#groups.values()) {
      this.#discover(group, 'news')
      this.#tell(group)
    }
  }

  /** Everything but discovery, whether or not it was said before: the broker may have forgotten. */
  announce(): void {
    this.#list('anyway')
    for (const group of this.#groups.values()) {
      this.#tellAvailability(group, 'anyway')
      this.tellState(group, 'anyway')
    }
  }

  discoverAll(): void {
    for (const group of this.#groups.values()) this.#discover(group, 'anyway')
  }

  tellState(group: Group, when: 'news' | 'anyway'): void {
    const {topics, qos, retain, attributes} = this.#options
    const {name, state} = group
    if (!group.known) return
    this.#say({...json(topics.state(name), {state}), qos, retain}, when)
    if (attributes) this.#say({...plainText(topics.attribute(name, 'state'), state), qos, retain}, when)
  }

  stop(): void {
    this.#paced.stop()
  }

  #tell(group: Group): void {
    this.tellState(group, 'news')
    this.#tellAvailability(group, 'news')
  }

  #tellAvailability({name, availability}: Group, when: 'news' | 'anyway'): void {
    if (availability.state !== 'unknown')
      this.#say(retained(this.#options.topics.availability(name), availability), when)
  }

  #list(when: 'news' | 'anyway'): void {
    const list = Array.from(this.#groups.values(), ({name, settings: {members, description}}) => ({
      name,
      members,
      ...(description === undefined ? {} : {description}),
    }))
    this.#say(retained(this.#options.topics.bridge('groups'), list), when)
  }

  #say(message: OutgoingMessage, when: 'news' | 'anyway'): void {
    const {topic, payload} = message
    if (when === 'news' && this.#said.get(topic) === payload) return
    this.#said.set(topic, payload)
    this.#options.publisher.publish(message)
  }

  #discover({name, settings}: Group, when: 'news' | 'anyway'): void {
    const {topics, homeAssistant} = this.#options
    if (!homeAssistant) return
    const compose = () => ({
      discovery: groupDiscovery({name, ...settings}, {topics, version: homeAssistant.version}),
    })
    this.#paced.send(discoveryTopic(homeAssistant.prefix, groupId(name, topics)), compose, when)
  }

  #forget(name: string): void {
    const {topics, homeAssistant} = this.#options
    this.#said.delete(topics.state(name))
    this.#said.delete(topics.attribute(name, 'state'))
    this.#said.delete(topics.availability(name))
    if (homeAssistant) this.#paced.forget(discoveryTopic(homeAssistant.prefix, groupId(name, topics)))
  }
}
