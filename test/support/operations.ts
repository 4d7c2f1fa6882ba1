import {NAMES, NO_NAMES, NO_REQUESTS, NO_TEXTS, OTHER_CASE, TEXTS} from './edge-case-texts.ts'
import type {ExpectedConfig, Settings} from './expected-config.ts'
import {TOKEN} from './token.ts'
import {seeded} from './virtual-clock.ts'

/** A message to the bridge, and its expected response. */
export interface Operation {
  /** Below the base topic. */
  topic: string
  payload: Buffer
  /** `either`: it is executed, unless a concurrent operation prevents it. `none`: there is no response. */
  expected: 'ok' | 'error' | 'either' | 'none'
  /** The topic of its response, below the base topic, unless the request names another one. */
  home: string
  isAskedElsewhere: boolean
  isRetained: boolean
  /** Whether its number is also its transaction. */
  hasTransaction: boolean
  /** It affects all other operations: none may be pending at the same time. */
  isAlone: boolean
}

type Random = () => number

/** Names with this prefix are neither removed nor renamed. */
const KEPT = 'kept'

/** So many of the latest operations may be pending: names that they rename or remove are not used meanwhile. */
export const UNDER_WAY = 32
/** The share of each kind, in percent. */
const MIX = {edit: 30, wrongRequest: 16, question: 14, command: 26, wrongCommand: 12, ignored: 2} as const

/** A sequence of operations that is the same for the same seed, and `expectedConfig` after all of them. */
export class Operations {
  readonly #random: Random
  readonly #expectedConfig: ExpectedConfig
  readonly #hosts: readonly string[]
  /** By name, the number of the last operation that created or removed it. */
  readonly #moved = new Map<string, number>()
  #number = 0

  constructor(seed: number, expectedConfig: ExpectedConfig, hosts: readonly string[]) {
    this.#random = seeded(seed)
    this.#expectedConfig = expectedConfig
    this.#hosts = hosts
  }

  next(): Operation {
    this.#number++
    const kinds = Object.entries(MIX).flatMap(([kind, share]) => Array<string>(share).fill(kind))
    switch (this.#pick(kinds)) {
      case 'edit':
        return this.#edit()
      case 'wrongRequest':
        return this.#wrongRequest()
      case 'question':
        return this.#question()
      case 'command':
        return this.#command() ?? this.#question()
      case 'wrongCommand':
        return this.#wrongCommand() ?? this.#wrongRequest()
      default:
        return this.#ignored()
    }
  }

