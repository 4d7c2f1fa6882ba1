/** IPv4: the addresses of this machine, subnets, broadcast addresses, private ranges, and which addresses one host can have. */
import {BlockList, isIPv4} from 'node:net'
import {type NetworkInterfaceInfo, networkInterfaces} from 'node:os'
import type {Clock} from './clock.ts'

/** An IPv4 address of this machine, as `os.networkInterfaces` reports it. */
export interface LocalAddress {
  address: string
  netmask: string
}

/** Cached for so long, since thousands of plugs may need the addresses at once when the network is down. */
const CACHED_MS = 10_000
const cache = new WeakMap<Clock, {at: number; addresses: readonly LocalAddress[]}>()

/**
 * The addresses of all network interfaces.
 * @throws the system's error where they cannot be listed: without a descriptor left, and where AF_NETLINK is forbidden (systemd's
 * RestrictAddressFamilies)
 */
export function interfaceAddresses(): NetworkInterfaceInfo[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
}

/** Every IPv4 address, with its real netmask: a home may well use /23. At most ten seconds old. Empty where the system lists none. */
export function localAddresses(clock: Clock): readonly LocalAddress[] {
  const cached = cache.get(clock)
  if (cached && clock.now() - cached.at < CACHED_MS) return cached.addresses
  let addresses: readonly LocalAddress[] = []
  try {
    addresses = interfaceAddresses().filter(({family}) => family === 'IPv4')
  } catch {}
  cache.set(clock, {at: clock.now(), addresses})
  return addresses
}

/** No single host has one of these (RFC 6890): "this network", multicast, reserved, and the broadcast address of loopback. */
const NO_HOST = subnets(['0.0.0.0', 8], ['224.0.0.0', 4], ['240.0.0.0', 4], ['127.255.255.255', 32])

/** Private (RFC 1918), shared by a provider's customers (RFC 6598), link-local (RFC 3927) and loopback. */
const PRIVATE = subnets(
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['127.0.0.0', 8],
)

/** Whether `address` is an IPv4 address that one host can have. */
export function isUnicast(address: string): boolean {
  return isIPv4(address) && !NO_HOST.check(address)
}

/** Whether `address` is an IPv4 address that is not routed on the internet. */
export function isPrivate(address: string): boolean {
  return isIPv4(address) && PRIVATE.check(address)
}

/** Whether an IPv4 address is in 127.0.0.0/8. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.')
}

/** Whether the IPv4 address `host` is in the subnet of an interface. */
export function isInSubnet(host: string, {address, netmask}: LocalAddress): boolean {
  const mask = toNumber(netmask)
  return (toNumber(host) & mask) === (toNumber(address) & mask)
}

/** The directed broadcast address of an interface's subnet: `192.168.1.255` for `192.168.1.5` and `255.255.255.0`. */
export function broadcastAddress({address, netmask}: LocalAddress): string {
  const number = toNumber(address) | ~toNumber(netmask)
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.')
}

/** An interface's address with the length of its prefix: `192.168.1.5/24`. */
export function toCidr({address, netmask}: LocalAddress): string {
  const bits = toNumber(netmask).toString(2).replaceAll('0', '').length
  return `${address}/${bits}`
}

function subnets(...ranges: readonly (readonly [address: string, bits: number])[]): BlockList {
  const list = new BlockList()
  for (const [address, bits] of ranges) list.addSubnet(address, bits)
  return list
}

function toNumber(address: string): number {
  return address.split('.').reduce((number, byte) => ((number << 8) | Number(byte)) >>> 0, 0)
}
