/** ManagedPlug: one configured plug with its connection, device and poller, and what is stored about it over restarts. */
import {
  type DisplayOptions,
  type Plug,
  type PlugStatistics,
  unknownDisplayProperties,
} from '../bridge/plug.ts'
import type {Clock, Random} from '../common/clock.ts'
import {localAddresses} from '../common/local-addresses.ts'
import type {Config, DeviceConfig} from '../config/config.ts'
import {applyOverrides} from '../device/codec/model-overrides.ts'
import {isCallFailure, isExpectedFailure} from '../device/command-error.ts'
import {Device, type DeviceOptions} from '../device/device.ts'
import type {FailureContext} from '../device/diagnosis.ts'
import type {Identity} from '../device/model-resolver.ts'
import {Poller, type PollSettings, pollIntervals} from '../device/polling/poller.ts'
import type {EnergyTrackingOptions} from '../device/state/energy-tracking.ts'
import {type CallOptions, ONCE} from '../device/transport.ts'
import type {RootLog} from '../log/logger.ts'
import {MiioClient} from '../miio/client.ts'
import type {NetworkDiscovery} from '../miio/discovery.ts'
import {MiioError} from '../miio/miio-error.ts'
import {traceLine} from '../miio/packet-trace.ts'
import type {UdpTransport} from '../miio/socket.ts'
import type {Catalogue} from '../models/catalogue.ts'
import type {Model} from '../models/model.ts'
import type {EnergyStore} from '../storage/energy-store.ts'
import type {StateStore} from '../storage/state-store.ts'
import type {Claimant, DeviceOwners} from './device-owners.ts'

export interface ManagedPlugOptions {
  name: string
  config: DeviceConfig
  poll: Config['poll']
  socket: UdpTransport
  discovery: NetworkDiscovery
  store: StateStore
  ledger: EnergyStore
  owners: DeviceOwners
  catalogue: Catalogue
  capabilitiesOf: NonNullable<DeviceOptions['capabilitiesOf']>
  clock: Clock
  random: Random
  log: RootLog
  event: (type: 'device_moved' | 'device_rebooted', data: Record<string, unknown>) => void
}

/** More requests than any bridge sends between two saves, so that no message id is used again after a crash (docs/protocol.md §1.7). */
const ID_LEAP = 10_000

/** Power readings further apart than so many polls are not joined: the power may have had any value in between. */
const POLLS_BRIDGED = 3

/** After a pause of the process all plugs are polled within this time. */
const RESUME_SPREAD_MS = 1000

export class ManagedPlug implements Plug, Claimant {
  readonly name: string
  readonly device: Device
  readonly disabled: boolean
  readonly description: string | undefined
  readonly area: string | undefined
  readonly icon: string | undefined
  readonly display: DisplayOptions
  /** How long a command for the plug lives, milliseconds. */
  readonly commandTimeout: number
  readonly #options: ManagedPlugOptions
  readonly #client: MiioClient
  /** Whether the plug answered under this token in an earlier run. A stored device with only the same id may have had another token. */
  readonly #isProvenBefore: boolean
  readonly #poller: Poller
  readonly #firstDelay: number
  /** The configured plug that is the same device, and owns it. */
  #duplicateOf: string | undefined
  /** The owner that the last warning named. */
  #warnedOf: string | undefined
  #ignored: readonly string[] = []
  #isStopped = false
  #isMoving = false
  /** Whether the plug reported its identity since it was last offline. */
  #isIdentified = false

