/** `B/bridge/request/<verb>` -> a row of this table -> `B/bridge/response/<verb>` (contract §6). */
import {z} from 'zod'
import {sleep} from '../../common/clock.ts'
import {describeValue} from '../../common/schema-errors.ts'
import {CommandError, toCommandError} from '../../device/command-error.ts'
import type {Log} from '../../log/logger.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import {type Topics, topicProblem} from '../../mqtt/topics.ts'
import {CommandLog, requestText} from '../commands/command-log.ts'
import {type ParsedPayload, parseRequest} from '../commands/payload.ts'
import {Replies} from '../commands/replies.ts'
import type {Publisher} from '../publisher.ts'
import {WarningLimiter} from '../warning-limiter.ts'
import {type BridgeActions, logLevels} from './bridge-actions.ts'
import {defineRequest, LoggedRefusal, type RequestContext, TruncatedList} from './define-request.ts'
import {deviceRequests} from './device-requests.ts'
import {groupRequests} from './group-requests.ts'
import {PacedQueue} from './request-limits.ts'
import {unknownVerb} from './request-mistakes.ts'
import {SharedWork} from './shared-work.ts'

const nothing = z.strictObject({})

const verbs = new Map(
  Object.entries({
    health_check: defineRequest(nothing, ({controls}) => ({healthy: true, ...controls.health()})),
    info: defineRequest(nothing, ({controls}) => controls.info()),
    options: defineRequest(
      z.strictObject({log_level: z.enum(logLevels)}),
      ({controls}, options) => {
        controls.setLogLevel(options.log_level)
        return options
      },
      {log_level: 'debug'},
    ),
    discover: defineRequest(
      z.strictObject({timeout: seconds(0.1, 60).default(5)}),
      ({controls}, {timeout}) => controls.discover(timeout * 1000),
      {timeout: 5},
    ),
    reload: defineRequest(nothing, ({controls}) => renewed(controls, 'reload')),
    restart: defineRequest(nothing, ({controls}) => renewed(controls, 'restart')),
    ...deviceRequests,
    ...groupRequests,
  }),
)

function seconds(least: number, most: number) {
  const error = ({input}: {input?: unknown}) =>
    `expected a number of seconds from ${least} to ${most}, got ${describeValue(input)}`
  return z.number({error}).min(least, {error}).max(most, {error})
}

/** @throws CommandError with every problem of an invalid configuration */
async function renewed(controls: BridgeActions, how: 'restart' | 'reload'): Promise<Record<string, never>> {
  const problems = await controls.renew(how)
  if (problems === undefined) return {}
  throw new LoggedRefusal('refused', `the configuration is invalid, the old one stays:\n${problems}`)
}

export interface RequestsOptions extends RequestContext {
  publisher: Publisher
  topics: Topics
  log: Log
}

/** Waiting or under way at any time: who asks for more is turned away at once. */
const MOST_REQUESTS = 1000
/** Of those, changes of the configuration: each writes the file and has it read again. */
const MOST_CHANGES = 32
/** Who may wait for one search of the network: its answer may have 100 KB. */
const MOST_SHARING = 32
/** So long a bridge that is to restart may take to stop: who asks for it meanwhile has asked for the same restart. */
const RESTARTING_MS = 5000
/** Brokers hand on a few messages at a time (mosquitto 20): while a flow asks again and again, the next is not far. */
const QUIET_MS = 100
const LONGEST_REST_MS = 1000
/** Of a verb that somebody made up. */
const LONGEST_VERB = 100
/** Copies of one message come together; what comes later was sent once more (mosquitto makes no copies over MQTT 3.1.1). */
const COPIES_MS = 100

export class Requests {
  readonly #options: RequestsOptions
  readonly #context: RequestContext
  readonly #answers: Replies
  readonly #warner: WarningLimiter
  readonly #commandLog: CommandLog
  readonly #line: PacedQueue
  #count = 0
  #changes = 0
  /** The last request of which copies may come. */
  #copied: {incoming: IncomingMessage; at: number; left: number} | undefined
  #isStopped = false
  #lastCame = Number.NEGATIVE_INFINITY

  constructor(options: RequestsOptions) {
    this.#options = options
    this.#context = {...options, controls: this.#bounded(options.controls)}
    this.#answers = new Replies(options)
    this.#warner = new WarningLimiter(options)
    this.#commandLog = new CommandLog(options)
    this.#line = new PacedQueue(options.clock)
  }

