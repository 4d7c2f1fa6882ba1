/** A new configuration for a bridge that runs: asked for by SIGHUP or over MQTT, taken once the old run has ended. */
import type {Edit} from '../bridge/controls.ts'
import {type Config, ConfigError} from '../config.ts'
import type {Log} from '../log.ts'
import type {SystemdNotifier} from '../systemd.ts'
import {count} from './terminal.ts'

export interface RenewalOptions {
  /** @throws ConfigError */
  load: () => Promise<Config>
  /** Changes the file. @throws ConfigError when it would be invalid then, or cannot be written: it is as it was */
  edit: (edits: readonly Edit[]) => Promise<void>
  log: Log
  notifier: SystemdNotifier
}

/** Takes over a configuration without a new start. Resolves with `false`, and nothing done, when that is too little. */
type Apply = (config: Config) => Promise<boolean>

export class Renewal {
  readonly #options: RenewalOptions
  #config: Config | undefined
  #apply: Apply | undefined
  #arrive = () => {}
  /** One after the other: two edits of a file in a row are two configurations. */
  #asked: Promise<unknown> = Promise.resolve()
  /** Resolves when there is a valid configuration to start anew with. */
  arrived = this.#next()

  constructor(options: RenewalOptions) {
    this.#options = options
  }

  /** From now on `apply` is the bridge that runs. */
  serve(apply: Apply | undefined): void {
    this.#apply = apply
  }

  /** Reads the configuration anew. An invalid one is refused: all of its problems are told, and are what this resolves with. */
  ask(how: 'restart' | 'reload'): Promise<string | undefined> {
    const answer = this.#asked.then(() => this.#ask(how))
    this.#asked = answer.catch(() => {}) // who asked hears of a mistake of ours; who asks next does not
    return answer
  }

  /**
   * Changes the configuration file and takes over what changed. The file is only written when it is valid then.
   * @param edits asked for when their turn has come
   * @returns what would be wrong with it, or nothing. Rejects with what `edits` throws
   */
  change(edits: () => readonly Edit[]): Promise<string | undefined> {
    const answer = this.#asked.then(() => this.#change(edits))
    this.#asked = answer.catch(() => {})
    return answer
  }

  async #change(edits: () => readonly Edit[]): Promise<string | undefined> {
    const asked = edits()
    try {
      await this.#options.edit(asked)
    } catch (error) {
      if (error instanceof ConfigError) return error.message
      throw error
    }
    return this.#ask('reload')
  }

  async #ask(how: 'restart' | 'reload'): Promise<string | undefined> {
    const {load, log, notifier} = this.#options
    await notifier.reloading()
    try {
      const config = await load()
      if (how === 'reload' && (await this.#apply?.(config))) await notifier.ready()
      else this.#startAnew(config)
      return undefined
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      log.error(
        `the new configuration is refused, the old one stays: ${count(error.problems.length, 'problem')}`,
      )
      for (const problem of error.message.split('\n')) log.error(problem)
      await notifier.ready()
      return error.message
    }
  }

  #startAnew(config: Config): void {
    this.#config = config
    this.#arrive()
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
