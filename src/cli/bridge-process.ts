/** What a process needs to run a bridge: a log that hides secrets, a local address that works, and a state folder. For `run` and `demo`. */
import {Bridge} from '../app/bridge.ts'
import type {PreparedBridge} from '../app/bridge-runner.ts'
import type {ConfigActions} from '../bridge/requests/bridge-actions.ts'
import {systemClock} from '../common/clock.ts'
import {Redactor} from '../common/redact.ts'
import type {Config} from '../config/config.ts'
import {createLog, type PinoLog} from '../log/logger.ts'
import {MiioError} from '../miio/miio-error.ts'
import {MiioSocket} from '../miio/socket.ts'
import {StateFolderError} from '../storage/json-file.ts'
import {StateFolders} from '../storage/state-folders.ts'
import {CommandFailed} from './errors.ts'

/** Objects that all bridges of one process share, one after the other. */
export interface BridgeProcess {
  log: PinoLog
  /** Removes secrets from log lines and messages. */
  redactor: Redactor
  /** Open state folders. */
  folders: StateFolders
}

/** Creates the log of a process, with the level and the format of its first configuration. */
export function createBridgeProcess(
  {log: {level, format}}: Config,
  destination: 'stdout' | 'stderr' = 'stdout',
): BridgeProcess {
  const redactor = new Redactor()
  const log = createLog({level, format, redactor, destination})
  return {log, redactor, folders: new StateFolders({clock: systemClock, random: Math.random, log})}
}

/**
 * Tries and opens everything that the start of a bridge needs, so that a failure leaves a running bridge alone.
 * @param stateFolder by default that of the configuration
 * @throws CommandFailed for a local address or a state folder that cannot be used
 */
export async function prepareBridge(
  config: Config,
  {log, redactor, folders}: BridgeProcess,
  configActions: ConfigActions,
  stateFolder = config.state_dir,
): Promise<PreparedBridge> {
  await tryLocalAddress(config)
  const folder = await folders.open(stateFolder).catch(refuseFolder)
  const build = () => {
    log.setLevel(config.log.level)
    log.setFormat(config.log.format)
    const {catalogue} = config
    if (catalogue.replaced.length > 0)
      log.info(`own definitions replace built-in ones: ${catalogue.replaced.join(', ')}`)
    return new Bridge({
      config,
      clock: systemClock,
      random: Math.random,
      log,
      redactor,
      store: folder.store,
      energyStore: folder.energyStore,
      catalogue,
      configActions,
    })
  }
  return {config, build, close: () => folders.release(folder)}
}

/** @throws CommandFailed for a state folder that cannot be read or written, or is in use by another bridge */
function refuseFolder(error: unknown): never {
  if (error instanceof StateFolderError) throw new CommandFailed(error.message)
  throw error
}

/** `network.bind` must be an address of this machine. @throws CommandFailed */
async function tryLocalAddress({network}: Config): Promise<void> {
  const socket = new MiioSocket({bind: network.bind})
  try {
    await socket.open()
  } catch (error) {
    if (!(error instanceof MiioError)) throw error
    throw new CommandFailed(network.bind === undefined ? error.message : `network.bind: ${error.message}`)
  }
  await socket.close()
}
