/**
 * What the firmware of one model puts up with: how many values one request may ask for, and which properties it cannot be
 * asked at all. Learnt by asking (reader.ts), shared by all plugs of that model and firmware, and remembered (contract §5).
 */

/** As remembered over restarts. */
export interface Tolerated {
  batch?: number | undefined
  left_out?: string[] | undefined
  answered?: string[] | undefined
  /** How the plug is talked to, when nobody has described its model. */
  dialect?: string | undefined
}

/** In two polls in a row, while the plug answered everything else: one would be the Wi-Fi. */
const STRIKES = 2

export class Tolerance {
  #batch: number | undefined
  #dialect: string | undefined
  #blamed = 0
  readonly #leftOut: Set<string>
  readonly #answered: Set<string>
  readonly #strikes = new Map<string, number>()
  readonly #onLearnt: (tolerated: Tolerated) => void

  constructor(
    {batch, left_out = [], answered = [], dialect}: Tolerated = {},
    onLearnt: (tolerated: Tolerated) => void = () => {},
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
  get leftOut(): ReadonlySet<string> {
    return this.#leftOut
  }

  /** Properties that failed, and are asked alone until it is known whether they are to blame. */
  get suspects(): readonly string[] {
    return [...this.#strikes.keys()].filter((name) => !this.#leftOut.has(name))
  }

  /** How often any property was found to fail. */
  get blamed(): number {
    return this.#blamed
  }

  speaks(dialect: string): void {
    if (this.#dialect === dialect) return
    this.#dialect = dialect
    this.#learnt()
  }

  /** A request for so many was too much, and for no single one of them. */
  tooMany(count: number): void {
    this.#batch = Math.min(this.#batch ?? count, Math.max(1, Math.ceil(count / 2)))
    this.#learnt()
  }

  /** A property that ever had a value is never left out: what fails now and then is the plug's bad day. */
  answers(name: string): void {
    this.#strikes.delete(name)
    if (this.#answered.has(name)) return
    this.#answered.add(name)
    this.#learnt()
  }

  /** A property was asked alone and failed, while the plug answered other questions. @returns whether it is out now */
  strike(name: string): boolean {
    this.#blamed++
    if (this.#answered.has(name) || this.#leftOut.has(name)) return false
    const strikes = (this.#strikes.get(name) ?? 0) + 1
    this.#strikes.set(name, strikes)
    if (strikes < STRIKES) return false
    this.#strikes.delete(name)
    this.#leftOut.add(name)
    this.#learnt()
    return true
  }

  /** Somebody wants to know it all the same. */
  giveAnotherChance(name: string): void {
    this.#strikes.delete(name)
    if (this.#leftOut.delete(name)) this.#learnt()
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
