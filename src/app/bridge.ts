/**
 * The bridge as a whole: the ordered list of its parts, and the loops that call their hooks. Read this file first. It starts in order,
 * stops in reverse order, and shows which part does what, and when. `src/bridge/component.ts` describes the hooks.
 */
import {Commands} from '../bridge/commands/commands.ts'
import {MisplacedCommands, RetainedCommands} from '../bridge/commands/misplaced-commands.ts'
import type {BridgeContext, Component} from '../bridge/component.ts'
import {HomeAssistant} from '../bridge/homeassistant/homeassistant.ts'
import type {RetainedTopics} from '../bridge/publisher.ts'
import type {BridgeActions} from '../bridge/requests/bridge-actions.ts'
import {Requests} from '../bridge/requests/requests.ts'
import {RetainedCleanup, type RetainedTopicsStore} from '../bridge/retained-cleanup.ts'
import {BridgeStatus} from '../bridge/status/bridge-status.ts'
import {AvailabilityLog, PlugLog} from '../bridge/status/plug-log.ts'
import {StartSummary} from '../bridge/status/start-summary.ts'
import {GroupStates, PlugStates, type StateOptions} from '../bridge/status/states.ts'
import {within} from '../common/clock.ts'
import type {Config} from '../config/config.ts'
import type {IncomingMessage} from '../mqtt/connection.ts'
import {type BridgeOptions, type BridgeResources, bridgeResources, hideSecrets} from './bridge-resources.ts'
import {configChangesText, findRenames, needsNewBridge} from './config-changes.ts'
import type {ManagedPlug} from './managed-plug.ts'
import {Overload} from './overload.ts'
import {PauseDetector} from './pause-detector.ts'
import {requestActions, statusSource} from './request-actions.ts'
import {version} from './version.ts'

/** A stop takes 5 s at most (docs/promises.md, 3): so long for a command under way, and so long for the last messages to the broker. */
const COMMAND_GRACE_MS = 2000
const DISCONNECT_GRACE_MS = 1000
/** For saving, which comes before `offline` is published: lost kWh are worse than a late message. */
const SAVE_GRACE_MS = 500
/** A poll that is overdue by this time means that the scheduler is stuck. */
const STALLED_MS = 30_000

/** What the parts of the bridge need beside their context. */
interface ComponentOptions {
  bridgeStatus: BridgeStatus
  /** `undefined` when Home Assistant is disabled in the configuration. */
  homeAssistant: HomeAssistant | undefined
  states: StateOptions
  retainedTopics: RetainedTopics
  store: RetainedTopicsStore
  actions: BridgeActions
}

/**
 * The parts of the bridge, in the order in which each hook is called (`stop` in reverse order). Where a comment gives no reason, the
 * order does not matter.
 */
export function bridgeComponents(context: BridgeContext, options: ComponentOptions): readonly Component[] {
  const {bridgeStatus, homeAssistant, states, retainedTopics, store, actions} = options
  const plugStates = new PlugStates(context, states)
  const groupStates = new GroupStates(context, states)
  const sources = [bridgeStatus, plugStates, groupStates, ...(homeAssistant ? [homeAssistant] : [])]
  const prefix = homeAssistant?.prefix
  return [
    // The first to get an event of a plug: in the log, all that follows from the event comes after it.
    new PlugLog(context),
    // At a connect, info, devices and health are published first: they say what the other messages are about.
    bridgeStatus,
    // The first to get a message: the retained messages that it has subscribed to are for no other part.
    new RetainedCleanup(context, {retainedTopics, sources, prefix, store}),
    // Before the states: Home Assistant subscribes to the topics in its discovery messages.
    ...(homeAssistant ? [homeAssistant] : []),
    // After the two parts that use retained messages, and before the parts that would carry out a retained command.
    new RetainedCommands(context),
    new Requests(context, actions),
    new Commands(context, {plugStates, groupStates}),
    // The last to get a message: it takes every message that is left.
    new MisplacedCommands(context),
    // The states of plugs before those of the groups, which follow from them.
    plugStates,
    new AvailabilityLog(context, bridgeStatus),
    groupStates,
    // The last: `online` comes after everything that the other parts publish at a connect, or about the first availability of a plug.
    new StartSummary(context, bridgeStatus, homeAssistant),
  ]
}

