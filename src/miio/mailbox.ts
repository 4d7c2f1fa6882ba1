import type {Clock, Timer} from '../common/clock.ts'

/** More than ever wait in an honest exchange; whoever floods us fills no memory. */
const CAPACITY = 16

/**
 * Datagrams for whoever is in an exchange with the plug. Between two exchanges it is shut and takes none.
 * A wait is two objects and no listener where there is no signal: ten thousand silent plugs do little else than wait.
 */
export class Mailbox {
  readonly #clock: Clock
  #isOpen = false
  #unread: Buffer[] = []
  /** Ends the wait that is under way. */
  #deliver: ((datagram?: Buffer) => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  open(): void {
    this.#isOpen = true
  }

  /** Returns how many datagrams nobody read. */
  shut(): number {
    const unread = this.#unread.length
    this.#isOpen = false
    this.#unread = []
    return unread
  }

  /** Ends the wait that is under way with nothing. */
  interrupt(): void {
    this.#deliver?.()
  }

  /** `false` when it was not taken: the mailbox is shut, or full. */
  put(datagram: Buffer): boolean {
    if (!this.#isOpen || this.#unread.length >= CAPACITY) return false
    if (this.#deliver) this.#deliver(datagram)
    else this.#unread.push(datagram)
    return true
  }

  /** The next datagram, or `undefined` when none came until `until` (ms of the clock) or a signal was aborted. */
  next(until: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<Buffer | undefined> {
    const waiting = this.#unread.shift()
    if (waiting || until <= this.#clock.now() || signals.some((signal) => signal?.aborted))
      return Promise.resolve(waiting)
    return new Promise((resolve) => {
      const end = (datagram?: Buffer) => {
        this.#deliver = undefined
        timer?.cancel()
        for (const signal of signals) signal?.removeEventListener('abort', giveUp)
        resolve(datagram)
      }
      const giveUp = () => end()
      const timer: Timer | undefined = Number.isFinite(until)
        ? this.#clock.after(until - this.#clock.now(), giveUp)
        : undefined
      for (const signal of signals) signal?.addEventListener('abort', giveUp)
      this.#deliver = end
    })
  }
}
