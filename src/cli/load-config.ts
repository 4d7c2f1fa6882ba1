/** Loads the configuration for a command: the errors and hints when that fails, and the log lines of its warnings. */
import {constants, type Stats} from 'node:fs'
import {access, readFile, stat} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {
  type Config,
  ConfigError,
  configFiles,
  configPath,
  describeProblem,
  loadConfig,
  type Problem,
} from '../config/config.ts'
import type {Log} from '../log/logger.ts'
import {builtIn, type Catalogue} from '../models/catalogue.ts'
import {CommandFailed, EXIT} from './errors.ts'
import type {Terminal} from './terminal.ts'

/**
 * Loads the configuration that a command needs.
 * @param option of `--config` @throws CommandFailed with exit code 78 that lists every problem
 */
export async function loadConfiguration(option: string | undefined): Promise<Config> {
  return loadConfigFile(await configPath(option, process.env))
}

/**
 * Loads the configuration for a command that also works without one. A broken file is one note on the terminal.
 * @returns `undefined` for a missing or broken file @throws CommandFailed with exit code 78 when the file was named with `--config`
 */
export async function loadConfigurationIfAny(
  option: string | undefined,
  terminal: Terminal,
): Promise<Config | undefined> {
  if (option !== undefined) return loadConfigFile(option)
  const file = await configPath(option, process.env)
  if (await isMissing(file)) return undefined
  try {
    return await loadConfig(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const unreadable = await firstUnreadable(await configFiles(file))
    terminal.note(
      unreadable === undefined
        ? `continuing without ${file}, which is not valid: see \`miio2mqtt check\``
        : `continuing without ${file}: this user may not read ${unreadable}. ${await permissionHelp(unreadable)}`,
    )
    return undefined
  }
}

/** All models: those that come with the program and, where there is a configuration, the user's own definitions. */
export async function loadCatalogue(option: string | undefined, terminal: Terminal): Promise<Catalogue> {
  return (await loadConfigurationIfAny(option, terminal))?.catalogue ?? builtIn
}

/**
 * Loads a configuration file.
 * @param onInvalid called with every problem before this throws
 * @throws CommandFailed with exit code 78 that lists every problem, and adds hints on the file
 */
export async function loadConfigFile(
  file: string,
  onInvalid: (problems: readonly Problem[]) => void = () => {},
): Promise<Config> {
  try {
    return await loadConfig(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    onInvalid(error.problems)
    throw configRefused([error.message, ...(await hintsOn(file))].join('\n'))
  }
}

/** A CommandFailed for a configuration that is not accepted: exit code 78. */
export function configRefused(message: string): CommandFailed {
  return new CommandFailed(message, {exitCode: EXIT.configuration, code: 'configuration'})
}

/**
 * Makes a function that logs the warnings of a configuration: those that the configuration before did not have. A warning whose line
 * moved is the same. It returns the configuration.
 */
export function warningLogger(log: Pick<Log, 'warn'>): (config: Config) => Config {
  /** Warnings of the configuration that was read last. */
  let logged: ReadonlySet<string> = new Set()
  return (config) => {
    const warnings = config.warnings
      .filter(({code}) => code !== 'no_plugs') // the bridge logs this at its start
      .map((warning) => [`${warning.file} ${warning.path}: ${warning.message}`, warning] as const)
    for (const [key, warning] of warnings) if (!logged.has(key)) log.warn(describeProblem(warning))
    logged = new Set(warnings.map(([key]) => key))
    return config
  }
}

/** Lines to add to the error of a configuration: what is wrong with the file itself. */
async function hintsOn(file: string): Promise<string[]> {
  if (await isMissing(file)) {
    const example = (await isMissing(EXAMPLE)) ? 'config.example.yaml' : EXAMPLE // a container has none
    return [
      `Copy ${example} to ${file} to begin, or name your file with --config. \`miio2mqtt demo\` needs none.`,
    ]
  }
  const inside = join(file, 'config.yaml')
  if ((await errorCode(access(inside))) === undefined) return [`Did you mean ${inside}?`]
  const unreadable = await firstUnreadable(await configFiles(file))
  return unreadable === undefined ? [] : [await permissionHelp(unreadable)]
}

/** Beside `dist` in the package, and beside `src` in a clone. */
const EXAMPLE = fileURLToPath(new URL('../../config.example.yaml', import.meta.url))

/** A file that may not be read is not missing, and neither is one in a folder that may not be entered. */
async function isMissing(path: string): Promise<boolean> {
  const code = await errorCode(access(path))
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** The first of `files` that exists and that this user may not read. Never rejects. */
async function firstUnreadable(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) if ((await errorCode(access(file, constants.R_OK))) === 'EACCES') return file
  return undefined
}

/** One line about a file that this user may not read: its owner, and the command that may read it. Never rejects. */
async function permissionHelp(file: string): Promise<string> {
  const owned = await ownershipOf(file)
  if (!owned) return 'Try `sudo miio2mqtt …`.'
  if (owned.uid === process.getuid?.()) return `It is yours: \`chmod u+rX ${owned.path}\`.`
  const reader = await readerOf(owned)
  return reader === 'root'
    ? 'It belongs to root: `sudo miio2mqtt …`.'
    : `It belongs to ${reader}: \`sudo --user ${reader} miio2mqtt …\`.`
}

type Ownership = Pick<Stats, 'uid' | 'gid' | 'mode'> & {
  /** The file, or the innermost folder around it whose owner can be read. */
  path: string
}

/** A folder that may not be entered hides the owner of the file in it. The owner of that folder may enter it. */
async function ownershipOf(file: string): Promise<Ownership | undefined> {
  for (let path = file; ; path = dirname(path)) {
    const stats = await stat(path).catch(() => undefined)
    if (stats) return {path, uid: stats.uid, gid: stats.gid, mode: stats.mode}
    if (path === dirname(path)) return undefined
  }
}

/** The user to read the file as: its owner; for a file of root's that a group may read, the user of that group, as a service has one. */
async function readerOf({uid, gid, mode}: Ownership): Promise<string> {
  const isOfGroup = uid === 0 && gid !== 0 && (mode & 0o040) !== 0
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '') // passwd(5)
  for (const line of users.split('\n')) {
    const [name = '', , user, group] = line.split(':')
    const isReader = isOfGroup ? Number(user) !== 0 && Number(group) === gid : Number(user) === uid
    if (isReader) return name
  }
  return uid === 0 ? 'root' : `'#${uid}'` // the form in which sudo takes a number
}

/** The code with which a promise of the file system is rejected; `undefined` when it resolves. */
function errorCode(done: Promise<unknown>): Promise<string | undefined> {
  return done.then(
    () => undefined,
    ({code}: NodeJS.ErrnoException) => code,
  )
}
