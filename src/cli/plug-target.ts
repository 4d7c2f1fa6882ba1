/** Which plugs are meant: those that are configured, by their names, or any one, by `--host` and `--token`. */

import type {Secret} from '../common/secret.ts'
import type {Config, DeviceConfig} from '../config/config.ts'
import {quoted, suggestion} from '../config/config-error.ts'
import {host as hostField} from '../config/schema/address-fields.ts'
import {token as tokenField} from '../config/schema/fields.ts'
import {MIIO_PORT} from '../miio/packet.ts'
import type {Catalogue} from '../models/catalogue.ts'
import {loadCatalogue, loadConfiguration} from './commands/check.ts'
import {UsageError} from './errors.ts'
import {readOption} from './options.ts'
import {choosePlug} from './plug-choice.ts'
import type {Terminal} from './terminal.ts'

export interface PlugTargetOptions {
  config?: string
  host?: string
  token?: string
  model?: string
}

export interface PlugTarget extends Pick<DeviceConfig, 'port' | 'token' | 'properties'> {
  name: string
  host?: string | undefined
  id?: number | undefined
  model?: string | undefined
  /** Where the running bridge tells its state; `undefined` for a plug that is in no configuration. */
  topic?: string | undefined
  disabled?: boolean
  network: Config['network']
  /** Every plug that is described, the user's own among them. */
  catalogue: Catalogue
}

/** The plugs that are meant: one, or those of a group, or all. */
export type PlugTargets = PlugTarget | {group: string | undefined; members: PlugTarget[]}

/**
 * @param word a name, the end of one, a group, an address or a device id; without it, and without `--host`, all plugs are meant
 * @throws UsageError, or CommandFailed 78 when the configuration that has the name is invalid
 */
export async function findTargets(
  word: string | undefined,
  options: PlugTargetOptions,
  terminal: Terminal,
): Promise<PlugTargets> {
  const targets =
    options.host === undefined
      ? await configured(word, options.config)
      : byAddress(options.host, options.token, await loadCatalogue(options.config, terminal))
  if (options.model === undefined) return targets
  if ('members' in targets) throw new UsageError('--model is for one plug')
  return {...targets, model: known(options.model, targets.catalogue)}
}

async function configured(word: string | undefined, option: string | undefined): Promise<PlugTargets> {
  const config = await loadConfiguration(option)
  const {devices, groups, network, catalogue, mqtt} = config
  const target = (name: string): PlugTarget[] => {
    const device = devices[name]
    return device ? [{...device, name, network, catalogue, topic: `${mqtt.base_topic}/${name}`}] : []
  }
  if (word === undefined) return {group: undefined, members: Object.keys(devices).flatMap(target)}
  const {kind, name} = await choosePlug(word, config)
  const [only] = kind === 'plug' ? target(name) : []
  return only ?? {group: name, members: (groups[name]?.members ?? []).flatMap(target)}
}

function byAddress(written: string, token = process.env['MIIO_TOKEN'], catalogue: Catalogue): PlugTarget {
  const host = readOption('--host', hostField(), written)
  return {name: host, host, port: MIIO_PORT, token: tokenFrom(token), network: {}, catalogue}
}

function tokenFrom(written: string | undefined): Secret {
  if (!written)
    throw new UsageError('--host needs --token, or the token in the environment variable MIIO_TOKEN')
  return readOption('--token', tokenField(), written)
}

function known(model: string, {ids}: Catalogue): string {
  if (ids.includes(model)) return model
  throw new UsageError(
    `--model: no model ${quoted(model)} is described${suggestion(model, ids) || '; `miio2mqtt models` lists those that are'}`,
  )
}
