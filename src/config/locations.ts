/** Where the files of the bridge are, when nobody says. */
import {access} from 'node:fs/promises'
import {homedir} from 'node:os'
import {delimiter, join} from 'node:path'
import {CONFIG, type Environment} from './environment.ts'

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

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
