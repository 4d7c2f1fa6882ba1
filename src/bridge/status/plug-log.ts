/**
 * Logs plugs. At `debug`: each change of a state or availability, and each poll that failed. For users: plugs that go offline and come
 * back, each with an event for programs.
 */
import type {Clock, Timer} from '../../common/clock.ts'
import {listFirst} from '../../common/text.ts'
import type {State} from '../../device/codec/values.ts'
import {toCommandError} from '../../device/command-error.ts'
import type {Availability, Offline} from '../../device/polling/availability.ts'
import type {Log} from '../../log/logger.ts'
import type {BridgeContext, Component} from '../component.ts'
import {isInUse, type Plug, plugLabel} from '../plug.ts'
import type {BridgeStatus} from './bridge-status.ts'

/** Changes with every response of the plug, and is not logged. */
const LAST_SEEN = 'last_seen'

/** Logs every change of every plug at `debug`. */
export class PlugLog implements Component {
  readonly #log: Log
  /** The state that was logged last. Nothing is kept while the level is higher than `debug`. */
  readonly #logged = new WeakMap<Plug, Readonly<State>>()

  constructor({log}: {log: Log}) {
    this.#log = log
  }

  stateChanged(plug: Plug): void {
    this.#debug(plug, () => this.#changeText(plug))
  }

  availabilityChanged(plug: Plug, availability: Availability): void {
    this.#debug(plug, () => availabilityText(availability))
  }

  pollFailed(plug: Plug, error: unknown): void {
    this.#debug(plug, () => failureText(error))
  }

  /** @param text called only when the line is logged; empty for no line */
  #debug({name}: Plug, text: () => string): void {
    const line = () => {
      const what = text()
      return what === '' ? undefined : `${name}: ${what}`
    }
    this.#log.debug(line, {device: name})
  }

  #changeText(plug: Plug): string {
    const {state} = plug.device
    const before = this.#logged.get(plug)
    this.#logged.set(plug, {...state})
    const changes = Object.entries(state).flatMap(([name, value]) => {
      if (name === LAST_SEEN || before?.[name] === value) return []
      return before ? [`${name} ${before[name] ?? null} → ${value}`] : [`${name} ${value}`]
    })
    return changes.join(', ')
  }
}

function availabilityText(availability: Availability): string {
  if (availability.state !== 'offline') return availability.state
  const {reason, message} = availability
  return message === undefined ? `offline (${reason})` : `offline (${reason}): ${message}`
}

function failureText(error: unknown): string {
  const {code, message} = toCommandError(error)
  return `a poll or command failed (${code}): ${message}`
}

const REMINDER_MS = 3_600_000
/** How many plugs have a line each within `BURST_MS`. Of more, only the number matters. */
const MAX_LINES = 10
const BURST_MS = 60_000
const MAX_NAMES = 10

/** timeout and unreachable alternate while a plug is offline; they are logged as one reason. */
const SILENT_REASONS: ReadonlySet<string> = new Set(['timeout', 'unreachable'])

interface Outage {
  reason: string
  /** The reasons that were logged. None is logged twice, however often it alternates with another. */
  logged: Set<string>
}

/**
 * Logs plugs that go offline and come back, and publishes an event for each: one warning, one info line, at most one reminder an hour in
 * between. When no plug responds any more, the network of the bridge is the cause: one warning for all of them (docs/promises.md, 57).
 */
export class AvailabilityLog implements Component {
  readonly #context: Pick<BridgeContext, 'plugs' | 'clock' | 'log'>
  readonly #bridgeStatus: Pick<BridgeStatus, 'event'>
  /** Of the plugs that are offline. */
  readonly #outages = new Map<Plug, Outage>()
  readonly #offlineLines: LineBurst
  readonly #onlineLines: LineBurst
  #reminder: Timer | undefined
  #isNetworkDown = false

