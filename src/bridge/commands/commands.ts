/** Handles `B/N/set` and `B/N/get` for plugs and groups, and publishes exactly one result for every command (docs/topics.md, "Results"). */
import {CommandError, toCommandError} from '../../device/command-error.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import type {ParsedTopic} from '../../mqtt/topics.ts'
import type {BridgeContext, Component} from '../component.ts'
import {Group} from '../group.ts'
import type {Plug} from '../plug.ts'
import type {GroupStates} from '../status/group-states.ts'
import type {PlugStates} from '../status/plug-states.ts'
import {CommandLog, commandText} from './command-log.ts'
import {CommandExecutor, type CommandOutcome} from './execute-command.ts'
import {type Command, type CommandTopic, PayloadError, parseCommand} from './payload.ts'
import {Replies} from './replies.ts'

/** The parts of the bridge that publish what `get` has read. */
export interface CommandPublishers {
  plugStates: Pick<PlugStates, 'publishState'>
  groupStates: Pick<GroupStates, 'publishState'>
}

/** What the result of a command is made of. */
interface CommandResult {
  /** Empty when the payload could not be parsed. */
  request: Command | Record<string, never>
  transaction?: unknown
  data?: Record<string, unknown> | undefined
  failure: CommandError | undefined
}

/** How many of the members that failed a result names. */
const MOST_NAMES = 10

/** Handles commands to plugs and groups: one result for each. */
export class Commands implements Component {
  readonly #context: BridgeContext
  readonly #groupStates: Pick<GroupStates, 'publishState'>
  readonly #executor: CommandExecutor
  readonly #replies: Replies
  readonly #commandLog: CommandLog

  constructor(context: BridgeContext, {plugStates, groupStates}: CommandPublishers) {
    this.#context = context
    this.#groupStates = groupStates
    this.#executor = new CommandExecutor({clock: context.clock, plugStates})
    this.#replies = new Replies(context)
    this.#commandLog = new CommandLog(context)
  }

  /** Takes every command to a plug or group that exists. While the bridge stops, commands are dropped. */
  handle(message: IncomingMessage, topic: ParsedTopic | undefined): boolean {
    if (topic?.kind !== 'set' && topic?.kind !== 'get') return false
    const {plugs, groups, stopping} = this.#context
    const target = plugs.get(topic.name) ?? groups.get(topic.name)
    if (!target) return false
    if (!stopping.aborted) void this.execute(target, topic, message)
    return true
  }

  /** Executes a command, and publishes and logs its result. Never rejects. */
  async execute(target: Plug | Group, topic: CommandTopic, message: IncomingMessage): Promise<void> {
    const {clock} = this.#context
    const receivedAt = clock.now()
    const result = await this.#resultOf(target, topic, message, receivedAt)
    const elapsed = Math.round(clock.now() - receivedAt)
    this.#reply(target.name, message, result, elapsed)
    this.#commandLog.log({
      topic: message.topic,
      target: target.name,
      content: () => commandText(result.request) || `a ${topic.kind}`,
      failure: result.failure,
      elapsed,
      device: target.name,
    })
  }

  stop(): void {
    this.#commandLog.stop()
    this.#replies.stop()
  }

  async #resultOf(
    target: Plug | Group,
    topic: CommandTopic,
    {payload, expiresIn = Number.POSITIVE_INFINITY}: IncomingMessage,
    receivedAt: number,
  ): Promise<CommandResult> {
    let request: CommandResult['request'] = {}
    let transaction: unknown
    try {
      const parsed = parseCommand(topic, payload)
      request = parsed.command
      transaction = parsed.transaction
      const deadlineOf = ({commandTimeout}: Plug) => receivedAt + Math.min(commandTimeout, expiresIn)
      const outcomes = await this.#executor.execute(target, parsed.command, deadlineOf)
      for (const {failure} of outcomes) this.#logInternal(failure)
      if (!(target instanceof Group)) {
        const [outcome] = outcomes
        return {request, transaction, data: outcome?.data, failure: outcome?.failure}
      }
      if ('get' in parsed.command) this.#groupStates.publishState(target)
      const failure = groupFailure(outcomes)
      this.#logInternal(failure)
      return {request, transaction, data: {members: Object.fromEntries(outcomes.map(memberResult))}, failure}
    } catch (error) {
      const failure = toCommandError(error)
      this.#logInternal(failure)
      if (failure instanceof PayloadError) transaction = failure.transaction
      return {request, transaction, failure}
    }
  }

  #reply(
    name: string,
    message: IncomingMessage,
    {request, transaction, data, failure}: CommandResult,
    elapsed: number,
  ): void {
    const result = {
      ...statusOf(data, failure, {request}),
      ...(transaction === undefined ? {} : {transaction}),
      elapsed_ms: elapsed,
    }
    this.#replies.reply(message, this.#context.topics.response(name), result)
  }

  #logInternal(failure: CommandError | undefined): void {
    if (failure?.code === 'internal')
      this.#context.log.error('unexpected error while running a command (please report it)', {error: failure})
  }
}

function memberResult({name, data, failure}: CommandOutcome): [string, object] {
  return [name, statusOf(data, failure)]
}

/** One failure for all members that failed, with the code of the first one in the order of the group, which is also its cause. */
function groupFailure(outcomes: readonly CommandOutcome[]): CommandError | undefined {
  const failed = outcomes.flatMap(({name, failure}) => (failure ? [{name, failure}] : []))
  const [first] = failed
  if (!first) return undefined
  const named = failed.slice(0, MOST_NAMES).map(({name, failure}) => `${name} (${failure.code})`)
  const more = failed.length > named.length ? [`${failed.length - named.length} more`] : []
  const names = [...named, ...more].join(', ')
  const message = `${failed.length} of ${outcomes.length} members failed: ${names}`
  return new CommandError(first.failure.code, message, undefined, first.failure)
}

/** The common part of the result of a command and of each member. Beside an error, `data` is there only when it is not empty. */
function statusOf(
  data: Record<string, unknown> | undefined,
  failure: CommandError | undefined,
  more: Record<string, unknown> = {},
) {
  return {
    status: failure ? 'error' : 'ok',
    ...more,
    ...(data && (!failure || Object.keys(data).length > 0) ? {data} : {}),
    ...(failure ? {error: errorOf(failure)} : {}),
  }
}

function errorOf({code, message, deviceCode}: CommandError) {
  return {code, message, ...(deviceCode === undefined ? {} : {device_code: deviceCode})}
}
