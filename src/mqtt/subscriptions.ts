/** What we hear of: asked for at every connect, and changed while connected. */
import {ErrorWithSubackPacket, type IClientSubscribeOptions, type MqttClient} from 'mqtt'
import {FAILURE, type ReasonCodes} from './reason-codes.ts'

export interface SubscriptionOptions {
  /** Filters of messages that ask for something. */
  commands: () => readonly string[]
  /** Filters of messages that tell something. */
  news?: () => readonly string[]
}

/** How each filter is subscribed to. */
type Wanted = Record<string, IClientSubscribeOptions>

/** A filter that the broker does not let us subscribe to. */
export interface DeniedFilter {
  filter: string
  /** The reason code (MQTT 5.0 §3.9.3); 0x80 in MQTT 3.1.1. */
  code: number
}

/** How the broker is reached, and what it told us of itself. */
export interface SubscribeOutcome {
  client: MqttClient
  reasons: ReasonCodes
  /** Whether filters may hold `+` and `#`: a broker without them ends the connection over one [MQTT 5.0 §3.2.2.3.11]. */
  wildcards: boolean
  /** Called for each request. @returns what to call when it is answered */
  expect: () => () => void
}

/** AWS IoT Core ends a connection over a SUBSCRIBE with more filters. */
const MOST_IN_A_PACKET = 8

export class Subscriptions {
  readonly #options: SubscriptionOptions
  #subscribed: readonly string[] = []

  constructor(options: SubscriptionOptions) {
    this.#options = options
  }

  /**
   * On a new connection, where nothing is subscribed.
   * @returns the filters that the broker denies
   * @throws Error when the connection ends before the broker has answered
   */
  async begin(how: SubscribeOutcome): Promise<DeniedFilter[]> {
    this.#subscribed = []
    return this.renew(how)
  }

  /** To what is wanted by now, and to no more. Returns and throws as `begin`. */
  async renew(how: SubscribeOutcome): Promise<DeniedFilter[]> {
    const {client, wildcards, expect} = how
    const {commands, news} = this.#options
    const possible = (filters: readonly string[]) =>
      wildcards ? filters : filters.filter((filter) => !/[+#]/.test(filter))
    const wanted = {
      ...asPublished(possible(commands()), client),
      ...fromOthers(possible(news?.() ?? []), client),
    }
    const before = this.#subscribed
    this.#subscribed = Object.keys(wanted)
    const fresh = Object.entries(wanted).filter(([filter]) => !before.includes(filter))
    const gone = before.filter((filter) => !Object.hasOwn(wanted, filter))
    const denied: DeniedFilter[] = []
    for (let from = 0; from < fresh.length; from += MOST_IN_A_PACKET)
      denied.push(...(await subscribe(how, Object.fromEntries(fresh.slice(from, from + MOST_IN_A_PACKET)))))
    if (gone.length > 0) {
      const answered = expect()
      await client.unsubscribeAsync(gone)
      answered()
    }
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

/** Sends one packet. A filter that is denied leaves the others as they are. */
async function subscribe(
  {client, reasons, expect}: SubscribeOutcome,
  filters: Wanted,
): Promise<DeniedFilter[]> {
  const answered = expect()
  try {
    await client.subscribeAsync(filters)
    answered()
    return []
  } catch (error) {
    const packet = subackOf(error)
    const asked = Object.keys(filters)
    if (packet?.granted.length !== asked.length) throw error // the connection is over, or not worth keeping
    answered()
    const codes = [...reasons.take(packet.messageId)]
    return asked
      .filter((_, index) => Number(packet.granted[index]) >= FAILURE)
      .map((filter) => ({filter, code: codes.shift() ?? FAILURE}))
  }
}

/** The broker's answer, if it was one that made this error. Of a lost connection the library's error has none, whatever its type says. */
function subackOf(error: unknown): ErrorWithSubackPacket['packet'] | undefined {
  return error instanceof ErrorWithSubackPacket ? error.packet : undefined
}
