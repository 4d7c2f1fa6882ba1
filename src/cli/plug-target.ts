/** Finds the plugs that a command is for: by a word for a configured plug or group, or any plug by `--host` and `--token`. */

import {isIPv4} from 'node:net'
import {closestName} from '../bridge/name-directory.ts'
import {systemClock} from '../common/clock.ts'
import type {Secret} from '../common/secret.ts'
import {listFirst} from '../common/text.ts'
import type {Config, DeviceConfig} from '../config/config.ts'
import {quoted, suggestion} from '../config/config-error.ts'
import {host as hostField} from '../config/schema/address-fields.ts'
import {token as tokenField} from '../config/schema/fields.ts'
import {type DiscoveredPlug, type DiscoveryScanOptions, NetworkDiscovery} from '../miio/discovery.ts'
import {MiioError} from '../miio/miio-error.ts'
import {MIIO_PORT} from '../miio/packet.ts'
import {MiioSocket} from '../miio/socket.ts'
import type {Catalogue} from '../models/catalogue.ts'
import {readOption, UsageError} from './errors.ts'
import {loadCatalogue, loadConfiguration} from './load-config.ts'
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
  /** The device id (did). */
  id?: number | undefined
  model?: string | undefined
  /** The topic of the state that a running bridge publishes; `undefined` for a plug that is not configured. */
  topic?: string | undefined
  disabled?: boolean
  network: Config['network']
  /** All models, those of the user's own definitions among them. */
  catalogue: Catalogue
}

/** One plug; or the plugs of a group, or all plugs, whose `group` is `undefined`. */
export type PlugTargets = PlugTarget | {group: string | undefined; members: PlugTarget[]}

/**
 * @param word a name, the end of a name, a group, an address or a device id; without it, and without `--host`, all plugs are meant
 * @throws UsageError for a word that fits none or several, CommandFailed with exit code 78 for an invalid configuration
 */
export async function findTargets(
  word: string | undefined,
  options: PlugTargetOptions,
  terminal: Terminal,
): Promise<PlugTargets> {
  const targets =
    options.host === undefined
      ? await configuredTargets(word, options.config)
      : targetByAddress(options.host, options.token, await loadCatalogue(options.config, terminal))
  if (options.model === undefined) return targets
  if ('members' in targets) throw new UsageError('--model is for one plug')
  return {...targets, model: knownModel(options.model, targets.catalogue)}
}

async function configuredTargets(word: string | undefined, option: string | undefined): Promise<PlugTargets> {
  const config = await loadConfiguration(option)
  const {devices, groups, network, catalogue, mqtt} = config
  const target = (name: string): PlugTarget[] => {
    const device = devices[name]
    return device ? [{...device, name, network, catalogue, topic: `${mqtt.base_topic}/${name}`}] : []
  }
  if (word === undefined) return {group: undefined, members: Object.keys(devices).flatMap(target)}
  const {kind, name} = await findConfigured(word, config)
  const [plug] = kind === 'plug' ? target(name) : []
  return plug ?? {group: name, members: (groups[name]?.members ?? []).flatMap(target)}
}

function targetByAddress(
  written: string,
  token = process.env['MIIO_TOKEN'],
  catalogue: Catalogue,
): PlugTarget {
  const host = readOption('--host', hostField(), written)
  return {name: host, host, port: MIIO_PORT, token: readToken(token), network: {}, catalogue}
}

function readToken(written: string | undefined): Secret {
  if (!written)
    throw new UsageError('--host needs --token, or the token in the environment variable MIIO_TOKEN')
  return readOption('--token', tokenField(), written)
}

function knownModel(model: string, {ids}: Catalogue): string {
  if (ids.includes(model)) return model
  throw new UsageError(
    `--model: the model ${quoted(model)} is not supported${suggestion(model, ids) || '; `miio2mqtt models` lists the supported models'}`,
  )
}

type ConfiguredName = {kind: 'plug' | 'group'; name: string}

type PlugsOfConfig = Pick<Config, 'devices' | 'groups' | 'network'>

