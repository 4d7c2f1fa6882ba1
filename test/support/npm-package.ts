/** A package from npm that is only compared or played with: in a folder of its own in node_modules/.cache, installed the first time. */
import {execFile} from 'node:child_process'
import {existsSync} from 'node:fs'
import {mkdir, mkdtemp, rename, rm, writeFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import {promisify} from 'node:util'

/** @returns the folder with its `node_modules`. @throws Error with the output of npm */
export async function installedFromNpm(name: string, version: string): Promise<string> {
  const cache = resolve('node_modules/.cache')
  const folder = join(cache, `${name}-${version}`)
  if (!existsSync(folder)) await install(`${name}@${version}`, cache, folder)
  return folder
}

/** Into a folder beside its place first, so that what is in its place is whole. */
async function install(what: string, cache: string, folder: string): Promise<void> {
  console.error(`installing ${what} into ${folder}`)
  await mkdir(cache, {recursive: true})
  const beside = await mkdtemp(join(cache, 'new-'))
  await writeFile(join(beside, 'package.json'), '{"private":true}\n')
  const options = [
    '--prefix',
    beside,
    '--ignore-scripts',
    '--omit=optional',
    '--no-audit',
    '--loglevel=error',
  ]
  await promisify(execFile)('npm', ['install', ...options, what], {cwd: beside}).catch((error: Error) => {
    throw new Error(`${what} could not be installed from the npm registry: ${error.message}`)
  })
  await rename(beside, folder).catch(async (error: Error) => {
    await rm(beside, {recursive: true, force: true})
    if (!existsSync(folder)) throw error // otherwise another run was quicker
  })
}
