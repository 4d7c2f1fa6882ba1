/**
 * The format of `state.json` in the state folder: its parts as types and schemas, and the parser that drops what makes no sense.
 * The keys of the file never change, so that this program can read the files of its earlier versions.
 */
import {z} from 'zod'
import {isPublishedUnder, topicProblem} from '../mqtt/topics.ts'
import {isDid, isMapping, type Mapping, type ReportDropped, validMembers} from './json-reader.ts'

/** All firmware versions of all known models, many times over. */
export const MAX_FIRMWARES = 1_000
/** Ten thousand plugs with each value on a topic of its own have some 200,000. */
const MAX_TOPICS = 500_000
const MAX_BASE_TOPICS = 100
const MAX_DISCOVERY_DEVICES = 20_000
const MAX_CLIENT_ID_BYTES = 65_535

const text = z
  .string()
  .max(1_000)
  .regex(/^\P{Cc}*$/u)
  .optional()
  .catch(undefined)
const number = z.number().int().nonnegative().optional().catch(undefined)
const names = z.array(z.string().max(100)).max(1_000).optional().catch(undefined)

/** A damaged or foreign field counts as missing; the other fields stay. */
const memorySchema = z.object({
  name: text,
  model: text,
  firmware: text,
  hardware: text,
  mac: text,
  /** The address and port of the last response. */
  host: text,
  /** The address in the configuration at that time. */
  configuredHost: text,
  port: number,
  /** The id of the last request. */
  messageId: number,
})

const entrySchema = memorySchema.extend({
  /** Recognises the token (state-store.ts). */
  fingerprint: z.string().max(100),
  /** When the plug was first missing in the configuration. */
  unusedSince: z.iso.datetime().optional().catch(undefined),
})

const capabilitiesSchema = z.object({
  batch: z.number().int().positive().optional().catch(undefined),
  left_out: names,
  answered: names,
  dialect: text,
})

const platformsSchema = z.record(z.string().regex(/^\w+$/), z.string().regex(/^[a-z_]+$/))

/** What is known about a plug from earlier runs. */
export type PlugMemory = z.output<typeof memorySchema>
/** A plug in the file. */
export type PlugEntry = z.output<typeof entrySchema>
/** What the firmware of a model supports, as it was found out (src/device/polling/firmware-capabilities.ts). */
export type RememberedCapabilities = z.output<typeof capabilitiesSchema>

/** Retained topics that the bridge has published (src/bridge/publisher.ts). */
export interface RememberedTopics {
  /** Every base topic under which they were published. */
  bases: readonly string[]
  topics: readonly string[]
  /** Whether `topics` is complete. */
  isAll: boolean
}

/** What was published to Home Assistant for each plug (src/bridge/homeassistant/discovery-message.ts). */
export interface RememberedDiscovery {
  /** The key of a set, by device. */
  devices: Record<string, string>
  /** The platforms by component, by the key of the set. */
  sets: Record<string, Record<string, string>>
}

export interface StateContent {
  clientId: string | undefined
  /** By model and firmware version. */
  firmwares: [string, RememberedCapabilities][]
  published: RememberedTopics | undefined
  announced: RememberedDiscovery | undefined
  plugs: [number, PlugEntry][]
}

/** Parses every part of the file by itself: one that makes no sense takes no other with it. */
export function parseState(content: Mapping, reportDropped: ReportDropped): StateContent {
  const plugs = {key: isDid, schema: entrySchema, expected: 'a plug, by its device id'}
  const firmwares = {key: () => true, schema: capabilitiesSchema, expected: 'the limits of a firmware'}
  return {
    clientId: parseClientId(content, reportDropped),
    firmwares: validMembers('firmwares', content['firmwares'], firmwares, reportDropped).slice(
      -MAX_FIRMWARES,
    ),
    published: parsePublished(content, reportDropped),
    announced: parseAnnounced(content, reportDropped),
    plugs: validMembers('plugs', content['plugs'], plugs, reportDropped).map(([did, entry]) => [
      Number(did),
      entry,
    ]),
  }
}

/** MQTT takes up to 65,535 bytes (MQTT 5.0 §1.5.4). Brokers close the connection over control characters. */
function parseClientId({client_id: id}: Mapping, reportDropped: ReportDropped): string | undefined {
  const isValid =
    typeof id === 'string' &&
    /^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u.test(id) &&
    Buffer.byteLength(id) <= MAX_CLIENT_ID_BYTES
  if (isValid) return id
  reportDropped('client_id', 'a client id that brokers accept: a new one is made')
  return undefined
}

/** Only topics that a bridge may have published are accepted, since the bridge clears them when they are stale. */
function parsePublished({published}: Mapping, reportDropped: ReportDropped): RememberedTopics | undefined {
  if (published === undefined) return undefined
  if (!isMapping(published) || !Array.isArray(published['topics'])) {
    reportDropped('published', 'topics that were published')
    return undefined
  }
  const validTopics = (key: string, max: number, isValid: (topic: string) => boolean) => {
    const listed: unknown[] = Array.isArray(published[key]) ? published[key] : []
    const valid = listed.filter((topic): topic is string => {
      if (typeof topic === 'string' && isValid(topic)) return true
      reportDropped(`published.${key} ${JSON.stringify(topic)}`, 'a topic of this bridge')
      return false
    })
    return valid.slice(0, max)
  }
  const bases = validTopics('bases', MAX_BASE_TOPICS, (base) => topicProblem(base) === undefined)
  const topics = validTopics('topics', MAX_TOPICS, (topic) => isPublishedUnder(bases, topic))
  return {bases, topics, isAll: published['isAll'] === true}
}

function parseAnnounced({announced}: Mapping, reportDropped: ReportDropped): RememberedDiscovery | undefined {
  if (announced === undefined) return undefined
  if (!isMapping(announced)) {
    reportDropped('announced', 'announcements to Home Assistant')
    return undefined
  }
  const isDevice = (key: string) => /^miio2mqtt_[1-9]\d*$/.test(key)
  const setKey = z.string().max(100)
  const devices = {key: isDevice, schema: setKey, expected: 'the name of a set, by device'}
  const sets = {key: () => true, schema: platformsSchema, expected: 'platforms by component'}
  return {
    devices: newest(
      validMembers('announced.devices', announced['devices'], devices, reportDropped),
      MAX_DISCOVERY_DEVICES,
    ),
    sets: newest(validMembers('announced.sets', announced['sets'], sets, reportDropped), MAX_FIRMWARES),
  }
}

/** The newest members are the last ones. */
function newest<T>(members: readonly (readonly [string, T])[], max: number): Record<string, T> {
  return Object.fromEntries(members.slice(-max))
}
