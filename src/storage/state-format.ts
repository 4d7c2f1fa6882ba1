/**
 * The formats of `state.json` and `energy.json` in the state folder: their parts as types and schemas, and the parsers, which drop every
 * invalid part by itself. The keys of the files never change, so that this program can read the files of its earlier versions.
 */
import * as z from 'zod'
import type {DiscoveredComponents} from '../bridge/homeassistant/sent-discovery.ts'
import type {RetainedTopicsRecord} from '../bridge/retained-cleanup.ts'
import {isObject} from '../common/text.ts'
import type {StoredCapabilities} from '../device/polling/firmware-capabilities.ts'
import type {EnergyMemory} from '../device/state/energy-meter.ts'
import {isPublishedUnder, MAX_TEXT_BYTES, topicProblem} from '../mqtt/topics.ts'
import type {JsonObject, ReportDropped} from './json-file.ts'

/** All firmware versions of all known models, many times over. */
export const MAX_FIRMWARES = 1_000
/** Ten thousand plugs with each value on a topic of its own have some 200,000. */
const MAX_TOPICS = 500_000
const MAX_BASE_TOPICS = 100
const MAX_DISCOVERY_DEVICES = 20_000

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

const capabilitiesSchema: z.ZodType<StoredCapabilities> = z.object({
  batch: z.number().int().positive().optional().catch(undefined),
  left_out: names,
  answered: names,
  dialect: text,
})

const platformsSchema = z.record(z.string().regex(/^\w+$/), z.string().regex(/^[a-z_]+$/))

const kilowattHours = z.number().nonnegative()
const energySchema: z.ZodType<EnergyMemory> = z.object({
  total: kilowattHours,
  today: kilowattHours,
  day: z.string().max(20),
  earlier: z.record(z.string().max(20), kilowattHours).optional().catch(undefined),
  moved: z.number(),
  stuck: z.literal(true).optional().catch(undefined),
})

/** What is known about a plug from earlier runs. */
export type PlugMemory = z.output<typeof memorySchema>
/** A plug in the file. */
export type PlugEntry = z.output<typeof entrySchema>

/** The content of `state.json`. */
export interface StateContent {
  clientId: string | undefined
  /** By model and firmware version. */
  firmwares: [string, StoredCapabilities][]
  published: RetainedTopicsRecord | undefined
  announced: DiscoveredComponents | undefined
  plugs: [number, PlugEntry][]
}

/** The parts of `state.json`. */
export function parseState(content: JsonObject, reportDropped: ReportDropped): StateContent {
  const {firmwares, plugs} = content
  const firmware = {schema: capabilitiesSchema, expected: 'the limits of a firmware'}
  const plug = {schema: entrySchema, expected: 'a plug, by its device id'}
  return {
    clientId: parseClientId(content, reportDropped),
    firmwares: validMembers('firmwares', firmwares, firmware, reportDropped).slice(-MAX_FIRMWARES),
    published: parsePublished(content, reportDropped),
    announced: parseAnnounced(content, reportDropped),
    plugs: validPlugs(plugs, plug, reportDropped),
  }
}

/** The plugs of `energy.json`, by device id. Those that changed longest ago come first. */
export function parseEnergy({plugs}: JsonObject, reportDropped: ReportDropped): [number, EnergyMemory][] {
  const plug = {schema: energySchema, expected: 'kilowatt-hours of a plug, by its device id'}
  return validPlugs(plugs, plug, reportDropped).sort(([, a], [, b]) => a.moved - b.moved)
}

/** Whether `key` is a device id (did), as a key of a file. */
export function isDid(key: string): boolean {
  return /^[1-9]\d*$/.test(key) && Number(key) <= Number.MAX_SAFE_INTEGER
}

interface MemberFormat<T> {
  schema: z.ZodType<T>
  /** For the warning about an invalid member. */
  expected: string
  /** Whether a key is valid; by default every key is. */
  isKey?: (key: string) => boolean
}

/**
 * The valid members of the object `value`, by key. Invalid ones are reported and dropped one by one. A missing object has no members.
 * @param where path of the object in the file
 */
function validMembers<T>(
  where: string,
  value: unknown,
  {schema, expected, isKey = () => true}: MemberFormat<T>,
  reportDropped: ReportDropped,
): [string, T][] {
  if (value === undefined) return []
  if (!isObject(value)) {
    reportDropped(where, 'a mapping')
    return []
  }
  return Object.entries(value).flatMap(([key, member]): [string, T][] => {
    const {success, data} = schema.safeParse(member)
    if (success && isKey(key)) return [[key, data]]
    reportDropped(`${where}.${key}`, expected)
    return []
  })
}

function validPlugs<T>(plugs: unknown, format: MemberFormat<T>, reportDropped: ReportDropped): [number, T][] {
  const members = validMembers('plugs', plugs, {...format, isKey: isDid}, reportDropped)
  return members.map(([did, plug]) => [Number(did), plug])
}

/** MQTT takes up to 65,535 bytes (MQTT 5.0 §1.5.4). Brokers close the connection over control characters. */
function parseClientId({client_id: id}: JsonObject, reportDropped: ReportDropped): string | undefined {
  const isValid =
    typeof id === 'string' &&
    /^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u.test(id) &&
    Buffer.byteLength(id) <= MAX_TEXT_BYTES
  if (isValid) return id
  reportDropped('client_id', 'a client id that brokers accept: a new one is made')
  return undefined
}

/** Only topics that a bridge may have published are accepted, since the bridge clears them when they are stale. */
function parsePublished(
  {published}: JsonObject,
  reportDropped: ReportDropped,
): RetainedTopicsRecord | undefined {
  if (published === undefined) return undefined
  if (!isObject(published) || !Array.isArray(published['topics'])) {
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

/** The newest members are the last ones: the oldest go when there are too many. */
function parseAnnounced(
  {announced}: JsonObject,
  reportDropped: ReportDropped,
): DiscoveredComponents | undefined {
  if (announced === undefined) return undefined
  if (!isObject(announced)) {
    reportDropped('announced', 'announcements to Home Assistant')
    return undefined
  }
  const {devices, sets} = announced
  const device = {
    schema: z.string().max(100),
    expected: 'the name of a set, by device',
    isKey: (key: string) => /^miio2mqtt_[1-9]\d*$/.test(key),
  }
  const set = {schema: platformsSchema, expected: 'platforms by component'}
  const validDevices = validMembers('announced.devices', devices, device, reportDropped)
  const validSets = validMembers('announced.sets', sets, set, reportDropped)
  return {
    devices: Object.fromEntries(validDevices.slice(-MAX_DISCOVERY_DEVICES)),
    sets: Object.fromEntries(validSets.slice(-MAX_FIRMWARES)),
  }
}
