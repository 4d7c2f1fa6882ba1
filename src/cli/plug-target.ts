/** Finds the plugs that a command is for: by a word for a configured plug or group, or any plug by `--host` and `--token`. */
import {isIPv4} from 'node:net'
import {closestName} from '../bridge/name-directory.ts'
import {systemClock} from '../common/clock.ts'
import {quoted} from '../common/schema-errors.ts'
import {suggestion} from '../common/suggestion.ts'
import {listFirst} from '../common/text.ts'
import type {Config, DeviceConfig} from '../config/config.ts'
import {host as hostField} from '../config/schema/address-fields.ts'
import {token as tokenField} from '../config/schema/fields.ts'
import {type DiscoveredPlug, type DiscoveryScanOptions, NetworkDiscovery} from '../miio/discovery.ts'
import {MiioError} from '../miio/miio-error.ts'
import {MIIO_PORT} from '../miio/packet.ts'
import {MiioSocket} from '../miio/socket.ts'
import type {Catalogue} from '../models/catalogue.ts'
import {readOption, UsageError, unknownModel} from './errors.ts'
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
type PlugTargets = PlugTarget | {group: string | undefined; members: PlugTarget[]}

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
  const {model} = options
  if (model === undefined) return targets
  if ('members' in targets) throw new UsageError('--model is for one plug')
  const {ids} = targets.catalogue
  if (!ids.includes(model)) throw new UsageError(`--model: ${unknownModel(model, ids)}`)
  return {...targets, model}
}

async function configuredTargets(word: string | undefined, option: string | undefined): Promise<PlugTargets> {
  const config = await loadConfiguration(option)
  const {groups, network, catalogue, mqtt} = config
  const plugs = new Map(Object.entries(config.devices))
  const targetsOf = (names: readonly string[]): PlugTarget[] =>
    names.flatMap((name) => {
      const device = plugs.get(name)
      return device ? [{...device, name, network, catalogue, topic: `${mqtt.base_topic}/${name}`}] : []
    })
  if (word === undefined) return {group: undefined, members: targetsOf([...plugs.keys()])}
  const name = await configuredName(word, config)
  const [plug] = targetsOf([name])
  return plug ?? {group: name, members: targetsOf(groups[name]?.members ?? [])}
}

function targetByAddress(
  written: string,
  token = process.env['MIIO_TOKEN'],
  catalogue: Catalogue,
): PlugTarget {
  const host = readOption('--host', hostField(), written)
  if (!token)
    throw new UsageError('--host needs --token, or the token in the environment variable MIIO_TOKEN')
  const secret = readOption('--token', tokenField(), token)
  return {name: host, host, port: MIIO_PORT, token: secret, network: {}, catalogue}
}

type PlugsOfConfig = Pick<Config, 'devices' | 'groups' | 'network'>

/** Milliseconds for replies to a hello that looks for an address or a device id. */
const HELLO_MS = 2000
const MAX_LISTED = 10

/** @returns the name of a plug or group @throws UsageError with a suggestion, when `word` fits none or several */
async function configuredName(word: string, config: PlugsOfConfig): Promise<string> {
  const {devices, groups} = config
  const names = [...Object.keys(devices), ...Object.keys(groups)]
  if (names.includes(word)) return word
  const found = [
    ...plugsWhere(devices, ({host, id}) => host?.toLowerCase() === word.toLowerCase() || String(id) === word),
    ...names.filter((name) => name.endsWith(`/${word}`)), // `kettle` stands for `kitchen/kettle`
  ]
  if (found.length > 1)
    throw new UsageError(`${quoted(word)} may be ${listFirst(found, MAX_LISTED)}: give the whole name`)
  const name = found[0] ?? (await nameByHello(word, config))
  if (name === undefined) throw new UsageError(notFoundText(word, names))
  return name
}

function plugsWhere(devices: Config['devices'], matches: (device: DeviceConfig) => boolean): string[] {
  return Object.entries(devices).flatMap(([name, device]) => (matches(device) ? [name] : []))
}

/**
 * Finds the plug by a hello: for a device id that is not in the configuration, or for the address of a plug that is configured with its
 * id only.
 */
async function nameByHello(word: string, {devices, network}: PlugsOfConfig): Promise<string | undefined> {
  if (/^\d{1,10}$/.test(word)) {
    const hosts = Object.values(devices).flatMap(({host}) =>
      host !== undefined && isIPv4(host) ? [host] : [],
    )
    const found = await scan(network.bind, hosts, {did: Number(word)})
    return found && plugsWhere(devices, ({host}) => host === found.host)[0]
  }
  if (!isIPv4(word) || !Object.values(devices).some(({host}) => host === undefined)) return undefined
  const found = await scan(network.bind, [], {only: {host: word, port: MIIO_PORT}})
  return found && plugsWhere(devices, ({id}) => id === found.did)[0]
}

/** The first device that replies; `undefined` also when no hello could be sent. */
async function scan(
  bind: string | undefined,
  hosts: readonly string[],
  options: Pick<DiscoveryScanOptions, 'did' | 'only'>,
): Promise<DiscoveredPlug | undefined> {
  const socket = new MiioSocket({bind})
  const found = new AbortController()
  try {
    await socket.open()
    const discovery = new NetworkDiscovery({socket, clock: systemClock, broadcast: hosts})
    const devices = await discovery.scan({
      timeout: HELLO_MS,
      signal: found.signal,
      onFound: () => found.abort(),
      ...options,
    })
    return devices[0]
  } catch (error) {
    if (error instanceof MiioError) return undefined
    throw error
  } finally {
    await socket.close()
  }
}

function notFoundText(word: string, names: readonly string[]): string {
  if (isIPv4(word))
    return `no plug of the configuration has the address ${word}; for one that is not in it: --host ${word} and --token`
  const closest = closestName(word, names)
  const hint = closest === undefined ? suggestion(word, names) : `, did you mean ${JSON.stringify(closest)}?`
  if (hint) return `no plug is called ${quoted(word)}${hint}`
  const existing = `there ${names.length === 1 ? 'is' : 'are'} ${listFirst(names, MAX_LISTED)}`
  return `no plug is called ${quoted(word)}; ${names.length === 0 ? 'none is configured' : existing}`
}
