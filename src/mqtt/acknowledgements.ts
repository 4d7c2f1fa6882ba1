/**
 * What the broker does not acknowledge: `Acknowledgements` notices when acknowledgements stop, `RejectedMessages` finds the
 * message over which a broker ends connections, and `SenderTopics` does so for topics that senders of commands choose.
 */
import type {Clock, Timer} from '../common/clock.ts'

/** After so long without an acknowledgement the connection is ended. */
export const ACKNOWLEDGEMENT_TIMEOUT_MS = 10_000
/**
 * The last part of that time, a second timer: after a stall of this process all timers are due before the socket is read, and
 * the acknowledgement may be waiting there.
 */
const LAST_STEP_MS = 1000

/** Calls back when a packet is not acknowledged in time. Responses to pings do not show this: the disk may be full, or an alarm set. */
export class Acknowledgements {
  readonly #clock: Clock
  readonly #onTimeout: () => void
  /** Packets that are not acknowledged, oldest first. */
  readonly #pending = new Set<{sentAt: number}>()
  /**
   * When the oldest packet was acknowledged last. A broker acknowledges in order [MQTT-4.6.0-2]: a slow one still gets to the
   * next packet, and one that leaves a packet out never comes back to it.
   */
  #oldestAcknowledgedAt = 0
  #timer: Timer | undefined

  /** @param onTimeout called when an acknowledgement is overdue, at most once until `reset` */
  constructor(clock: Clock, onTimeout: () => void) {
    this.#clock = clock
    this.#onTimeout = onTimeout
  }

  /** A packet was sent. @returns a function to call when the broker acknowledges it */
  expect(): () => void {
    const sent = {sentAt: this.#clock.now()}
    this.#pending.add(sent)
    if (!this.#timer) this.#checkAfter(ACKNOWLEDGEMENT_TIMEOUT_MS - LAST_STEP_MS, false)
    return () => {
      const [oldest] = this.#pending
      if (sent === oldest) this.#oldestAcknowledgedAt = this.#clock.now()
      this.#pending.delete(sent)
    }
  }

  /** The connection is over. */
  reset(): void {
    this.#pending.clear()
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #checkAfter(ms: number, isLastStep: boolean): void {
    this.#timer = this.#clock.after(ms, () => {
      this.#timer = undefined
      const [oldest] = this.#pending
      if (!oldest) return
      const since = Math.max(oldest.sentAt, this.#oldestAcknowledgedAt)
      const left = since + ACKNOWLEDGEMENT_TIMEOUT_MS - this.#clock.now()
      if (left > LAST_STEP_MS) this.#checkAfter(left - LAST_STEP_MS, false)
      else if (isLastStep) this.#onTimeout()
      else this.#checkAfter(LAST_STEP_MS, true)
    })
  }
}

const WITHHELD_MS = 60 * 60_000

/**
 * Finds the message over which one broker ends connections. mosquitto does so for a topic of more than 200 levels, other brokers
 * for a size or a property that they do not take, and without this the same message would be sent again on each new connection,
 * for ever.
 *
 * The topics of messages that were unacknowledged when a connection ended are candidates, and each is sent alone on the next
 * connection. A candidate that is the only message in flight when that connection ends, too, is withheld for an hour.
 */
export class RejectedMessages {
  readonly #clock: Clock
  readonly #candidates = new Set<string>()
  /** Topics, and when each may be tried again. */
  readonly #withheld = new Map<string, number>()
  /** Topics withheld although nothing at all was acknowledged on the connection that ended: there may be another reason. */
  readonly #uncertain = new Set<string>()
  #mayWithholdUncertain = true

  constructor(clock: Clock) {
    this.#clock = clock
  }

  isWithheld(topic: string): boolean {
    const until = this.#withheld.get(topic)
    if (until === undefined) return false
    if (this.#clock.now() < until) return true
    this.#withheld.delete(topic)
    return false
  }

  /** Whether this must be the only message in flight, so that it is certain over which message a connection ends. */
  isSentAlone(topic: string): boolean {
    return this.#candidates.has(topic)
  }

  /** The broker has acknowledged a message on this topic. */
  acknowledged(topic: string): void {
    this.#mayWithholdUncertain = true
    this.#uncertain.clear()
    this.#candidates.delete(topic)
  }

  /**
   * The broker, or the network, has ended a connection.
   * @param topics of the messages that were sent and not acknowledged
   * @param acknowledged how many messages were acknowledged on this connection
   * @returns the topic that is withheld from now on, if the cause is certain
   */
  connectionEnded(topics: readonly string[], acknowledged: number): string | undefined {
    if (acknowledged === 0) this.#releaseUncertain()
    const [topic, ...others] = topics
    const isFound =
      topic !== undefined &&
      others.length === 0 &&
      this.#candidates.has(topic) &&
      (acknowledged > 0 || this.#mayWithholdUncertain)
    if (!isFound) {
      this.#candidates.clear()
      for (const each of topics) this.#candidates.add(each)
      return undefined
    }
    this.#candidates.delete(topic) // the others remain: there may be several causes
    if (acknowledged === 0) this.#uncertain.add(topic)
    this.#withheld.set(topic, this.#clock.now() + WITHHELD_MS)
    return topic
  }

  /** The connection ended again, although the uncertain topics were withheld: it ends whatever is sent. */
  #releaseUncertain(): void {
    if (this.#uncertain.size === 0) return
    for (const topic of this.#uncertain) this.#withheld.delete(topic)
    this.#uncertain.clear()
    this.#mayWithholdUncertain = false
  }
}

const SUSPENDED_MS = 60 * 60_000
/** Two ends of connections within so long have one cause. */
const SAME_CAUSE_MS = 10 * 60_000
/** A connection that ends so soon after a message of QoS 0 may have ended over it: such a message is never acknowledged. */
const RIGHT_AFTER_MS = 2000

/**
 * Topics that senders choose for their results: response topics of MQTT 5, and the names of requests that do not exist. A
 * broker may end the connection of a client that publishes on one, and each command can name another topic: after two such ends
 * none is used for an hour.
 */
export class SenderTopics {
  readonly #clock: Clock
  /** The last message of QoS 0 on such a topic. */
  #latest: {topic: string; at: number} | undefined
  #endedAt = Number.NEGATIVE_INFINITY
  #suspendedUntil = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isSuspended(): boolean {
    return this.#clock.now() < this.#suspendedUntil
  }

  /** A message was sent that the broker will not acknowledge. */
  sentWithQos0(topic: string): void {
    this.#latest = {topic, at: this.#clock.now()}
  }

  /** The bridge has ended the connection itself. */
  reset(): void {
    this.#latest = undefined
  }

  /**
   * The broker, or the network, has ended the connection.
   * @param unacknowledged such a topic with a message that was not acknowledged
   * @returns the topic that may be the cause, when all such topics are suspended from now on
   */
  connectionEnded(unacknowledged: string | undefined): string | undefined {
    const now = this.#clock.now()
    const latest = this.#latest
    const cause = unacknowledged ?? (latest && now - latest.at < RIGHT_AFTER_MS ? latest.topic : undefined)
    this.reset()
    if (cause === undefined) return undefined
    const isSecond = now - this.#endedAt < SAME_CAUSE_MS
    this.#endedAt = isSecond ? Number.NEGATIVE_INFINITY : now
    if (!isSecond) return undefined
    this.#suspendedUntil = now + SUSPENDED_MS
    return cause
  }
}
