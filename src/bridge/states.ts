/** Plugs on MQTT: what they are worth and whether they answer, retained (contract §3). */
import type {Topics} from '../mqtt/topics.ts'
import type {Plug} from './plug.ts'
import {type Publisher, retained} from './publisher.ts'

export interface StateOptions {
  publisher: Publisher
  topics: Topics
  qos: 0 | 1
  retain: boolean
}

export class States {
  readonly #options: StateOptions

  constructor(options: StateOptions) {
    this.#options = options
  }

  /** From now on every change of this plug is published. An unchanged poll changes nothing, and so says nothing. */
  follow(plug: Plug): void {
    plug.device.on('change', () => this.publishState(plug))
    plug.device.on('availability', () => this.publishAvailability(plug))
  }

  /** The whole state, in the model's order, once something is known: `null` is what the plug did not tell. */
  publishState(plug: Plug): void {
    const {publisher, topics, qos, retain} = this.#options
    if (!plug.device.known) return
    publisher.publish({
      topic: topics.state(plug.name),
      payload: JSON.stringify(plug.device.state),
      retain,
      qos,
    })
  }

  publishAvailability({name, device: {availability}}: Plug): void {
    const {publisher, topics} = this.#options
    if (availability.state === 'unknown') return
    publisher.publish(retained(topics.availability(name), availability))
  }
}
