/**
 * What the parts of the bridge get from the process and the configuration: the contents of `B/bridge/info` and of the metrics in
 * `B/bridge/health`, and the actions that requests over MQTT may trigger.
 */
import type {BridgeActions, ConfigActions} from '../bridge/requests/bridge-actions.ts'
import {TruncatedList} from '../bridge/requests/define-request.ts'
import type {BridgeStatus, StatusSource} from '../bridge/status/bridge-status.ts'
import {maskedConfig} from '../config/config.ts'
import type {PinoLog} from '../log/logger.ts'
import type {BridgeResources} from './bridge-resources.ts'
import {timeZone} from './process-metrics.ts'
import {version} from './version.ts'

/** The contents of `B/bridge/info`, with masked secrets, and of the metrics in `B/bridge/health`. */
export function statusSource(
  {metrics, registry, connection, socket, pollLimit}: BridgeResources,
  log: PinoLog,
): StatusSource {
  return {
    info: () => ({
      version,
      node: process.version,
      started: metrics.started.toISOString(),
      time_zone: timeZone(),
      broker: connection.url,
      log_level: log.level,
      devices: registry.plugs.size,
      groups: registry.groups.size,
      config: maskedConfig(registry.config),
    }),
    metrics: () => {
      const {sendErrors, ...udp} = socket.counters
      return {
        ...metrics.read(),
        poll_factor: Math.round(pollLimit.factor * 10) / 10,
        mqtt: connection.counters,
        udp: {...udp, send_errors: sendErrors},
      }
    },
    onWarning: (listener) => log.onWarning(listener),
  }
}

/** The actions of requests, carried out by the parts of this bridge. */
export function requestActions(
  {registry, discovery}: BridgeResources,
  source: StatusSource,
  bridgeStatus: BridgeStatus,
  configActions: ConfigActions,
  log: PinoLog,
): BridgeActions {
  return {
    info: source.info,
    health: () => bridgeStatus.currentHealth(),
    reload: (how) => configActions.reload(how),
    edit: (edits) => configActions.edit(edits),
    allowsRawCalls: () => registry.config.allow_raw_calls,

    setLogLevel(level) {
      if (level === log.level) return
      log.setLevel(level)
      bridgeStatus.info()
    },

    warnings() {
      const {config, plugs} = registry
      return [
        ...config.warnings.map(({path, message}) => `${path}: ${message}`),
        ...[...plugs.values()].flatMap(({ignored}) => ignored),
      ]
    },

    /** Also publishes an event for each plug that answers, at once. */
    async discover(timeout) {
      const names = new Map([...registry.plugs.values()].map((plug) => [plug.did, plug.name]))
      const nameOf = (did: number) => names.get(did) ?? null
      let isTruncated = false
      const found = await discovery.scan({
        timeout,
        onFound: ({did, host}) =>
          bridgeStatus.event('device_discovered', {did, address: host, name: nameOf(did)}),
        onTooMany: () => {
          isTruncated = true
        },
      })
      const list = found.map(({did, host, uptime}) => ({did, address: host, uptime, name: nameOf(did)}))
      return isTruncated ? new TruncatedList(list) : list
    },
  }
}
