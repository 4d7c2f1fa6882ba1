/**
 * Handles `B/bridge/request/<verb>`: runs the request of that name, and publishes its response on `B/bridge/response/<verb>`
 * (docs/topics.md, "Requests to the bridge").
 */
import {sleep} from '../../common/clock.ts'
import {CommandError, toCommandError} from '../../device/command-error.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import {type ParsedTopic, topicProblem} from '../../mqtt/topics.ts'
import {type ParsedPayload, parseRequest} from '../commands/payload.ts'
import {Results, requestText} from '../commands/results.ts'
import type {BridgeContext, Component} from '../component.ts'
import type {BridgeActions} from './bridge-actions.ts'
import {type RequestContext, TruncatedList} from './define-request.ts'
import {PacedQueue, SharedWork} from './request-limits.ts'
import {unknownVerb} from './request-mistakes.ts'
import {requestTable} from './request-table.ts'

/** Waiting or under way at any time. Further requests are refused at once. */
const MAX_REQUESTS = 1000
/** Of those, changes of the configuration: each writes the file and reads it again. */
const MAX_CHANGES = 32
/** How many requests may share one search of the network: its response may have 100 KB. */
const MAX_SHARING = 32
/** How long a bridge may take to stop before it restarts: a second request within that time is for the same restart. */
const RESTARTING_MS = 5000
/**
 * Brokers deliver a few messages at a time (mosquitto 20): while a flow sends requests again and again, the next one comes within this
 * time.
 */
const QUIET_MS = 100
const MAX_STOP_MS = 1000
/** How much of an unknown verb the log shows. */
const MAX_VERB_LENGTH = 100
/** Copies of one message come together; a later one was sent once more (mosquitto makes no copies over MQTT 3.1.1). */
const COPIES_MS = 100

type RequestsContext = RequestContext &
  Pick<BridgeContext, 'publisher' | 'topics' | 'log' | 'messageWarnings'>

/** Handles requests: a limited number waits, one starts in each turn of the event loop. */
export class Requests implements Component {
  readonly #context: RequestsContext
  readonly #results: Results
  readonly #queue: PacedQueue
  /** Requests that wait or are under way. */
  #pending = 0
  /** Changes of the configuration that wait or are under way. */
  #pendingChanges = 0
  /** The last request that may be delivered more than once. */
  #lastCopied: {message: IncomingMessage; at: number; copiesLeft: number} | undefined
  #isStopped = false
  #lastReceivedAt = Number.NEGATIVE_INFINITY

  constructor(context: Omit<RequestsContext, 'actions'>, actions: BridgeActions) {
    this.#context = {...context, actions: this.#limited(actions, context)}
    this.#results = new Results(context)
    this.#queue = new PacedQueue(context.clock)
  }

  /** Also while the bridge stops: every request has its response. */
  handle(message: IncomingMessage, topic: ParsedTopic | undefined): boolean {
    if (topic?.kind !== 'request') return false
    void this.request(topic.verb, message)
    return true
  }

