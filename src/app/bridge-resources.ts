/**
 * Makes the resources of a bridge from its configuration: UDP socket, network discovery, plug registry, broker connection, publisher, and
 * the context that the parts of the bridge share. Nothing is opened yet. Also removes the secrets of a configuration from messages.
 */
import {messageWarnings} from '../bridge/component.ts'
import {NameDirectory} from '../bridge/name-directory.ts'
import {RetainedTopics, retained, SecretFilter} from '../bridge/publisher.ts'
import type {ConfigActions} from '../bridge/requests/bridge-actions.ts'
import type {Clock, Random} from '../common/clock.ts'
import type {Redactor} from '../common/redact.ts'
import {RepeatedWarnings} from '../common/warning-limiter.ts'
import {type Config, maskedConfig, secretsOf} from '../config/config.ts'
import {PollLimit} from '../device/polling/poll-limit.ts'
import type {PinoLog} from '../log/logger.ts'
import {NetworkDiscovery} from '../miio/discovery.ts'
import {MiioSocket} from '../miio/socket.ts'
import type {Catalogue} from '../models/catalogue.ts'
import {Connection, type ConnectionOptions} from '../mqtt/connection.ts'
import {Topics} from '../mqtt/topics.ts'
import type {EnergyStore} from '../storage/energy-store.ts'
import {capabilitiesLookup, type StateStore} from '../storage/state-store.ts'
import {PlugRegistry} from './plug-registry.ts'
import {ProcessMetrics} from './process-metrics.ts'

export interface BridgeOptions {
  config: Config
  clock: Clock
  random: Random
  log: PinoLog
  /** Removes secrets from messages. */
  redactor: Redactor
  /** What earlier runs have stored about plugs and retained messages. */
  store: StateStore
  /** The energy that the plugs have used so far. */
  energyStore: EnergyStore
  /** Every supported model. */
  catalogue: Catalogue
  /** How busy this process is, 0 to 1, since the previous call; measured by default. */
  utilization?: () => number
  /** Reloads and changes the configuration on request: the `BridgeRunner` does that. */
  configActions: ConfigActions
}

export type BridgeResources = ReturnType<typeof bridgeResources>

/**
 * @param subscriptions topic filters of messages that are neither commands nor requests, at the time of the call
 * @param stopping aborted when the bridge is to stop
 */
export function bridgeResources(
  options: BridgeOptions,
  subscriptions: () => readonly string[],
  stopping: AbortSignal,
) {
  const {config, clock, random, log, store, energyStore, catalogue, redactor} = options
  hideSecrets(redactor, config, catalogue)
  const warnings = new RepeatedWarnings(clock, (text) => log.warn(text))
  const warn = (text: string) => warnings.warn(text)
  const {bind, broadcast} = config.network
  const socket = new MiioSocket({bind, onError: warn})
  const discovery = new NetworkDiscovery({socket, clock, broadcast, log: warn, random})
  const capabilitiesOf = capabilitiesLookup(store, catalogue.own)
  const pollLimit = new PollLimit(clock, (callback) => socket.afterArrived(callback))
  const registry = new PlugRegistry(config, {
    socket,
    discovery,
    store,
    energyStore,
    pollLimit,
    findModel: (id) => catalogue.find(id),
    capabilitiesOf,
    clock,
    random,
    log,
  })
  const {plugs, groups} = registry
  const {mqtt, homeassistant} = config
  const topics = new Topics(
    mqtt.base_topic,
    homeassistant.enabled ? homeassistant.status_topic : undefined,
    homeassistant.discovery_prefix,
    mqtt.output === 'attribute_and_json',
  )
  const connection = new Connection({
    broker: brokerOptions(config, store.clientId),
    // The broker publishes this when the bridge is killed (docs/promises.md, 2).
    will: retained(topics.bridge('state'), {state: 'offline'}),
    commands: () => topics.commands(),
    selfTestTopic: topics.request('self_test'),
    statusTopics: subscriptions,
    clock,
    random,
    log,
  })
  /** Every message is published through it. */
  const retainedTopics = new RetainedTopics(connection.delivery, store.publishedTopics?.topics ?? [])
  const publisher = new SecretFilter(retainedTopics, (text) => redactor.scrubMessage(text))
  const names = new NameDirectory(plugs, groups)
  const context = {
    clock,
    random,
    log,
    messageWarnings: messageWarnings({clock, log}),
    topics,
    publisher,
    connection,
    plugs,
    groups,
    names,
    stopping,
  }
  const metrics = new ProcessMetrics(clock)
  return {metrics, socket, discovery, pollLimit, registry, connection, retainedTopics, context}
}

/** @param clientId used when the configuration has none */
function brokerOptions({mqtt}: Config, clientId: string): ConnectionOptions['broker'] {
  return {
    urls: mqtt.url,
    username: mqtt.username,
    password: mqtt.password?.reveal(),
    clientId: mqtt.client_id ?? clientId,
    version: mqtt.version,
    keepalive: mqtt.keepalive,
    tls: {
      ca: mqtt.ca,
      cert: mqtt.cert,
      key: mqtt.key?.reveal(),
      servername: mqtt.servername,
      verify: mqtt.verify,
    },
  }
}

/** Removes the secrets of a configuration from all later messages. A name, topic or model that equals a password is not masked. */
export function hideSecrets(redactor: Redactor, config: Config, catalogue: Catalogue): void {
  for (const secret of secretsOf(config)) redactor.add(secret.reveal())
  redactor.spare(() => JSON.stringify([maskedConfig(config), modelTexts(catalogue)]))
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
