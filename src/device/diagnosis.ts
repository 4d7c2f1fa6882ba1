/**
 * Diagnosis of a failed request, from its error and what is known of the plug and this machine: one place for the log, the
 * availability, the results of commands and the command line. Pure.
 */
import {isIPv4} from 'node:net'
import {isInSubnet, isLoopback, type LocalAddress, toCidr} from '../common/ipv4.ts'
import {errorMessage} from '../common/text.ts'
import {isCallFailure} from './command-error.ts'

/** What is known of a plug and of this machine, beside the error. An absent member is not known. */
export interface FailureContext {
  /** The address or name to which the request was sent. */
  host?: string | undefined
  /** The IPv4 address to which the name was last resolved. */
  address?: string | undefined
  /** Whether the plug has answered under this token before. */
  proven?: boolean | undefined
  /** This machine's IPv4 addresses, with loopback. Called only where they matter. */
  local?: (() => readonly LocalAddress[]) | undefined
}

/** Why a plug is offline, in `availability` (docs/topics.md). */
export type OfflineReason = 'timeout' | 'bad_token' | 'unreachable' | 'disabled' | 'unsupported' | 'duplicate'

type DiagnosisCode =
  | 'token_wrong'
  | 'request_unsupported'
  | 'no_route'
  | 'other_device'
  | 'other_subnet'
  | 'no_hello'
  | 'no_answer'

export interface Diagnosis {
  code: DiagnosisCode
  /** The matching reason for being offline. */
  reason: OfflineReason
  /** A short heading. */
  title: string
  /** The finding as a part of a sentence, with the plug's address. */
  message: string
  /** What the user should do next. */
  advice: string
  /** A finding that the error itself does not contain. */
  detail?: string
}

const NEW_TOKEN =
  'Get the current token from the Xiaomi account that set up the plug last: docs/troubleshooting.md, "Where do I get the token".'
const NOT_SENT = 'no route: the packet could not leave this machine'
const NO_NETWORK = 'no route: this machine has no network connection'
/** The kernel's error codes when this machine has no route to any network (src/miio/socket.ts). */
const CUT_OFF = /\b(ENETUNREACH|ENETDOWN)\b/

/** @param error of a request, or a CommandError made of it */
export function diagnoseFailure(error: unknown, context: FailureContext): Diagnosis {
  const failure = error instanceof Error && isCallFailure(error.cause) ? error.cause : error
  const {code, stage} = isCallFailure(failure) ? failure : {code: 'timeout' as const}
  const text = errorMessage(failure)
  const plug = context.host === undefined ? 'the plug' : `the plug at ${place(context)}`
  switch (code) {
    case 'bad_token':
      return {
        code: 'token_wrong',
        reason: 'bad_token',
        title: 'token wrong',
        message: `token wrong: ${plug} rejects it. The token changes whenever the plug is set up again in the app`,
        advice: NEW_TOKEN,
      }
    case 'refused':
      return {
        code: 'request_unsupported',
        reason: 'unsupported',
        title: 'request unsupported: the plug rejected the request',
        message: `${plug} answers, but rejects the requests of its model; \`miio2mqtt info\` shows its model`,
        advice:
          '`miio2mqtt models` lists what each plug can do; a busy plug also rejects requests: try again.',
      }
    case 'unreachable':
      return stage === 'hello' ? otherDevice(text) : notSent(text, context)
    case 'timeout':
      if (stage !== 'request') return noHello(context)
      return context.proven ? noAnswer(plug) : tokenProbably(plug)
  }
}

function otherDevice(message: string): Diagnosis {
  return {
    code: 'other_device',
    reason: 'unreachable',
    title: 'other device: another device answers at this address',
    message,
    advice:
      '`miio2mqtt discover` lists the current addresses and device ids; a fixed address in the router keeps them.',
  }
}

