/** What is known of a plug. An answer that is older than a command never undoes it (contract §3). */
import type {Model, Value} from '../models/model.ts'
import type {State} from './values.ts'

/** What a plug said, and which request that answers. */
export interface Answer {
  /** The request's number, from `asking()`. */
  asked: number
  values: State
  /** What the firmware said, before it was scaled. */
  raw?: Readonly<Record<string, unknown>>
}

/** What came of something new. */
export interface Learnt {
  /** The state is another than before, or known for the first time. */
  changed: boolean
  /** What the plug said ok to and did not do, in words. */
  contradictions: string[]
}

/** What came of answers. */
export interface Heard extends Learnt {
  /** What they told, but for what a command has overtaken. */
  told: Readonly<State>
}

export class Knowledge {
  /** Whether anything was ever heard since the start: before that there is nothing to tell. */
  known = false
  #state: State = {}
  #properties: Model['properties'] = {}
  #workedOut: ReadonlySet<string> = new Set()
  readonly #raw: Record<string, unknown> = {}
  #requests = 0
  /** Which request last commanded a property: an answer to an earlier one does not count for it. */
  readonly #commandedAt = new Map<string, number>()
  readonly #unconfirmed = new Map<string, Value>()

  /** Every property of the model, in the order of its definition; `null` is unknown. */
  get state(): Readonly<State> {
    return this.#state
  }

  /** What the firmware last said of each property, before it was scaled. */
  get raw(): Readonly<Record<string, unknown>> {
    return this.#raw
  }

  /** What was commanded and not yet read back. */
  get unconfirmed(): readonly string[] {
    return [...this.#unconfirmed.keys()]
  }

  /** Nothing is known yet of a plug of this model. What is `workedOut` is not what the plug said: it comes from `show`. */
  startWith({properties}: Model, workedOut: ReadonlySet<string> = new Set()): void {
    this.#properties = properties
    this.#workedOut = workedOut
    const withValue = Object.entries(properties).filter(([, {kind}]) => kind !== 'button')
    this.#state = Object.fromEntries(withValue.map(([name]) => [name, null]))
  }

  /** Whether a property is one the plug tells of. */
  isAsked(name: string): boolean {
    const via = this.#properties[name]?.address.via
    return via !== undefined && via !== 'bridge' && via !== 'action'
  }

  /** Numbers a request that is about to be sent. */
  asking(): number {
    return ++this.#requests
  }

  /** A command for a property is about to be sent. */
  commanding(name: string): void {
    this.#commandedAt.set(name, this.asking())
  }

  /** The plug said ok to it. */
  commanded(name: string, value: Value): Learnt {
    this.#unconfirmed.set(name, value)
    return {changed: this.show({[name]: value}), contradictions: []}
  }

  /** Takes from answers what was not commanded after their question went out. */
  learn(answers: readonly Answer[]): Heard {
    const told: State = {}
    const contradictions: string[] = []
    for (const {asked, values, raw} of answers)
      for (const [name, value] of Object.entries(values)) {
        if ((this.#commandedAt.get(name) ?? 0) > asked) continue
        this.#raw[name] = raw?.[name]
        contradictions.push(...this.#contradiction(name, value))
        told[name] = value
      }
    const shown = Object.entries(told).filter(([name]) => !this.#workedOut.has(name))
    return {changed: this.show(Object.fromEntries(shown)), contradictions, told}
  }

  /** @returns whether the state is another than before, or known for the first time */
  show(values: State): boolean {
    const changed = Object.entries(values).filter(([name, value]) => this.#state[name] !== value)
    if (this.known && changed.length === 0) return false
    this.known = true
    this.#state = {...this.#state, ...Object.fromEntries(changed)}
    return true
  }

  #contradiction(name: string, value: Value): string[] {
    const expected = this.#unconfirmed.get(name)
    this.#unconfirmed.delete(name)
    if (expected === undefined || this.#agree(name, expected, value)) return []
    return [`said ok to ${name} ${expected}, but now says ${name} is ${value ?? 'unknown'}`]
  }

  /** A countdown has gone on meanwhile, and a number may have been rounded. */
  #agree(name: string, expected: Value, value: Value): boolean {
    const property = this.#properties[name]
    if (property?.kind !== 'number' || typeof expected !== 'number' || typeof value !== 'number')
      return expected === value
    return Math.abs(expected - value) <= property.step
  }
}
