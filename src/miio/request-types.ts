/** What is asked, of whom, and what may be heard back. */
import type {Clock, Random} from '../common/clock.ts'
import type {Reading} from './device-clock.ts'
import type {Link} from './link.ts'
import type {MessageIds} from './message-ids.ts'
import type {MiioError} from './miio-error.ts'
import type {Cipher} from './packet.ts'
import type {RoundTrip} from './response-time.ts'
import type {Stats} from './stats.ts'

export interface Question {
  method: string
  params: unknown
  /** When to give up, in ms of the clock. */
  deadline: number
  tries: number
  /** Once aborted, no try follows the one under way. */
  signal: AbortSignal | undefined
}

/** Whom the question goes to, and what is known of it. */
export interface Asked {
  link: Link
  cipher: Cipher
  clock: Clock
  random: Random
  ids: MessageIds
  stats: Stats
  roundTrip: RoundTrip
  /** The plug that must answer, where that is known. */
  did: () => number | undefined
  /** Told of every answer that the token and the id prove, be it a refusal. */
  onProof: (reading: Reading) => void
}

export interface Greeting {
  kind: 'greeting'
  did: number
  /** Seconds since the plug's boot. */
  uptime: number
  /** The plug is not set up yet, and shows its token to everybody. */
  revealsToken: boolean
}

export type Heard =
  | Greeting
  | {kind: 'answer'; result: unknown}
  /** Ends the try, not the question. */
  | {kind: 'failure'; error: MiioError}
