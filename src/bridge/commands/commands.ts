/** `B/N/set` and `B/N/get` to a plug or a group, and exactly one result back for every command (contract §4). */
import type {Clock} from '../../common/clock.ts'
import {CommandError, toCommandError} from '../../device/command-error.ts'
import type {Log} from '../../log/logger.ts'
import type {Value} from '../../models/model.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import type {ParsedTopic, Topics} from '../../mqtt/topics.ts'
import {Group} from '../group.ts'
import {unknownName} from '../name-directory.ts'
import type {Plug} from '../plug.ts'
import type {Publisher} from '../publisher.ts'
import type {Groups} from '../status/group-states.ts'
import type {PlugStates} from '../status/plug-states.ts'
import {WarningLimiter} from '../warning-limiter.ts'
import {type Command, executeCommand, parseCommand} from './command.ts'
import {CommandLog, commandText} from './command-log.ts'
import {type CommandOutcome, GroupCommands} from './execute-command.ts'
import {PayloadError} from './payload.ts'
import {Replies} from './replies.ts'

export interface CommandOptions {
  plugs: ReadonlyMap<string, Plug>
  groups: Groups
  states: PlugStates
  publisher: Publisher
  topics: Topics
  clock: Clock
  log: Log
}

/** What a result tells of its command, filled in as far as the command could be understood. */
interface Told {
  request: Command | Record<string, never>
  transaction?: unknown
  data?: Record<string, unknown>
}

type DeviceCommand = Extract<ParsedTopic, {kind: 'set' | 'get'}>

/** So many names are told of those that failed. */
const MOST_NAMES = 10
/** A topic may have 65,535 bytes. */
const LONGEST_TOPIC = 200
/** So many renamed plugs are remembered, the last ones. */
const MOST_RENAMED = 1000

export class Commands {
  readonly #options: CommandOptions
  readonly #together: GroupCommands
  readonly #answers: Replies
  readonly #warner: WarningLimiter
  readonly #commandLog: CommandLog
  /** The newer name of plugs that were renamed since the start. */
  readonly #renamed = new Map<string, string>()

  constructor(options: CommandOptions) {
    this.#options = options
    this.#answers = new Replies(options)
    this.#warner = new WarningLimiter(options)
    this.#commandLog = new CommandLog(options)
    const obey = (...order: Parameters<typeof executeCommand>) => this.#obey(...order)
    this.#together = new GroupCommands({clock: options.clock, obey})
  }

