/**
 * The life of the bridge in one process: started, reloaded, replaced by one with another configuration, stopped. One step at a
 * time, in the order in which they were asked for, so that there are never two bridges. What can fail at a start is tried before
 * the running bridge is stopped; a configuration that fails leaves it running.
 */
import type {ConfigEdit} from '../bridge/requests/bridge-actions.ts'
import {CommandFailed} from '../cli/errors.ts'
import {count} from '../cli/terminal.ts'
import {type Clock, within} from '../common/clock.ts'
import {type Config, ConfigError} from '../config/config.ts'
import type {Log} from '../log/logger.ts'
import type {SystemdNotifier} from './systemd.ts'

/** The `Daemon`, as far as its life is concerned. */
export interface RunnableBridge {
  /** Returns early when `stop` is called meanwhile. */
  start(): Promise<void>
  /** @returns `false`, with nothing done, when `config` takes a new start */
  reload(config: Config): Promise<boolean>
  /** Ends a start that is under way, too. May be called again. */
  stop(): Promise<void>
  isAlive(): boolean
  status(): string
}

/** A configuration that was tried, with everything a bridge needs opened. */
export interface PreparedBridge {
  config: Config
  /** Makes the bridge. Another one must have stopped by then. */
  build(): RunnableBridge
  /** Closes what was opened, after the bridge has stopped. */
  close(): Promise<void>
}

export interface BridgeRunnerOptions {
  /** Reads the configuration again. @param running the one in use @throws ConfigError */
  load: (running: Config) => Promise<Config>
  /** Changes the configuration file and reads it again. The file is as it was when this rejects. @throws ConfigError */
  edit: (edits: readonly ConfigEdit[], running: Config) => Promise<Config>
  /** Tries what a start needs: addresses, folders. @throws CommandFailed, MiioError */
  prepare: (config: Config) => Promise<PreparedBridge>
  /** No bridge runs any more, and none can be started. */
  onLost: (error: unknown) => void
  clock: Clock
  log: Log
  notifier: Pick<SystemdNotifier, 'ready' | 'reloading'>
}

type Read = (running: Config) => Promise<Config>

/** A bridge stops within 5 s (docs/promises.md); what is not done by then will not be done. */
export const STOP_MS = 4300

export class BridgeRunner {
  readonly #options: BridgeRunnerOptions
  #running: {bridge: RunnableBridge; prepared: PreparedBridge} | undefined
  /** Settles when every step asked for so far is done. */
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
   * Reads the configuration and takes it over: what `reload` can take over while the bridge runs, everything else with a new start.
   * Resolves when that is certain to come, so that the answer can still leave over the old connection.
   * @returns what is wrong with the configuration, and then nothing has changed
   */
  reload(how: 'restart' | 'reload'): Promise<string | undefined> {
    return this.#renew(how, this.#options.load, (error) => this.#logged(error))
  }

  /**
   * Changes the configuration file and takes over what changed.
   * @param edits asked for when all earlier steps are done, so that they follow from what is there then
   * @returns as `reload`. Rejects with what `edits` throws
   */
  edit(edits: () => readonly ConfigEdit[]): Promise<string | undefined> {
    const read = (running: Config) => this.#options.edit(edits(), running)
    return this.#renew('reload', read, ({message}) => message) // no log line: the answer to the request says it
  }

  /** Stops the bridge, also one that is being started, and everything after it. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running?.bridge.stop()
    await this.#steps
    await this.#running?.bridge.stop() // one that was about to start
    await this.#running?.prepared.close()
  }

  /** Whether the bridge makes progress; true while one bridge is replaced by another. */
  isAlive(): boolean {
    return this.#running?.bridge.isAlive() ?? true
  }

  /** One line for `systemctl status`. */
  status(): string {
    return this.#running?.bridge.status() ?? 'starting'
  }

  /** A step that fails ends nothing that comes after it. */
  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#steps.then(step)
    this.#steps = turn.catch(() => {})
    return turn
  }

  /** @param report logs why a configuration is refused, where that is wanted, and returns the answer */
  #renew(
    how: 'restart' | 'reload',
    read: Read,
    report: (error: Error) => string,
  ): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const step = this.#inTurn(() => this.#takeOver(how, read, report, resolve))
      step.catch(reject)
    })
  }

  async #takeOver(
    how: 'restart' | 'reload',
    read: Read,
    report: (error: Error) => string,
    answer: (problem: string | undefined) => void,
  ): Promise<void> {
    const {notifier, prepare, log} = this.#options
    const running = this.#running
    if (this.#stopping || !running) return answer('the bridge is stopping')
    await notifier.reloading()
    try {
      log.debug(() => `${how}: reading the configuration`)
      const config = await read(running.prepared.config)
      log.debug(() => `${how}: the configuration is valid`)
      if (this.#stopping) return answer(undefined) // the next start reads the same file
      if (how === 'reload' && (await this.#isTakenOver(running.bridge, config))) return answer(undefined)
      log.debug(() => `${how}: the bridge starts anew with it`)
      const prepared = await prepare(config)
      answer(undefined)
      await this.#replace(prepared)
    } catch (error) {
      if (!isRefusal(error)) throw error
      answer(report(error))
    } finally {
      await notifier.ready()
    }
  }

  /** A bridge that failed in the middle of it is in no known state: a new one starts in its place. */
  async #isTakenOver(bridge: RunnableBridge, config: Config): Promise<boolean> {
    try {
      return await bridge.reload(config)
    } catch (error) {
      this.#options.log.error('the configuration was taken over in part only: the bridge starts anew', {
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
      log.error('the bridge cannot start with the new configuration: it goes on with the old one', {error})
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

  /** @returns the problems, one a line */
  #logged(error: Error): string {
    const {log} = this.#options
    const problems = error instanceof ConfigError ? error.count : 1
    log.error(`the new configuration is refused, the old one stays: ${count(problems, 'problem')}`)
    for (const problem of error.message.split('\n')) log.error(problem)
    return error.message
  }
}

/** What is wrong with a configuration or with this machine, and not with the program. */
function isRefusal(error: unknown): error is ConfigError | CommandFailed {
  return error instanceof ConfigError || error instanceof CommandFailed
}
