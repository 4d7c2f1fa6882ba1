/** What a command says, and how one plug carries it out (contract §4). */
import {unknownProperty} from '../../device/codec/unknown-property.ts'
import type {Value} from '../../models/model.ts'
import type {ParsedTopic} from '../../mqtt/topics.ts'
import {assertUsable, type Plug} from '../plug.ts'
import {displayedState} from '../status/plug-states.ts'
import {parseGet, parseSet} from './payload.ts'

export type Command = {set: Record<string, unknown>} | {get: string | null}

/** A message that was understood. */
export interface ParsedCommand {
  order: Command
  /** Sent along by the caller, to know the answer again. */
  transaction?: unknown
}

/** @throws CommandError `invalid_payload` */
export function parseCommand(
  {kind, property}: Extract<ParsedTopic, {kind: 'set' | 'get'}>,
  payload: Buffer,
): ParsedCommand {
  if (kind === 'get') return {order: {get: property ?? null}, ...parseGet(payload)}
  const {values, ...rest} = parseSet(payload, property)
  return {order: {set: values}, ...rest}
}

/**
 * @param deadline on the clock
 * @param done where to put what the plug told or said ok to: of two properties, one may be set before the other fails
 * @throws CommandError, or the transport's error
 */
export async function executeCommand(
  plug: Plug,
  order: Command,
  deadline: number,
  done: Record<string, Value>,
): Promise<void> {
  assertUsable(plug)
  await plug.device.ready({deadline})
  if ('get' in order) await get(plug, order.get, deadline, done)
  else await set(plug, order.set, deadline, done)
}

async function set(
  {device}: Plug,
  values: Record<string, unknown>,
  deadline: number,
  done: Record<string, Value>,
): Promise<void> {
  // All or nothing as far as that can be known beforehand: a typo in one property switches none.
  const wanted = Object.entries(values).map(([name, value]) => [name, device.validate(name, value)] as const)
  const settled = await Promise.allSettled(
    wanted.map(async ([name, value]) => {
      done[name] = await device.write(name, value, deadline)
    }),
  )
  const failed = settled.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

async function get(
  plug: Plug,
  property: string | null,
  deadline: number,
  done: Record<string, Value>,
): Promise<void> {
  const {device} = plug
  const known = Object.keys(device.state)
  if (property !== null && !Object.hasOwn(device.state, property))
    throw unknownProperty(property, known, known)
  const state = await device.read(deadline, property ?? undefined)
  Object.assign(done, property === null ? displayedState(plug) : {[property]: state[property] ?? null})
}
