/** Which plug is meant: one that is configured, by its name, or any, by `--host` and `--token`. */
import {host as hostField, token as tokenField} from '../config/fields.ts'
import {quoted, suggestion} from '../config/problems.ts'
import type {Config, DeviceConfig} from '../config.ts'
import {MIIO_PORT} from '../miio/packet.ts'
import type {Catalogue} from '../models/index.ts'
import type {Secret} from '../secret.ts'
import {catalogueIfAny, configuration} from './configuration.ts'
import {UsageError} from './exit.ts'
import {readOption} from './options.ts'
import type {Terminal} from './terminal.ts'

export interface TargetOptions {
  config?: string
  host?: string
  token?: string
  model?: string
}

export interface Target extends Pick<DeviceConfig, 'port' | 'token' | 'properties'> {
  name: string
  host?: string | undefined
  id?: number | undefined
  model?: string | undefined
  network: Config['network']
  /** Every plug that is described, the user's own among them. */
  catalogue: Catalogue
}

/** @throws UsageError, or CommandFailed 78 when the configuration that has the name is invalid */
export async function targetOf(
  name: string | undefined,
  options: TargetOptions,
  terminal: Terminal,
): Promise<Target> {
  const target =
    options.host === undefined
      ? await configured(name, options.config)
      : byAddress(options.host, options.token, await catalogueIfAny(options.config, terminal))
  return options.model === undefined ? target : {...target, model: known(options.model, target.catalogue)}
}

async function configured(name: string | undefined, option: string | undefined): Promise<Target> {
  if (name === undefined)
    throw new UsageError('which plug? Give its name in the configuration, or --host and --token')
  const {devices, network, catalogue} = await configuration(option)
  const device = Object.hasOwn(devices, name) ? devices[name] : undefined
  if (device) return {...device, name, network, catalogue}
  throw new UsageError(`no plug is called ${quoted(name)}${didYouMean(name, Object.keys(devices))}`)
}

function byAddress(written: string, token = process.env['MIIO_TOKEN'], catalogue: Catalogue): Target {
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

function didYouMean(word: string, known: readonly string[]): string {
  return (
    suggestion(word, known) || `; there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ') || 'none'}`
  )
}
