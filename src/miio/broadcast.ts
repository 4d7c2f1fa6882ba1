import {isIPv4} from 'node:net'
import {type NetworkInterfaceInfo, networkInterfaces} from 'node:os'
import {MiioError} from './miio-error.ts'

type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

/**
 * The directed broadcast address of every IPv4 network this machine is in, by its real netmask; loopback is left out.
 * 255.255.255.255 would leave through one interface only.
 * @throws MiioError `unreachable` at stage `send` when the system does not say in which networks it is
 */
export function broadcastAddresses(interfaces: Interfaces = interfacesNow()): string[] {
  const addresses = Object.values(interfaces)
    .flatMap((several) => several ?? [])
    .filter(({family, internal}) => family === 'IPv4' && !internal)
    .map(({address, netmask}) => (toNumber(address) | ~toNumber(netmask)) >>> 0)
    .filter((broadcast, i, all) => all.indexOf(broadcast) === i)
  const own = new Set(Object.values(interfaces).flatMap((several) => several?.map(({address}) => address)))
  return addresses.map(toText).filter((address) => !own.has(address)) // a network of one host, a VPN, has no broadcast
}

/** Whether one host can have this address: not 0.0.0.0/8, nor multicast (224/4), nor what is reserved with 255.255.255.255. */
export function isUnicast(address: string): boolean {
  if (!isIPv4(address)) return false
  const [first] = address.split('.').map(Number)
  return first !== undefined && first > 0 && first < 224
}

/** Linux fails here without a descriptor left, and where AF_NETLINK is forbidden (systemd's RestrictAddressFamilies). */
function interfacesNow(): Interfaces {
  try {
    return networkInterfaces()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new MiioError('unreachable', 'send', `cannot list the networks of this machine: ${reason}`)
  }
}

function toNumber(address: string): number {
  return address.split('.').reduce((number, part) => ((number << 8) | Number(part)) >>> 0, 0)
}

function toText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.')
}
