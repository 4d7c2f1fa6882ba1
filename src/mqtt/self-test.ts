/**
 * Whether what is published on a topic that we have subscribed to comes back. mosquitto grants every subscription and then
 * delivers nothing that its access list denies to read (mosquitto 2.0): the bridge would be online and never get a command.
 */
import type {Clock, Random, Timer} from '../common/clock.ts'

/** Milliseconds from the broker's acknowledgement, in two steps: what came during a stall of this process is read in between. */
const [LONGEST_WAY_MS, LAST_STEP_MS] = [9000, 1000]

export interface SelfTestOptions {
  /** Where it is published; nothing else on it is handed on. */
  topic: string
  clock: Clock
  random: Random
  onMissing: () => void
}

export class SelfTest {
  readonly topic: string
  readonly #options: SelfTestOptions
  #nonce = ''
  #timer: Timer | undefined

  constructor(options: SelfTestOptions) {
    this.topic = options.topic
    this.#options = options
  }

  /** @returns a payload that no other program sends, to be published on this connection */
  payload(): string {
    this.reset()
    this.#nonce = Math.floor(this.#options.random() * Number.MAX_SAFE_INTEGER).toString(36)
    return JSON.stringify({nonce: this.#nonce})
  }

  /** The broker has answered. Whether we hear cannot be said when it `isTaken` not: it may be that we may not publish there. */
  acknowledged(isTaken: boolean): void {
    if (!isTaken) this.reset()
    if (this.#nonce === '') return // or it was here before its acknowledgement
    const {clock, onMissing} = this.#options
    this.#timer = clock.after(LONGEST_WAY_MS, () => {
      this.#timer = clock.after(LAST_STEP_MS, () => {
        this.reset()
        onMissing()
      })
    })
  }

  /** A message came on its topic, perhaps of another bridge. */
  received(payload: Buffer): void {
    if (this.#nonce !== '' && payload.toString() === JSON.stringify({nonce: this.#nonce})) this.reset()
  }

  /** The connection is over, or the question answered. */
  reset(): void {
    this.#nonce = ''
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
