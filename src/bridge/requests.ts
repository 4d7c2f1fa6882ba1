/** `B/bridge/request/<verb>` -> a row of this table -> `B/bridge/response/<verb>` (contract §6). */
import {z} from 'zod'
import {CommandError, toCommandError} from '../device/errors.ts'
import type {Log} from '../log.ts'
import type {Incoming} from '../mqtt/connection.ts'
import {type Topics, topicProblem} from '../mqtt/topics.ts'
import {type Controls, logLevels} from './controls.ts'
import {deviceVerbs} from './device-requests.ts'
import {groupVerbs} from './group-requests.ts'
import {type Parsed, parseRequest} from './payload.ts'
import {answer, type Publisher} from './publisher.ts'
import {type RequestContext, verb} from './verbs.ts'

const nothing = z.strictObject({})

const verbs = new Map(
  Object.entries({
    health_check: verb(nothing, ({controls}) => ({healthy: true, ...controls.health()})),
    info: verb(nothing, ({controls}) => controls.info()),
    options: verb(z.strictObject({log_level: z.enum(logLevels)}), ({controls}, options) => {
      controls.setLogLevel(options.log_level)
      return options
    }),
    discover: verb(
      z.strictObject({timeout: z.number().min(0.1).max(60).default(5)}),
      ({controls}, {timeout}) => controls.discover(timeout * 1000),
    ),
    reload: verb(nothing, ({controls}) => renewed(controls, 'reload')),
    restart: verb(nothing, ({controls}) => renewed(controls, 'restart')),
    ...deviceVerbs,
    ...groupVerbs,
  }),
)

/** @throws CommandError with every problem of an invalid configuration */
async function renewed(controls: Controls, how: 'restart' | 'reload'): Promise<Record<string, never>> {
  const problems = await controls.renew(how)
  if (problems === undefined) return {}
  throw new CommandError('refused', `the configuration is invalid, the old one stays:\n${problems}`)
}

export interface RequestOptions extends RequestContext {
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
    const {topics, log} = this.#options
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
        data: await handler.answer(this.#options, request.values),
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
