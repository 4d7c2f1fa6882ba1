/** Which of the configured plugs a word means: a name, the end of a name, a group, an address or a device id. */
import {isIPv4} from 'node:net'
import {closestName} from '../bridge/name-directory.ts'
import {systemClock} from '../common/clock.ts'
import type {Config, DeviceConfig} from '../config/config.ts'
import {quoted, suggestion} from '../config/config-error.ts'
import {type DiscoveredDevice, type DiscoveryScanOptions, NetworkDiscovery} from '../miio/discovery.ts'
import {MiioError} from '../miio/miio-error.ts'
import {MIIO_PORT} from '../miio/packet.ts'
import {MiioSocket} from '../miio/socket.ts'
import {UsageError} from './errors.ts'

export type PlugChoice = {kind: 'plug' | 'group'; name: string}

type Household = Pick<Config, 'devices' | 'groups' | 'network'>

/** How long plugs have to answer a hello that asks whose address, or which id, it is. */
const HELLO_MS = 2000
const MOST_NAMED = 10

/** @throws UsageError that names what was probably meant, when it is none or may be several */
export async function choosePlug(word: string, household: Household): Promise<PlugChoice> {
  const {devices, groups} = household
  if (Object.hasOwn(devices, word)) return {kind: 'plug', name: word}
  if (Object.hasOwn(groups, word)) return {kind: 'group', name: word}
  const found = [
    ...named(devices, ({host, id}) => host?.toLowerCase() === word.toLowerCase() || String(id) === word),
    ...endingWith(word, household),
  ]
  const [only, another] = found
  if (only && another)
    throw new UsageError(`${quoted(word)} may be ${listed(found.map(({name}) => name))}: give the whole name`)
  const choice = only ?? (await greeted(word, household))
  if (choice) return choice
  throw new UsageError(unknown(word, household))
}

/** What `kettle` is short for: `kitchen/kettle`. */
function endingWith(word: string, {devices, groups}: Household): PlugChoice[] {
  const end = `/${word}`
  return [
    ...named(devices, (_, name) => name.endsWith(end)),
    ...Object.keys(groups).flatMap((name) => (name.endsWith(end) ? [{kind: 'group' as const, name}] : [])),
  ]
}

function named(
  devices: Config['devices'],
  isMeant: (device: DeviceConfig, name: string) => boolean,
): PlugChoice[] {
  return Object.entries(devices).flatMap(([name, device]) =>
    isMeant(device, name) ? [{kind: 'plug' as const, name}] : [],
  )
}

/** An id that is not in the configuration, or the address of a plug that has only its id there: the plugs themselves say. */
async function greeted(word: string, {devices, network}: Household): Promise<PlugChoice | undefined> {
  if (/^\d{1,10}$/.test(word)) {
    const hosts = Object.values(devices).flatMap(({host}) =>
      host !== undefined && isIPv4(host) ? [host] : [],
    )
    const [found] = await scan(network.bind, hosts, {did: Number(word)})
    return found && named(devices, ({host}) => host === found.host)[0]
  }
  if (!isIPv4(word) || !Object.values(devices).some(({host}) => host === undefined)) return undefined
  const [found] = await scan(network.bind, [], {only: {host: word, port: MIIO_PORT}})
  return found && named(devices, ({id}) => id === found.did)[0]
}

async function scan(
  bind: string | undefined,
  hosts: readonly string[],
  options: Pick<DiscoveryScanOptions, 'did' | 'only'>,
): Promise<DiscoveredDevice[]> {
  const socket = new MiioSocket({bind})
  const done = new AbortController()
  try {
    await socket.open()
    const discovery = new NetworkDiscovery({socket, clock: systemClock, broadcast: hosts})
    return await discovery.scan({
      timeout: HELLO_MS,
      signal: done.signal,
      onFound: () => done.abort(),
      ...options,
    })
  } catch (error) {
    if (!(error instanceof MiioError)) throw error
    return [] // nobody can be asked, and so nobody is found
  } finally {
    await socket.close()
  }
}

function unknown(word: string, {devices, groups}: Household): string {
  const names = [...Object.keys(devices), ...Object.keys(groups)]
  if (isIPv4(word))
    return `no plug of the configuration has the address ${word}; for one that is not in it: --host ${word} and --token`
  const meant = closestName(word, names)
  const hint = meant === undefined ? suggestion(word, names) : `, did you mean ${JSON.stringify(meant)}?`
  return `no plug is called ${quoted(word)}${hint || `; ${known(names)}`}`
}

function known(names: readonly string[]): string {
  return names.length === 0
    ? 'none is configured'
    : `there ${names.length === 1 ? 'is' : 'are'} ${listed(names)}`
}

function listed(names: readonly string[]): string {
  const first = names.slice(0, MOST_NAMED).join(', ')
  return names.length > MOST_NAMED ? `${first} and ${names.length - MOST_NAMED} more` : first
}
