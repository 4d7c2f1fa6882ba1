/** What is asked of a plug's firmware, and what comes back. */

/** An id of 0, or none, means: execute, but do not answer. */
export interface Request {
  id: number
  method: string
  /** A list, except for `action`. */
  params: unknown
}

export interface Refusal {
  code: number
  message: string
}

export type Answer = {result: unknown} | {error: Refusal}

export const METHOD_NOT_FOUND: Refusal = {code: -32601, message: 'Method not found.'}
export const INVALID_JSON: Refusal = {code: -30001, message: 'Resp invalid json.'}
/** The application did not answer its Wi-Fi half, which waits for a while before it says so (docs/protocol.md §1.8). */
export const ACK_TIMEOUT: Refusal = {code: -9999, message: 'user ack timeout'}
