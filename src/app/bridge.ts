/** The bridge as a whole, and the one file to read first: it starts in order, stops in reverse, and knows who talks to whom. */
import {isDeepStrictEqual} from 'node:util'
import {Commands} from '../bridge/commands/commands.ts'
import {Groups} from '../bridge/groups/groups.ts'
import {HomeAssistant} from '../bridge/homeassistant/homeassistant.ts'
import {retained} from '../bridge/publisher.ts'
import type {BridgeActions} from '../bridge/requests/bridge-actions.ts'
import {TruncatedList} from '../bridge/requests/define-request.ts'
import {Requests} from '../bridge/requests/requests.ts'
import {RetainedCleanup} from '../bridge/retained/retained-cleanup.ts'
import {RetainedTopics} from '../bridge/retained/retained-topics.ts'
import {SecretFilter} from '../bridge/secret-filter.ts'
import {AvailabilityLog} from '../bridge/status/availability-log.ts'
import {BridgeStatus} from '../bridge/status/bridge-status.ts'
import {OnlineGate} from '../bridge/status/online-gate.ts'
import {PlugLog} from '../bridge/status/plug-log.ts'
import {PlugStates} from '../bridge/status/plug-states.ts'
import {StartSummary} from '../bridge/status/start-summary.ts'
import {WarningLimiter} from '../bridge/warning-limiter.ts'
import {type Clock, type Random, within} from '../common/clock.ts'
import {Redactor} from '../common/redact.ts'
import {RepeatedWarnings} from '../common/repeated-warnings.ts'
import {type Config, maskedConfig, secretsOf} from '../config/config.ts'
import type {LogLevel, RootLog} from '../log/logger.ts'
import {NetworkDiscovery} from '../miio/discovery.ts'
import {MiioSocket} from '../miio/socket.ts'
import type {Catalogue} from '../models/catalogue.ts'
import {Connection, type IncomingMessage} from '../mqtt/connection.ts'
import {Topics} from '../mqtt/topics.ts'
import {capabilitiesIn} from '../storage/capabilities-store.ts'
import type {EnergyStore} from '../storage/energy-store.ts'
import type {StateStore} from '../storage/state-store.ts'
import {configChangesText, findRenames} from './config-changes.ts'
import type {ManagedPlug} from './managed-plug.ts'
import {PauseDetector} from './pause-detector.ts'
import {PlugRegistry, withSecretsRevealed} from './plug-registry.ts'
import {ProcessMetrics, timeZone} from './process-metrics.ts'
import {version} from './version.ts'

export interface BridgeOptions {
  config: Config
  clock: Clock
  random: Random
  log: RootLog
  /** Takes secrets out of messages; one of its own when left out. */
  redactor?: Redactor
  /** What is remembered of earlier runs. */
  store: StateStore
  /** What the plugs have used so far. */
  ledger: EnergyStore
  /** Every plug that is described. */
  catalogue: Catalogue
  /**
   * Somebody asked over MQTT to read the configuration anew, and to start anew with it, or to take over what changed.
   * Resolves with what is wrong with the configuration, or with nothing.
   */
  onRenew: BridgeActions['renew']
  /** Somebody asked over MQTT to change the configuration file. */
  onEdit: BridgeActions['edit']
}

/** The contract (§9) gives a stop 5 s: so long for a command under way, and so long to say goodbye to the broker. */
const COMMAND_GRACE_MS = 2000
const GOODBYE_GRACE_MS = 1000
/** For saving, which comes before the goodbye: kWh that are lost are worse than a late `offline`. */
const SAVE_GRACE_MS = 500
/** A command where states are published is worth a hint; more plugs than these would have the broker send back too much. */
const MOST_WATCHED = 500
/** A poll this much overdue means that nothing moves any more. */
const STALLED_MS = 30_000

/** What cannot change while the bridge runs. */
function foundations({mqtt, homeassistant, network, state_dir, catalogue}: Config): unknown {
  const models = [...catalogue.models]
  return withSecretsRevealed({mqtt, homeassistant, network, state_dir, models})
}

/** What messages say of models and their properties, whatever the password is. */
function wordsOf({models}: Catalogue): unknown {
  return [...models.values()].map(({ids, name, vendor, properties}) => [
    ids,
    name,
    vendor,
    Object.entries(properties).map(([key, {label}]) => [key, label]),
  ])
}

