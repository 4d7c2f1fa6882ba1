/** Which stage of reaching a plug failed, and what to do about it (contract §8), for a person at 11 pm. */
import {isIPv4} from 'node:net'
import {networkInterfaces} from 'node:os'
import {CommandError} from '../device/errors.ts'
import {MiioError} from '../miio/errors.ts'
import {CommandFailed} from './exit.ts'

interface LocalAddress {
  address: string
  netmask: string
  family: string
}

/** A failed call as a failed command that says the stage first. Any other error is passed on as it is. */
export function diagnosed(
  error: unknown,
  host: string | undefined,
  local: readonly LocalAddress[] = localAddresses(),
): unknown {
  const failure = error instanceof CommandError ? (error.cause ?? error) : error
  if (failure instanceof MiioError)
    return new CommandFailed(`${stageOf(failure, host, local)}\n${failure.message}`)
  return failure instanceof CommandError ? new CommandFailed(`${failure.code}: ${failure.message}`) : error
}

function stageOf({code, stage}: MiioError, host: string | undefined, local: readonly LocalAddress[]): string {
  if (code === 'bad_token') return 'token wrong'
  if (code === 'refused') return 'request unsupported: the plug understood us and said no'
  if (stage === 'send') return 'no route: the packet could not leave this machine'
  if (stage === 'request')
    return 'token wrong, most likely: the plug greets us, but does not answer what is encrypted'
  if (host !== undefined && isIPv4(host) && !local.some((own) => inSubnet(host, own)))
    return `other subnet: ${host} is in none of ours (${local.map(cidr).join(', ')}), and plugs answer only their own`
  return 'no hello: nobody answers at that address'
}

/** Every IPv4 address of this machine, with its real netmask: a home may well use /23. */
export function localAddresses(): LocalAddress[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({family}) => family === 'IPv4')
}

function inSubnet(host: string, {address, netmask}: LocalAddress): boolean {
  const mask = toNumber(netmask)
  return (toNumber(host) & mask) === (toNumber(address) & mask)
}

function cidr({address, netmask}: LocalAddress): string {
  const bits = toNumber(netmask).toString(2).replaceAll('0', '').length
  return `${address}/${bits}`
}

function toNumber(address: string): number {
  return address.split('.').reduce((number, byte) => ((number << 8) | Number(byte)) >>> 0, 0)
}
