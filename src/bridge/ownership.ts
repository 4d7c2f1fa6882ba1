/** Whose a message is that lies under Home Assistant's prefix: several bridges and much other software may share it. */
import {z} from 'zod'
import {Topics} from '../mqtt/topics.ts'

/** So far as it matters here; what other software lays there may look in any way. */
const announcement = z.object({
  state_topic: z.string(),
  availability: z.array(z.object({topic: z.string()})),
})

const named = z.array(z.object({name: z.string()}))

/**
 * The plug or group that a device message is about, when the bridge with base topic `base` sent it.
 * @returns `undefined` for a message of anybody else
 */
export function ownName(payload: Buffer, base: string): string | undefined {
  const {success, data} = announcement.safeParse(parsed(payload))
  if (!success) return undefined
  const topics = new Topics(base)
  const isOurs = data.availability.some(({topic}) => topic === topics.bridge('state'))
  return isOurs && data.state_topic.startsWith(topics.state(''))
    ? data.state_topic.slice(topics.state('').length)
    : undefined
}

/** The names in a `bridge/devices` or `bridge/groups`; none when it is something else. */
export function namesIn(payload: Buffer): string[] {
  const {data = []} = named.safeParse(parsed(payload))
  return data.map(({name}) => name)
}

function parsed(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch {
    return undefined
  }
}
