/**
 * The configured plugs and groups, by name: started together, and added, replaced and removed one by one when the configuration changes
 * (docs/promises.md, 59).
 */
import {isDeepStrictEqual} from 'node:util'
import {Group} from '../bridge/group.ts'
import type {Config} from '../config/config.ts'
import {type PlugChanges, withSecretsRevealed} from './config-changes.ts'
import {DeviceIdOwners} from './device-id-owners.ts'
import {ManagedPlug, type PlugEnvironment, type PlugListener} from './managed-plug.ts'

type PlugRegistryOptions = Omit<PlugEnvironment, 'owners' | 'listener'>

/**
 * How far apart first polls are: `most` with few plugs; with more of them less, so that all begin within one interval; but never less
 * than `least`. A first poll, with hello, `miIO.info`, all properties and discovery message, takes so much time of a core: closer
 * together, requests would pile up, and not be answered in time.
 */
const FIRST_POLL_STEP_MS = {most: 5, least: 2.5}

/** The configured plugs and groups of one bridge. */
export class PlugRegistry {
  readonly #plugs = new Map<string, ManagedPlug>()
  readonly #groups = new Map<string, Group>()
  /** By name, in the order of the configuration. The same map as long as the bridge runs. */
  readonly plugs: ReadonlyMap<string, ManagedPlug> = this.#plugs
  /** By name, in the order of the configuration. The same map as long as the bridge runs. */
  readonly groups: ReadonlyMap<string, Group> = this.#groups
  readonly #environment: PlugEnvironment
  #config: Config
  #isStopped = false

  constructor(config: Config, options: PlugRegistryOptions) {
    this.#environment = {...options, owners: new DeviceIdOwners(), listener: {}}
    this.#config = config
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config
  }

  /** Gets the events of all plugs from now on. */
  set listener(listener: PlugListener) {
    this.#environment.listener = listener
  }

  /** Makes and starts every configured plug. @returns milliseconds from now until the last of the first polls begins */
  start(): number {
    const names = Object.keys(this.#config.devices)
    const step = firstPollStep(this.#config)
    for (const [index, name] of names.entries()) this.#make(name, index * step)
    for (const plug of this.#plugs.values()) plug.start()
    if (names.length === 0)
      this.#environment.log.warn(
        'no plugs are configured yet: `miio2mqtt discover` lists those on this network',
      )
    this.#plugsChanged()
    return names.length * step
  }

  /**
   * Brings plugs and groups in line with another configuration. Plugs that did not change are not touched.
   * @param grace milliseconds for a command that is under way at a plug that is stopped
   */
  async applyConfig(config: Config, grace: number): Promise<PlugChanges> {
    const before = this.#config
    this.#config = config
    const names = Object.keys(config.devices)
    const removed = [...this.#plugs.keys()].filter((name) => !Object.hasOwn(config.devices, name))
    const added = names.filter((name) => !this.#plugs.has(name))
    const changed = names.filter((name) => this.#plugs.has(name) && !isSamePlug(name, before, config))
    await Promise.all([...removed, ...changed].map((name) => this.#plugs.get(name)?.stop(grace)))
    // The registry was stopped meanwhile: what is made now would never be stopped.
    if (this.#isStopped) return {added: [], changed: [], removed: []}
    for (const name of removed) this.#plugs.delete(name)
    const step = firstPollStep(config)
    for (const [index, name] of [...added, ...changed].entries()) this.#make(name, index * step).start()
    const plugs = new Map(this.#plugs)
    this.#plugs.clear()
    for (const name of names) {
      const plug = plugs.get(name)
      if (plug) this.#plugs.set(name, plug)
    }
    this.#plugsChanged()
    return {added, changed, removed}
  }

  /** @param grace milliseconds for a command that is under way */
  async stop(grace: number): Promise<void> {
    this.#isStopped = true
    await Promise.all([...this.#plugs.values()].map((plug) => plug.stop(grace)))
  }

  #make(name: string, firstDelay: number): ManagedPlug {
    const {devices, poll} = this.#config
    const config = devices[name]
    if (!config) throw new Error(`expected a configured plug, got ${name}`)
    const plug = new ManagedPlug({name, config, poll}, this.#environment, firstDelay)
    this.#plugs.set(name, plug)
    this.#environment.listener.plugAdded?.(plug)
    return plug
  }

  /** Makes the groups anew, and stores which plugs are configured: plugs that are not for a while are dropped from the state file. */
  #plugsChanged(): void {
    this.#groups.clear()
    for (const [name, settings] of Object.entries(this.#config.groups))
      this.#groups.set(name, new Group(name, settings, this.#plugs))
    const dids = [...this.#plugs.values()].flatMap(({did}) => did ?? [])
    this.#environment.store.markConfigured(new Set(dids))
  }
}

/** How far apart first polls are, milliseconds. */
function firstPollStep({devices, poll}: Config): number {
  const {least, most} = FIRST_POLL_STEP_MS
  return Math.min(most, Math.max(least, poll.interval / Math.max(1, Object.keys(devices).length)))
}

/** Whether both configurations make the same plug. */
function isSamePlug(name: string, before: Config, after: Config): boolean {
  const settingsOf = ({devices, poll}: Config) =>
    withSecretsRevealed({...devices[name], poll, own: devices[name]?.poll})
  return isDeepStrictEqual(settingsOf(before), settingsOf(after))
}
