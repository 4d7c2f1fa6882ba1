/**
 * Reads retained messages found on the broker: whether this bridge has sent a discovery message, and which plugs a bridge has listed.
 * Several bridges and much other software may share a broker.
 */
import {z} from 'zod'
import {Topics} from '../../mqtt/topics.ts'
import {bridgeId} from '../homeassistant/discovery-message.ts'

/** The part of a discovery message that matters here. Messages of other software may have any shape. */
const discoverySchema = z.object({
  device: z.object({identifiers: z.array(z.string())}),
  state_topic: z.string().optional(),
  availability: z.array(z.object({topic: z.string()})).default([]),
})

/** An entry without a name does not invalidate the others. */
const listSchema = z.array(z.object({name: z.string()}).optional().catch(undefined))

/**
 * @param payload of a message on a discovery topic
 * @returns the state topic of the plug or group in the message, if the bridge with base topic `base` sent it; empty for the message of
 * that bridge about itself; `undefined` for a message of any other sender
 */
export function ownStateTopic(payload: Buffer, base: string): string | undefined {
  const {success, data} = discoverySchema.safeParse(parsedJson(payload))
  if (!success) return undefined
  const {device, state_topic = '', availability} = data
  const topics = new Topics(base)
  const isOurs = availability.some(({topic}) => topic === topics.bridge('state'))
  return isOurs || device.identifiers.includes(bridgeId(base)) ? state_topic : undefined
}

/** The names in a `bridge/devices` or `bridge/groups` message; none when the payload is something else. */
export function listedNames(payload: Buffer): string[] {
  const {data = []} = listSchema.safeParse(parsedJson(payload))
  return data.flatMap((entry) => entry?.name ?? [])
}

function parsedJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch {
    return undefined
  }
}
