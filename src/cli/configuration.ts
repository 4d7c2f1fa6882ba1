/** The configuration as commands use it, and `check`. */
import {access} from 'node:fs/promises'
import type {Command} from 'commander'
import {type Config, ConfigError, configPath, loadConfig, type Problem} from '../config.ts'
import {builtIn, type Catalogue} from '../models/index.ts'
import {CommandFailed, EXIT} from './exit.ts'
import {count, type Terminal} from './terminal.ts'

interface Options {
  config?: string
}

export function checkCommand(program: Command, terminal: Terminal): void {
  program
    .command('check')
    .description('check the configuration, and list every problem in it')
    .action((_options: unknown, command: Command) => check(command.optsWithGlobals<Options>(), terminal))
}

/** The configuration a command works with. @throws CommandFailed 78 that lists every problem in it */
export async function configuration(option: string | undefined): Promise<Config> {
  const file = await configPath(option, process.env)
  return load(file)
}

/**
 * The same, for a command that also works without: a file that is missing, or broken, only makes it know less.
 * @throws CommandFailed 78 when it was asked for with `--config`
 */
export async function configurationIfAny(
  option: string | undefined,
  terminal: Terminal,
): Promise<Config | undefined> {
  if (option !== undefined) return load(option)
  const file = await configPath(option, process.env)
  if (!(await exists(file))) return undefined
  try {
    return await loadConfig(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    terminal.note(`going on without ${file}, which is not valid: see \`miio2mqtt check\``)
    return undefined
  }
}

/** Every plug that is described: the user's own definitions count where there is a configuration that names them. */
export async function catalogueIfAny(option: string | undefined, terminal: Terminal): Promise<Catalogue> {
  return (await configurationIfAny(option, terminal))?.catalogue ?? builtIn
}

async function check({config: option}: Options, terminal: Terminal): Promise<void> {
  const file = await configPath(option, process.env)
  const invalid = (problems: readonly Problem[]) =>
    terminal.line(JSON.stringify({valid: false, file, problems}))
  const {devices, groups, catalogue} = await load(file, terminal.json ? invalid : undefined)
  const names = Object.keys(devices)
  const also = {groups: Object.keys(groups), models: [...catalogue.own]}
  const more = Object.entries(also).filter(([, found]) => found.length > 0)
  const lines = more.map(([key, found]) => `\n${listed(found, key === 'groups' ? 'group' : 'own model')}`)
  terminal.result(
    {valid: true, file, devices: names, ...Object.fromEntries(more)},
    `${file} is valid: ${listed(names, 'plug')}${lines.join('')}`,
  )
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
    const advice = (await isMissing(file)) ? FIRST_TIME : ''
    throw new CommandFailed(error.message + advice, {exitCode: EXIT.configuration, code: 'configuration'})
  }
}

const FIRST_TIME = `
Copy config.example.yaml to config.yaml to begin, or name your file with --config. \`miio2mqtt demo\` needs none.`

/** A file that may not be read is not missing. */
function isMissing(path: string): Promise<boolean> {
  return access(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  )
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
