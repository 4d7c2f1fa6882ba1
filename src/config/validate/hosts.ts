/** Which addresses a plug can have, and which of them a request over MQTT may configure. */
import {BlockList, isIP, isIPv4} from 'node:net'
import {networkInterfaces} from 'node:os'
import type {ConfigEdit, ConfigValue} from '../../bridge/requests/bridge-actions.ts'
import {isPrivate, isUnicast} from '../../common/ipv4.ts'
import {type ConfigIssue, quoted} from '../config-error.ts'
import {isRawMapping} from '../read/yaml.ts'

/** The addresses that providers give to customers (RFC 4291 §2.4). */
const GLOBAL_IPV6 = new BlockList()
GLOBAL_IPV6.addSubnet('2000::', 3, 'ipv6')

/**
 * Whether an IPv4 or IPv6 address is on the internet: outside of private networks, and of the networks of this machine. A host name is
 * not looked up, and is not public.
 */
export function isPublicAddress(
  address: string,
  interfaces: typeof networkInterfaces = networkInterfaces,
): boolean {
  const isGlobal = isIPv4(address)
    ? isUnicast(address) && !isPrivate(address)
    : isIP(address) === 6 && GLOBAL_IPV6.check(address, 'ipv6')
  return isGlobal && !isInOwnNetwork(address, interfaces)
}

function isInOwnNetwork(address: string, interfaces: typeof networkInterfaces): boolean {
  const own = new BlockList()
  for (const {address: first, cidr, family} of Object.values(interfacesOf(interfaces)).flatMap(
    (all) => all ?? [],
  ))
    if (cidr) own.addSubnet(first, Number(cidr.split('/')[1]), family === 'IPv4' ? 'ipv4' : 'ipv6')
  return own.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** None where the system does not list them. */
function interfacesOf(interfaces: typeof networkInterfaces): ReturnType<typeof networkInterfaces> {
  try {
    return interfaces()
  } catch {
    return {}
  }
}

/**
 * Problems of the addresses that requests give to plugs. Only private addresses are allowed: otherwise everyone who may publish could
 * have the bridge send datagrams to any address. Host names are not looked up, and are allowed.
 */
export function publicHostIssues(edits: readonly ConfigEdit[], file: string): ConfigIssue[] {
  return edits.flatMap((edit) =>
    hostsIn(edit)
      .filter((host) => isIPv4(host) && !isPrivate(host))
      .map((host) => ({
        file,
        path: [...edit.path.slice(0, 2), 'host'].join('.'),
        message: `expected an address of a private network, got ${quoted(host)}: write any other address into the file by hand`,
      })),
  )
}

/** The hosts that an edit writes, whether it puts `devices.desk.host`, `devices.desk` or all of `devices`. */
function hostsIn(edit: ConfigEdit): string[] {
  if (!('put' in edit)) return []
  const whole = edit.path.reduceRight<ConfigValue>((value, key) => ({[key]: value}), edit.put)
  const plugs = isRawMapping(whole) && Object.hasOwn(whole, 'devices') ? whole['devices'] : undefined
  return Object.values(isRawMapping(plugs) ? plugs : {}).flatMap((plug) => {
    const host = isRawMapping(plug) && Object.hasOwn(plug, 'host') ? plug['host'] : undefined
    return typeof host === 'string' ? [host] : []
  })
}
