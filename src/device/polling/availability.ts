/** Whether a plug answers, and if not, why. */
export type OfflineReason = 'timeout' | 'bad_token' | 'unreachable' | 'disabled' | 'unsupported' | 'duplicate'

export type Availability = /** Not asked yet. */ {state: 'unknown'} | {state: 'online'} | Offline

export interface Offline {
  state: 'offline'
  reason: OfflineReason
  since: Date
  /** What is known of it, in words, with the plug's address. */
  message?: string
}
