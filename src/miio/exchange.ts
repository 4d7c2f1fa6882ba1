/** One question to one plug, asked until it is answered: a hello when the plug's clock is not known, then the request. */
import {jitter} from '../clock.ts'
import {MiioError} from './errors.ts'
import {Judge} from './judge.ts'
import {HEADER_BYTES, HELLO} from './packet.ts'
import type {Asked, Greeting, Heard, Question} from './question.ts'
import {isFresh, type Reading, stampAt} from './reading.ts'
import {Course, silence} from './silence.ts'

/** Hello and request together. */
const TRY_MS = 2000
/** Between the end of one exchange and the next request: plugs do one thing at a time (docs/protocol.md §1.10). */
const GAP_MS = 50
/** Before asking again what a plug was too busy for. Half of it is chance: two bridges must not stay in step. */
const PAUSE_MS = 300
/** With less time than this left, a request would be sent that nobody waits for. */
const SHORTEST_TRY_MS = 20

export class Exchange {
  readonly #asked: Asked
  readonly #question: Question
  readonly #course = new Course()
  readonly #judge: Judge

  constructor(asked: Asked, question: Question) {
    this.#asked = asked
    this.#question = question
    this.#judge = new Judge(asked, question.method, this.#course)
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
  async greet(): Promise<Greeting> {
    const leave = this.#asked.link.attend()
    try {
      await this.#pause()
      const heard = await this.#hello(this.#question.deadline)
      if (heard?.kind === 'greeting') return heard
      throw this.#silence()
    } finally {
      this.#rest(GAP_MS)
      leave()
    }
  }

  async #askUntilAnswered(): Promise<unknown> {
    let failure: MiioError | undefined
    for (let tries = 0; ; tries++) {
      const late = this.#isOver(tries) ? undefined : await this.#pause()
      if (late?.kind === 'answer') return late.result
      if (this.#isOver(tries)) throw failure ?? this.#silence()
      const heard = await this.#try()
      if (heard?.kind === 'answer') return heard.result
      failure = heard?.kind === 'failure' ? heard.error : undefined
    }
  }

  #isOver(tries: number): boolean {
    const {deadline, signal} = this.#question
    return (
      tries >= this.#question.tries || signal?.aborted === true || deadline - this.#now() < SHORTEST_TRY_MS
    )
  }

  /** Lets the plug rest. An answer to an earlier try may still come meanwhile. */
  #pause(): Promise<Heard | undefined> {
    const until = Math.min(this.#asked.link.quietUntil, this.#question.deadline)
    return this.#hear(until, this.#question.signal)
  }

  /** An answer, a failure that may pass, or `undefined` for silence. */
  async #try(): Promise<Heard | undefined> {
    const {stats, link, random} = this.#asked
    const until = Math.min(this.#now() + TRY_MS, this.#question.deadline)
    let rest = GAP_MS
    try {
      const heard = await this.#helloAndRequest(until)
      if (heard?.kind === 'failure') rest = jitter(PAUSE_MS, 0.5, random)
      if (heard) return heard
      stats.timeouts++
      link.reading = undefined // it may have been switched off and on, and ignores us until we know its new clock (§1.4)
      return undefined
    } finally {
      this.#rest(rest)
    }
  }

  async #helloAndRequest(until: number): Promise<Heard | undefined> {
    const {link} = this.#asked
    try {
      if (!link.reading || !isFresh(link.reading, this.#now())) {
        const heard = await this.#hello(until)
        if (heard?.kind !== 'greeting') return heard
      }
      return link.reading && (await this.#request(link.reading, until))
    } catch (error) {
      if (error instanceof MiioError && error.stage === 'send') return {kind: 'failure', error}
      throw error
    }
  }

  async #hello(until: number): Promise<Heard | undefined> {
    await this.#asked.link.locate()
    this.#judge.awaitsHello = true
    this.#course.hellos++
    try {
      await this.#asked.link.send(HELLO)
      return await this.#hear(until)
    } finally {
      this.#judge.awaitsHello = false
    }
  }

  async #request(reading: Reading, until: number): Promise<Heard | undefined> {
    const {link, cipher, ids, stats} = this.#asked
    const {method, params} = this.#question
    const id = ids.next()
    const payload = Buffer.from(`${JSON.stringify({id, method, params})}\0`)
    const request = cipher.seal(reading.did, stampAt(reading, this.#now()), payload)
    this.#judge.expect(id, reading.did, request)
    stats.requests++
    if (this.#course.requests++ > 0) stats.retries++
    this.#course.bytes = Math.max(this.#course.bytes, request.length - HEADER_BYTES)
    await link.send(request)
    return this.#hear(until)
  }

  /** The next thing from the plug that counts, or `undefined` when nothing did until `until` or the signal was aborted. */
  async #hear(until: number, signal?: AbortSignal): Promise<Heard | undefined> {
    for (;;) {
      const datagram = await this.#asked.link.next(until, signal)
      if (!datagram) return undefined
      const heard = this.#judge.judge(datagram)
      if (heard) return heard
    }
  }

  #silence(): MiioError {
    const {link, stats} = this.#asked
    return silence(link.where, this.#question.method, this.#course, stats.lastSeen !== undefined)
  }

  #rest(ms: number): void {
    this.#asked.link.quietUntil = this.#now() + ms
  }

  #now(): number {
    return this.#asked.clock.now()
  }
}
