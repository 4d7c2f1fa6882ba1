/** One question to one plug, asked until it is answered: a hello when the plug's clock is not known, then the request. */
import {jitter} from '../common/clock.ts'
import {type ClockSample, isFresh, isSameClock, stampAt} from './device-clock.ts'
import {MiioError} from './miio-error.ts'
import {HEADER_BYTES, HELLO} from './packet.ts'
import type {HelloResponse, RequestDependencies, RequestOptions, ResponseEvent} from './request-types.ts'
import {ResponseMatcher} from './response-matcher.ts'
import {REGULAR_WAIT_MS} from './response-time.ts'
import {RequestLog, timeoutError} from './timeout-diagnosis.ts'

/**
 * A request that stays unanswered was mostly lost, and is sent again without a hello. After so many in a row the plug may have
 * been switched off and on: it ignores us until we know its new clock (docs/protocol.md §1.4).
 */
const SILENCES_UNTIL_HELLO = 2
/** After so many calls in a row, of three tries with three hellos each, without an answer a plug is away for longer. */
const AWAY = 2
/** So many tries must end with an unproven "no" before it is believed of a plug that has answered in this run; else one. */
const DOUBTS_BELIEVED = 3
/** Between the end of one exchange and the next request: plugs do one thing at a time (docs/protocol.md §1.10). */
const GAP_MS = 50
/** Before asking again what a plug was too busy for. Half of it is chance: two bridges must not stay in step. */
const PAUSE_MS = 300
/** A plug answers a hello at once, whatever else it does, and it changes nothing: it is soon worth another. */
const HELLO_AGAIN_MS = 500
const HELLOS = 3
/** So long for the one hello of a poll that most likely nobody answers. Who answers later is found by the next broadcast. */
const AWAY_HELLO_MS = 1000
/** So many clocks are believed in one try. Whoever tells ever new ones in the plug's name makes us send no more than this. */
const MOST_CLAIMS = 16
/** With less time than this left, a request would be sent that nobody waits for. */
const SHORTEST_TRY_MS = 20

export class MiioRequest {
  readonly #asked: RequestDependencies
  readonly #question: RequestOptions
  readonly #course = new RequestLog()
  readonly #judge: ResponseMatcher
  /** Tries in a row that brought no answer. */
  #silences = 0
  /** Requests in a row that stayed unanswered since the plug's clock was read. */
  #unanswered = 0
  /** Nobody has answered the hellos of the last few calls, and nobody waits for this one: it has no deadline, as polls have none. */
  readonly #isAway: boolean
  /** Tries that brought nothing but an unproven "no". */
  #doubts = 0

  constructor(asked: RequestDependencies, question: RequestOptions) {
    this.#asked = asked
    this.#question = question
    this.#judge = new ResponseMatcher(asked, question.method, this.#course)
    this.#isAway = asked.link.absences >= AWAY && question.deadline === Number.POSITIVE_INFINITY
  }

  /** The result, whatever it is. @throws MiioError */
  async ask(): Promise<unknown> {
    const leave = this.#asked.link.attend()
    try {
      return await this.#askUntilAnswered()
    } finally {
      leave()
    }
  }

  /** Who lives there. @throws MiioError `timeout` at stage `hello`, or `unreachable` when it is not the plug we know */
  async greet(): Promise<HelloResponse> {
    const leave = this.#asked.link.attend()
    try {
      await this.#pause()
      const heard = await this.#hello(this.#question.deadline)
      if (heard?.kind === 'greeting') return heard
      throw this.#course.doubt ?? this.#silence()
    } finally {
      this.#judge.awaitsHello = false
      this.#rest(GAP_MS)
      leave()
    }
  }

