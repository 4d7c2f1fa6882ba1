/** What is asked of a plug's firmware, and what comes back. */

/** An id of 0, or none, means: execute, but do not answer. */
export interface FirmwareRequest {
  id: number
  method: string
  /** A list, except for `action`. */
  params: unknown
}

export interface FirmwareError {
  code: number
  message: string
}

export type FirmwareResponse = {result: unknown} | {error: FirmwareError}

export const METHOD_NOT_FOUND: FirmwareError = {code: -32601, message: 'Method not found.'}
export const INVALID_JSON: FirmwareError = {code: -30001, message: 'Resp invalid json.'}
/** The application did not answer its Wi-Fi half, which waits for a while before it says so (docs/protocol.md §1.8). */
export const ACK_TIMEOUT: FirmwareError = {code: -9999, message: 'user ack timeout'}
