/** What a plug's own error codes mean to us (docs/protocol.md §1.8): whether asking again can help, and what to tell people. */
import {maskedJson} from './json-mask.ts'

interface Refusal {
  code: number
  /** Messages the firmware uses with this code for something that will not change. */
  final?: RegExp
}

/** Codes that mean "not now". Every other refusal is final. */
const TRANSIENT: readonly Refusal[] = [
  // "user ack timeout", "UART timeout": the plug's application did not answer its Wi-Fi half within a second. cuco.plug.v3
  // says "undefined command" under the same code to a method it will never know (python-miio#1865).
  {code: -9999, final: /undefined command/i},
  // "Resp invalid json.": the application's answer got garbled, which python-miio and homebridge-miot see pass on asking again.
  {code: -30001},
  // "Busy.": the queue between the two halves is full (Xiaomi's module documentation).
  {code: -30012},
]

const METHOD_UNKNOWN: ReadonlySet<number> = new Set([-32601, -10000])

export function isTransient({code, message}: {code: number; message: string}): boolean {
  return TRANSIENT.some((refusal) => refusal.code === code && !refusal.final?.test(message))
}

/** The plug's refusal as a sentence. */
export function refusalText(where: string, method: string, error: {code: number; message: string}): string {
  const said = error.message === '' ? '' : ` ${JSON.stringify(maskedJson(error.message).slice(0, 100))}`
  const hint = METHOD_UNKNOWN.has(error.code) ? ': its firmware does not know this request' : ''
  return `${where} refused ${method} with code ${error.code}${said}${hint}`
}