  /** Carries a command out and answers it. Never rejects. */
  async handle(command: DeviceCommand, incoming: IncomingMessage): Promise<void> {
    const {plugs, groups, clock} = this.#options
    const target = plugs.get(command.name) ?? groups.all.get(command.name)
    if (!target) {
      this.#warner.warn(incoming.topic, () => this.#unknown(command, incoming.topic))
      return
    }
    const received = clock.now()
    const told: Told = {request: {}}
    const failure = await this.#carryOut(target, command, incoming, received, told).then(
      () => undefined,
      toCommandError,
    )
    this.#noteInternal(failure)
    if (failure instanceof PayloadError) told.transaction = failure.transaction
    const elapsed = Math.round(clock.now() - received)
    this.#answer(target.name, incoming, told, failure, elapsed)
    this.#commandLog.note({
      topic: incoming.topic,
      to: target.name,
      what: () => commandText(told.request) || `a ${command.kind}`,
      failure,
      elapsed,
      device: target.name,
    })
  }

  /** A message that is no command, where somebody may have meant one. What is published with a state is JSON. */
  misdirected({topic, payload}: IncomingMessage): void {
    const {topics} = this.#options
    const isTaken = (name: string) => this.#isTaken(name)
    const name = topics.meant(topic, isTaken)
    if (name === undefined || payload.length === 0) return
    if (topic === topics.state(name) && !isBareWord(payload)) return
    this.#warner.warn(topic, () => {
      if (name === 'bridge') return noCommandOn(topic, 'the bridge', topics.request('<verb>'))
      return isTaken(name)
        ? this.#noCommandOn(topic, name, 'set', topic.slice(topics.state(name).length + 1))
        : unknownName(name, this.#names)
    })
  }

  /** A plug has another name now: whoever still commands the old one is told. */
  renamed(from: string, to: string): void {
    this.#renamed.delete(from)
    this.#renamed.set(from, to)
    const [oldest] = this.#renamed.keys()
    if (oldest !== undefined && this.#renamed.size > MOST_RENAMED) this.#renamed.delete(oldest)
  }

  /** What a plug is called that was once called `name`; `undefined` for one that was not renamed, or is gone. */
  nameNow(name: string): string | undefined {
    const seen = new Set<string>()
    for (
      let now = this.#renamed.get(name);
      now !== undefined && !seen.has(now);
      now = this.#renamed.get(now)
    ) {
      if (this.#options.plugs.has(now)) return now
      seen.add(now)
    }
    return undefined
  }

  stop(): void {
    this.#warner.stop()
    this.#commandLog.stop()
    this.#answers.stop()
  }

  #isTaken(name: string): boolean {
    return this.#options.plugs.has(name) || this.#options.groups.all.has(name)
  }

  /** What to say of a command to a name that does not exist: `desk/led/set` may be meant for what is `desk/set/led` here. */
  #unknown({kind, name}: DeviceCommand, topic: string): string {
    const {topics} = this.#options
    const owner = topics.ownerOf(name, (each) => this.#isTaken(each))
    if (owner === undefined) return unknownName(name, this.#names)
    return this.#noCommandOn(topic, owner, kind, name.slice(owner.length + 1))
  }

  /** @param property what may be one: then it has its own topic */
  #noCommandOn(topic: string, name: string, kind: 'set' | 'get', property: string): string {
    const {topics, plugs} = this.#options
    const isProperty = Object.hasOwn(plugs.get(name)?.device.state ?? {}, property)
    return noCommandOn(topic, name, `${topics.state(name)}/${kind}${isProperty ? `/${property}` : ''}`)
  }

  get #names() {
    const {plugs, groups} = this.#options
    return {plugs, groups, nameNow: (name: string) => this.nameNow(name)}
  }

  async #carryOut(
    target: Plug | Group,
    command: DeviceCommand,
    {payload, expiresIn = Number.POSITIVE_INFINITY}: IncomingMessage,
    received: number,
    told: Told,
  ): Promise<void> {
    const {order, transaction} = parseCommand(command, payload)
    Object.assign(told, {request: order, transaction})
    const deadlineOf = ({commandTimeout}: Plug) => received + Math.min(commandTimeout, expiresIn)
    if (target instanceof Group) return this.#carryOutTogether(target, order, deadlineOf, told)
    const done: Record<string, Value> = {}
    told.data = done
    await this.#obey(target, order, deadlineOf(target), done)
  }

  async #carryOutTogether(
    group: Group,
    order: Command,
    deadlineOf: (plug: Plug) => number,
    told: Told,
  ): Promise<void> {
    const outcomes = await this.#together.carryOut(group, order, deadlineOf)
    for (const {failure} of outcomes) this.#noteInternal(failure)
    told.data = {
      members: Object.fromEntries(
        outcomes.map((outcome) => [outcome.name, resultOf(outcome.done, outcome.failure)]),
      ),
    }
    if ('get' in order) this.#options.groups.tellState(group, 'anyway')
    const failure = failureOf(outcomes)
    if (failure) throw failure
  }

  async #obey(plug: Plug, order: Command, deadline: number, done: Record<string, Value>): Promise<void> {
    await executeCommand(plug, order, deadline, done)
    if ('get' in order) this.#options.states.publishState(plug)
  }

  #answer(
    name: string,
    incoming: IncomingMessage,
    {request, data, transaction}: Told,
    failure: CommandError | undefined,
    elapsed: number,
  ): void {
    const result = {
      ...resultOf(data, failure, {request}),
      ...(transaction === undefined ? {} : {transaction}),
      elapsed_ms: elapsed,
    }
    this.#answers.reply(incoming, this.#options.topics.response(name), result)
  }

  #noteInternal(failure: CommandError | undefined): void {
    if (failure?.code === 'internal')
      this.#options.log.error('a command failed for a reason nobody foresaw', {error: failure})
  }
}

function noCommandOn(topic: string, name: string, right: string): string {
  return `no command can be given on ${topic.slice(0, LONGEST_TOPIC)}: those for ${name} go to ${right}`
}

/** Such as `ON`, `on`, `"toggle"`, `1`: what people send to switch something. */
function isBareWord(payload: Buffer): boolean {
  return payload.length <= 40 && /^\s*"?[\w.-]+"?\s*$/.test(payload.toString())
}

/** One failure for all that failed: with the code of the first, in the order of the group, and that one as its cause. */
function failureOf(outcomes: readonly CommandOutcome[]): CommandError | undefined {
  const failed = outcomes.flatMap(({name, failure}) => (failure ? [{name, failure}] : []))
  const [first] = failed
  if (!first) return undefined
  const named = failed.slice(0, MOST_NAMES).map(({name, failure}) => `${name} (${failure.code})`)
  const more = failed.length > named.length ? [`${failed.length - named.length} more`] : []
  const which = [...named, ...more].join(', ')
  const message = `${failed.length} of ${outcomes.length} members failed: ${which}`
  return new CommandError(first.failure.code, message, undefined, first.failure)
}

/** An error comes with data only when something was done before it. */
function resultOf(
  data: Record<string, unknown> | undefined,
  failure: CommandError | undefined,
  told: Record<string, unknown> = {},
) {
  return {
    status: failure ? 'error' : 'ok',
    ...told,
    ...(data && (!failure || Object.keys(data).length > 0) ? {data} : {}),
    ...(failure ? {error: errorOf(failure)} : {}),
  }
}

function errorOf({code, message, deviceCode}: CommandError) {
  return {code, message, ...(deviceCode === undefined ? {} : {device_code: deviceCode})}
}
