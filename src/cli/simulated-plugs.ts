/** What `simulate` and `demo` share: simulated plugs, come to life. */
import {isIPv4} from 'node:net'
import {quoted} from '../config/config-error.ts'
import type {SimulatedNetwork} from '../simulator/simulated-network.ts'
import {CommandFailed, UsageError} from './errors.ts'

const USUAL_FIRST = '127.0.54.1'

/** @throws UsageError for an address that is not this machine's own for sure */
export function firstAddress(written = USUAL_FIRST): string {
  if (isIPv4(written) && written.startsWith('127.')) return written
  throw new UsageError(
    `--address: expected a loopback address such as ${USUAL_FIRST}, got ${quoted(written)}`,
  )
}

/** Starts all plugs, with moving watts. @throws CommandFailed when an address is taken */
export async function startSimulation(neighbourhood: SimulatedNetwork): Promise<void> {
  try {
    await neighbourhood.start()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new CommandFailed(`${error.message}\nOther addresses are chosen with --address.`)
  }
  neighbourhood.startDrift()
}
