import {type Clock, within} from '../clock.ts'

/** More than ever wait in an honest exchange; whoever floods us fills no memory. */
const CAPACITY = 16

/** Datagrams for whoever is in an exchange with the plug. Between two exchanges it is shut and takes none. */
export class Mailbox {
  readonly #clock: Clock
  #isOpen = false
  #unread: Buffer[] = []
  #deliver: ((datagram: Buffer) => void) | undefined

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

  /** `false` when it was not taken: the mailbox is shut, or full. */
  put(datagram: Buffer): boolean {
    if (!this.#isOpen || this.#unread.length >= CAPACITY) return false
    const deliver = this.#deliver
    this.#deliver = undefined
    if (deliver) deliver(datagram)
    else this.#unread.push(datagram)
    return true
  }

  /** The next datagram, or `undefined` when none came until `until` (ms of the clock) or a signal was aborted. */
  async next(until: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<Buffer | undefined> {
    const waiting = this.#unread.shift()
    if (waiting || until <= this.#clock.now()) return waiting
    const coming = new Promise<Buffer>((resolve) => {
      this.#deliver = resolve
    })
    try {
      return await within(this.#clock, until, coming, ...signals)
    } finally {
      this.#deliver = undefined
    }
  }
}
