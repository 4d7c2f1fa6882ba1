/** Turns a failed call to a plug into the error of a command: what failed as a heading, the error, and what to do about it. */
import {systemClock} from '../common/clock.ts'
import {type LocalAddress, localAddresses} from '../common/ipv4.ts'
import {CommandError, type CommandErrorCode} from '../device/command-error.ts'
import {type Diagnosis, diagnoseFailure} from '../device/diagnosis.ts'
import {MiioError} from '../miio/miio-error.ts'
import {CommandFailed, UsageError} from './errors.ts'

/** What is known of the plug whose call failed. */
export interface CallContext {
  host: string | undefined
  /** The address to which the name `host` was resolved. */
  address?: string | undefined
  /** Whether the plug has answered under this token a moment ago. */
  proven: boolean
  /** Addresses of this machine; by default read from the system. */
  local?: readonly LocalAddress[]
}

type Explanation = Pick<Diagnosis, 'title' | 'advice'> & {code: string}

/** Mistakes of the user. No request was sent to the plug. */
const USAGE_ERRORS: ReadonlySet<CommandErrorCode> = new Set([
  'unknown_property',
  'not_writable',
  'invalid_payload',
  'out_of_range',
])

/** @returns a CommandFailed for the error of a call; any other error as it is */
export function toCommandFailed(error: unknown, context: CallContext): unknown {
  const failure = error instanceof CommandError ? (error.cause ?? error) : error
  if (failure instanceof MiioError) return diagnosed(failure, context)
  if (!(failure instanceof CommandError)) return error
  if (failure.code === 'timeout') return diagnosed(failure, context)
  if (USAGE_ERRORS.has(failure.code)) return new UsageError(failure.message)
  return failed({code: failure.code, title: 'request unsupported', advice: ANY_MODEL}, failure.message)
}

const ANY_MODEL = '`miio2mqtt models` lists the supported models; `miio2mqtt call` works with any plug.'

function diagnosed(failure: MiioError | CommandError, {local, ...context}: CallContext): CommandFailed {
  const known = {...context, local: () => local ?? localAddresses(systemClock)}
  return failed(diagnoseFailure(failure, known), failure.message)
}

/** A CommandFailed with three lines: title, `message` and advice. */
export function failed({code, title, advice}: Explanation, message: string): CommandFailed {
  return new CommandFailed(`${title}\n${message}\n${advice}`, {code})
}