function tokenProbably(plug: string): Diagnosis {
  return {
    code: 'token_wrong',
    reason: 'bad_token',
    title: 'token wrong (probably): the plug is reachable, but ignores encrypted requests',
    message: `token wrong (probably): ${plug} answers a hello, but ignores requests that are encrypted with this token`,
    advice: NEW_TOKEN,
  }
}

function noAnswer(plug: string): Diagnosis {
  return {
    code: 'no_answer',
    reason: 'timeout',
    title: 'no answer: the plug answered before, but not this request',
    message: `no answer to any request, though ${plug} answers a hello and answered requests before: its Wi-Fi is weak, its firmware hangs, or it was set up again and has a new token`,
    advice:
      'Its Wi-Fi may be weak (`miio2mqtt info` shows how strong it is), or its firmware ignores this request.',
  }
}

/** No packet has left this machine. */
function notSent(text: string, context: FailureContext): Diagnosis {
  const {host, address} = context
  const isName = host !== undefined && !isIPv4(host)
  const isUnknownName = isName && address === undefined
  if ((isUnknownName || CUT_OFF.test(text)) && isAlone(context))
    return noNetwork('unreachable', NOT_SENT, context)
  const known = {code: 'no_route', reason: 'unreachable'} as const
  if (isUnknownName) {
    const title = 'no route: the host name cannot be resolved'
    const advice = 'Try the address of the plug, as the router lists it.'
    return {...known, title, message: `cannot resolve ${host}: ${text}`, advice}
  }
  const message = isName && !text.includes(host) ? `no packet reaches ${host}: ${text}` : text
  const advice = 'Is this machine connected, and does its firewall let UDP port 54321 out?'
  return {...known, title: NOT_SENT, message, advice}
}

function noHello(context: FailureContext): Diagnosis {
  const {host, address = host, local = () => []} = context
  const ours = local()
  const isElsewhere =
    address !== undefined &&
    isIPv4(address) &&
    ours.length > 0 &&
    !ours.some((own) => isInSubnet(address, own))
  if (isElsewhere)
    return isAlone(context) ? noNetwork('timeout', NO_NETWORK, context) : otherSubnet(address, ours, context)
  return {
    code: 'no_hello',
    reason: 'timeout',
    title: 'no hello: no plug answers at this address',
    message: `no answer from ${place(context)}: is the plug powered, in Wi-Fi range, and still at this address?`,
    advice:
      '`miio2mqtt discover` lists the devices that answer on this network; is the plug powered, and is this its address?',
  }
}

function otherSubnet(address: string, ours: readonly LocalAddress[], context: FailureContext): Diagnosis {
  const networks = ours.map(toCidr).join(', ')
  const title = `other subnet: ${address} is not in a network of this machine (${networks})`
  return {
    code: 'other_subnet',
    reason: 'timeout',
    title,
    message: `no answer: ${place(context)} is in another subnet than this machine (${networks}), and plugs answer only their own subnet`,
    advice:
      'Plugs answer only their own subnet: give this machine an address there, or let the router masquerade UDP to port 54321.',
    detail: title,
  }
}

function noNetwork(reason: OfflineReason, title: string, context: FailureContext): Diagnosis {
  return {
    code: 'no_route',
    reason,
    title,
    message: `this machine has no network connection, and no packet reaches ${place(context)}`,
    advice:
      'Only loopback is left: this machine has no network connection. Is the cable in, or the Wi-Fi connected? Its firewall must let UDP port 54321 out, too.',
    detail: 'this machine has no network connection',
  }
}

/** The plug's place, `kettle.local (192.168.1.40)`, or as much of it as is known. */
function place({host, address}: FailureContext): string {
  if (host === undefined) return 'its address'
  return address === undefined || address === host ? host : `${host} (${address})`
}

/** Whether this machine has only loopback addresses, and the plug has another. */
function isAlone({host, address = host, local = () => []}: FailureContext): boolean {
  const ours = local()
  return ours.length > 0 && ours.every((own) => isLoopback(own.address)) && !isLoopback(address ?? '')
}
