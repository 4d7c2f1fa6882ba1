/** One request to one plug, sent until it is answered: a hello when the plug's clock is not known, then the request itself. */
import {jitter} from '../common/clock.ts'
import {type ClockSample, isFresh, isSameClock, stampAt} from './device-clock.ts'
import type {Link} from './link.ts'
import {MiioError, RequestLog, timeoutError} from './miio-error.ts'
import {HEADER_BYTES, HELLO} from './packet.ts'
import {
  type HelloResponse,
  type PlugConnection,
  type ResponseEvent,
  ResponseMatcher,
} from './response-matcher.ts'
import {DEFAULT_TIMEOUT_MS} from './stats.ts'

export interface RequestOptions {
  method: string
  params: unknown
  /** When to give up, in ms of the clock. */
  deadline: number
  /** How often to send the request at most. */
  tries: number
  /** Once aborted, no try follows the one under way. */
  signal: AbortSignal | undefined
}

/**
 * A request that stays unanswered was mostly lost, and is sent again without a hello. After so many in a row the plug may have been
 * without power: it ignores requests until its new clock is known (docs/protocol.md §1.4).
 */
const UNANSWERED_UNTIL_HELLO = 2
/** After so many calls in a row, of three tries with three hellos each, without an answer a plug is away for longer. */
const ABSENCES_UNTIL_AWAY = 2
/** So many tries must end with an unproven refusal before it is believed of a plug that has answered in this run; else one. */
const UNPROVEN_BELIEVED = 3
/** Between the end of one exchange and the next request: plugs do one thing at a time (docs/protocol.md §1.10). */
const GAP_MS = 50
/** Pause before a request is repeated that the plug was too busy for. Half of it is random: two bridges must not stay in step. */
const BUSY_PAUSE_MS = 300
/** A plug answers a hello at once, whatever else it does, and a hello changes nothing: it is soon worth another. */
const HELLO_INTERVAL_MS = 500
const HELLOS_PER_TRY = 3
/** How long a poll waits for the reply to its one hello to a plug that is away. A later reply is found by the next broadcast. */
const AWAY_HELLO_MS = 1000
/** So many clocks are believed in one try. A forger that claims ever new clocks makes us send no more requests than this. */
const MOST_CLOCKS = 16
/** With less time left no request is sent: its answer would come too late. */
const SHORTEST_TRY_MS = 20

/** One request to one plug, with its tries. `send` may be called once. */
export class MiioRequest {
  readonly #link: Link
  readonly #plug: PlugConnection
  readonly #options: RequestOptions
  readonly #log = new RequestLog()
  readonly #matcher: ResponseMatcher
  /** Tries in a row without an answer. */
  #silentTries = 0
  /** Requests in a row without an answer since the plug's clock was read. */
  #unanswered = 0
  /** Whether the last few calls got no hello reply, and no caller waits for this one: it has no deadline, as polls have none. */
  readonly #isAway: boolean
  /** Tries that brought nothing but an unproven refusal. */
  #unprovenTries = 0

  constructor(link: Link, plug: PlugConnection, options: RequestOptions) {
    this.#link = link
    this.#plug = plug
    this.#options = options
    this.#matcher = new ResponseMatcher(link, plug, options.method, this.#log)
    this.#isAway = link.absences >= ABSENCES_UNTIL_AWAY && options.deadline === Number.POSITIVE_INFINITY
  }

