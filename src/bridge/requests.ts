/** `B/bridge/request/<verb>` -> a row of this table -> `B/bridge/response/<verb>` (contract §6). */
import {z} from 'zod'
import {CommandError, toCommandError} from '../device/errors.ts'
import type {Log, LogLevel} from '../log.ts'
import type {Incoming} from '../mqtt/connection.ts'
import {type Topics, topicProblem} from '../mqtt/topics.ts'
import {type Parsed, parseRequest} from './payload.ts'
import {answer, type Publisher} from './publisher.ts'

/** What a request can make the bridge do. */
export interface Controls {
  info(): Record<string, unknown>
  health(): Record<string, unknown>
  setLogLevel(level: LogLevel): void
  /** Starts anew with the configuration as it is now; `false` when that is invalid, and the bridge goes on. */
  restart(): Promise<boolean>
  /** Greets the whole LAN and lists who answers. @param timeout milliseconds */
  discover(timeout: number): Promise<unknown>
}

/** In the order in which they are offered. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]

interface Verb<S extends z.ZodType> {
  schema: S
  run: (controls: Controls, values: z.output<S>) => unknown
}

/** Ties the type of `run` to its schema. */
const verb = <S extends z.ZodType>(schema: S, run: Verb<S>['run']) => ({
  answer: async (controls: Controls, values: unknown): Promise<unknown> =>
    run(controls, check(schema, values)),
})

const nothing = z.strictObject({})

const verbs = new Map(
  Object.entries({
    health_check: verb(nothing, (controls) => ({healthy: true, ...controls.health()})),
    info: verb(nothing, (controls) => controls.info()),
    options: verb(z.strictObject({log_level: z.enum(logLevels)}), (controls, options) => {
      controls.setLogLevel(options.log_level)
      return options
    }),
    discover: verb(z.strictObject({timeout: z.number().min(0.1).max(60).default(5)}), (controls, {timeout}) =>
      controls.discover(timeout * 1000),
    ),
    restart: verb(nothing, async (controls) => {
      if (await controls.restart()) return {}
      throw new CommandError('refused', 'the configuration is invalid: the log lists its problems')
    }),
  }),
)

export interface RequestOptions {
  controls: Controls
  publisher: Publisher
  topics: Topics
  log: Log
}

export class Requests {
  readonly #options: RequestOptions

  constructor(options: RequestOptions) {
    this.#options = options
  }

  /** Carries a request out and answers it. Never rejects. */
  async handle(verb: string, incoming: Incoming): Promise<void> {
    const {controls, topics, log} = this.#options
    if (topicProblem(topics.bridgeResponse(verb)))
      return log.warn('a request without a verb cannot be answered', {verb})
    let request: Parsed = {values: {}}
    try {
      request = parseRequest(incoming.payload)
      const handler = verbs.get(verb)
      if (!handler)
        throw new CommandError(
          'invalid_payload',
          `expected one of ${[...verbs.keys()].join(', ')}, got ${verb}`,
        )
      this.#answer(verb, incoming, request, {
        status: 'ok',
        data: await handler.answer(controls, request.values),
      })
    } catch (error) {
      const {code, message} = toCommandError(error)
      if (code === 'internal') log.error(`the request ${verb} failed for a reason nobody foresaw`, {error})
      this.#answer(verb, incoming, request, {status: 'error', error: {code, message}})
    }
  }

  #answer(verb: string, incoming: Incoming, {transaction}: Parsed, result: Record<string, unknown>): void {
    const {publisher, topics} = this.#options
    const told = {...result, ...(transaction === undefined ? {} : {transaction})}
    publisher.publish(answer(incoming, topics.bridgeResponse(verb), told))
  }
}

/** @throws CommandError naming each wrong key, what was expected there and what came */
function check<S extends z.ZodType>(schema: S, values: unknown): z.output<S> {
  const parsed = schema.safeParse(values)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({path, message}) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  )
  throw new CommandError('invalid_payload', problems.join('; '))
}
