/** One request to one plug, sent until there is a response: a hello when the plug's clock is not known, then the request itself. */
import {jitter} from '../common/clock.ts'
import type {Link} from './link.ts'
import {MiioError, timeoutError} from './miio-error.ts'
import {HELLO} from './packet.ts'
import {type ClockSample, DEFAULT_TIMEOUT_MS, isFresh, isSameClock, stampAt} from './plug-timing.ts'
import {type PlugContext, type ResponseEvent, ResponseReceiver} from './response-receiver.ts'

export interface MiioRequestOptions {
  /** When to give up, in ms of the clock. By default the tries alone decide. */
  deadline?: number | undefined
  /** How often to send the request, 3 by default. How long each try lasts follows from earlier response times, at first 2 s. */
  tries?: number | undefined
  /**
   * Once aborted, no try follows the one under way. That try still ends by itself, so that nothing is in flight when the call
   * settles. Without a response the call rejects with `timeout`, as one that ran out of tries.
   */
  signal?: AbortSignal | undefined
}

/** How often a request is sent, unless its caller gives another number. One lost packet in five is usual in bad Wi-Fi. */
const DEFAULT_TRIES = 3
/**
 * A request without a response was mostly lost, and is sent again without a hello. After so many in a row the plug may have been
 * without power: it ignores requests until its new clock is known (docs/protocol.md §1.4).
 */
const TIMEOUTS_UNTIL_HELLO = 2
/** After so many calls in a row, of three tries with three hellos each, without a hello reply a plug is unreachable for longer. */
const CALLS_UNTIL_LONG_UNREACHABLE = 2
/** So many tries must end with an unproven refusal before it is believed of a plug that has responded in this run; else one. */
const MAX_UNPROVEN_TRIES = 3
/** Between the end of one exchange and the next request: plugs do one thing at a time (docs/protocol.md §1.10). */
const GAP_MS = 50
/** Pause before a request is repeated that the plug was too busy for. Half of it is random: two bridges must not stay in step. */
const BUSY_PAUSE_MS = 300
/** A plug replies to a hello at once, whatever else it does, and a hello changes nothing: it is soon worth another. */
const HELLO_INTERVAL_MS = 500
const HELLOS_PER_TRY = 3
/** How long a poll waits for the reply to its one hello to a plug that is long unreachable. The next broadcast finds a later reply. */
const LONG_UNREACHABLE_HELLO_MS = 1000
/** Upper bound for requests in one try, so that forged hello replies cannot multiply them. */
const MAX_CLOCKS = 16
/** With less time left no request is sent: its response would come too late. */
const SHORTEST_TRY_MS = 20

/** One request to one plug, with its tries. `send` may be called once. */
export class MiioRequest {
  readonly #link: Link
  readonly #context: PlugContext
  readonly #method: string
  readonly #params: unknown
  readonly #deadline: number
  readonly #tries: number
  readonly #signal: AbortSignal | undefined
  readonly #receiver: ResponseReceiver
  /** Tries in a row without a response. */
  #timeoutsInARow = 0
  /** Those of them since the plug's clock was read. */
  #timeoutsSinceHello = 0
  /** Whether the last few calls got no hello reply, and no caller waits for this one: it has no deadline, as polls have none. */
  readonly #isLongUnreachable: boolean
  /** Tries that brought nothing but an unproven refusal. */
  #unprovenTries = 0

  constructor(
    link: Link,
    context: PlugContext,
    method: string,
    params: unknown,
    {deadline = Number.POSITIVE_INFINITY, tries = DEFAULT_TRIES, signal}: MiioRequestOptions,
  ) {
    this.#link = link
    this.#context = context
    this.#method = method
    this.#params = params
    this.#deadline = deadline
    this.#tries = tries
    this.#signal = signal
    this.#receiver = new ResponseReceiver(link, context, method)
    this.#isLongUnreachable =
      link.callsWithoutHello >= CALLS_UNTIL_LONG_UNREACHABLE && deadline === Number.POSITIVE_INFINITY
  }

