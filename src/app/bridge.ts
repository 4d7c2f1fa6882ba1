/**
 * The bridge as a whole: the ordered list of its parts, and the loops that call their hooks. Read this file first. It starts in order,
 * stops in reverse order, and shows which part does what, and when. `src/bridge/component.ts` describes the hooks.
 */
import {Commands} from '../bridge/commands/commands.ts'
import {MisplacedCommands, RetainedCommands} from '../bridge/commands/misplaced-commands.ts'
import type {BridgeContext, Component} from '../bridge/component.ts'
import {HomeAssistant} from '../bridge/homeassistant/homeassistant.ts'
import {NameDirectory} from '../bridge/name-directory.ts'
import {SecretFilter} from '../bridge/publisher.ts'
import type {BridgeActions, ConfigActions} from '../bridge/requests/bridge-actions.ts'
import {Requests} from '../bridge/requests/requests.ts'
import {RetainedCleanup, type RetainedTopicsStore} from '../bridge/retained/retained-cleanup.ts'
import {RetainedTopics} from '../bridge/retained/retained-topics.ts'
import {AvailabilityLog} from '../bridge/status/availability-log.ts'
import {BridgeStatus} from '../bridge/status/bridge-status.ts'
import {GroupStates} from '../bridge/status/group-states.ts'
import {OnlineGate} from '../bridge/status/online-gate.ts'
import {PlugLog} from '../bridge/status/plug-log.ts'
import {PlugStates, type StateOptions} from '../bridge/status/plug-states.ts'
import {StartSummary} from '../bridge/status/start-summary.ts'
import {type Clock, type Random, within} from '../common/clock.ts'
import {Redactor} from '../common/redact.ts'
import {type Config, maskedConfig, secretsOf} from '../config/config.ts'
import type {RootLog} from '../log/logger.ts'
import {NetworkDiscovery} from '../miio/discovery.ts'
import {RepeatedWarnings} from '../miio/repeated-warnings.ts'
import {MiioSocket} from '../miio/socket.ts'
import type {Catalogue} from '../models/catalogue.ts'
import type {Connection, IncomingMessage} from '../mqtt/connection.ts'
import {capabilitiesIn} from '../storage/capabilities-store.ts'
import type {EnergyStore} from '../storage/energy-store.ts'
import type {StateStore} from '../storage/state-store.ts'
import {BridgeInfo} from './bridge-info.ts'
import {brokerConnection, configuredTopics} from './broker-connection.ts'
import {configChangesText, findRenames, needsNewBridge} from './config-changes.ts'
import type {ManagedPlug} from './managed-plug.ts'
import {PauseDetector} from './pause-detector.ts'
import {PlugRegistry} from './plug-registry.ts'
import {ProcessMetrics} from './process-metrics.ts'
import {RequestActions} from './request-actions.ts'
import {version} from './version.ts'

export interface BridgeOptions {
  config: Config
  clock: Clock
  random: Random
  log: RootLog
  /** Removes secrets from messages; a new one when missing. */
  redactor?: Redactor
  /** What earlier runs have stored about plugs and retained messages. */
  store: StateStore
  /** The energy that the plugs have used so far. */
  ledger: EnergyStore
  /** Every supported model. */
  catalogue: Catalogue
  /** Reloads and changes the configuration on request: it is the `BridgeRunner` that does so. */
  configActions: ConfigActions
}

/** A stop takes 5 s at most (docs/promises.md, 3): so long for a command under way, and so long for the last messages to the broker. */
const COMMAND_GRACE_MS = 2000
const GOODBYE_GRACE_MS = 1000
/** For saving, which comes before the goodbye: lost kWh are worse than a late `offline`. */
const SAVE_GRACE_MS = 500
/** A poll that is overdue by this time means that the scheduler is stuck. */
const STALLED_MS = 30_000

/** What the parts of the bridge need beside their context. */
export interface ComponentOptions {
  bridgeStatus: BridgeStatus
  /** `undefined` when Home Assistant is disabled in the configuration. */
  homeAssistant: HomeAssistant | undefined
  states: StateOptions
  recorded: RetainedTopics
  store: RetainedTopicsStore
  actions: BridgeActions
}

/**
 * The parts of the bridge, in the order in which each hook is called (`stop` in reverse order). Where a comment gives no reason, the
 * order does not matter.
 */
