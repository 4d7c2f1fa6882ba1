/**
 * Diagnosis of a failed request, from its error and what is known of the plug and this machine: one place for the log, the
 * availability, the results of commands and the command line. Pure.
 */

import {isIPv4} from 'node:net'
import {isInSubnet, isLoopback, type LocalAddress, toCidr} from '../common/ipv4.ts'
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
  words: string
  /** What the user should do next. */
  advice: string
  /** A finding that the error itself does not contain. */
  remark?: string
}

const WHERE_IS_IT =
  '`miio2mqtt discover` lists the devices that answer on this network; is the plug powered, and is this its address?'
const NEW_TOKEN =
  'Get the current token from the Xiaomi account that set up the plug last: docs/troubleshooting.md, "Where do I get the token".'
const NOT_SENT = 'no route: the packet could not leave this machine'
const NO_NETWORK = 'no route: this machine has no network connection'
const TRY_ADDRESS = 'Try the address of the plug, as the router lists it.'
/** The kernel's error codes when this machine has no route to any network (src/miio/socket.ts). */
const CUT_OFF = /\b(ENETUNREACH|ENETDOWN)\b/

/** @param error of a request, or a CommandError made of it */
export function diagnoseFailure(error: unknown, context: FailureContext): Diagnosis {
  const failure = error instanceof Error && isCallFailure(error.cause) ? error.cause : error
  const code = isCallFailure(failure) ? failure.code : 'timeout'
  const stage = isCallFailure(failure) ? failure.stage : undefined
  const message = failure instanceof Error ? failure.message : String(failure)
  switch (code) {
    case 'bad_token':
      return tokenWrong(context)
    case 'refused':
      return unsupported(context)
    case 'unreachable':
      return stage === 'hello' ? otherDevice(message) : notSent(message, context)
    case 'timeout':
      if (stage === 'request') return context.proven ? noAnswer(context) : tokenProbably(context)
      return noHello(context)
  }
}

function tokenWrong(context: FailureContext): Diagnosis {
  return {
    code: 'token_wrong',
    reason: 'bad_token',
    title: 'token wrong',
    words: `token wrong: ${plugAt(context)} rejects it. The token changes whenever the plug is set up again in the app`,
    advice: NEW_TOKEN,
  }
}

function tokenProbably(context: FailureContext): Diagnosis {
  return {
    code: 'token_wrong',
    reason: 'bad_token',
    title: 'token wrong (probably): the plug is reachable, but ignores encrypted requests',
    words: `token wrong (probably): ${plugAt(context)} answers a hello, but ignores requests that are encrypted with this token`,
    advice: NEW_TOKEN,
  }
}

function unsupported(context: FailureContext): Diagnosis {
  return {
    code: 'request_unsupported',
    reason: 'unsupported',
    title: 'request unsupported: the plug rejected the request',
    words: `${plugAt(context)} answers, but rejects the requests of its model; \`miio2mqtt info\` shows its model`,
    advice: '`miio2mqtt models` lists what each plug can do; a busy plug also rejects requests: try again.',
  }
}

function otherDevice(message: string): Diagnosis {
  return {
    code: 'other_device',
    reason: 'unreachable',
    title: 'other device: another device answers at this address',
    words: message,
    advice:
      '`miio2mqtt discover` lists the current addresses and device ids; a fixed address in the router keeps them.',
  }
}

/** No packet has left this machine. */
function notSent(message: string, context: FailureContext): Diagnosis {
  const {host, address} = context
  const isName = host !== undefined && !isIPv4(host)
  const isUnknownName = isName && address === undefined
  const reason = 'unreachable'
  if ((isUnknownName || CUT_OFF.test(message)) && isAlone(context))
    return noNetwork(reason, NOT_SENT, context)
  if (isUnknownName)
    return {
      code: 'no_route',
      reason,
      title: 'no route: the host name cannot be resolved',
      words: `cannot resolve ${host}: ${message}`,
      advice: TRY_ADDRESS,
    }
  return {
    code: 'no_route',
    reason,
    title: NOT_SENT,
    words: isName && !message.includes(host) ? `no packet reaches ${host}: ${message}` : message,
    advice: 'Is this machine connected, and does its firewall let UDP port 54321 out?',
  }
}

function noAnswer(context: FailureContext): Diagnosis {
  return {
    code: 'no_answer',
    reason: 'timeout',
    title: 'no answer: the plug answered before, but not this request',
    words: `no answer to any request, though ${plugAt(context)} answers a hello and answered requests before: its Wi-Fi is weak, its firmware hangs, or it was set up again and has a new token`,
    advice:
      'Its Wi-Fi may be weak (`miio2mqtt info` shows how strong it is), or its firmware ignores this request.',
  }
}

function noHello(context: FailureContext): Diagnosis {
  const {host, address = host, local = () => []} = context
  const ours = local()
  if (
    address !== undefined &&
    isIPv4(address) &&
    ours.length > 0 &&
    !ours.some((own) => isInSubnet(address, own))
  )
    return isAlone(context) ? noNetwork('timeout', NO_NETWORK, context) : otherSubnet(address, ours, context)
  return {
    code: 'no_hello',
    reason: 'timeout',
    title: 'no hello: no plug answers at this address',
    words: `no answer from ${place(context)}: is the plug powered, in Wi-Fi range, and still at this address?`,
    advice: WHERE_IS_IT,
  }
}

function otherSubnet(address: string, ours: readonly LocalAddress[], context: FailureContext): Diagnosis {
  const networks = ours.map(toCidr).join(', ')
  const title = `other subnet: ${address} is not in a network of this machine (${networks})`
  return {
    code: 'other_subnet',
    reason: 'timeout',
    title,
    words: `no answer: ${place(context)} is in another subnet than this machine (${networks}), and plugs answer only their own subnet`,
    advice:
      'Plugs answer only their own subnet: give this machine an address there, or let the router masquerade UDP to port 54321.',
    remark: title,
  }
}

function noNetwork(reason: OfflineReason, title: string, context: FailureContext): Diagnosis {
  return {
    code: 'no_route',
    reason,
    title,
    words: `this machine has no network connection, and no packet reaches ${place(context)}`,
    advice:
      'Only loopback is left: this machine has no network connection. Is the cable in, or the Wi-Fi connected? Its firewall must let UDP port 54321 out, too.',
    remark: 'this machine has no network connection',
  }
}

/** The plug's place, `kettle.local (192.168.1.40)`, or as much of it as is known. */
function place({host, address}: FailureContext): string {
  if (host === undefined) return 'its address'
  return address === undefined || address === host ? host : `${host} (${address})`
}

function plugAt(context: FailureContext): string {
  return context.host === undefined ? 'the plug' : `the plug at ${place(context)}`
}

/** Whether this machine has only loopback addresses, and the plug has another. */
function isAlone({host, address = host, local = () => []}: FailureContext): boolean {
  const ours = local()
  return ours.length > 0 && ours.every((own) => isLoopback(own.address)) && !isLoopback(address ?? '')
}
