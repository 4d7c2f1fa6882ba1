/** What is known of a plug. An answer that is older than a command never undoes it (contract §3). */
import type {Model, Value} from '../../models/model.ts'
import type {State} from '../codec/values.ts'

/** What a plug said, and which request that answers. */
export interface ReadResult {
  /** The request's number, from `asking()`. */
  asked: number
  values: State
  /** What the firmware said, before it was scaled. */
  raw?: Readonly<Record<string, unknown>>
}

/** What came of something new. */
export interface StateChange {
  /** The state is another than before, or known for the first time. */
  changed: boolean
  /** What the plug said ok to and did not do, in words. */
  contradictions: string[]
}

/** What came of answers. */
export interface AppliedReading extends StateChange {
  /** What they told, but for what a command has overtaken. */
  told: Readonly<State>
  /** The same as the firmware said it, before it was scaled. */
  raw: Readonly<Record<string, unknown>>
}

/** A property that was commanded. */
interface Commanded {
  /** By which request: an answer to an earlier one does not count. */
  request: number
  /** What the plug said ok to and was not read back yet. */
  unconfirmed?: Value | undefined
}

export class KnownValues {
  /** Whether anything was ever heard since the start: before that there is nothing to tell. */
  known = false
  #state: State = {}
  #properties: Model['properties'] = {}
  #workedOut: ReadonlySet<string> = new Set()
  #requests = 0
  /** By property. Most of ten thousand plugs are never commanded: they need no map. */
  #commanded: Map<string, Commanded> | undefined

  /** Every property of the model, in the order of its definition; `null` is unknown. */
  get state(): Readonly<State> {
    return this.#state
  }

  /** What was commanded and not yet read back. */
  get unconfirmed(): readonly string[] {
    return [...(this.#commanded ?? [])].flatMap(([name, {unconfirmed}]) =>
      unconfirmed === undefined ? [] : [name],
    )
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
  nextRequest(): number {
    return ++this.#requests
  }

  /** A command for a property is about to be sent. */
  beginWrite(name: string): void {
    this.#commanded ??= new Map()
    this.#commanded.set(name, {...this.#commanded.get(name), request: this.nextRequest()})
  }

  /** The plug said ok to it. */
  confirmWrite(name: string, value: Value): StateChange {
    const commanded = this.#commanded?.get(name)
    if (commanded) commanded.unconfirmed = value
    return {changed: this.show({[name]: value}), contradictions: []}
  }

  /** Takes from answers what was not commanded after their question went out. */
  applyReadings(answers: readonly ReadResult[]): AppliedReading {
    const told: State = {}
    const said: Record<string, unknown> = {}
    const contradictions: string[] = []
    for (const {asked, values, raw} of answers)
      for (const [name, value] of Object.entries(values)) {
        if ((this.#commanded?.get(name)?.request ?? 0) > asked) continue
        said[name] = raw?.[name]
        contradictions.push(...this.#contradiction(name, value))
        told[name] = value
      }
    const shown = Object.entries(told).filter(([name]) => !this.#workedOut.has(name))
    return {changed: this.show(Object.fromEntries(shown)), contradictions, told, raw: said}
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
    const commanded = this.#commanded?.get(name)
    const expected = commanded?.unconfirmed
    if (commanded) commanded.unconfirmed = undefined
    if (expected === undefined || this.#agree(name, expected, value)) return []
    return [`said ok to ${name} ${expected}, but now says ${name} is ${value ?? 'unknown'}`]
  }

  /** A countdown may have gone on by a step meanwhile. */
  #agree(name: string, expected: Value, value: Value): boolean {
    const property = this.#properties[name]
    if (property?.kind !== 'number' || typeof expected !== 'number' || typeof value !== 'number')
      return expected === value
    return Math.abs(expected - value) <= Math.max(property.step, Math.abs(property.scale))
  }
}
