/** Plugs that are switched together, and what they amount to as one (contract §3, §4). */
import type {Availability} from '../device/polling/availability.ts'
import type {Plug} from './plug.ts'

/** A group as it is configured. */
export interface GroupSettings {
  /** Names of plugs. */
  members: readonly string[]
  description?: string
  area?: string
  icon?: string
}

export class Group {
  readonly name: string
  readonly settings: GroupSettings
  readonly #plugs: ReadonlyMap<string, Plug>

  /** @param plugs all there are, by name: they may be others tomorrow */
  constructor(name: string, settings: GroupSettings, plugs: ReadonlyMap<string, Plug>) {
    this.name = name
    this.settings = settings
    this.#plugs = plugs
  }

  get members(): Plug[] {
    return this.settings.members.flatMap((name) => this.#plugs.get(name) ?? [])
  }

  /**
   * `ON` when any member is on, `OFF` when every one is off, and `null` otherwise: not on is not off. What a plug said before it
   * went offline may be wrong by now. A disabled plug is left alone here, too.
   */
  get state(): 'ON' | 'OFF' | null {
    const relays = this.#active.map(relayState)
    if (relays.includes('ON')) return 'ON'
    return relays.length > 0 && relays.every((relay) => relay === 'OFF') ? 'OFF' : null
  }

  /** Whether every member was heard, or given up on: before that, an unknown state says nothing. */
  get known(): boolean {
    return this.state !== null || this.members.every(({device}) => device.availability.state !== 'unknown')
  }

  /** Online when any member is; offline since the last of them went, for the reason they share, or else `timeout`. */
  get availability(): Availability {
    const members = this.#active.length > 0 ? this.#active : this.members
    const all = members.map(({device}) => device.availability)
    if (all.some(({state}) => state === 'online')) return {state: 'online'}
    const offline = all.flatMap((each) => (each.state === 'offline' ? [each] : []))
    const [first, ...others] = offline
    if (!first || offline.length < all.length) return {state: 'unknown'}
    const isShared = others.every(({reason}) => reason === first.reason)
    const since = offline.reduce((latest, each) => (each.since > latest ? each.since : latest), first.since)
    return {state: 'offline', reason: isShared ? first.reason : 'timeout', since}
  }

  get #active(): Plug[] {
    return this.members.filter(({disabled, duplicateOf}) => !disabled && duplicateOf === undefined)
  }
}

/** Whether a plug is on, as far as that is known now. */
export function relayState({device}: Plug): 'ON' | 'OFF' | null {
  const relay = device.availability.state === 'online' ? device.state['state'] : null
  return relay === 'ON' || relay === 'OFF' ? relay : null
}
