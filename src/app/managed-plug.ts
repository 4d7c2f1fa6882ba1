/** One configured plug: its miIO client, device session, poller and stored state. Finds the plug when its address changes. */
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
import {Device, type DeviceOptions} from '../device/device.ts'
import type {Identity} from '../device/model-resolver.ts'
import type {PollLimit} from '../device/polling/poll-limit.ts'
import {Poller, type PollSettings, pollIntervals} from '../device/polling/poller.ts'
import type {EnergyTrackingOptions} from '../device/state/energy-tracking.ts'
import {ONCE} from '../device/transport.ts'
import type {PinoLog} from '../log/logger.ts'
import {MiioClient} from '../miio/client.ts'
import type {NetworkDiscovery} from '../miio/discovery.ts'
import {traceLine} from '../miio/packet-trace.ts'
import type {UdpTransport} from '../miio/socket.ts'
import type {Catalogue} from '../models/catalogue.ts'
import type {Model} from '../models/model.ts'
import type {EnergyStore} from '../storage/energy-store.ts'
import type {StateStore} from '../storage/state-store.ts'
import type {DeviceIdOwners} from './device-id-owners.ts'
import {PlugTransport} from './plug-transport.ts'

export interface ManagedPlugOptions {
  name: string
  config: DeviceConfig
  poll: Config['poll']
  socket: UdpTransport
  discovery: NetworkDiscovery
  store: StateStore
  energyStore: EnergyStore
  owners: DeviceIdOwners
  pollLimit: PollLimit
  catalogue: Catalogue
  capabilitiesOf: NonNullable<DeviceOptions['capabilitiesOf']>
  clock: Clock
  random: Random
  log: PinoLog
  event: (type: 'device_moved' | 'device_rebooted', data: Record<string, unknown>) => void
}

/** More than the requests of any bridge between two saves, so that no message id is used again after a crash (docs/protocol.md §1.7). */
const MESSAGE_ID_LEAP = 10_000

/** Between two power readings that are further apart than so many polls, the power may have had any value: no energy is counted. */
const MOST_POLLS_APART = 3

/** After a pause of the process all plugs are polled within this time. */
const RESUME_SPREAD_MS = 1000

/** A configured plug and everything that runs for it. */
export class ManagedPlug implements Plug {
  readonly name: string
  readonly device: Device
  readonly disabled: boolean
  readonly description: string | undefined
  readonly area: string | undefined
  readonly icon: string | undefined
  readonly display: DisplayOptions
  readonly commandTimeout: number
  /** Warnings about settings that the model of the plug does not support, each with its path. */
  ignored: readonly string[] = []
  readonly #options: ManagedPlugOptions
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