  /** Runs a request when its turn comes, and publishes its response. Never rejects. */
  async request(verb: string, message: IncomingMessage): Promise<void> {
    const {topics, clock, messageWarnings} = this.#context
    const problem = topicProblem(topics.bridgeResponse(verb))
    if (problem !== undefined) {
      messageWarnings.responseTopics.warn(
        message.topic,
        () => `a request cannot be answered: the topic of its answer ${problem}`,
      )
      return
    }
    if (this.#isCopy(message)) return
    this.#lastReceivedAt = clock.now()
    if (this.#pending >= MAX_REQUESTS) {
      const failure = new CommandError('queue_full', `${MAX_REQUESTS} requests are waiting already`)
      this.#respond(verb, message, {...parsedTransaction(message.payload), values: {}}, failure)
      return
    }
    this.#pending++
    try {
      await this.#queue.add(() => this.#run(verb, message))
    } catch (error) {
      this.#context.log.error(`unexpected error in the response to the request ${verb} (please report it)`, {
        error,
      })
    }
    this.#pending--
  }

  /** From now on every request is refused. Resolves when all have their response and no more come, or after a second. */
  async stop(): Promise<void> {
    this.#isStopped = true
    const {clock} = this.#context
    const end = clock.now() + MAX_STOP_MS
    for (let now = clock.now(); now < end; now = clock.now()) {
      const wait = this.#queue.length > 0 ? QUIET_MS : this.#lastReceivedAt + QUIET_MS - now
      if (wait <= 0) return
      await sleep(clock, Math.min(wait, end - now))
    }
  }

  /** @returns the size of the response, in bytes */
  async #run(verb: string, message: IncomingMessage): Promise<number> {
    const startedAt = this.#context.clock.now()
    let payload: ParsedPayload = {values: {}}
    let outcome: unknown
    try {
      const handler = requestTable.get(verb)
      if (!handler) {
        payload = parsedTransaction(message.payload)
        throw new CommandError('invalid_payload', unknownVerb(verb, [...requestTable.keys()]))
      }
      payload = parseRequest(message.payload, handler.example)
      if (this.#isStopped && verb !== 'restart') throw new CommandError('expired', 'the bridge is stopping')
      outcome = await handler.run(this.#context, payload.values)
    } catch (error) {
      const failure = toCommandError(error)
      outcome = failure
      if (failure.code === 'internal')
        this.#context.log.error(`unexpected error in the request ${verb} (please report it)`, {error})
    }
    return this.#respond(verb, message, payload, outcome, startedAt)
  }

  /**
   * Logs and publishes the response to a request, in this order.
   * @param outcome the `data` of the response, or the failure
   * @returns the size of the response, in bytes
   */
  #respond(
    verb: string,
    message: IncomingMessage,
    {values, transaction}: ParsedPayload,
    outcome: unknown,
    startedAt = this.#context.clock.now(),
  ): number {
    const {topics, clock} = this.#context
    const failure = outcome instanceof CommandError ? outcome : undefined
    this.#results.log(message.topic, {
      target: `request ${verb.slice(0, MAX_VERB_LENGTH)}`.trimEnd(),
      content: () => requestText(values),
      failure,
      elapsed: Math.round(clock.now() - startedAt),
    })
    const response = {
      ...(failure
        ? {status: 'error', error: {code: failure.code, message: failure.message}}
        : outcome instanceof TruncatedList
          ? {status: 'ok', data: outcome.items, truncated: true}
          : {status: 'ok', data: outcome}),
      transaction,
    }
    const usualTopic = topics.bridgeResponse(verb)
    const ownTopic = requestTable.has(verb) ? usualTopic : topics.bridgeResponse('')
    return this.#results.publish(message, response, usualTopic, ownTopic)
  }

  /** Whether the broker has delivered the same message again, because several of our filters match its topic. */
  #isCopy(message: IncomingMessage): boolean {
    const {clock, topics} = this.#context
    const copies = topics.deliveriesOf(message.topic)
    if (copies === 1) return false
    const now = clock.now()
    const last = this.#lastCopied
    const isCopy =
      last && last.copiesLeft > 0 && now - last.at < COPIES_MS && isSameMessage(last.message, message)
    if (isCopy) last.copiesLeft--
    else this.#lastCopied = {message, at: now, copiesLeft: copies - 1}
    return isCopy ?? false
  }

  /** The actions with limits: one search of the network at a time, one restart of this bridge, and a few changes of the configuration. */
  #limited(actions: BridgeActions, {clock}: Pick<BridgeContext, 'clock'>): BridgeActions {
    const searches = new SharedWork<unknown>(clock, MAX_SHARING)
    const restarts = new SharedWork<string | undefined>(clock, Number.POSITIVE_INFINITY, (problems) =>
      problems === undefined ? RESTARTING_MS : 0,
    )
    return {
      ...actions,
      edit: (edits) => this.#change(() => actions.edit(edits)),
      discover: (timeout) => searches.run(`${timeout} ms`, () => actions.discover(timeout)),
      reload: (how) =>
        how === 'restart'
          ? restarts.run(how, () => actions.reload(how))
          : this.#change(() => actions.reload(how)),
    }
  }

  /** @throws CommandError `queue_full` when too many changes wait */
  async #change<T>(change: () => Promise<T>): Promise<T> {
    if (this.#pendingChanges >= MAX_CHANGES)
      throw new CommandError('queue_full', `${MAX_CHANGES} changes of the configuration are waiting already`)
    this.#pendingChanges++
    try {
      return await change()
    } finally {
      this.#pendingChanges--
    }
  }
}

/** Of a request that is refused or does not exist, only the transaction matters: a payload that cannot be parsed has none. */
function parsedTransaction(payload: Buffer): ParsedPayload {
  try {
    return parseRequest(payload)
  } catch {
    return {values: {}}
  }
}

function isSameMessage(a: IncomingMessage, b: IncomingMessage): boolean {
  const noData = Buffer.alloc(0)
  return (
    a.topic === b.topic &&
    a.payload.equals(b.payload) &&
    a.responseTopic === b.responseTopic &&
    (a.correlationData ?? noData).equals(b.correlationData ?? noData)
  )
}
