/** What requests can make the bridge do: the daemon lends it to them. */
import type {LogLevel} from '../../log/logger.ts'

/** A setting, a list of them, or a mapping, as it is to stand in the configuration. */
export type ConfigValue =
  | string
  | number
  | boolean
  | readonly ConfigValue[]
  | {readonly [key: string]: ConfigValue}

/** One change of the configuration. Paths are keys from the outermost on: `['devices', 'desk', 'area']`. */
export type ConfigEdit =
  /** Writes a value, in the place of any before. */
  | {path: readonly string[]; put: ConfigValue}
  /** Takes a key away, with its value. Nothing happens when it is not there. */
  | {path: readonly string[]; drop: true}
  /** Gives a key another name, in the same place. */
  | {path: readonly string[]; rename: string}

export interface BridgeActions {
  info(): Record<string, unknown>
  health(): Record<string, unknown>
  setLogLevel(level: LogLevel): void
  /**
   * Reads the configuration anew, and starts anew with it or takes over what changed. Resolves with what is wrong with it, and
   * then the bridge goes on as before.
   */
  renew(how: 'restart' | 'reload'): Promise<string | undefined>
  /**
   * Changes the configuration file, and takes over what changed. Resolves as `renew`: then the file is as it was.
   * @param edits asked for when all earlier changes are taken over, so that they follow from what is there then
   */
  edit(edits: () => readonly ConfigEdit[]): Promise<string | undefined>
  /** What in the configuration is valid and still needs a look, as the log has it, but without lines of the file. Nothing when left out. */
  warnings?(): readonly string[]
  /** Greets the whole LAN and lists who answers; a `CutShort` list when too many do. @param timeout milliseconds */
  discover(timeout: number): Promise<unknown>
  /** Whether somebody allowed requests to send a plug anything. */
  allowsRawCalls(): boolean
}

/** In the order in which they are offered. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]
