/** Faults of a simulated plug: `Faults` is how often each occurs, `InjectedFault` is what happens to one datagram and its answer. */
import type {Random} from '../../common/clock.ts'
import {ACK_TIMEOUT, type FirmwareError, type FirmwareQuirks} from '../firmware/firmware-profile.ts'
import {anyGarbage, type Garbage} from './garbage.ts'

/** Shares are from 0 (never) to 1 (always). A fault that is missing never occurs. Quirks override those of the plug's own firmware. */
export interface Faults extends FirmwareQuirks {
  /** Share of datagrams, hellos among them, that never reach the plug. */
  loss?: number
  /** Share of answers that are lost on their way back. The command is executed all the same. */
  loseResponses?: number
  /** Delay of every answer, milliseconds, drawn from this range. */
  delay?: {fromMs: number; toMs: number}
  /** Share of answers that come after the client has given up. */
  lateResponses?: number
  /** Share of answers that come twice. */
  duplicate?: number
  /** Share of answers that are unusable. */
  garbage?: number
  /** Share of answers that carry the id of another request. */
  wrongId?: number
  /** Share of requests that are refused with this code and not executed. */
  error?: {code: number; share: number}
  /** Every token is wrong, as after a new set-up: the plug answers so, or keeps silent. */
  wrongToken?: 'nak' | 'silent'
  /** The plug receives nothing. */
  silence?: true
  /** Milliseconds between two power failures of a few seconds each. */
  rebootEveryMs?: number
  /** Milliseconds between two changes of the plug's address. */
  addressChangeEveryMs?: number
}

/** What happens to one datagram and its answer. */
export interface InjectedFault {
  loseRequest?: boolean
  /** The request is executed, and its answer is lost on the way back. */
  loseResponse?: boolean
  delayMs?: number
  /** How many times the answer arrives: 1 by default. */
  copies?: number
  garble?: Garbage
  /** The answer carries the next id in place of the id of the request. */
  wrongId?: boolean
  /** The request is not executed, and answered with this error. */
  refuse?: FirmwareError
}

export const noFaults: Faults = {}
const noFault: InjectedFault = {}

/** Longer than a client waits for one try, and no longer than late answers have been seen to come (docs/protocol.md §6). */
const LATE_FROM_MS = 2500
const LATE_TO_MS = 10_000

/** The texts of error codes in real firmware (docs/protocol.md §1.8). */
const errorMessages = new Map<number, string>([
  [ACK_TIMEOUT.code, ACK_TIMEOUT.message],
  [-30000, 'Resp general error.'],
  [-30001, 'Resp invalid json.'],
  [-10000, 'Method not found.'],
  [-32601, 'Method not found.'],
  [-5001, 'invalid_arg'],
])

/** Draws by chance what happens to the next request. */
export function drawFault(faults: Faults, random: Random): InjectedFault {
  if (faults === noFaults) return noFault
  const occurs = (share = 0) => share > 0 && random() < share
  const fault: InjectedFault = {}
  if (occurs(faults.loss)) fault.loseRequest = true
  if (occurs(faults.loseResponses)) fault.loseResponse = true
  if (occurs(faults.duplicate)) fault.copies = 2
  if (occurs(faults.wrongId)) fault.wrongId = true
  if (occurs(faults.garbage)) fault.garble = anyGarbage(random)
  if (occurs(faults.error?.share)) fault.refuse = refusal(faults.error?.code ?? 0)
  if (faults.delay) fault.delayMs = between(faults.delay.fromMs, faults.delay.toMs, random)
  if (occurs(faults.lateResponses)) fault.delayMs = between(LATE_FROM_MS, LATE_TO_MS, random)
  return fault
}

/** Draws what happens to the next hello. It can be lost, delayed or doubled; it has no content that could be refused or garbled. */
export function drawHelloFault(faults: Faults, random: Random): InjectedFault {
  if (faults === noFaults) return noFault
  const {loseRequest, loseResponse, copies, delayMs} = drawFault(faults, random)
  return {
    ...(loseRequest && {loseRequest}),
    ...(loseResponse && {loseResponse}),
    ...(copies && {copies}),
    ...(delayMs && {delayMs}),
  }
}

function between(from: number, to: number, random: Random): number {
  return from + random() * (to - from)
}

function refusal(code: number): FirmwareError {
  return {code, message: errorMessages.get(code) ?? 'error'}
}
