/** Every topic is built and taken apart here (contract §3). `B` is the base topic, `N` the name of a plug or group. */

/** What a message on a command topic is about. */
export type ParsedTopic =
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
  return ANNOUNCEMENT.test(topic) || bases.some((base) => isOwn(base, topic))
}

/** Commands are what others publish. */
function isOwn(base: string, topic: string): boolean {
  return topic.startsWith(`${base}/`) && new Topics(base).parse(topic) === undefined
}
/** Commands to names of so many levels are heard whatever names there are: whoever writes a wrong one is to be told. */
const DEPTHS_HEARD = 8
/** Where other software takes commands; here they are mistakes. One level after the name of a plug, so that no filter of commands catches them, too. */
const COMMANDS_ELSEWHERE = ['command', 'cmd', 'cmnd', 'Set', 'SET']
/** The same with what is to be set (Tasmota, Shelly), in words that no filter of commands catches. */
const PROPERTIES_ELSEWHERE = [
  'cmnd/POWER',
  'cmnd/power',
  'command/state',
  'command/power',
  'Set/state',
  'SET/state',
]
/** More words for switching, one level after the name. */
const WORDS_ELSEWHERE = ['sets', 'switch', 'on', 'off', 'toggle']
/** The same where a value may be published: watched only as long as none is. */
const VALUES_ELSEWHERE = ['state', 'led', 'usb']
/** Below `B/bridge`, where other software takes requests (Zigbee2MQTT), or without `request`. Nothing of the bridge is called so. */
const REQUESTS_ELSEWHERE = [
  'requests',
  'config',
  'options',
  'device',
  'group',
  'permit_join',
  'health_check',
  'discover',
  'reload',
  'restart',
]
/** Names with a room are watched one by one: `+/+` would catch commands a second time. Brokers limit how many filters a client has. */
const MOST_ROOMS_WATCHED = 50

/** Answers are for a client that waits on a short topic. mosquitto cuts off whoever publishes on more than 200 slashes. */
const LONGEST_RESPONSE_BYTES = 256
const MOST_RESPONSE_LEVELS = 16
/** Other software takes orders on topics with such levels (Zigbee2MQTT, Tasmota, Shelly, ESPHome, Homie, Valetudo). */
const ORDERS = new Set([
  'set',
  'get',
  'cmnd',
  'cmd',
  'command',
  'commands',
  'control',
  'request',
  'write',
  'action',
])
/** As the last level: Shelly, WLED, and discovery messages of Home Assistant under any prefix. */
const LAST_OF_ORDERS = new Set(['rpc', 'api', 'config'])

export class Topics {
  readonly base: string
  readonly #homeAssistantStatus: string | undefined
  readonly #discoveryPrefix: string
  /** One level after the name of a plug. */
  readonly #mistaken: readonly string[]

