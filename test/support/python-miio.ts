/**
 * python-miio, the reference client, which is not part of this project: Debian's package `python3-miio`, 0.5.0.1.
 * Whether it is installed is found out, and complained about, once for all tests: see test/setup/debian-packages.ts.
 */
import {execFile} from 'node:child_process'
import {promisify} from 'node:util'
import {inject} from 'vitest'
import {PATIENCE_MS} from './wait.ts'

const run = promisify(execFile)

/** The interpreter that has it, or `undefined` where it is not installed: `describe.runIf(pythonMiio)`. */
export const pythonMiio = inject('tools').pythonMiio ? '/usr/bin/python3' : undefined

/** Its command line as it would be typed. Debian's click renamed a function that this version of it still calls by the old name. */
const MIIOCLI = `
import click
if not hasattr(click.MultiCommand, 'resultcallback'):
    click.MultiCommand.resultcallback = click.MultiCommand.result_callback
from miio.cli import create_cli
create_cli()
`

/** What a script prints. Its own arguments are in `sys.argv[1:]`. @throws Error with what it printed when it fails */
export async function python(script: string, ...args: string[]): Promise<string> {
  if (!pythonMiio) throw new Error('python-miio is missing: sudo apt-get install python3-miio')
  const {stdout} = await run(pythonMiio, ['-W', 'ignore', '-c', script, ...args], {timeout: PATIENCE_MS})
  return stdout
}

/** What `miiocli …` prints. @throws Error with what it printed when it fails */
export function miiocli(...args: string[]): Promise<string> {
  return python(MIIOCLI, ...args)
}
