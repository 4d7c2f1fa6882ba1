/**
 * The components that Home Assistant was told of, by device, over restarts: one that a plug has no more, since another version of
 * the program or another definition describes its model, has to be taken back by name (contract §7).
 */
import {digest, type Platforms} from './discovery-message.ts'

/** As it is kept. Many plugs have the same components: each set of them is there once. */
export interface DiscoveredComponents {
  /** By the id that a device has in Home Assistant. */
  devices: Record<string, string>
  sets: Record<string, Platforms>
}

export class DiscoveryHistory {
  readonly #announcements: DiscoveredComponents
  readonly #remember: (announcements: DiscoveredComponents) => void

  /** @param before by earlier runs */
  constructor(
    before: DiscoveredComponents | undefined,
    remember: (announcements: DiscoveredComponents) => void,
  ) {
    this.#announcements = before ?? {devices: {}, sets: {}}
    this.#remember = remember
    const used = new Set(Object.values(this.#announcements.devices))
    for (const key of Object.keys(this.#announcements.sets))
      if (!used.has(key)) delete this.#announcements.sets[key]
  }

  /** What Home Assistant knows of the device; `undefined` when nobody remembers. */
  get(id: string): Platforms | undefined {
    const {devices, sets} = this.#announcements
    return sets[devices[id] ?? '']
  }

  set(id: string, platforms: Platforms): void {
    const {devices, sets} = this.#announcements
    const key = digest(JSON.stringify(platforms)).slice(0, 8)
    if (devices[id] === key) return
    devices[id] = key
    sets[key] = platforms
    this.#remember(this.#announcements)
  }

  /** Home Assistant does not know the device any more. */
  delete(id: string): void {
    if (this.#announcements.devices[id] === undefined) return
    delete this.#announcements.devices[id]
    this.#remember(this.#announcements)
  }
}
