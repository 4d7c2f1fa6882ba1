/**
 * Waits for the first availability of every plug: publishes then that the bridge is online, so that no client takes an old availability
 * for a current one (docs/promises.md, 1), and logs a summary of how many plugs are online, and of what was announced to Home Assistant.
 * The summary covers all plugs after the start and after each connect, and those that were added or changed after a reload.
 */
import type {Timer} from '../../common/clock.ts'
import {count, listFirst} from '../../common/text.ts'
import type {OfflineReason} from '../../device/polling/availability.ts'
import type {BridgeContext, Component} from '../component.ts'
import {isAnnounced} from '../homeassistant/plug-discovery.ts'
import {isInUse, type Plug} from '../plug.ts'
import type {BridgeStatus} from './bridge-status.ts'

/** What the summary needs of the Home Assistant part of the bridge. */
interface AnnouncementSource {
  /** The discovery prefix. */
  readonly prefix: string
  /** Whether the plug was announced over the present connection to the broker. */
  wasAnnounced(plug: Plug): boolean
}

/** How long the first poll of a silent plug takes, with all its tries. After that, a plug counts as offline at the start. */
const FIRST_POLL_MS = 8000
/** After a process that stood still, so much time is left for the responses that have arrived. */
const GRACE_MS = 100
/** Plugs whose first poll began late, because the machine is busy, are looked at again so often. */
const AGAIN_MS = 1000
/** The summary of a reload waits no longer for a plug. */
const RELOAD_MS = 10_000
/**
 * Plugs report their identity just after their first response, and discovery messages are up to 2.1 s apart (sent-discovery.ts).
 */
const SETTLE_MS = 2500
/** With more plugs than these, only the number of those online is logged, and the first of those offline. */
const MAX_NAMES = 10

/** Publishes that the bridge is online, and logs how many plugs are, after a start, a connect or a reload. */
export class StartSummary implements Component {
  readonly #context: Pick<BridgeContext, 'clock' | 'log' | 'plugs' | 'groups' | 'connection'>
  readonly #bridgeStatus: Pick<BridgeStatus, 'state'>
  readonly #homeAssistant: AnnouncementSource | undefined
  /** Plugs that have no availability yet. */
  readonly #pending = new Set<Plug>()
  /** The plugs that the next summary covers. */
  #due: Set<Plug> | 'all' | undefined
  /** Whether `online` was published over the present connection to the broker. */
  #isOnline = false
  #startTimer: Timer | undefined
  #summaryTimer: Timer | undefined
  #isStopped = false

  /** @param homeAssistant `undefined` when Home Assistant is disabled in the configuration */
  constructor(
    context: Pick<BridgeContext, 'clock' | 'log' | 'plugs' | 'groups' | 'connection'>,
    bridgeStatus: Pick<BridgeStatus, 'state'>,
    homeAssistant: AnnouncementSource | undefined,
  ) {
    this.#context = context
    this.#bridgeStatus = bridgeStatus
    this.#homeAssistant = homeAssistant
  }

  start(spread: number): void {
    this.#due = 'all'
    this.#assumeOfflineAfter(spread + FIRST_POLL_MS)
    this.#check()
  }

  plugAdded(plug: Plug): void {
    this.#pending.add(plug)
  }

  availabilityChanged(plug: Plug): void {
    this.#settled(plug)
  }

  plugRemoved(plug: Plug): void {
    this.#settled(plug)
  }

  connected(): void {
    this.#isOnline = false
    this.#due = 'all'
    this.#check()
  }

  disconnected(): void {
    this.#isOnline = false
  }

