/** Where the files of the bridge are, when nobody says. */
import {access, stat, statfs} from 'node:fs/promises'
import {homedir} from 'node:os'
import {delimiter, dirname, join, resolve} from 'node:path'
import {CONFIG, type Environment} from './read/environment.ts'
import {fileErrorText} from './read/read-file.ts'

const NEARBY = 'config.yaml'
const SYSTEM_WIDE = '/etc/miio2mqtt/config.yaml'

/** The configuration to read: the option of the command, else `MIIO2MQTT_CONFIG`, else ./config.yaml, else that in /etc. */
export async function configPath(option: string | undefined, env: Environment): Promise<string> {
  const said = option || env[CONFIG]
  if (said) return said
  return (await exists(NEARBY)) || !(await exists(SYSTEM_WIDE)) ? NEARBY : SYSTEM_WIDE
}

/** The folder for what is remembered, unless `state_dir` says otherwise: what systemd gives, else the custom for this user. */
export function stateFolder(env: Environment, uid = process.getuid?.(), home = homedir()): string {
  const given = env['STATE_DIRECTORY']?.split(delimiter)[0]
  if (given) return given
  if (uid === 0) return '/var/lib/miio2mqtt'
  return join(env['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'miio2mqtt')
}

/** File systems that the kernel makes up (statfs(2)): nothing can be kept there, and making a folder there may never end. */
const MADE_UP: ReadonlySet<number> = new Set([0x9fa0, 0x62656572, 0x63677270, 0x64626720, 0x74726163])

/** Why nothing can be kept in `folder`, as far as that shows without writing; `undefined` when it can, or nobody knows. */
export async function stateFolderProblem(folder: string): Promise<string | undefined> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    try {
      if (!(await stat(path)).isDirectory()) return `expected a folder, got ${path}, which is none`
      const {type} = await statfs(path)
      return MADE_UP.has(type) ? `expected a folder on a disk, got one below ${path}` : undefined
    } catch (error) {
      const {code = ''} = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
      if (code === 'ENAMETOOLONG' || code === 'ELOOP')
        return `expected a folder, got ${path}: ${fileErrorText(error)}`
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || path === dirname(path)) return undefined
    }
  }
}

/** Also when nobody may look: a file in a folder that this user may not enter is there for another. */
function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    ({code}: NodeJS.ErrnoException) => code === 'EACCES',
  )
}
