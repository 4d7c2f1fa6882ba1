/**
 * Answers to commands and requests: where the sender asked for them (MQTT 5), as long as that is a topic of its own. The bridge may publish
 * where its sender may not, and does not lend that right.
 */
import type {Clock} from '../../common/clock.ts'
import type {Log} from '../../log/logger.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import type {Topics} from '../../mqtt/topics.ts'
import {type Publisher, transient} from '../publisher.ts'
import {WarningLimiter} from '../warning-limiter.ts'

export interface ReplyOptions {
  publisher: Publisher
  topics: Topics
  plugs: {has(name: string): boolean}
  groups: {all: {has(name: string): boolean}}
  clock: Clock
  log: Log
}

/** Who asked has given up on its answer by then, also one who was away for a while: commands live ten seconds. */
const ANSWER_EXPIRES_MS = 60_000

export class Replies {
  readonly #options: ReplyOptions
  readonly #warner: WarningLimiter

  constructor(options: ReplyOptions) {
    this.#options = options
    this.#warner = new WarningLimiter(options)
  }

  /**
   * @param usual the topic of such answers
   * @param known one that no sender has chosen, for when the broker ends connections over those that were; `usual`, unless it is made of
   * the sender's words
   * @returns the size of the answer, in characters
   */
  reply(
    {responseTopic, correlationData, topic}: IncomingMessage,
    usual: string,
    result: unknown,
    known = usual,
  ): number {
    const elsewhere = responseTopic === undefined ? undefined : this.#judged(responseTopic, topic)
    const to = elsewhere ?? usual
    const message = {...transient(to, result), expiresIn: ANSWER_EXPIRES_MS}
    this.#options.publisher.publish({
      ...message,
      ...(elsewhere === undefined ? {} : {correlationData}),
      ...(to === known ? {} : {foreign: true, fallbackTopic: known}),
    })
    return message.payload.length
  }

  stop(): void {
    this.#warner.stop()
  }

  #judged(responseTopic: string, topic: string): string | undefined {
    const {topics, plugs, groups} = this.#options
    const problem = topics.responseProblem(responseTopic, (name) => plugs.has(name) || groups.all.has(name))
    if (problem === undefined) return responseTopic
    this.#warner.warn(
      responseTopic,
      () =>
        `a message on ${topic.slice(0, 200)} wants its answer on ${JSON.stringify(responseTopic.slice(0, 100))}, which ${problem}: the answer goes where it always does`,
    )
    return undefined
  }
}
