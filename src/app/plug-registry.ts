/** The configured plugs: started together, and one by one when the configuration changes (contract §2). */
import {isDeepStrictEqual} from 'node:util'
import {Secret} from '../common/secret.ts'
import type {Config} from '../config/config.ts'
import {DeviceOwners} from './device-owners.ts'
import {ManagedPlug, type ManagedPlugOptions} from './managed-plug.ts'

export interface PlugRegistryOptions extends Omit<ManagedPlugOptions, 'name' | 'config' | 'poll' | 'owners'> {
  /** Ties a plug that was just made to everybody who follows it. */
  follow: (plug: ManagedPlug) => void
}

/** What of the configuration plugs are made from. */
export type PlugConfigs = Pick<Config, 'devices' | 'poll'>

/** Names of plugs, by what a new configuration made of them. */
export interface PlugChanges {
  added: readonly string[]
  changed: readonly string[]
  removed: readonly string[]
}

/** First polls are this far apart: 10,000 plugs do not start on one tick. */
const FIRST_POLL_STEP_MS = 5

export class PlugRegistry {
  /** By name, in the order of the configuration. The same map as long as the bridge runs. */
  readonly plugs: ReadonlyMap<string, ManagedPlug>
  readonly #plugs = new Map<string, ManagedPlug>()
  readonly #options: PlugRegistryOptions
  readonly #owners = new DeviceOwners()
  #furnishing: PlugConfigs
  #isStopped = false

  constructor(furnishing: PlugConfigs, options: PlugRegistryOptions) {
    this.#options = options
    this.#furnishing = furnishing
    this.plugs = this.#plugs
  }

  /** Makes and starts every configured plug. @returns when the last of the first polls begins, milliseconds from now */
  start(): number {
    const step = stepOf(this.#furnishing)
    for (const [index, name] of Object.keys(this.#furnishing.devices).entries())
      this.#make(name, index * step)
    for (const plug of this.#plugs.values()) plug.start()
    return this.#plugs.size * step
  }

  /**
   * Brings the plugs in line with another configuration. What did not change is not touched.
   * @param grace milliseconds for a command that is under way at a plug which is stopped
   */
  async applyConfig(furnishing: PlugConfigs, grace: number): Promise<PlugChanges> {
    const before = this.#furnishing
    const names = Object.keys(furnishing.devices)
    const removed = [...this.#plugs.keys()].filter((name) => !Object.hasOwn(furnishing.devices, name))
    const added = names.filter((name) => !this.#plugs.has(name))
    const changed = names.filter((name) => this.#plugs.has(name) && !isSame(name, before, furnishing))
    await Promise.all([...removed, ...changed].map((name) => this.#plugs.get(name)?.stop(grace)))
    if (this.#isStopped) return {added: [], changed: [], removed: []} // what is made now would never be stopped
    this.#furnishing = furnishing
    for (const name of removed) this.#plugs.delete(name)
    const step = stepOf(furnishing)
    for (const [index, name] of [...added, ...changed].entries()) this.#make(name, index * step).start()
    this.#sort(names)
    return {added, changed, removed}
  }

  async stop(grace: number): Promise<void> {
    this.#isStopped = true
    await Promise.all([...this.#plugs.values()].map((plug) => plug.stop(grace)))
  }

  #make(name: string, firstDelay: number): ManagedPlug {
    const {devices, poll} = this.#furnishing
    const config = devices[name]
    if (!config) throw new Error(`expected a configured plug, got ${name}`)
    const plug = new ManagedPlug({...this.#options, owners: this.#owners, name, config, poll}, firstDelay)
    this.#plugs.set(name, plug)
    this.#options.follow(plug)
    return plug
  }

  #sort(names: readonly string[]): void {
    const plugs = new Map(this.#plugs)
    this.#plugs.clear()
    for (const name of names) {
      const plug = plugs.get(name)
      if (plug) this.#plugs.set(name, plug)
    }
  }
}

/** How far apart first polls are, milliseconds. */
function stepOf({devices, poll}: PlugConfigs): number {
  return Math.min(FIRST_POLL_STEP_MS, poll.interval / Math.max(1, Object.keys(devices).length))
}

/** Whether a plug would be made alike from both. */
function isSame(name: string, before: PlugConfigs, after: PlugConfigs): boolean {
  const all = ({devices, poll}: PlugConfigs) =>
    withSecretsRevealed({...devices[name], poll, own: devices[name]?.poll})
  return isDeepStrictEqual(all(before), all(after))
}

/** With secrets as they are, to be compared and nothing else. */
export function withSecretsRevealed(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal()
  if (Array.isArray(value)) return value.map(withSecretsRevealed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withSecretsRevealed(member)]))
}
