/** The configuration as commands use it, and `check`. */
import {access} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {Command} from 'commander'
import {
  type Config,
  ConfigError,
  type ConfigWarning,
  configFiles,
  configPath,
  describeProblem,
  loadConfig,
  type Problem,
} from '../../config/config.ts'
import {builtIn, type Catalogue} from '../../models/catalogue.ts'
import {CommandFailed, EXIT, UsageError} from '../errors.ts'
import {failureCode, permissionHelp, whoMayRead} from '../file-permission-help.ts'
import {count, type Terminal} from '../terminal.ts'

interface Options {
  config?: string
}

interface CheckOptions extends Options {
  strict?: boolean
}

export function checkCommand(program: Command, terminal: Terminal): void {
  program
    .command('check')
    .description('check the configuration, and list every problem in it')
    .argument('[file]', 'another file than the one that the bridge would use')
    .option('--strict', 'fail on warnings, too')
    .action((file: string | undefined, _options: unknown, command: Command) =>
      check(file, command.optsWithGlobals<CheckOptions>(), terminal),
    )
}

/** The configuration a command works with. @throws CommandFailed 78 that lists every problem in it */
export async function loadConfiguration(option: string | undefined): Promise<Config> {
  const file = await configPath(option, process.env)
  return load(file)
}

/**
 * The same, for a command that also works without: a file that is missing, or broken, only makes it know less.
 * @throws CommandFailed 78 when it was asked for with `--config`
 */
export async function loadConfigurationIfAny(
  option: string | undefined,
  terminal: Terminal,
): Promise<Config | undefined> {
  if (option !== undefined) return load(option)
  const file = await configPath(option, process.env)
  if (await isMissing(file)) return undefined
  try {
    return await loadConfig(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const secret = await permissionHelp(await configFiles(file))
    terminal.note(
      secret === undefined
        ? `going on without ${file}, which is not valid: see \`miio2mqtt check\``
        : `going on without ${file}: this user may not read ${secret}. ${await whoMayRead(secret)}`,
    )
    return undefined
  }
}

/** Every plug that is described: the user's own definitions count where there is a configuration that names them. */
export async function loadCatalogue(option: string | undefined, terminal: Terminal): Promise<Catalogue> {
  return (await loadConfigurationIfAny(option, terminal))?.catalogue ?? builtIn
}

async function check(
  argument: string | undefined,
  {config: option, strict = false}: CheckOptions,
  terminal: Terminal,
): Promise<void> {
  const file = await configPath(fileToCheck(argument, option), process.env)
  const invalid = (problems: readonly Problem[]) => {
    if (terminal.json) terminal.line(JSON.stringify({valid: false, file, problems}))
  }
  const {devices, groups, catalogue, warnings} = await load(file, invalid)
  if (strict && warnings.length > 0) {
    invalid(warnings)
    throw refused(
      `${lines(warnings)}\n${file} has ${count(warnings.length, 'warning')}, and --strict takes none`,
    )
  }
  const names = Object.keys(devices)
  const also = {groups: Object.keys(groups), models: [...catalogue.own]}
  const more = Object.entries(also).filter(([, found]) => found.length > 0)
  const said = [
    `${file} is valid: ${listed(names, 'plug')}`,
    ...more.map(([key, found]) => listed(found, key === 'groups' ? 'group' : 'own model')),
    ...(warnings.length > 0
      ? [terminal.paint('bold', `${count(warnings.length, 'warning')}:`), lines(warnings)]
      : []),
  ]
  terminal.result({valid: true, file, devices: names, ...Object.fromEntries(more), warnings}, said.join('\n'))
}

/** @throws UsageError for two files, and for what is no file */
function fileToCheck(argument: string | undefined, option: string | undefined): string | undefined {
  if (argument !== undefined && option !== undefined)
    throw new UsageError('expected one file, got one as an argument and one with --config')
  if (argument === '-')
    throw new UsageError(
      'expected a file, got "-": standard input is not read, since the files beside the configuration are a part of it',
    )
  return argument ?? option
}

function lines(warnings: readonly ConfigWarning[]): string {
  return warnings.map(describeProblem).join('\n')
}

function listed(names: readonly string[], what: string): string {
  return `${count(names.length, what)}${names.length > 0 ? `: ${names.join(', ')}` : ''}`
}

/** @param onInvalid told of every problem, before it throws. @throws CommandFailed */
async function load(
  file: string,
  onInvalid: (problems: readonly Problem[]) => void = () => {},
): Promise<Config> {
  try {
    return await loadConfig(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    onInvalid(error.problems)
    throw refused([error.message, ...(await adviceOn(file))].join('\n'))
  }
}

function refused(message: string): CommandFailed {
  return new CommandFailed(message, {exitCode: EXIT.configuration, code: 'configuration'})
}

/** What else to say of a configuration that was refused: lines about the file itself. */
async function adviceOn(file: string): Promise<string[]> {
  if (await isMissing(file)) return [await firstTime(file)]
  const inside = join(file, 'config.yaml')
  if ((await failureCode(access(inside))) === undefined) return [`Did you mean ${inside}?`]
  const secret = await permissionHelp(await configFiles(file))
  return secret === undefined ? [] : [await whoMayRead(secret)]
}

/** Beside `dist` in the package, and beside `src` in a clone. */
const EXAMPLE = fileURLToPath(new URL('../../../config.example.yaml', import.meta.url))

async function firstTime(file: string): Promise<string> {
  const example = (await isMissing(EXAMPLE)) ? 'config.example.yaml' : EXAMPLE // a container has none
  return `Copy ${example} to ${file} to begin, or name your file with --config. \`miio2mqtt demo\` needs none.`
}

/** A file that may not be read is not missing, and neither is one in a folder that may not be entered. */
async function isMissing(path: string): Promise<boolean> {
  const code = await failureCode(access(path))
  return code === 'ENOENT' || code === 'ENOTDIR'
}