/** Milliseconds for plugs to answer a hello that looks for an address or a device id. */
const HELLO_MS = 2000
const MOST_LISTED = 10

/** @throws UsageError with a suggestion, when `word` fits none or several */
async function findConfigured(word: string, config: PlugsOfConfig): Promise<ConfiguredName> {
  const {devices, groups} = config
  if (Object.hasOwn(devices, word)) return {kind: 'plug', name: word}
  if (Object.hasOwn(groups, word)) return {kind: 'group', name: word}
  const found = [
    ...plugsWhere(devices, ({host, id}) => host?.toLowerCase() === word.toLowerCase() || String(id) === word),
    ...endingWith(word, config),
  ]
  const [first, second] = found
  if (first && second)
    throw new UsageError(
      `${quoted(word)} may be ${listFirst(
        found.map(({name}) => name),
        MOST_LISTED,
      )}: give the whole name`,
    )
  const match = first ?? (await findByHello(word, config))
  if (match) return match
  throw new UsageError(notFoundText(word, config))
}

/** `kettle` stands for `kitchen/kettle`. */
function endingWith(word: string, {devices, groups}: PlugsOfConfig): ConfiguredName[] {
  const end = `/${word}`
  return [
    ...plugsWhere(devices, (_, name) => name.endsWith(end)),
    ...Object.keys(groups).flatMap((name) => (name.endsWith(end) ? [{kind: 'group' as const, name}] : [])),
  ]
}

function plugsWhere(
  devices: Config['devices'],
  matches: (device: DeviceConfig, name: string) => boolean,
): ConfiguredName[] {
  return Object.entries(devices).flatMap(([name, device]) =>
    matches(device, name) ? [{kind: 'plug' as const, name}] : [],
  )
}

/**
 * Finds the plug by a hello: for a device id that is not in the configuration, or for the address of a plug that is configured with its
 * id only.
 */
async function findByHello(
  word: string,
  {devices, network}: PlugsOfConfig,
): Promise<ConfiguredName | undefined> {
  if (/^\d{1,10}$/.test(word)) {
    const hosts = Object.values(devices).flatMap(({host}) =>
      host !== undefined && isIPv4(host) ? [host] : [],
    )
    const [found] = await scan(network.bind, hosts, {did: Number(word)})
    return found && plugsWhere(devices, ({host}) => host === found.host)[0]
  }
  if (!isIPv4(word) || !Object.values(devices).some(({host}) => host === undefined)) return undefined
  const [found] = await scan(network.bind, [], {only: {host: word, port: MIIO_PORT}})
  return found && plugsWhere(devices, ({id}) => id === found.did)[0]
}

/** Ends at the first answer. @returns none when no hello could be sent */
async function scan(
  bind: string | undefined,
  hosts: readonly string[],
  options: Pick<DiscoveryScanOptions, 'did' | 'only'>,
): Promise<DiscoveredPlug[]> {
  const socket = new MiioSocket({bind})
  const found = new AbortController()
  try {
    await socket.open()
    const discovery = new NetworkDiscovery({socket, clock: systemClock, broadcast: hosts})
    return await discovery.scan({
      timeout: HELLO_MS,
      signal: found.signal,
      onFound: () => found.abort(),
      ...options,
    })
  } catch (error) {
    if (!(error instanceof MiioError)) throw error
    return []
  } finally {
    await socket.close()
  }
}

function notFoundText(word: string, {devices, groups}: PlugsOfConfig): string {
  const names = [...Object.keys(devices), ...Object.keys(groups)]
  if (isIPv4(word))
    return `no plug of the configuration has the address ${word}; for one that is not in it: --host ${word} and --token`
  const closest = closestName(word, names)
  const hint = closest === undefined ? suggestion(word, names) : `, did you mean ${JSON.stringify(closest)}?`
  return `no plug is called ${quoted(word)}${hint || `; ${listText(names)}`}`
}

function listText(names: readonly string[]): string {
  return names.length === 0
    ? 'none is configured'
    : `there ${names.length === 1 ? 'is' : 'are'} ${listFirst(names, MOST_LISTED)}`
}
