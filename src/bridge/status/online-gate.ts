/** When the bridge says that it is online: once every plug has an availability. Nobody may take an old one for a new one (contract §3). */
import type {Clock, Timer} from '../../common/clock.ts'
import type {Plug} from '../plug.ts'

export interface OnlineGateOptions {
  clock: Clock
  plugs: ReadonlyMap<string, Plug>
  isConnected: () => boolean
  sayOnline: () => void
}

/** How long a silent plug's first poll takes, tries and all; after that it counts as offline without having been heard. */
const FIRST_ANSWER_MS = 8000

export class OnlineGate {
  readonly #options: OnlineGateOptions
  /** Plugs whose first answer, or its absence, is still awaited. */
  readonly #unheard = new Set<Plug>()
  #patience: Timer | undefined
  #online = false

  constructor(options: OnlineGateOptions) {
    this.#options = options
  }

  /** Waits for the first answer of this plug, too. */
  follow(plug: Plug): void {
    this.#unheard.add(plug)
    plug.device.on('availability', () => this.forget(plug))
  }

  /** Waits for this plug no longer. */
  forget(plug: Plug): void {
    if (this.#unheard.delete(plug)) this.check()
  }

  /** @param spread milliseconds over which the first polls are spread */
  start(spread: number): void {
    this.#patience = this.#options.clock.after(spread + FIRST_ANSWER_MS, () => this.#giveUp())
  }

  stop(): void {
    this.#patience?.cancel()
    this.#online = true // and says so no more
  }

  /** The broker knows nothing of us: what was said has to be said again. */
  reset(): void {
    this.#online = false
  }

  /** Says it, if it is true by now and was not said. */
  check(): void {
    if (this.#online || this.#unheard.size > 0 || !this.#options.isConnected()) return
    this.#online = true
    this.#patience?.cancel()
    this.#options.sayOnline()
  }

  #giveUp(): void {
    for (const {device} of this.#options.plugs.values()) device.assumeOffline()
  }
}
