/** CommandError: the error of a command's result; and the kinds of failures of a request to a plug. */
import {errorMessage} from '../common/text.ts'

/** Why a command failed: the `error.code` of its result (docs/topics.md). */
export type CommandErrorCode =
  | 'timeout'
  | 'bad_token'
  | 'unreachable'
  | 'refused'
  | 'invalid_payload'
  | 'unknown_property'
  | 'not_writable'
  | 'out_of_range'
  | 'superseded'
  | 'queue_full'
  | 'expired'
  | 'disabled'
  | 'duplicate'
  | 'internal'

/** The error of a command: `code` is the `error.code` of its result (docs/topics.md, "Results"). */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: CommandErrorCode
  /** The plug's own error code, when the plug refused. */
  readonly deviceCode: number | undefined

  constructor(code: CommandErrorCode, message: string, deviceCode?: number, cause?: unknown) {
    super(message, {cause})
    this.code = code
    this.deviceCode = deviceCode
  }
}

/** The error of a transport. Recognised by its shape, since src/device does not import src/miio. */
export interface CallFailure extends Error {
  code: 'timeout' | 'bad_token' | 'unreachable' | 'refused'
  deviceCode?: number | undefined
  /** How far the call came: `send` when nothing was sent, `request` when the plug was there and did not respond to the request. */
  stage?: string | undefined
  /** Whether the plug has answered under this token before. */
  provenBefore?: boolean | undefined
}

const callFailures: ReadonlySet<unknown> = new Set(['timeout', 'bad_token', 'unreachable', 'refused'])

/** Whether an error is that of a transport. */
export function isCallFailure(error: unknown): error is CallFailure {
  return error instanceof Error && 'code' in error && callFailures.has(error.code)
}

/** Whether the plug itself answered with an error. */
export function isRefusal(error: unknown): boolean {
  return isCallFailure(error) && error.code === 'refused'
}

/** Whether no response came in time. */
export function isSilence(error: unknown): boolean {
  return isCallFailure(error) && error.code === 'timeout'
}

/** Whether a failure shows that the plug is away: it did not respond, could not be reached, or does not know the token. */
export function isAbsence(error: unknown): error is CallFailure {
  return isCallFailure(error) && error.code !== 'refused' && !isUnsent(error)
}

/** Whether there was no time, or no turn, to send the request: the plug never got it. */
export function isUnsent(error: unknown): boolean {
  return isCallFailure(error) && error.code === 'timeout' && error.stage === 'send'
}

/**
 * Whether the plug itself reports a wrong token, and has never answered under it. The report can be forged: of a plug that has
 * answered under the token before, it proves nothing.
 */
export function isTokenRefused(error: unknown): boolean {
  const failure = error instanceof CommandError ? error.cause : error
  return isCallFailure(failure) && failure.code === 'bad_token' && failure.provenBefore !== true
}

/** Whether the plug was there, and may have failed at this very request: it refused, or was silent after it answered a hello. */
export function isRequestFailure(error: unknown): boolean {
  if (!isCallFailure(error)) return false
  return isRefusal(error) || (error.code === 'timeout' && error.stage === 'request')
}

/** Whether a request to a plug may fail so. Any other error is a programming error. */
export function isExpectedFailure(error: unknown): boolean {
  return isCallFailure(error) || error instanceof CommandError
}

/** Any failure as the error of a result. An unforeseen error becomes `internal`: it is a programming error, and reported as one. */
export function toCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error
  if (isCallFailure(error)) {
    const code = isUnsent(error) ? 'expired' : error.code
    return new CommandError(code, error.message, error.deviceCode, error)
  }
  return new CommandError('internal', errorMessage(error), undefined, error)
}