  /** Carries a request out when its turn comes, and answers it. Never rejects. */
  async handle(verb: string, incoming: IncomingMessage): Promise<void> {
    const {topics} = this.#options
    const problem = topicProblem(topics.bridgeResponse(verb))
    if (problem !== undefined) {
      this.#warner.warn(
        incoming.topic,
        () => `a request cannot be answered: the topic of its answer ${problem}`,
      )
      return
    }
    if (this.#isCopy(incoming)) return
    this.#lastCame = this.#options.clock.now()
    if (this.#count >= MOST_REQUESTS) {
      this.#turnAway(verb, incoming)
      return
    }
    this.#count++
    await this.#line
      .add(async (sent) => sent(await this.#carryOut(verb, incoming)))
      .finally(() => {
        this.#count--
      })
  }

  /** From now on nothing more is begun, and what comes is told so. Resolves when all is answered and no more comes, or in a second. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#answers.stop()
    this.#warner.stop()
    this.#commandLog.stop()
    const {clock} = this.#options
    const end = clock.now() + LONGEST_REST_MS
    for (let now = clock.now(); now < end; now = clock.now()) {
      const wait = this.#line.length > 0 ? QUIET_MS : this.#lastCame + QUIET_MS - now
      if (wait <= 0) return
      await sleep(clock, Math.min(wait, end - now))
    }
  }

  /** @returns the size of the answer */
  async #carryOut(verb: string, incoming: IncomingMessage): Promise<number> {
    const {log, clock} = this.#options
    const begun = clock.now()
    let request: ParsedPayload = {values: {}}
    const note = (failure?: CommandError) =>
      this.#commandLog.note({
        topic: incoming.topic,
        to: requestCalled(verb),
        what: () => requestText(request.values),
        failure,
        elapsed: Math.round(clock.now() - begun),
      })
    try {
      const handler = verbs.get(verb)
      if (!handler) {
        request = transactionIn(incoming.payload)
        throw new CommandError('invalid_payload', unknownVerb(verb, [...verbs.keys()]))
      }
      request = parseRequest(incoming.payload, handler.example)
      if (this.#isStopped && verb !== 'restart') throw new CommandError('expired', 'the bridge is stopping')
      const data = await handler.answer(this.#context, request.values)
      const told = data instanceof TruncatedList ? {data: data.items, truncated: true} : {data}
      note()
      return this.#answer(verb, incoming, request, {status: 'ok', ...told})
    } catch (error) {
      const failure = toCommandError(error)
      const {code, message} = failure
      note(failure)
      if (code === 'internal') log.error(`the request ${verb} failed for a reason nobody foresaw`, {error})
      return this.#answer(verb, incoming, request, {status: 'error', error: {code, message}})
    }
  }

  #turnAway(verb: string, incoming: IncomingMessage): void {
    const failure = new CommandError('queue_full', `${MOST_REQUESTS} requests wait already`)
    const {code, message} = failure
    this.#answer(verb, incoming, transactionIn(incoming.payload), {status: 'error', error: {code, message}})
    const to = requestCalled(verb)
    this.#commandLog.note({topic: incoming.topic, to, what: () => '', failure, elapsed: 0})
  }

  #answer(
    verb: string,
    incoming: IncomingMessage,
    {transaction}: ParsedPayload,
    result: Record<string, unknown>,
  ): number {
    const told = {...result, ...(transaction === undefined ? {} : {transaction})}
    const {topics} = this.#options
    const usual = topics.bridgeResponse(verb)
    return this.#answers.reply(incoming, usual, told, verbs.has(verb) ? usual : topics.bridgeResponse(''))
  }

  /** Whether it is the same message once more, because several filters have caught it. */
  #isCopy(incoming: IncomingMessage): boolean {
    const {clock, topics} = this.#options
    const copies = topics.copiesOf(incoming.topic)
    if (copies === 1) return false
    const now = clock.now()
    const before = this.#copied
    const isCopy =
      before && before.left > 0 && now - before.at < COPIES_MS && isSame(before.incoming, incoming)
    if (isCopy) before.left--
    else this.#copied = {incoming, at: now, left: copies - 1}
    return isCopy ?? false
  }

  /** One search of the network at a time, one restart a run, and a few changes of the configuration. */
  #bounded(controls: BridgeActions): BridgeActions {
    const {clock} = this.#options
    const scans = new SharedWork<unknown>({clock, most: MOST_SHARING})
    const restarts = new SharedWork<string | undefined>({
      clock,
      most: Number.POSITIVE_INFINITY,
      goodFor: (problems) => (problems === undefined ? RESTARTING_MS : 0),
    })
    return {
      info: () => controls.info(),
      health: () => controls.health(),
      setLogLevel: (level) => controls.setLogLevel(level),
      allowsRawCalls: () => controls.allowsRawCalls(),
      edit: (edits) => this.#change(() => controls.edit(edits)),
      warnings: () => controls.warnings?.() ?? [],
      discover: (timeout) => scans.run(`${timeout} ms`, () => controls.discover(timeout)),
      renew: (how) =>
        how === 'restart'
          ? restarts.run(how, () => controls.renew(how))
          : this.#change(() => controls.renew(how)),
    }
  }

  async #change<T>(work: () => Promise<T>): Promise<T> {
    if (this.#changes >= MOST_CHANGES)
      throw new CommandError('queue_full', `${MOST_CHANGES} changes of the configuration wait already`)
    this.#changes++
    try {
      return await work()
    } finally {
      this.#changes--
    }
  }
}

/** As the log has it. */
function requestCalled(verb: string): string {
  return `request ${verb.slice(0, LONGEST_VERB)}`.trimEnd()
}

/** What is turned away, or does not exist, is not looked at closely: without a transaction that can be read, there is none. */
function transactionIn(payload: Buffer): ParsedPayload {
  try {
    return parseRequest(payload)
  } catch {
    return {values: {}}
  }
}

function isSame(a: IncomingMessage, b: IncomingMessage): boolean {
  const noData = Buffer.alloc(0)
  return (
    a.topic === b.topic &&
    a.payload.equals(b.payload) &&
    a.responseTopic === b.responseTopic &&
    (a.correlationData ?? noData).equals(b.correlationData ?? noData)
  )
}
