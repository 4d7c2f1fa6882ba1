/** Gathers what the bridge reports about itself as a whole: `B/bridge/info`, and the metrics in `B/bridge/health`. */
import type {StatusSource} from '../bridge/status/bridge-status.ts'
import {maskedConfig} from '../config/config.ts'
import type {LoggedWarning, RootLog} from '../log/logger.ts'
import type {MiioSocket} from '../miio/socket.ts'
import type {Connection} from '../mqtt/connection.ts'
import type {PlugRegistry} from './plug-registry.ts'
import {type ProcessMetrics, timeZone} from './process-metrics.ts'
import {version} from './version.ts'

export interface BridgeInfoOptions {
  metrics: ProcessMetrics
  registry: PlugRegistry
  connection: Connection
  socket: MiioSocket
  log: RootLog
}

/** The payloads of `B/bridge/info` and of the metrics in `B/bridge/health`. */
export class BridgeInfo implements StatusSource {
  readonly #options: BridgeInfoOptions

  constructor(options: BridgeInfoOptions) {
    this.#options = options
  }

  /** Secrets in the configuration are masked. */
  info(): Record<string, unknown> {
    const {metrics, registry, connection, log} = this.#options
    return {
      version,
      node: process.version,
      started: metrics.started.toISOString(),
      time_zone: timeZone(),
      broker: connection.url,
      log_level: log.level,
      devices: registry.plugs.size,
      groups: registry.groups.size,
      config: maskedConfig(registry.config),
    }
  }

  metrics(): Record<string, unknown> {
    const {metrics, connection, socket} = this.#options
    const {sendErrors, ...udp} = socket.counters
    return {...metrics.read(), mqtt: connection.counters, udp: {...udp, send_errors: sendErrors}}
  }

  onWarning(listener: (warning: LoggedWarning) => void): () => void {
    return this.#options.log.onWarning(listener)
  }
}
