/** Which plug is meant: one that is configured, by its name, or any, by `--host` and `--token`. */
import {host as hostField, token as tokenField} from '../config/fields.ts'
import {quoted, suggestion} from '../config/problems.ts'
import type {Config, DeviceConfig} from '../config.ts'
import {MIIO_PORT} from '../miio/packet.ts'
import {builtIn} from '../models/index.ts'
import type {Secret} from '../secret.ts'
import {configuration} from './configuration.ts'
import {UsageError} from './exit.ts'
import {readOption} from './options.ts'

export interface TargetOptions {
  config?: string
  host?: string
  token?: string
  model?: string
}

export interface Target extends Pick<DeviceConfig, 'port' | 'token'> {
  name: string
  host?: string | undefined
  id?: number | undefined
  model?: string | undefined
  network: Config['network']
}

/** @throws UsageError, or CommandFailed 78 when the configuration that has the name is invalid */
export async function targetOf(name: string | undefined, options: TargetOptions): Promise<Target> {
  const model = options.model === undefined ? {} : {model: known(options.model)}
  if (options.host !== undefined) return {...byAddress(options.host, options.token), ...model}
  if (name === undefined)
    throw new UsageError('which plug? Give its name in the configuration, or --host and --token')
  const {devices, network} = await configuration(options.config)
  const device = Object.hasOwn(devices, name) ? devices[name] : undefined
  if (device) return {...device, name, network, ...model}
  throw new UsageError(`no plug is called ${quoted(name)}${didYouMean(name, Object.keys(devices))}`)
}

function byAddress(written: string, token = process.env['MIIO_TOKEN']): Target {
  const host = readOption('--host', hostField(), written)
  return {name: host, host, port: MIIO_PORT, token: tokenFrom(token), network: {}}
}

function tokenFrom(written: string | undefined): Secret {
  if (!written)
    throw new UsageError('--host needs --token, or the token in the environment variable MIIO_TOKEN')
  return readOption('--token', tokenField(), written)
}

function known(model: string): string {
  const {ids} = builtIn
  if (ids.includes(model)) return model
  throw new UsageError(`--model: no model ${quoted(model)} is described${didYouMean(model, ids)}`)
}

function didYouMean(word: string, known: readonly string[]): string {
  return (
    suggestion(word, known) || `; there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ') || 'none'}`
  )
}