  reloaded(plugs: readonly Plug[]): void {
    if (this.#due !== 'all') this.#due = new Set([...(this.#due ?? []), ...plugs])
    this.#summaryTimer?.cancel()
    this.#summaryTimer = this.#context.clock.after(RELOAD_MS + SETTLE_MS, () => this.#logSummary())
    this.#check()
  }

  /** Publishes and logs nothing from now on. */
  stop(): void {
    this.#isStopped = true
    this.#startTimer?.cancel()
    this.#summaryTimer?.cancel()
  }

  /** In two steps: in a process that stood still the first is late, and the plugs have the second. */
  #assumeOfflineAfter(ms: number): void {
    const {clock} = this.#context
    this.#startTimer = clock.after(ms, () => {
      this.#startTimer = clock.after(GRACE_MS, () => {
        for (const {device} of this.#pending) device.assumeOffline(FIRST_POLL_MS)
        if (this.#pending.size > 0) this.#assumeOfflineAfter(AGAIN_MS)
      })
    })
  }

  /** The plug has an availability, or is removed. */
  #settled(plug: Plug): void {
    if (this.#pending.delete(plug)) this.#check()
  }

  #check(): void {
    if (this.#isStopped || this.#pending.size > 0) return
    const {clock, connection} = this.#context
    this.#startTimer?.cancel()
    if (!this.#isOnline && connection.connected) {
      this.#isOnline = true
      this.#bridgeStatus.state('online')
    }
    if (this.#due === undefined) return
    this.#summaryTimer?.cancel()
    this.#summaryTimer = clock.after(SETTLE_MS, () => this.#logSummary())
  }

  #logSummary(): void {
    const due = this.#due
    if (due === undefined) return
    this.#due = undefined
    const {plugs, log, connection} = this.#context
    const covered = [...plugs.values()].filter((plug) => due === 'all' || due.has(plug))
    if (covered.length === 0) return
    log.info(`${due === 'all' ? '' : 'added or changed: '}${availabilitySummary(covered)}`)
    if (connection.connected) log.info(this.#announcementSummary(covered, due === 'all'))
    else if (due === 'all' && this.#homeAssistant)
      log.info('Home Assistant: nothing is announced yet: the broker is not connected')
  }

  #announcementSummary(plugs: readonly Plug[], isAll: boolean): string {
    const {groups} = this.#context
    if (!this.#homeAssistant)
      return 'Home Assistant: nothing is announced, since homeassistant.enabled is false'
    const {prefix} = this.#homeAssistant
    const expected = plugs.filter((plug) => isAnnounced(plug) && isInUse(plug))
    const missing = expected.flatMap((plug) => (this.#homeAssistant?.wasAnnounced(plug) ? [] : [plug.name]))
    const announced = expected.length - missing.length
    const counts = [
      missing.length > 0 ? `${announced} of ${count(expected.length, 'plug')}` : count(announced, 'plug'),
      ...(isAll && groups.size > 0 ? [count(groups.size, 'group')] : []),
    ].join(' and ')
    const rest = missing.length > 0 ? `; after its first answer: ${listFirst(missing, MAX_NAMES)}` : ''
    return `Home Assistant: announced ${counts} on ${prefix}/…${rest}`
  }
}

/** `1 of 2 plugs online: desk (Mi Smart Plug, 192.168.1.40); offline: lamp (192.168.1.41, does not answer)` */
function availabilitySummary(plugs: readonly Plug[]): string {
  const isOnline = ({device}: Plug) => device.availability.state === 'online'
  const online = plugs.filter(isOnline)
  const offline = plugs.filter((plug) => !isOnline(plug))
  const named =
    plugs.length <= MAX_NAMES && online.length > 0
      ? `: ${listFirst(online.map(nameAndProduct), MAX_NAMES)}`
      : ''
  const missing = offline.length > 0 ? `; offline: ${listFirst(offline.map(nameAndReason), MAX_NAMES)}` : ''
  return `${online.length} of ${count(plugs.length, 'plug')} online${named}${missing}`
}

function nameAndProduct(plug: Plug): string {
  const {identity, model} = plug.device
  // The name of a model is the product, followed by its features after a comma.
  const product = model?.name.split(',')[0] ?? identity.model ?? 'unknown model'
  return `${plug.name} (${product}, ${plug.address ?? 'address unknown'})`
}

function nameAndReason({name, address, device: {availability}}: Plug): string {
  const reason = availability.state === 'offline' ? REASONS[availability.reason] : 'no answer yet'
  return `${name} (${[address, reason].filter(Boolean).join(', ')})`
}

/** In a few words. The warning about each plug has the whole sentence. */
const REASONS: Readonly<Record<OfflineReason, string>> = {
  timeout: 'does not answer',
  bad_token: 'wrong token',
  unreachable: 'cannot be reached',
  disabled: 'disabled',
  unsupported: 'model not supported',
  duplicate: 'the same plug as another one',
}
