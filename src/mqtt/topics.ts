/** Builds and parses every topic (docs/topics.md), decides which may be published on, and lists the filters. `B` is the base topic. */

/** What a message is about, by its topic. */
export type ParsedTopic =
  | {kind: 'set' | 'get'; name: string; property?: string}
  | {kind: 'request'; verb: string}
  | {kind: 'home_assistant_status'}

/** MQTT puts a length of two bytes before each text (MQTT 5.0 §1.5.4). */
export const MAX_TEXT_BYTES = 65_535
/** mosquitto closes the connection of a client that publishes on a topic with more than 200 slashes (TOPIC_HIERARCHY_LIMIT). */
const MAX_SLASHES = 200
/** Characters in the name of a plug or group, as in the configuration (src/config/validate/names.ts). */
const MAX_NAME_LENGTH = 200
/**
 * Last levels of the topics of a plug. Only the first level of a name may be one of these words: a plug called `desk/set` would have the
 * topic of the plug `desk` for commands.
 */
export const TOPIC_WORDS: ReadonlySet<string> = new Set(['set', 'get', 'availability', 'response'])

/**
 * Refuses a topic that no broker takes. mosquitto closes the connection over such a publish, and a client that stores it sends
 * it again after every reconnect, for ever.
 * @throws RangeError naming the topic
 */
export function assertTopic(topic: string): void {
  const problem = topicProblem(topic)
  if (problem)
    throw new RangeError(`not a topic to publish on: ${JSON.stringify(topic.slice(0, 100))} ${problem}`)
}

