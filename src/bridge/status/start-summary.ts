/**
 * Logs a summary once all plugs have answered or are offline: how many are online, and what was announced to Home Assistant. It covers all
 * plugs after the start and after each connect, and those that were added or changed after a reload.
 */

import type {Timer} from '../../common/clock.ts'
import {count, listFirst} from '../../common/text.ts'
import type {OfflineReason} from '../../device/polling/availability.ts'
import type {BridgeContext, Component} from '../component.ts'
import {isAnnounced} from '../homeassistant/plug-discovery.ts'
import {isInUse, type Plug} from '../plug.ts'

/** What the summary needs of the Home Assistant part of the bridge. */
export interface AnnouncementSource {
  /** The discovery prefix. */
  readonly prefix: string
  /** Whether the plug was announced over the present connection to the broker. */
  wasAnnounced(plug: Plug): boolean
}

type SummaryContext = Pick<BridgeContext, 'clock' | 'log' | 'plugs' | 'groups' | 'connection'>

/** How long the first poll of a silent plug takes, and a margin. The summary waits no longer for a plug. */
const FIRST_POLL_MS = 10_000
/**
 * Plugs report their identity just after their first response, and discovery messages are up to 2.1 s apart (sent-discovery.ts).
 */
const SETTLE_MS = 2500
/** With more plugs than these, only the number of those online is logged, and the first of those offline. */
const MOST_NAMES = 10

/** Logs how many plugs are online, after a start, a connect or a reload. */
export class StartSummary implements Component {
  readonly #context: SummaryContext
  readonly #homeAssistant: AnnouncementSource | undefined
  /** Names of plugs that have no availability yet. */
  readonly #pending = new Set<string>()
  /** Names of the plugs that the next summary covers. */
  #due: Set<string> | 'all' | undefined
  #deadline: Timer | undefined
  #settleTimer: Timer | undefined
  #isStopped = false

  /** @param homeAssistant `undefined` when Home Assistant is disabled in the configuration */
  constructor(context: SummaryContext, homeAssistant: AnnouncementSource | undefined) {
    this.#context = context
    this.#homeAssistant = homeAssistant
  }

  start(spread: number): void {
    this.#due = 'all'
    this.#await(this.#context.plugs.keys(), spread)
  }

  plugAdded({name, device}: Plug): void {
    device.on('availability', () => {
      if (this.#pending.delete(name)) this.#check()
    })
  }

  connected(): void {
    this.#due = 'all'
    this.#check()
  }

  reloaded(plugs: readonly Plug[]): void {
    const names = plugs.map(({name}) => name)
    for (const name of this.#pending) if (!this.#context.plugs.has(name)) this.#pending.delete(name)
    if (this.#due !== 'all') this.#due = new Set([...(this.#due ?? []), ...names])
    this.#await(names, 0)
  }

  stop(): void {
    this.#isStopped = true
    this.#deadline?.cancel()
    this.#settleTimer?.cancel()
  }

  #await(names: Iterable<string>, spread: number): void {
    const {clock, plugs} = this.#context
    for (const name of names) if (isPending(plugs.get(name))) this.#pending.add(name)
    this.#deadline?.cancel()
    this.#deadline = clock.after(spread + FIRST_POLL_MS, () => {
      this.#pending.clear()
      this.#check()
    })
    this.#check()
  }

  #check(): void {
    if (this.#isStopped || this.#due === undefined || this.#pending.size > 0) return
    this.#settleTimer?.cancel()
    this.#settleTimer = this.#context.clock.after(SETTLE_MS, () => this.#logSummary())
  }

  #logSummary(): void {
    const due = this.#due
    if (due === undefined || this.#pending.size > 0) return
    this.#due = undefined
    this.#deadline?.cancel()
    const {plugs, log, connection} = this.#context
    const covered = [...plugs.values()].filter(({name}) => due === 'all' || due.has(name))
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
    const missing = expected.filter((plug) => !this.#homeAssistant?.wasAnnounced(plug))
    const announced = expected.length - missing.length
    const counts = [
      missing.length > 0 ? `${announced} of ${count(expected.length, 'plug')}` : count(announced, 'plug'),
      ...(isAll && groups.size > 0 ? [count(groups.size, 'group')] : []),
    ].join(' and ')
    const rest =
      missing.length > 0 ? `; after its first answer: ${listFirst(namesOf(missing), MOST_NAMES)}` : ''
    return `Home Assistant: announced ${counts} on ${prefix}/…${rest}`
  }
}

function isPending(plug: Plug | undefined): boolean {
  return plug?.device.availability.state === 'unknown'
}

/** `1 of 2 plugs online: desk (Mi Smart Plug, 192.168.1.40); offline: lamp (192.168.1.41, does not answer)` */
function availabilitySummary(plugs: readonly Plug[]): string {
  const isOnline = ({device}: Plug) => device.availability.state === 'online'
  const online = plugs.filter(isOnline)
  const offline = plugs.filter((plug) => !isOnline(plug))
  const named =
    plugs.length <= MOST_NAMES && online.length > 0
      ? `: ${listFirst(online.map(nameAndProduct), MOST_NAMES)}`
      : ''
  const missing = offline.length > 0 ? `; offline: ${listFirst(offline.map(nameAndReason), MOST_NAMES)}` : ''
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

function namesOf(plugs: readonly Plug[]): string[] {
  return plugs.map(({name}) => name)
}
