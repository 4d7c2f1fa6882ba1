/** `miio2mqtt check`: validates the configuration and lists every problem and warning. */
import {count} from '../../common/text.ts'
import {type ConfigWarning, configPath, describeProblem, type Problem} from '../../config/config.ts'
import {UsageError} from '../errors.ts'
import {configRefused, loadConfigFile} from '../load-config.ts'
import type {Terminal} from '../terminal.ts'

interface Options {
  config?: string
  strict?: boolean
}

/** Prints what is configured, and the warnings. @throws CommandFailed with exit code 78 that lists every problem */
export async function check(
  argument: string | undefined,
  {config: option, strict = false}: Options,
  terminal: Terminal,
): Promise<void> {
  const file = await configPath(fileToCheck(argument, option), process.env)
  const printInvalid = (problems: readonly Problem[]) => {
    if (terminal.json) terminal.line(JSON.stringify({valid: false, file, problems}))
  }
  const {devices, groups, catalogue, warnings} = await loadConfigFile(file, printInvalid)
  if (strict && warnings.length > 0) {
    printInvalid(warnings)
    throw configRefused(
      `${lines(warnings)}\n${file} has ${count(warnings.length, 'warning')}, and --strict accepts none`,
    )
  }
  const names = Object.keys(devices)
  const others = Object.entries({groups: Object.keys(groups), models: [...catalogue.own]}).filter(
    ([, found]) => found.length > 0,
  )
  const text = [
    `${file} is valid: ${listed(names, 'plug')}`,
    ...others.map(([key, found]) => listed(found, key === 'groups' ? 'group' : 'own model')),
    ...(warnings.length > 0
      ? [terminal.paint('bold', `${count(warnings.length, 'warning')}:`), lines(warnings)]
      : []),
  ]
  const result = {valid: true, file, devices: names, ...Object.fromEntries(others), warnings}
  terminal.result(result, text.join('\n'))
}

/** @throws UsageError for two files, and for "-" */
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
