/** The network addresses of this machine. */
import {type NetworkInterfaceInfo, networkInterfaces} from 'node:os'
import type {Clock} from './clock.ts'

/** An IPv4 address of this machine, as `os.networkInterfaces` reports it. */
export interface LocalAddress {
  address: string
  netmask: string
}

/** Cached for so long, since thousands of plugs may ask at once when the network is down. */
const KEPT_MS = 10_000
const known = new WeakMap<Clock, {at: number; addresses: readonly LocalAddress[]}>()

/** Every IPv4 address, with its real netmask: a home may well use /23. At most ten seconds old. Empty where the system reports none. */
export function localAddresses(clock: Clock): readonly LocalAddress[] {
  const kept = known.get(clock)
  if (kept && clock.now() - kept.at < KEPT_MS) return kept.addresses
  const addresses = read()
  known.set(clock, {at: clock.now(), addresses})
  return addresses
}

function read(): readonly LocalAddress[] {
  try {
    return interfaceAddresses().filter(({family}) => family === 'IPv4')
  } catch {
    return []
  }
}

/**
 * The addresses of all network interfaces.
 * @throws where the system does not list them: without a descriptor left, and where AF_NETLINK is forbidden (systemd's RestrictAddressFamilies)
 */
export function interfaceAddresses(): NetworkInterfaceInfo[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
}