export function bridgeComponents(context: BridgeContext, options: ComponentOptions): readonly Component[] {
  const {bridgeStatus, homeAssistant, states, recorded, store, actions} = options
  const plugStates = new PlugStates(context, states)
  const groupStates = new GroupStates(context, states)
  const sources = [bridgeStatus, plugStates, groupStates, ...(homeAssistant ? [homeAssistant] : [])]
  const prefix = homeAssistant?.prefix
  return [
    // The first to get an event of a plug: in the log, all that follows from the event comes after it.
    new PlugLog(context),
    // At a connect, info, devices and health are published first: they say what the other messages are about.
    bridgeStatus,
    // The first to get a message: what it has asked the broker for is for no other part.
    new RetainedCleanup(context, {recorded, sources, prefix, store}),
    // Before the states: Home Assistant subscribes to the topics in its discovery messages.
    ...(homeAssistant ? [homeAssistant] : []),
    // After the two parts that read retained messages, and before those that must not carry them out.
    new RetainedCommands(context),
    new Requests(context, actions),
    new Commands(context, {plugStates, groupStates}),
    // The last to get a message: it takes every message that is left.
    new MisplacedCommands(context),
    // The states of plugs before those of the groups, which follow from them.
    plugStates,
    new AvailabilityLog(context, bridgeStatus),
    groupStates,
    new StartSummary(context, homeAssistant),
    // The last: `online` is published after all that the other parts publish about plugs, at a connect and at a first response.
    new OnlineGate(context, bridgeStatus),
  ]
}

export class Bridge {
  readonly #options: BridgeOptions
  readonly #redactor: Redactor
  readonly #socket: MiioSocket
  readonly #discovery: NetworkDiscovery
  readonly #metrics: ProcessMetrics
  readonly #pauses: PauseDetector
  readonly #registry: PlugRegistry
  readonly #connection: Connection
  readonly #context: BridgeContext
  readonly #components: readonly Component[]
  readonly #stopping = new AbortController()
  #starting: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined

