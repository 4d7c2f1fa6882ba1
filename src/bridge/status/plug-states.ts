/** Publishes the state and the availability of every plug, retained (docs/topics.md, "The state of a plug"). */
import type {State} from '../../device/codec/values.ts'
import type {BridgeContext, Component, RetainedSource} from '../component.ts'
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

  /** Publishes every change of the plug. A poll that changes nothing publishes nothing. */
  plugAdded(plug: Plug): void {
    plug.device.on('change', () => this.#publishChange(plug))
    plug.device.on('availability', () => this.publishAvailability(plug))
  }

  connected(): void {
    this.#publishAll()
  }

  homeAssistantStarted(): void {
    this.#publishAll()
  }

  /** The whole state, in the order of the model, once something of it is known; `null` is a value that the plug did not report. */
  publishState(plug: Plug): void {
    if (!plug.device.isKnown) return
    const state = displayedState(plug)
    this.#publish(plug, state, Object.keys(state))
  }

  publishAvailability({name, device: {availability}}: Plug): void {
    const {publisher, topics} = this.#context
    if (availability.state === 'unknown') return
    publisher.publish(retained(topics.availability(name), availability))
  }

  retainedTopics(): readonly string[] {
    return [...this.#context.plugs.values()].flatMap((plug) => this.#retainedTopicsOf(plug))
  }

  #retainedTopicsOf(plug: Plug): string[] {
    const {topics} = this.#context
    const {name, display} = plug
    if (!(display.retain ?? this.#options.retain)) return [topics.availability(name)]
    const properties = this.#options.attributes ? Object.keys(displayedState(plug)) : []
    return [
      topics.availability(name),
      topics.state(name),
      ...properties.map((property) => topics.attribute(name, property)),
    ]
  }

  /** All availabilities first: a client then knows which of the states that follow are current. */
  #publishAll(): void {
    const plugs = [...this.#context.plugs.values()]
    for (const plug of plugs) this.publishAvailability(plug)
    for (const plug of plugs) this.publishState(plug)
  }

  /** The whole state, and the topics of the values that changed. A change of a filtered property alone publishes nothing. */
  #publishChange(plug: Plug): void {
    if (!plug.device.isKnown) return
    const state = displayedState(plug)
    const before = this.#published.get(plug)
    const changed = Object.keys(state).filter((name) => !before || before[name] !== state[name])
    if (before && changed.every((name) => name === LAST_SEEN)) return
    this.#publish(plug, state, changed)
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

/** The state of a plug without the properties that its owner has filtered out. */
export function displayedState({device: {state}, display: {filtered = []}}: Plug): Readonly<State> {
  if (filtered.length === 0) return state
  return Object.fromEntries(Object.entries(state).filter(([name]) => !filtered.includes(name)))
}
