/**
 * What a plug answers that nobody has described: asked one thing at a time, with pauses, and no longer than it bears. Firmware
 * that is asked what it does not know may refuse everything for a while (syssi/xiaomiplug#11).
 */
import {isCallFailure} from '../device/command-error.ts'

export interface ProbeScanOptions {
  /** Asks the plug, once. Rejects with the transport's error. */
  ask: (method: string, params: unknown) => Promise<unknown>
  /** Between two questions. */
  pause: () => Promise<unknown>
  /** Before each question, with what it is about and what was heard so far. */
  onQuestion: (about: string, heard: number) => void
  /** Whether there is no time left. */
  isLate: () => boolean
}

/** A value the plug has. */
export interface ProbedValue {
  /** As a definition names the place: `{miot: 2.1}`. */
  address: string
  raw: unknown
}

export interface ProbeScanResult {
  heard: readonly ProbedValue[]
  /** Why the plug was not asked for everything. */
  ended?: string
}

type Outcome = {raw: unknown} | 'none' | 'refused' | 'silent'

/** Service 1 tells serial numbers, and nothing else. */
const FIRST_SERVICE = 2
const LAST_SERVICE = 20
const LAST_PROPERTY = 30
/** The largest gaps seen: 2.1 is followed by 2.6 on chuangmi.plug.212a01, service 4 by 9 on cuco.plug.cp7pd. */
const GAP_IN_SERVICE = 5
const GAP_OF_SERVICES = 5
/** So many refusals in a row, or silences in all, and the plug is left alone. */
const MOST_REFUSALS = 3
const MOST_SILENCES = 6

class Enough extends Error {}

export class ProbeScan {
  readonly #options: ProbeScanOptions
  readonly #heard: ProbedValue[] = []
  #refusals = 0
  #silences = 0

  constructor(options: ProbeScanOptions) {
    this.#options = options
  }

  /** Every MIoT property that can be read. */
  miot(): Promise<ProbeScanResult> {
    return this.#untilEnough(async () => {
      for (let siid = FIRST_SERVICE, empty = 0; siid <= LAST_SERVICE && empty < GAP_OF_SERVICES; siid++)
        empty = (await this.#service(siid)) ? 0 : empty + 1
    })
  }

  /** Those of the older names and methods that other plugs have. */
  legacy(names: readonly string[], methods: readonly string[]): Promise<ProbeScanResult> {
    return this.#untilEnough(async () => {
      for (const name of names) await this.#question(`{get_prop: ${name}}`, 'get_prop', [name])
      for (const method of methods) await this.#question(`{method: ${method}}`, method, [])
    })
  }

  /** @returns whether it has anything */
  async #service(siid: number): Promise<boolean> {
    const before = this.#heard.length
    for (let piid = 1, missing = 0; piid <= LAST_PROPERTY && missing < GAP_IN_SERVICE; piid++) {
      const did = `${siid}.${piid}`
      const outcome = await this.#question(`{miot: ${did}}`, 'get_properties', [{did, siid, piid}])
      if (outcome === 'silent') break // the rest of the service would be as silent (homebridge-miot#750)
      missing = outcome === 'none' || outcome === 'refused' ? missing + 1 : 0
    }
    return this.#heard.length > before
  }

  async #question(address: string, method: string, params: unknown): Promise<Outcome> {
    const {isLate, onQuestion, pause} = this.#options
    if (isLate()) throw new Enough('there was no time for more')
    onQuestion(address, this.#heard.length)
    let outcome = await this.#outcome(method, params)
    if (outcome === 'silent') outcome = await this.#outcome(method, params) // it may have been the Wi-Fi
    await pause()
    this.#refusals = outcome === 'refused' ? this.#refusals + 1 : 0
    if (outcome === 'silent') this.#silences++
    if (typeof outcome === 'object') this.#heard.push({address, raw: outcome.raw})
    if (this.#refusals >= MOST_REFUSALS) throw new Enough(`it refused ${MOST_REFUSALS} questions in a row`)
    if (this.#silences >= MOST_SILENCES) throw new Enough(`it was silent ${MOST_SILENCES} times`)
    return outcome
  }

  async #outcome(method: string, params: unknown): Promise<Outcome> {
    try {
      const raw = valueIn(await this.#options.ask(method, params))
      return raw === undefined || raw === null ? 'none' : {raw}
    } catch (error) {
      if (!isCallFailure(error)) throw error
      if (error.code === 'refused') return 'refused'
      if (error.code === 'timeout') return 'silent'
      throw error
    }
  }

  async #untilEnough(work: () => Promise<void>): Promise<ProbeScanResult> {
    try {
      await work()
      return {heard: this.#heard}
    } catch (error) {
      if (!(error instanceof Enough)) throw error
      return {heard: this.#heard, ended: error.message}
    }
  }
}

/** The one value in an answer to a question for one. */
function valueIn(answer: unknown): unknown {
  const [only, second] = Array.isArray(answer) ? answer : []
  if (second !== undefined) return undefined
  return typeof only === 'object' && only !== null && 'value' in only ? only.value : plain(only)
}

/** A MIoT item without a value has a code in its place. */
function plain(value: unknown): unknown {
  return typeof value === 'object' ? undefined : value
}
