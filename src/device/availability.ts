/** Whether a plug answers, and if not, why. */
import {CommandError} from './errors.ts'

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

/**
 * Whether one failure is enough to call a plug offline: it says itself that the token is wrong, and has never answered under
 * it. Of one that has (`provenBefore`, told by the transport) anybody in the network may have said so in its name.
 */
export function isCertain(error: unknown): boolean {
  const failure = error instanceof CommandError ? error.cause : error
  const provenBefore = failure instanceof Error && 'provenBefore' in failure && failure.provenBefore === true
  return reasonOf(error) === 'bad_token' && !provenBefore
}

/** The reason for being offline that an error of a poll amounts to. */
export function reasonOf(error: unknown): OfflineReason {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return reasons[code] ?? 'timeout'
}
