/** Finds config.yaml and the state folder, and checks that they are in a safe place. */
import {access, realpath, stat, statfs} from 'node:fs/promises'
import {homedir} from 'node:os'
import {delimiter, dirname, join, resolve} from 'node:path'
import {errorCode} from '../common/text.ts'
import {CONFIG, type Environment} from './read/environment.ts'
import {fileErrorText, LONGEST_DOCUMENT, readText} from './read/read-file.ts'
import {SECRETS_FILE} from './read/tag-resolver.ts'
import type {Config} from './schema/schema.ts'
import {secretsOf} from './schema/settings.ts'

const IN_WORKING_DIRECTORY = 'config.yaml'
const SYSTEM_WIDE = '/etc/miio2mqtt/config.yaml'

/** The configuration to read: the option of the command, else `MIIO2MQTT_CONFIG`, else ./config.yaml, else the file in /etc. */
export async function configPath(option: string | undefined, env: Environment): Promise<string> {
  const given = option || env[CONFIG]
  if (given) return given
  return (await exists(IN_WORKING_DIRECTORY)) || !(await exists(SYSTEM_WIDE))
    ? IN_WORKING_DIRECTORY
    : SYSTEM_WIDE
}

/** The state folder where `state_dir` is not set: the one of systemd, else the usual one of this user. */
export function stateFolder(env: Environment, uid = process.getuid?.(), home = homedir()): string {
  const given = env['STATE_DIRECTORY']?.split(delimiter)[0]
  if (given) return given
  if (uid === 0) return '/var/lib/miio2mqtt'
  return join(env['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'miio2mqtt')
}

/** File systems without a disk (statfs(2)): no file can be kept there, and making a folder there may never end. */
const PSEUDO_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0x9fa0, 0x62656572, 0x63677270, 0x64626720, 0x74726163,
])

/** Why no file can be kept in `folder`, as far as that shows without writing; `undefined` when none is known. */
export async function stateFolderProblem(folder: string): Promise<string | undefined> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    try {
      if (!(await stat(path)).isDirectory()) return `expected a folder, got ${path}, which is none`
      const {type} = await statfs(path)
      return PSEUDO_FILE_SYSTEMS.has(type) ? `expected a folder on a disk, got one below ${path}` : undefined
    } catch (error) {
      const code = errorCode(error)
      if (code === 'ENAMETOOLONG' || code === 'ELOOP')
        return `expected a folder, got ${path}: ${fileErrorText(error)}`
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || path === dirname(path)) return undefined
    }
  }
}

/** A file in a folder that this user may not enter counts as present: it is there for another user. */
function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    ({code}: NodeJS.ErrnoException) => code === 'EACCES',
  )
}

const READABLE_BY_ALL = 0o004
const PASSABLE_BY_ALL = 0o001

/**
 * config.yaml and secrets.yaml, where they hold a token or password of `config` and every user of this machine can read them. Files of
 * `!file` are left out: a container's secrets are readable by all of its users. Never rejects.
 */
export async function exposedFiles(file: string, config: Config): Promise<string[]> {
  const secrets = secretsOf(config).map((secret) => secret.reveal().toLowerCase())
  // Tokens are looked up: to search the text for each of ten thousand takes seconds.
  const passwords = secrets.filter((secret) => secret !== '' && !/^[0-9a-f]{32}$/.test(secret))
  const files = [file, join(dirname(file), SECRETS_FILE)]
  const exposed = await Promise.all(
    files.map(async (each) => {
      try {
        if (!(await isReadableByAll(each))) return false
        const text = (await readText(each, LONGEST_DOCUMENT)).toLowerCase()
        const tokens = new Set(text.match(/[0-9a-f]{32,}/g))
        return secrets.some((secret) => tokens.has(secret)) || passwords.some((each) => text.includes(each))
      } catch {
        return false
      }
    }),
  )
  return files.filter((_, index) => exposed[index])
}

/** A file in a folder that other users cannot pass is safe from them. */
async function isReadableByAll(file: string): Promise<boolean> {
  const target = await realpath(file)
  if (((await stat(target)).mode & READABLE_BY_ALL) === 0) return false
  for (let folder = dirname(target); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & PASSABLE_BY_ALL) === 0) return false
    if (folder === dirname(folder)) return true
  }
}
