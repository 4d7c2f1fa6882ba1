/** One configured plug: its miIO client, device session, poller and stored state. Finds the plug when its address changes. */
import type {PlugEvents} from '../bridge/component.ts'
import {
  type DisplayOptions,
  type Plug,
  type PlugStatistics,
  plugLabel,
  unknownDisplayProperties,
} from '../bridge/plug.ts'
import type {Clock, Random} from '../common/clock.ts'
import {localAddresses} from '../common/ipv4.ts'
import type {Config, DeviceConfig} from '../config/config.ts'
import {applyOverrides} from '../device/codec/model-overrides.ts'
import {isExpectedFailure} from '../device/command-error.ts'
import {Device, type DeviceListener, type DeviceOptions} from '../device/device.ts'
import type {Identity} from '../device/model-resolver.ts'
import type {Availability} from '../device/polling/availability.ts'
import type {PollLimit} from '../device/polling/poll-limit.ts'
import {Poller, type PollSettings} from '../device/polling/poller.ts'
import {ONCE} from '../device/transport.ts'
import type {PinoLog} from '../log/logger.ts'
import {MiioClient} from '../miio/client.ts'
import type {NetworkDiscovery} from '../miio/discovery.ts'
import {traceLine} from '../miio/packet-trace.ts'
import type {UdpTransport} from '../miio/socket.ts'
import type {Model} from '../models/model.ts'
import type {EnergyStore} from '../storage/energy-store.ts'
import type {StateStore} from '../storage/state-store.ts'
import type {DeviceIdOwners} from './device-id-owners.ts'
import {PlugEnergy} from './plug-energy.ts'
import {PlugTransport} from './plug-transport.ts'

/** What all plugs of a bridge share. */
export interface PlugEnvironment {
  socket: UdpTransport
  discovery: NetworkDiscovery
  store: StateStore
  energyStore: EnergyStore
  owners: DeviceIdOwners
  pollLimit: PollLimit
  findModel: DeviceOptions['findModel']
  capabilitiesOf: NonNullable<DeviceOptions['capabilitiesOf']>
  clock: Clock
  random: Random
  log: PinoLog
  listener: PlugListener
}

/** Gets the events of all plugs. */
export interface PlugListener extends Partial<PlugEvents> {
  /** A plug was made, and has not been started. */
  plugAdded?(plug: ManagedPlug): void
  /** A plug has another address now, or has restarted. */
  plugEvent?(type: 'device_moved' | 'device_rebooted', data: Record<string, unknown>): void
}

/** A plug as it is configured. */
interface PlugSettings {
  name: string
  config: DeviceConfig
  /** Those of all plugs: `config` may have others. */
  poll: Config['poll']
}

/** More than the requests of any bridge between two saves, so that no message id is used again after a crash (docs/protocol.md §1.7). */
const MESSAGE_ID_LEAP = 10_000

/** After a pause of the process all plugs are polled within this time. */
const RESUME_SPREAD_MS = 1000

/** Most plugs have no warning: they need no list of their own. */
const NO_WARNINGS: readonly string[] = []

/** A configured plug and everything that runs for it. There may be ten thousand: what they share is in `PlugEnvironment`. */
export class ManagedPlug implements Plug, DeviceListener {
  readonly name: string
  readonly device: Device
  readonly commandTimeout: number
  /** Warnings about settings that the model of the plug does not support, each with its path. */
  ignored = NO_WARNINGS
  readonly #config: DeviceConfig
  readonly #environment: PlugEnvironment
  readonly #client: MiioClient
  readonly #transport: PlugTransport
  /**
   * Whether the stored state proves the token: a response came with it in an earlier run. False when the stored state was found by the
   * device id, because it may belong to an older token.
   */
  readonly #isTokenProvenByState: boolean
  readonly #poller: Poller
  #warnedOwner: string | undefined
  #isIdentifiedSinceOffline = false

