/** What a device needs of the way to its plug. */
export interface Transport {
  /** Asks, and asks again when no answer comes. Rejects with an error whose `code` says who must act. */
  call(method: string, params: unknown, options?: CallOptions): Promise<unknown>
  /** Ends what is under way, with an error. */
  close(): void
}

export interface CallOptions {
  /** When to give up, on the clock. */
  deadline?: number
  /** How often to ask. */
  tries?: number
  /** Once aborted, no try follows the one under way. */
  signal?: AbortSignal
}

export const READ_TRIES = 3