  constructor(
    context: Pick<BridgeContext, 'plugs' | 'clock' | 'log'>,
    bridgeStatus: Pick<BridgeStatus, 'event'>,
  ) {
    this.#context = context
    this.#bridgeStatus = bridgeStatus
    const {clock, log} = context
    this.#offlineLines = new LineBurst(clock, (labels) =>
      log.warn(`${summaryOf(labels, 'offline')}; the reason of each is on its topic …/availability`),
    )
    this.#onlineLines = new LineBurst(clock, (labels) => log.info(summaryOf(labels, 'online again')))
  }

  availabilityChanged(plug: Plug, availability: Availability): void {
    if (availability.state === 'offline') this.#wentOffline(plug, availability)
    else if (availability.state === 'online') this.#cameOnline(plug)
  }

  plugRemoved(plug: Plug): void {
    this.#outages.delete(plug)
    this.#offlineLines.drop(plug)
    this.#onlineLines.drop(plug)
    if (this.#outages.size === 0) this.#stopReminding()
  }

  stop(): void {
    this.#stopReminding()
    this.#offlineLines.stop()
    this.#onlineLines.stop()
  }

  #wentOffline(plug: Plug, {reason, message = reason}: Offline): void {
    if (reason === 'disabled' || reason === 'duplicate') return
    const {log, clock} = this.#context
    const {name, did} = plug
    const outage = this.#outages.get(plug)
    const logged = outage?.logged ?? new Set()
    if (reason !== outage?.reason) this.#bridgeStatus.event('device_offline', {name, did, reason})
    const isSilent = SILENT_REASONS.has(reason)
    const loggedReason = isSilent ? 'silent' : reason
    if (isSilent && (this.#isNetworkDown || (!outage && this.#areAllSilent()))) {
      if (!this.#isNetworkDown)
        log.warn('all plugs are offline: check the network, Wi-Fi and router of this machine')
      this.#isNetworkDown = true
    } else if (!logged.has(loggedReason)) {
      logged.add(loggedReason)
      this.#offlineLines.add(plug, () =>
        log.warn(`${plugLabel(plug)} is offline: ${message}`, {device: name, reason}),
      )
    }
    this.#outages.set(plug, {reason, logged})
    this.#reminder ??= clock.after(REMINDER_MS, () => this.#remind())
  }

  #cameOnline(plug: Plug): void {
    const {log} = this.#context
    const {name, did} = plug
    this.#bridgeStatus.event('device_online', {name, did})
    const outage = this.#outages.get(plug)
    this.#outages.delete(plug)
    if (this.#isNetworkDown) {
      this.#isNetworkDown = false
      log.info('plugs answer again')
    }
    const wasLogged = outage !== undefined && outage.logged.size > 0 && !this.#offlineLines.drop(plug)
    if (wasLogged)
      this.#onlineLines.add(plug, () => log.info(`${plugLabel(plug)} is online again`, {device: name}))
    if (this.#outages.size === 0) this.#stopReminding()
  }

  #stopReminding(): void {
    this.#reminder?.cancel()
    this.#reminder = undefined
  }

  /** Whether several plugs have responded until now, and all of them fail. Each alone would be offline only after its next failures. */
  #areAllSilent(): boolean {
    let silent = 0
    for (const plug of this.#context.plugs.values()) {
      if (!isInUse(plug) || this.#outages.has(plug)) continue
      if (plug.lastResponseAt === undefined || !plug.isFailing) return false
      silent++
    }
    return silent > 1
  }

  #remind(): void {
    const {log, clock} = this.#context
    log.warn(`still offline: ${listFirst([...this.#outages.keys()].map(plugLabel), MAX_NAMES)}`)
    this.#reminder = clock.after(REMINDER_MS, () => this.#remind())
  }
}

/** Log lines about single plugs: the first few at once; those that follow within a minute become one summary at its end. */
class LineBurst {
  readonly #clock: Clock
  readonly #logSummary: (labels: readonly string[]) => void
  /** The plugs for the summary. */
  readonly #pending = new Set<Plug>()
  #lines = 0
  #timer: Timer | undefined

  constructor(clock: Clock, logSummary: (labels: readonly string[]) => void) {
    this.#clock = clock
    this.#logSummary = logSummary
  }

  /** Logs the line, or adds the plug to the summary. */
  add(plug: Plug, logLine: () => void): void {
    this.#timer ??= this.#clock.after(BURST_MS, () => this.#end())
    if (this.#lines < MAX_LINES) logLine()
    else this.#pending.add(plug)
    this.#lines++
  }

  /** The plug changed again: it is left out of the summary. @returns whether it was pending */
  drop(plug: Plug): boolean {
    return this.#pending.delete(plug)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** As long as each minute has more than a few lines, each has one summary and nothing else. */
  #end(): void {
    const labels = [...this.#pending].map(plugLabel)
    const continues = labels.length > 0
    this.#pending.clear()
    this.#timer = continues ? this.#clock.after(BURST_MS, () => this.#end()) : undefined
    if (continues) this.#logSummary(labels)
    else this.#lines = 0
  }
}

function summaryOf(labels: readonly string[], what: string): string {
  const [count, verb] = labels.length === 1 ? ['one more plug', 'is'] : [`${labels.length} more plugs`, 'are']
  return `${count} ${verb} ${what}: ${listFirst(labels, MAX_NAMES)}`
}
