/** Plugs on MQTT: what they are worth and whether they answer, retained (contract §3). */
import type {State} from '../../device/codec/values.ts'
import type {Topics} from '../../mqtt/topics.ts'
import type {Plug} from '../plug.ts'
import {json, type Publisher, plainText, retained} from '../publisher.ts'

export interface PlugStatesOptions {
  publisher: Publisher
  topics: Topics
  qos: 0 | 1
  retain: boolean
  /** Whether each value is published on a topic of its own, beside the state as a whole. */
  attributes: boolean
}

/** It is another after every answer: news of the rest brings it along, and it makes none itself. */
const NO_NEWS = 'last_seen'

export class PlugStates {
  readonly #options: PlugStatesOptions
  /** What was shown last, of plugs of which that has to be compared: ten thousand others need no memory of it. */
  readonly #shown = new WeakMap<Plug, Readonly<State>>()

  constructor(options: PlugStatesOptions) {
    this.#options = options
  }

  /** From now on every change of this plug is published. An unchanged poll changes nothing, and so says nothing. */
  follow(plug: Plug): void {
    plug.device.on('change', () => this.#publishChange(plug))
    plug.device.on('availability', () => this.publishAvailability(plug))
  }

  /** The whole state, in the model's order, once something is known: `null` is what the plug did not tell. */
  publishState(plug: Plug): void {
    if (!plug.device.isKnown) return
    const shown = displayedState(plug)
    this.#publish(plug, shown, Object.keys(shown))
  }

  publishAvailability({name, device: {availability}}: Plug): void {
    const {publisher, topics} = this.#options
    if (availability.state === 'unknown') return
    publisher.publish(retained(topics.availability(name), availability))
  }

  /** Where something of the plug lies on the broker. */
  topicsOf(plug: Plug): string[] {
    const {topics, attributes} = this.#options
    const {name, display} = plug
    if (!(display.retain ?? this.#options.retain)) return [topics.availability(name)]
    const values = attributes ? Object.keys(displayedState(plug)) : []
    return [
      topics.availability(name),
      topics.state(name),
      ...values.map((property) => topics.attribute(name, property)),
    ]
  }

  /** The state, and of its values those that are others than before. A change of what is filtered is none. */
  #publishChange(plug: Plug): void {
    if (!plug.device.isKnown) return
    const shown = displayedState(plug)
    const before = this.#shown.get(plug)
    const changed = Object.keys(shown).filter((name) => !before || before[name] !== shown[name])
    if (before && changed.every((name) => name === NO_NEWS)) return
    this.#publish(plug, shown, changed)
  }

  #publish(plug: Plug, shown: Readonly<State>, changed: readonly string[]): void {
    const {publisher, topics, attributes} = this.#options
    const {qos = this.#options.qos, retain = this.#options.retain, filtered = []} = plug.display
    if (attributes || filtered.length > 0) this.#shown.set(plug, shown)
    publisher.publish({...json(topics.state(plug.name), shown), retain, qos})
    if (!attributes) return
    for (const name of changed)
      publisher.publish({...plainText(topics.attribute(plug.name, name), shown[name]), retain, qos})
  }
}

/** The state of a plug without what its owner does not want to see. */
export function displayedState({device: {state}, display: {filtered = []}}: Plug): Readonly<State> {
  if (filtered.length === 0) return state
  return Object.fromEntries(Object.entries(state).filter(([name]) => !filtered.includes(name)))
}
