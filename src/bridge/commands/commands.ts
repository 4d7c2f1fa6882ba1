/** Handles `B/N/set` and `B/N/get` for plugs and groups, and publishes exactly one result for every command (docs/topics.md, "Results"). */
import {CommandError, toCommandError} from '../../device/command-error.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import type {ParsedTopic} from '../../mqtt/topics.ts'
import type {BridgeContext, Component} from '../component.ts'
import {Group} from '../group.ts'
import type {Plug} from '../plug.ts'
import type {GroupStates, PlugStates} from '../status/states.ts'
import {CommandExecutor, type CommandOutcome} from './execute-command.ts'
import {type Command, type CommandTopic, PayloadError, parseCommand} from './payload.ts'
import {commandText, Results} from './results.ts'

/** How many of the members that failed a result names. */
const MAX_NAMES = 10

/** Handles commands to plugs and groups: one result for each. */
export class Commands implements Component {
  readonly #context: BridgeContext
  readonly #groupStates: Pick<GroupStates, 'publishState'>
  readonly #executor: CommandExecutor
  readonly #results: Results

  /** @param publishers publish what `get` has read */
  constructor(
    context: BridgeContext,
    publishers: {
      plugStates: Pick<PlugStates, 'publishState'>
      groupStates: Pick<GroupStates, 'publishState'>
    },
  ) {
    this.#context = context
    this.#groupStates = publishers.groupStates
    this.#executor = new CommandExecutor(context.clock, publishers.plugStates)
    this.#results = new Results(context)
  }

  /** Takes every command to a plug or group that exists. */
  handle(message: IncomingMessage, topic: ParsedTopic | undefined): boolean {
    if (topic?.kind !== 'set' && topic?.kind !== 'get') return false
    const {plugs, groups} = this.#context
    const target = plugs.get(topic.name) ?? groups.get(topic.name)
    if (target) void this.#execute(target, topic, message)
    return target !== undefined
  }

  /**
   * Executes a command, and publishes and logs its result. While the bridge stops, the result is `expired`, and no plug gets the command.
   * Never rejects.
   */
  async #execute(target: Plug | Group, topic: CommandTopic, message: IncomingMessage): Promise<void> {
    const {clock, topics, stopping} = this.#context
    const {name} = target
    const receivedAt = clock.now()
    let command: Command | undefined
    let transaction: unknown
    let data: Record<string, unknown> | undefined
    let failure: CommandError | undefined
    try {
      const parsed = parseCommand(topic, message.payload)
      command = parsed.command
      transaction = parsed.transaction
      if (stopping.aborted) throw new CommandError('expired', 'the bridge is stopping')
      const {expiresIn = Number.POSITIVE_INFINITY} = message
      const deadlineOf = (plug: Plug) => receivedAt + Math.min(plug.commandTimeout, expiresIn)
      const outcomes = await this.#executor.execute(target, command, deadlineOf)
      for (const outcome of outcomes) this.#logInternal(outcome.failure)
      if (target instanceof Group) {
        if ('get' in command) this.#groupStates.publishState(target)
        data = {
          members: Object.fromEntries(outcomes.map((each) => [each.name, resultOf(each.data, each.failure)])),
        }
        failure = groupFailure(outcomes)
      } else {
        data = outcomes[0]?.data
        failure = outcomes[0]?.failure
      }
    } catch (error) {
      failure = toCommandError(error)
      this.#logInternal(failure)
      if (failure instanceof PayloadError) transaction = failure.transaction
    }
    const elapsed = Math.round(clock.now() - receivedAt)
    const result = {...resultOf(data, failure, command ?? {}), transaction, elapsed_ms: elapsed}
    this.#results.publish(message, result, topics.response(name))
    const content = () => (command ? commandText(command) : `a ${topic.kind}`)
    this.#results.log(message.topic, {target: name, content, failure, elapsed, device: name})
  }

  #logInternal(failure: CommandError | undefined): void {
    if (failure?.code === 'internal')
      this.#context.log.error('unexpected error while running a command (please report it)', {error: failure})
  }
}

/** One failure for all members that failed, with the code of the first one in the order of the group, which is also its cause. */
function groupFailure(outcomes: readonly CommandOutcome[]): CommandError | undefined {
  const failed = outcomes.flatMap(({name, failure}) => (failure ? [{name, failure}] : []))
  const [first] = failed
  if (!first) return undefined
  const named = failed.slice(0, MAX_NAMES).map(({name, failure}) => `${name} (${failure.code})`)
  const more = failed.length > named.length ? [`${failed.length - named.length} more`] : []
  const names = [...named, ...more].join(', ')
  const message = `${failed.length} of ${outcomes.length} members failed: ${names}`
  return new CommandError(first.failure.code, message, undefined, first.failure)
}

/** The result of a command, or of one member of a group. Beside an error, `data` is there only when it is not empty. */
function resultOf(
  data: Record<string, unknown> | undefined,
  failure: CommandError | undefined,
  request?: Command | Record<string, never>,
) {
  return {
    status: failure ? 'error' : 'ok',
    request,
    data: failure && Object.keys(data ?? {}).length === 0 ? undefined : data,
    error: failure && {code: failure.code, message: failure.message, device_code: failure.deviceCode},
  }
}
