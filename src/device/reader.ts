/**
 * How a poll asks: the relay first, the rest in as few requests as the firmware puts up with. A request that fails and may have
 * asked too much is halved until what is to blame stands alone (contract §5), and the relay is never lost with it.
 */
import type {Model} from '../models/model.ts'
import {type Answered, type Read, readOf, readsOf} from './access.ts'
import {isCallFailure} from './errors.ts'
import type {Tolerance} from './tolerance.ts'

export interface ReaderOptions<A extends Answered> {
  model: Model
  tolerance: Tolerance
  /** Puts a question to the plug. Rejects with the transport's error. */
  ask: (read: Read) => Promise<A>
  /** Whether somebody more important waits: then nothing further is asked. */
  gaveWay: () => boolean
  /** Questions that were answered before: when they fail, it is not because they ask too much. */
  proven: Set<string>
  /** A property will not be asked any more. */
  onLeftOut: (name: string) => void
}

/** One poll, command's read-back, or `get`. */
export class Reader<A extends Answered> {
  readonly #options: ReaderOptions<A>
  readonly #answers: A[] = []
  /** It does not answer even for its relay any more. */
  #isGone = false

  constructor(options: ReaderOptions<A>) {
    this.#options = options
  }

  /**
   * Asks for `names`, one request after the other. What failed with others or alone is in no answer.
   * @throws the transport's error when not even the first property could be read: then the plug is away, or is no such plug
   */
  async read(names: readonly string[]): Promise<readonly A[]> {
    const {model, tolerance} = this.#options
    const suspects = new Set(tolerance.suspects)
    const wanted = names.filter((name) => !tolerance.leftOut.has(name) && !suspects.has(name))
    const [first, ...others] = readsOf(model, wanted, tolerance.batch)
    if (first) await this.#first(first)
    for (const read of others) await this.#resolve(read)
    for (const name of suspects)
      if (Object.hasOwn(model.properties, name)) await this.#resolve(readOf(model, name))
    return this.#answers
  }

  /** The request with the relay in it decides over all: when it fails, the relay is asked alone. */
  async #first(read: Read): Promise<void> {
    try {
      await this.#ask(read)
    } catch (error) {
      const [relay = '', ...others] = read.properties
      if (!isDivisible(read, this.#options.model) || !this.#asksTooMuch(read, error)) throw error
      await this.#ask(readOf(this.#options.model, relay))
      await this.#divide(others)
    }
  }

  /** Gets out of a request what it can, in smaller ones if need be. Rejects with nothing but our own mistakes. */
  async #resolve(read: Read): Promise<void> {
    if (this.#isGone || this.#options.gaveWay()) return
    try {
      await this.#ask(read)
    } catch (error) {
      if (!this.#asksTooMuch(read, error) || !(await this.#isThere())) return
      if (isDivisible(read, this.#options.model)) await this.#divide(read.properties)
      else for (const name of read.properties) this.#strike(name)
    }
  }

  async #ask(read: Read): Promise<void> {
    const answer = await this.#options.ask(read)
    this.#options.proven.add(keyOf(read))
    this.#answers.push(answer)
    await this.#judge(read, answer)
  }

  /** What has a value works. What the answer says nothing of may be there when fewer are asked for (python-miio#861). */
  async #judge(read: Read, {failed}: Answered): Promise<void> {
    const {model, tolerance} = this.#options
    const silent = read.properties.filter((name) => failed.has(name) && failed.get(name) === undefined)
    for (const name of read.properties) if (!failed.has(name)) tolerance.answers(name)
    for (const [name, code] of failed) if (code !== undefined) this.#strike(name)
    if (silent.length === 0) return
    if (!isDivisible(read, model)) for (const name of silent) this.#strike(name)
    else if (silent.length === read.properties.length) await this.#divide(silent)
    else {
      tolerance.tooMany(read.properties.length)
      await this.#inParts(silent, 1)
    }
  }

  /** When both halves are answered, it was their number; else the half with the culprit is halved again. */
  async #divide(names: readonly string[]): Promise<void> {
    const {tolerance, gaveWay} = this.#options
    const blamed = tolerance.blamed
    await this.#inParts(names, Math.ceil(names.length / 2))
    if (!gaveWay() && !this.#isGone && tolerance.blamed === blamed) tolerance.tooMany(names.length)
  }

  async #inParts(names: readonly string[], size: number): Promise<void> {
    for (const read of readsOf(this.#options.model, names, size)) await this.#resolve(read)
  }

  /**
   * Whether the plug may be there and fail at this question. One it answered before and now does not shows a plug that is away,
   * the first time at least.
   */
  #asksTooMuch(read: Read, error: unknown): boolean {
    if (!isCallFailure(error)) throw error
    if (this.#options.gaveWay()) return false
    const wasAnswered = this.#options.proven.delete(keyOf(read))
    return error.code === 'refused' || (error.code === 'timeout' && error.stage === 'request' && !wasAnswered)
  }

  /** Only the plug that answers something else has a reason not to answer this. */
  async #isThere(): Promise<boolean> {
    const {model, ask} = this.#options
    const [relay = ''] = Object.keys(model.properties)
    try {
      this.#answers.push(await ask(readOf(model, relay)))
      return true
    } catch (error) {
      if (!isCallFailure(error)) throw error
      this.#isGone = true
      return false
    }
  }

  /** Without its relay a plug is no plug: that is asked for whatever happens. */
  #strike(name: string): void {
    const [relay] = Object.keys(this.#options.model.properties)
    if (name === relay) return
    if (this.#options.tolerance.strike(name)) this.#options.onLeftOut(name)
  }
}

/** Whether it asks for several values, and could ask for fewer. */
function isDivisible({method, properties}: Read, {exactList}: Model): boolean {
  if (properties.length < 2) return false
  return method === 'get_properties' || (method === 'get_prop' && !exactList)
}

function keyOf({method, properties}: Read): string {
  return `${method} ${properties.join()}`
}