/** Why nothing can be published on `topic`, or `undefined` when it can. */
export function topicProblem(topic: string): string | undefined {
  if (topic === '') return 'is empty'
  if (topic.startsWith('$')) return 'starts with "$", which is reserved for brokers'
  if (/[+#]/.test(topic)) return 'holds a wildcard'
  if (/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(topic))
    return 'holds a control character or half a character'
  if (/^\/|\/\/|\/$/.test(topic)) return 'has an empty level'
  if (topic.split('/').length > MAX_SLASHES + 1) return `has more than ${MAX_SLASHES} slashes`
  if (Buffer.byteLength(topic) > MAX_TEXT_BYTES) return `is longer than ${MAX_TEXT_BYTES} bytes`
  return undefined
}

/** Whether it is the discovery topic of a plug, a group or a bridge of this program, under any prefix of Home Assistant. */
export function isDiscoveryTopic(topic: string): boolean {
  return /^[^/].*\/device\/miio2mqtt_[\w-]+\/config$/.test(topic)
}

/**
 * Whether a bridge with one of these base topics may have published `topic` retained: a discovery topic, or a topic below a base
 * topic on which others do not publish commands and requests. No other topic is ever cleared, whatever a file or another program lists.
 */
export function isPublishedUnder(bases: readonly string[], topic: string): boolean {
  if (topicProblem(topic) !== undefined) return false
  const base = bases.find((each) => topic.startsWith(`${each}/`) && !new Topics(each).parse(topic))
  return base !== undefined || isDiscoveryTopic(topic)
}

/**
 * Commands to names of up to so many levels are subscribed to, whatever names there are: a wrong name gets an error. A name has no
 * more levels (src/config/validate/names.ts).
 */
const SUBSCRIBED_DEPTHS = 8
/**
 * Where other software takes commands; here they are mistakes. One level after the name of a plug, so that no filter of commands
 * matches them, too.
 */
const COMMANDS_ELSEWHERE = ['command', 'cmd', 'cmnd', 'Set', 'SET']
/** The same with the property to set (Tasmota, Shelly), in words that no filter of commands matches. */
const PROPERTIES_ELSEWHERE = 'cmnd/POWER cmnd/power command/state command/power Set/state SET/state'.split(
  ' ',
)
/** More words for switching, one level after the name. */
const WORDS_ELSEWHERE = ['sets', 'switch', 'on', 'off', 'toggle']
/** The same where a value may be published (`attribute_and_json`): subscribed to only while values are not published. */
const VALUES_ELSEWHERE = ['state', 'led', 'usb']
/** Below `B/bridge`: where other software takes requests (Zigbee2MQTT), and ours without `request`. The bridge publishes on none. */
const REQUESTS_ELSEWHERE =
  'requests config options device group permit_join health_check discover reload restart'.split(' ')
/**
 * Names of several levels (`kitchen/kettle`) need a filter each, since `+/+` would match commands a second time. Brokers limit how
 * many filters a client may have.
 */
const MAX_NESTED_NAMES = 50

/** Response topics of clients are short. See also `MAX_SLASHES`. */
const MAX_RESPONSE_BYTES = 256
const MAX_RESPONSE_LEVELS = 16
/** Other software takes commands on topics with such levels (Zigbee2MQTT, Tasmota, Shelly, ESPHome, Homie, Valetudo). */
const COMMAND_LEVELS = new Set('set get cmnd cmd command commands control request write action'.split(' '))
/** The same as the last level: Shelly, WLED, and discovery messages of Home Assistant under any prefix. */
const LAST_COMMAND_LEVELS = new Set(['rpc', 'api', 'config'])

/** All topics of one bridge, by its base topic. */
export class Topics {
  readonly base: string
  readonly #homeAssistantStatus: string | undefined
  readonly #discoveryPrefix: string
  /** Words that are mistakes one level after the name of a plug. */
  readonly #mistakenWords: readonly string[]

  /**
   * @param homeAssistantStatus topic of the birth and will messages of Home Assistant; `undefined`: not subscribed to
   * @param discoveryPrefix prefix of Home Assistant's discovery topics
   * @param attributes whether each value is also published on a topic of its own, where a message is then no mistake
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
    this.#mistakenWords = attributes ? WORDS_ELSEWHERE : [...WORDS_ELSEWHERE, ...VALUES_ELSEWHERE]
  }

  state(name: string): string {
    return `${this.base}/${name}`
  }

  /** The plain value of one property. */
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

  /** Whether a plug or group may have this name, which may come from a message or a file. Reasons: src/config/validate/names.ts. */
  isName(name: string): boolean {
    const [first, ...rest] = name.split('/')
    const isReserved = first === 'bridge' || rest.some((level) => TOPIC_WORDS.has(level))
    return (
      !isReserved && name.length <= MAX_NAME_LENGTH && topicProblem(this.availability(name)) === undefined
    )
  }

  /** The retained topics of the bridge itself (docs/topics.md, "The bridge"). */
  get retainedBridgeTopics(): string[] {
    return (['state', 'info', 'devices', 'groups', 'health'] as const).map((leaf) => this.bridge(leaf))
  }

  request(verb: string): string {
    return `${this.base}/bridge/request/${verb}`
  }

  /** Without the empty levels that `verb` may have, which some brokers refuse. */
  bridgeResponse(verb: string): string {
    const levels = verb.split('/').filter((level) => level !== '')
    return [this.base, 'bridge', 'response', ...levels].join('/')
  }

  /** How many filters of `commands` match a request topic: a broker may deliver it once for each of them (MQTT 5.0 §3.3.4). */
  deliveriesOf(request: string): number {
    const levels = this.#levelsBelow(request)
    const isMatched = (fromEnd: number) =>
      isCommandWord(levels.at(-fromEnd)) && levels.length - fromEnd <= SUBSCRIBED_DEPTHS
    return 1 + [1, 2].filter(isMatched).length
  }

  /**
   * The few filters that match every command and request: four for each depth that a name may have. Two of them match the same
   * message only where a level of a name is itself `set` or `get`, which the configuration refuses, or where a request has such a
   * level, which none has: a broker may deliver such a message twice.
   */
  commands(): string[] {
    const plugs = Array.from({length: SUBSCRIBED_DEPTHS}).flatMap((_, at) => {
      const anyName = this.base + '/+'.repeat(at + 1)
      return [`${anyName}/set`, `${anyName}/set/+`, `${anyName}/get`, `${anyName}/get/+`]
    })
    const mistakes = COMMANDS_ELSEWHERE.map((word) => `${this.base}/+/${word}`)
    return [...plugs, ...mistakes, `${this.base}/bridge/request/#`]
  }

  /**
   * Filters of messages that are no commands, but may be meant as commands: where states are published, and where other software
   * takes commands. None of them matches a command, which would be carried out twice.
   */
  mistakenCommands(names: Iterable<string>): string[] {
    const nested = [...names].filter((name) => name.includes('/')).slice(0, MAX_NESTED_NAMES)
    return [
      `${this.base}/+`,
      ...PROPERTIES_ELSEWHERE.map((levels) => `${this.base}/+/${levels}`),
      ...this.#mistakenWords.map((word) => `${this.base}/+/${word}`),
      `${this.base}/+/set/+/+`,
      `${this.base}/cmnd/+/POWER`,
      ...REQUESTS_ELSEWHERE.map((word) => `${this.base}/bridge/${word}/#`),
      ...nested.flatMap((name) => [this.state(name), `${this.state(name)}/command`]),
    ]
  }

  /**
   * Why no result is published on the response topic that a sender has chosen, or `undefined` when it is. Refused are topics
   * that no broker takes, long ones, and every topic where others would take the result for a command or for a state of the bridge.
   * @param isTaken whether a plug or group has this name
   */
  responseProblem(topic: string, isTaken: (name: string) => boolean): string | undefined {
    const problem = topicProblem(topic)
    if (problem !== undefined) return problem
    const levels = topic.split('/')
    if (Buffer.byteLength(topic) > MAX_RESPONSE_BYTES) return `is longer than ${MAX_RESPONSE_BYTES} bytes`
    if (levels.length > MAX_RESPONSE_LEVELS) return `has more than ${MAX_RESPONSE_LEVELS} levels`
    if (isBelow(topic, this.#discoveryPrefix) || topic === this.#homeAssistantStatus)
      return 'belongs to Home Assistant'
    if (isBelow(topic, this.base)) {
      const below = this.#levelsBelow(topic)
      // The bridge publishes there, or would once a plug had such a name.
      const isOwn = below.length < 2 || below[0] === 'bridge' || below.some((level) => TOPIC_WORDS.has(level))
      if (isOwn || ownerOf(below, isTaken) !== undefined) return 'belongs to the bridge'
    }
    const isCommand = levels.some((level) => COMMAND_LEVELS.has(level.toLowerCase()))
    if (isCommand || LAST_COMMAND_LEVELS.has(levels.at(-1)?.toLowerCase() ?? ''))
      return 'is a topic for commands or requests'
    return undefined
  }

  /** Topics on which Home Assistant publishes its birth and will messages; retained ones count. */
  get statusTopics(): string[] {
    return this.#homeAssistantStatus === undefined ? [] : [this.#homeAssistantStatus]
  }

  /**
   * The plug or group to which a message is probably meant as a command, though its topic is none: where other software takes
   * commands, where the state is published, or without a name. `bridge` for what is probably meant as a request; `undefined` for
   * every other message.
   * @param isTaken whether a plug or group has this name
   */
  intendedName(topic: string, isTaken: (name: string) => boolean): string | undefined {
    if (!topic.startsWith(`${this.base}/`) || topic.startsWith(`${this.bridgeResponse('')}/`))
      return undefined
    const below = this.#levelsBelow(topic)
    if (isTaken(below.join('/'))) return below.join('/')
    const [first = '', ...others] = below
    const isTasmota = first === 'cmnd' && others.length > 1 // its topics begin with it
    const levels = isTasmota ? others : below
    const name = ownerOf(levels, isTaken) ?? levels[0] ?? ''
    const rest = levels.slice(name.split('/').length)
    const isElsewhere =
      first === 'bridge'
        ? REQUESTS_ELSEWHERE.includes(rest[0] ?? '')
        : rest.length === 1 && this.#mistakenWords.includes(rest[0] ?? '')
    const isCommand = rest.some((level) => isCommandWord(level) || COMMANDS_ELSEWHERE.includes(level))
    return isTasmota || rest.length === 0 || isElsewhere || isCommand ? name : undefined
  }

  /** The plug or group of which `name` is a topic below its own; `undefined` when there is none. */
  ownerOf(name: string, isTaken: (name: string) => boolean): string | undefined {
    return ownerOf(name.split('/').slice(0, -1), isTaken)
  }

  /** What a message is about; `undefined` when it is neither a command nor a request nor the status of Home Assistant. */
  parse(topic: string): ParsedTopic | undefined {
    if (topic === this.#homeAssistantStatus) return {kind: 'home_assistant_status'}
    if (!topic.startsWith(`${this.base}/`)) return undefined
    const levels = this.#levelsBelow(topic)
    if (levels[0] === 'bridge')
      return levels[1] === 'request' ? {kind: 'request', verb: levels.slice(2).join('/')} : undefined
    const last = levels.at(-1)
    const beforeLast = levels.at(-2)
    if (levels.length > 1 && isCommandWord(last)) return {kind: last, name: levels.slice(0, -1).join('/')}
    if (levels.length > 2 && last !== undefined && isCommandWord(beforeLast))
      return {kind: beforeLast, name: levels.slice(0, -2).join('/'), property: last}
    return undefined
  }

  /** The levels behind the base topic. */
  #levelsBelow(topic: string): string[] {
    return topic.slice(this.base.length + 1).split('/')
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

function isCommandWord(level: string | undefined): level is 'set' | 'get' {
  return level === 'set' || level === 'get'
}