  /** @param firstDelay milliseconds until the first poll, so that many plugs do not start on one tick */
  constructor(options: ManagedPlugOptions, firstDelay: number) {
    const {name, config, poll, clock, random, store} = options
    const stored = store.find({id: config.id, token: config.token, host: config.host})
    this.#options = options
    this.#firstDelay = firstDelay
    this.#isProvenBefore = stored !== undefined && config.id === undefined
    this.name = name
    this.disabled = config.disabled
    this.description = config.description
    this.area = config.area
    this.icon = config.icon
    this.display = displayOptionsIn(config)
    // A user who configures an interval for one plug knows what its firmware can take. Otherwise its model decides.
    const settings = {...poll, ...config.poll, gentle: config.poll?.interval === undefined}
    this.commandTimeout = settings.command_timeout
    this.#client = new MiioClient({
      socket: options.socket,
      clock,
      random,
      token: Buffer.from(config.token.reveal(), 'hex'),
      // The stored address is newer than the configured one, unless the configuration was edited since.
      host: stored?.configuredHost === config.host ? (stored?.host ?? config.host) : config.host,
      port: config.port,
      did: config.id ?? stored?.did,
      nextId: stored?.messageId === undefined ? undefined : stored.messageId + ID_LEAP,
      trace: (packet) => options.log.trace(traceLine(packet), {device: name}),
      isTraced: () => options.log.level === 'trace',
      events: {
        deviceIdProven: (did) => {
          if (options.owners.prove(did, this)) this.#remember(did)
        },
        rebooted: () => options.event('device_rebooted', {name, did: this.did}),
      },
    })
    this.device = new Device({
      name,
      transport: {
        call: (method, params, calling) => this.#call(method, params, calling),
        close: () => this.#client.close(),
      },
      clock,
      offlineAfter: settings.offline_after,
      identity: identityOf({...stored, model: config.model ?? stored?.model}),
      findModel: (id) => options.catalogue.find(id),
      capabilitiesOf: options.capabilitiesOf,
      adjust: (model) => this.#adjusted(model),
      energy: this.#energy(settings),
      circumstances: () => this.#circumstances(),
    })
    this.#poller = new Poller({device: this.device, clock, random, settings})
  }

  /** `undefined` also while another plug owns the device: announcing, storing and searching it is up to that one alone. */
  get did(): number | undefined {
    return this.#duplicateOf === undefined ? this.#client.did : undefined
  }

  get duplicateOf(): string | undefined {
    return this.#duplicateOf
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

  /** Parts of its configuration that its model does not have, each with its path. */
  get ignored(): readonly string[] {
    return this.#ignored
  }

  /** How many milliseconds its next poll, or a request, is overdue. */
  overdue(): number {
    return this.#poller.overdue()
  }

  /** The process was paused: clocks and states may be outdated, so the plug is polled again within a second. */
  resumed(): void {
    this.#client.forgetClock()
    if (!this.disabled) this.#poller.pollNow(RESUME_SPREAD_MS)
  }

  start(): void {
    const {device} = this
    if (this.disabled) {
      device.tracker.suspend('disabled')
      return
    }
    device.on('identified', () => this.#identified())
    device.on('availability', ({state}) => {
      if (state === 'online') this.#cameOnline()
      else this.#isIdentified = false
    })
    device.on('pollFailed', (error) => this.#search(error))
    device.on('warning', (text) =>
      this.#options.log.warn(`${this.name}: the plug ${text}`, {device: this.name}),
    )
    this.#poller.start(this.#firstDelay)
  }

  /** Answers the commands that wait, gives one under way `grace` milliseconds to end, and stores what is known of the plug. */
  async stop(grace: number): Promise<void> {
    this.#isStopped = true
    this.#poller.stop()
    if (this.did !== undefined) this.#options.discovery.forget(this.did)
    await this.device.stop(grace)
    if (this.did !== undefined) this.#remember(this.did)
    this.#options.owners.release(this.#client.did, this)
  }

  yieldTo(owner: string): void {
    if (this.#duplicateOf === owner) return
    this.#duplicateOf = owner
    this.#poller.stop()
    const {did} = this.#client
    const {log, discovery} = this.#options
    if (did !== undefined) discovery.forget(did)
    if (this.#warnedOf !== owner)
      log.warn(`${duplicateText(this.name, owner, did)}: remove one of them from the configuration`, {
        device: this.name,
      })
    this.#warnedOf = owner
    this.device.tracker.suspend('duplicate')
  }

  takeOver(): void {
    if (this.#isStopped) return
    this.#duplicateOf = undefined
    this.device.tracker.resume()
    this.#poller.stop()
    this.#poller.start()
  }

  /** The device's transport: refuses requests to a device that another plug owns. */
  async #call(method: string, params: unknown, options: CallOptions = {}): Promise<unknown> {
    const {owners} = this.#options
    if (this.#duplicateOf !== undefined || !this.#isOurs((did) => owners.mayAsk(did, this)))
      throw this.#notOurs()
    try {
      const result = await this.#client.call(method, params, options)
      if (!this.#isOurs((did) => owners.prove(did, this))) throw this.#notOurs()
      return result
    } catch (error) {
      const {did} = this.#client
      if (did !== undefined && isCallFailure(error) && error.code !== 'refused') owners.giveUp(did, this)
      throw error
    }
  }

  #isOurs(isOwned: (did: number) => boolean): boolean {
    const {did} = this.#client
    return did === undefined || isOwned(did)
  }

  #notOurs(): MiioError {
    const text = duplicateText(this.name, this.#duplicateOf ?? 'another plug', this.#client.did)
    return new MiioError('unreachable', 'send', text)
  }

  /** The model with the overrides of the configuration. Overrides that do not fit the model are ignored: the plug still switches. */
  #adjusted(model: Model): Model {
    const {config, log} = this.#options
    const {model: adjusted, problems} = config.properties
      ? applyOverrides(model, config.properties)
      : {model, problems: []}
    this.#ignored = [
      ...unknownDisplayProperties(this.display, model).map(
        (problem) => `devices.${this.name}: ignored ${problem}`,
      ),
      ...(problems.length > 0 ? [`devices.${this.name}.properties: ignored ${problems.join('; ')}`] : []),
    ]
    for (const warning of this.#ignored) log.warn(warning, {device: this.name})
    return adjusted
  }

  #circumstances(): FailureContext {
    const {host, address, greeted, stats} = this.#client
    const {clock} = this.#options
    return {
      host,
      address,
      greeted,
      proven: this.#isProvenBefore || stats.lastSeen !== undefined,
      local: () => localAddresses(clock),
    }
  }

  #energy(settings: PollSettings): EnergyTrackingOptions {
    const {config, ledger} = this.#options
    return {
      source: config.properties?.['energy']?.source,
      gap: (model) =>
        POLLS_BRIDGED * pollIntervals(settings, model)[model.properties['power']?.lane ?? 'fast'],
      storage: {
        pending: () => (this.did === undefined ? undefined : ledger.pending(this.did)),
        persisted: () => (this.did === undefined ? undefined : ledger.persisted(this.did)),
        record: (memory) => {
          if (this.did !== undefined) ledger.record(this.did, memory)
        },
      },
    }
  }

  #cameOnline(): void {
    if (this.did !== undefined) this.#options.discovery.forget(this.did)
    if (this.#isIdentified) return
    // Its firmware may be another than before. A plug that does not answer this is still usable, and no caller waits for the answer.
    this.device.identify({tries: ONCE}).catch((error: unknown) => {
      if (!isExpectedFailure(error)) throw error
    })
  }

  #identified(): void {
    this.#isIdentified = true
    const {model} = this.device.identity
    const configured = this.#options.config.model
    if (configured !== undefined && model !== undefined && configured !== model)
      this.#options.log.warn(`${this.name} is configured as ${configured}, but says it is a ${model}`, {
        device: this.name,
      })
    if (this.did !== undefined) this.#remember(this.did)
  }

  #remember(did: number): void {
    const {store, config, name} = this.#options
    const {host, nextId} = this.#client
    store.remember(did, config.token, {
      name,
      ...this.device.identity,
      host,
      configuredHost: config.host,
      messageId: nextId,
    })
  }

  /** A plug is identified by its device id: when it is silent at its address, a broadcast may find it at another (docs/promises.md 39). */
  #search(error: unknown): void {
    const {did} = this
    const isAway = isCallFailure(error) && (error.code === 'timeout' || error.code === 'unreachable')
    if (did !== undefined && isAway)
      this.#options.discovery.find(did, ({host, port}) => this.#tryAddress(host, port))
  }

  /** A hello reply with the plug's device id came from this address. */
  async #tryAddress(host: string, port: number): Promise<void> {
    if (this.#isMoving || this.#duplicateOf !== undefined) return
    this.#isMoving = true
    try {
      const before = this.address
      if (before === host || !(await this.device.enqueue(() => this.#client.moveTo(host, port)))) return
      this.#options.log.info(`${this.name} moved from ${before ?? 'nowhere'} to ${host}`, {device: this.name})
      this.#options.event('device_moved', {name: this.name, did: this.did, from: before, to: host})
      if (this.did !== undefined) this.#remember(this.did)
    } catch (error) {
      if (!isExpectedFailure(error)) throw error // the request was given up by the queue
    } finally {
      this.#isMoving = false
      this.#poller.pollNow() // a device with its id answers: no need to wait for the back-off
    }
  }
}

function duplicateText(name: string, owner: string, did: number | undefined): string {
  return `${name} is the same plug as ${owner} (device id ${did}), and is left alone`
}

/** To tenths of a millisecond. */
function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10
}

function displayOptionsIn({qos, retain, filtered, homeassistant}: DeviceConfig): DisplayOptions {
  return {qos, retain, filtered, homeassistant}
}

/** The parts of a stored plug that the plug once reported of itself. */
function identityOf({
  model,
  firmware,
  hardware,
  mac,
}: {[key in keyof Identity]?: string | undefined}): Identity {
  const parts = Object.entries({model, firmware, hardware, mac})
  return Object.fromEntries(parts.filter(([, value]) => value !== undefined))
}
