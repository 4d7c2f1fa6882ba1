/** What we hear of: asked for at every connect, and changed while connected. */
import {ErrorWithSubackPacket, type ISubscriptionMap, type MqttClient} from 'mqtt'

export interface SubscriptionOptions {
  /** The filters that are wanted now. */
  wanted: () => string[]
  /** Whether a message on this filter is news even when its sender has the broker keep it. */
  isNews: (filter: string) => boolean
}

/** SUBACK: this return code and higher are a no. */
const DENIED = 0x80

export class Subscriptions {
  readonly #options: SubscriptionOptions
  #subscribed: readonly string[] = []

  constructor(options: SubscriptionOptions) {
    this.#options = options
  }

  /**
   * On a new connection, where nothing is subscribed.
   * @returns the filters that the broker's access list denies
   * @throws Error when the connection ends before the broker has answered
   */
  async begin(client: MqttClient): Promise<string[]> {
    this.#subscribed = []
    return this.renew(client)
  }

  /** To what is wanted by now, and to no more. Returns and throws as `begin`. */
  async renew(client: MqttClient): Promise<string[]> {
    const wanted = new Set(this.#options.wanted())
    const gone = this.#subscribed.filter((filter) => !wanted.has(filter))
    const fresh = [...wanted].filter((filter) => !this.#subscribed.includes(filter))
    this.#subscribed = [...wanted]
    const denied = fresh.length > 0 ? await subscribe(client, this.#asPublished(fresh, client)) : []
    if (gone.length > 0) await client.unsubscribeAsync(gone)
    return denied
  }

  /**
   * Brokers clear the retain flag of what comes in while we are subscribed, unless MQTT 5 asks them not to [MQTT-3.3.1-12]. A
   * command to be kept must be recognised also then: it would be repeated at every start.
   */
  #asPublished(filters: readonly string[], {options}: MqttClient): ISubscriptionMap {
    const how = (filter: string) =>
      options.protocolVersion === 5 && !this.#options.isNews(filter)
        ? {qos: 1 as const, rap: true}
        : {qos: 1 as const}
    return Object.fromEntries(filters.map((filter) => [filter, how(filter)]))
  }
}

/** In one packet. A filter that is denied leaves the others as they are. */
async function subscribe(client: MqttClient, filters: ISubscriptionMap): Promise<string[]> {
  try {
    await client.subscribeAsync(filters)
    return []
  } catch (error) {
    if (!(error instanceof ErrorWithSubackPacket)) throw error
    const {granted} = error.packet
    return Object.keys(filters).filter((_, index) => Number(granted[index]) >= DENIED)
  }
}
