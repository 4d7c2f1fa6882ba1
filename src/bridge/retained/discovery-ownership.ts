/** Whose a message is that lies under Home Assistant's prefix: several bridges and much other software may share it. */
import {z} from 'zod'
import {Topics} from '../../mqtt/topics.ts'
import {bridgeId} from '../homeassistant/discovery-message.ts'

/** So far as it matters here; what other software lays there may look in any way. */
const announcement = z.object({
  device: z.object({identifiers: z.array(z.string())}),
  state_topic: z.string().optional(),
  availability: z.array(z.object({topic: z.string()})).default([]),
})

/** An entry that has no name does not hide the others. */
const named = z.array(z.object({name: z.string()}).optional().catch(undefined))

/**
 * Where the plug or group has its state that a device message is about, when the bridge with base topic `base` sent it; empty for
 * the message of that bridge about itself.
 * @returns `undefined` for a message of anybody else
 */
export function ownStateTopic(payload: Buffer, base: string): string | undefined {
  const {success, data} = announcement.safeParse(parsed(payload))
  if (!success) return undefined
  const {device, state_topic = '', availability} = data
  const topics = new Topics(base)
  const isOurs = availability.some(({topic}) => topic === topics.bridge('state'))
  return isOurs || device.identifiers.includes(bridgeId(base)) ? state_topic : undefined
}

/** The names in a `bridge/devices` or `bridge/groups`; none when it is something else. */
export function listedNames(payload: Buffer): string[] {
  const {data = []} = named.safeParse(parsed(payload))
  return data.flatMap((entry) => entry?.name ?? [])
}

function parsed(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch {
    return undefined
  }
}