  /** The `result` of the plug's answer, unchecked. @throws MiioError */
  async send(): Promise<unknown> {
    if (this.#options.signal?.aborted) throw this.#timeout()
    this.#link.openMailbox()
    try {
      let failure: MiioError | undefined
      for (let tries = 0; ; tries++) {
        const late = this.#isOver(tries) ? undefined : await this.#pause()
        if (late?.kind === 'result') return late.result
        if (this.#isOver(tries)) throw failure ?? this.#gaveUp()
        const event = await this.#try(tries + 1 >= this.#options.tries)
        if (event?.kind === 'result') return event.result
        failure = event?.kind === 'failure' ? event.error : undefined
      }
    } finally {
      this.#link.closeMailbox()
    }
  }

  /** Sends hellos only. @throws MiioError `timeout` at stage `hello`, or `unreachable` when another plug answers than the known one */
  async hello(): Promise<HelloResponse> {
    const link = this.#link
    link.openMailbox()
    try {
      await this.#pause()
      const event = await this.#exchangeHello(this.#options.deadline)
      if (event?.kind === 'hello') return event
      throw this.#log.unproven ?? this.#timeout()
    } finally {
      this.#matcher.awaitsHello = false
      this.#keepQuiet(GAP_MS)
      link.closeMailbox()
    }
  }

  #isOver(tries: number): boolean {
    const {deadline, signal} = this.#options
    return (
      tries >= this.#options.tries ||
      signal?.aborted === true ||
      deadline - this.#now() < SHORTEST_TRY_MS ||
      this.#unprovenTries >= (this.#isProven ? UNPROVEN_BELIEVED : 1) ||
      // A plug that is away for longer gets one hello per poll, not one per try: there may be ten thousand of them, polled every
      // minute. A command or a `get` goes on: its caller waits, and one hello in five may be lost.
      (this.#isAway && this.#isWithoutHelloReply)
    )
  }

  get #isWithoutHelloReply(): boolean {
    return this.#log.hellos > 0 && this.#log.helloReplies === 0
  }

  /** Waits until the plug may be asked again. An answer to an earlier try may still come meanwhile. */
  #pause(): Promise<ResponseEvent | undefined> {
    return this.#receive(Math.min(this.#link.quietUntil, this.#options.deadline), this.#options.signal)
  }

