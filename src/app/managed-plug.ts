/** Joins what belongs to one configured plug: its way over the wire, the device, when it is polled, and what is remembered of it. */
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
import {CommandError, isCallFailure} from '../device/command-error.ts'
import {Device, type DeviceOptions} from '../device/device.ts'
import type {FailureContext} from '../device/diagnosis.ts'
import type {Identity} from '../device/model/identity.ts'
import {Poller, type PollSettings, pollIntervals} from '../device/polling/poller.ts'
import type {EnergyTrackingOptions} from '../device/state/energy-tracking.ts'
import type {CallOptions} from '../device/transport.ts'
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
  toleranceOf: NonNullable<DeviceOptions['toleranceOf']>
  clock: Clock
  random: Random
  log: RootLog
  event: (type: 'device_moved' | 'device_rebooted', data: Record<string, unknown>) => void
}

/** More than any bridge asks between two saves, so that an id is not used again after a crash (docs/protocol.md §1.7). */
const ID_LEAP = 10_000

/** Watts that were told longer ago than so many polls may have been any since. */
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
  readonly commandTimeout: number
  readonly #options: ManagedPlugOptions
  readonly #client: MiioClient
  /** Whether it answered under this token in an earlier run. What is found by the id alone may have had another one. */
  readonly #isRemembered: boolean
  readonly #newPoller: (firstDelay: number) => Poller
  #poller: Poller
  /** The configured plug that is the same device, and has it. */
  #twin: string | undefined
  #wasWarnedOf: string | undefined
  #ignored: readonly string[] = []
  #stopped = false
  #moving = false
  /** Whether it told who it is since it was last away. */
  #introduced = false

  constructor(options: ManagedPlugOptions, firstDelay: number) {
    const {name, config, poll, clock, random, store} = options
    const remembered = store.find({id: config.id, token: config.token, host: config.host})
    this.#options = options
    this.#isRemembered = remembered !== undefined && config.id === undefined
    this.name = name
    this.disabled = config.disabled
    this.description = config.description
    this.area = config.area
    this.icon = config.icon
    this.display = appearanceIn(config)
    // Who gives a plug an interval of its own knows what its firmware can take; everybody else is told by its model.
    const settings = {...poll, ...config.poll, gentle: config.poll?.interval === undefined}
    this.commandTimeout = settings.command_timeout
    this.#client = new MiioClient({
      socket: options.socket,
      clock,
      random,
      token: Buffer.from(config.token.reveal(), 'hex'),
      // Where it was last heard is newer news than the file, unless the file was edited since: then that is where to look first.
      host: remembered?.configuredHost === config.host ? (remembered?.host ?? config.host) : config.host,
      port: config.port,
      did: config.id ?? remembered?.did,
      nextId: remembered?.messageId === undefined ? undefined : remembered.messageId + ID_LEAP,
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
      identity: identityOf({...remembered, model: config.model ?? remembered?.model}),
      findModel: (id) => options.catalogue.find(id),
      toleranceOf: options.toleranceOf,
      adjust: (model) => this.#adjusted(model),
      energy: this.#energy(settings),
      circumstances: () => this.#circumstances(),
    })
    this.#newPoller = (delay) => new Poller({device: this.device, clock, random, settings, firstDelay: delay})
    this.#poller = this.#newPoller(firstDelay)
  }

  /** `undefined` also while the device is another plug's: it is told, kept and looked for as that one alone. */
  get did(): number | undefined {
    return this.#twin === undefined ? this.#client.did : undefined
  }

  get duplicateOf(): string | undefined {
    return this.#twin
  }

  get address(): string | undefined {
    return this.#client.host
  }

  get lastResponseAt(): number | undefined {
    return this.#poller.answeredAt
  }

  get isFailing(): boolean {
    return this.#poller.failing
  }

  statistics(): PlugStatistics {
    const {requests, timeouts, retries, p50, p95} = this.#client.stats
    return {requests, timeouts, retries, latency_p50: rounded(p50), latency_p95: rounded(p95)}
  }

  /** What of its configuration its model has not got, each with its path. */
  get ignored(): readonly string[] {
    return this.#ignored
  }

  /** How many milliseconds its next poll is overdue. */
  overdue(): number {
    return this.#poller.overdue()
  }

  /** The process was paused: nothing that depends on time is certain any more, so the plug is polled again within a moment. */
  resumed(): void {
    this.#client.forgetClock()
    if (!this.disabled) this.#poller.pollNow(RESUME_SPREAD_MS)
  }

  start(): void {
    if (this.disabled) {
      this.device.setAvailability({state: 'offline', reason: 'disabled', since: this.#options.clock.date()})
      return
    }
    this.device.on('identified', () => this.#identified())
    this.device.on('availability', ({state}) => {
      if (state === 'online') this.#answers()
      else this.#introduced = false
    })
    this.device.on('pollFailed', (error) => this.#lookElsewhere(error))
    this.device.on('warning', (text) =>
      this.#options.log.warn(`${this.name}: the plug ${text}`, {device: this.name}),
    )
    this.#poller.start()
  }

  /** Answers what waits, gives a command under way `grace` milliseconds, and forgets nothing. */
  async stop(grace: number): Promise<void> {
    this.#stopped = true
    this.#poller.stop()
    if (this.did !== undefined) this.#options.discovery.forget(this.did)
    await this.device.stop(grace)
    if (this.did !== undefined) this.#remember(this.did)
    this.#options.owners.release(this.#client.did, this)
  }

  yieldTo(owner: string): void {
    if (this.#twin === owner) return
    this.#twin = owner
    this.#poller.stop()
    const {did} = this.#client
    const {log, clock, discovery} = this.#options
    if (did !== undefined) discovery.forget(did)
    if (this.#wasWarnedOf !== owner)
      log.warn(`${sameDevice(this.name, owner, did)}: remove one of them from the configuration`, {
        device: this.name,
      })
    this.#wasWarnedOf = owner
    this.device.setAvailability({state: 'offline', reason: 'duplicate', since: clock.date()})
  }

  takeOver(): void {
    if (this.#stopped) return
    this.#twin = undefined
    this.#poller.stop()
    this.#poller = this.#newPoller(0)
    this.#poller.start()
  }

  /** Every question but that for its address goes this way, so that the device has one request in flight, whoever asks. */
  async #call(method: string, params: unknown, options: CallOptions = {}): Promise<unknown> {
    const {owners} = this.#options
    if (this.#twin !== undefined || !this.#isOurs((did) => owners.mayRequest(did, this)))
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

  #isOurs(judged: (did: number) => boolean): boolean {
    const {did} = this.#client
    return did === undefined || judged(did)
  }

  #notOurs(): MiioError {
    const text = sameDevice(this.name, this.#twin ?? 'another plug', this.#client.did)
    return new MiioError('unreachable', 'send', text)
  }

  /** The model as the configuration corrects it. What it cannot correct is no reason to stop: the plug still switches. */
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
      proven: this.#isRemembered || stats.lastSeen !== undefined,
      local: () => localAddresses(clock),
    }
  }

  #energy(settings: PollSettings): EnergyTrackingOptions {
    const {config, ledger} = this.#options
    return {
      source: config.properties?.['energy']?.source,
      gap: (model) =>
        POLLS_BRIDGED * pollIntervals(settings, model)[model.properties['power']?.lane ?? 'fast'],
      book: {
        pending: () => (this.did === undefined ? undefined : ledger.pending(this.did)),
        persisted: () => (this.did === undefined ? undefined : ledger.persisted(this.did)),
        record: (memory) => {
          if (this.did !== undefined) ledger.record(this.did, memory)
        },
      },
    }
  }

  #answers(): void {
    if (this.did !== undefined) this.#options.discovery.forget(this.did)
    if (this.#introduced) return
    // Its firmware may be another than before. A plug that does not tell is still a plug, and nobody waits for it to.
    this.device.identify({tries: 1}).catch((error: unknown) => {
      if (!isCallFailure(error) && !(error instanceof CommandError)) throw error
    })
  }

  #identified(): void {
    this.#introduced = true
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

  /** A plug is its did: when it is silent where it was, a broadcast may find it elsewhere (contract §1). */
  #lookElsewhere(error: unknown): void {
    const {did} = this
    if (
      did === undefined ||
      !isCallFailure(error) ||
      (error.code !== 'timeout' && error.code !== 'unreachable')
    )
      return
    this.#options.discovery.find(did, ({host, port}) => this.#heardAt(host, port))
  }

  async #heardAt(host: string, port: number): Promise<void> {
    if (this.#moving || this.#twin !== undefined) return
    this.#moving = true
    try {
      const before = this.address
      if (before === host || !(await this.#client.moveTo(host, port))) return
      this.#options.log.info(`${this.name} moved from ${before ?? 'nowhere'} to ${host}`, {device: this.name})
      this.#options.event('device_moved', {name: this.name, did: this.did, from: before, to: host})
      if (this.did !== undefined) this.#remember(this.did)
    } finally {
      this.#moving = false
      this.#poller.pollNow() // it was just heard: no need to wait for the back-off
    }
  }
}

function sameDevice(name: string, owner: string, did: number | undefined): string {
  return `${name} is the same plug as ${owner} (device id ${did}), and is left alone`
}

/** To tenths of a millisecond. */
function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10
}

function appearanceIn({qos, retain, filtered, homeassistant}: DeviceConfig): DisplayOptions {
  return {qos, retain, filtered, homeassistant}
}

/** The parts of what is remembered that the plug once told of itself. */
function identityOf({
  model,
  firmware,
  hardware,
  mac,
}: {[key in keyof Identity]?: string | undefined}): Identity {
  const told = Object.entries({model, firmware, hardware, mac})
  return Object.fromEntries(told.filter(([, value]) => value !== undefined))
}
