/** Why a command was not carried out: the `error.code` of its result. */
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

export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: CommandErrorCode
  /** The plug's own error code, when it is the plug that refused. */
  readonly deviceCode: number | undefined

  constructor(code: CommandErrorCode, message: string, deviceCode?: number, cause?: unknown) {
    super(message, {cause})
    this.code = code
    this.deviceCode = deviceCode
  }
}

/** What a transport fails with. Recognised by its shape, since this folder does not know the wire. */
export interface CallFailure extends Error {
  code: 'timeout' | 'bad_token' | 'unreachable' | 'refused'
  deviceCode?: number | undefined
  /** How far the call came: `send` when nothing was sent, `request` when the plug was there, and did not answer this. */
  stage?: string | undefined
  /** Whether the plug has answered under this token before. */
  provenBefore?: boolean | undefined
}

const callFailures: ReadonlySet<unknown> = new Set(['timeout', 'bad_token', 'unreachable', 'refused'])

export function isCallFailure(error: unknown): error is CallFailure {
  return error instanceof Error && 'code' in error && callFailures.has(error.code)
}

/** Whether the plug itself said no. */
export function isRefusal(error: unknown): boolean {
  return isCallFailure(error) && error.code === 'refused'
}

/** Whether no answer came in time. */
export function isSilence(error: unknown): boolean {
  return isCallFailure(error) && error.code === 'timeout'
}

/** Whether a call says that the plug is away: it was asked and silent, could not be reached, or does not know the token. */
export function isAbsence(error: unknown): error is CallFailure {
  if (!isCallFailure(error) || error.code === 'refused') return false
  return !(error.code === 'timeout' && error.stage === 'send')
}

/**
 * Whether the plug says itself that the token is wrong, and has never answered under it. Of one that has, anybody in the network may
 * have said so in its name.
 */
export function isTokenRefused(error: unknown): boolean {
  const failure = error instanceof CommandError ? error.cause : error
  return isCallFailure(failure) && failure.code === 'bad_token' && failure.provenBefore !== true
}

/** Whether the plug was there, and may have failed at this very question: it said no, or nothing after it was greeted. */
export function isAboutTheQuestion(error: unknown): boolean {
  if (!isCallFailure(error)) return false
  return isRefusal(error) || (error.code === 'timeout' && error.stage === 'request')
}

/** Any failure as a result's error. What nobody foresaw is `internal`: it is our mistake, and reported as one. */
export function toCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error
  if (isCallFailure(error)) {
    // There was no time left to send it: the plug never heard of it.
    const code = error.code === 'timeout' && error.stage === 'send' ? 'expired' : error.code
    return new CommandError(code, error.message, error.deviceCode, error)
  }
  return new CommandError(
    'internal',
    error instanceof Error ? error.message : String(error),
    undefined,
    error,
  )
}