  async #askUntilAnswered(): Promise<unknown> {
    let failure: MiioError | undefined
    for (let tries = 0; ; tries++) {
      const late = this.#isOver(tries) ? undefined : await this.#pause()
      if (late?.kind === 'answer') return late.result
      if (this.#isOver(tries)) throw failure ?? this.#gaveUp()
      const heard = await this.#try(tries + 1 >= this.#question.tries)
      if (heard?.kind === 'answer') return heard.result
      failure = heard?.kind === 'failure' ? heard.error : undefined
    }
  }

  #isOver(tries: number): boolean {
    const {deadline, signal} = this.#question
    return (
      tries >= this.#question.tries ||
      signal?.aborted === true ||
      deadline - this.#now() < SHORTEST_TRY_MS ||
      this.#doubts >= (this.#isProven ? DOUBTS_BELIEVED : 1) ||
      this.#isStillAbsent()
    )
  }

  /**
   * A plug that is away for longer is greeted once per poll, not at each try: there may be ten thousand of them, and they are asked
   * every minute. A command or a `get` goes on: somebody waits, and one hello in five may be lost.
   */
  #isStillAbsent(): boolean {
    return this.#isAway && this.#isUngreeted
  }

  get #isUngreeted(): boolean {
    return this.#course.hellos > 0 && this.#course.greetings === 0
  }

  /** Lets the plug rest. An answer to an earlier try may still come meanwhile. */
  #pause(): Promise<ResponseEvent | undefined> {
    const until = Math.min(this.#asked.link.quietUntil, this.#question.deadline)
    return this.#hear(until, this.#question.signal)
  }

  /** An answer, a failure that may pass, or `undefined` for silence. */
  async #try(isLast: boolean): Promise<ResponseEvent | undefined> {
    const {stats, random} = this.#asked
    let rest = GAP_MS
    try {
      const heard = await this.#helloAndRequest(isLast)
      if (heard?.kind === 'failure') rest = jitter(PAUSE_MS, 0.5, random)
      if (heard) return heard
      stats.timeouts++
      this.#silences++
      return this.#doubted()
    } finally {
      this.#rest(rest)
    }
  }

  /** What the silent try was told by a packet that nothing proves. */
  #doubted(): ResponseEvent | undefined {
    const error = this.#course.doubt
    this.#course.doubt = undefined
    if (!error) return undefined
    this.#doubts++
    return {kind: 'failure', error}
  }

  async #helloAndRequest(isLast: boolean): Promise<ResponseEvent | undefined> {
    const {link, roundTrip} = this.#asked
    const patience = roundTrip.patience(this.#silences, isLast)
    try {
      if (!this.#knowsClock()) {
        const heard = await this.#hello(Math.min(patience, REGULAR_WAIT_MS))
        if (heard?.kind !== 'greeting') return heard
      }
      return link.reading && (await this.#request(link.reading, patience, isLast))
    } catch (error) {
      if (error instanceof MiioError && error.stage === 'send') return {kind: 'failure', error}
      throw error
    } finally {
      this.#judge.awaitsHello = false
    }
  }

  #knowsClock(): boolean {
    const {reading} = this.#asked.link
    return reading !== undefined && isFresh(reading, this.#now())
  }

  async #hello(patience: number): Promise<ResponseEvent | undefined> {
    const {link} = this.#asked
    link.reading = undefined
    await link.locate()
    this.#unanswered = 0
    const until = this.#until(this.#isAway ? AWAY_HELLO_MS : patience)
    this.#judge.awaitsHello = true
    let heard: ResponseEvent | undefined
    for (let hellos = 1; !heard && until - this.#now() >= SHORTEST_TRY_MS; hellos++) {
      this.#course.hellos++
      await link.send(HELLO)
      const isLast = hellos === HELLOS || this.#isAway
      heard = await this.#hear(isLast ? until : Math.min(until, this.#now() + HELLO_AGAIN_MS))
    }
    if (heard?.kind === 'greeting') link.reading = this.#readingIn(heard)
    return heard
  }

  /** Also of a stamp of 0: the plug has just booted (docs/protocol.md §1.4). */
  #readingIn({did, uptime}: HelloResponse): ClockSample {
    return {did, stamp: uptime, at: this.#now()}
  }

  async #request(
    reading: ClockSample,
    patience: number,
    isLast: boolean,
  ): Promise<ResponseEvent | undefined> {
    const {link, roundTrip} = this.#asked
    if (!(await this.#send(reading))) return undefined
    const claims = [reading]
    const longest = this.#until(roundTrip.longest)
    let heard = await this.#hearAnswer(this.#until(patience), claims)
    if (!heard && isLast) heard = await this.#hearAnswer(longest, claims, this.#question.signal)
    this.#unanswered = heard ? 0 : this.#unanswered + 1
    if (this.#unanswered >= SILENCES_UNTIL_HELLO || (!heard && claims.length > 1)) link.reading = undefined
    return heard
  }

  /**
   * Anybody may have answered our hello before the plug did. Who tells another clock is believed as well, and gets the request, too: the
   * plug takes the one with its own id and clock, and drops all others (docs/protocol.md §1.6). What must be sent once is sent once.
   */
  async #hearAnswer(
    until: number,
    claims: ClockSample[],
    signal?: AbortSignal,
  ): Promise<ResponseEvent | undefined> {
    for (;;) {
      const heard = await this.#hear(until, signal)
      if (heard?.kind !== 'greeting') return heard
      const claim = this.#readingIn(heard)
      const isNew = claims.length < MOST_CLAIMS && !claims.some((known) => isSameClock(known, claim))
      if (isNew && this.#question.tries > 1) {
        claims.push(claim)
        await this.#send(claim)
      } else this.#asked.stats.dropped++
    }
  }

  /** @returns `false` when there is no time left, because the process was paused since the hello */
  async #send(reading: ClockSample): Promise<boolean> {
    const {link, cipher, ids, stats} = this.#asked
    const {method, params} = this.#question
    const id = ids.next()
    const payload = Buffer.from(`${JSON.stringify({id, method, params})}\0`)
    const request = cipher.seal(reading.did, stampAt(reading, this.#now()), payload)
    if (this.#question.deadline <= this.#now()) return false
    this.#judge.expect(id, reading.did, request)
    stats.requests++
    if (this.#course.requests++ > 0) stats.retries++
    this.#course.bytes = Math.max(this.#course.bytes, request.length - HEADER_BYTES)
    await link.send(request)
    return true
  }

  /** The next thing from the plug that counts, or `undefined` when nothing did until `until` or the signal was aborted. */
  async #hear(until: number, signal?: AbortSignal): Promise<ResponseEvent | undefined> {
    for (;;) {
      const datagram = await this.#asked.link.next(until, signal)
      if (!datagram) return undefined
      const heard = this.#judge.match(datagram)
      if (heard) return heard
    }
  }

  /**
   * The tries have ended in silence: the next call takes nothing of this plug for granted, neither its clock nor its pace. One that
   * gave way to another after a lost packet says too little of a plug that has answered before.
   */
  #gaveUp(): MiioError {
    const {link, roundTrip} = this.#asked
    const gaveWay = this.#question.signal?.aborted === true
    if (!gaveWay || !this.#isProven) link.reading = undefined
    if (!gaveWay && this.#course.requests > 0) roundTrip.unanswered()
    if (!gaveWay) link.absences = this.#isUngreeted ? link.absences + 1 : 0
    return this.#silence()
  }

  /** Whether the plug has answered under our token in this run. */
  get #isProven(): boolean {
    return this.#asked.stats.lastSeen !== undefined
  }

  #silence(): MiioError {
    return timeoutError(this.#asked.link.where, this.#question.method, this.#course, this.#isProven)
  }

  #until(patience: number): number {
    return Math.min(this.#now() + patience, this.#question.deadline)
  }

  #rest(ms: number): void {
    this.#asked.link.quietUntil = this.#now() + ms
  }

  #now(): number {
    return this.#asked.clock.now()
  }
}
