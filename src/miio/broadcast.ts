import {type NetworkInterfaceInfo, networkInterfaces} from 'node:os'

type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

/**
 * The directed broadcast address of every IPv4 network this machine is in, by its real netmask; loopback is left out.
 * 255.255.255.255 would leave through one interface only.
 */
export function broadcastAddresses(interfaces: Interfaces = networkInterfaces()): string[] {
  const addresses = Object.values(interfaces)
    .flatMap((several) => several ?? [])
    .filter(({family, internal}) => family === 'IPv4' && !internal)
    .map(({address, netmask}) => (toNumber(address) | ~toNumber(netmask)) >>> 0)
    .filter((broadcast, i, all) => all.indexOf(broadcast) === i)
  const own = new Set(Object.values(interfaces).flatMap((several) => several?.map(({address}) => address)))
  return addresses.map(toText).filter((address) => !own.has(address)) // a network of one host, a VPN, has no broadcast
}

function toNumber(address: string): number {
  return address.split('.').reduce((number, part) => ((number << 8) | Number(part)) >>> 0, 0)
}

function toText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.')
}