  constructor({name, config, poll}: PlugSettings, environment: PlugEnvironment, firstDelay: number) {
    const {clock, random, store, socket, owners, discovery, findModel, capabilitiesOf} = environment
    const remembered = store.find({id: config.id, token: config.token, host: config.host})
    const settings = pollSettingsOf(poll, config.poll)
    this.name = name
    this.#config = config
    this.#environment = environment
    this.#isTokenProvenByState = remembered !== undefined && config.id === undefined
    this.commandTimeout = settings.command_timeout
    this.#client = new MiioClient({
      socket,
      clock,
      random,
      token: Buffer.from(config.token.reveal(), 'hex'),
      // The address of the last response is newer than the one in the configuration, unless that was edited since.
      host: remembered?.configuredHost === config.host ? (remembered?.host ?? config.host) : config.host,
      port: config.port,
      did: config.id ?? remembered?.did,
      nextId: remembered?.messageId === undefined ? undefined : remembered.messageId + MESSAGE_ID_LEAP,
      trace: () => {
        const {log} = environment
        return log.level === 'trace' ? (packet) => log.trace(traceLine(packet), {device: name}) : undefined
      },
      events: this,
    })
    this.#transport = new PlugTransport({name, client: this.#client, owners, discovery, user: this})
    this.device = new Device({
      name,
      transport: this.#transport,
      clock,
      offlineAfter: settings.offline_after,
      identity: identityOf({...remembered, model: config.model ?? remembered?.model}),
      findModel,
      capabilitiesOf,
      adjust: hasOverrides(config) ? (model) => this.#withOverrides(model) : undefined,
      energy: new PlugEnergy(this, environment.energyStore, settings, config.properties?.['energy']?.source),
      failureContext: () => ({
        host: this.#client.host,
        address: this.#client.address,
        proven: this.#isTokenProvenByState || this.#client.stats.lastSeen !== undefined,
        local: () => localAddresses(clock),
      }),
    })
    const {pollLimit: limit} = environment
    this.#poller = new Poller({device: this.device, clock, random, settings, firstDelay, limit})
  }

  get disabled(): boolean {
    return this.#config.disabled
  }

  get description(): string | undefined {
    return this.#config.description
  }

  get area(): string | undefined {
    return this.#config.area
  }

  get icon(): string | undefined {
    return this.#config.icon
  }

  get display(): DisplayOptions {
    return this.#config
  }

  /** `undefined` also while another plug owns the device id: it is announced, stored and searched for as that plug only. */
  get did(): number | undefined {
    return this.duplicateOf === undefined ? this.#client.did : undefined
  }

  get duplicateOf(): string | undefined {
    return this.#transport.owner
  }

  get address(): string | undefined {
    return this.#client.host
  }

  get lastResponseAt(): number | undefined {
    return this.device.tracker.lastResponseAt
  }

  get isFailing(): boolean {
    return this.device.tracker.isFailing
  }

  statistics(): PlugStatistics {
    const {requests, timeouts, retries, p50, p95} = this.#client.stats
    return {requests, timeouts, retries, latency_p50: rounded(p50), latency_p95: rounded(p95)}
  }

  /** By how many milliseconds the next poll is overdue. */
  overdue(): number {
    return this.#poller.overdue()
  }

  /** The process was paused, and values that depend on the time may be wrong: polls the plug again within a second. */
  resumed(): void {
    this.#client.forgetClock()
    if (!this.disabled) this.#poller.pollNow(RESUME_SPREAD_MS)
  }

  start(): void {
    this.device.listener = this
    if (this.disabled) this.device.tracker.suspend('disabled')
    else this.#poller.start()
  }

  /** Fails the requests that wait, and stores the state. @param grace milliseconds for a command that is under way */
  async stop(grace: number): Promise<void> {
    this.#transport.stop()
    this.#poller.stop()
    await this.device.stop(grace)
    this.#remember()
    this.#transport.release()
  }

  // What the device reports. The bridge has each event first, so that in the log all that follows from it comes after it.

  stateChanged(): void {
    this.#environment.listener.stateChanged?.(this)
  }

  availabilityChanged(availability: Availability): void {
    this.#environment.listener.availabilityChanged?.(this, availability)
    if (availability.state === 'online') this.#cameOnline()
    else this.#isIdentifiedSinceOffline = false
  }

  pollFailed(error: unknown): void {
    this.#environment.listener.pollFailed?.(this, error)
    this.#transport.search(error)
  }

  answeredWhileAway(): void {
    this.#poller.pollNow()
  }

  metadataChanged(): void {
    this.#environment.listener.metadataChanged?.(this)
  }

  warning(text: string): void {
    this.#warn(`${plugLabel(this)}: ${text}`)
  }

  identified(): void {
    this.#environment.listener.identified?.(this)
    this.#isIdentifiedSinceOffline = true
    const {model} = this.device.identity
    const configured = this.#config.model
    if (configured !== undefined && model !== undefined && configured !== model)
      this.#warn(
        `${plugLabel(this)}: its model in the configuration is ${configured}, but the plug reports ${model}: remove \`model:\` or correct it`,
      )
    this.#remember()
  }

  // What the miIO client reports.

  deviceIdProven(): void {
    if (this.#transport.prove()) this.#remember()
  }

  rebooted(): void {
    this.#environment.listener.plugEvent?.('device_rebooted', {name: this.name, did: this.did})
  }

  // What the transport reports and needs.

  enqueue<T>(run: () => Promise<T>): Promise<T> {
    return this.device.enqueue(run)
  }

  /** @param owner the plug that owns the device id now; `undefined` when this plug may be polled again */
  ownerChanged(owner: string | undefined, reason: string): void {
    this.#poller.stop()
    if (owner === undefined) {
      this.device.tracker.resume()
      this.#poller.start()
      return
    }
    if (this.#warnedOwner !== owner) this.#warn(`${reason}; remove one of them from the configuration`)
    this.#warnedOwner = owner
    this.device.tracker.suspend('duplicate')
  }

  moved(from: string | undefined, to: string): void {
    const {log, listener} = this.#environment
    const {name, did} = this
    const text =
      from === undefined ? `has the address ${to} now (before: unknown)` : `moved from ${from} to ${to}`
    log.info(`${name} ${text}`, {device: name})
    listener.plugEvent?.('device_moved', {name, did, from, to})
    this.#remember()
  }

  /** The plug may have just responded: no need to wait for the back-off. */
  tried(): void {
    this.#poller.pollNow()
  }

  /** The model with the overrides of the configuration. Overrides that do not fit are ignored with a warning: the plug still works. */
  #withOverrides(model: Model): Model {
    const {properties} = this.#config
    const {model: adjusted, problems} = properties ? applyOverrides(model, properties) : {model, problems: []}
    this.ignored = [
      ...unknownDisplayProperties(this.display, model).map(
        (problem) => `devices.${this.name}: ignored ${problem}`,
      ),
      ...(problems.length > 0 ? [`devices.${this.name}.properties: ignored ${problems.join('; ')}`] : []),
    ]
    for (const warning of this.ignored) this.#warn(warning)
    return adjusted
  }

  #cameOnline(): void {
    this.#transport.cancelSearch()
    if (this.#isIdentifiedSinceOffline) return
    // The firmware may have changed. A plug that does not report it works nevertheless, and no caller waits for the result.
    this.device.identify({tries: ONCE}).catch((error: unknown) => {
      if (!isExpectedFailure(error)) throw error
    })
  }

  /** Stores what is known of the plug. */
  #remember(): void {
    const {did} = this
    const {token, host: configuredHost} = this.#config
    const {host, nextId: messageId} = this.#client
    if (did === undefined) return
    this.#environment.store.remember(did, token, {
      name: this.name,
      ...this.device.identity,
      host,
      configuredHost,
      messageId,
    })
  }

  #warn(text: string): void {
    this.#environment.log.warn(text, {device: this.name})
  }
}

/** Plugs without settings of their own share those of all plugs. */
function pollSettingsOf(poll: Config['poll'], own: DeviceConfig['poll']): Config['poll'] & PollSettings {
  // The model limits how often its firmware is polled, unless the user has configured an interval for this plug.
  return own ? {...poll, ...own, ignoresModelInterval: own.interval !== undefined} : poll
}

/** Whether the configuration says something about single properties, which the model may not have. */
function hasOverrides({properties, filtered, homeassistant}: DeviceConfig): boolean {
  return (properties ?? filtered ?? homeassistant?.entities) !== undefined
}

/** To tenths of a millisecond; `null` for a missing value. */
function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10
}

const IDENTITY = ['model', 'firmware', 'hardware', 'mac'] as const

/** The part of the stored state that the plug has reported about itself. */
function identityOf(stored: {[key in keyof Identity]?: string | undefined}): Identity {
  const known = IDENTITY.filter((key) => stored[key] !== undefined)
  return Object.fromEntries(known.map((key) => [key, stored[key]]))
}
