/** The connection to a plug as a device uses it: src/miio/client.ts; in the bridge src/app/plug-transport.ts around it. */
export interface Transport {
  /** When the plug booted, in ms of the clock, by its last response; `undefined` before that. Up to a second late. */
  readonly bootedAt: number | undefined
  /** Sends a request, again when there is no response. One at a time. @throws an error whose `code` says what has to be looked at (`CallFailure`) */
  call(method: string, params: unknown, options?: CallOptions): Promise<unknown>
  /** Ends the request under way with an error. */
  close(): void
}

export interface CallOptions {
  /** When to give up, in ms of the clock. */
  deadline?: number | undefined
  /** How often to send the request at most; by default as often as the transport does, which is three times. */
  tries?: number | undefined
  /** Once aborted, no try follows the one under way. */
  signal?: AbortSignal | undefined
}

/** `tries` of a request that must not be repeated, since it may not be known whether it may. */
export const ONCE = 1
/** `tries` of a command: its deadline ends it. */
export const UNTIL_DEADLINE = Number.POSITIVE_INFINITY
