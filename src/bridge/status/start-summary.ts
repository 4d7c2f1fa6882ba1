/**
 * What the log says once the plugs have answered, or have not: how many are online, and what Home Assistant was told. After the
 * start and after each connect it is about all plugs, after a reload about those that it added or changed.
 */
import type {Clock, Timer} from '../../common/clock.ts'
import type {OfflineReason} from '../../device/polling/availability.ts'
import type {Log} from '../../log/logger.ts'
import {isAnnounced} from '../homeassistant/plug-discovery.ts'
import type {Plug} from '../plug.ts'

export interface StartSummaryOptions {
  clock: Clock
  log: Log
  plugs: ReadonlyMap<string, Plug>
  groups: {readonly all: ReadonlyMap<string, unknown>}
  isConnected: () => boolean
  /** Whether Home Assistant was told of a plug over this connection, below which prefix; `undefined` when it is told nothing. */
  homeAssistant: {prefix: string; wasAnnounced: (plug: Plug) => boolean} | undefined
}

/** How long a silent plug's first poll takes, and a margin: nobody waits for a plug any longer. */
const PATIENCE_MS = 10_000
/** Plugs tell who they are just after their first answer, and messages to Home Assistant are up to 2.1 s apart (sent-discovery.ts). */
const SETTLE_MS = 2500
/** Of more plugs than these, only their number is told; and of plugs that are offline, the first of them. */
const MOST_NAMES = 10

export class StartSummary {
  readonly #options: StartSummaryOptions
  /** Names of plugs whose first answer, or its absence, is still awaited. */
  readonly #awaited = new Set<string>()
  /** Names of plugs that are to be told of, or all. */
  #due: Set<string> | 'all' | undefined
  #patience: Timer | undefined
  #settling: Timer | undefined
  #isStopped = false

  constructor(options: StartSummaryOptions) {
    this.#options = options
  }

  follow({name, device}: Plug): void {
    device.on('availability', () => {
      if (this.#awaited.delete(name)) this.#check()
    })
  }

  /** @param spread milliseconds over which the first polls are spread */
  start(spread: number): void {
    this.#due = 'all'
    this.#await(this.#options.plugs.keys(), spread)
  }

  /** The broker is there, for the first time or again, and everything was announced. */
  connected(): void {
    this.#due = 'all'
    this.#check()
  }

  /** @param names of plugs that were added or changed */
  reloaded(names: readonly string[]): void {
    for (const name of this.#awaited) if (!this.#options.plugs.has(name)) this.#awaited.delete(name)
    if (this.#due !== 'all') this.#due = new Set([...(this.#due ?? []), ...names])
    this.#await(names, 0)
  }

  stop(): void {
    this.#isStopped = true
    this.#patience?.cancel()
    this.#settling?.cancel()
  }

  #await(names: Iterable<string>, spread: number): void {
    const {clock, plugs} = this.#options
    for (const name of names) if (isAwaited(plugs.get(name))) this.#awaited.add(name)
    this.#patience?.cancel()
    this.#patience = clock.after(spread + PATIENCE_MS, () => {
      this.#awaited.clear()
      this.#check()
    })
    this.#check()
  }

  #check(): void {
    if (this.#isStopped || this.#due === undefined || this.#awaited.size > 0) return
    this.#settling?.cancel()
    this.#settling = this.#options.clock.after(SETTLE_MS, () => this.#tell())
  }

  #tell(): void {
    const due = this.#due
    if (due === undefined || this.#awaited.size > 0) return
    this.#due = undefined
    this.#patience?.cancel()
    const {plugs, log, isConnected, homeAssistant} = this.#options
    const told = [...plugs.values()].filter(({name}) => due === 'all' || due.has(name))
    if (told.length > 0) log.info(`${due === 'all' ? '' : 'added or changed: '}${online(told)}`)
    if (told.length === 0) return
    if (isConnected()) log.info(this.#announced(told, due === 'all'))
    else if (due === 'all' && homeAssistant)
      log.info('Home Assistant: nothing is announced yet: the broker is not connected')
  }

  #announced(plugs: readonly Plug[], isAll: boolean): string {
    const {homeAssistant, groups} = this.#options
    if (!homeAssistant) return 'Home Assistant: nothing is announced, since homeassistant.enabled is false'
    const {prefix, wasAnnounced} = homeAssistant
    const wanted = plugs.filter((plug) => isAnnounced(plug) && plug.duplicateOf === undefined)
    const missing = wanted.filter((plug) => !wasAnnounced(plug))
    const counted = wanted.length - missing.length
    const what = [
      missing.length > 0 ? `${counted} of ${count(wanted.length, 'plug')}` : count(counted, 'plug'),
      ...(isAll && groups.all.size > 0 ? [count(groups.all.size, 'group')] : []),
    ].join(' and ')
    const rest = missing.length > 0 ? `; not until it has answered: ${listed(missing, ({name}) => name)}` : ''
    return `Home Assistant: announced ${what} on ${prefix}/…${rest}`
  }
}

function isAwaited(plug: Plug | undefined): boolean {
  return plug?.device.availability.state === 'unknown'
}

/** `1 of 2 plugs online: desk (Mi Smart Plug, 192.168.1.40); offline: lamp (192.168.1.41, does not answer)` */
function online(plugs: readonly Plug[]): string {
  const isOnline = ({device}: Plug) => device.availability.state === 'online'
  const there = plugs.filter(isOnline)
  const away = plugs.filter((plug) => !isOnline(plug))
  const named = plugs.length <= MOST_NAMES && there.length > 0 ? `: ${listed(there, introduced)}` : ''
  const missing = away.length > 0 ? `; offline: ${listed(away, excused)}` : ''
  return `${there.length} of ${count(plugs.length, 'plug')} online${named}${missing}`
}

function introduced(plug: Plug): string {
  const {identity, model} = plug.device
  // The first words of a name are the product, the others what it has.
  const product = model?.name.split(',')[0] ?? identity.model ?? 'unknown model'
  return `${plug.name} (${product}, ${plug.address ?? 'address unknown'})`
}

function excused({name, address, device: {availability}}: Plug): string {
  const reason = availability.state === 'offline' ? REASONS[availability.reason] : 'no answer yet'
  return `${name} (${[address, reason].filter(Boolean).join(', ')})`
}

/** In a few words: the warning of each plug has the whole sentence. */
const REASONS: Readonly<Record<OfflineReason, string>> = {
  timeout: 'does not answer',
  bad_token: 'wrong token',
  unreachable: 'cannot be reached',
  disabled: 'disabled',
  unsupported: 'model not supported',
  duplicate: 'the same plug as another one',
}

function listed(plugs: readonly Plug[], told: (plug: Plug) => string): string {
  const first = plugs.slice(0, MOST_NAMES).map(told).join(', ')
  return plugs.length > MOST_NAMES ? `${first} and ${plugs.length - MOST_NAMES} more` : first
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
