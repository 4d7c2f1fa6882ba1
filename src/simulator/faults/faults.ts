/**
 * What goes wrong, as data. `Faults` is how often; `Mishap` is what befalls one datagram, drawn from them or written down by a test.
 */
import type {Random} from '../../common/clock.ts'
import {ACK_TIMEOUT, type FirmwareError} from '../firmware/firmware-messages.ts'
import type {FirmwareQuirks} from '../firmware/firmware-profile.ts'
import {anyGarbage, type Garbage} from './garbage.ts'

/** Shares are from 0 (never) to 1 (always); what is missing never happens. Moods take the place of the plug's own. */
export interface Faults extends FirmwareQuirks {
  /** Share of datagrams, hellos among them, that never reach the plug. */
  loss?: number
  /** Share of answers lost on their way back: the command was executed all the same. */
  loseReplies?: number
  /** Every answer takes from so long to so long. */
  delay?: {fromMs: number; toMs: number}
  /** Share of answers that come when nobody waits for them any more. */
  lateReplies?: number
  /** Share of answers that come twice. */
  duplicate?: number
  /** Share of answers that are unusable. */
  garbage?: number
  /** Share of answers that carry the id of another request. */
  wrongId?: number
  /** Share of requests refused, not executed, with this code. */
  error?: {code: number; share: number}
  /** It takes every token for a wrong one, as after a new set-up, and answers so. */
  wrongToken?: 'nak' | 'silent'
  /** It hears nothing. */
  silence?: true
  /** It loses power for a few seconds, so often. */
  rebootEveryMs?: number
  /** It gets a new address, so often. */
  addressChangeEveryMs?: number
}

/** What befalls one datagram and its answer. */
export interface InjectedFault {
  loseRequest?: boolean
  /** Executed, then lost on the way back. */
  loseReply?: boolean
  delayMs?: number
  /** How many times the answer arrives: 1 unless told. */
  copies?: number
  garble?: Garbage
  /** The answer carries the next id instead of the asked one. */
  wrongId?: boolean
  /** Not executed; this error comes back. */
  refuse?: FirmwareError
}

export const noFaults: Faults = {}
const noMishap: InjectedFault = {}

/** Longer than a client waits for one try, and no longer than late answers have been seen to come (docs/protocol.md §6). */
const LATE_FROM_MS = 2500
const LATE_TO_MS = 10_000

/** What goes with a code in real firmware (docs/protocol.md §1.8). */
const messages = new Map<number, string>([
  [ACK_TIMEOUT.code, ACK_TIMEOUT.message],
  [-30000, 'Resp general error.'],
  [-30001, 'Resp invalid json.'],
  [-10000, 'Method not found.'],
  [-32601, 'Method not found.'],
  [-5001, 'invalid_arg'],
])

/** What befalls the next request, by chance. */
export function drawFault(faults: Faults, random: Random): InjectedFault {
  if (faults === noFaults) return noMishap
  const happens = (share = 0) => share > 0 && random() < share
  const mishap: InjectedFault = {}
  if (happens(faults.loss)) mishap.loseRequest = true
  if (happens(faults.loseReplies)) mishap.loseReply = true
  if (happens(faults.duplicate)) mishap.copies = 2
  if (happens(faults.wrongId)) mishap.wrongId = true
  if (happens(faults.garbage)) mishap.garble = anyGarbage(random)
  if (happens(faults.error?.share)) mishap.refuse = refusal(faults.error?.code ?? 0)
  if (faults.delay) mishap.delayMs = between(faults.delay.fromMs, faults.delay.toMs, random)
  if (happens(faults.lateReplies)) mishap.delayMs = between(LATE_FROM_MS, LATE_TO_MS, random)
  return mishap
}

/** What befalls the next hello: it can be lost or delayed like any datagram, but there is nothing in it to refuse. */
export function drawHelloFault(faults: Faults, random: Random): InjectedFault {
  if (faults === noFaults) return noMishap
  const {loseRequest, loseReply, copies, delayMs} = drawFault(faults, random)
  return {
    ...(loseRequest && {loseRequest}),
    ...(loseReply && {loseReply}),
    ...(copies && {copies}),
    ...(delayMs && {delayMs}),
  }
}

function between(from: number, to: number, random: Random): number {
  return from + random() * (to - from)
}

function refusal(code: number): FirmwareError {
  return {code, message: messages.get(code) ?? 'error'}
}
