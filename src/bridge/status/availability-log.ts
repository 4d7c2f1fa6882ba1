/**
 * Logs plugs that go offline and come back, and publishes an event for each: one warning, one info line, at most one reminder an hour in
 * between. When no plug answers any more, the network of the bridge is the cause: one warning for all of them (docs/promises.md, 57).
 */

import type {Clock, Timer} from '../../common/clock.ts'
import {listFirst} from '../../common/text.ts'
import type {Availability, Offline} from '../../device/polling/availability.ts'
import type {BridgeContext, Component} from '../component.ts'
import {isInUse, type Plug, plugLabel} from '../plug.ts'
import type {BridgeStatus} from './bridge-status.ts'

const REMINDER_MS = 3_600_000
/** How many plugs have a line each within `BURST_MS`. Of more, only the number matters. */
const MOST_LINES = 10
const BURST_MS = 60_000
const MOST_NAMES = 10

/** Which of the two it is depends on how far a packet got, and changes while a plug is offline: both are "silent". */
const SILENT_REASONS: ReadonlySet<string> = new Set(['timeout', 'unreachable'])

interface Outage {
  reason: string
  /** The reasons that were logged. None is logged twice, however often it alternates with another. */
  logged: Set<string>
}

/** Logs plugs that go offline and come back. */
export class AvailabilityLog implements Component {
  readonly #context: Pick<BridgeContext, 'plugs' | 'clock' | 'log'>
  readonly #bridgeStatus: Pick<BridgeStatus, 'event'>
  /** The plugs that are offline, by name. */
  readonly #outages = new Map<string, Outage>()
  readonly #offlineLines: Burst
  readonly #onlineLines: Burst
  #reminder: Timer | undefined
  #isNetworkDown = false

  constructor(
    context: Pick<BridgeContext, 'plugs' | 'clock' | 'log'>,
    bridgeStatus: Pick<BridgeStatus, 'event'>,
  ) {
    this.#context = context
    this.#bridgeStatus = bridgeStatus
    const {clock, log} = context
    this.#offlineLines = new Burst(clock, (labels) =>
      log.warn(`${summaryOf(labels, 'offline')}; the reason of each is on its topic …/availability`),
    )
    this.#onlineLines = new Burst(clock, (labels) => log.info(summaryOf(labels, 'online again')))
  }

  plugAdded(plug: Plug): void {
    plug.device.on('availability', (availability) => this.#availabilityChanged(plug, availability))
  }

  plugRemoved({name}: Plug): void {
    this.#outages.delete(name)
    this.#offlineLines.drop(name)
    this.#onlineLines.drop(name)
    if (this.#outages.size === 0) this.#stopReminding()
  }

  stop(): void {
    this.#stopReminding()
    this.#offlineLines.stop()
    this.#onlineLines.stop()
  }

  #availabilityChanged(plug: Plug, availability: Availability): void {
    if (availability.state === 'offline') this.#wentOffline(plug, availability)
    else if (availability.state === 'online') this.#cameOnline(plug)
  }

  #wentOffline(plug: Plug, {reason, message = reason}: Offline): void {
    if (reason === 'disabled' || reason === 'duplicate') return
    const {log, clock} = this.#context
    const outage = this.#outages.get(plug.name)
    const logged = outage?.logged ?? new Set()
    if (reason !== outage?.reason)
      this.#bridgeStatus.event('device_offline', {name: plug.name, did: plug.did, reason})
    const isSilent = SILENT_REASONS.has(reason)
    if (isSilent && (this.#isNetworkDown || (!outage && this.#areAllSilent()))) this.#networkWentDown()
    else if (!logged.has(isSilent ? 'silent' : reason)) {
      logged.add(isSilent ? 'silent' : reason)
      this.#offlineLines.add(plug, () =>
        log.warn(`${plugLabel(plug)} is offline: ${message}`, {device: plug.name, reason}),
      )
    }
    this.#outages.set(plug.name, {reason, logged})
    this.#reminder ??= clock.after(REMINDER_MS, () => this.#remind())
  }

  #networkWentDown(): void {
    if (this.#isNetworkDown) return
    this.#isNetworkDown = true
    this.#context.log.warn('all plugs are offline: check the network, Wi-Fi and router of this machine')
  }

  #cameOnline(plug: Plug): void {
    const {log} = this.#context
    this.#bridgeStatus.event('device_online', {name: plug.name, did: plug.did})
    const outage = this.#outages.get(plug.name)
    this.#outages.delete(plug.name)
    if (this.#isNetworkDown) {
      this.#isNetworkDown = false
      log.info('plugs answer again')
    }
    const wasLogged = outage !== undefined && outage.logged.size > 0 && !this.#offlineLines.drop(plug.name)
    if (wasLogged)
      this.#onlineLines.add(plug, () => log.info(`${plugLabel(plug)} is online again`, {device: plug.name}))
    if (this.#outages.size === 0) this.#stopReminding()
  }

  #stopReminding(): void {
    this.#reminder?.cancel()
    this.#reminder = undefined
  }

  /** Whether several plugs have answered until now, and all of them fail. Each alone would be offline only after its next failures. */
  #areAllSilent(): boolean {
    let silent = 0
    for (const plug of this.#context.plugs.values()) {
      if (!isInUse(plug) || this.#outages.has(plug.name)) continue
      if (plug.lastResponseAt === undefined || !plug.isFailing) return false
      silent++
    }
    return silent > 1
  }

  #remind(): void {
    const {log, clock, plugs} = this.#context
    const labels = [...this.#outages.keys()].map((name) =>
      plugLabel(plugs.get(name) ?? {name, address: undefined}),
    )
    log.warn(`still offline: ${listFirst(labels, MOST_NAMES)}`)
    this.#reminder = clock.after(REMINDER_MS, () => this.#remind())
  }
}

/** Log lines about single plugs: the first few at once; those that follow within a minute become one summary at its end. */
class Burst {
  readonly #clock: Clock
  readonly #logSummary: (labels: readonly string[]) => void
  /** Plugs whose lines wait for the summary: their labels, by name. */
  readonly #pending = new Map<string, string>()
  #lines = 0
  #timer: Timer | undefined

  constructor(clock: Clock, logSummary: (labels: readonly string[]) => void) {
    this.#clock = clock
    this.#logSummary = logSummary
  }

  /** Logs the line, or adds the plug to the summary. */
  add(plug: Plug, logLine: () => void): void {
    this.#timer ??= this.#clock.after(BURST_MS, () => this.#end())
    if (this.#lines < MOST_LINES) logLine()
    else this.#pending.set(plug.name, plugLabel(plug))
    this.#lines++
  }

  /** Removes the plug from the summary: its line is not true any more. @returns whether the line was not logged yet */
  drop(name: string): boolean {
    return this.#pending.delete(name)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** As long as each minute has more than a few lines, each has one summary and nothing else. */
  #end(): void {
    const labels = [...this.#pending.values()]
    const goesOn = labels.length > 0
    this.#pending.clear()
    this.#timer = goesOn ? this.#clock.after(BURST_MS, () => this.#end()) : undefined
    if (!goesOn) this.#lines = 0
    else this.#logSummary(labels)
  }
}

function summaryOf(labels: readonly string[], what: string): string {
  const [count, verb] = labels.length === 1 ? ['one more plug', 'is'] : [`${labels.length} more plugs`, 'are']
  return `${count} ${verb} ${what}: ${listFirst(labels, MOST_NAMES)}`
}
