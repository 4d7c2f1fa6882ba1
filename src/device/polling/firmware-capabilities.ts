/**
 * What a plug's firmware can be asked: how many values in one request, and which properties. FailureTracker counts the failures of
 * one plug in memory; FirmwareCapabilities holds what follows from them, for all plugs of a model and firmware, over restarts.
 */
import type {Model, PollTier} from '../../models/model.ts'
import {buildReads, type ReadRequest} from '../codec/property-codec.ts'

/** As stored over restarts (src/storage/state-store.ts). */
export interface StoredCapabilities {
  /** The most values one request may ask for. */
  batch?: number | undefined
  /** Properties that are not asked for any more. */
  left_out?: string[] | undefined
  /** Properties that were answered once. */
  answered?: string[] | undefined
  /** The dialect of a plug whose model has no definition. */
  dialect?: string | undefined
}

/** What the firmware of one model and version supports. Shared by all plugs that have it. */
export class FirmwareCapabilities {
  /** The most values one request may ask for; `undefined` while no limit was found. */
  batch: number | undefined
  /** The dialect of a plug whose model has no definition. */
  dialect: string | undefined
  readonly #unsupported: Set<string>
  readonly #supported: Set<string>
  readonly #onChange: (capabilities: StoredCapabilities) => void
  /** The requests of polls, by list of names: `propertiesInTier` returns the same lists again and again. */
  #plans = new WeakMap<readonly string[], readonly ReadRequest[]>()

  /** @param onChange called with all that is to be stored, after every change */
  constructor(
    {batch, left_out = [], answered = [], dialect}: StoredCapabilities = {},
    onChange: (capabilities: StoredCapabilities) => void = () => {},
  ) {
    this.batch = batch
    this.dialect = dialect
    this.#unsupported = new Set(left_out)
    this.#supported = new Set(answered)
    this.#onChange = onChange
  }

  /** Properties that are not asked for any more. */
  get unsupported(): ReadonlySet<string> {
    return this.#unsupported
  }

