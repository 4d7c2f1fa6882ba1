/** What the bridge has on the broker of its plugs and groups: what lies there beyond that is to be cleared (leftovers.ts). */
import type {Topics} from '../mqtt/topics.ts'
import {deviceId, isAnnounced} from './discovery.ts'
import type {Groups} from './groups.ts'
import type {Plug} from './plug.ts'

/** As remembered over restarts. */
export interface PublishedOf {
  base: string
  /** Where Home Assistant was told of them; empty when it was not. */
  prefix: string
  /** By name, the id they had in Home Assistant; empty when it was never told. */
  devices: Record<string, string>
  /** By name, the properties that lie on topics of their own; of those that have any. */
  attributes: Record<string, readonly string[]>
  /** Whether this is all: the broker was asked, once, what else lies there. */
  isAll: boolean
}

/** One plug or group of it. */
export interface Item {
  name: string
  id: string
  attributes: readonly string[]
}

export interface InventoryOptions {
  topics: Topics
  /** Where Home Assistant is told of them; empty when it is not. */
  prefix: string
  plugs: ReadonlyMap<string, Plug>
  groups: Pick<Groups, 'ids' | 'attributes'>
  attributesOf: (plug: Plug) => readonly string[]
}

export class Inventory {
  readonly #options: InventoryOptions

  constructor(options: InventoryOptions) {
    this.#options = options
  }

  /** @param before what was there, which still counts for plugs that did not tell their model yet */
  all(before: PublishedOf): PublishedOf {
    const {topics, prefix, plugs} = this.#options
    const items = [...[...plugs.values()].map((plug) => this.plug(plug, before)), ...this.groups()]
    return {
      base: topics.base,
      prefix,
      devices: Object.fromEntries(items.map(({name, id}) => [name, id])),
      attributes: Object.fromEntries(
        items.flatMap(({name, attributes}) => (attributes.length > 0 ? [[name, attributes]] : [])),
      ),
      isAll: true,
    }
  }

  plug(plug: Plug, before: PublishedOf): Item {
    const {name, device} = plug
    const attributes = device.model ? this.#options.attributesOf(plug) : (before.attributes[name] ?? [])
    return {name, id: this.#idOf(plug), attributes}
  }

  groups(): Item[] {
    const {ids, attributes} = this.#options.groups
    const values = new Map(attributes)
    return ids.map(([name, id]) => ({name, id, attributes: values.get(name) ?? []}))
  }

  /** Which device of Home Assistant this name is will be known when the plug has answered. */
  isUndecided(name: string): boolean {
    const plug = this.#options.plugs.get(name)
    return plug !== undefined && isAnnounced(plug) && plug.did === undefined
  }

  /** Home Assistant is not told of a plug that is disabled, and forgets one that was. */
  #idOf(plug: Plug): string {
    const {did} = plug
    return did === undefined || !isAnnounced(plug) || this.#options.prefix === '' ? '' : deviceId(did)
  }
}
