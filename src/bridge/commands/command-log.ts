/** Logs commands and requests: a line at `debug` for each, and a rate-limited warning for each that is refused. */
import type {Clock} from '../../common/clock.ts'
import {excerpt} from '../../device/codec/values.ts'
import {CommandError, type CommandErrorCode} from '../../device/command-error.ts'
import type {Log} from '../../log/logger.ts'
import {LoggedRefusal} from '../requests/define-request.ts'
import {WarningLimiter} from '../warning-limiter.ts'
import type {Command} from './payload.ts'

/** A command or request, and its result. */
export interface HandledCommand {
  /** The topic on which it came in. */
  topic: string
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
 * Failures that the sender or the owner of the plug has to put right. For a plug that does not answer, its availability is logged already;
 * superseded and expired commands are no mistakes; and an internal error has a line of its own.
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
/** Of a reason, in characters: a configuration that is refused may have a hundred problems. */
const LONGEST_REASON = 400
const LONGEST_TOPIC = 200
const MOST_VALUES = 5

/** Logs commands and requests with their results. */
export class CommandLog {
  readonly #log: Log
  readonly #warner: WarningLimiter

  constructor({clock, log}: {clock: Clock; log: Log}) {
    this.#log = log
    this.#warner = new WarningLimiter({clock, log, repeatAfter: REPEAT_MS})
  }

  log(handled: HandledCommand): void {
    const {failure, target, content, elapsed, device} = handled
    if (failure && isWorthWarning(failure) && this.#warn(handled, failure)) return
    const fields = device === undefined ? undefined : {device}
    this.#log.debug(() => {
      const result = failure
        ? `${failure.code} in ${elapsed} ms: ${reasonOf(failure)}`
        : `ok in ${elapsed} ms`
      return `${[target, content()].filter((part) => part !== '').join(': ')} over MQTT → ${result}`
    }, fields)
  }

  stop(): void {
    this.#warner.stop()
  }

  #warn({topic, target, content, device}: HandledCommand, failure: CommandError): boolean {
    const {code} = failure
    const reason = reasonOf(failure)
    const text = () =>
      `${[`${target}: refused`, content(), `on ${topic.slice(0, LONGEST_TOPIC)}`].filter((part) => part !== '').join(' ')}: ${reason} (${code})`
    const fields = {code, ...(device === undefined ? {} : {device})}
    return this.#warner.warn(topic, text, {key: `${topic.slice(0, LONGEST_TOPIC)} ${code} ${reason}`, fields})
  }
}

function isWorthWarning(failure: CommandError): boolean {
  return REFUSALS.has(failure.code) && !(failure instanceof LoggedRefusal)
}

/** The reason of a failure, on one line. Of a group, with the reason of the first member that failed. */
function reasonOf({message, cause}: CommandError): string {
  const whole = cause instanceof CommandError ? `${message}: ${cause.message}` : message
  const line = whole.replace(/:\n/g, ': ').replace(/\n/g, '; ')
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON - 1)}…` : line
}

/** A command as it is logged: `state ON, led OFF`, `get power`; empty for one that could not be parsed. */
export function commandText(command: Command | Record<string, never>): string {
  if ('get' in command && (command.get === null || typeof command.get === 'string'))
    return command.get === null ? 'get' : `get ${shown(command.get)}`
  if (!('set' in command) || typeof command.set !== 'object') return ''
  return listed(Object.entries(command.set).map(([name, value]) => `${shown(name)} ${shown(value)}`))
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
  return listed(
    Object.entries(values).map(([key, value]) =>
      LOGGED_KEYS.has(key) ? `${shown(key)} ${shown(value)}` : shown(key),
    ),
  )
}

function listed(texts: readonly string[]): string {
  const more = texts.length - MOST_VALUES
  return [...texts.slice(0, MOST_VALUES), ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
}

/** A plain word as it is; every other value in quotes, shortened, and with anything that looks like a token masked. */
function shown(value: unknown): string {
  return typeof value === 'string' && /^[\p{L}\p{N}_./:+-]{1,15}$/u.test(value) ? value : excerpt(value)
}