  /** Includes a restart: it is rare, and no operation may be pending at the same time. */
  restart(): Operation {
    this.#number++
    return {...this.#request('restart', {}, 'ok'), isAlone: true}
  }

  /** Removes everything that is left. */
  *removals(): Generator<Operation> {
    for (const name of this.#expectedConfig.groups) {
      this.#number++
      yield this.#judged('group/remove', {name}, this.#expectedConfig.removeGroup(name))
    }
    for (const name of this.#expectedConfig.plugs) {
      this.#number++
      yield this.#judged('device/remove', {name}, this.#expectedConfig.removePlug(name))
    }
  }

  /** A valid request, which may be impossible to execute. */
  #edit(): Operation {
    const isFull = this.#expectedConfig.plugs.length > this.#hosts.length * 0.7
    const choices = [
      isFull ? 'remove' : 'add',
      'add',
      'remove',
      'rename',
      'options',
      'options',
      'options',
      'groupAdd',
      'groupRemove',
      'members',
      'members',
    ] as const
    switch (this.#pick(choices)) {
      case 'add':
        return this.#add()
      case 'remove':
        return this.#removed('device/remove', this.#losable(this.#plugName()), (name) =>
          this.#expectedConfig.removePlug(name),
        )
      case 'groupRemove':
        return this.#removed('group/remove', this.#losable(this.#groupName()), (name) =>
          this.#expectedConfig.removeGroup(name),
        )
      case 'rename':
        return this.#rename()
      case 'options':
        return this.#options()
      case 'groupAdd':
        return this.#addGroup()
      case 'members':
        return this.#members()
    }
  }

  #add(): Operation {
    const name = this.#anyName()
    const settings = this.#settings()
    const isDone = this.#expectedConfig.addPlug(name, settings)
    if (isDone) this.#moves(name)
    return this.#judged('device/add', {name, ...settings}, isDone)
  }

  #removed(verb: string, name: string, remove: (name: string) => boolean): Operation {
    const isDone = remove(name)
    if (isDone) this.#moves(name)
    return this.#judged(verb, {name}, isDone)
  }

  #rename(): Operation {
    const [from, to] = [this.#losable(this.#plugName()), this.#anyName()]
    const isDone = this.#expectedConfig.renamePlug(from, to)
    if (isDone) this.#moves(from, to)
    return this.#judged('device/rename', {from, to}, isDone)
  }

  #options(): Operation {
    const name = this.#plugName()
    const options = Object.fromEntries(Array.from({length: 1 + this.#below(3)}, () => this.#option()))
    return this.#judged('device/options', {name, options}, this.#expectedConfig.changePlug(name, options))
  }

  #addGroup(): Operation {
    const name = this.#chance(0.4)
      ? this.#pick(['evening', 'evening/all', 'all', 'desk/all'])
      : this.#anyName()
    const members = this.#some(() => this.#plugName())
    const isDone = this.#expectedConfig.addGroup(name, members)
    if (isDone) this.#moves(name)
    return this.#judged('group/add', {name, members}, isDone)
  }

  #members(): Operation {
    const name = this.#groupName()
    const add = this.#chance(0.7) ? this.#some(() => this.#plugName()) : undefined
    const remove = this.#chance(0.5)
      ? this.#some(() => this.#losable(this.#pick([...this.#expectedConfig.membersOf(name), 'nobody'])))
      : undefined
    const isAsked = add !== undefined || remove !== undefined
    const isDone = isAsked && this.#expectedConfig.changeGroup(name, add ?? [], remove ?? [])
    return this.#judged('group/members', {name, ...(add ? {add} : {}), ...(remove ? {remove} : {})}, isDone)
  }

  #settings(): Settings {
    const free = this.#hosts.filter((host) => !this.#expectedConfig.hosts.includes(host))
    const host = this.#pick(this.#chance(0.85) && free.length > 0 ? free : this.#hosts)
    const more = Array.from({length: this.#below(3)}, () => this.#option()).filter(
      ([, value]) => value !== null,
    )
    return {host, token: TOKEN, ...Object.fromEntries(more)}
  }

  /** Most of them are valid in a configuration. */
  #option(): [key: string, value: unknown] {
    const option = (key: string, ...values: readonly unknown[]) => [key, this.#pick(values)] as const
    const [key, value] = this.#pick([
      option('area', ...TEXTS, null),
      option('description', ...TEXTS, null),
      option('icon', 'mdi:lamp', 'mdi:kettle', null, 'a lamp', 7),
      option(
        'poll',
        {interval: '1s'},
        {interval: 2, slow_interval: '20s'},
        {offline_after: 5},
        {},
        null,
        {interval: 'often'},
        'often',
      ),
      option('qos', 0, 1, null, 2),
      option('retain', true, false, null, 'maybe'),
      option('disabled', false, false, true, null, []),
      option('filtered', ['temperature'], ['led', 'rssi'], [], null, 'led', ['Not one']),
      option(
        'homeassistant',
        {name: 'Reading lamp'},
        {name: 'null'},
        {enabled: false},
        {entities: {state: {icon: 'mdi:lamp'}}},
        null,
        {name: []},
      ),
      option(
        'properties',
        {power: {scale: 2}},
        {power: {scale: '0.5', offset: -1}},
        null,
        {power: {scale: 0}},
        {state: 1},
      ),
      option('host', ...this.#hosts, null, '300.1.1.1', 'a b'),
      option('token', TOKEN, TOKEN.toUpperCase(), null, TOKEN.slice(1), `${TOKEN}0`, 12, [TOKEN]),
      option('port', 54321, '54321', null, 0, 70_000),
      option(this.#pick(['colour', '<<', '__proto__', 'constructor', TOKEN, '', 'Area']), 'red', {
        host: '127.0.0.1',
      }),
    ] as const)
    return [key, value]
  }

  #wrongRequest(): Operation {
    const verb = this.#pick(VERBS)
    if (this.#chance(0.5))
      return this.#raw(
        `bridge/request/${verb}`,
        `bridge/response/${verb}`,
        this.#pick([...NO_REQUESTS, ...NO_TEXTS, this.#noise()]),
        'error',
      )
    if (this.#chance(0.2))
      return this.#request(this.#pick(NO_VERBS), this.#pick([{}, {name: 'desk'}]), 'error')
    const [wrongVerb, values] = this.#pick(this.#wrongValues())
    return this.#request(wrongVerb, values, 'error')
  }

  /** Invalid requests, whatever the names of the plugs. */
  #wrongValues(): readonly (readonly [verb: string, values: Settings])[] {
    const name = this.#plugName()
    const group = this.#groupName()
    const noName = this.#pick([5, null, true, [name], {name}, '', [], {}])
    return [
      [
        this.#pick(['health_check', 'info', 'reload', 'restart']),
        this.#pick([{now: true}, {name}, {toString: 1}, fromJson('{"__proto__":1}')]),
      ],
      ['options', {log_level: this.#pick(['loud', '', 3, null, ['info'], 'INFO', '__proto__'])}],
      ['options', {log_level: 'info', colour: 1}],
      ['discover', {timeout: this.#pick(['5', 0, -1, 61, 1e300, null, []])}],
      ['device/add', {name: noName, host: this.#pick(this.#hosts), token: TOKEN}],
      ['device/add', {name: this.#pick(NO_NAMES), host: this.#pick(this.#hosts), token: TOKEN}],
      ['device/add', {name: 'new', host: null, token: TOKEN}],
      ['device/add', {name: 'new', host: '192.0.2.9'}],
      ['device/add', {name: 'new', host: '192.0.2.9', token: TOKEN, poll: {interval: [null]}}],
      [this.#pick(['device/remove', 'device/poll', 'device/info', 'group/remove']), {name: noName}],
      [
        this.#pick(['device/remove', 'device/poll', 'device/info']),
        {name, [this.#pick(['now', '__proto', 'NAME'])]: 1},
      ],
      [
        this.#pick(['device/remove', 'device/poll', 'device/info', 'group/remove']),
        {name: this.#pick(['nobody', ...NO_NAMES])},
      ],
      [
        'device/rename',
        this.#pick([
          {from: name},
          {to: 'x'},
          {from: name, to: noName},
          {from: noName, to: 'x'},
          {from: name, to: this.#pick(NO_NAMES)},
          {from: name, to: name},
        ]),
      ],
      [
        'device/options',
        this.#pick([
          {name},
          {name, options: null},
          {name, options: []},
          {name, options: 'x'},
          {name, options: {area: {a: null}}},
          {name: noName, options: {}},
        ]),
      ],
      [
        'device/call',
        this.#pick([
          {name},
          {name, method: ''},
          {name, method: 5},
          {name, method: 'miIO.ota', params: []},
          {name, method: 'MIIO.CONFIG_router'},
          {name: 'nobody', method: 'get_prop'},
        ]),
      ],
      [
        'group/add',
        this.#pick([
          {name: 'g'},
          {name: 'g', members: []},
          {name: 'g', members: name},
          {name: 'g', members: [5]},
          {name: 'g', members: ['nobody']},
          {name: this.#pick(NO_NAMES), members: [name]},
          {name: 'g', members: [name, name]},
          {name: 'g', members: [name], icon: 'mdi:x'},
        ]),
      ],
      [
        'group/members',
        this.#pick([
          {name: group, add: name},
          {name: group, add: []},
          {name: group, remove: [5]},
          {name: group, add: ['nobody']},
          {name: 'nobody', add: [name]},
          {name: group, members: [name]},
          {name: group, remove: this.#expectedConfig.membersOf(group)},
        ]),
      ],
    ]
  }

  #question(): Operation {
    const name = this.#steady(this.#expectedConfig.plugs)
    const aboutPlugs =
      name === undefined
        ? []
        : ([
            ['device/poll', {name}],
            ['device/info', {name}],
            ['device/call', {name, method: 'get_prop', params: ['power']}],
            ['device/call', {name, method: 'get_nonsense'}],
          ] as const)
    const [verb, values] = this.#pick([
      ...aboutPlugs,
      ['health_check', {}],
      ['info', {}],
      ['reload', {}],
      ['options', {log_level: this.#pick(['debug', 'info', 'info', 'warn', 'error', 'trace'])}],
      ['discover', {timeout: 0.1}],
    ] as const)
    return this.#request(verb, values, verb.startsWith('device/') ? 'either' : 'ok')
  }

  #command(): Operation | undefined {
    const name = this.#steady([...this.#expectedConfig.plugs, ...this.#expectedConfig.groups])
    if (name === undefined) return undefined
    const word = this.#pick(['ON', 'off', 'Toggle', 'true', '0', '"on"', ' ON\n', 'FALSE'])
    const [topic, payload] = this.#pick([
      ['set', word],
      ['set/state', word],
      ['set', {state: this.#pick(['ON', 'off', 'toggle', true, 0, '1'])}],
      ['get', this.#pick(['', '{}', 'anything', {}])],
      ['get/state', this.#pick(['', {}])],
    ] as const)
    return typeof payload === 'string'
      ? this.#raw(`${name}/${topic}`, `${name}/response`, Buffer.from(payload), 'either')
      : this.#written(`${name}/${topic}`, `${name}/response`, payload, 'either')
  }

  #wrongCommand(): Operation | undefined {
    const name = this.#steady([...this.#expectedConfig.plugs, ...this.#expectedConfig.groups])
    if (name === undefined) return undefined
    const noProperty = this.#pick([
      'nonsense',
      '__proto__',
      'constructor',
      'toString',
      'State',
      'x'.repeat(300),
      '🔌',
      'last_seen',
      'rssi',
    ])
    const [topic, payload] = this.#pick([
      [
        'set',
        this.#pick([
          '',
          'maybe',
          '42',
          '[]',
          'null',
          '""',
          '"',
          '{',
          '{}',
          '{"state"}',
          `{"state":"${'O'.repeat(17_000)}"}`,
          '['.repeat(16_000),
        ]),
      ],
      ['set/state', this.#pick(['', '2', '{"state":"ON"}', '{}', 'ON OFF', '{'])],
      [
        'set',
        this.#pick([
          {},
          {state: null},
          {state: 'purple'},
          {state: []},
          {state: {on: true}},
          {[noProperty]: 'ON'},
          {state: 'ON', nonsense: 1},
          fromJson('{"__proto__":"ON"}'),
        ]),
      ],
      [`set/${noProperty}`, 'ON'],
      [`get/${this.#pick(['nonsense', '__proto__', 'constructor', '🔌'])}`, ''],
      [this.#pick(['get', 'get/state']), this.#pick(['{', '{"a"}', '{'.repeat(50)])],
      [this.#pick(['set', 'set/state', 'get', 'get/state']), this.#pick(NO_TEXTS)],
    ] as const)
    const [to, home] = [`${name}/${topic}`, `${name}/response`]
    if (typeof payload === 'string') return this.#raw(to, home, Buffer.from(payload), 'error')
    return Buffer.isBuffer(payload)
      ? this.#raw(to, home, payload, 'error')
      : this.#written(to, home, payload, 'error')
  }

  /** A retained command, or one for a name that does not exist: neither is executed. */
  #ignored(): Operation {
    const name = this.#steady(this.#expectedConfig.plugs)
    const toPlug =
      name === undefined
        ? []
        : ([
            [`${name}/set`, {state: 'TOGGLE'}],
            ['bridge/request/device/remove', {name}],
          ] as const)
    const [topic, values] = this.#pick([
      ...toPlug,
      ['bridge/request/restart', {}],
      ['bridge/request/options', {log_level: 'trace'}],
    ] as const)
    if (this.#chance(0.7)) return {...this.#written(topic, '', values, 'none'), isRetained: true}
    return this.#written(
      this.#pick(['nobody/set', 'nobody/get/state', 'bridge/set', 'set']),
      '',
      {state: 'ON'},
      'none',
    )
  }

  /** An operation whose end is awaited has its number as its transaction, so that its response is not confused with another. */
  #judged(verb: string, values: Settings, isDone: boolean): Operation {
    return this.#request(verb, values, isDone ? 'ok' : 'error', isDone ? 1 : undefined)
  }

  #request(verb: string, values: Settings, expected: Operation['expected'], known?: number): Operation {
    return this.#written(`bridge/request/${verb}`, `bridge/response/${verb}`, values, expected, known)
  }

  /** @param known the share that has a transaction */
  #written(
    topic: string,
    home: string,
    values: Settings,
    expected: Operation['expected'],
    known = 0.6,
  ): Operation {
    const hasTransaction = this.#chance(known)
    // As JSON text, where `__proto__` is a key like any other.
    const entries = [...Object.entries(values), ...(hasTransaction ? [['transaction', this.#number]] : [])]
    const payload = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
    return {...this.#raw(topic, home, payload, expected), hasTransaction}
  }

  #raw(topic: string, home: string, payload: Buffer, expected: Operation['expected']): Operation {
    const isAskedElsewhere = this.#chance(0.5)
    return {
      topic,
      home,
      payload,
      expected,
      isAskedElsewhere,
      isRetained: false,
      hasTransaction: false,
      isAlone: false,
    }
  }

  #moves(...names: readonly string[]): void {
    for (const name of names) this.#moved.set(name, this.#number)
  }

  /** One of `names` that exists whatever operations are pending. */
  #steady(names: readonly string[]): string | undefined {
    const steady = names.filter((name) => this.#number - (this.#moved.get(name) ?? -UNDER_WAY) >= UNDER_WAY)
    return steady.length > 0 ? this.#pick(steady) : undefined
  }

  #plugName(): string {
    return this.#chance(0.9) && this.#expectedConfig.plugs.length > 0
      ? this.#pick(this.#expectedConfig.plugs)
      : this.#anyName()
  }

  #groupName(): string {
    return this.#chance(0.9) && this.#expectedConfig.groups.length > 0
      ? this.#pick(this.#expectedConfig.groups)
      : this.#anyName()
  }

  #losable(name: string): string {
    return name.startsWith(KEPT) ? 'nobody' : name
  }

  #anyName(): string {
    const from = this.#random()
    return this.#pick(
      from < 0.75
        ? NAMES
        : from < 0.85
          ? OTHER_CASE
          : from < 0.95
            ? NO_NAMES
            : [...this.#expectedConfig.plugs, ...this.#expectedConfig.groups],
    )
  }

  /** Bytes that are not UTF-8. */
  #noise(): Buffer {
    return Buffer.from([0xff, ...Array.from({length: this.#below(300)}, () => this.#below(256))])
  }

  #some<T>(make: () => T): T[] {
    return Array.from({length: 1 + this.#below(3)}, make)
  }

  #pick<T>(list: readonly T[]): T {
    const picked = list[this.#below(list.length)]
    if (picked === undefined) throw new Error('expected something to pick from, got nothing')
    return picked
  }

  #below(most: number): number {
    return Math.floor(this.#random() * most)
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }
}

/** All kinds. */
export const VERBS = [
  'health_check',
  'info',
  'options',
  'discover',
  'reload',
  'restart',
  'device/add',
  'device/remove',
  'device/rename',
  'device/options',
  'device/poll',
  'device/info',
  'device/call',
  'group/add',
  'group/remove',
  'group/members',
]
const NO_VERBS = [
  'explode',
  'device',
  'device/explode',
  'group/explode',
  'INFO',
  '__proto__',
  'constructor',
  'device/toString',
  'größe',
  ' ',
  'x'.repeat(300),
  'info/info',
]

function fromJson(text: string): Settings {
  return JSON.parse(text)
}