  /** A result, a failure that may pass, or `undefined` when nothing came. */
  async #try(isLast: boolean): Promise<ResponseEvent | undefined> {
    const {stats, random} = this.#plug
    let pause = GAP_MS
    try {
      const event = await this.#helloAndRequest(isLast)
      if (event?.kind === 'failure') pause = jitter(BUSY_PAUSE_MS, 0.5, random)
      if (event) return event
      stats.timeouts++
      this.#silentTries++
      return this.#takeUnproven()
    } finally {
      this.#keepQuiet(pause)
    }
  }

  /** What an unproven packet claimed during a try without an answer. */
  #takeUnproven(): ResponseEvent | undefined {
    const error = this.#log.unproven
    this.#log.unproven = undefined
    if (!error) return undefined
    this.#unprovenTries++
    return {kind: 'failure', error}
  }

  async #helloAndRequest(isLast: boolean): Promise<ResponseEvent | undefined> {
    const link = this.#link
    const {responseTime} = this.#plug
    const timeout = responseTime.timeout(this.#silentTries, isLast)
    try {
      if (!link.clockSample || !isFresh(link.clockSample, this.#now())) {
        const event = await this.#exchangeHello(Math.min(timeout, DEFAULT_TIMEOUT_MS))
        if (event?.kind !== 'hello') return event
      }
      return link.clockSample && (await this.#exchangeRequest(link.clockSample, timeout, isLast))
    } catch (error) {
      if (error instanceof MiioError && error.stage === 'send') return {kind: 'failure', error}
      throw error
    } finally {
      this.#matcher.awaitsHello = false
    }
  }

  async #exchangeHello(timeout: number): Promise<ResponseEvent | undefined> {
    const link = this.#link
    link.clockSample = undefined
    await link.resolve()
    this.#unanswered = 0
    const until = this.#until(this.#isAway ? AWAY_HELLO_MS : timeout)
    this.#matcher.awaitsHello = true
    let event: ResponseEvent | undefined
    for (let hellos = 1; !event && until - this.#now() >= SHORTEST_TRY_MS; hellos++) {
      this.#log.hellos++
      await link.send(HELLO)
      const isLast = hellos === HELLOS_PER_TRY || this.#isAway
      event = await this.#receive(isLast ? until : Math.min(until, this.#now() + HELLO_INTERVAL_MS))
    }
    if (event?.kind === 'hello') link.clockSample = this.#sampleOf(event)
    return event
  }

  /** A stamp of 0 is valid: the plug has just booted (docs/protocol.md §1.4). */
  #sampleOf({did, uptime}: HelloResponse): ClockSample {
    return {did, stamp: uptime, at: this.#now()}
  }

  async #exchangeRequest(
    sample: ClockSample,
    timeout: number,
    isLast: boolean,
  ): Promise<ResponseEvent | undefined> {
    const link = this.#link
    const {responseTime} = this.#plug
    if (!(await this.#sendRequest(sample))) return undefined
    const clocks = [sample]
    const longest = this.#until(responseTime.lastTryTimeout)
    let event = await this.#receiveAnswer(this.#until(timeout), clocks)
    if (!event && isLast) event = await this.#receiveAnswer(longest, clocks, this.#options.signal)
    this.#unanswered = event ? 0 : this.#unanswered + 1
    if (this.#unanswered >= UNANSWERED_UNTIL_HELLO || (!event && clocks.length > 1))
      link.clockSample = undefined
    return event
  }

  /**
   * A forger may have answered our hello before the plug did. A hello reply with another clock is believed as well, and the request
   * is sent with that clock, too: the plug takes the request with its own id and clock, and drops all others (docs/protocol.md §1.6).
   * A request that may be sent only once is sent once.
   */
  async #receiveAnswer(
    until: number,
    clocks: ClockSample[],
    signal?: AbortSignal,
  ): Promise<ResponseEvent | undefined> {
    for (;;) {
      const event = await this.#receive(until, signal)
      if (event?.kind !== 'hello') return event
      const sample = this.#sampleOf(event)
      const isNew = clocks.length < MOST_CLOCKS && !clocks.some((known) => isSameClock(known, sample))
      if (isNew && this.#options.tries > 1) {
        clocks.push(sample)
        await this.#sendRequest(sample)
      } else this.#plug.stats.dropped++
    }
  }

  /** @returns `false` when there is no time left, because the process was paused since the hello */
  async #sendRequest(sample: ClockSample): Promise<boolean> {
    const {cipher, ids, stats} = this.#plug
    const {method, params, deadline} = this.#options
    const id = ids.next()
    const payload = Buffer.from(`${JSON.stringify({id, method, params})}\0`)
    const request = cipher.seal(sample.did, stampAt(sample, this.#now()), payload)
    if (deadline <= this.#now()) return false
    this.#matcher.expect(id, sample.did, request)
    stats.requests++
    if (this.#log.requests++ > 0) stats.retries++
    this.#log.bytes = Math.max(this.#log.bytes, request.length - HEADER_BYTES)
    await this.#link.send(request)
    return true
  }

  /** The next datagram of the plug that counts, or `undefined` when none did until `until` or the signal was aborted. */
  async #receive(until: number, signal?: AbortSignal): Promise<ResponseEvent | undefined> {
    for (;;) {
      const datagram = await this.#link.next(until, signal)
      if (!datagram) return undefined
      const event = this.#matcher.match(datagram)
      if (event) return event
    }
  }

  /**
   * All tries ended without an answer: the next call relies neither on the plug's known clock nor on its response time. A call that
   * was aborted after one lost packet proves too little to forget those of a plug that has answered before.
   */
  #gaveUp(): MiioError {
    const link = this.#link
    const {responseTime} = this.#plug
    const isAborted = this.#options.signal?.aborted === true
    if (!isAborted || !this.#isProven) link.clockSample = undefined
    if (!isAborted && this.#log.requests > 0) responseTime.unanswered()
    if (!isAborted) link.absences = this.#isWithoutHelloReply ? link.absences + 1 : 0
    return this.#timeout()
  }

  /** Whether the plug has answered under our token in this run. */
  get #isProven(): boolean {
    return this.#plug.stats.lastSeen !== undefined
  }

  #timeout(): MiioError {
    return timeoutError(this.#link.where, this.#options.method, this.#log, this.#isProven)
  }

  #until(timeout: number): number {
    return Math.min(this.#now() + timeout, this.#options.deadline)
  }

  #keepQuiet(ms: number): void {
    this.#link.quietUntil = this.#now() + ms
  }

  #now(): number {
    return this.#plug.clock.now()
  }
}
