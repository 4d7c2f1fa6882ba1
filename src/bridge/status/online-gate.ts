/**
 * Publishes that the bridge is online once every plug has an availability, so that no client takes an old one for a current one
 * (docs/promises.md, 1).
 */
import type {Timer} from '../../common/clock.ts'
import type {BridgeContext, Component} from '../component.ts'
import type {Plug} from '../plug.ts'
import type {BridgeStatus} from './bridge-status.ts'

/** How long the first poll of a silent plug takes, with all its tries. After that the plug counts as offline. */
const FIRST_POLL_MS = 8000

/** Publishes `online` when every plug has an availability. */
export class OnlineGate implements Component {
  readonly #context: Pick<BridgeContext, 'clock' | 'plugs' | 'connection'>
  readonly #bridgeStatus: Pick<BridgeStatus, 'state'>
  /** Plugs that have no availability yet. */
  readonly #pending = new Set<Plug>()
  #deadline: Timer | undefined
  #isOpen = false

  constructor(
    context: Pick<BridgeContext, 'clock' | 'plugs' | 'connection'>,
    bridgeStatus: Pick<BridgeStatus, 'state'>,
  ) {
    this.#context = context
    this.#bridgeStatus = bridgeStatus
  }

  start(spread: number): void {
    this.#deadline = this.#context.clock.after(spread + FIRST_POLL_MS, () => this.#assumeOffline())
  }

  plugAdded(plug: Plug): void {
    this.#pending.add(plug)
    plug.device.on('availability', () => this.plugRemoved(plug))
  }

  plugRemoved(plug: Plug): void {
    if (this.#pending.delete(plug)) this.#check()
  }

  connected(): void {
    this.#isOpen = false
    this.#check()
  }

  disconnected(): void {
    this.#isOpen = false
  }

  /** Publishes nothing from now on. */
  stop(): void {
    this.#deadline?.cancel()
    this.#isOpen = true
  }

  #check(): void {
    if (this.#isOpen || this.#pending.size > 0 || !this.#context.connection.connected) return
    this.#isOpen = true
    this.#deadline?.cancel()
    this.#bridgeStatus.state('online')
  }

  #assumeOffline(): void {
    for (const {device} of this.#context.plugs.values()) device.assumeOffline()
  }
}
