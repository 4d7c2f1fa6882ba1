/** Implements the actions that requests over MQTT may trigger: info, health, log level, reload, configuration changes, discovery. */
import type {BridgeActions, ConfigActions, ConfigEdit} from '../bridge/requests/bridge-actions.ts'
import {TruncatedList} from '../bridge/requests/define-request.ts'
import type {BridgeStatus} from '../bridge/status/bridge-status.ts'
import type {LogLevel, RootLog} from '../log/logger.ts'
import type {NetworkDiscovery} from '../miio/discovery.ts'
import type {BridgeInfo} from './bridge-info.ts'
import type {PlugRegistry} from './plug-registry.ts'

export interface RequestActionsOptions {
  registry: PlugRegistry
  discovery: NetworkDiscovery
  bridgeInfo: BridgeInfo
  bridgeStatus: BridgeStatus
  configActions: ConfigActions
  log: RootLog
}

/** The actions of requests, carried out by the parts of this bridge. */
export class RequestActions implements BridgeActions {
  readonly #options: RequestActionsOptions

  constructor(options: RequestActionsOptions) {
    this.#options = options
  }

  info(): Record<string, unknown> {
    return this.#options.bridgeInfo.info()
  }

  health(): Record<string, unknown> {
    return this.#options.bridgeStatus.currentHealth()
  }

  setLogLevel(level: LogLevel): void {
    const {log, bridgeStatus} = this.#options
    if (level === log.level) return
    log.setLevel(level)
    bridgeStatus.info()
  }

  reload(how: 'restart' | 'reload'): Promise<string | undefined> {
    return this.#options.configActions.reload(how)
  }

  edit(edits: () => readonly ConfigEdit[]): Promise<string | undefined> {
    return this.#options.configActions.edit(edits)
  }

  warnings(): readonly string[] {
    const {config, plugs} = this.#options.registry
    return [
      ...config.warnings.map(({path, message}) => `${path}: ${message}`),
      ...[...plugs.values()].flatMap(({ignored}) => ignored),
    ]
  }

  allowsRawCalls(): boolean {
    return this.#options.registry.config.allow_raw_calls
  }

  /** Also publishes an event for each plug that answers, at once. */
  async discover(timeout: number): Promise<unknown> {
    const {registry, discovery, bridgeStatus} = this.#options
    const names = new Map([...registry.plugs.values()].map((plug) => [plug.did, plug.name]))
    let isTruncated = false
    const found = await discovery.scan({
      timeout,
      onFound: ({did, host}) =>
        bridgeStatus.event('device_discovered', {did, address: host, name: names.get(did) ?? null}),
      onTooMany: () => {
        isTruncated = true
      },
    })
    const list = found.map(({did, host, uptime}) => ({
      did,
      address: host,
      uptime,
      name: names.get(did) ?? null,
    }))
    return isTruncated ? new TruncatedList(list) : list
  }
}