  /**
   * @param homeAssistantStatus where Home Assistant says that it has started; `undefined`: not listened to
   * @param discoveryPrefix below which Home Assistant looks for devices
   * @param attributes whether values are published one by one: a message where one is then is no mistake
   */
  constructor(
    base: string,
    homeAssistantStatus?: string,
    discoveryPrefix = 'homeassistant',
    attributes = false,
  ) {
    this.base = base
    this.#homeAssistantStatus = homeAssistantStatus
    this.#discoveryPrefix = discoveryPrefix
    this.#mistaken = attributes ? WORDS_ELSEWHERE : [...WORDS_ELSEWHERE, ...VALUES_ELSEWHERE]
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

  /** Without the empty levels that a verb may have, which some brokers refuse. */
  bridgeResponse(verb: string): string {
    const levels = verb.split('/').filter((level) => level !== '')
    return [this.base, 'bridge', 'response', ...levels].join('/')
  }

  /** How many filters of `commands` catch a request: a broker may deliver it once for each of them (MQTT 5.0 §3.3.4). */
  copiesOf(request: string): number {
    const levels = this.#below(request).split('/')
    const caught = [1, 2].filter((fromEnd) => {
      const level = levels.at(-fromEnd)
      return (level === 'set' || level === 'get') && levels.length - fromEnd <= DEPTHS_HEARD
    })
    return 1 + caught.length
  }

  /**
   * The few filters that catch every command and request: one set for each depth that a name in use has, and for the depths that a
   * wrong name may have. Two of them catch the same message only where a level of a name is itself `set` or `get`, which the
   * configuration refuses, and where a request is called so, which none is: brokers may deliver such a message twice.
   */
  commands(names: Iterable<string>): string[] {
    const depths = new Set(Array.from({length: DEPTHS_HEARD}, (_, at) => at + 1))
    for (const name of names) depths.add(name.split('/').length)
    const plugs = [...depths].flatMap((depth) => {
      const anyName = [this.base, ...Array<string>(depth).fill('+')].join('/')
      return [`${anyName}/set`, `${anyName}/set/+`, `${anyName}/get`, `${anyName}/get/+`]
    })
    const mistakes = COMMANDS_ELSEWHERE.map((word) => `${this.base}/+/${word}`)
    return [...plugs, ...mistakes, `${this.base}/bridge/request/#`]
  }

  /**
   * Filters of what is no command, but may be meant for one: where states are published, and where other software takes commands. None of
   * them catches a command, which would be carried out twice.
   */
  mistakes(names: Iterable<string>): string[] {
    const rooms = [...names].filter((name) => name.includes('/')).slice(0, MOST_ROOMS_WATCHED)
    return [
      `${this.base}/+`,
      ...PROPERTIES_ELSEWHERE.map((words) => `${this.base}/+/${words}`),
      ...this.#mistaken.map((word) => `${this.base}/+/${word}`),
      `${this.base}/+/set/+/+`,
      `${this.base}/cmnd/+/POWER`,
      ...REQUESTS_ELSEWHERE.map((word) => `${this.base}/bridge/${word}/#`),
      ...rooms.flatMap((name) => [this.state(name), `${this.state(name)}/command`]),
    ]
  }

  /**
   * Why an answer does not go where its sender wants it, or `undefined` when it does. Refused is what no broker takes, what is long, and
   * every topic on which others would take it for an order or for news of the bridge.
   * @param isTaken whether a plug or group has this name
   */
  responseProblem(topic: string, isTaken: (name: string) => boolean): string | undefined {
    const problem = topicProblem(topic)
    if (problem !== undefined) return problem
    const levels = topic.split('/')
    if (Buffer.byteLength(topic) > LONGEST_RESPONSE_BYTES)
      return `is longer than ${LONGEST_RESPONSE_BYTES} bytes`
    if (levels.length > MOST_RESPONSE_LEVELS) return `has more than ${MOST_RESPONSE_LEVELS} levels`
    if (isBelow(topic, this.#discoveryPrefix) || topic === this.#homeAssistantStatus)
      return 'is of Home Assistant'
    if (isBelow(topic, this.base) && this.#isOwn(levels.slice(this.base.split('/').length), isTaken))
      return 'is of the bridge itself'
    const isOrder = levels.some((level) => ORDERS.has(level.toLowerCase()))
    if (isOrder || LAST_OF_ORDERS.has(levels.at(-1)?.toLowerCase() ?? ''))
      return 'is one on which orders are taken'
    return undefined
  }

  /** Whether something of the bridge lies there, or may once a plug is called so. @param levels below the base topic */
  #isOwn(levels: readonly string[], isTaken: (name: string) => boolean): boolean {
    if (levels.length < 2 || levels[0] === 'bridge') return true
    const names = levels.map((_, at) => levels.slice(0, at + 1).join('/'))
    return levels.some((level) => TOPIC_WORDS.has(level)) || names.some(isTaken)
  }

  /** Filters of what others tell, and what lies there counts. */
  get news(): string[] {
    return this.#homeAssistantStatus === undefined ? [] : [this.#homeAssistantStatus]
  }

  /**
   * Whose command a message is probably meant to be that is none: on a topic where other software takes commands, where the state is
   * published, or without a name; `bridge` for a request that is none. `undefined` when it is none of our business.
   * @param isTaken whether a plug or group has this name
   */
  meant(topic: string, isTaken: (name: string) => boolean): string | undefined {
    if (!topic.startsWith(`${this.base}/`) || topic.startsWith(`${this.bridgeResponse('')}/`))
      return undefined
    const below = this.#below(topic)
    if (isTaken(below)) return below
    const [first = '', ...others] = below.split('/')
    const isTurned = first === 'cmnd' && others.length > 1 // Tasmota begins with it
    const levels = isTurned ? others : [first, ...others]
    const name = ownerOf(levels, isTaken) ?? levels[0] ?? ''
    const rest = levels.slice(name.split('/').length)
    const isElsewhere =
      first === 'bridge'
        ? REQUESTS_ELSEWHERE.includes(rest[0] ?? '')
        : rest.length === 1 && this.#mistaken.includes(rest[0] ?? '')
    const isCommand = isOrder(rest) || rest.some((level) => COMMANDS_ELSEWHERE.includes(level))
    return isTurned || rest.length === 0 || isElsewhere || isCommand ? name : undefined
  }

  /** The plug or group of which `name` is a topic below its own; `undefined` when there is none. */
  ownerOf(name: string, isTaken: (name: string) => boolean): string | undefined {
    return ownerOf(name.split('/').slice(0, -1), isTaken)
  }

  #below(topic: string): string {
    return topic.slice(this.base.length + 1)
  }

  /** What a message that came in is about; `undefined` when it is none of our business. */
  parse(topic: string): ParsedTopic | undefined {
    if (topic === this.#homeAssistantStatus) return {kind: 'home_assistant_status'}
    if (!topic.startsWith(`${this.base}/`)) return undefined
    const levels = this.#below(topic).split('/')
    if (levels[0] === 'bridge')
      return levels[1] === 'request' ? {kind: 'request', verb: levels.slice(2).join('/')} : undefined
    return parseCommand(levels)
  }
}

/** The longest name in use that the levels begin with. */
function ownerOf(levels: readonly string[], isTaken: (name: string) => boolean): string | undefined {
  const names = levels.map((_, at) => levels.slice(0, levels.length - at).join('/'))
  return names.find(isTaken)
}

/** Whether a topic is `parent` or below it. */
function isBelow(topic: string, parent: string): boolean {
  return topic === parent || topic.startsWith(`${parent}/`)
}

function isOrder(levels: readonly string[]): boolean {
  return levels.some((level) => level === 'set' || level === 'get')
}

function parseCommand(levels: readonly string[]): ParsedTopic | undefined {
  const last = levels.at(-1)
  const beforeLast = levels.at(-2)
  if (levels.length > 1 && (last === 'set' || last === 'get'))
    return {kind: last, name: levels.slice(0, -1).join('/')}
  if (levels.length > 2 && last !== undefined && (beforeLast === 'set' || beforeLast === 'get'))
    return {kind: beforeLast, name: levels.slice(0, -2).join('/'), property: last}
  return undefined
}
