/** Publishes and logs the results of commands and the responses to requests. */
import {excerpt} from '../../device/codec/values.ts'
import {CommandError, type CommandErrorCode} from '../../device/command-error.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import type {BridgeContext} from '../component.ts'
import {transient} from '../publisher.ts'
import type {Command} from './payload.ts'

/** A refusal that is in the log already, with more detail: there is no second warning about it. */
export class LoggedRefusal extends CommandError {}

/** What a log line has of a command or request and its result. */
interface LogEntry {
  /** The name of the plug or group, or `request <verb>`. */
  target: string
  /** Describes what it asks for, without secrets. Called only when a line is logged. */
  content: () => string
  failure: CommandError | undefined
  /** Milliseconds. */
  elapsed: number
  /** The plug or group, for the field `device` of the line. */
  device?: string
}

/**
 * Failures that are the user's to fix, which are logged as warnings. The others are expected, or logged elsewhere: the availability of a
 * plug that does not respond, and internal errors.
 */
const REFUSALS: ReadonlySet<CommandErrorCode> = new Set([
  'refused',
  'invalid_payload',
  'unknown_property',
  'not_writable',
  'out_of_range',
  'queue_full',
  'disabled',
  'duplicate',
] as const)

/** The same refusal is logged again after an hour. */
const REPEAT_MS = 3_600_000
/** A sender has given up on the response by then, even one that was disconnected for a while: commands live ten seconds. */
const RESPONSE_EXPIRES_MS = 60_000
/** How much of a text a log line has. A configuration that is refused may have a hundred problems. */
const MAX_REASON_LENGTH = 400
const MAX_TOPIC_LENGTH = 200
const MAX_RESPONSE_TOPIC_LENGTH = 100
const MAX_VALUES = 5

/** Publishes and logs results and responses. */
export class Results {
  readonly #context: Pick<BridgeContext, 'publisher' | 'topics' | 'names' | 'log' | 'messageWarnings'>

  constructor(context: Pick<BridgeContext, 'publisher' | 'topics' | 'names' | 'log' | 'messageWarnings'>) {
    this.#context = context
  }

  /**
   * Publishes on the response topic that the sender asked for (MQTT 5), if that is a topic for responses only, and else on the usual
   * topic. The bridge may publish where the sender may not, and must not do so for the sender.
   * @param message the command or request
   * @param usualTopic the topic of such results when the sender asked for no other
   * @param ownTopic a topic that no sender has chosen, for when the broker ends connections because of one that was; the usual topic,
   * unless that holds words of the sender
   * @returns the size of the response, in bytes
   */
  publish(
    {responseTopic, correlationData, topic}: IncomingMessage,
    result: unknown,
    usualTopic: string,
    ownTopic = usualTopic,
  ): number {
    const requested = responseTopic === undefined ? undefined : this.#allowed(responseTopic, topic)
    const to = requested ?? usualTopic
    const message = {...transient(to, result), expiresIn: RESPONSE_EXPIRES_MS}
    this.#context.publisher.publish({
      ...message,
      ...(requested === undefined ? {} : {correlationData}),
      ...(to === ownTopic ? {} : {fallbackTopic: ownTopic}),
    })
    return Buffer.byteLength(message.payload)
  }

  /**
   * Logs a rate-limited warning for a refusal, and a line at `debug` for everything else.
   * @param topic on which the command or request was received
   */
  log(topic: string, {target, content, failure, elapsed, device}: LogEntry): void {
    const fields = device === undefined ? {} : {device}
    if (failure && REFUSALS.has(failure.code) && !(failure instanceof LoggedRefusal)) {
      const {code} = failure
      const reason = reasonOf(failure)
      const shownTopic = topic.slice(0, MAX_TOPIC_LENGTH)
      const text = () =>
        `${[`${target}: refused`, content(), `on ${shownTopic}`].filter((part) => part !== '').join(' ')}: ${reason} (${code})`
      const details = {
        key: `${shownTopic} ${code} ${reason}`,
        repeatAfter: REPEAT_MS,
        fields: {code, ...fields},
      }
      if (this.#context.messageWarnings.refused.warn(topic, text, details)) return
    }
    this.#context.log.debug(() => {
      const result = failure
        ? `${failure.code} in ${elapsed} ms: ${reasonOf(failure)}`
        : `ok in ${elapsed} ms`
      return `${[target, content()].filter((part) => part !== '').join(': ')} over MQTT → ${result}`
    }, fields)
  }

  /** @returns the response topic, or `undefined`, with a warning, when the bridge must not publish there */
  #allowed(responseTopic: string, topic: string): string | undefined {
    const {topics, names, messageWarnings} = this.#context
    const problem = topics.responseProblem(responseTopic, (name) => names.isTaken(name))
    if (problem === undefined) return responseTopic
    messageWarnings.responseTopics.warn(
      responseTopic,
      () =>
        `a message on ${topic.slice(0, MAX_TOPIC_LENGTH)} has the response topic ${JSON.stringify(responseTopic.slice(0, MAX_RESPONSE_TOPIC_LENGTH))}, which ${problem}: the response goes to the usual topic`,
      {key: `response ${responseTopic}`},
    )
    return undefined
  }
}

/** The reason of a failure, on one line. Of a group, with the reason of the first member that failed. */
function reasonOf({message, cause}: CommandError): string {
  const whole = cause instanceof CommandError ? `${message}: ${cause.message}` : message
  const line = whole.replace(/:\n/g, ': ').replace(/\n/g, '; ')
  return line.length > MAX_REASON_LENGTH ? `${line.slice(0, MAX_REASON_LENGTH - 1)}…` : line
}

/** A command as it is logged: `state ON, led OFF`, `get power`. */
export function commandText(command: Command): string {
  if ('get' in command) return command.get === null ? 'get' : `get ${shown(command.get)}`
  return valuesText(Object.entries(command.set).map(([name, value]) => `${shown(name)} ${shown(value)}`))
}

/** The keys of a request whose values are logged. The others may be secret settings of a plug. */
const LOGGED_KEYS: ReadonlySet<string> = new Set([
  'name',
  'from',
  'to',
  'log_level',
  'timeout',
  'members',
  'add',
  'remove',
  'method',
])

/** The payload of a request as it is logged: `name lamp, host, token`. */
export function requestText(values: Record<string, unknown>): string {
  return valuesText(
    Object.entries(values).map(([key, value]) =>
      LOGGED_KEYS.has(key) ? `${shown(key)} ${shown(value)}` : shown(key),
    ),
  )
}

function valuesText(texts: readonly string[]): string {
  const more = texts.length - MAX_VALUES
  return [...texts.slice(0, MAX_VALUES), ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
}

/** A plain word as it is; every other value in quotes, shortened, and with anything that looks like a token masked. */
function shown(value: unknown): string {
  return typeof value === 'string' && /^[\p{L}\p{N}_./:+-]{1,15}$/u.test(value) ? value : excerpt(value)
}
