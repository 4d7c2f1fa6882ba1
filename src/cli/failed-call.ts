/** A failed call as a failed command, for a person at 11 pm: which stage failed, and what to do about it. */
import {systemClock} from '../common/clock.ts'
import type {LocalAddress} from '../common/local-addresses.ts'
import {localAddresses} from '../common/local-addresses.ts'
import {CommandError, type CommandErrorCode} from '../device/command-error.ts'
import {type Diagnosis, diagnoseFailure} from '../device/diagnosis.ts'
import {MiioError} from '../miio/miio-error.ts'
import {CommandFailed, UsageError} from './errors.ts'

/** What is known of the plug that could not be asked. */
export interface CallContext {
  host: string | undefined
  /** What the host's name stands for. */
  address?: string | undefined
  /** It answered a hello just now. */
  greeted?: boolean
  /** It has answered under our token a moment ago. */
  proven: boolean
  local?: readonly LocalAddress[]
}

type Stage = Pick<Diagnosis, 'title' | 'advice'> & {code: string}

/** The caller's own mistakes: nothing was asked of the plug. */
const MISTAKES: ReadonlySet<CommandErrorCode> = new Set([
  'unknown_property',
  'not_writable',
  'invalid_payload',
  'out_of_range',
])

/** A failed call as a failed command that says the stage first. Any other error is passed on as it is. */
export function toCommandFailed(error: unknown, circumstances: CallContext): unknown {
  const failure = error instanceof CommandError ? (error.cause ?? error) : error
  if (failure instanceof MiioError) return inStages(failure, circumstances)
  if (!(failure instanceof CommandError)) return error
  if (failure.code === 'timeout') return inStages(failure, circumstances)
  if (MISTAKES.has(failure.code)) return new UsageError(failure.message)
  return failed({code: failure.code, title: 'request unsupported', advice: ANY_MODEL}, failure.message)
}

const ANY_MODEL =
  '`miio2mqtt models` lists the plugs that are described; `miio2mqtt call` can ask any of them.'

function inStages(failure: MiioError | CommandError, {local, ...circumstances}: CallContext): CommandFailed {
  const known = {...circumstances, local: () => local ?? localAddresses(systemClock)}
  return failed(diagnoseFailure(failure, known), failure.message)
}

export function failed({code, title, advice}: Stage, message: string): CommandFailed {
  return new CommandFailed(`${title}\n${message}\n${advice}`, {code})
}