/** One bridge, from its start to its stop. A new configuration of broker, network or models needs a new one. */
export class Bridge {
  readonly #options: BridgeOptions
  readonly #resources: BridgeResources
  readonly #components: readonly Component[]
  readonly #pauses: PauseDetector
  readonly #overload: Overload
  readonly #stopping = new AbortController()
  #starting: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined
  /** `offline` was published, and has to be the last message: nothing that arrives now is handled. */
  #isOffline = false

  constructor(options: BridgeOptions) {
    const {config, clock, log, store, configActions, utilization} = options
    const subscriptions = () => this.#components.flatMap((component) => component.subscriptions?.() ?? [])
    const resources = bridgeResources(options, subscriptions, this.#stopping.signal)
    const {registry, connection, retainedTopics, context, metrics, pollLimit} = resources
    const source = statusSource(resources, log)
    const bridgeStatus = new BridgeStatus(context, source)
    const {enabled, discovery_prefix: prefix} = config.homeassistant
    const homeAssistant = enabled ? new HomeAssistant(context, {prefix, version, store}) : undefined
    const {qos, retain, output} = config.mqtt
    const states = {qos, retain, attributes: output === 'attribute_and_json'}
    const actions = requestActions(resources, source, bridgeStatus, configActions, log)
    const parts = {bridgeStatus, homeAssistant, states, retainedTopics, store, actions}
    this.#options = options
    this.#resources = resources
    this.#components = bridgeComponents(context, parts)
    this.#pauses = new PauseDetector(clock, (ms) => this.#resumeAfterPause(ms))
    registry.listener = {
      plugAdded: (plug) => this.#each((component) => component.plugAdded?.(plug)),
      plugEvent: (type, data) => bridgeStatus.plugEvent(type, data),
      stateChanged: (plug) => this.#each((component) => component.stateChanged?.(plug)),
      availabilityChanged: (plug, availability) =>
        this.#each((component) => component.availabilityChanged?.(plug, availability)),
      pollFailed: (plug, error) => this.#each((component) => component.pollFailed?.(plug, error)),
      identified: (plug) => this.#each((component) => component.identified?.(plug)),
      metadataChanged: (plug) => this.#each((component) => component.metadataChanged?.(plug)),
    }
    this.#overload = new Overload({
      clock,
      log,
      limit: pollLimit,
      interval: () => registry.config.poll.interval,
      utilization: utilization ?? (() => metrics.utilization()),
      onChange: () => bridgeStatus.health(),
    })
    connection.on('connected', () => this.#each((component) => component.connected?.()))
    connection.on('disconnected', () => this.#each((component) => component.disconnected?.()))
    connection.on('message', (message) => this.#dispatch(message))
    homeAssistant?.on('started', () => this.#each((component) => component.homeAssistantStarted?.()))
  }

  /**
   * Resolves when the UDP socket is bound and the broker was tried once, whether or not the broker or any plug responds; or when the
   * bridge is stopped. Rejects when the socket cannot be bound.
   */
  start(): Promise<void> {
    this.#starting = this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    const {metrics, socket, registry, connection} = this.#resources
    metrics.start()
    await socket.open()
    if (this.#stopping.signal.aborted) return
    const spread = registry.start()
    this.#each((component) => component.start?.(spread))
    this.#pauses.start()
    this.#overload.start(spread)
    const tried = new Promise<void>((resolve) => connection.once('attempted', resolve))
    connection.start()
    await within(this.#options.clock, Number.POSITIVE_INFINITY, tried, this.#stopping.signal)
  }

  /**
   * Gives every waiting command its result, saves, and publishes `offline`: within 5 s, even when every plug is silent. Also ends a start
   * that is under way.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const {clock} = this.#options
    const {metrics, socket, discovery, registry, connection, context} = this.#resources
    this.#stopping.abort()
    await this.#starting.catch(() => {}) // the caller of `start` has the error
    this.#pauses.stop()
    this.#overload.stop()
    const reversed = this.#components.toReversed()
    const componentStops = reversed.map((component) => component.stop?.())
    await Promise.all([registry.stop(COMMAND_GRACE_MS), ...componentStops])
    await within(clock, clock.now() + SAVE_GRACE_MS, this.#save()) // before the connection, whatever happens to that
    for (const component of reversed) component.stopped?.()
    this.#isOffline = true
    for (const limiter of Object.values(context.messageWarnings)) limiter.stop()
    await connection.stop(DISCONNECT_GRACE_MS)
    discovery.stop()
    await socket.close()
    await this.#save()
    metrics.stop()
  }

  async #save(): Promise<void> {
    await Promise.all([this.#options.store.save(), this.#options.energyStore.save()])
  }

  /**
   * Takes over another configuration without touching the plugs that did not change, nor the connection to the broker.
   * @returns `false`, with nothing done, when the broker, the network or the models changed: that needs a new bridge
   */
  async reload(config: Config): Promise<boolean> {
    const {log, catalogue, redactor} = this.#options
    const {registry, connection, context} = this.#resources
    const {config: configBefore, plugs} = registry
    if (needsNewBridge(configBefore, config)) return false
    if (config.log.level !== configBefore.log.level) log.setLevel(config.log.level)
    if (config.log.format !== configBefore.log.format) log.setFormat(config.log.format)
    hideSecrets(redactor, config, catalogue)
    const plugsBefore = new Map(plugs)
    const changes = await registry.applyConfig(config, COMMAND_GRACE_MS)
    if (this.#stopping.signal.aborted) return true // `offline` has to be the last message
    const {added, changed, removed} = changes
    const count = changed.length
    log.debug(() => `reload: plugs stopped: ${removed.length + count}, started: ${added.length + count}`)
    for (const plug of plugsOf([...removed, ...changed], plugsBefore))
      this.#each((component) => component.plugRemoved?.(plug))
    const renames = findRenames(plugsOf(removed, plugsBefore), plugsOf(added, plugs), configBefore, config)
    for (const {from, to} of renames) context.names.recordRename(from, to)
    await connection.resubscribe()
    if (this.#stopping.signal.aborted) return true
    log.debug('reload: subscriptions are those of the new names')
    const newPlugs = plugsOf([...added, ...changed], plugs)
    this.#each((component) => component.reloaded?.(newPlugs))
    log.info(`applied the configuration: ${configChangesText(configBefore, config, changes, renames)}`)
    return true
  }

  /** Whether polls begin when they are due, after a pause of the process once more. Only that shows whether the scheduler is stuck. */
  isAlive(): boolean {
    this.#pauses.check()
    return [...this.#resources.registry.plugs.values()].every((plug) => plug.overdue() < STALLED_MS)
  }

  /** One line for `systemctl status`. */
  status(): string {
    const {registry, connection} = this.#resources
    const plugs = [...registry.plugs.values()]
    const online = plugs.filter(({device}) => device.availability.state === 'online').length
    const broker = connection.connected ? `connected to ${connection.url}` : `no broker at ${connection.url}`
    return `${online} of ${plugs.length} plugs online, ${broker}`
  }

  #each(call: (component: Component) => void): void {
    for (const component of this.#components) call(component)
  }

  #dispatch(message: IncomingMessage): void {
    if (this.#isOffline || this.#pauses.check()) return // too late: `offline` is published, or the message arrived during a pause
    const topic = this.#resources.context.topics.parse(message.topic)
    for (const component of this.#components) if (component.handle?.(message, topic)) return
  }

  /** Commands that arrived during the pause are too old to be executed, and the state of the plugs may be old, too. */
  #resumeAfterPause(ms: number): void {
    const {connection, registry} = this.#resources
    const seconds = Math.round(ms / 1000)
    connection.reconnect(
      `the process was paused for ${seconds} s (a suspended machine, a paused container, or overload): ` +
        'commands that arrived during the pause are not executed',
    )
    for (const plug of registry.plugs.values()) plug.resumed()
  }
}

function plugsOf(names: readonly string[], plugs: ReadonlyMap<string, ManagedPlug>): ManagedPlug[] {
  return names.flatMap((name) => plugs.get(name) ?? [])
}
