/** Every topic is built and taken apart here (contract §3). `B` is the base topic, `N` the name of a plug or group. */

/** What a message on a command topic is about. */
export type CommandTopic =
  | {kind: 'set' | 'get'; name: string; property?: string}
  | {kind: 'request'; verb: string}
  | {kind: 'home_assistant_status'}

const LONGEST_TOPIC_BYTES = 65_535
/** mosquitto closes the connection of whoever publishes on a topic with more than 200 slashes (TOPIC_HIERARCHY_LIMIT). */
const MOST_SLASHES = 200
/** Of the name of a plug or group, as the configuration has it (config/names.ts). */
const LONGEST_NAME = 200
/** Topics of a plug end so, and so no level of a name but its first is called so. */
const TOPIC_WORDS: ReadonlySet<string> = new Set(['set', 'get', 'availability', 'response'])

/**
 * Refuses what no broker takes. mosquitto cuts the connection over such a publish, and a client that stores it sends it again
 * after every reconnect, for ever.
 * @throws RangeError naming the topic
 */
export function assertTopic(topic: string): void {
  const wrong = topicProblem(topic)
  if (wrong)
    throw new RangeError(`not a topic to publish on: ${JSON.stringify(topic.slice(0, 100))} ${wrong}`)
}

/** Why nothing can be published on `topic`, or `undefined` when it can. */
export function topicProblem(topic: string): string | undefined {
  if (topic === '') return 'is empty'
  if (topic.startsWith('$')) return 'starts with "$", which brokers keep for themselves'
  if (/[+#]/.test(topic)) return 'holds a wildcard'
  if (/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(topic))
    return 'holds a control character or half a character'
  const levels = topic.split('/')
  if (levels.includes('')) return 'has an empty level'
  if (levels.length > MOST_SLASHES + 1) return `has more than ${MOST_SLASHES} slashes`
  if (Buffer.byteLength(topic) > LONGEST_TOPIC_BYTES) return `is longer than ${LONGEST_TOPIC_BYTES} bytes`
  return undefined
}

/** Discovery messages of this program, whatever the prefix: see bridge/discovery.ts. */
const ANNOUNCEMENT = /^[^/].*\/device\/miio2mqtt_[A-Za-z0-9_-]+\/config$/

/**
 * Whether a bridge with one of these base topics may have published `topic` to be kept: no other may ever be cleared, whatever a
 * file or another program says.
 */
export function isPublishedUnder(bases: readonly string[], topic: string): boolean {
  if (topicProblem(topic) !== undefined) return false
  return ANNOUNCEMENT.test(topic) || bases.some((base) => isBelow(base, topic))
}

/** Commands are what others publish. */
function isBelow(base: string, topic: string): boolean {
  return topic.startsWith(`${base}/`) && new Topics(base).parse(topic) === undefined
}

export class Topics {
  readonly base: string
  readonly #homeAssistantStatus: string | undefined

  /** @param homeAssistantStatus where Home Assistant says that it has started; `undefined`: not listened to */
  constructor(base: string, homeAssistantStatus?: string) {
    this.base = base
    this.#homeAssistantStatus = homeAssistantStatus
  }

  state(name: string): string {
    return `${this.base}/${name}`
  }

  /** The bare value of one property. */
  attribute(name: string, property: string): string {
    return `${this.base}/${name}/${property}`
  }

  availability(name: string): string {
    return `${this.base}/${name}/availability`
  }

  response(name: string): string {
    return `${this.base}/${name}/response`
  }

  set(name: string, property: string): string {
    return `${this.base}/${name}/set/${property}`
  }

  bridge(leaf: 'state' | 'info' | 'devices' | 'groups' | 'health' | 'event' | 'logging'): string {
    return `${this.base}/bridge/${leaf}`
  }

  /** Whether a plug or group may be called so: what the broker or a file tells may be anything (config/names.ts has the reasons). */
  isName(name: string): boolean {
    const [first, ...rest] = name.split('/')
    const isReserved = first === 'bridge' || rest.some((level) => TOPIC_WORDS.has(level))
    return !isReserved && name.length <= LONGEST_NAME && topicProblem(this.availability(name)) === undefined
  }

  /** What is retained of the bridge itself (contract §3). */
  get keptOfBridge(): string[] {
    return (['state', 'info', 'devices', 'groups', 'health'] as const).map((leaf) => this.bridge(leaf))
  }

  request(verb: string): string {
    return `${this.base}/bridge/request/${verb}`
  }

  bridgeResponse(verb: string): string {
    return `${this.base}/bridge/response/${verb}`
  }

  /**
   * The few filters that catch every command, and nothing else: one set for each depth that a name in use has. No two of them
   * catch the same message unless a level of a name is itself `set` or `get`, which the configuration refuses.
   */
  commands(names: Iterable<string>): string[] {
    const depths = new Set([...names].map((name) => name.split('/').length))
    const plugs = [...depths].flatMap((depth) => {
      const anyName = [this.base, ...Array<string>(depth).fill('+')].join('/')
      return [`${anyName}/set`, `${anyName}/set/+`, `${anyName}/get`, `${anyName}/get/+`]
    })
    const requests = [`${this.base}/bridge/request/+`, `${this.base}/bridge/request/+/+`]
    return [...plugs, ...requests]
  }

  /** Filters of what others tell, and what lies there counts. */
  get news(): string[] {
    return this.#homeAssistantStatus === undefined ? [] : [this.#homeAssistantStatus]
  }

  /** What a message that came in is about; `undefined` when it is none of our business. */
  parse(topic: string): CommandTopic | undefined {
    if (topic === this.#homeAssistantStatus) return {kind: 'home_assistant_status'}
    if (!topic.startsWith(`${this.base}/`)) return undefined
    const levels = topic.slice(this.base.length + 1).split('/')
    if (levels[0] === 'bridge')
      return levels[1] === 'request' && levels.length > 2
        ? {kind: 'request', verb: levels.slice(2).join('/')}
        : undefined
    return parseCommand(levels)
  }
}

function parseCommand(levels: readonly string[]): CommandTopic | undefined {
  const last = levels.at(-1)
  const beforeLast = levels.at(-2)
  if (levels.length > 1 && (last === 'set' || last === 'get'))
    return {kind: last, name: levels.slice(0, -1).join('/')}
  if (levels.length > 2 && last !== undefined && (beforeLast === 'set' || beforeLast === 'get'))
    return {kind: beforeLast, name: levels.slice(0, -2).join('/'), property: last}
  return undefined
}
