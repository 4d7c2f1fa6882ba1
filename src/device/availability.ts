/** Whether a plug answers, and if not, why. */
export type OfflineReason = 'timeout' | 'bad_token' | 'unreachable' | 'disabled' | 'unsupported'

export type Availability =
  /** Not asked yet. */
  {state: 'unknown'} | {state: 'online'} | {state: 'offline'; reason: OfflineReason; since: Date}

const reasons: Readonly<Record<string, OfflineReason>> = {
  timeout: 'timeout',
  bad_token: 'bad_token',
  unreachable: 'unreachable',
  // It answers, but not to what its model should understand.
  refused: 'unsupported',
}

/** The reason for being offline that an error of a poll amounts to. */
export function reasonOf(error: unknown): OfflineReason {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return reasons[code] ?? 'timeout'
}
