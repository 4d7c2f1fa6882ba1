/**
 * What a person is told about plugs that go and come back: one warning, one info, at most one summary an hour in between. When
 * none answers any more it is not them, it is our network: one warning for all of them (contract §5).
 */
import type {Clock, Timer} from '../clock.ts'
import type {Availability} from '../device/availability.ts'
import type {Log} from '../log.ts'
import type {Plug} from './plug.ts'

export interface OutageOptions {
  plugs: ReadonlyMap<string, Plug>
  clock: Clock
  log: Log
  event: (type: 'device_online' | 'device_offline', data: Record<string, unknown>) => void
}

const SUMMARY_MS = 3_600_000
const hints: Readonly<Record<string, string>> = {
  timeout: 'it does not answer: is it powered, in Wi-Fi reach, and in our own subnet?',
  bad_token: 'the token is wrong: it changes whenever the plug is set up again in the app',
  unreachable: 'it cannot be reached at its address, and no broadcast found it elsewhere yet',
  unsupported: 'it answers, but not to what its model should understand; `miio2mqtt info` shows its model',
}

/** Which of the two it is depends on how far a packet got, and changes while a plug is away: one kind of silence. */
const silences: ReadonlySet<string> = new Set(['timeout', 'unreachable'])

export class Outages {
  readonly #options: OutageOptions
  /** The plugs that are away, and what was told of each: the same reason is no news, however often it comes and goes. */
  readonly #down = new Map<string, {told: Set<string>}>()
  #summary: Timer | undefined
  #network = false

  constructor(options: OutageOptions) {
    this.#options = options
  }

  follow(plug: Plug): void {
    plug.device.on('availability', (availability) => this.#changed(plug, availability))
  }

  /** The plug is not configured any more: nobody misses it. */
  forget({name}: Plug): void {
    this.#down.delete(name)
    if (this.#down.size === 0) this.stop()
  }

  stop(): void {
    this.#summary?.cancel()
    this.#summary = undefined
  }

  #changed(plug: Plug, availability: Availability): void {
    if (availability.state === 'offline') this.#gone(plug, availability.reason)
    else if (availability.state === 'online') this.#back(plug)
  }

  #gone(plug: Plug, reason: string): void {
    if (reason === 'disabled') return
    const {event, log, clock} = this.#options
    event('device_offline', {name: plug.name, did: plug.did, reason})
    const outage = this.#down.get(plug.name)
    const told = outage?.told ?? new Set()
    const isSilence = silences.has(reason)
    if (isSilence && (this.#network || (!outage && this.#allSilent()))) this.#networkIsGone()
    else if (!told.has(isSilence ? 'silence' : reason)) {
      told.add(isSilence ? 'silence' : reason)
      log.warn(`${plug.name} is offline: ${hints[reason] ?? reason}`, {device: plug.name, reason})
    }
    this.#down.set(plug.name, {told})
    this.#summary ??= clock.after(SUMMARY_MS, () => this.#summarise())
  }

  #networkIsGone(): void {
    if (this.#network) return
    this.#network = true
    this.#options.log.warn('no plug answers any more: is our own network, Wi-Fi or router down?')
  }

  #back(plug: Plug): void {
    this.#options.event('device_online', {name: plug.name, did: plug.did})
    const outage = this.#down.get(plug.name)
    this.#down.delete(plug.name)
    if (this.#network) {
      this.#network = false
      this.#options.log.info('plugs answer again')
    }
    if (outage && outage.told.size > 0) this.#options.log.info(`${plug.name} is back`, {device: plug.name})
    if (this.#down.size > 0) return
    this.#summary?.cancel()
    this.#summary = undefined
  }

  /** Several plugs that answered until now, and not one of them does: each alone would still have its first failures ahead. */
  #allSilent(): boolean {
    let silent = 0
    for (const {name, disabled, answeredAt, failing} of this.#options.plugs.values()) {
      if (disabled || this.#down.has(name)) continue
      if (answeredAt === undefined || !failing) return false
      silent++
    }
    return silent > 1
  }

  #summarise(): void {
    const names = [...this.#down.keys()]
    const listed = names.slice(0, 10).join(', ')
    this.#options.log.warn(
      `still offline: ${names.length > 10 ? `${listed} and ${names.length - 10} more` : listed}`,
    )
    this.#summary = this.#options.clock.after(SUMMARY_MS, () => this.#summarise())
  }
}
