/** What is asked, of whom, and what may be heard back. */
import type {Clock, Random} from '../common/clock.ts'
import type {ClockSample} from './device-clock.ts'
import type {Link} from './link.ts'
import type {MessageIds} from './message-ids.ts'
import type {MiioError} from './miio-error.ts'
import type {Cipher} from './packet.ts'
import type {ResponseTime} from './response-time.ts'
import type {RequestStats} from './stats.ts'

export interface RequestOptions {
  method: string
  params: unknown
  /** When to give up, in ms of the clock. */
  deadline: number
  tries: number
  /** Once aborted, no try follows the one under way. */
  signal: AbortSignal | undefined
}

/** Whom the question goes to, and what is known of it. */
export interface RequestDependencies {
  link: Link
  cipher: Cipher
  clock: Clock
  random: Random
  ids: MessageIds
  stats: RequestStats
  roundTrip: ResponseTime
  /** The plug that must answer, where that is known. */
  did: () => number | undefined
  /** Told of every answer that the token and the id prove, be it a refusal. */
  onProof: (reading: ClockSample) => void
}

export interface HelloResponse {
  kind: 'greeting'
  did: number
  /** Seconds since the plug's boot. */
  uptime: number
  /** The plug is not set up yet, and shows its token to everybody. */
  revealsToken: boolean
}

export type ResponseEvent =
  | HelloResponse
  | {kind: 'answer'; result: unknown}
  /** Ends the try, not the question. */
  | {kind: 'failure'; error: MiioError}
