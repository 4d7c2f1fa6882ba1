/** A new configuration for a bridge that runs: asked for by SIGHUP or over MQTT, taken once the old run has ended. */
import {type Config, ConfigError} from '../config.ts'
import type {Log} from '../log.ts'
import type {SystemdNotifier} from '../systemd.ts'
import {count} from './terminal.ts'

export interface RenewalOptions {
  /** @throws ConfigError */
  load: () => Promise<Config>
  log: Log
  notifier: SystemdNotifier
}

export class Renewal {
  readonly #options: RenewalOptions
  #config: Config | undefined
  #arrive = () => {}
  /** Resolves when there is a valid configuration to take. */
  arrived = this.#next()

  constructor(options: RenewalOptions) {
    this.#options = options
  }

  /** Reads the configuration anew. An invalid one is refused, all of its problems are told, and the answer is `false`. */
  async ask(): Promise<boolean> {
    const {load, log, notifier} = this.#options
    await notifier.reloading()
    try {
      this.#config = await load()
      this.#arrive()
      return true
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      log.error(
        `the new configuration is refused, the old one stays: ${count(error.problems.length, 'problem')}`,
      )
      for (const problem of error.message.split('\n')) log.error(problem)
      await notifier.ready()
      return false
    }
  }

  /** The newest configuration that arrived, once. From here on the next one is awaited. */
  take(): Config | undefined {
    const config = this.#config
    this.#config = undefined
    this.arrived = this.#next()
    return config
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#arrive = resolve
    })
  }
}