  constructor(options: ManagedPlugOptions, firstDelay: number) {
    const {name, config, poll, clock, random, store} = options
    const remembered = store.find({id: config.id, token: config.token, host: config.host})
    this.#options = options
    this.#isTokenProvenByState = remembered !== undefined && config.id === undefined
    this.name = name
    this.disabled = config.disabled
    this.description = config.description
    this.area = config.area
    this.icon = config.icon
    const {qos, retain, filtered, homeassistant} = config
    this.display = {qos, retain, filtered, homeassistant}
    // The model limits how often its firmware is polled, unless the user has configured an interval for this plug.
    const settings = {...poll, ...config.poll, usesModelInterval: config.poll?.interval === undefined}
    this.commandTimeout = settings.command_timeout
    this.#client = new MiioClient({
      socket: options.socket,
      clock,
      random,
      token: Buffer.from(config.token.reveal(), 'hex'),
      // The address of the last response is newer than the one in the configuration, unless that was edited since.
      host: remembered?.configuredHost === config.host ? (remembered?.host ?? config.host) : config.host,
      port: config.port,
      did: config.id ?? remembered?.did,
      nextId: remembered?.messageId === undefined ? undefined : remembered.messageId + MESSAGE_ID_LEAP,
      trace: () => {
        const {log} = options
        return log.level === 'trace' ? (packet) => log.trace(traceLine(packet), {device: name}) : undefined
      },
      events: {
        deviceIdProven: () => {
          if (this.#transport.prove()) this.#remember()
        },
        rebooted: () => options.event('device_rebooted', {name, did: this.did}),
      },
    })
    this.#transport = new PlugTransport({
      name,
      client: this.#client,
      owners: options.owners,
      discovery: options.discovery,
      enqueue: (run) => this.device.enqueue(run),
      onOwnerChanged: (owner, reason) => this.#ownerChanged(owner, reason),
      onMoved: (from, to) => this.#moved(from, to),
      onTried: () => this.#poller.pollNow(), // the plug may have just responded: no need to wait for the backoff
    })
    this.device = new Device({
      name,
      transport: this.#transport,
      clock,
      offlineAfter: settings.offline_after,
      identity: identityOf({...remembered, model: config.model ?? remembered?.model}),
      findModel: (id) => options.catalogue.find(id),
      capabilitiesOf: options.capabilitiesOf,
      adjust: (model) => this.#withOverrides(model),
      energy: this.#energy(settings),
      failureContext: () => ({
        host: this.#client.host,
        address: this.#client.address,
        proven: this.#isTokenProvenByState || this.#client.stats.lastSeen !== undefined,
        local: () => localAddresses(clock),
      }),
    })
    const {pollLimit: limit} = options
    this.#poller = new Poller({device: this.device, clock, random, settings, firstDelay, limit})
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
    if (this.disabled) {
      this.device.tracker.suspend('disabled')
      return
    }
    this.device.on('identified', () => this.#identified())
    this.device.on('availability', ({state}) => {
      if (state === 'online') this.#cameOnline()
      else this.#isIdentifiedSinceOffline = false
    })
    this.device.on('pollFailed', (error) => this.#transport.search(error))
    this.device.on('warning', (text) => this.#warn(`${plugLabel(this)}: ${text}`))
    this.#poller.start()
  }

  /** Fails the requests that wait, and stores the state. @param grace milliseconds for a command that is under way */
  async stop(grace: number): Promise<void> {
    this.#transport.stop()
    this.#poller.stop()
    await this.device.stop(grace)
    this.#remember()
    this.#transport.release()
  }

  /** @param owner the plug that owns the device id now; `undefined` when this plug may be polled again */
  #ownerChanged(owner: string | undefined, reason: string): void {
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

  #moved(from: string | undefined, to: string): void {
    const {log, event} = this.#options
    const {name, did} = this
    const text =
      from === undefined ? `has the address ${to} now (before: unknown)` : `moved from ${from} to ${to}`
    log.info(`${name} ${text}`, {device: name})
    event('device_moved', {name, did, from, to})
    this.#remember()
  }

  /** The model with the overrides of the configuration. Overrides that do not fit are ignored with a warning: the plug still works. */
  #withOverrides(model: Model): Model {
    const {config} = this.#options
    const {model: adjusted, problems} = config.properties
      ? applyOverrides(model, config.properties)
      : {model, problems: []}
    this.ignored = [
      ...unknownDisplayProperties(this.display, model).map(
        (problem) => `devices.${this.name}: ignored ${problem}`,
      ),
      ...(problems.length > 0 ? [`devices.${this.name}.properties: ignored ${problems.join('; ')}`] : []),
    ]
    for (const warning of this.ignored) this.#warn(warning)
    return adjusted
  }

  #energy(settings: PollSettings): EnergyTrackingOptions {
    const {config, energyStore} = this.#options
    return {
      source: config.properties?.['energy']?.source,
      gap: (model) =>
        MOST_POLLS_APART * pollIntervals(settings, model)[model.properties['power']?.lane ?? 'fast'],
      storage: {
        pending: () => (this.did === undefined ? undefined : energyStore.pending(this.did)),
        persisted: () => (this.did === undefined ? undefined : energyStore.persisted(this.did)),
        record: (memory) => {
          if (this.did !== undefined) energyStore.record(this.did, memory)
        },
      },
    }
  }

  #cameOnline(): void {
    this.#transport.cancelSearch()
    if (this.#isIdentifiedSinceOffline) return
    // The firmware may have changed. A plug that does not report it works nevertheless, and no caller waits for the result.
    this.device.identify({tries: ONCE}).catch((error: unknown) => {
      if (!isExpectedFailure(error)) throw error
    })
  }

  #identified(): void {
    this.#isIdentifiedSinceOffline = true
    const {model} = this.device.identity
    const configured = this.#options.config.model
    if (configured !== undefined && model !== undefined && configured !== model)
      this.#warn(
        `${plugLabel(this)}: its model in the configuration is ${configured}, but the plug reports ${model}: remove \`model:\` or correct it`,
      )
    this.#remember()
  }

  /** Stores what is known of the plug. */
  #remember(): void {
    const {did} = this
    const {store, config, name} = this.#options
    const {host, nextId: messageId} = this.#client
    if (did === undefined) return
    store.remember(did, config.token, {
      name,
      ...this.device.identity,
      host,
      configuredHost: config.host,
      messageId,
    })
  }

  #warn(text: string): void {
    this.#options.log.warn(text, {device: this.name})
  }
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
