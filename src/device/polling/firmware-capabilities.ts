/**
 * What the firmware of one model puts up with: how many values one request may ask for, and which properties it cannot be
 * asked at all. Learnt by asking (batch-reader.ts), shared by all plugs of that model and firmware, and remembered (contract §5).
 */

/** As remembered over restarts. */
export interface StoredCapabilities {
  batch?: number | undefined
  left_out?: string[] | undefined
  answered?: string[] | undefined
  /** How the plug is talked to, when nobody has described its model. */
  dialect?: string | undefined
}

export class FirmwareCapabilities {
  #batch: number | undefined
  #dialect: string | undefined
  readonly #leftOut: Set<string>
  readonly #answered: Set<string>
  readonly #onLearnt: (tolerated: StoredCapabilities) => void

  constructor(
    {batch, left_out = [], answered = [], dialect}: StoredCapabilities = {},
    onLearnt: (tolerated: StoredCapabilities) => void = () => {},
  ) {
    this.#batch = batch
    this.#dialect = dialect
    this.#leftOut = new Set(left_out)
    this.#answered = new Set(answered)
    this.#onLearnt = onLearnt
  }

  /** The most values one request may ask for, as far as that was found out. */
  get batch(): number | undefined {
    return this.#batch
  }

  get dialect(): string | undefined {
    return this.#dialect
  }

  /** Properties that are not asked any more. */
  get unsupported(): ReadonlySet<string> {
    return this.#leftOut
  }

  setDialect(dialect: string): void {
    if (this.#dialect === dialect) return
    this.#dialect = dialect
    this.#learnt()
  }

  /** More values than `count` in one request are too much, and no single one of them is to blame. */
  limitBatch(count: number): void {
    if (this.#batch !== undefined && this.#batch <= count) return
    this.#batch = Math.max(1, count)
    this.#learnt()
  }

  /** The firmware can be asked for `name`. */
  markSupported(name: string): void {
    if (this.#answered.has(name)) return
    this.#answered.add(name)
    this.#learnt()
  }

  /**
   * The firmware cannot be asked for `name`, unless it ever could: what was answered once is never left out, since then it is
   * the plug's bad day, or that of one plug of many.
   * @returns whether it is out now
   */
  markUnsupported(name: string): boolean {
    if (this.#answered.has(name) || this.#leftOut.has(name)) return false
    this.#leftOut.add(name)
    this.#learnt()
    return true
  }

  /** Somebody wants to know it all the same. @returns whether it was out */
  retry(name: string): boolean {
    const wasOut = this.#leftOut.delete(name)
    if (wasOut) this.#learnt()
    return wasOut
  }

  #learnt(): void {
    this.#onLearnt({
      batch: this.#batch,
      left_out: [...this.#leftOut],
      answered: [...this.#answered],
      dialect: this.#dialect,
    })
  }
}
