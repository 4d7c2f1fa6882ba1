/**
 * Starts, reloads, restarts and stops the bridge: one step at a time, in the order of the calls, so that there are never two bridges in the
 * process. What can fail at a start is tried before the running bridge is stopped: a configuration that fails leaves it running
 * (docs/promises.md, 65 and 66).
 */
import type {ConfigEdit} from '../bridge/requests/bridge-actions.ts'
import {type Clock, within} from '../common/clock.ts'
import {count} from '../common/text.ts'
import {type Config, ConfigError} from '../config/config.ts'
import type {Log} from '../log/logger.ts'
import type {SystemdNotifier} from './systemd.ts'

/** The part of `Bridge` that the runner needs. */
export interface RunnableBridge {
  /** Resolves early when `stop` is called meanwhile. */
  start(): Promise<void>
  /** @returns `false`, with nothing done, when `config` needs a new bridge */
  reload(config: Config): Promise<boolean>
  /** Also ends a start that is under way. May be called again. */
  stop(): Promise<void>
  isAlive(): boolean
  status(): string
}

/** A configuration that was tried, with everything open that a bridge needs. */
export interface PreparedBridge {
  config: Config
  /** Makes the bridge. Any other bridge must have stopped. */
  build(): RunnableBridge
  /** Closes what was opened. To be called after the bridge has stopped. */
  close(): Promise<void>
}

export interface BridgeRunnerOptions {
  /** Reads the configuration again. @param running the configuration in use @throws ConfigError */
  load: (running: Config) => Promise<Config>
  /** Changes the configuration file and reads it again. When this rejects, the file is unchanged. @throws ConfigError */
  edit: (edits: readonly ConfigEdit[], running: Config) => Promise<Config>
  /** Tries what a start needs: addresses, folders. Rejects with an error of `isRefusal` when that cannot be used. */
  prepare: (config: Config) => Promise<PreparedBridge>
  /** Whether an error is a problem of the configuration or of this machine, and not a fault of the program. */
  isRefusal: (error: unknown) => error is Error
  /** Called when no bridge runs any more, and none can be started. */
  onLost: (error: unknown) => void
  clock: Clock
  log: Log
  notifier: Pick<SystemdNotifier, 'ready' | 'reloading'>
}

/** A bridge stops within 5 s (docs/promises.md, 3): the runner waits no longer than this. */
export const STOP_MS = 4300

/** Runs one bridge after another. Every step waits for the one before. */
export class BridgeRunner {
  readonly #options: BridgeRunnerOptions
  #running: {bridge: RunnableBridge; prepared: PreparedBridge} | undefined
  /** Settles when every step so far is done. */
  #steps: Promise<unknown> = Promise.resolve()
  #stopping = false

  constructor(options: BridgeRunnerOptions) {
    this.#options = options
  }

  /** The first start. @throws what `prepare` or the start of the bridge throws */
  start(config: Config): Promise<void> {
    return this.#inTurn(async () => this.#launch(await this.#options.prepare(config)))
  }

  /**
   * Reads the configuration and applies it: with `Bridge.reload` if possible, else with a new bridge. Resolves when the configuration was
   * applied, or a new bridge is certain to start: the response to a request can then still be published over the old connection.
   * @returns every problem of the configuration, one a line, and then nothing has changed; `undefined` for none
   */
  reload(how: 'restart' | 'reload'): Promise<string | undefined> {
    const {load, log} = this.#options
    return this.#apply(how, load, (error) => {
      const problems = error instanceof ConfigError ? error.count : 1
      log.error(`the new configuration is refused, the old one stays: ${count(problems, 'problem')}`)
      for (const problem of error.message.split('\n')) log.error(problem)
      return error.message
    })
  }

  /**
   * Changes the configuration file and applies the change.
   * @param edits called when all earlier steps are done, so that it sees the configuration that it changes
   * @returns as `reload`. Rejects with what `edits` throws
   */
  edit(edits: () => readonly ConfigEdit[]): Promise<string | undefined> {
    const read = (running: Config) => this.#options.edit(edits(), running)
    return this.#apply('reload', read, ({message}) => message) // no log line: the response to the request has the message
  }

  /** Stops the bridge, even while it is being started, and closes what it used. No bridge is started afterwards. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running?.bridge.stop()
    await this.#steps
    await this.#running?.bridge.stop() // one that was started meanwhile
    await this.#running?.prepared.close()
  }

  /** Whether the bridge works; true while one bridge is replaced by another. */
  isAlive(): boolean {
    return this.#running?.bridge.isAlive() ?? true
  }

  /** One line for `systemctl status`. */
  status(): string {
    return this.#running?.bridge.status() ?? 'starting'
  }

  /** Runs a step after all earlier ones. A step that fails does not prevent the next. */
  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#steps.then(step)
    this.#steps = turn.catch(() => {})
    return turn
  }

  /**
   * Applies a configuration after all earlier steps.
   * @param report makes the returned text of a refusal, and may log it
   * @returns the problems or `undefined`, as soon as the result is certain
   */
  #apply(
    how: 'restart' | 'reload',
    read: (running: Config) => Promise<Config>,
    report: (error: Error) => string,
  ): Promise<string | undefined> {
    const {notifier, prepare, isRefusal, log} = this.#options
    return new Promise((resolve, reject) => {
      const step = this.#inTurn(async () => {
        const running = this.#running
        if (this.#stopping || !running) return resolve('the bridge is stopping')
        await notifier.reloading()
        try {
          log.debug(() => `${how}: reading the configuration`)
          const config = await read(running.prepared.config)
          log.debug(() => `${how}: the configuration is valid`)
          if (this.#stopping) return resolve(undefined) // the next start reads the same file
          if (how === 'reload' && (await this.#tryReload(running.bridge, config))) return resolve(undefined)
          log.debug(() => `${how}: the bridge restarts with it`)
          const prepared = await prepare(config)
          resolve(undefined)
          await this.#replace(prepared)
        } catch (error) {
          if (!isRefusal(error)) throw error
          resolve(report(error))
        } finally {
          await notifier.ready()
        }
      })
      step.catch(reject)
    })
  }

  /**
   * @returns whether the bridge has taken over the configuration. One that failed half-way is in no known state: it is replaced by a new
   * one
   */
  async #tryReload(bridge: RunnableBridge, config: Config): Promise<boolean> {
    try {
      return await bridge.reload(config)
    } catch (error) {
      this.#options.log.error('the configuration was applied in part only: the bridge restarts', {
        error,
      })
      return false
    }
  }

  async #replace(prepared: PreparedBridge): Promise<void> {
    const {log, onLost} = this.#options
    const before = this.#running?.prepared
    await this.#end()
    try {
      await this.#launch(prepared)
      await before?.close()
    } catch (error) {
      if (!before) return onLost(error)
      log.error('the bridge cannot start with the new configuration: the old one stays in use', {error})
      await this.#launch(before).catch(onLost)
      await prepared.close()
    }
  }

  async #launch(prepared: PreparedBridge): Promise<void> {
    if (this.#stopping) return prepared.close()
    const bridge = prepared.build()
    this.#running = {bridge, prepared}
    try {
      await bridge.start()
    } catch (error) {
      await this.#end()
      throw error
    }
  }

  async #end(): Promise<void> {
    const {clock} = this.#options
    const {bridge} = this.#running ?? {}
    this.#running = undefined
    if (bridge) await within(clock, clock.now() + STOP_MS, bridge.stop())
  }
}
