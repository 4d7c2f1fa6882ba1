import {type Config, ConfigError, configPath, loadConfig} from '../config.ts'
import {CommandFailed, EXIT} from './exit.ts'

/** The configuration a command works with. @throws CommandFailed 78 that lists every problem in it */
export async function configuration(option: string | undefined): Promise<Config> {
  try {
    return await loadConfig(await configPath(option, process.env), process.env)
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandFailed(error.message, EXIT.configuration)
    throw error
  }
}
