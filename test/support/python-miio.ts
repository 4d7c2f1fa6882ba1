/**
 * python-miio, the reference client, which is not part of this project: Debian's package `python3-miio`, 0.5.0.1.
 * test/setup/debian-packages.ts checks once for all tests whether it is installed, and prints a warning.
 */
import {execFile} from 'node:child_process'
import {promisify} from 'node:util'
import {inject} from 'vitest'
import {PATIENCE_MS} from './wait.ts'

const run = promisify(execFile)

/** The interpreter that has it, or `undefined` where it is not installed: `describe.runIf(pythonMiio)`. */
export const pythonMiio = inject('tools').pythonMiio ? '/usr/bin/python3' : undefined

/** Its command line. This version calls a function of click by a name that Debian's click no longer has. */
const MIIOCLI = `
import click
if not hasattr(click.MultiCommand, 'resultcallback'):
    click.MultiCommand.resultcallback = click.MultiCommand.result_callback
from miio.cli import create_cli
create_cli()
`

/** The output of a script. Its arguments are in `sys.argv[1:]`. @throws Error with the output when it fails */
export async function python(script: string, ...args: string[]): Promise<string> {
  if (!pythonMiio) throw new Error('python-miio is missing: sudo apt-get install python3-miio')
  const {stdout} = await run(pythonMiio, ['-W', 'ignore', '-c', script, ...args], {timeout: PATIENCE_MS})
  return stdout
}

/** The output of `miiocli …`. @throws Error with the output when it fails */
export function miiocli(...args: string[]): Promise<string> {
  return python(MIIOCLI, ...args)
}