  /** The requests that read those of `names` that the firmware supports. @param names a list for this model only */
  planReads(model: Model, names: readonly string[]): readonly ReadRequest[] {
    let reads = this.#plans.get(names)
    if (!reads) {
      const supported = names.filter((name) => !this.#unsupported.has(name))
      reads = buildReads(model, supported, this.batch)
      this.#plans.set(names, reads)
    }
    return reads
  }

  setDialect(dialect: string): void {
    if (this.dialect === dialect) return
    this.dialect = dialect
    this.#changed()
  }

  /** More values than `count` in one request are too many, although each single value is answered. */
  limitBatch(count: number): void {
    if (this.batch !== undefined && this.batch <= count) return
    this.batch = Math.max(1, count)
    this.#changed()
  }

  /** The firmware answered a request for `name`. */
  markSupported(name: string): void {
    if (this.#supported.has(name)) return
    this.#supported.add(name)
    this.#changed()
  }

  /**
   * The firmware fails at requests for `name`. A property that was answered once is not left out: its failures are those of a
   * single plug, or of bad Wi-Fi, unless the plug restarts at them.
   * @returns whether the property is left out from now on, and was not before
   */
  markUnsupported(name: string, hasRestarted = false): boolean {
    if ((this.#supported.has(name) && !hasRestarted) || this.#unsupported.has(name)) return false
    this.#unsupported.add(name)
    this.#changed()
    return true
  }

  /** A user asks for a property that may be left out: it is asked for again. @returns whether it was left out */
  retry(name: string): boolean {
    const wasLeftOut = this.#unsupported.delete(name)
    if (wasLeftOut) this.#changed()
    return wasLeftOut
  }

  #changed(): void {
    this.#plans = new WeakMap()
    this.#onChange({
      batch: this.batch,
      left_out: [...this.#unsupported],
      answered: [...this.#supported],
      dialect: this.dialect,
    })
  }
}

/** So many failures in a row, each with proof that no datagram was lost, are the firmware's. Two in a row occurred by chance. */
export const FAILURES_UNTIL_UNSUPPORTED = 3

/** Likewise, of requests that the plug restarted after: between two power failures, such a request is answered. */
const RESTARTS_UNTIL_UNSUPPORTED = 2

/**
 * Counts what one plug failed at lately while it answered everything else. Failures by bad Wi-Fi pass, limits of the firmware stay
 * (property-reader.ts). Lost at a restart, unlike FirmwareCapabilities.
 */
export class FailureTracker {
  /** After this request, sent at that time (ms of the clock), the plug did not respond any more. */
  unanswered: {read: ReadRequest; at: number} | undefined
  /** By property. Most plugs never fail at one: they need no map. */
  #failures: Map<string, number> | undefined
  /** By number of values in a request. */
  #batchFailures: Map<number, number> | undefined
  /** How many of those failures were restarts, by property or number of values. */
  #restarts: Map<string | number, number> | undefined

  /**
   * A request for this property alone failed, and no other did.
   * @param hasRestarted in place of a response, the plug restarted
   * @returns whether that happened so often that the firmware does not support it
   */
  recordFailure(name: string, hasRestarted = false): boolean {
    this.#failures ??= new Map()
    return this.#isCertain(name, increment(this.#failures, name), hasRestarted)
  }

  /** A request for so many values failed, and every one of them was answered in smaller requests. @returns as `recordFailure` */
  recordBatchFailure(size: number, hasRestarted = false): boolean {
    this.#batchFailures ??= new Map()
    return this.#isCertain(size, increment(this.#batchFailures, size), hasRestarted)
  }

  /** The property was answered, or is left out: its failures count no more. */
  clear(name: string): void {
    this.#failures?.delete(name)
    this.#restarts?.delete(name)
  }

  /** A request for so many values was answered. */
  clearBatch(size: number): void {
    for (const failed of this.#batchFailures?.keys() ?? [])
      if (failed <= size) {
        this.#batchFailures?.delete(failed)
        this.#restarts?.delete(failed)
      }
  }

  /** A property that was left out is asked for again: one more failure marks it unsupported again. */
  retry(name: string): void {
    this.#failures ??= new Map()
    this.#failures.set(name, FAILURES_UNTIL_UNSUPPORTED - 1)
    this.#restarts ??= new Map()
    this.#restarts.set(name, RESTARTS_UNTIL_UNSUPPORTED - 1)
  }

  /** Other failures prove nothing about a restart: together with one power failure they must not be taken for the firmware's. */
  #isCertain(what: string | number, failures: number, hasRestarted: boolean): boolean {
    if (!hasRestarted) return failures >= FAILURES_UNTIL_UNSUPPORTED
    this.#restarts ??= new Map()
    return increment(this.#restarts, what) >= RESTARTS_UNTIL_UNSUPPORTED
  }

  /** Whether the property failed lately, and must be requested alone, so that no other fails with it. */
  has(name: string): boolean {
    return this.#failures?.has(name) ?? false
  }

  /**
   * The properties that a poll asks for: in addition to its tier those that failed lately, until they are answered or left out. One
   * that keeps failing although it was answered once is not left out, and is asked for in the `rare` tier only.
   * @param names the properties of the tier
   */
  due(names: readonly string[], tier: PollTier): readonly string[] {
    if (tier === 'rare' || !this.#failures?.size) return names
    const uncertain = [...this.#failures].filter(([, count]) => count < FAILURES_UNTIL_UNSUPPORTED)
    return [...new Set([...this.without(names), ...uncertain.map(([name]) => name)])]
  }

  /** Those of `names` that did not fail lately: callers do not wait for failing ones. */
  without(names: readonly string[]): readonly string[] {
    if (!this.#failures?.size) return names
    return names.filter((name) => !this.has(name))
  }
}

function increment<K>(counts: Map<K, number>, key: K): number {
  const count = (counts.get(key) ?? 0) + 1
  counts.set(key, count)
  return count
}
