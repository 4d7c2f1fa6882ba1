/**
 * What a person is told about plugs that go and come back: one warning, one info, at most one reminder an hour in between. When
 * none answers any more it is not them, it is our network: one warning for all of them (contract §5).
 */
import type {Clock, Timer} from '../../common/clock.ts'
import type {Availability, Offline} from '../../device/polling/availability.ts'
import type {Log} from '../../log/logger.ts'
import type {Plug} from '../plug.ts'

export interface AvailabilityLogOptions {
  plugs: ReadonlyMap<string, Plug>
  clock: Clock
  log: Log
  event: (type: 'device_online' | 'device_offline', data: Record<string, unknown>) => void
}

const SUMMARY_MS = 3_600_000
/** So many plugs are worth a line each within so many milliseconds. Of more, it is their number that matters. */
const MOST_LINES = 10
const BURST_MS = 60_000
const MOST_NAMES = 10

/** Which of the two it is depends on how far a packet got, and changes while a plug is away: one kind of silence. */
const silences: ReadonlySet<string> = new Set(['timeout', 'unreachable'])

export class AvailabilityLog {
  readonly #options: AvailabilityLogOptions
  /** The plugs that are away, why, and what was told of each: the same reason is no news, however often it comes and goes. */
  readonly #down = new Map<string, {reason: string; told: Set<string>}>()
  readonly #gone: Burst
  readonly #back: Burst
  #summary: Timer | undefined
  #network = false

  constructor(options: AvailabilityLogOptions) {
    this.#options = options
    const {clock, log} = options
    this.#gone = new Burst(clock, (names) =>
      log.warn(`${summaryOf(names, 'offline')}; the availability of each says why`),
    )
    this.#back = new Burst(clock, (names) => log.info(summaryOf(names, 'back')))
  }

  follow(plug: Plug): void {
    plug.device.on('availability', (availability) => this.#changed(plug, availability))
  }

  /** The plug is not configured any more: nobody misses it. */
  forget({name}: Plug): void {
    this.#down.delete(name)
    this.#gone.drop(name)
    this.#back.drop(name)
    if (this.#down.size === 0) this.#stopReminding()
  }

  stop(): void {
    this.#stopReminding()
    this.#gone.stop()
    this.#back.stop()
  }

  #changed(plug: Plug, availability: Availability): void {
    if (availability.state === 'offline') this.#isGone(plug, availability)
    else if (availability.state === 'online') this.#isBack(plug)
  }

  #isGone(plug: Plug, {reason, message = reason}: Offline): void {
    if (reason === 'disabled' || reason === 'duplicate') return
    const {event, log, clock} = this.#options
    const outage = this.#down.get(plug.name)
    const told = outage?.told ?? new Set()
    if (reason !== outage?.reason) event('device_offline', {name: plug.name, did: plug.did, reason})
    const isSilence = silences.has(reason)
    if (isSilence && (this.#network || (!outage && this.#allSilent()))) this.#networkIsGone()
    else if (!told.has(isSilence ? 'silence' : reason)) {
      told.add(isSilence ? 'silence' : reason)
      this.#gone.say(plug.name, () =>
        log.warn(`${plug.name} is offline: ${message}`, {device: plug.name, reason}),
      )
    }
    this.#down.set(plug.name, {reason, told})
    this.#summary ??= clock.after(SUMMARY_MS, () => this.#summarise())
  }

  #networkIsGone(): void {
    if (this.#network) return
    this.#network = true
    this.#options.log.warn('no plug answers any more: is our own network, Wi-Fi or router down?')
  }

  #isBack(plug: Plug): void {
    const {event, log} = this.#options
    event('device_online', {name: plug.name, did: plug.did})
    const outage = this.#down.get(plug.name)
    this.#down.delete(plug.name)
    if (this.#network) {
      this.#network = false
      log.info('plugs answer again')
    }
    const wasSaid = outage !== undefined && outage.told.size > 0 && !this.#gone.drop(plug.name)
    if (wasSaid) this.#back.say(plug.name, () => log.info(`${plug.name} is back`, {device: plug.name}))
    if (this.#down.size === 0) this.#stopReminding()
  }

  #stopReminding(): void {
    this.#summary?.cancel()
    this.#summary = undefined
  }

  /** Several plugs that answered until now, and not one of them does: each alone would still have its first failures ahead. */
  #allSilent(): boolean {
    let silent = 0
    for (const {name, disabled, duplicateOf, lastResponseAt, isFailing} of this.#options.plugs.values()) {
      if (disabled || duplicateOf !== undefined || this.#down.has(name)) continue
      if (lastResponseAt === undefined || !isFailing) return false
      silent++
    }
    return silent > 1
  }

  #summarise(): void {
    this.#options.log.warn(`still offline: ${listed([...this.#down.keys()])}`)
    this.#summary = this.#options.clock.after(SUMMARY_MS, () => this.#summarise())
  }
}

/** Lines about single plugs: the first few at once, those that follow within a minute in one line at its end. */
class Burst {
  readonly #clock: Clock
  readonly #summarise: (names: readonly string[]) => void
  readonly #unsaid = new Set<string>()
  #said = 0
  #timer: Timer | undefined

  constructor(clock: Clock, summarise: (names: readonly string[]) => void) {
    this.#clock = clock
    this.#summarise = summarise
  }

  /** Says it, or mentions `name` in the summary. */
  say(name: string, line: () => void): void {
    this.#timer ??= this.#clock.after(BURST_MS, () => this.#end())
    if (this.#said < MOST_LINES) line()
    else this.#unsaid.add(name)
    this.#said++
  }

  /** It is not true any more. @returns whether it was not said yet */
  drop(name: string): boolean {
    return this.#unsaid.delete(name)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** While there are more than a few within a minute, each minute has its summary and nothing else. */
  #end(): void {
    const names = [...this.#unsaid]
    const goesOn = names.length > 0
    this.#unsaid.clear()
    this.#timer = goesOn ? this.#clock.after(BURST_MS, () => this.#end()) : undefined
    if (!goesOn) this.#said = 0
    else this.#summarise(names)
  }
}

function summaryOf(names: readonly string[], what: string): string {
  const [count, verb] = names.length === 1 ? ['one more plug', 'is'] : [`${names.length} more plugs`, 'are']
  return `${count} ${verb} ${what}: ${listed(names)}`
}

function listed(names: readonly string[]): string {
  const first = names.slice(0, MOST_NAMES).join(', ')
  return names.length > MOST_NAMES ? `${first} and ${names.length - MOST_NAMES} more` : first
}