  /** The `result` of the plug's response, unchecked. @throws MiioError */
  async send(): Promise<unknown> {
    if (this.#signal?.aborted) throw this.#timeout()
    const link = this.#link
    link.receiver = this.#receiver
    try {
      let failure: MiioError | undefined
      for (let tries = 0; ; tries++) {
        // A first try that is due is sent before this call returns. In the pause before another try a late response may still come.
        const isDue = tries === 0 && link.sendNotBefore <= this.#now()
        const late =
          isDue || this.#isOver(tries) ? undefined : await this.#next(link.sendNotBefore, this.#signal)
        if (isResult(late)) return late.result
        if (this.#isOver(tries)) throw failure ?? this.#gaveUp()
        const event = await this.#try(tries + 1 >= this.#tries)
        if (isResult(event)) return event.result
        failure = event?.kind === 'failure' ? event.error : undefined
      }
    } finally {
      link.receiver = undefined
    }
  }

  #isOver(tries: number): boolean {
    return (
      tries >= this.#tries ||
      this.#signal?.aborted === true ||
      this.#deadline - this.#now() < SHORTEST_TRY_MS ||
      this.#unprovenTries >= (this.#isProven ? MAX_UNPROVEN_TRIES : 1) ||
      // A plug that is long unreachable gets one hello per poll, not one per try: there may be ten thousand of them, polled every
      // minute. A command or a `get` goes on: its caller waits, and one hello in five may be lost.
      (this.#isLongUnreachable && this.#isWithoutHelloReply)
    )
  }

  /** @returns a result, a failure that may pass, or `undefined` when there was no response */
  async #try(isLast: boolean): Promise<ResponseEvent | undefined> {
    const {clock, random, stats} = this.#context
    const link = this.#link
    const timeout = stats.timeout(this.#timeoutsInARow, isLast)
    let event: ResponseEvent | undefined
    try {
      if (!link.clockSample || !isFresh(link.clockSample, clock.now()))
        event = await this.#exchangeHello(Math.min(timeout, DEFAULT_TIMEOUT_MS))
      if (!event && link.clockSample) event = await this.#exchangeRequest(link.clockSample, timeout, isLast)
    } catch (error) {
      if (!(error instanceof MiioError && error.stage === 'send')) throw error
      event = {kind: 'failure', error}
    } finally {
      this.#receiver.awaitsHello = false
      const pause = event?.kind === 'failure' && !event.isFinal ? jitter(BUSY_PAUSE_MS, 0.5, random) : GAP_MS
      link.sendNotBefore = clock.now() + pause
    }
    if (event) return event
    stats.timeouts++
    this.#timeoutsInARow++
    const error = this.#receiver.log.unproven
    if (!error) return undefined
    this.#receiver.log.unproven = undefined
    this.#unprovenTries++
    return {kind: 'failure', error}
  }

  /** Reads the plug's clock. @returns a response to an earlier try, if that came in place of a hello reply */
  async #exchangeHello(timeout: number): Promise<ResponseEvent | undefined> {
    const link = this.#link
    link.clockSample = undefined
    await link.resolve()
    this.#timeoutsSinceHello = 0
    const until = this.#until(this.#isLongUnreachable ? LONG_UNREACHABLE_HELLO_MS : timeout)
    const most = this.#isLongUnreachable ? 1 : HELLOS_PER_TRY
    this.#receiver.awaitsHello = true
    for (let hellos = 1; until - this.#now() >= SHORTEST_TRY_MS; hellos++) {
      this.#receiver.log.hellos++
      link.send(HELLO, this.#receiver.onSent)
      const event = await this.#next(hellos < most ? Math.min(until, this.#now() + HELLO_INTERVAL_MS) : until)
      if (event?.kind === 'hello') link.clockSample = event.sample
      if (event) return event.kind === 'hello' ? undefined : event
    }
    return undefined
  }

  /**
   * Sends the request with the plug's clock, and waits for its response.
   *
   * A forged hello reply may have come before the plug's own. A hello reply with another clock is believed as well, and the request
   * is sent with that clock, too: the plug takes the request with its own id and clock, and drops all others (docs/protocol.md §1.6).
   */
  async #exchangeRequest(
    sample: ClockSample,
    timeout: number,
    isLast: boolean,
  ): Promise<ResponseEvent | undefined> {
    if (!this.#sendRequest(sample)) return undefined
    const clocks = [sample]
    const longest = this.#until(this.#context.stats.lastTryTimeout)
    let until = this.#until(timeout)
    let signal: AbortSignal | undefined
    let event = await this.#next(until)
    while (event?.kind === 'hello' || (!event && isLast && until < longest)) {
      if (event) this.#sendWithOtherClock(event.sample, clocks)
      else {
        until = longest
        signal = this.#signal
      }
      event = await this.#next(until, signal)
    }
    if (!event) this.#timeoutsSinceHello++
    else if (event.kind === 'result' || event.error.stage !== 'send') this.#timeoutsSinceHello = 0
    if (this.#timeoutsSinceHello >= TIMEOUTS_UNTIL_HELLO || (!event && clocks.length > 1))
      this.#link.clockSample = undefined
    return event
  }

  /** A request that may be sent only once is sent once. */
  #sendWithOtherClock(sample: ClockSample, clocks: ClockSample[]): void {
    const isNew = clocks.length < MAX_CLOCKS && !clocks.some((known) => isSameClock(known, sample))
    if (!isNew || this.#tries === 1) return
    clocks.push(sample)
    this.#sendRequest(sample)
  }

  /** @returns `false` when there is no time left, because the process was paused since the hello */
  #sendRequest(sample: ClockSample): boolean {
    const {cipher, ids} = this.#context
    const id = ids.next()
    const payload = `${JSON.stringify({id, method: this.#method, params: this.#params})}\0`
    const request = cipher.seal(sample.did, stampAt(sample, this.#now()), Buffer.from(payload))
    if (this.#deadline <= this.#now()) return false
    this.#receiver.expect(id, sample.did, request)
    this.#link.send(request, this.#receiver.onSent)
    return true
  }

  /** The next response, also when it came before; `undefined` when there was none until `until` or the deadline. */
  #next(until: number, signal?: AbortSignal): Promise<ResponseEvent | undefined> {
    return this.#receiver.next(Math.min(until, this.#deadline), signal)
  }

  /**
   * All tries ended without a response: the next call relies neither on the plug's known clock nor on its response time. A call that
   * was aborted after one lost packet proves too little to forget those of a plug that has responded before.
   */
  #gaveUp(): MiioError {
    const link = this.#link
    const isAborted = this.#signal?.aborted === true
    if (!isAborted || !this.#isProven) link.clockSample = undefined
    if (!isAborted) {
      if (this.#receiver.log.requests > 0) this.#context.stats.timedOut()
      link.callsWithoutHello = this.#isWithoutHelloReply ? link.callsWithoutHello + 1 : 0
    }
    return this.#timeout()
  }

  get #isWithoutHelloReply(): boolean {
    const {hellos, helloReplies} = this.#receiver.log
    return hellos > 0 && helloReplies === 0
  }

  /** Whether the plug has responded under our token in this run. */
  get #isProven(): boolean {
    return this.#context.stats.lastSeen !== undefined
  }

  #timeout(): MiioError {
    return timeoutError(this.#link.where, this.#method, this.#receiver.log, this.#isProven)
  }

  #until(timeout: number): number {
    return Math.min(this.#now() + timeout, this.#deadline)
  }

  #now(): number {
    return this.#context.clock.now()
  }
}

/** @throws the error of a failure that ends the request */
function isResult(event: ResponseEvent | undefined): event is ResponseEvent & {kind: 'result'} {
  if (event?.kind === 'failure' && event.isFinal) throw event.error
  return event?.kind === 'result'
}
