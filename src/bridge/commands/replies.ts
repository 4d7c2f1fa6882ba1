/**
 * Publishes the results of commands and the responses to requests: on the response topic that the sender asked for (MQTT 5), if that is a
 * topic for responses only, and else on the usual topic. The bridge may publish where the sender may not, and must not lend that right.
 */
import type {IncomingMessage} from '../../mqtt/connection.ts'
import type {BridgeContext} from '../component.ts'
import {transient} from '../publisher.ts'
import {WarningLimiter} from '../warning-limiter.ts'

/** A sender has given up on the response by then, even one that was disconnected for a while: commands live ten seconds. */
const REPLY_EXPIRES_MS = 60_000
/** How much of a topic a warning shows. */
const LONGEST_TOPIC = 200
const LONGEST_RESPONSE_TOPIC = 100

export type ReplyContext = Pick<BridgeContext, 'publisher' | 'topics' | 'names' | 'clock' | 'log'>

/** Publishes results and responses. */
export class Replies {
  readonly #context: ReplyContext
  readonly #warner: WarningLimiter

  constructor(context: ReplyContext) {
    this.#context = context
    this.#warner = new WarningLimiter(context)
  }

  /**
   * @param usualTopic the topic of such responses when the sender asked for no other
   * @param ownTopic a topic that no sender has chosen, for when the broker ends connections because of one that was; the usual topic,
   * unless that holds words of the sender
   * @returns the size of the response, in characters
   */
  reply(
    {responseTopic, correlationData, topic}: IncomingMessage,
    usualTopic: string,
    result: unknown,
    ownTopic = usualTopic,
  ): number {
    const requested = responseTopic === undefined ? undefined : this.#acceptable(responseTopic, topic)
    const to = requested ?? usualTopic
    const message = {...transient(to, result), expiresIn: REPLY_EXPIRES_MS}
    this.#context.publisher.publish({
      ...message,
      ...(requested === undefined ? {} : {correlationData}),
      ...(to === ownTopic ? {} : {fallbackTopic: ownTopic}),
    })
    return message.payload.length
  }

  stop(): void {
    this.#warner.stop()
  }

  /** @returns the response topic, or `undefined`, with a warning, when the bridge must not publish there */
  #acceptable(responseTopic: string, topic: string): string | undefined {
    const {topics, names} = this.#context
    const problem = topics.responseProblem(responseTopic, (name) => names.isTaken(name))
    if (problem === undefined) return responseTopic
    this.#warner.warn(
      responseTopic,
      () =>
        `a message on ${topic.slice(0, LONGEST_TOPIC)} has the response topic ${JSON.stringify(responseTopic.slice(0, LONGEST_RESPONSE_TOPIC))}, which ${problem}: the answer goes to the usual topic`,
    )
    return undefined
  }
}
