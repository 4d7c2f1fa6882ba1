/** The actions of the bridge that requests over MQTT may trigger. `src/app/request-actions.ts` makes them. */
import type {LogLevel} from '../../log/logger.ts'

/** A value in the configuration: a setting, a list, or a mapping. */
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
  /** Removes a key with its value. Does nothing when the key does not exist. */
  | {path: readonly string[]; drop: true}
  /** Gives a key another name, in the same place. */
  | {path: readonly string[]; rename: string}

/** The actions that change the configuration, or read it again. They are those of the `BridgeRunner`, which outlives a bridge. */
export interface ConfigActions {
  /**
   * Reads the configuration file again, and starts a new bridge or takes over what changed.
   * @returns every problem of the new configuration, one a line, and then the bridge goes on with the old one; `undefined` for none
   */
  reload(how: 'restart' | 'reload'): Promise<string | undefined>
  /**
   * Changes the configuration file, and takes over what changed.
   * @param edits called when all earlier changes have been taken over, so that it sees the configuration that it changes. What it
   * throws is thrown
   * @returns as `reload`; the file is unchanged then
   */
  edit(edits: () => readonly ConfigEdit[]): Promise<string | undefined>
}

/** Plain functions without `this`: `Requests` replaces some of them by limited ones. */
export interface BridgeActions extends ConfigActions {
  /** The content of `B/bridge/info`. */
  info(): Record<string, unknown>
  /** The content of `B/bridge/health`. */
  health(): Record<string, unknown>
  setLogLevel(level: LogLevel): void
  /** Warnings about valid but dubious settings, as in the log, but without lines of the file. */
  warnings(): readonly string[]
  /**
   * Sends a hello to the whole network, and lists the plugs that respond.
   * @param timeout milliseconds
   * @returns a list, or a `TruncatedList` when too many answer
   */
  discover(timeout: number): Promise<unknown>
  /** Whether the configuration allows requests to send any method to a plug. */
  allowsRawCalls(): boolean
}

/** In the order in which they are offered. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]
