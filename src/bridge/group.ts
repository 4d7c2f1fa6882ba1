/** A group of plugs that are switched together: its members, its state and its availability (docs/topics.md, "Groups"). */
import type {Availability} from '../device/polling/availability.ts'
import {isInUse, type Plug} from './plug.ts'

/** A group as it is configured. */
export interface GroupSettings {
  /** Names of plugs. */
  members: readonly string[]
  description?: string
  area?: string
  icon?: string
}

/** A group as it is configured, with the state that follows from its members. */
export class Group {
  readonly name: string
  readonly settings: GroupSettings
  readonly #plugs: ReadonlyMap<string, Plug>

  /** @param plugs all configured plugs, by name; the map changes when the configuration does */
  constructor(name: string, settings: GroupSettings, plugs: ReadonlyMap<string, Plug>) {
    this.name = name
    this.settings = settings
    this.#plugs = plugs
  }

  get members(): Plug[] {
    return this.settings.members.flatMap((name) => this.#plugs.get(name) ?? [])
  }

  /**
   * `ON` when any member is on, `OFF` when every member is off, and `null` otherwise: "not on" is not "off". The last state of a plug
   * that went offline may be wrong by now. Disabled plugs and duplicates do not count.
   */
  get state(): 'ON' | 'OFF' | null {
    const relays = this.#membersInUse.map(relayState)
    if (relays.includes('ON')) return 'ON'
    return relays.length > 0 && relays.every((relay) => relay === 'OFF') ? 'OFF' : null
  }

  /** Whether every member has responded or is offline. Before that, a state of `null` means nothing and is not published. */
  get isSettled(): boolean {
    return this.state !== null || this.members.every(({device}) => device.availability.state !== 'unknown')
  }

  /**
   * Online when any member is online. Offline since the last member went offline, for the reason that all members share, or else
   * `timeout`.
   */
  get availability(): Availability {
    const members = this.#membersInUse.length > 0 ? this.#membersInUse : this.members
    const all = members.map(({device}) => device.availability)
    if (all.some(({state}) => state === 'online')) return {state: 'online'}
    const offline = all.flatMap((each) => (each.state === 'offline' ? [each] : []))
    const [first, ...others] = offline
    if (!first || offline.length < all.length) return {state: 'unknown'}
    const isShared = others.every(({reason}) => reason === first.reason)
    const since = offline.reduce((latest, each) => (each.since > latest ? each.since : latest), first.since)
    return {state: 'offline', reason: isShared ? first.reason : 'timeout', since}
  }

  get #membersInUse(): Plug[] {
    return this.members.filter(isInUse)
  }
}

/** The relay of a plug that is online; `null` when it is offline or its state is not known. */
export function relayState({device}: Plug): 'ON' | 'OFF' | null {
  const relay = device.availability.state === 'online' ? device.state['state'] : null
  return relay === 'ON' || relay === 'OFF' ? relay : null
}