  constructor(options: BridgeOptions) {
    const {config, clock, random, log, store, ledger, catalogue, configActions} = options
    this.#options = options
    this.#redactor = options.redactor ?? new Redactor()
    this.#hideSecrets(config)
    this.#pauses = new PauseDetector(clock, (ms) => this.#resumeAfterPause(ms))
    const metrics = new ProcessMetrics(clock)

    const {bind, broadcast} = config.network
    const repeated = new RepeatedWarnings(clock, (text) => log.warn(text))
    const warn = (text: string) => repeated.warn(text)
    const socket = new MiioSocket({bind, onError: warn})
    const discovery = new NetworkDiscovery({socket, clock, broadcast, log: warn, random})
    const toleranceOf = capabilitiesIn(store, catalogue.own)
    const shared = {clock, random, log}
    const registry = new PlugRegistry(config, {
      ...shared,
      ...{socket, discovery, store, ledger, catalogue, toleranceOf},
    })
    const {plugs, groups} = registry

    const topics = configuredTopics(config)
    const connection = brokerConnection(config, {
      ...shared,
      topics,
      clientId: store.clientId,
      names: () => [...plugs.keys(), ...groups.keys()],
      subscriptions: () => this.#components.flatMap((component) => component.subscriptions?.() ?? []),
    })
    const recorded = new RetainedTopics(connection, store.published?.topics ?? [])
    const publisher = new SecretFilter(recorded, (text) => this.#redactor.scrubMessage(text))
    const names = new NameDirectory(plugs, groups)
    const stopping = this.#stopping.signal
    const context = {clock, random, log, topics, publisher, connection, plugs, groups, names, stopping}

    const bridgeInfo = new BridgeInfo({metrics, registry, connection, socket, log})
    const bridgeStatus = new BridgeStatus(context, bridgeInfo)
    const {enabled, discovery_prefix: prefix} = config.homeassistant
    const homeAssistant = enabled ? new HomeAssistant(context, {prefix, version, store}) : undefined
    const {qos, retain, output} = config.mqtt
    const states = {qos, retain, attributes: output === 'attribute_and_json'}
    const actions = new RequestActions({registry, discovery, bridgeInfo, bridgeStatus, configActions, log})
    const parts = {bridgeStatus, homeAssistant, states, recorded, store, actions}

    this.#metrics = metrics
    this.#socket = socket
    this.#discovery = discovery
    this.#registry = registry
    this.#connection = connection
    this.#context = context
    this.#components = bridgeComponents(context, parts)
    registry.on('added', (plug) => this.#each((component) => component.plugAdded?.(plug)))
    registry.on('event', (type, data) => bridgeStatus.plugEvent(type, data))
    connection.on('connected', () => this.#each((component) => component.connected?.()))
    connection.on('disconnected', () => this.#each((component) => component.disconnected?.()))
    connection.on('message', (message) => this.#dispatch(message))
    homeAssistant?.on('started', () => this.#each((component) => component.homeAssistantStarted?.()))
  }

  /**
   * Resolves when the UDP socket is bound and the broker was tried once, whether or not the broker or any plug answers; or when the bridge
   * is stopped. Rejects when the socket cannot be bound.
   */
  start(): Promise<void> {
    this.#starting = this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    this.#metrics.start()
    await this.#socket.open()
    if (this.#stopping.signal.aborted) return
    const spread = this.#registry.start()
    this.#each((component) => component.start?.(spread))
    this.#pauses.start()
    const tried = new Promise<void>((resolve) => this.#connection.once('tried', resolve))
    this.#connection.start()
    await within(this.#options.clock, Number.POSITIVE_INFINITY, tried, this.#stopping.signal)
  }

  /** Answers what waits, saves, and publishes `offline`: within 5 s, even when every plug is silent. Also ends a start that is under way. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const {clock} = this.#options
    this.#stopping.abort()
    await this.#starting.catch(() => {}) // the caller of `start` has the error
    this.#pauses.stop()
    const reversed = this.#components.toReversed()
    const components = reversed.map((component) => component.stop?.())
    await Promise.all([this.#registry.stop(COMMAND_GRACE_MS), ...components])
    await within(clock, clock.now() + SAVE_GRACE_MS, this.#save()) // before the connection, whatever happens to that
    for (const component of reversed) component.stopped?.()
    await this.#connection.stop(GOODBYE_GRACE_MS)
    this.#discovery.stop()
    await this.#socket.close()
    await this.#save()
    this.#metrics.stop()
  }

  async #save(): Promise<void> {
    await Promise.all([this.#options.store.save(), this.#options.ledger.save()])
  }

  /**
   * Takes over another configuration without touching the plugs that did not change, nor the connection to the broker.
   * @returns `false`, with nothing done, when the broker, the network or the models changed: that needs a new bridge
   */
  async reload(config: Config): Promise<boolean> {
    const {log} = this.#options
    const {names} = this.#context
    const configBefore = this.#registry.config
    if (needsNewBridge(configBefore, config)) return false
    if (config.log.level !== configBefore.log.level) log.setLevel(config.log.level)
    if (config.log.format !== configBefore.log.format) log.setFormat(config.log.format)
    this.#hideSecrets(config)
    const plugsBefore = new Map(this.#registry.plugs)
    const changes = await this.#registry.applyConfig(config, COMMAND_GRACE_MS)
    const {added, changed, removed} = changes
    const count = changed.length
    log.debug(() => `reload: plugs stopped: ${removed.length + count}, started: ${added.length + count}`)
    for (const plug of plugsOf([...removed, ...changed], plugsBefore))
      this.#each((component) => component.plugRemoved?.(plug))
    const {plugs} = this.#registry
    const renames = findRenames(plugsOf(removed, plugsBefore), plugsOf(added, plugs), configBefore, config)
    for (const {from, to} of renames) names.recordRename(from, to)
    await this.#connection.resubscribe()
    log.debug('reload: subscriptions are those of the new names')
    const newPlugs = plugsOf([...added, ...changed], plugs)
    this.#each((component) => component.reloaded?.(newPlugs))
    log.info(`took over the configuration: ${configChangesText(configBefore, config, changes, renames)}`)
    return true
  }

  /** Whether polls begin when they are due. Only that shows whether the scheduler is stuck. */
  isAlive(): boolean {
    return [...this.#registry.plugs.values()].every((plug) => plug.overdue() < STALLED_MS)
  }

  /** One line for `systemctl status`. */
  status(): string {
    const plugs = [...this.#registry.plugs.values()]
    const online = plugs.filter(({device}) => device.availability.state === 'online').length
    const broker = this.#connection.connected
      ? `connected to ${this.#connection.url}`
      : `no broker at ${this.#connection.url}`
    return `${online} of ${plugs.length} plugs online, ${broker}`
  }

  #each(call: (component: Component) => void): void {
    for (const component of this.#components) call(component)
  }

  #dispatch(message: IncomingMessage): void {
    if (this.#pauses.check()) return // the message arrived during the pause
    const topic = this.#context.topics.parse(message.topic)
    this.#components.some((component) => component.handle?.(message, topic))
  }

  /** Commands that arrived during the pause are too old to be carried out, and what is known of the plugs may be old, too. */
  #resumeAfterPause(ms: number): void {
    const seconds = Math.round(ms / 1000)
    this.#connection.reconnect(
      `this process stood still for ${seconds} s (a suspended machine, a paused container, or overload): ` +
        'commands that arrived meanwhile are not carried out',
    )
    for (const plug of this.#registry.plugs.values()) plug.resumed()
  }

  /** Removes the secrets of a configuration from all later messages. A name, topic or model that equals a password is not masked. */
  #hideSecrets(config: Config): void {
    for (const secret of secretsOf(config)) this.#redactor.add(secret.reveal())
    this.#redactor.spare(() => JSON.stringify([maskedConfig(config), modelTexts(this.#options.catalogue)]))
  }
}

function plugsOf(names: readonly string[], plugs: ReadonlyMap<string, ManagedPlug>): ManagedPlug[] {
  return names.flatMap((name) => plugs.get(name) ?? [])
}

/** The texts that messages contain about models and their properties. */
function modelTexts({models}: Catalogue): unknown {
  return [...models.values()].map(({ids, name, vendor, properties}) => [
    ids,
    name,
    vendor,
    Object.entries(properties).map(([key, {label}]) => [key, label]),
  ])
}
