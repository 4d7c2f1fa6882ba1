/** Which stage of reaching a plug failed, and what to do about it (contract §8), for a person at 11 pm. */
import {isIPv4} from 'node:net'
import {networkInterfaces} from 'node:os'
import {CommandError, type CommandErrorCode} from '../device/errors.ts'
import {MiioError} from '../miio/errors.ts'
import {CommandFailed, UsageError} from './exit.ts'

interface LocalAddress {
  address: string
  netmask: string
  family: string
}

/** What is known of the plug that could not be asked. */
export interface Circumstances {
  host: string | undefined
  /** It has answered under our token a moment ago. */
  proven: boolean
  local?: readonly LocalAddress[]
}

interface Stage {
  code: string
  /** What failed. */
  title: string
  /** What to do next. */
  advice: string
}

const WHERE_IS_IT =
  '`miio2mqtt discover` lists who answers on this network; is the plug on, and is this its address?'
const NEW_TOKEN = 'The Xiaomi account in whose app the plug was set up last knows it.'

/** The caller's own mistakes: nothing was asked of the plug. */
const MISTAKES: ReadonlySet<CommandErrorCode> = new Set([
  'unknown_property',
  'not_writable',
  'invalid_payload',
  'out_of_range',
])

/** A failed call as a failed command that says the stage first. Any other error is passed on as it is. */
export function diagnosed(error: unknown, circumstances: Circumstances): unknown {
  const failure = error instanceof CommandError ? (error.cause ?? error) : error
  if (failure instanceof MiioError) return inStages(failure, circumstances)
  if (!(failure instanceof CommandError)) return error
  if (MISTAKES.has(failure.code)) return new UsageError(failure.message)
  return failed({code: failure.code, title: 'request unsupported', advice: ANY_MODEL}, failure.message)
}

const ANY_MODEL =
  '`miio2mqtt models` lists the plugs that are described; `miio2mqtt call` can ask any of them.'

function inStages(failure: MiioError, circumstances: Circumstances): CommandFailed {
  return failed(stageOf(failure, circumstances), failure.message)
}

export function failed({code, title, advice}: Stage, message: string): CommandFailed {
  return new CommandFailed(`${title}\n${message}\n${advice}`, {code})
}

function stageOf({code, stage}: MiioError, {host, proven, local = localAddresses()}: Circumstances): Stage {
  if (code === 'bad_token') return {code: 'token_wrong', title: 'token wrong', advice: NEW_TOKEN}
  if (code === 'refused')
    return {
      code: 'request_unsupported',
      title: 'request unsupported: the plug understood us and said no',
      advice:
        '`miio2mqtt models` lists what each plug can do; one that is busy also says no, so a second try may help.',
    }
  if (stage === 'send') return noRoute(host)
  if (stage === 'request') return proven ? noAnswer : probablyToken
  return host !== undefined && isIPv4(host) && local.length > 0 && !local.some((own) => inSubnet(host, own))
    ? otherSubnet(host, local)
    : {code: 'no_hello', title: 'no hello: nobody answers at that address', advice: WHERE_IS_IT}
}

function noRoute(host: string | undefined): Stage {
  const code = 'no_route'
  if (host !== undefined && !isIPv4(host))
    return {
      code,
      title: 'no route: that name leads nowhere',
      advice: 'Try the address of the plug, as the router lists it.',
    }
  const advice = 'Is this machine connected, and does its firewall let UDP port 54321 out?'
  return {code, title: 'no route: the packet could not leave this machine', advice}
}

function otherSubnet(host: string, local: readonly LocalAddress[]): Stage {
  return {
    code: 'other_subnet',
    title: `other subnet: ${host} is in none of ours (${local.map(cidr).join(', ')})`,
    advice:
      'Plugs answer only their own subnet: give this machine an address there, or let the router masquerade UDP to port 54321.',
  }
}

const probablyToken: Stage = {
  code: 'token_wrong',
  title: 'token wrong, most likely: the plug greets us, but does not answer what is encrypted',
  advice: NEW_TOKEN,
}

const noAnswer: Stage = {
  code: 'no_answer',
  title: 'no answer: the plug answered before, but not this request',
  advice:
    'Its Wi-Fi may be weak (`miio2mqtt info` says how strong it is), or its firmware ignores this request.',
}

/** Every IPv4 address of this machine, with its real netmask: a home may well use /23. None where the system does not list them. */
function localAddresses(): LocalAddress[] {
  let interfaces: ReturnType<typeof networkInterfaces> = {}
  try {
    interfaces = networkInterfaces()
  } catch {} // no descriptor is left, or AF_NETLINK is forbidden: this is no reason to fail twice
  return Object.values(interfaces)
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
