/** What the log says of commands and requests: a line at `debug` for each, and a warning of each that is refused. */
import type {Clock} from '../../common/clock.ts'
import {excerpt} from '../../device/codec/values.ts'
import {CommandError, type CommandErrorCode} from '../../device/command-error.ts'
import type {Log} from '../../log/logger.ts'
import {LoggedRefusal} from '../requests/define-request.ts'
import {WarningLimiter} from '../warning-limiter.ts'
import type {Command} from './command.ts'

/** A command or request, and what became of it. */
export interface HandledCommand {
  /** Where it came in. */
  topic: string
  /** To whom it was: a plug, a group, or a request by its verb. */
  to: string
  /** What it asks for, without anything secret. Asked for only when it is logged. */
  what: () => string
  failure: CommandError | undefined
  /** Milliseconds. */
  elapsed: number
  /** The plug or group, for the field of the line. */
  device?: string
}

/**
 * What its sender, or the owner of the plug, has to put right. Of a plug that does not answer its availability says so; what was superseded
 * or expired is no mistake; and of what nobody foresaw there is an error.
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

/** The same refusal is worth a line again after that. */
const REPEAT_MS = 3_600_000
/** A configuration that is refused may have a hundred problems. */
const LONGEST_REASON = 400
const LONGEST_TOPIC = 200
const MOST_VALUES = 5

export class CommandLog {
  readonly #log: Log
  readonly #warner: WarningLimiter

  constructor({clock, log}: {clock: Clock; log: Log}) {
    this.#log = log
    this.#warner = new WarningLimiter({clock, log, repeatAfter: REPEAT_MS})
  }

  note(handled: HandledCommand): void {
    const {failure, to, what, elapsed, device} = handled
    if (failure && isNews(failure) && this.#warn(handled, failure)) return
    const fields = device === undefined ? undefined : {device}
    this.#log.debug(() => {
      const result = failure
        ? `${failure.code} in ${elapsed} ms: ${reasonOf(failure)}`
        : `ok in ${elapsed} ms`
      return `${[to, what()].filter((part) => part !== '').join(': ')} over MQTT → ${result}`
    }, fields)
  }

  stop(): void {
    this.#warner.stop()
  }

  #warn({topic, to, what, device}: HandledCommand, failure: CommandError): boolean {
    const {code} = failure
    const why = reasonOf(failure)
    const text = () =>
      `${[`${to}: refused`, what(), `on ${topic.slice(0, LONGEST_TOPIC)}`].filter((part) => part !== '').join(' ')}: ${why} (${code})`
    const fields = {code, ...(device === undefined ? {} : {device})}
    return this.#warner.warn(topic, text, {key: `${topic.slice(0, LONGEST_TOPIC)} ${code} ${why}`, fields})
  }
}

function isNews(failure: CommandError): boolean {
  return REFUSALS.has(failure.code) && !(failure instanceof LoggedRefusal)
}

/** On one line. Of a group, what the first of its members said. */
function reasonOf({message, cause}: CommandError): string {
  const whole = cause instanceof CommandError ? `${message}: ${cause.message}` : message
  const line = whole.replace(/:\n/g, ': ').replace(/\n/g, '; ')
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON - 1)}…` : line
}

/** An order as it is logged: `state ON, led OFF`, `get power`. */
export function commandText(order: Command | Record<string, never>): string {
  if ('get' in order && (order.get === null || typeof order.get === 'string'))
    return order.get === null ? 'get' : `get ${shown(order.get)}`
  if (!('set' in order) || typeof order.set !== 'object') return ''
  return listed(Object.entries(order.set).map(([name, value]) => `${shown(name)} ${shown(value)}`))
}

/** Settings of a plug may be secret: of what a request holds, only these have their values in the log. */
const SHOWN: ReadonlySet<string> = new Set([
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

/** What a request asks for, as it is logged: `name lamp, host, token`. */
export function requestText(values: Record<string, unknown>): string {
  return listed(
    Object.entries(values).map(([key, value]) =>
      SHOWN.has(key) ? `${shown(key)} ${shown(value)}` : shown(key),
    ),
  )
}

function listed(texts: readonly string[]): string {
  const more = texts.length - MOST_VALUES
  return [...texts.slice(0, MOST_VALUES), ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
}

/** A plain word as it is; everything else in quotes, shortened, and without what looks like a token. */
function shown(value: unknown): string {
  return typeof value === 'string' && /^[\p{L}\p{N}_./:+-]{1,15}$/u.test(value) ? value : excerpt(value)
}
