/** Makes the connection to the MQTT broker, and the topics, from the configuration. */
import {retained} from '../bridge/publisher.ts'
import type {Clock, Random} from '../common/clock.ts'
import type {Config} from '../config/config.ts'
import type {Log} from '../log/logger.ts'
import {Connection} from '../mqtt/connection.ts'
import {Topics} from '../mqtt/topics.ts'

export interface BrokerConnectionOptions {
  topics: Topics
  /** Used when the configuration has no client id. */
  clientId: string
  /** Names of all plugs and groups, at the time of the call. */
  names: () => readonly string[]
  /** Topic filters of messages that are neither commands nor requests, at the time of the call. */
  subscriptions: () => readonly string[]
  clock: Clock
  random: Random
  log: Log
}

/** The last will makes the broker publish `offline` when the bridge is killed (docs/promises.md, 2). */
export function brokerConnection({mqtt}: Config, options: BrokerConnectionOptions): Connection {
  const {topics, clientId, names, subscriptions, clock, random, log} = options
  return new Connection({
    broker: {
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
    },
    will: retained(topics.bridge('state'), {state: 'offline'}),
    commands: () => topics.commands(names()),
    echoTopic: topics.request('self_test'),
    news: subscriptions,
    clock,
    random,
    log,
  })
}

/** The topics of the bridge, as the configuration names them. */
export function configuredTopics({mqtt, homeassistant}: Config): Topics {
  return new Topics(
    mqtt.base_topic,
    homeassistant.enabled ? homeassistant.status_topic : undefined,
    homeassistant.discovery_prefix,
    mqtt.output === 'attribute_and_json',
  )
}
