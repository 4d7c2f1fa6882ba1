/** The warnings of a configuration in the log of a bridge: once each, however often the file is read. */
import {type Config, describeProblem} from '../config/config.ts'
import type {Log} from '../log/logger.ts'

export class ConfigWarnings {
  readonly #log: Pick<Log, 'warn'>
  /** Of the configuration that was read last. */
  #known: ReadonlySet<string> = new Set()

  constructor(log: Pick<Log, 'warn'>) {
    this.#log = log
  }

  /** Logs what the configuration that was read before did not have. A line that moved is no news. @returns `config` */
  tell(config: Config): Config {
    const warnings = config.warnings
      .filter(({code}) => code !== 'no_plugs') // the bridge says so itself
      .map((warning) => [`${warning.file} ${warning.path}: ${warning.message}`, warning] as const)
    for (const [key, warning] of warnings) if (!this.#known.has(key)) this.#log.warn(describeProblem(warning))
    this.#known = new Set(warnings.map(([key]) => key))
    return config
  }
}
