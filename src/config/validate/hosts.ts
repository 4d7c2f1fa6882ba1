/** Which addresses a plug can have, and which a request may name. */
import {BlockList, isIP, isIPv4} from 'node:net'
import {networkInterfaces} from 'node:os'
import type {ConfigEdit, ConfigValue} from '../../bridge/requests/bridge-actions.ts'
import {isPrivate, isUnicast} from '../../common/ipv4.ts'
import {type ConfigIssue, quoted} from '../config-error.ts'

/** What providers give to customers (RFC 4291 §2.4). */
const GLOBAL_IPV6 = new BlockList()
GLOBAL_IPV6.addSubnet('2000::', 3, 'ipv6')

/**
 * Whether an IPv4 or IPv6 address is somewhere on the internet: outside of private networks, and of those that this machine is in.
 * A name is not looked up, and is not public.
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

/** None where the system does not tell. */
function interfacesOf(interfaces: typeof networkInterfaces): ReturnType<typeof networkInterfaces> {
  try {
    return interfaces()
  } catch {
    return {}
  }
}

/**
 * What is wrong with the addresses that requests give plugs: whoever may publish could else have the bridge send datagrams
 * anywhere. Names are not looked up, and pass.
 */
export function publicHostIssues(edits: readonly ConfigEdit[], file: string): ConfigIssue[] {
  return edits.flatMap((edit) =>
    hostsIn(edit)
      .filter((host) => isIPv4(host) && !isPrivate(host))
      .map((host) => ({
        file,
        path: [...edit.path.slice(0, 2), 'host'].join('.'),
        message: `expected an address of a private network, got ${quoted(host)}: any other is to be written into the file by hand`,
      })),
  )
}

/** What the edit makes the host of a plug: `devices.desk.host`, or all of `devices.desk`. */
function hostsIn(edit: ConfigEdit): string[] {
  if (!('put' in edit)) return []
  const inside = edit.path.reduceRight<ConfigValue>((value, key) => ({[key]: value}), edit.put)
  return members(member(inside, 'devices')).flatMap((plug) => {
    const host = member(plug, 'host')
    return typeof host === 'string' ? [host] : []
  })
}

function member(value: ConfigValue | undefined, key: string): ConfigValue | undefined {
  return isMapping(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

function members(value: ConfigValue | undefined): ConfigValue[] {
  return isMapping(value) ? Object.values(value) : []
}

function isMapping(value: ConfigValue | undefined): value is {readonly [key: string]: ConfigValue} {
  return typeof value === 'object' && !Array.isArray(value)
}
