/** What we hear of: asked for at every connect, and changed while connected. */
import {ErrorWithSubackPacket, type IClientSubscribeOptions, type MqttClient} from 'mqtt'

export interface SubscriptionOptions {
  /** Filters of messages that ask for something. */
  commands: () => readonly string[]
  /** Filters of messages that tell something. */
  news?: () => readonly string[]
}

/** How each filter is subscribed to. */
type Wanted = Record<string, IClientSubscribeOptions>

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
    const {commands, news} = this.#options
    const wanted = {...asPublished(commands(), client), ...fromOthers(news?.() ?? [], client)}
    const before = this.#subscribed
    this.#subscribed = Object.keys(wanted)
    const fresh = Object.entries(wanted).filter(([filter]) => !before.includes(filter))
    const gone = before.filter((filter) => !Object.hasOwn(wanted, filter))
    const denied = fresh.length > 0 ? await subscribe(client, Object.fromEntries(fresh)) : []
    if (gone.length > 0) await client.unsubscribeAsync(gone)
    return denied
  }
}

/**
 * Brokers clear the retain flag of what comes in while we are subscribed, unless MQTT 5 asks them not to [MQTT-3.3.1-12]. A
 * command to be kept must be recognised also then: it would be repeated at every start.
 */
function asPublished(filters: readonly string[], {options}: MqttClient): Wanted {
  const how = options.protocolVersion === 5 ? {rap: true} : {}
  return Object.fromEntries(filters.map((filter) => [filter, {qos: 1, ...how}]))
}

/** What we say ourselves is no news; MQTT 3.1.1 sends it all the same. */
function fromOthers(filters: readonly string[], {options}: MqttClient): Wanted {
  const how = options.protocolVersion === 5 ? {nl: true} : {}
  return Object.fromEntries(filters.map((filter) => [filter, {qos: 1, ...how}]))
}

/** In one packet. A filter that is denied leaves the others as they are. */
async function subscribe(client: MqttClient, filters: Wanted): Promise<string[]> {
  try {
    await client.subscribeAsync(filters)
    return []
  } catch (error) {
    if (!(error instanceof ErrorWithSubackPacket)) throw error
    const {granted} = error.packet
    return Object.keys(filters).filter((_, index) => Number(granted[index]) >= DENIED)
  }
}
