/**
 * Rules about a plug as a whole, and about plugs that would get in each other's way. They look at what was written, so that
 * no other mistake hides a problem they would find.
 */
import {z} from 'zod'
import {MIIO_PORT} from '../../miio/packet.ts'
import {type LazyText, quoted} from '../config-error.ts'
import type {RawYaml, YamlPath} from '../read/yaml.ts'
import * as field from '../schema/fields.ts'
import {ANY_NAME, keysAt} from '../schema/settings.ts'
import {nameProblem, normalizedName} from './names.ts'
import {intendedKeyAt} from './setting-hints.ts'

export interface ValidationIssue {
  path: YamlPath
  message: LazyText
}

/** What makes a plug the one it is. `null`: written, but not understood. */
const identity = z
  .object({
    host: field.host().nullish().catch(null),
    port: field.withDefault(field.integer(1, 65_535), MIIO_PORT).catch(MIIO_PORT),
    id: field.did().nullish().catch(null),
  })
  .catch({port: MIIO_PORT})
const identities = z.object({devices: z.record(z.string(), identity).catch({})}).catch({devices: {}})

const entities = z.record(z.string(), z.object({name: z.string()}).catch({name: ''})).catch({})
/** What Home Assistant is to call a plug and its entities. */
const looks = z
  .object({
    devices: z
      .record(
        z.string(),
        z
          .object({homeassistant: z.object({name: z.string().optional().catch(undefined), entities})})
          .catch({homeassistant: {entities: {}}}),
      )
      .catch({}),
  })
  .catch({devices: {}})

type Plug = [name: string, z.output<typeof identity>]

/** What no two plugs may share: where it is written (nowhere: the name itself), how it compares, and what to say. */
const UNIQUE: {
  key: string[]
  of: (plug: Plug) => string | null | undefined
  clash: (first: string, second: string) => string
}[] = [
  {key: [], of: ([name]) => normalizedName(name), clash: likeness},
  {key: ['id'], of: ([, {id}]) => id?.toString(), clash: () => 'the same id as'},
  {
    key: ['host'],
    of: ([, {host, port}]) => host && `${host}:${port}`,
    clash: () => 'the same host and port as',
  },
]

export function validateDevices(read: RawYaml | undefined): ValidationIssue[] {
  const plugs = Object.entries(identities.parse(read).devices)
  const rivals = UNIQUE.flatMap(({key, of, clash}) =>
    pairs(plugs, of).map(([first, second]) => ({
      path: ['devices', second, ...key],
      message: `${clash(first, second)} "${first}"`,
    })),
  )
  return [...misnamed(plugs), ...unfindable(plugs, read), ...rivals, ...repetitions(read)]
}

/** How two names differ that people cannot tell apart. */
function likeness(one: string, other: string): string {
  const letters = (name: string) => name.normalize('NFC').toLowerCase()
  return letters(one) === letters(other)
    ? 'the name differs in case alone from that of'
    : 'the name looks like that of'
}

function misnamed(plugs: Plug[]): ValidationIssue[] {
  return plugs.flatMap(([name]) => {
    const problem = nameProblem(name)
    return problem ? [{path: ['devices', name], message: `a plug cannot have this name: ${problem}`}] : []
  })
}

function unfindable(plugs: Plug[], read: RawYaml | undefined): ValidationIssue[] {
  const devices = member(read, 'devices')
  const isOutside = hasSettingsOutside(devices)
  const lost = plugs.filter(([name, {host, id}]) => {
    if (host !== undefined || id !== undefined) return false
    const plug = member(devices, name)
    return !isWrittenOtherwise(plug, name) && !(isOutside && isEmptyMapping(plug))
  })
  const message = 'expected host or id, got neither: there is no way to find this plug'
  return lost.map(([name]) => ({path: ['devices', name], message}))
}

/** Whether a plug lacks something only because it is no mapping, or has another key in its place: that is said already. */
function isWrittenOtherwise(plug: RawYaml | undefined, name: string): boolean {
  if (plug === undefined || typeof plug === 'string' || Array.isArray(plug)) return true
  const meant = Object.keys(plug).map((key) => intendedKeyAt(key, ['devices', name]))
  return meant.includes('host') || meant.includes('id')
}

/** Whether settings of a plug stand beside the names of plugs: then one that is empty has its settings there. */
export function hasSettingsOutside(devices: RawYaml | undefined): boolean {
  if (typeof devices !== 'object') return false
  const settings = new Set(keysAt(['devices', ANY_NAME]))
  return Object.entries(devices).some(([key, value]) => settings.has(key) && typeof value === 'string')
}

export function isEmptyMapping(read: RawYaml | undefined): boolean {
  return typeof read === 'object' && Object.keys(read).length === 0
}

function member(read: RawYaml | undefined, key: string): RawYaml | undefined {
  return typeof read === 'object' && !Array.isArray(read) ? read[key] : undefined
}

/** The names of plugs of which the second has what the first has already. */
function pairs(plugs: Plug[], of: (plug: Plug) => string | null | undefined): [string, string][] {
  const firsts = new Map<string, string>()
  return plugs.flatMap((plug) => {
    const [name] = plug
    const value = of(plug)
    if (!value) return []
    const first = firsts.get(value)
    if (first === undefined) firsts.set(value, name)
    return first === undefined ? [] : [[first, name]]
  })
}

/** Home Assistant writes the name of the plug before that of an entity. When it is there already, it cuts it off, and complains. */
function repetitions(read: RawYaml | undefined): ValidationIssue[] {
  return Object.entries(looks.parse(read).devices).flatMap(([plug, {homeassistant}]) => {
    const {name = plug.replaceAll('/', ' '), entities} = homeassistant
    const repeating = Object.entries(entities).filter(([, entity]) =>
      entity.name.toLowerCase().startsWith(name.toLowerCase()),
    )
    const message = `expected a name that does not begin with ${quoted(name)}: Home Assistant puts that in front by itself`
    return repeating.map(([property]) => ({
      path: ['devices', plug, 'homeassistant', 'entities', property, 'name'],
      message,
    }))
  })
}
