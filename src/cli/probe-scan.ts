/**
 * Scans a plug of an unknown model for its values: one request for each place where another model has one, with a pause between two requests.
 * The scan ends early when the plug refuses or does not respond: firmware that gets unknown requests may refuse everything for a while
 * (syssi/xiaomiplug#11).
 */
import {isCallFailure} from '../device/command-error.ts'

interface ProbeScanOptions {
  /** Sends a request once. Rejects with the transport's error. */
  request: (method: string, params: unknown) => Promise<unknown>
  /** Waits between two requests. */
  pause: () => Promise<unknown>
  /** Called before each request, with the place of the value and the number of values found so far. */
  onRequest: (address: string, found: number) => void
  /** Whether there is no time left. */
  isLate: () => boolean
}

/** A value of the plug. */
export interface ProbedValue {
  /** Where it is, as a definition writes it: `{miot: 2.1}`. */
  address: string
  /** As the firmware sent it. */
  raw: unknown
}

interface ProbeScanResult {
  values: readonly ProbedValue[]
  /** Why the scan ended before it had requested everything. */
  ended?: string
}

type Outcome = {raw: unknown} | 'none' | 'refused' | 'timeout'

/** Service 1 has serial numbers and nothing else. */
const MIN_SERVICE = 2
const MAX_SERVICE = 20
const MAX_PROPERTY = 30
/** The scan gives up after a gap of this size. The largest gaps seen: 2.1 is followed by 2.6 on chuangmi.plug.212a01, service 4 by 9 on cuco.plug.cp7pd. */
const GAP_IN_SERVICE = 5
const GAP_OF_SERVICES = 5
/** The scan ends after this many refusals in a row, or this many timeouts in all. */
const MAX_REFUSALS = 3
const MAX_TIMEOUTS = 6

/** Ends the scan. Its message is the reason. */
class ScanEnded extends Error {}

/** Reads the values of an unsupported plug one by one, and ends when the plug refuses or does not respond. */
export class ProbeScan {
  readonly #options: ProbeScanOptions
  readonly #values: ProbedValue[] = []
  #refusals = 0
  #timeouts = 0

  constructor(options: ProbeScanOptions) {
    this.#options = options
  }

  /** Requests every MIoT property. */
  miot(): Promise<ProbeScanResult> {
    return this.#untilScanEnded(async () => {
      for (let siid = MIN_SERVICE, empty = 0; siid <= MAX_SERVICE && empty < GAP_OF_SERVICES; siid++)
        empty = (await this.#service(siid)) ? 0 : empty + 1
    })
  }

  /** Requests every property name and method of older models. */
  legacy(names: readonly string[], methods: readonly string[]): Promise<ProbeScanResult> {
    return this.#untilScanEnded(async () => {
      for (const name of names) await this.#request(`{get_prop: ${name}}`, 'get_prop', [name])
      for (const method of methods) await this.#request(`{method: ${method}}`, method, [])
    })
  }

  /** @returns whether the service has any value */
  async #service(siid: number): Promise<boolean> {
    const before = this.#values.length
    for (let piid = 1, missing = 0; piid <= MAX_PROPERTY && missing < GAP_IN_SERVICE; piid++) {
      const did = `${siid}.${piid}`
      const outcome = await this.#request(`{miot: ${did}}`, 'get_properties', [{did, siid, piid}])
      if (outcome === 'timeout') break // the firmware does not respond to requests for this service (homebridge-miot#750)
      missing = outcome === 'none' || outcome === 'refused' ? missing + 1 : 0
    }
    return this.#values.length > before
  }

  async #request(address: string, method: string, params: unknown): Promise<Outcome> {
    const {isLate, onRequest, pause} = this.#options
    if (isLate()) throw new ScanEnded('the time was over')
    onRequest(address, this.#values.length)
    let outcome = await this.#outcome(method, params)
    if (outcome === 'timeout') outcome = await this.#outcome(method, params) // the datagram may have been lost
    await pause()
    this.#refusals = outcome === 'refused' ? this.#refusals + 1 : 0
    if (outcome === 'timeout') this.#timeouts++
    if (typeof outcome === 'object') this.#values.push({address, raw: outcome.raw})
    if (this.#refusals >= MAX_REFUSALS) throw new ScanEnded(`it rejected ${MAX_REFUSALS} requests in a row`)
    if (this.#timeouts >= MAX_TIMEOUTS) throw new ScanEnded(`it was silent ${MAX_TIMEOUTS} times`)
    return outcome
  }

  async #outcome(method: string, params: unknown): Promise<Outcome> {
    try {
      const raw = valueIn(await this.#options.request(method, params))
      return raw === undefined || raw === null ? 'none' : {raw}
    } catch (error) {
      if (!isCallFailure(error)) throw error
      if (error.code === 'refused') return 'refused'
      if (error.code === 'timeout') return 'timeout'
      throw error
    }
  }

  async #untilScanEnded(work: () => Promise<void>): Promise<ProbeScanResult> {
    try {
      await work()
      return {values: this.#values}
    } catch (error) {
      if (!(error instanceof ScanEnded)) throw error
      return {values: this.#values, ended: error.message}
    }
  }
}

/** The value in a response to a request for one value; `undefined` when there is none, or more than one. */
function valueIn(response: unknown): unknown {
  const [only, second] = Array.isArray(response) ? response : []
  if (second !== undefined) return undefined
  if (typeof only !== 'object' || only === null) return only
  return 'value' in only ? only.value : undefined // a MIoT item without a value has a code only
}
