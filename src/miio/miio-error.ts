/**
 * What can go wrong between us and a plug, grouped by who must act (docs/protocol.md §1.6, §1.8):
 * `timeout`      nobody answered in time: look at the plug and the network
 * `bad_token`    the plug answered that the checksum is wrong: the token changed when it was set up again
 * `unreachable`  the packet could not leave, or another plug lives at that address: look at the network
 * `refused`      the plug understood and said no: look at the request
 */
export type MiioErrorCode = 'timeout' | 'bad_token' | 'unreachable' | 'refused'

/** How far a call came before it failed: the plug is greeted first, then asked. */
export type FailureStage = 'send' | 'hello' | 'request'

export class MiioError extends Error {
  override readonly name = 'MiioError'
  readonly code: MiioErrorCode
  readonly stage: FailureStage
  /** The plug's own error code, for `refused`. */
  readonly deviceCode: number | undefined
  /**
   * For `bad_token` and `unreachable` by another device: the plug has answered under our token in this run. What says otherwise
   * is a packet that anybody can forge, so that one failure alone is no certain news.
   */
  provenBefore = false

  constructor(code: MiioErrorCode, stage: FailureStage, message: string, deviceCode?: number) {
    const {stackTraceLimit} = Error
    Error.stackTraceLimit = 0 // costly, and of no use: silence of a plug is expected, and ten thousand of them may be silent every minute
    super(message)
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.stage = stage
    this.deviceCode = deviceCode
  }
}