export class Bridge {
  readonly #options: BridgeOptions
  readonly #redactor: Redactor
  readonly #topics: Topics
  readonly #household: PlugRegistry
  readonly #socket: MiioSocket
  readonly #discovery: NetworkDiscovery
  readonly #vitals: ProcessMetrics
  readonly #pauses: PauseDetector
  readonly #connection: Connection
  readonly #reports: BridgeStatus
  readonly #states: PlugStates
  readonly #groups: Groups
  readonly #commands: Commands
  readonly #requests: Requests
  readonly #outages: AvailabilityLog
  readonly #plugLog: PlugLog
  readonly #homeAssistant: HomeAssistant | undefined
  readonly #leftovers: RetainedCleanup
  readonly #readiness: OnlineGate
  readonly #summary: StartSummary
  #config: Config
  /** Ends the listening for warnings: the log outlives this bridge, and must not keep it alive. */
  #deafen = () => {}
  /** Of retained commands. */
  readonly #warner: WarningLimiter
  readonly #stopping = new AbortController()
  #starting: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined

  constructor(options: BridgeOptions) {
    const {config, clock} = options
    this.#options = options
    this.#config = config
    this.#redactor = options.redactor ?? new Redactor()
    this.#hideSecrets(config)
    this.#vitals = new ProcessMetrics(clock)
    this.#pauses = new PauseDetector(clock, (ms) => this.#resumed(ms))
    this.#topics = new Topics(
      config.mqtt.base_topic,
      config.homeassistant.enabled ? config.homeassistant.status_topic : undefined,
      config.homeassistant.discovery_prefix,
      config.mqtt.output === 'attribute_and_json',
    )
    this.#warner = new WarningLimiter(options)
    const troubles = new RepeatedWarnings(clock, (text) => options.log.warn(text))
    const log = (text: string) => troubles.warn(text)
    const {bind, broadcast} = config.network
    this.#socket = new MiioSocket({bind, onError: log})
    this.#discovery = new NetworkDiscovery({
      socket: this.#socket,
      clock,
      broadcast,
      log,
      random: options.random,
    })
    this.#connection = this.#makeConnection()
    this.#household = this.#makeHousehold()
    const {plugs} = this.#household
    const kept = new RetainedTopics(this.#connection, options.store.published?.topics ?? [])
    const publisher = new SecretFilter(kept, (text) => this.#redactor.scrubMessage(text))
    const shared = {...options, publisher, topics: this.#topics, plugs}
    this.#reports = new BridgeStatus({
      ...shared,
      info: () => this.#info(),
      vitals: () => ({...this.#vitals.read(), mqtt: this.#connection.counters, udp: this.#udp()}),
    })
    const {qos, retain, output} = config.mqtt
    const saying = {...shared, qos, retain, attributes: output === 'attribute_and_json'}
    this.#states = new PlugStates(saying)
    const {enabled, discovery_prefix: prefix} = config.homeassistant
    const homeAssistant = enabled ? {prefix, version} : undefined
    this.#groups = new Groups({...saying, homeAssistant})
    this.#commands = new Commands({...shared, states: this.#states, groups: this.#groups})
    const nameNow = (name: string) => this.#commands.nameNow(name)
    this.#requests = new Requests({...shared, groups: this.#groups, controls: this.#controls(), nameNow})
    this.#outages = new AvailabilityLog({...shared, event: (type, data) => this.#reports.event(type, data)})
    this.#plugLog = new PlugLog(options)
    this.#leftovers = new RetainedCleanup({
      ...shared,
      kept,
      states: this.#states,
      groups: this.#groups,
      prefix: enabled ? prefix : '',
      isConnected: () => this.#connection.connected,
      listen: () => void this.#connection.resubscribe(),
      published: options.store.published,
      remember: (published) => options.store.rememberPublished(published),
    })
    this.#readiness = new OnlineGate({
      ...shared,
      isConnected: () => this.#connection.connected,
      sayOnline: () => this.#reports.state('online'),
    })
    if (enabled)
      this.#homeAssistant = new HomeAssistant({
        ...shared,
        prefix,
        version,
        isConnected: () => this.#connection.connected,
        announce: () => this.#announcePlugs(),
        alsoDiscover: () => this.#groups.discoverAll(),
        announced: options.store.announced,
        remember: (announced) => options.store.rememberAnnounced(announced),
      })
    this.#summary = new StartSummary({
      ...shared,
      groups: this.#groups,
      isConnected: () => this.#connection.connected,
      homeAssistant: enabled
        ? {prefix, wasAnnounced: (plug) => this.#homeAssistant?.wasAnnounced(plug) ?? false}
        : undefined,
    })
  }

  /** Resolves when the sockets are bound and the broker was tried once, whether or not it or any plug is there; or when it is stopped. */
  start(): Promise<void> {
    this.#starting = this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    this.#vitals.start()
    await this.#socket.open()
    if (this.#stopping.signal.aborted) return
    this.#deafen = this.#options.log.onWarning((entry) => this.#reports.logging(entry))
    this.#startPlugs()
    this.#groups.replace(this.#config.groups)
    this.#reports.start()
    this.#pauses.start()
    await this.#tryBroker()
  }

  /** Answers what waits, saves, and says `offline`: within 5 s, even when every plug is silent. A start under way ends, too. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const {clock} = this.#options
    this.#stopping.abort()
    await this.#starting.catch(() => {}) // whoever started it has the error
    this.#pauses.stop()
    this.#readiness.stop()
    this.#summary.stop()
    this.#homeAssistant?.stop()
    this.#leftovers.stop()
    this.#groups.stop()
    this.#outages.stop()
    this.#commands.stop()
    this.#warner.stop()
    await Promise.all([this.#household.stop(COMMAND_GRACE_MS), this.#requests.stop()])
    await within(clock, clock.now() + SAVE_GRACE_MS, this.#save()) // whatever happens to the connection
    this.#deafen()
    this.#reports.stop()
    this.#reports.state('offline')
    await this.#connection.stop(GOODBYE_GRACE_MS)
    this.#discovery.stop()
    await this.#socket.close()
    await this.#save()
    this.#vitals.stop()
  }

  async #save(): Promise<void> {
    await Promise.all([this.#options.store.save(), this.#options.ledger.save()])
  }

  /**
   * Takes over another configuration without touching what did not change, nor the connection to the broker.
   * @returns `false`, with nothing done, when that takes a new start: the broker, the network or the models are others
   */
  async reload(config: Config): Promise<boolean> {
    if (!isDeepStrictEqual(foundations(this.#config), foundations(config))) return false
    const before = new Map(this.#household.plugs)
    const configBefore = this.#config
    const {level, format} = this.#config.log
    if (config.log.level !== level) this.#options.log.setLevel(config.log.level)
    if (config.log.format !== format) this.#options.log.setFormat(config.log.format)
    this.#config = config
    this.#hideSecrets(config)
    const changes = await this.#household.applyConfig(config, COMMAND_GRACE_MS)
    const {added, changed, removed} = changes
    const count = changed.length
    this.#options.log.debug(
      () => `reload: plugs stopped: ${removed.length + count}, started: ${added.length + count}`,
    )
    for (const name of [...removed, ...changed]) this.#forget(before.get(name))
    this.#rememberWhichAreConfigured()
    const plugsOf = (names: readonly string[], plugs: ReadonlyMap<string, ManagedPlug>) =>
      names.flatMap((name) => plugs.get(name) ?? [])
    const renames = findRenames(
      plugsOf(removed, before),
      plugsOf(added, this.#household.plugs),
      configBefore,
      config,
    )
    for (const {from, to} of renames) this.#commands.renamed(from, to)
    this.#groups.replace(config.groups)
    await this.#connection.resubscribe()
    this.#options.log.debug('reload: subscriptions are those of the new names')
    if (this.#connection.connected) this.#leftovers.sweep()
    for (const name of [...added, ...changed]) {
      const plug = this.#household.plugs.get(name)
      if (plug) this.#homeAssistant?.discover(plug)
    }
    this.#summary.reloaded([...added, ...changed])
    this.#reports.info()
    this.#reports.devices()
    const {log} = this.#options
    log.info(`took over the configuration: ${configChangesText(configBefore, config, changes, renames)}`)
    return true
  }

  /** Whether polls happen when they are due: the one sign of life that a wedged scheduler cannot give. */
  isAlive(): boolean {
    return [...this.#household.plugs.values()].every((plug) => plug.overdue() < STALLED_MS)
  }

  /** What a person at `systemctl status` wants to know. */
  status(): string {
    const plugs = [...this.#household.plugs.values()]
    const online = plugs.filter(({device}) => device.availability.state === 'online').length
    const broker = this.#connection.connected
      ? `connected to ${this.#connection.url}`
      : `no broker at ${this.#connection.url}`
    return `${online} of ${plugs.length} plugs online, ${broker}`
  }

  #makeConnection(): Connection {
    const {config, clock, random, log, store} = this.#options
    const {mqtt} = config
    const connection = new Connection({
      broker: {
        urls: mqtt.url,
        username: mqtt.username,
        password: mqtt.password?.reveal(),
        clientId: mqtt.client_id ?? store.clientId,
        version: mqtt.version,
        keepalive: mqtt.keepalive,
        tls: {
          ca: mqtt.ca,
          cert: mqtt.cert,
          key: mqtt.key?.reveal(),
          servername: mqtt.servername,
          verify: mqtt.verify,
        },
      },
      will: retained(this.#topics.bridge('state'), {state: 'offline'}),
      commands: () => this.#topics.commands([...this.#household.plugs.keys(), ...this.#groups.all.keys()]),
      echoTopic: this.#topics.request('self_test'),
      news: () => [...this.#topics.news, ...this.#watched(), ...this.#leftovers.filters],
      clock,
      random,
      log,
    })
    connection.on('connected', () => this.#announce())
    connection.on('disconnected', () => this.#readiness.reset())
    connection.on('message', (incoming) => this.#dispatch(incoming))
    return connection
  }

  #controls(): BridgeActions {
    return {
      info: () => this.#info(),
      health: () => this.#reports.healthNow(),
      setLogLevel: (level) => this.#setLogLevel(level),
      renew: this.#options.onRenew,
      edit: this.#options.onEdit,
      warnings: () => [
        ...this.#config.warnings.map(({path, message}) => `${path}: ${message}`),
        ...[...this.#household.plugs.values()].flatMap(({ignored}) => ignored),
      ],
      allowsRawCalls: () => this.#config.allow_raw_calls,
      discover: (timeout) => this.#discover(timeout),
    }
  }

  #makeHousehold(): PlugRegistry {
    const {store, catalogue} = this.#options
    return new PlugRegistry(this.#config, {
      ...this.#options,
      socket: this.#socket,
      discovery: this.#discovery,
      capabilitiesOf: capabilitiesIn(store, catalogue.own),
      event: (type, data) => {
        this.#reports.event(type, data)
        this.#reports.devicesSoon() // its address may be another
      },
      follow: (plug) => this.#follow(plug),
    })
  }

  #startPlugs(): void {
    const spread = this.#household.start()
    this.#rememberWhichAreConfigured()
    if (this.#household.plugs.size === 0)
      this.#options.log.warn('no plugs are configured yet: `miio2mqtt discover` lists those on this network')
    this.#readiness.start(spread)
    this.#summary.start(spread)
  }

  #rememberWhichAreConfigured(): void {
    const dids = [...this.#household.plugs.values()].flatMap(({did}) => did ?? [])
    this.#options.store.configured(new Set(dids))
  }

  #follow(plug: ManagedPlug): void {
    this.#plugLog.follow(plug) // first: what follows from it comes after it in the log
    this.#states.follow(plug)
    this.#reports.follow(plug)
    this.#outages.follow(plug)
    this.#groups.follow(plug)
    this.#leftovers.follow(plug)
    this.#homeAssistant?.follow(plug)
    this.#summary.follow(plug)
    this.#readiness.follow(plug) // last: what it says of the bridge is to come after what the others say of the plug
  }

  #forget(plug: ManagedPlug | undefined): void {
    if (!plug) return
    this.#readiness.forget(plug) // it may be the last that was awaited
    this.#outages.forget(plug)
    this.#homeAssistant?.forget(plug)
  }

  async #tryBroker(): Promise<void> {
    const tried = new Promise<void>((resolve) => this.#connection.once('tried', resolve))
    this.#connection.start()
    await within(this.#options.clock, Number.POSITIVE_INFINITY, tried, this.#stopping.signal)
  }

  /** What came meanwhile is late: nothing of it is carried out. What was known of the plugs may be old. */
  #resumed(ms: number): void {
    const seconds = Math.round(ms / 1000)
    this.#connection.reconnect(
      `this process stood still for ${seconds} s (a suspended machine, a paused container, or overload): ` +
        'commands that arrived meanwhile are not carried out',
    )
    for (const plug of this.#household.plugs.values()) plug.resumed()
  }

  /** Everything retained, from what is true now: the broker may have lost it all (contract §3). */
  #announce(): void {
    this.#readiness.reset()
    this.#reports.info()
    this.#reports.devices()
    this.#reports.health()
    this.#leftovers.sweep()
    this.#homeAssistant?.discoverAll()
    this.#announcePlugs()
    this.#readiness.check()
    this.#summary.connected()
  }

  #announcePlugs(): void {
    for (const plug of this.#household.plugs.values()) this.#states.publishAvailability(plug)
    for (const plug of this.#household.plugs.values()) this.#states.publishState(plug)
    this.#groups.announce()
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  #dispatch(incoming: IncomingMessage): void {
    if (this.#pauses.check() || this.#leftovers.handle(incoming)) return
    const topic = this.#topics.parse(incoming.topic)
    if (topic?.kind === 'home_assistant_status') {
      if (!this.#isStopping) void this.#homeAssistant?.born(incoming.payload.toString(), incoming.retained)
    } else if (incoming.retained) {
      if (topic) this.#ignore(incoming)
    } else if (topic?.kind === 'request') {
      void this.#requests.handle(topic.verb, incoming) // also while stopping: it is answered
    } else if (!this.#isStopping) {
      if (topic) void this.#commands.handle(topic, incoming)
      else this.#commands.misdirected(incoming)
    }
  }

  /** Where somebody may send commands by mistake, as long as there are few plugs. */
  #watched(): string[] {
    const names = [...this.#household.plugs.keys(), ...this.#groups.all.keys()]
    return names.length <= MOST_WATCHED ? this.#topics.mistakes(names) : []
  }

  /** The broker shows what lies there at every connect: it is worth one warning, until somebody clears it. */
  #ignore({topic, payload}: IncomingMessage): void {
    if (payload.length === 0) this.#warner.forget(topic)
    else
      this.#warner.warn(
        topic,
        () =>
          `ignored a retained message on ${topic.slice(0, 200)}: a command that lies there would be repeated at every start`,
      )
  }

  /** What is secret in a configuration is in no message from now on; names, topics and models are not masked for a password of the same word. */
  #hideSecrets(config: Config): void {
    for (const secret of secretsOf(config)) this.#redactor.add(secret.reveal())
    this.#redactor.spare(() => JSON.stringify([maskedConfig(config), wordsOf(this.#options.catalogue)]))
  }

  #setLogLevel(level: LogLevel): void {
    const {log} = this.#options
    if (level === log.level) return
    log.setLevel(level)
    this.#reports.info()
  }

  async #discover(timeout: number): Promise<unknown> {
    const known = new Map([...this.#household.plugs.values()].map((plug) => [plug.did, plug.name]))
    let isCutShort = false
    const found = await this.#discovery.scan({
      timeout,
      onFound: ({did, host}) =>
        this.#reports.event('device_discovered', {did, address: host, name: known.get(did) ?? null}),
      onTooMany: () => {
        isCutShort = true
      },
    })
    const told = found.map(({did, host, uptime}) => ({
      did,
      address: host,
      uptime,
      name: known.get(did) ?? null,
    }))
    return isCutShort ? new TruncatedList(told) : told
  }

  #udp(): Record<string, number> {
    const {sendErrors, ...counters} = this.#socket.counters
    return {...counters, send_errors: sendErrors}
  }

  #info(): Record<string, unknown> {
    const {log} = this.#options
    return {
      version,
      node: process.version,
      started: this.#vitals.started.toISOString(),
      time_zone: timeZone(),
      broker: this.#connection.url,
      log_level: log.level,
      devices: this.#household.plugs.size,
      groups: this.#groups.all.size,
      config: maskedConfig(this.#config),
    }
  }
}
